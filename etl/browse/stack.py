"""The page of a stack: how it grew over tags, and what it has in one of them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from etl.catalog.asking import Listed, NotHereError, Row, ask, known, like, listed
from etl.catalog.ordering import Ordering
from etl.catalog.sql_text import inline

PAGE = 200
"""Packages on one page of a list."""

_TAGS = """\
SELECT tags.name AS tag, tags.kind, tags.date, mirrors.binaries, mirrors.url
FROM mirrors CROSS JOIN tags ON tags.id = mirrors.tag_id
WHERE mirrors.stack_id = (SELECT id FROM stacks WHERE name = :stack_1) AND mirrors.binaries > 0
ORDER BY tags.position DESC"""
_COUNTED = """\
SELECT package_id, max(version_id) AS version_id, count(*) AS binaries
FROM binaries
WHERE tag_id = (SELECT id FROM tags WHERE name = :tag_1)
    AND stack_set_id IN (
        SELECT stack_set_id FROM stack_set_members
        WHERE stack_id = (SELECT id FROM stacks WHERE name = :stack_1)
    )
GROUP BY package_id"""
_PACKAGES = f"""\
WITH here AS (
{_COUNTED}
)
SELECT packages.name AS package, versions.version AS newest_version, here.binaries
FROM here
CROSS JOIN packages ON packages.id = here.package_id
CROSS JOIN versions ON versions.id = here.version_id
WHERE packages.name LIKE :name_1 ESCAPE '\\'
ORDER BY {{order}}"""
_NOT_THERE = f"""\
WITH here AS (
{_COUNTED}
), there AS (
{_COUNTED.replace(":stack_1", ":stack_2")}
)
SELECT packages.name AS package, versions.version AS newest_version, here.binaries
FROM here
CROSS JOIN packages ON packages.id = here.package_id
CROSS JOIN versions ON versions.id = here.version_id
WHERE here.package_id NOT IN (SELECT package_id FROM there)
    AND packages.name LIKE :name_1 ESCAPE '\\'
ORDER BY {{order}}"""
ORDERING = Ordering(
    {
        "package": "packages.name",
        "newest_version": "versions.sort_key",
        "binaries": "here.binaries",
    },
    "packages.name",
)
_STACKS = """
    SELECT name FROM stacks ORDER BY name
"""


@dataclass(frozen=True, slots=True)
class StackFacts:
    """What a stack's page says: its tags, and its packages in ``tag`` that ``other`` lacks."""

    stack: str
    tag: str | None
    tags: tuple[Row, ...]
    tags_sql: str
    others: tuple[str, ...]
    other: str | None
    packages: Listed


def stack_facts(
    db: sqlite3.Connection,
    name: str,
    tag: str | None = None,
    other: str | None = None,
    part: str = "",
    page: int = 1,
    sort: str = "",
    limit: int = PAGE,
) -> StackFacts:
    """The facts of a stack, with one page of its packages, those that have ``part`` in their name.

    ``tag`` is the newest that has the stack if none is given; with ``other``, only packages are
    listed that this other stack does not have in the tag.

    Raises:
        NotHereError: there is no such stack, no such other one, or the tag does not have it.
        UsageError: ``sort`` is no column of the packages.
    """
    known(db, "stacks", "stack", name)
    if other:
        known(db, "stacks", "stack", other)
    tags = ask(db, _TAGS, stack_1=name)
    names = [row["tag"] for row in tags]
    tag = tag or (names[0] if names else None)
    if tag is not None and tag not in names:
        raise NotHereError(f"stack {name} in the tag", tag, tuple(names[:5]))
    values = {"tag_1": tag, "stack_1": name, "name_1": like(part)}
    sql = _PACKAGES
    if other:
        sql, values = _NOT_THERE, {**values, "stack_2": other}
    return StackFacts(
        stack=name,
        tag=tag,
        tags=tags,
        tags_sql=inline(_TAGS, {"stack_1": name}),
        others=tuple(row["name"] for row in ask(db, _STACKS) if row["name"] != name),
        other=other,
        packages=listed(
            db, sql.format(order=ORDERING.sql(sort)), limit, (page - 1) * PAGE, **values
        ),
    )
