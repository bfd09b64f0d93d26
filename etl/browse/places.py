"""Every page that is worth finding from elsewhere: of each package, each tag and each stack."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from etl.catalog.asking import ask

# Tags are numbered in time.  Most packages and stacks are in one of the last few.
_PLACES = (
    (
        "package",
        """
        SELECT name, (
            SELECT tags.date FROM package_tags
            CROSS JOIN tags ON tags.id = package_tags.tag_id
            WHERE package_tags.package_id = packages.id AND tags.date IS NOT NULL
            ORDER BY package_tags.tag_id DESC LIMIT 1
        ) AS changed
        FROM packages WHERE binaries > 0 ORDER BY name
        """,
    ),
    ("tag", "SELECT name, date AS changed FROM tags WHERE binaries > 0 ORDER BY position DESC"),
    (
        "stack",
        """
        SELECT stacks.name, max(tags.date) AS changed
        FROM mirrors
        CROSS JOIN stacks ON stacks.id = mirrors.stack_id
        CROSS JOIN tags ON tags.id = mirrors.tag_id
        WHERE mirrors.binaries > 0
        GROUP BY stacks.name ORDER BY stacks.name
        """,
    ),
)
_NEWEST = "SELECT max(date) AS changed FROM tags WHERE binaries > 0"


@dataclass(frozen=True, slots=True)
class Place:
    """A page by the parts of its path, and the day it last changed, where that is known."""

    path: tuple[str, ...]
    changed: str | None


def places(db: sqlite3.Connection) -> tuple[Place, ...]:
    """The home page, the lists, then each package, tag and stack that has binaries."""
    newest = ask(db, _NEWEST)[0]["changed"]
    lists = [Place((name,), newest) for name in ("", "packages", "tags", "stacks")]
    named = [
        Place((kind, row["name"]), row["changed"]) for kind, sql in _PLACES for row in ask(db, sql)
    ]
    return (*lists, *named)
