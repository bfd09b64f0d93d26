"""What the binaries of a tag are built for: their operating systems, targets and compilers."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from etl.catalog.asking import Row, ask
from etl.catalog.sql_text import Value, inline

KINDS = (
    ("os", "operating_systems", "os_id"),
    ("target", "targets", "target_id"),
    ("compiler", "compilers", "compiler_id"),
)


@dataclass(frozen=True, slots=True)
class Shares:
    """How many binaries there are of each value of ``kind``, the most first."""

    kind: str
    parts: tuple[Row, ...]
    total: int
    sql: str


def shares_of_tag(db: sqlite3.Connection, tag: str) -> tuple[Shares, ...]:
    """The shares of a whole tag: counted in its indexes, without looking at a binary."""
    return tuple(
        _shares(
            db,
            kind,
            f"""SELECT {table}.name AS {kind}, counted.binaries
FROM (
    SELECT {column}, count(*) AS binaries FROM binaries
    WHERE tag_id = (SELECT id FROM tags WHERE name = :tag_1)
    GROUP BY {column}
) AS counted
CROSS JOIN {table} ON {table}.id = counted.{column}
ORDER BY counted.binaries DESC, {table}.name""",
            tag,
        )
        for kind, table, column in KINDS
    )


def shares_of_stack(db: sqlite3.Connection, stack: str, tag: str) -> tuple[Shares, ...]:
    """The shares of what a stack has in a tag."""
    return tuple(
        _shares(
            db,
            kind,
            f"""SELECT {table}.name AS {kind}, counted.binaries
FROM (
    SELECT {column}, count(*) AS binaries FROM binaries
    WHERE tag_id = (SELECT id FROM tags WHERE name = :tag_1)
        AND stack_set_id IN (
            SELECT stack_set_id FROM stack_set_members
            WHERE stack_id = (SELECT id FROM stacks WHERE name = :stack_1)
        )
    GROUP BY {column}
) AS counted
CROSS JOIN {table} ON {table}.id = counted.{column}
ORDER BY counted.binaries DESC, {table}.name""",
            tag,
            stack,
        )
        for kind, table, column in KINDS
    )


def _shares(
    db: sqlite3.Connection, kind: str, sql: str, tag: str, stack: str | None = None
) -> Shares:
    values: dict[str, Value] = {"tag_1": tag}
    if stack:
        values["stack_1"] = stack
    parts = ask(db, sql, **values)
    total = sum(part["binaries"] for part in parts)
    return Shares(kind, parts, total, inline(sql, values))
