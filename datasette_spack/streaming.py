"""Whole answers for machines: rows are read while they are sent, however many there are.

A stream has a connection of its own for as long as it lasts, of which there are few: somebody who
reads slowly keeps only other streams waiting, and no page.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from datasette.utils import add_cors_headers, sqlite_timelimit
from datasette.utils.asgi import AsgiStream, Response
from datasette.utils.sqlite import sqlite3

from datasette_spack.database import CatalogDatabase

CHUNK: Final = 500
"""Rows that are read at once."""

STEP_LIMIT_MS: Final = 60_000
"""How long reading a chunk may take; the first one may have to sort them all."""

Row = Sequence[Any]
Rows = AsyncIterator[list[Row]]


def streamed(
    datasette: Any,
    database: Any,
    sql: str,
    values: Mapping[str, Any],
    write: Callable[[Any, list[str], Rows], Any],
    content_type: str,
    filename: str | None = None,
) -> Response | AsgiStream:
    """An answer that sends the rows of a statement; ``write`` puts them into words."""
    connection = _take(database)
    if connection is None:
        return Response.text(
            "Too many downloads at once; try again in a moment.\n",
            status=503,
            headers={"Retry-After": "10"},
        )

    async def send(writer: Any) -> None:
        try:
            cursor = connection.cursor()
            await asyncio.to_thread(_step, connection, lambda: cursor.execute(sql, dict(values)))
            names = [column[0] for column in cursor.description]
            await write(writer, names, _chunks(connection, cursor))
        finally:
            _give_back(database, connection)

    headers: dict[str, str] = {}
    if datasette.cors:
        add_cors_headers(headers)
    if filename:
        headers["content-disposition"] = f'attachment; filename="{filename}"'
    return AsgiStream(send, headers=headers, content_type=content_type)


def _take(database: Any) -> Any | None:
    """A connection for one stream; None where all are in use."""
    if isinstance(database, CatalogDatabase):
        return database.borrow()
    uri = f"{Path(database.path).absolute().as_uri()}?mode=ro"
    return sqlite3.connect(uri, uri=True, check_same_thread=False)


def _give_back(database: Any, connection: Any) -> None:
    if isinstance(database, CatalogDatabase):
        database.give_back(connection)
    else:
        connection.close()


async def _chunks(connection: Any, cursor: Any) -> Rows:
    while rows := await asyncio.to_thread(_step, connection, lambda: cursor.fetchmany(CHUNK)):
        yield rows


def _step(connection: Any, read: Callable[[], Any]) -> Any:
    with sqlite_timelimit(connection, STEP_LIMIT_MS):
        return read()


async def write_csv(writer: Any, names: list[str], rows: Rows) -> None:
    """The rows as CSV with a line of names."""
    await writer.write(_csv([names]))
    async for chunk in rows:
        await writer.write(_csv(chunk))


def _csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def json_writer(
    around: Mapping[str, Any], name: str, *, objects: bool = True
) -> Callable[[Any, list[str], Rows], Any]:
    """Writes an object with the members of ``around``, and the rows as its member ``name``.

    With a ``name`` of ``""`` the rows are all there is.
    """

    async def write(writer: Any, names: list[str], rows: Rows) -> None:
        if name:
            members = {**around, "columns": names} if not objects else dict(around)
            head = json.dumps(members)[:-1]
            await writer.write(f"{head}{', ' if members else ''}{json.dumps(name)}: [")
        else:
            await writer.write("[")
        separator = ""
        async for chunk in rows:
            for row in chunk:
                it = dict(zip(names, row, strict=True)) if objects else list(row)
                await writer.write(f"{separator}{json.dumps(it)}")
                separator = ",\n"
        await writer.write("]}" if name else "]")

    return write
