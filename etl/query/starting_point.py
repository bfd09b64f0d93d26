"""Where SQLite begins a search: at the condition that leaves the fewest rows.

SQLite knows how many rows an index has for a value on average, and cannot know that
``build_system=python_pip`` is a third of all specs and ``build_system=octave`` five of them.  So
each condition is tried first, on its index alone and only up to a limit.  If all leave many rows,
the search goes through all of them in the order of the result, and stops when it has enough; or, if
all are wanted and in no order, as they lie in the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from etl.catalog.indexes import OF_FEW_VALUES, index_name
from etl.catalog.sql_text import Parameters, all_of
from etl.query.conditions import Condition

MANY = 50_000
"""More rows than these are not looked up one by one."""

FEW = 2_000
"""Up to so many rows, each can be looked into on its own."""

SAMPLE = 200
"""Specs that are looked at to learn how many meet a condition on the graph."""

ROUGH_SAMPLE = 50
"""Specs that are enough to learn whether a few or very many meet it."""

EDGES_DOWN = 50
"""To go down from one spec takes about as long as to go up so many edges."""

_OF_SPECS = {
    "hash": "hash",
    "package_id": "package_id, version_id",
    "version_id": "version_id",
    "os_id": "os_id",
    "platform_id": "platform_id",
    "target_id": "target_id",
    "compiler_id": "compiler_id",
    "variant_set_id": "variant_set_id",
    "need_id": "need_id, need_set, fault, last_tag_id",
}
"""The index of ``specs`` for each column that conditions are on."""

_OF_A_TAG = {
    "package_id": "tag_id, package_id",
    "version_id": "tag_id, version_id, stack_set_id",
    "variant_set_id": "tag_id, variant_set_id",
    **{column: columns for column, columns in OF_FEW_VALUES.items() if column in _OF_SPECS},
}
"""The index of ``binaries`` within each tag for each column that conditions are on."""

_OF_HOSTS = index_name("specs", _OF_SPECS["need_id"])

Table = Literal["specs", "binaries"]

_IN_ORDER: dict[Table, str] = {"specs": "package_id, version_id", "binaries": "tag_id, package_id"}
"""The indexes in the order of a result."""

Write = Callable[[Parameters, Table], list[Condition]]
"""Gives the conditions of a search; their facts are looked up in the table."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin: a table, and what SQL says after its name for the way into it.

    ``narrow`` are the positions of the conditions that are to look into each row as it comes up.
    """

    table: Table
    entry: str
    narrow: frozenset[int] = frozenset()

    @property
    def by_id(self) -> bool:
        """Whether rows are found by their ids.

        Everywhere else a ``+`` before an id keeps SQLite from looking up each id in each index
        entry.
        """
        return self.entry == "NOT INDEXED"


BY_ID = Start("specs", "NOT INDEXED")


@dataclass(frozen=True, slots=True)
class _Way:
    """A way to rows: of the condition at ``position``, which ``test`` says in SQL."""

    table: Table
    index: str
    position: int
    test: str


def best_start(db: sqlite3.Connection, write: Write, tag: str | None, limit: int | None) -> Start:
    """Where to begin in a tag, or among all specs, to find ``limit`` rows; or all, in any order."""
    tag_id = None
    parameters = Parameters()
    conditions = write(parameters, "specs" if tag is None else "binaries")
    everything = frozenset(range(len(conditions)))
    edges = _last(db, "dependencies")
    few = _few(edges)
    if tag is not None:
        sql = "SELECT id, binaries FROM tags WHERE name = ?"
        tag_id, size = db.execute(sql, (tag,)).fetchone()
        if size <= few:
            return _in_order("binaries", everything)
        most = min(size // 4 + 1, MANY)
    else:
        size = _last(db, "specs")
        most = max(size // 4, MANY) if limit is None else MANY
    best, rows = None, most
    # Most specs that a host can use are of no use here: that is tried last.
    for way in sorted(_ways(conditions, tag_id), key=lambda it: it.index == _OF_HOSTS):
        found = _count(db, way, parameters, rows)
        if found < rows:
            best, rows = way, found
        if found <= few:
            break
    if best and rows <= few:
        return Start(best.table, f"INDEXED BY {best.index}", everything - {best.position})
    narrow = _met_by_most(db, write, limit, few) if limit else frozenset()
    if not narrow:
        narrow = _gathered_too_long(db, write, rows if best else size, edges)
        if best:
            return Start(best.table, f"INDEXED BY {best.index}", narrow)
    if tag_id is not None:
        return _in_order("binaries", narrow)
    if any(condition.column == "id" for condition in conditions) and not narrow:
        return BY_ID
    return _in_order("specs", narrow) if limit else _in_no_order(conditions, narrow)


def _in_order(table: Table, narrow: frozenset[int]) -> Start:
    """All rows, in the order of the result."""
    return Start(table, f"INDEXED BY {index_name(table, _IN_ORDER[table])}", narrow)


def _in_no_order(conditions: Sequence[Condition], narrow: frozenset[int]) -> Start:
    """All specs, as they lie in the file; or in an index that tells all that is asked."""
    if all(condition.column == "need_id" for condition in conditions):
        return Start("specs", f"INDEXED BY {_OF_HOSTS}")
    return Start("specs", "NOT INDEXED", narrow)


def _few(edges: int) -> int:
    """How many rows can each be looked into on their own, before it costs more than all at once."""
    return min(max(edges // EDGES_DOWN, 100), FEW)


def _last(db: sqlite3.Connection, table: str) -> int:
    """The last id of a table: about how many rows it has."""
    (last,) = db.execute(f"SELECT ifnull(max(id), 0) FROM {table}").fetchone()
    return int(last)


def _ways(conditions: Sequence[Condition], tag_id: int | None) -> Iterator[_Way]:
    """All ways by an index; in a tag, by those within the tag where there are."""
    for position, condition in enumerate(conditions):
        column = condition.column or ""
        if tag_id is not None and column in _OF_A_TAG:
            index = index_name("binaries", _OF_A_TAG[column])
            test = f"binaries.tag_id = {tag_id}\nAND {condition.write(False)}"
            yield _Way("binaries", index, position, test)
        elif column in _OF_SPECS:
            index = index_name("specs", _OF_SPECS[column])
            yield _Way("specs", index, position, condition.write(False))


def _count(db: sqlite3.Connection, way: _Way, parameters: Parameters, most: int) -> int:
    """How many rows there are that way, as far as that is less than ``most``."""
    rows = f"SELECT 1 FROM {way.table} INDEXED BY {way.index} WHERE {way.test} LIMIT {most}"
    (count,) = db.execute(f"SELECT count(*) FROM ({rows})", parameters.values).fetchone()
    return int(count)


def _met_by_most(db: sqlite3.Connection, write: Write, limit: int, few: int) -> frozenset[int]:
    """The positions of conditions on the graph that so many rows meet that a few will do.

    To find ``limit`` rows it is then enough to go through all in order and look into each as it
    comes up, where going up from what is asked for would meet nearly all specs.
    """
    parameters = Parameters()
    conditions = write(parameters, "specs")
    deep = [position for position, condition in enumerate(conditions) if condition.deep]
    if not deep or limit > MANY:
        return frozenset()
    shallow = [condition.write(True) for condition in conditions if not condition.deep]
    written = [conditions[position].write(True) for position in deep]
    both = [all_of(written)] if len(written) > 1 else []  # one alone is met by those that meet all
    tests = [*written, *both]
    sampled, looked_at, numbers = _sampled(db, SAMPLE, tests, shallow, parameters)
    if limit * sampled > MANY * numbers[-1]:
        return frozenset()
    return frozenset(
        position
        for position, number in zip(deep, numbers, strict=False)
        if limit * looked_at <= few * number
    )


def _gathered_too_long(
    db: sqlite3.Connection, write: Write, rows: int, edges: int
) -> frozenset[int]:
    """The positions of conditions on the graph that are better asked of each of ``rows``.

    So many specs meet them that it takes longer to find them all, up the edges of the graph.
    """
    parameters = Parameters()
    conditions = write(parameters, "specs")
    deep = [position for position, condition in enumerate(conditions) if condition.gathers]
    if not deep or rows * EDGES_DOWN >= edges:
        return frozenset()
    written = [conditions[position].write(True) for position in deep]
    _, looked_at, numbers = _sampled(db, ROUGH_SAMPLE, written, [], parameters)
    return frozenset(
        position
        for position, number in zip(deep, numbers, strict=True)
        if rows * EDGES_DOWN * looked_at < edges * number
    )


def _sampled(
    db: sqlite3.Connection,
    size: int,
    tests: Sequence[str],
    others: Sequence[str],
    parameters: Parameters,
) -> tuple[int, int, list[float]]:
    """How many specs a sample has, how many of them pass other tests, and of these each test."""
    last = _last(db, "specs")
    sample = range(1, last + 1, last * len(tests) // size + 1)
    ids = f"specs.id IN ({', '.join(map(str, sample))})"
    met = ", ".join(f"total({test})" for test in tests)
    sql = f"SELECT count(*), {met} FROM specs WHERE {all_of([ids, *others])}"
    looked_at, *numbers = db.execute(sql, parameters.values).fetchone()
    return len(sample), looked_at, numbers
