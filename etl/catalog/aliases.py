"""Names that stand for a tag, for links and scripts that should not grow old."""

from __future__ import annotations

import sqlite3
from typing import Final

NEWEST: Final = "newest"
NEWEST_RELEASE: Final = "newest-release"

ALIASES: Final = (NEWEST, NEWEST_RELEASE)
"""What may be said in the place of a tag."""

# develop has no date, and so does not tell as of when a catalog is.
_NEWEST = """
    SELECT name FROM tags WHERE binaries > 0 AND (kind = 'release' OR NOT :only_releases)
        AND (:cache IS NULL OR cache_id = (SELECT id FROM caches WHERE name = :cache))
    ORDER BY date IS NULL, position DESC LIMIT 1
"""
_IS_TAG = "SELECT 1 FROM tags WHERE name = ?"


def newest_tag(
    db: sqlite3.Connection, *, release: bool = False, cache: str | None = None
) -> str | None:
    """The newest tag, or release, that has binaries: of those with a date, if there are any.

    With ``cache``, the newest of that named cache.
    """
    row = db.execute(_NEWEST, {"only_releases": release, "cache": cache}).fetchone()
    return str(row[0]) if row else None


def tag_named(db: sqlite3.Connection, name: str, cache: str | None = None) -> str:
    """The tag that a name stands for: itself, but for an alias where no tag is called so.

    With ``cache``, an alias stands for a tag of that named cache.  One that stands for nothing in
    this catalog stays as it is, for the error to name.
    """
    if name not in ALIASES or db.execute(_IS_TAG, (name,)).fetchone():
        return name
    return newest_tag(db, release=name == NEWEST_RELEASE, cache=cache) or name


def aliases_of(db: sqlite3.Connection, tag: str, cache: str | None = None) -> tuple[str, ...]:
    """The aliases that stand for a tag now, or among those of a named cache."""
    return tuple(it for it in ALIASES if it != tag and tag_named(db, it, cache) == tag)
