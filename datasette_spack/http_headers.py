"""What every answer says besides its content: how a browser must treat it, how long it may be kept.

Which pages are the plugin's own is listed here, in one place.  Their policy allows nothing inline;
Datasette's own templates have scripts and styles inline, so that theirs must.
"""

from __future__ import annotations

import re
from typing import Any, Final

from datasette_spack.caching import inner_path, kept
from datasette_spack.database import CatalogDatabase

OUR_PAGES: Final = (
    "badge",
    "compare",
    "cover",
    "feed",
    "find",
    "home",
    "package",
    "packages",
    "robots",
    "search",
    "sitemap",
    "spec",
    "stack",
    "stacks",
    "suggest",
    "tag",
    "tags",
    "virtual",
)
"""How the paths of our own pages begin; besides these there is the home page."""

_OURS = re.compile(rf"/|/\.json|/(?:{'|'.join(OUR_PAGES)})(?:[/.-].*)?", re.DOTALL)

_FROM_HERE = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
_INLINE_TOO = _FROM_HERE | {
    "style-src": "'self' 'unsafe-inline'",
    "script-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data:",
}


def _policy(sources: dict[str, str]) -> bytes:
    return "; ".join(f"{kind} {source}" for kind, source in sources.items()).encode()


OUR_POLICY: Final = _policy(_FROM_HERE)
"""The ``Content-Security-Policy`` of our own pages."""

DATASETTE_POLICY: Final = _policy(_INLINE_TOO)
"""The one of Datasette's pages."""

_POLICY = b"content-security-policy"
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
)


def is_our_page(path: str) -> bool:
    """Whether one of our own pages is, or would be, under a path."""
    return bool(_OURS.fullmatch(path))


def with_headers(datasette: Any, app: Any) -> Any:
    """An ASGI application that says of each answer how to treat it and how long to keep it.

    Where a catalog is only one of several databases in somebody's Datasette, or other plugins have
    pages of their own, these are left as they are.
    """
    app = kept(datasette, app, is_our_page)

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        catalog = datasette.databases.get("catalog")
        path = inner_path(datasette, scope)
        ours = is_our_page(path) and not (_is_home(path) and _has_others_only(datasette))
        if not (isinstance(catalog, CatalogDatabase) or ours):
            await app(scope, receive, send)
            return
        first = path.split("/", 2)[1] if path.startswith("/") else ""
        nowhere = first.partition(".")[0] not in {"-", *datasette.databases}

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                inline = not (ours or (nowhere and message["status"] == 404))
                headers = ((_POLICY, DATASETTE_POLICY if inline else OUR_POLICY), *_ALWAYS)
                said = {name.lower() for name, _ in message["headers"]}
                more = [(name, value) for name, value in headers if name not in said]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await app(scope, receive, sending)

    return wrapped


def _is_home(path: str) -> bool:
    return path in ("/", "/.json", "/home.json")


def _has_others_only(datasette: Any) -> bool:
    """Whether there is no catalog, but other databases: then Datasette's home is shown."""
    names = datasette.databases.keys() - {"_internal", "_memory"}
    return bool(names) and "catalog" not in names
