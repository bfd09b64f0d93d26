"""The list of all packages, and the names that a search can be narrowed by."""

from __future__ import annotations

import sqlite3
from typing import Literal

from etl.catalog.asking import Listed, like, listed

PAGE = 200
"""Packages on one page."""

Order = Literal["name", "binaries"]
ORDERS: dict[Order, str] = {"name": "packages.name", "binaries": "packages.binaries DESC"}

_PACKAGES = """\
SELECT packages.name AS package, versions.version AS newest_version, packages.versions,
    packages.specs, packages.tags, tags.name AS last_tag, packages.description
FROM packages
LEFT JOIN versions ON versions.id = packages.newest_version_id
LEFT JOIN tags ON tags.id = packages.last_tag_id
WHERE packages.binaries > 0 AND packages.name LIKE :name_1 ESCAPE '\\'
ORDER BY {order}, packages.name"""


def package_list(
    db: sqlite3.Connection, part: str = "", page: int = 1, order: Order = "name"
) -> Listed:
    """One page of the packages that have binaries, those with ``part`` in their name."""
    sql = _PACKAGES.format(order=ORDERS[order])
    return listed(db, sql, PAGE, (page - 1) * PAGE, name_1=like(part))


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
