"""The list of a page as a file: the same address with ``.csv``, and all of its rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from datasette.database import QueryInterrupted
from datasette.utils.asgi import AsgiStream, Response

from datasette_spack.site.answer import ask_catalog, page_about
from datasette_spack.streaming import streamed, write_csv
from datasette_spack.which import catalog_name
from etl.errors import CatalogError


async def csv_of(
    datasette: Any, read: Callable[[Any], str], filename: str | None = None
) -> Response | AsgiStream:
    """The rows of the statement that ``read`` gives, as CSV; or a line that says why not."""
    try:
        sql = await ask_catalog(datasette, read)
    except (CatalogError, QueryInterrupted) as error:
        page = page_about(error)
        return Response.text(f"{page.facts['error']}\n", status=page.status)
    database = datasette.get_database(catalog_name(datasette))
    return streamed(datasette, database, sql, {}, write_csv, "text/csv; charset=utf-8", filename)
