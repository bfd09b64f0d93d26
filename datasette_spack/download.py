"""The file of the catalog, as a download that can be resumed."""

from __future__ import annotations

import asyncio
import os
import re
from typing import Any

from datasette.utils import add_cors_headers
from datasette.utils.asgi import Response, asgi_start

from datasette_spack.caching import cache_control, names_tag
from datasette_spack.database import CatalogDatabase
from datasette_spack.either import datasettes_download

DOWNLOAD_ROUTE = r"/(?P<database>catalog)\.db$"

_BLOCK = 1 << 20
_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.ASCII)
_TYPE = "application/vnd.sqlite3"


async def download(datasette: Any, request: Any, send: Any) -> Any:
    """Send the file that is being served, under the name of ``catalog.db``, or a part of it.

    Datasette's own download opens what lies under the path by now, which after a build is another
    file, and sends it in blocks of 4 KB.  It is still asked whether the download is allowed, and
    is left to send what is not a :class:`CatalogDatabase`.
    """
    if request.method not in ("GET", "HEAD"):
        return Response.text("Method not allowed\n", 405, {"allow": "GET, HEAD"})
    response = await datasettes_download(datasette, request)
    database = datasette.get_database("catalog")
    if not isinstance(database, CatalogDatabase):
        return response
    tag, size = f'"{database.hash}"', database.size
    headers = {
        "etag": tag,
        "cache-control": cache_control(datasette),
        "accept-ranges": "bytes",
        "content-disposition": 'attachment; filename="catalog.db"',
    }
    if datasette.cors:
        add_cors_headers(headers)
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or names_tag(known, tag):
        await asgi_start(send, 304, headers, _TYPE)
        await send({"type": "http.response.body", "body": b""})
        return None
    part = _part(request, tag, size)
    if part is not None and not part:
        headers["content-range"] = f"bytes */{size}"
        return Response.text("The range is not in the catalog", status=416, headers=headers)
    if part:
        headers["content-range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    whole = part or range(size)
    headers["content-length"] = str(len(whole))
    await asgi_start(send, 206 if part else 200, headers, _TYPE)
    if request.method != "HEAD":
        await _send_bytes(send, database.file.fileno(), whole)
    await send({"type": "http.response.body", "body": b""})
    return None


def _part(request: Any, tag: str, size: int) -> range | None:
    """The one part that is asked for, empty if the file has none of it; None for the whole file.

    What is not one plain range may be answered with the whole, and so is a part of another file.
    """
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if request.method != "GET" or not found or not any(found.groups()):
        return None
    if request.headers.get("if-range", tag) != tag:
        return None
    first, last = (int(number) if number else None for number in found.groups())
    if first is None:
        return range(max(size - (last or 0), 0), size)
    if last is None:
        return range(first, size)
    return range(first, min(last + 1, size)) if first <= last else None


async def _send_bytes(send: Any, descriptor: int, part: range) -> None:
    """Send a part of a file, block by block."""
    for place in range(part.start, part.stop, _BLOCK):
        length = min(_BLOCK, part.stop - place)
        block = await asyncio.to_thread(os.pread, descriptor, length, place)
        await send({"type": "http.response.body", "body": block, "more_body": True})
