"""Requests that may be heavy wait for their turn, or are told to come again; see the lanes."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack, nullcontext
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
    """An ASGI application that has what may be heavy wait for its turn.

    A turn ends when the answer begins: who reads slowly keeps nobody waiting, but for tables that
    are read while they are sent.
    """

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        visitors: Visitors | None = getattr(datasette.databases.get("catalog"), "visitors", None)
        if visitors is None or scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await app(scope, receive, send)
            return
        asks = _asks(inner_path(datasette, scope), _query(scope))
        is_stream = asks and bool(_STREAM.search(_query(scope)))
        lane = visitors.pages if not asks else visitors.streams if is_stream else visitors.lane
        try:
            async with AsyncExitStack() as turn:
                await turn.enter_async_context(lane.turn())

                async def sending(message: Any) -> None:
                    if not is_stream:
                        await turn.aclose()
                    await send(message)

                with in_lane() if asks else nullcontext():
                    await app(scope, receive, sending)
        except BusyError:
            response = await _busy(datasette, scope, receive)
            await response.asgi_send(send)

    return wrapped


def _query(scope: Any) -> str:
    return str(scope["query_string"].decode("latin-1"))


def _asks(path: str, query: str) -> bool:
    """Whether a request is for SQL, a table or a saved query, which may be heavy."""
    return path.startswith("/catalog/") or (
        path.startswith("/catalog") and bool(_SQL.search(query))
    )


async def _busy(datasette: Any, scope: Any, receive: Any) -> Response:
    """The answer to a request for which there is no room."""
    again = f"Try again in {RETRY_AFTER} seconds."
    text = f"The server is busy. {again}"
    if _asks(inner_path(datasette, scope), _query(scope)):
        text = (
            f"The server has too many requests for SQL, tables and saved queries. {again} "
            "The pages of packages, specs, tags and stacks, and the search for specs, are not "
            "affected."
        )
    page = Page("error_page.html", "Busy", text, {"error": text}, status=503)
    as_json = scope["path"].endswith(".json") or "_format=json" in _query(scope)
    kwargs = {"format": "json"} if as_json else {}
    routed = {**scope, "url_route": {"kwargs": kwargs}, "csrftoken": lambda: ""}
    request = Request(routed, receive)
    response: Response = await shown(datasette, request, page)
    response.headers |= {"Retry-After": str(RETRY_AFTER), "Cache-Control": "no-store"}
    return response
