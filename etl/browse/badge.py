"""The badge of a package: the newest version of it that has a binary."""

from __future__ import annotations

import sqlite3

from etl.catalog.asking import ask_one, known

_NEWEST = """
    SELECT versions.version FROM packages
    JOIN versions ON versions.id = packages.newest_version_id
    WHERE packages.name = :package_1
"""
_NEWEST_IN_TAG = """
    SELECT versions.version FROM package_tags
    JOIN packages ON packages.id = package_tags.package_id
    JOIN versions ON versions.id = package_tags.newest_version_id
    WHERE packages.name = :package_1 AND package_tags.tag_id = :tag_1
"""


def newest_version(db: sqlite3.Connection, package: str, tag: str | None = None) -> str | None:
    """The newest version of a package with a binary, in all tags or in one; None without any.

    Raises:
        NotHereError: there is no such tag.
    """
    if tag is None:
        row = ask_one(db, _NEWEST, package_1=package)
    else:
        row = ask_one(db, _NEWEST_IN_TAG, package_1=package, tag_1=known(db, "tags", "tag", tag))
    return row["version"] if row else None
