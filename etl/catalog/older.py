"""Catalogs as they lie: what older schemas lack is empty, and what is damaged is said to be."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from etl.errors import CatalogError, ReadError

_DAMAGED = (sqlite3.DatabaseError, zlib.error, LookupError, TypeError, ValueError, AttributeError)
"""What comes of values that no build has written."""


@contextmanager
def damage_of(path: Path) -> Iterator[None]:
    """Whatever fails in the block is said to be damage of the catalog at ``path``.

    Raises:
        ReadError: something did.
    """
    try:
        yield
    except CatalogError:
        raise
    except _DAMAGED as error:
        raise ReadError(
            f"{path}: is damaged ({error}); restore a copy, or build it again from sources"
        ) from None


def columns_of(db: sqlite3.Connection, table: str) -> set[str]:
    """The columns that a table of the catalog has; none if there is no such table."""
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}


def selected(db: sqlite3.Connection, table: str, columns: str) -> str:
    """The columns as SELECT has them, with NULL for those that an older schema does not have."""
    there = columns_of(db, table)
    return ", ".join(
        "NULL" if it.isidentifier() and it not in there else it for it in columns.split(", ")
    )


def rows_of(
    db: sqlite3.Connection, table: str, columns: str, tail: str = ""
) -> Iterator[tuple[Any, ...]]:
    """Rows; NULL for columns that an older schema does not have, none of tables that it lacks."""
    if not columns_of(db, table):
        return iter(())
    return db.execute(f"SELECT {selected(db, table, columns)} FROM {table} {tail}")
