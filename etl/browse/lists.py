"""The list of all packages, and the names that a search can be narrowed by."""

from __future__ import annotations

import sqlite3

from etl.catalog.asking import Listed, like, listed
from etl.catalog.ordering import Ordering

PAGE = 200
"""Packages on one page."""

ORDERING = Ordering(
    {
        "package": "packages.name",
        "newest_version": "versions.sort_key",
        "versions": "packages.versions",
        "specs": "packages.specs",
        "binaries": "packages.binaries",
        "size": "packages.size",
        "tags": "packages.tags",
        "last_tag": "tags.position",
    },
    "packages.name",
)

_PACKAGES = """\
SELECT packages.name AS package, versions.version AS newest_version, packages.versions,
    packages.specs, packages.binaries, packages.size, packages.tags,
    tags.name AS last_tag, packages.description
FROM packages
LEFT JOIN versions ON versions.id = packages.newest_version_id
LEFT JOIN tags ON tags.id = packages.last_tag_id
WHERE packages.binaries > 0 AND packages.name LIKE :name_1 ESCAPE '\\'
ORDER BY {order}"""


def package_list(
    db: sqlite3.Connection, part: str = "", page: int = 1, sort: str = "", limit: int = PAGE
) -> Listed:
    """One page of the packages that have binaries, those with ``part`` in their name.

    Raises:
        UsageError: ``sort`` is no column of the list.
    """
    sql = _PACKAGES.format(order=ORDERING.sql(sort))
    return listed(db, sql, limit, (page - 1) * PAGE, name_1=like(part))


def scope_names(db: sqlite3.Connection) -> dict[str, list[str]]:
    """What can be chosen beside a spec: tags, the newest first, stacks, targets and systems."""
    return {
        table: [name for (name,) in db.execute(f"SELECT name FROM {table} ORDER BY {order}")]
        for table, order in (
            ("tags", "position DESC"),
            ("stacks", "name"),
            ("targets", "name"),
            ("operating_systems", "name"),
        )
    }
