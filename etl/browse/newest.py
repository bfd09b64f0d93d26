"""As of when the catalog is."""

from __future__ import annotations

import sqlite3

from etl.catalog.asking import ask_one

_NEWEST = """
    SELECT name FROM tags WHERE binaries > 0 ORDER BY date IS NULL, position DESC LIMIT 1
"""


def newest_tag_name(db: sqlite3.Connection) -> str | None:
    """The name of the newest tag that has binaries: of those with a date, if there are any.

    ``develop`` has none, and so does not tell as of when a catalog is.
    """
    row = ask_one(db, _NEWEST)
    return row["name"] if row else None
