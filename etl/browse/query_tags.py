"""What changed for a spec query from tag to tag: binaries added, rebuilt and removed.

A tag is held against the one before it of its kind and cache, as pages on what changed do.  What
has gone from a tag since then still counts: what a tag changed does not change when it is pruned.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from heapq import nsmallest

from etl.catalog.asking import Row, ask, rows_about
from etl.catalog.sql_text import Parameters, all_of
from etl.memory import no_garbage_collection
from etl.query.scope import Scope, lacking, sets_with
from etl.query.search import Search
from etl.query.unanswerable import UnanswerableError
from etl.spack.tree import SpecQuery

MAX_TAGS = 12
"""The newest tags are compared with those before them, at most so many."""

MAX_SPECS = 30
"""Specs named in one list; of more than these only the number is told."""

_TAGS = """
    SELECT id, name, kind, date, cache_id, binaries, described, gone FROM tags
    WHERE date IS NOT NULL AND binaries + gone > 0
        AND (:cache_1 IS NULL OR cache_id = (SELECT id FROM caches WHERE name = :cache_1))
        AND (:stack_1 IS NULL OR id IN (
            SELECT tag_id FROM mirrors
            WHERE stack_id = (SELECT id FROM stacks WHERE name = :stack_1) AND binaries + gone > 0
        ))
    ORDER BY position DESC
"""
# One question for all tags: to find what satisfies a query may take long.  By the plus, SQLite goes
# through the few tags of a spec, and does not look for each of the tags.
_IN_TAGS = """\
WITH found AS MATERIALIZED (
SELECT specs.id AS id
{found}
)
SELECT {table}.tag_id, {table}.spec_id
FROM found CROSS JOIN {table} ON {table}.spec_id = found.id{specs}
WHERE """
_SPECS = "\nCROSS JOIN specs ON specs.id = found.id"
_OF_TAGS = "+{table}.tag_id IN (SELECT value FROM json_each({tags}))"
# Whether what is gone was complete is not known any more.
_TAKEN = "EXISTS (SELECT 1 FROM (SELECT NULL AS complete) AS binaries WHERE {taken})"
# The first two are where a spec comes in a list, and all are what two specs have in common that
# differ in nothing that people see but their hashes.  Packages have their numbers in the order of
# their names, their versions in Spack's.
_BUILDS = """
    SELECT id, package_id, -version_id, variant_set_id, compiler_id, os_id, platform_id, target_id
    FROM specs WHERE id IN (SELECT value FROM json_each(?))
"""
_HASHES = "SELECT id, hash FROM specs WHERE id IN (SELECT value FROM json_each(?))"
_NAMES = """
    SELECT packages.name AS package, versions.version, specs.hash
    FROM specs
    CROSS JOIN packages ON packages.id = specs.package_id
    CROSS JOIN versions ON versions.id = specs.version_id
    WHERE specs.id IN (SELECT value FROM json_each(:ids_1))
    ORDER BY packages.id, versions.id DESC, specs.hash
