"""Rows into a table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence


def insert(
    db: sqlite3.Connection, table: str, columns: str, rows: Iterable[Sequence[object]]
) -> None:
    """Insert rows; ``columns`` names what they hold, as in ``"id, name"``."""
    marks = ", ".join("?" * (columns.count(",") + 1))
    db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
