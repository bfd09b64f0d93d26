"""A spec query becomes one SQL statement over the catalog: exactly what Spack says satisfies it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from etl.catalog.ordering import Ordering
from etl.catalog.sql_text import Parameters, Value, block, inline
from etl.hosts.host import Reason
from etl.query.scope import Scope
from etl.query.search import Search
from etl.query.taken import NEWEST_INCOMPLETE, Taken
from etl.query.unanswerable import UnanswerableError
from etl.spack.tree import SpecQuery

__all__ = ["COLUMNS", "MAX_ROWS", "Finder", "Scope", "Statement", "UnanswerableError"]

ALL = 1_000_000_000
"""More rows than any catalog has."""

MAX_ROWS = 1000
"""How many binaries one search gives at most, unless more are asked for."""

COLUMNS = (
    "tag", "package", "version", "hash", "compiler", "os", "platform", "target",
    "variants", "stacks", "size", "published", "cache",
)  # fmt: skip
"""The columns of a result, as in the view ``binary_list``."""

# CROSS keeps SQLite from beginning with products of the small tables.
NAMES = """\
SELECT tags.name AS tag, packages.name AS package, versions.version, specs.hash,
    compilers.name AS compiler, operating_systems.name AS os, platforms.name AS platform,
    targets.name AS target, variant_sets.variants, stack_sets.stacks, specs.size,
    binaries.published, caches.name AS cache
FROM found
CROSS JOIN binaries ON binaries.id = found.id
CROSS JOIN specs ON specs.id = binaries.spec_id
CROSS JOIN tags ON tags.id = binaries.tag_id
CROSS JOIN packages ON packages.id = binaries.package_id
CROSS JOIN versions ON versions.id = binaries.version_id
CROSS JOIN compilers ON compilers.id = binaries.compiler_id
CROSS JOIN operating_systems ON operating_systems.id = binaries.os_id
CROSS JOIN platforms ON platforms.id = binaries.platform_id
CROSS JOIN targets ON targets.id = binaries.target_id
CROSS JOIN variant_sets ON variant_sets.id = specs.variant_set_id
CROSS JOIN stack_sets ON stack_sets.id = binaries.stack_set_id
LEFT JOIN caches ON caches.id = tags.cache_id"""
"""The columns of binaries of which a table ``found`` has the ids, in the order of that table."""

ORDERING = Ordering(
    {
        "tag": "tags.position",
        "package": "packages.name",
        "version": "versions.sort_key",
        "compiler": "compilers.compiler || ' ' || ifnull(compilers.sort_key, '')",
        "os": "operating_systems.name",
        "platform": "platforms.name",
        "target": "targets.name",
        "variants": "variant_sets.variants",
        "stacks": "stack_sets.stacks",
        "size": "specs.size",
        "published": "binaries.published",
        "cache": "caches.name",
        "hash": "specs.hash",
    },
    "packages.name, binaries.version_id DESC, binaries.spec_id DESC",
)
"""What binaries are sorted by; where nothing is asked, by package and the newest versions first."""

_NEWEST_TAGS_FIRST = (
    "packages.name, binaries.tag_id DESC, binaries.version_id DESC, binaries.spec_id DESC"
)


_ASKS = "specs.fault, specs.need_id, specs.need_set"
_GROUPED = """\
SELECT fault, need_id, need_set, count(*), total(is_incomplete), NULL FROM asking GROUP BY 2, 3, 1
UNION ALL
SELECT * FROM (
    SELECT NULL, NULL, NULL, NULL, tag, spec FROM asking WHERE is_one ORDER BY spec LIMIT {most}
)"""
_PLACES = """
    SELECT specs.hash, tags.name FROM json_each(:places) AS asked
    CROSS JOIN specs ON specs.id = asked.value ->> 0
    CROSS JOIN tags ON tags.id = asked.value ->> 1
    ORDER BY asked.key
