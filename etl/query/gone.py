"""What was there: binaries that are gone from their build cache and would be an answer."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from etl.catalog.asking import Row
from etl.catalog.sql_text import Parameters
from etl.query.scope import Scope, of_specs, sets_with, stacks_of, tags_of
from etl.query.search import Search
from etl.spack.tree import SpecQuery
from etl.text import counted, printable

MAX_GONE = 1_000
"""Binaries that are counted; of more it is said that there are more."""

_NAMES = ("tag", "package", "version", "hash", "last_seen", "gone_since", "still_in")

_FOUND = """\
WITH found AS MATERIALIZED (
SELECT specs.id AS id
{specs}
)
SELECT tags.name, packages.name, versions.version, specs.hash, gone_binaries.last_seen,
    gone_binaries.gone_since, CASE WHEN specs.tags > 0 THEN others.name END
FROM found
CROSS JOIN gone_binaries ON gone_binaries.spec_id = found.id
CROSS JOIN tags ON tags.id = gone_binaries.tag_id
CROSS JOIN specs ON specs.id = found.id
CROSS JOIN packages ON packages.id = specs.package_id
CROSS JOIN versions ON versions.id = specs.version_id
LEFT JOIN tags AS others ON others.id = specs.last_tag_id{where}
ORDER BY gone_binaries.gone_since DESC, tags.position DESC, packages.name, versions.id DESC,
    specs.hash
LIMIT {limit}"""


@dataclass(frozen=True, slots=True)
class Gone:
    """The binaries that went last, and how many there are in all, ``more`` than can be counted."""

    rows: tuple[Row, ...]
    total: int
    more: bool

    def in_words(self) -> tuple[str, ...]:
        """A line on how many are gone, and one on each of the first."""
        more = "more than " if self.more else ""
        are = "is" if self.total == 1 else "are"
        lines = [f"{more}{counted(self.total, 'binary', 'binaries')} that satisfied it {are} gone:"]
        for row in self.rows:
            same = f"; the same spec is in {row['still_in']}" if row["still_in"] else ""
            what = f"{row['package']}@{row['version']} /{row['hash'][:7]}"
            line = f"  {what} is gone from {row['tag']} since {row['gone_since']}{same}"
            lines.append(printable(line))
        if self.total > len(self.rows):
            lines.append(f"  and {more}{self.total - len(self.rows):,} more")
        return tuple(lines)


def gone_matches(
    db: sqlite3.Connection, queries: Sequence[SpecQuery], scope: Scope, most: int = 5
) -> Gone:
    """What is gone and satisfies one of the queries, in the tag, cache and stacks of the scope.

    Raises:
        UnanswerableError: the catalog cannot answer a query as Spack would.
        UsageError: the scope names what is not there.
    """
    if db.execute("SELECT NOT EXISTS (SELECT 1 FROM gone_binaries)").fetchone()[0]:
        return Gone((), 0, False)
    parameters = Parameters()
    specs = Search(db).known(queries, scope, parameters).that(of_specs(scope, parameters.add))
    conditions = []
    if scope.tag:
        place = parameters.add("tag", scope.tag)
        conditions.append(f"gone_binaries.tag_id = (SELECT id FROM tags WHERE name = {place})")
    if scope.cache:
        conditions.append(f"gone_binaries.tag_id IN {tags_of(scope.cache, parameters.add)}")
    conditions += [
        f"gone_binaries.stack_set_id IN {sets_with(stack, parameters.add)}"
        for stack in stacks_of(scope)
    ]
    where = "\nWHERE " + " AND ".join(conditions) if conditions else ""
    sql = _FOUND.format(specs=specs.sql, where=where, limit=MAX_GONE + 1)
    found = db.execute(sql, parameters.values).fetchall()
    rows = tuple(dict(zip(_NAMES, row, strict=True)) for row in found[:most])
    return Gone(rows, min(len(found), MAX_GONE), len(found) > MAX_GONE)
