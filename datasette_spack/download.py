"""The file of the catalog, as a download."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from datasette.utils import add_cors_headers
from datasette.utils.asgi import Response, asgi_start
from datasette.views.database import DatabaseDownload

from datasette_spack.database import CatalogDatabase

DOWNLOAD_ROUTE = r"/(?P<database>catalog)\.db$"

_BLOCK = 1 << 20


async def download(datasette: Any, request: Any, send: Any) -> Any:
    """Send the file that is being served, under the name of ``catalog.db``.

    Datasette's own download opens what lies under the path by now, which after a build is another
    file, and sends it in blocks of 4 KB.  It is still asked whether the download is allowed, and
    is left to send what is not a :class:`CatalogDatabase`.
    """
    response = await DatabaseDownload(datasette).get(request)
    database = datasette.get_database("catalog")
    if isinstance(response, Response) or not isinstance(database, CatalogDatabase):
        return response  # not modified, or a database of another kind
    headers = {
        "etag": f'"{database.hash}"',
        "content-length": str(database.size),
        "content-disposition": 'attachment; filename="catalog.db"',
    }
    if datasette.cors:
        add_cors_headers(headers)
    await asgi_start(send, 200, headers, "application/vnd.sqlite3")
    descriptor, place = database.file.fileno(), 0
    while request.method != "HEAD" and place < database.size:
        block = await asyncio.to_thread(os.pread, descriptor, _BLOCK, place)
        place += len(block)
        await send({"type": "http.response.body", "body": block, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
    return None
