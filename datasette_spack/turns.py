"""Requests that may be heavy wait for their turn, or are told to come again; see the lanes."""

from __future__ import annotations

import re
from typing import Any, Final

from datasette.utils.asgi import Request, Response

from datasette_spack.caching import inner_path
from datasette_spack.lanes import BusyError, Visitors, in_lane
from datasette_spack.site.answer import Page, shown

RETRY_AFTER: Final = 5
"""Seconds after which who was sent away may come again."""

_SQL = re.compile(r"(?:^|&)sql=")
_STREAM = re.compile(r"(?:^|&)_stream=")


def in_turn(datasette: Any, app: Any) -> Any:
    """An ASGI application that has what may be heavy wait for its turn."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        visitors = _visitors_of(datasette, scope)
        if visitors is None:
            await app(scope, receive, send)
            return
        lane = visitors.streams if _STREAM.search(_query(scope)) else visitors.lane
        try:
            async with lane.turn():
                with in_lane():
                    await app(scope, receive, send)
        except BusyError:
            response = await _busy(datasette, scope, receive)
            await response.asgi_send(send)

    return wrapped


def _query(scope: Any) -> str:
    return str(scope["query_string"].decode("latin-1"))


def _visitors_of(datasette: Any, scope: Any) -> Visitors | None:
    """The lane that a request belongs in; None for pages, and where there are no lanes."""
    if scope["type"] != "http":
        return None
    visitors: Visitors | None = getattr(datasette.databases.get("catalog"), "visitors", None)
    path = inner_path(datasette, scope)
    asks = path.startswith("/catalog/") or (
        path.startswith("/catalog") and _SQL.search(_query(scope))
    )
    return visitors if asks else None


async def _busy(datasette: Any, scope: Any, receive: Any) -> Response:
    """What whoever is sent away is told."""
    text = (
        "More people are asking for SQL, tables and ready-made questions than can be answered at "
        f"once. Ask again in {RETRY_AFTER} seconds. The pages of packages, specs, tags and stacks, "
        "and the search for specs, are not affected."
    )
    page = Page("error_page.html", "Busy just now", text, {"error": text}, status=503)
    as_json = scope["path"].endswith(".json") or "_format=json" in _query(scope)
    kwargs = {"format": "json"} if as_json else {}
    routed = {**scope, "url_route": {"kwargs": kwargs}, "csrftoken": lambda: ""}
    request = Request(routed, receive)
    response: Response = await shown(datasette, request, page)
    response.headers |= {"Retry-After": str(RETRY_AFTER), "Cache-Control": "no-store"}
    return response
