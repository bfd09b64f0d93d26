"""How many binaries a search finds, and how many have each value: all of them, not a sample."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from etl.catalog.asking import AT_ONCE
from etl.catalog.sql_text import Parameters
from etl.catalog.variant_text import split_variants
from etl.query.find import Finder
from etl.query.scope import Scope
from etl.query.search import Search
from etl.spack.tree import SpecQuery
from etl.workers import batched

MOST = 60_000
"""Binaries that are broken down by their values, as many as a tag has; more are only counted."""

_CACHES = "(SELECT tags.id, caches.name FROM tags JOIN caches ON caches.id = tags.cache_id)"
_COLUMNS = {
    "tag": ("tag_id", "tags", "name"),
    "package": ("package_id", "packages", "name"),
    "version": ("version_id", "versions", "version"),
    "compiler": ("compiler_id", "compilers", "name"),
    "os": ("os_id", "operating_systems", "name"),
    "platform": ("platform_id", "platforms", "name"),
    "target": ("target_id", "targets", "name"),
    "stacks": ("stack_set_id", "stack_sets", "stacks"),
    "variants": ("variant_set_id", "variant_sets", "variants"),
    "cache": ("tag_id", _CACHES, "name"),
}

# Of a spec in several tags, each stack that has it in any of them: it is found by each.
_ANY_STACKS = """\
WITH found AS MATERIALIZED (
SELECT DISTINCT specs.id AS spec, binaries.stack_set_id
{rows}
)
SELECT stacks.name, counted.specs FROM (
    SELECT stack_id, count(DISTINCT spec) AS specs
    FROM found CROSS JOIN stack_set_members USING (stack_set_id)
    GROUP BY stack_id
) AS counted
CROSS JOIN stacks ON stacks.id = counted.stack_id
ORDER BY counted.specs DESC, stacks.name"""

Counts = list[tuple[str, int]]
"""Values and how many binaries have each, the most first."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many binaries there are; ``values`` by column, empty where there are more than ``MOST``.

    Of ``stacks`` and ``variants`` a binary has several values; in all tags, where each spec counts
    once, its stacks are those of all of them.
    """

    total: int = 0
    values: dict[str, Counts] = field(default_factory=dict)

    def shared(self, column: str) -> list[str]:
        """The values that all binaries have."""
        return [value for value, count in self.values.get(column, ()) if count == self.total]


def tally(
    db: sqlite3.Connection,
    queries: Sequence[SpecQuery],
    scope: Scope,
    columns: Collection[str] = _COLUMNS,
) -> Tally:
    """Count what a search finds, and how many have each value in some columns.

    Raises:
        UnanswerableError: the catalog cannot answer a query as Spack would.
        UsageError: the scope names what is not there.
    """
    search, parameters = Search(db), Parameters()
    if scope.tag is None:  # in all tags there may be very many, and counting them costs little
        rows = search.counted(queries, scope, parameters)
        (total,) = db.execute(f"SELECT count(*)\n{rows.sql}", parameters.values).fetchone()
        if not total or total > MOST or not columns:
            return Tally(total)
        parameters = Parameters()
    rows = search.binaries(queries, scope, parameters)
    if not columns:
        return Tally(Finder(db).count(queries, scope))
    told = {name: _COLUMNS[name] for name in columns}
    keys = ", ".join(f"binaries.{key}" for key, _, _ in told.values())
    sql = f"SELECT {keys}\n{rows.sql}\nLIMIT {MOST + 1}"
    found = db.execute(sql, parameters.values).fetchall()
    if len(found) > MOST:
        return Tally(Finder(db).count(queries, scope))
    if not found:
        return Tally()
    all_ids = zip(*found, strict=True)
    values = {
        name: _named(db, name, table, text, Counter(ids))
        for (name, (_, table, text)), ids in zip(told.items(), all_ids, strict=True)
    }
    if scope.tag is None and "stacks" in told:
        parameters = Parameters()
        rows = search.binaries(queries, scope, parameters, newest=False)
        sql = _ANY_STACKS.format(rows=rows.sql)
        values["stacks"] = db.execute(sql, parameters.values).fetchall()
    return Tally(len(found), values)


def _named(db: sqlite3.Connection, name: str, table: str, text: str, by_id: Counter[int]) -> Counts:
    """The counts by name in the place of those by id."""
    counts: Counter[str] = Counter()
    for ids in batched(by_id, AT_ONCE):
        some = ", ".join(map(str, ids))
        for id_, value in db.execute(f"SELECT id, {text} FROM {table} WHERE id IN ({some})"):
            for part in _parts(name, value):
                counts[part] += by_id[id_]
    return sorted(counts.items(), key=lambda it: (-it[1], it[0]))


def _parts(column: str, text: str) -> Sequence[str]:
    if column == "variants":
        return split_variants(text)
    return text.split() if column == "stacks" else (text,)
