"""``/tag/<tag>``: what a tag has and what changed in it; ``/tags``: all of them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from datasette.utils.asgi import AsgiStream, Response

from datasette_spack.charts.numbers import counted
from datasette_spack.site.addresses import Addresses
from datasette_spack.site.answer import Page, answer, named, page_number
from datasette_spack.site.pictures import history_pictures, machine_pictures, share_pictures
from datasette_spack.site.remembered import remembered
from datasette_spack.site.whole import csv_of
from etl.browse import lists
from etl.browse.hosts import incomplete_binaries, profile_shares
from etl.browse.machines import KINDS, machine_history
from etl.browse.overview import tag_history
from etl.browse.removals import gone_tags
from etl.browse.tag import PAGE, tag_facts
from etl.catalog.asking import Row
from etl.query.find import ALL

TAG_ROUTE = r"/tag/(?P<tag>.*?[^/])(?P<format>\.json|\.csv)?$"
TAGS_ROUTE = r"/tags(?P<format>\.json|\.csv)?$"


async def tag(datasette: Any, request: Any) -> Response | AsgiStream:
    """The page of a tag; JSON has all of its packages, CSV nothing else."""
    name, form = named(request, "tag"), request.url_vars["format"]
    part, page = request.args.get("q", ""), page_number(request)
    sort = request.args.get("sort", "")
    limit = ALL if form and "page" not in request.args else PAGE
    if form == ".csv":
        return await csv_of(datasette, lambda it: tag_facts(it, name, part, 1, sort).packages.sql)
    site = Addresses(datasette)

    def read(connection: Any) -> Page:
        facts = tag_facts(connection, name, part, page, sort, limit)
        incomplete = remembered(datasette, incomplete_binaries, name)(connection)
        facts = replace(facts, incomplete=incomplete)
        row = facts.tag
        return Page(
            "tag.html",
            name,
            _description(row),
            facts,
            {
                "shares": share_pictures(site, name, facts.shares),
                "tags": tag_history(connection),
                "host_shares": remembered(datasette, profile_shares, name)(connection),
                "incomplete": incomplete,
                "part": part,
                "sort": sort,
                "number": page,
                "per_page": PAGE,
            },
            unbounded=bool(request.query_string),
        )

    return await answer(datasette, request, read)


async def tags(datasette: Any, request: Any) -> Response | AsgiStream:
    """The list of tags, releases apart from snapshots, or a page of one kind; as JSON and CSV all.

    Each list shows its first page; ``kind=`` is the list that is asked for page by page.
    """
    kind, page, form = (
        request.args.get("kind", ""),
        page_number(request),
        request.url_vars["format"],
    )
    sort = request.args.get("sort", "")
    if form == ".csv":
        return await csv_of(datasette, lambda it: lists.tag_list(it, kind, sort=sort).sql)
    limit = ALL if form and "page" not in request.args else lists.PAGE
    site = Addresses(datasette)

    def read(connection: Any) -> Page:
        found = lists.tag_list(connection, kind, page, sort, limit)
        machines = machine_history(connection)
        kinds = (kind,) if kind else tuple(lists.KINDS)
        return Page(
            "tags.html",
            "Tags",
            _tags_description(found.total),
            {
                "tags": found.rows,
                "total": found.total,
                "sql": found.sql,
                "gone": gone_tags(connection),
                "machines": [asdict(it) for it in machines],
            },
            {
                "listed": {
                    it: lists.tag_list(connection, it, page, sort, lists.PAGE) for it in kinds
                },
                "kind": kind,
                "sort": sort,
                "number": page,
                "per_page": lists.PAGE,
                "history": history_pictures(site, tag_history(connection)[::-1]),
                "machines": {it.column: machine_pictures(site, it) for it in machines},
                "machine_kinds": KINDS,
            },
            unbounded=bool(request.query_string),
        )

    return await answer(datasette, request, read)


def _description(tag: Row) -> str:
    date = f", {tag['date']}" if tag["date"] else ""
    if tag["gone_since"]:
        had = counted(tag["gone"], "binaries")
        return f"{tag['tag']}{date} is gone since {tag['gone_since'][:10]}; it had {had}."
    return (
        f"{counted(tag['binaries'], 'binaries')} of {counted(tag['packages'], 'packages')}"
        f" in Spack's build caches of {tag['tag']}{date}."
    )


def _tags_description(tags: int) -> str:
    kinds = "release or snapshot" if tags == 1 else "releases and snapshots"
    return f"The {tags:,} {kinds} of Spack that have binaries in its build caches."
