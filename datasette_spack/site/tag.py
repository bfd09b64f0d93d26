"""``/tag/<tag>``: what a tag has and what changed in it; ``/tags``: all of them."""

from __future__ import annotations

from typing import Any

from datasette.utils.asgi import Response

from datasette_spack.charts.numbers import counted
from datasette_spack.site.addresses import Addresses
from datasette_spack.site.answer import Page, answer, named, page_number
from datasette_spack.site.pictures import history_pictures, share_pictures
from etl.browse.overview import tag_history
from etl.browse.tag import PAGE, tag_facts

TAG_ROUTE = r"/tag/(?P<tag>.*?[^/])(?P<format>\.json)?$"
TAGS_ROUTE = r"/tags(?P<format>\.json)?$"


async def tag(datasette: Any, request: Any) -> Response:
    """The page of a tag."""
    name = named(request, "tag")
    part, page = request.args.get("q", ""), page_number(request)
    site = Addresses(datasette)

    def read(connection: Any) -> Page:
        facts = tag_facts(connection, name, part, page)
        row = facts.tag
        return Page(
            "tag.html",
            name,
            f"{counted(row['binaries'], 'binaries')} of"
            f" {counted(row['packages'], 'packages')} in Spack's build caches of"
            f" {name}{', ' + row['date'] if row['date'] else ''}.",
            facts,
            {
                "shares": share_pictures(site, name, facts.shares),
                "tags": tag_history(connection),
                "part": part,
                "number": page,
                "per_page": PAGE,
            },
            unbounded=bool(request.query_string),
        )

    return await answer(datasette, request, read)


async def tags(datasette: Any, request: Any) -> Response:
    """The list of all tags."""
    site = Addresses(datasette)

    def read(connection: Any) -> Page:
        found = tag_history(connection)
        return Page(
            "tags.html",
            "Tags",
            _tags_description(len(found)),
            {"tags": found},
            {"history": history_pictures(site, found[::-1])},
        )

    return await answer(datasette, request, read)


def _tags_description(tags: int) -> str:
    kinds = "release or snapshot" if tags == 1 else "releases and snapshots"
    return f"The {tags:,} {kinds} of Spack with binaries in Spack's build caches."