"""


class Asks(NamedTuple):
    """What a binary asks of a host, as :meth:`etl.query.reuse.Reuse.takes` reads it."""

    fault: Reason | None
    need_id: int | None
    need_set: int | None
    is_incomplete: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and its values; ``text`` is it with the values written in."""

    sql: str
    values: dict[str, Value]

    @property
    def text(self) -> str:
        """The statement as it runs in any SQLite, with nothing to fill in."""
        return inline(self.sql, self.values)


class Finder:
    """Finds the binaries of a catalog that satisfy a spec.

    Its methods raise an :class:`UnanswerableError` for a query that the catalog cannot answer as
    Spack would, and a :class:`~etl.errors.UsageError` for a scope that names what is not there.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._search = Search(db)

    def rows(self, statement: Statement) -> list[tuple[Value, ...]]:
        """What a statement gives."""
        return self._db.execute(statement.sql, statement.values).fetchall()

    def binaries(
        self,
        queries: Sequence[SpecQuery],
        scope: Scope,
        limit: int = MAX_ROWS,
        offset: int = 0,
        sort: str = "",
    ) -> Statement:
        """The statement that lists the binaries by package, newest versions first.

        In all tags, each spec is listed once, with the newest tag that has it, and of a package
        those of the newest tags come first.  ``sort`` is a column of :data:`ORDERING`.

        Raises:
            UsageError: the list has no such column.
        """
        parameters = Parameters()
        bounds = f"LIMIT {limit}" + (f" OFFSET {offset}" if offset else "")
        if sort:  # all of them have to be looked at
            rows = self._search.binaries(queries, scope, parameters)
            found = f"SELECT binaries.id\n{rows.sql}"
            last = f"ORDER BY {ORDERING.sql(sort)}\n{bounds}"
        else:
            rows = self._search.binaries(queries, scope, parameters, offset + limit)
            found = f"SELECT binaries.id\n{rows.sql}\nORDER BY {rows.order}\n{bounds}"
            last = f"ORDER BY {ORDERING.sql() if scope.tag else _NEWEST_TAGS_FIRST}"
        return Statement(f"{block('WITH found AS (', found)}\n{NAMES}\n{last}", parameters.values)

    def count(self, queries: Sequence[SpecQuery], scope: Scope, most: int = ALL) -> int:
        """How many binaries there are; ``most`` if there are more."""
        parameters = Parameters()
        if most == ALL:
            rows = self._search.counted(queries, scope, parameters)
        else:
            rows = self._search.binaries(queries, scope, parameters, most)
        sql = f"SELECT count(*) FROM (SELECT 1 {rows.sql} LIMIT {most})"
        (count,) = self._db.execute(sql, parameters.values).fetchone()
        return int(count)

    def asked_of_hosts(
        self, queries: Sequence[SpecQuery], scope: Scope, some: Taken, most: int
    ) -> tuple[dict[Asks, int], list[tuple[int, int]]]:
        """What the binaries ask of a host, and how many ask it; their sum is that of all.

        Besides, the ids of specs and tags of the first that are in ``some``, at most so many.
        """
        parameters = Parameters()
        rows = self._search.counted(queries, replace(scope, taken=None), parameters)
        if rows.of_specs:  # all there are, of which an index tells: twice costs less than a copy
            asking = f"SELECT {_ASKS}, count(*), total({NEWEST_INCOMPLETE})"
            sql = f"{asking}\n{rows.sql}\nGROUP BY 2, 3, 1"
            found = self._db.execute(sql, parameters.values).fetchall()
            ones = rows.that([some.of_spec, some.of_newest]).sql
            sql = f"SELECT specs.id, specs.last_tag_id\n{ones}\nLIMIT {most}"
            places = [(spec, tag) for spec, tag in self._db.execute(sql, parameters.values)]
            return _numbers(found), places
        asking = f"SELECT {_ASKS}, binaries.complete IS 0 AS is_incomplete, specs.id AS spec,"
        asking += f"\n    binaries.tag_id AS tag, {some.of_spec} AND {some.of_binary} AS is_one"
        sql = block("WITH asking AS MATERIALIZED (", f"{asking}\n{rows.sql}")
        sql += f"\n{_GROUPED.format(most=most)}"
        found = self._db.execute(sql, parameters.values).fetchall()
        places = [(spec, tag) for *_, tag, spec in found if spec is not None]
        return _numbers(row[:-1] for row in found if row[-1] is None), places

    def places(self, ids: Sequence[tuple[int, int]]) -> list[tuple[str, str]]:
        """The hashes and tags of these ids of specs and tags."""
        found = self._db.execute(_PLACES, {"places": json.dumps(ids)})
        return [(hash_, tag) for hash_, tag in found]

    def caches(self, most: int) -> list[str]:
        """The named caches of the catalog, at most so many, by name."""
        names = "SELECT name FROM caches ORDER BY name LIMIT ?"
        return [name for (name,) in self._db.execute(names, (most,))]

    def newest_tag(self, queries: Sequence[SpecQuery], scope: Scope) -> str | None:
        """The newest tag that has a binary for any of the queries; None if none has."""
        # Most often it is the newest of all, and looking there first costs little.
        newest = (
            "SELECT name FROM tags WHERE binaries > 0 AND (:cache IS NULL OR cache_id ="
            " (SELECT id FROM caches WHERE name = :cache))"
            " ORDER BY date IS NULL, id DESC LIMIT 1"  # as that of all pages
        )
        for (tag,) in self._db.execute(newest, {"cache": scope.cache}).fetchall():
            with suppress(UnanswerableError):  # about this tag; an older one may tell more
                if self.count(queries, replace(scope, tag=tag), 1):
                    return str(tag)
        parameters, in_all = Parameters(), replace(scope, tag=None)
        rows = self._search.counted(queries, in_all, parameters)
        all_tags = f"SELECT DISTINCT {rows.tag}\n{rows.sql}"
        if scope.taken:  # an older binary of the same spec may be one, where the newest is none
            older = self._search.older(queries, in_all, scope.taken, parameters)
            all_tags += f"\nUNION\nSELECT binaries.tag_id\n{older.sql}"
        sql = block("SELECT id, name, date FROM tags WHERE id IN (", all_tags)
        sql += "\nORDER BY date IS NULL, id DESC"
        found = self._db.execute(sql, parameters.values).fetchall()
        if not found:
            return None
        id_, tag, date = found[0]
        if found[-1][2]:  # all have one
            return str(tag)
        return self._dated(queries, in_all, id_ if date else 0) or str(tag)

    def _dated(self, queries: Sequence[SpecQuery], in_all: Scope, after: int) -> str | None:
        """The newest tag with a date that has a binary for any of the queries, ``after`` another.

        In all tags a spec is found once, in its newest, which may be one without a date.
        """
        parameters = Parameters()
        rows = self._search.binaries(queries, in_all, parameters, newest=False)
        later = rows.that([f"binaries.tag_id > {after}"])
        sql = block("SELECT name FROM tags WHERE id IN (", f"SELECT {later.tag}\n{later.sql}")
        sql += "\nAND date IS NOT NULL ORDER BY id DESC LIMIT 1"
        found = self._db.execute(sql, parameters.values).fetchone()
        return str(found[0]) if found else None

    def specs(self, queries: Sequence[SpecQuery]) -> Statement:
        """The statement that lists the hashes of all specs, binaries or not."""
        parameters = Parameters()
        rows = self._search.specs(queries, parameters)
        return Statement(f"SELECT specs.hash\n{rows.sql}", parameters.values)


def _numbers(groups: Iterable[Sequence[Any]]) -> dict[Asks, int]:
    """How many ask each: of those that ask the same of a host some may be incomplete."""
    numbers = {}
    for fault, need_id, need_set, number, incomplete in groups:
        for is_incomplete, some in ((0, number - int(incomplete)), (1, int(incomplete))):
            if some:
                numbers[Asks(fault, need_id, need_set, is_incomplete)] = some
    return numbers
