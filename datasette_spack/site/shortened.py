"""Addresses cut off by somebody: ``/package``, ``/compare/<old>``.  They lead to where to choose.

They need no catalog.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from datasette.utils.asgi import Response

from datasette_spack.site.answer import named

LISTED_ROUTE = r"/(?P<kind>package|spec|stack|tag)/?$"
COMPARED_ROUTE = r"/compare/(?P<old>[^/]+?)(?P<format>\.json)?/?$"

_LISTS = {"package": "packages", "spec": "find", "stack": "stacks", "tag": "tags"}
"""Where a thing of a kind is chosen."""


async def listed(datasette: Any, request: Any) -> Response:
    """Go to the list of the packages, tags or stacks; for specs, to the search."""
    return Response.redirect(str(datasette.urls.path(_LISTS[request.url_vars["kind"]])))


async def compared(datasette: Any, request: Any) -> Response:
    """Go to the form, in which the one tag is chosen."""
    form = datasette.urls.path(f"compare{request.url_vars['format'] or ''}")
    query = urlencode({"old": named(request, "old")})
    return Response.redirect(f"{form}?{query}")
