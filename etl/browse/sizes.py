"""How large binaries are: of a spec, and of all that it links to and runs with."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from etl.catalog.asking import Row, ask_one
from etl.catalog.sql_text import inline

# Externals are part of the system and have no binary.  They are left out of the sums, not of the
# rows: for a condition on all rows SQLite would first make a filter of the whole table.
_CLOSURE = """\
WITH RECURSIVE needed(id) AS (
    SELECT id FROM specs WHERE hash = :hash_1
    UNION
    SELECT dependencies.child_id FROM needed
    JOIN dependencies ON dependencies.parent_id = needed.id AND dependencies.linked = 1
)
SELECT count(*) FILTER (WHERE specs.external IS NULL) AS needed,
    count(specs.size) FILTER (WHERE specs.external IS NULL) AS sized,
    sum(specs.size) FILTER (WHERE specs.external IS NULL) AS size
FROM needed CROSS JOIN specs ON specs.id = needed.id"""


@dataclass(frozen=True, slots=True)
class ClosureSize:
    """What has to be downloaded for a spec: it and all it links to and runs with.

    ``size`` are the bytes of the ``sized`` of the ``needed`` specs whose size is known, None
    without any.
    """

    needed: int
    sized: int
    size: int | None
    rows: tuple[Row, ...]
    sql: str


def closure_size(db: sqlite3.Connection, hash_: str) -> ClosureSize:
    """The size of a spec with all it needs to run."""
    row = ask_one(db, _CLOSURE, hash_1=hash_)
    assert row is not None
    sql = inline(_CLOSURE, {"hash_1": hash_})
    return ClosureSize(row["needed"], row["sized"], row["size"], (row,), sql)
