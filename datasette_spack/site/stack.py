"""``/stack/<name>``: a stack over tags and what it has; ``/stacks``: all of them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from datasette.utils.asgi import AsgiStream, Response

from datasette_spack.charts.numbers import counted
from datasette_spack.site.addresses import Addresses
from datasette_spack.site.answer import Page, answer, named, page_number
from datasette_spack.site.pictures import share_pictures, stack_picture
from datasette_spack.site.remembered import remembered
from datasette_spack.site.whole import csv_of
from etl.browse import lists
from etl.browse.hosts import incomplete_binaries, profile_shares
from etl.browse.stack import PAGE, StackFacts, stack_facts
from etl.query.find import ALL

STACK_ROUTE = r"/stack/(?P<stack>[^/]+?)(?P<format>\.json|\.csv)?$"
STACKS_ROUTE = r"/stacks(?P<format>\.json|\.csv)?$"


async def stack(datasette: Any, request: Any) -> Response | AsgiStream:
    """The page of a stack, in the newest tag or the one that is asked for.

    JSON has all of its packages there, CSV nothing else.
    """
    name, form = named(request, "stack"), request.url_vars["format"]
    chosen, other = request.args.get("tag") or None, request.args.get("without") or None
    part, page = request.args.get("q", ""), page_number(request)
    sort = request.args.get("sort", "")
    site = Addresses(datasette)

    def facts_of(connection: Any) -> StackFacts:
        limit = ALL if form and "page" not in request.args else PAGE
        return stack_facts(connection, name, chosen, other, part, page, sort, limit)

    if form == ".csv":
        return await csv_of(datasette, lambda it: facts_of(it).packages.sql)

    def read(connection: Any) -> Page:
        facts = facts_of(connection)
        of_hosts = {
            key: remembered(datasette, read_them, facts.tag, name)(connection)
            for key, read_them in (
                ("host_shares", profile_shares),
                ("incomplete", incomplete_binaries),
            )
            if facts.tag
        }
        return Page(
            "stack.html",
            f"Stack {name}",
            f"The packages of Spack's CI stack {name}, in {counted(len(facts.tags), 'tags')}.",
            facts,
            {
                "picture": stack_picture(site, name, facts.tags),
                "shares": share_pictures(site, facts.tag or "", facts.shares, stack=name),
                **of_hosts,
                "part": part,
                "sort": sort,
                "number": page,
                "per_page": PAGE,
            },
            feed=f"stack/{quote(name, safe='')}/feed.atom",
            unbounded=bool(request.query_string),
        )

    return await answer(datasette, request, read)


async def stacks(datasette: Any, request: Any) -> Response | AsgiStream:
    """A page of the list of stacks, by name or by another of its columns; as JSON and CSV all."""
    part, page, form = request.args.get("q", ""), page_number(request), request.url_vars["format"]
    sort = request.args.get("sort", "")
    if form == ".csv":
        return await csv_of(datasette, lambda it: lists.stack_list(it, part, sort=sort).sql)
    limit = ALL if form and "page" not in request.args else lists.PAGE

    def read(connection: Any) -> Page:
        found = lists.stack_list(connection, part, page, sort, limit)
        return Page(
            "stacks.html",
            "Stacks",
            f"{counted(found.total, 'CI stacks')} of Spack with binaries in this catalog.",
            {"stacks": found.rows, "total": found.total, "sql": found.sql},
            {"part": part, "sort": sort, "number": page, "per_page": lists.PAGE},
            unbounded=bool(request.query_string),
        )

    return await answer(datasette, request, read)
