"""Questions to a catalog, and what it answers when the thing asked for is not there."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from typing import Any

from etl.catalog.sql_text import Value, inline
from etl.errors import CatalogError
from etl.workers import batched

Row = dict[str, Any]

MAX_NEAR = 5

AT_ONCE = 500
"""Numbers or hashes in one statement, at most: a site allows statements of 10,000 characters."""

IN_ONE_VALUE = 4_000
"""Numbers in one value, a JSON array, at most: a site allows values of 50,000 bytes."""


class NotHereError(CatalogError):
    """The catalog has no such thing; ``near`` are names that it has and that look alike."""

    def __init__(self, kind: str, name: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(f"no {kind} {name} in this catalog")
        self.kind = kind
        self.name = name
        self.near = near


@dataclass(frozen=True, slots=True)
class Listed:
    """Rows for people, by column, and the statement that gives them in any SQLite.

    ``total`` is how many there are in all; ``rows`` may be only the first of them.
    """

    rows: tuple[Row, ...]
    sql: str
    total: int


def rows_about(
    db: sqlite3.Connection, sql: str, ids: Iterable[int], *values: str
) -> Iterator[tuple[Any, ...]]:
    """The rows of a statement about any number of ids, its first value, each part in its turn."""
    parts = (db.execute(sql, (json.dumps(part), *values)) for part in batched(ids, IN_ONE_VALUE))
    return chain.from_iterable(parts)


def ask(db: sqlite3.Connection, sql: str, **values: Value) -> tuple[Row, ...]:
    """The rows of a statement, by column.  Parameters are called ``:tag_1``, ``:package_1``."""
    return tuple(ask_for_each(db, sql, **values))


def ask_for_each(db: sqlite3.Connection, sql: str, **values: Value) -> Iterator[Row]:
    """The same rows one by one, for those who may not want all of them."""
    cursor = db.execute(sql, values)
    names = [column[0] for column in cursor.description]
    return (dict(zip(names, row, strict=True)) for row in cursor)


def ask_one(db: sqlite3.Connection, sql: str, **values: Value) -> Row | None:
    """The first row of a statement, if there is one."""
    rows = ask(db, sql, **values)
    return rows[0] if rows else None


def listed(
    db: sqlite3.Connection,
    sql: str,
    limit: int,
    offset: int = 0,
    count: str | None = None,
    **values: Value,
) -> Listed:
    """The rows of a statement from ``offset`` on, ``limit`` at most, with their number in all.

    ``count`` is a statement that counts them, where there is one that is quicker than to list all.
    """
    counting = f"SELECT *, count(*) OVER () AS number_of_all FROM (\n{sql}\n)"
    rows = ask(db, f"{sql if count else counting}\nLIMIT {limit:d} OFFSET {offset:d}", **values)
    totals = {row.pop("number_of_all", None) for row in rows} - {None}
    if count or (offset and not rows):
        totals = set(db.execute(count or f"SELECT count(*) FROM ({sql})", values).fetchone())
    return Listed(rows, inline(sql, values), max(totals, default=0))


def known(db: sqlite3.Connection, table: str, kind: str, name: str) -> int:
    """The id of what has this name.

    Raises:
        NotHereError: nothing has it.
    """
    row = db.execute(f"SELECT id FROM {table} WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise NotHereError(kind, name, near_names(db, table, name))
    return int(row[0])


def near_names(
    db: sqlite3.Connection, table: str, name: str, most: int = MAX_NEAR
) -> tuple[str, ...]:
    """Names that look like this one: those that begin with it or have it in them come first.

    Of packages only those that have binaries, or had some that are gone.
    """
    name = name.strip().lower().replace("_", "-")
    there = " WHERE binaries > 0 OR gone > 0" if table == "packages" else ""
    names = [it for (it,) in db.execute(f"SELECT name FROM {table}{there} ORDER BY name")]
    inside = sorted((it for it in names if name and name in it), key=lambda it: (len(it), it))
    close = get_close_matches(name[:100], names, n=MAX_NEAR)
    return tuple(dict.fromkeys([*inside[:3], *close, *inside]))[:most]


def like(part: str) -> str:
    """The pattern for LIKE of names that have this text in them; at most 100 characters of it."""
    escaped = part.strip()[:100]
    for letter in "\\%_":
        escaped = escaped.replace(letter, f"\\{letter}")
    return f"%{escaped}%"
