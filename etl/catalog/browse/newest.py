"""As of when the catalog is."""

from __future__ import annotations

import sqlite3

from etl.catalog.browse.asking import ask_one

_NEWEST = "SELECT name FROM tags WHERE binaries > 0 ORDER BY position DESC LIMIT 1"


def newest_tag_name(db: sqlite3.Connection) -> str | None:
    """The name of the newest tag that has binaries."""
    row = ask_one(db, _NEWEST)
    return row["name"] if row else None
