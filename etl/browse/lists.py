"""The lists of all packages, tags and stacks, and the names that a search can be narrowed by."""

from __future__ import annotations

import sqlite3
from typing import Final

from etl.catalog.asking import Listed, Row, ask, like, listed
from etl.catalog.ordering import Ordering
from etl.errors import UsageError

PAGE = 200
"""Packages, tags or stacks on one page."""

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

KINDS: Final = {"release": ("release",), "snapshot": ("snapshot", "develop"), "other": ("other",)}
"""The kinds by which tags are listed, and what of the column ``kind`` each has."""

TAGS = Ordering(
    {name: f"tags.{name}" for name in ("kind", "packages", "binaries", "size")}
    | {"tag": "tags.name", "date": "tags.date"},
    "tags.position DESC",
)
_TAGS = """\
SELECT name AS tag, kind, date, packages, binaries, sized, size
FROM tags
WHERE binaries > 0{kind}
ORDER BY {order}"""

STACKS = Ordering(
    {
        "stack": "stacks.name",
        "tag": "tags.position",
        "binaries": "mirrors.binaries",
        "size": "mirrors.size",
        "tags": "newest.tags",
    },
    "stacks.name",
)
_STACKS = """\
SELECT stacks.name AS stack, tags.name AS tag, mirrors.binaries, mirrors.sized, mirrors.size,
    newest.tags
FROM (
    SELECT stack_id, count(*) AS tags,
        ifnull(max(tag_id) FILTER (WHERE tags.date IS NOT NULL), max(tag_id)) AS tag_id
    FROM mirrors CROSS JOIN tags ON tags.id = mirrors.tag_id
    WHERE mirrors.binaries > 0 GROUP BY stack_id
) AS newest
CROSS JOIN mirrors ON mirrors.stack_id = newest.stack_id AND mirrors.tag_id = newest.tag_id
CROSS JOIN stacks ON stacks.id = newest.stack_id
CROSS JOIN tags ON tags.id = newest.tag_id
WHERE stacks.name LIKE :name_1 ESCAPE '\\'
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


def tag_list(
    db: sqlite3.Connection, kind: str = "", page: int = 1, sort: str = "", limit: int = PAGE
) -> Listed:
    """One page of the tags that have binaries, of one of ``KINDS`` or of all, newest first.

    Raises:
        UsageError: there is no such kind, or ``sort`` is no column of the list.
    """
    if kind and kind not in KINDS:
        raise UsageError(f"kind must be one of {', '.join(KINDS)}")
    of_kind = " OR ".join(f"kind = '{it}'" for it in KINDS.get(kind, ()))
    sql = _TAGS.format(kind=f" AND ({of_kind})" if kind else "", order=TAGS.sql(sort))
    return listed(db, sql, limit, (page - 1) * PAGE)


def stack_list(
    db: sqlite3.Connection, part: str = "", page: int = 1, sort: str = "", limit: int = PAGE
) -> Listed:
    """One page of the stacks, each with its newest tag, what it has there, and how many tags.

    Raises:
        UsageError: ``sort`` is no column of the list.
    """
    return listed(
        db, _STACKS.format(order=STACKS.sql(sort)), limit, (page - 1) * PAGE, name_1=like(part)
    )


def described_tags(db: sqlite3.Connection) -> tuple[Row, ...]:
    """The tags that tell dependencies, newest first: tag and date."""
    return ask(db, "SELECT name AS tag, date FROM tags WHERE described > 0 ORDER BY position DESC")


def scope_names(db: sqlite3.Connection) -> dict[str, list[str]]:
    """What can be chosen beside a spec: tags (newest first), caches, stacks, targets, systems."""
    return {
        table.partition(" ")[0]: [
            name for (name,) in db.execute(f"SELECT name FROM {table} ORDER BY {order}")
        ]
        for table, order in (
            ("tags WHERE gone_since IS NULL", "position DESC"),
            ("caches", "name"),
            ("stacks", "name"),
            ("targets", "name"),
            ("operating_systems", "name"),
        )
    }
