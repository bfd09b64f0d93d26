"""The page of a stack: how it grew over tags, and what it has in one of them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from etl.browse.newest import newest_of
from etl.browse.shares import Shares, shares_of_stack
from etl.catalog.asking import Listed, NotHereError, Row, ask, known, like, listed
from etl.catalog.ordering import Ordering
from etl.catalog.sql_text import inline

PAGE = 200
"""Packages on one page of a list."""

_TAGS = """\
SELECT tags.name AS tag, tags.kind, tags.date, mirrors.binaries, mirrors.url, mirrors.sized,
    mirrors.size
FROM mirrors CROSS JOIN tags ON tags.id = mirrors.tag_id
WHERE mirrors.stack_id = (SELECT id FROM stacks WHERE name = :stack_1) AND mirrors.binaries > 0
ORDER BY tags.position DESC"""
_GONE = """\
SELECT tags.name AS tag, tags.date, mirrors.gone, mirrors.gone_since
FROM mirrors CROSS JOIN tags ON tags.id = mirrors.tag_id
WHERE mirrors.stack_id = (SELECT id FROM stacks WHERE name = :stack_1)
    AND (mirrors.gone > 0 OR mirrors.gone_since IS NOT NULL)
ORDER BY tags.position DESC"""
_COUNTED = """\
SELECT binaries.package_id, max(binaries.version_id) AS version_id, count(*) AS binaries{size}
FROM binaries{specs}
WHERE tag_id = (SELECT id FROM tags WHERE name = :tag_1)
    AND stack_set_id IN (
        SELECT stack_set_id FROM stack_set_members
        WHERE stack_id = (SELECT id FROM stacks WHERE name = :stack_1)
    )
GROUP BY binaries.package_id"""
# Where no source tells sizes, no spec has to be looked at.
_WITH_SIZE = {
    "size": ", sum(specs.size) AS size",
    "specs": " CROSS JOIN specs ON specs.id = binaries.spec_id",
}
_WITHOUT_SIZE = {"size": ", NULL AS size", "specs": ""}
_PACKAGES = f"""\
WITH here AS (
{_COUNTED}
)
SELECT packages.name AS package, versions.version AS newest_version, here.binaries, here.size
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
SELECT packages.name AS package, versions.version AS newest_version, here.binaries, here.size
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
        "size": "here.size",
    },
    "packages.name",
)
_STACKS = """
    SELECT name FROM stacks ORDER BY name
"""


@dataclass(frozen=True, slots=True)
class StackFacts:
    """What a stack's page says: its tags, and its packages in ``tag`` that ``other`` lacks.

    ``gone`` are its tags that have lost binaries, with how many, and since when all of it is gone.
    ``here`` is what it is in the tag, how large too, and ``shares`` what it is built for there.
    """

    stack: str
    tag: str | None
    tags: tuple[Row, ...]
    tags_sql: str
    here: Row | None
    shares: tuple[Shares, ...]
    others: tuple[str, ...]
    other: str | None
    packages: Listed
    gone: Listed


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
    tag = tag or newest_of(tags)
    if tag is not None and tag not in names:
        raise NotHereError(f"stack {name} in the tag", tag, tuple(names[:5]))
    here = next((row for row in tags if row["tag"] == tag), None)
    values = {"tag_1": tag, "stack_1": name, "name_1": like(part)}
    sized = _WITH_SIZE if here and here["sized"] else _WITHOUT_SIZE
    sql = _PACKAGES
    if other:
        sql, values = _NOT_THERE, {**values, "stack_2": other}
    return StackFacts(
        stack=name,
        tag=tag,
        tags=tags,
        tags_sql=inline(_TAGS, {"stack_1": name}),
        here=here,
        shares=shares_of_stack(db, name, tag) if tag else (),
        others=tuple(row["name"] for row in ask(db, _STACKS) if row["name"] != name),
        other=other,
        packages=listed(
            db, sql.format(order=ORDERING.sql(sort), **sized), limit, (page - 1) * PAGE, **values
        ),
        gone=listed(db, _GONE, 1_000, stack_1=name),
    )
