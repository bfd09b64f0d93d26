"""What binaries were built for from tag to tag: counted once, when the catalog is built."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from etl.catalog.asking import Row, ask
from etl.catalog.sql_text import inline

KINDS = {"os": "Operating systems", "target": "Targets"}

_COUNTS = """\
SELECT machine_list.tag, machine_list.kind, machine_list.date, machine_list.{column},
    sum(machine_list.binaries) AS binaries
FROM machine_list JOIN tags ON tags.name = machine_list.tag
GROUP BY tags.position, machine_list.{column}
ORDER BY tags.position, binaries DESC, machine_list.{column}"""


@dataclass(frozen=True, slots=True)
class MachineHistory:
    """How many binaries each tag has for each value of ``column``, the oldest tag first."""

    column: str
    rows: tuple[Row, ...]
    sql: str


def machine_history(db: sqlite3.Connection) -> tuple[MachineHistory, ...]:
    """The binaries of all tags by operating system, and by target."""
    return tuple(
        MachineHistory(column, ask(db, sql), inline(sql, {}))
        for column in KINDS
        for sql in (_COUNTS.format(column=column),)
    )
