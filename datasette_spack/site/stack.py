"""``/stack/<name>``: a stack over tags and what it has; ``/stacks``: all of them."""

from __future__ import annotations

from typing import Any

from datasette.utils.asgi import Response

from datasette_spack.charts.numbers import counted
from datasette_spack.site.addresses import Addresses
from datasette_spack.site.answer import Page, answer, named, page_number
from datasette_spack.site.pictures import stack_picture
from etl.browse.overview import stack_list
from etl.browse.stack import PAGE, stack_facts

STACK_ROUTE = r"/stack/(?P<stack>[^/]+?)(?P<format>\.json)?$"
STACKS_ROUTE = r"/stacks(?P<format>\.json)?$"


async def stack(datasette: Any, request: Any) -> Response:
    """The page of a stack, in the newest tag or the one that is asked for."""
    name = named(request, "stack")
    chosen, other = request.args.get("tag") or None, request.args.get("without") or None
    part, page = request.args.get("q", ""), page_number(request)
    site = Addresses(datasette)

    def read(connection: Any) -> Page:
        facts = stack_facts(connection, name, chosen, other, part, page)
        return Page(
            "stack.html",
            f"Stack {name}",
            f"The packages of Spack's CI stack {name}, in {counted(len(facts.tags), 'tags')}.",
            facts,
            {
                "picture": stack_picture(site, name, facts.tags),
                "part": part,
                "number": page,
                "per_page": PAGE,
            },
            unbounded=bool(request.query_string),
        )

    return await answer(datasette, request, read)


async def stacks(datasette: Any, request: Any) -> Response:
    """The list of all stacks."""

    def read(connection: Any) -> Page:
        found = stack_list(connection)
        return Page(
            "stacks.html",
            "Stacks",
            f"{counted(len(found), 'CI stacks')} of Spack with binaries in this catalog.",
            {"stacks": found},
            {},
        )

    return await answer(datasette, request, read)