"""


@dataclass(frozen=True, slots=True)
class Specs:
    """The first of some specs (package, version, hash), by name, and how many there are in all."""

    first: tuple[Row, ...]
    total: int


@dataclass(frozen=True, slots=True)
class TagChanges:
    """What satisfies a query in a tag and did not in the ``previous`` one, and the other way round.

    ``rebuilt`` are new hashes that take the place of old ones, with the same package, version,
    compiler, os, platform, target and variants.  Neither they nor what they replace is ``added``
    or ``removed``.
    """

    tag: str
    date: str
    previous: str
    added: Specs
    rebuilt: Specs
    removed: Specs


@no_garbage_collection()
def query_tags(
    db: sqlite3.Connection, queries: Sequence[SpecQuery], scope: Scope
) -> tuple[TagChanges, ...]:
    """What changed in the newest tags that have a date, the newest first; where nothing did, none.

    The tag of the scope does not count, all else does.  A tag that does not tell what is asked
    (pages tell no dependencies) is not compared.

    Raises:
        UsageError: the scope names what is not there.
    """
    tags = ask(db, _TAGS, cache_1=scope.cache, stack_1=scope.stack)
    pairs = [
        (tag, before)
        for place, tag in enumerate(tags[:MAX_TAGS])
        if (before := next((it for it in tags[place + 1 :] if _is_like(it, tag)), None))
    ]
    had = _Had(db, queries, scope, [tag for pair in pairs for tag in pair])
    builds = _Builds(db)
    changes = []
    for tag, before in pairs:
        old, new = had.specs(before), had.specs(tag)
        if old is not None and new is not None and old != new:
            changes.append(_changes(builds, tag, before, old, new))
    return tuple(changes)


class _Had:
    """Finds what satisfies the queries in a tag, or did before it was removed."""

    def __init__(
        self,
        db: sqlite3.Connection,
        queries: Sequence[SpecQuery],
        scope: Scope,
        tags: Sequence[Row],
    ) -> None:
        self._db = db
        self._search = Search(db)
        self._queries = queries
        self._scope = scope
        self._tags = {tag["id"]: tag for tag in tags}
        self._there: dict[tuple[bool, bool], dict[int, set[int]]] = {}

    def specs(self, tag: Row) -> Set[int] | None:
        """The ids of the specs; None where the tag does not tell what is asked."""
        with suppress(UnanswerableError):
            there = self._binaries(_knows(tag))[tag["id"]] if tag["binaries"] else set[int]()
            return there | self._gone[tag["id"]] if tag["gone"] else there
        return None

    def _binaries(self, knows: tuple[bool, bool]) -> dict[int, set[int]]:
        """The specs of each tag of which as much is known, all found at once."""
        if knows in self._there:
            return self._there[knows]
        tags = [it for it in self._tags.values() if it["binaries"] and _knows(it) == knows]
        tests = [self._scope.taken.sql] if self._scope.taken else []
        found = self._in_tags("binaries", [it["id"] for it in tags], tests, tags[0]["name"])
        self._there[knows] = found
        return found

    @cached_property
    def _gone(self) -> dict[int, set[int]]:
        """The specs that are gone, of each tag from which something is."""
        pruned = [it["id"] for it in self._tags.values() if it["gone"]]
        tests = [_TAKEN.format(taken=self._scope.taken.sql)] if self._scope.taken else []
        return self._in_tags("gone_binaries", pruned, tests)

    def _in_tags(
        self, table: str, tags: Sequence[int], tests: Sequence[str], told_in: str | None = None
    ) -> dict[int, set[int]]:
        parameters, scope = Parameters(), self._scope
        found = self._search.known(self._queries, scope, parameters, told_in)
        of_tags = _OF_TAGS.format(table=table, tags=parameters.add("tags", json.dumps(tags)))
        tests = [of_tags, *tests]
        tests += [
            f"{table}.stack_set_id IN {sets_with(it, parameters.add)}"
            for it in (scope.stack, scope.also_in)
            if it
        ]
        if scope.not_in:
            tests.append(lacking(scope.not_in, parameters.add))
        of_specs = _SPECS if scope.taken or scope.not_in else ""
        sql = _IN_TAGS.format(table=table, found=found.sql, specs=of_specs) + all_of(tests)
        specs: dict[int, set[int]] = {id_: set() for id_ in tags}
        for tag, spec in self._db.execute(sql, parameters.values):
            specs[tag].add(spec)
        return specs


def _knows(told: Row) -> tuple[bool, bool]:
    """What a tag tells of dependencies, of some binaries and of all: it decides what is found."""
    return told["described"] > 0, told["described"] < told["binaries"]


class _Builds(dict[int, int]):
    """Specs by their ids, each read once; those that look the same have one number."""

    def __init__(self, db: sqlite3.Connection) -> None:
        super().__init__()
        self.db = db
        self._numbers: dict[tuple[int, ...], int] = {}
        self._places: list[tuple[int, int]] = []

    def read(self, ids: Set[int]) -> None:
        """Read those that are not known yet."""
        for row in rows_about(self.db, _BUILDS, sorted(ids - self.keys())):
            self[row[0]] = number = self._numbers.setdefault(row[1:], len(self._numbers))
            if number == len(self._places):
                self._places.append(row[1:3])

    def place(self, id_: int) -> tuple[int, int]:
        """Where a spec comes in a list, but for its hash."""
        return self._places[self[id_]]


def _changes(builds: _Builds, tag: Row, before: Row, old: Set[int], new: Set[int]) -> TagChanges:
    fresh, lost = new - old, old - new
    builds.read({*fresh, *lost})
    both = {*map(builds.__getitem__, fresh)} & {*map(builds.__getitem__, lost)}
    return TagChanges(
        tag["name"],
        tag["date"],
        before["name"],
        added=_specs(builds, [it for it in fresh if builds[it] not in both]),
        rebuilt=_specs(builds, [it for it in fresh if builds[it] in both]),
        removed=_specs(builds, [it for it in lost if builds[it] not in both]),
    )


def _specs(builds: _Builds, specs: Sequence[int]) -> Specs:
    """The first by package, version and hash; only of those that may be first hashes are read."""
    last = nsmallest(MAX_SPECS, map(builds.place, specs))[-1:]
    near = [it for it in specs if [builds.place(it)] <= last]
    hashes = dict(rows_about(builds.db, _HASHES, near))
    first = sorted(near, key=lambda it: (builds.place(it), hashes[it]))[:MAX_SPECS]
    return Specs(ask(builds.db, _NAMES, ids_1=json.dumps(first)), len(specs))


def _is_like(one: Row, other: Row) -> bool:
    return all(one[it] == other[it] for it in ("kind", "cache_id"))
