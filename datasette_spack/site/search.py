"""The box of every page: ``/search`` leads to what is meant, ``/suggest.json`` helps to type it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from datasette.utils.asgi import Response

from datasette_spack.site.addresses import Addresses
from datasette_spack.site.answer import MovedError, Page, answer
from etl.browse.suggestions import meaning, suggestions

SEARCH_ROUTE = r"/search$"
SUGGEST_ROUTE = r"/suggest(?P<format>\.json)$"


async def search(datasette: Any, request: Any) -> Response:
    """Go to the package, tag, stack or spec of that name, else look for binaries of that spec."""
    text = request.args.get("q", "").strip()
    site = Addresses(datasette)

    def read(connection: Any) -> Page:
        if not text:
            raise MovedError(datasette.urls.path("packages"))
        meant, host = meaning(connection, text), request.args.get("host", "").strip() or None
        if meant is None:
            raise MovedError(site.find(text, host=host))
        if host and meant.kind == "package":
            raise MovedError(site.package(meant.name, host=host))
        if host and meant.kind == "spec":
            raise MovedError(f"{site.spec(meant.name)}?{urlencode({'host': host})}")
        pages = {
            "package": site.package,
            "tag": site.tag,
            "stack": site.stack,
            "virtual": site.virtual,
            "spec": site.spec,
        }
        raise MovedError(pages[meant.kind](meant.name))

    return await answer(datasette, request, read)


async def suggest(datasette: Any, request: Any) -> Response:
    """The packages that the beginning of a name may become, as JSON."""
    text = request.args.get("q", "")

    def read(connection: Any) -> Page:
        found = [asdict(it) for it in suggestions(connection, text)]
        return Page("", "", "", {"suggestions": found})

    return await answer(datasette, request, read)
