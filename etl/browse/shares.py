"""What the binaries of a tag are built for: their operating systems, targets and compilers."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from etl.catalog.asking import Row, ask
from etl.catalog.sql_text import inline

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


def _shares(db: sqlite3.Connection, kind: str, sql: str, tag: str) -> Shares:
    parts = ask(db, sql, tag_1=tag)
    total = sum(part["binaries"] for part in parts)
    return Shares(kind, parts, total, inline(sql, {"tag_1": tag}))
