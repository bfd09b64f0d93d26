"""What changed for a spec query from tag to tag: binaries added, rebuilt and removed.

A tag is held against the one before it of its kind and cache, as pages on what changed do.  What
has gone from a tag since then still counts: what a tag changed does not change when it is pruned.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter

from etl.catalog.asking import AT_ONCE, Row, ask
from etl.catalog.sql_text import Parameters, all_of, block
from etl.query.scope import Scope, sets_with
from etl.query.search import Search
from etl.query.unanswerable import UnanswerableError
from etl.spack.tree import SpecQuery
from etl.workers import batched

MAX_TAGS = 12
"""The newest tags are compared with those before them, at most so many."""

MAX_SPECS = 30
"""Specs named in one list; of more than these only the number is told."""

_TAGS = """
    SELECT id, name, kind, date, cache_id, binaries, gone FROM tags
    WHERE date IS NOT NULL AND binaries + gone > 0
        AND (:cache_1 IS NULL OR cache_id = (SELECT id FROM caches WHERE name = :cache_1))
        AND (:stack_1 IS NULL OR id IN (
            SELECT tag_id FROM mirrors
            WHERE stack_id = (SELECT id FROM stacks WHERE name = :stack_1) AND binaries + gone > 0
        ))
    ORDER BY position DESC
"""
# One question for all tags: what a query finds in all of the catalog may be long.
_GONE = """
    SELECT gone_binaries.tag_id, gone_binaries.spec_id
    FROM gone_binaries CROSS JOIN specs ON specs.id = gone_binaries.spec_id
    WHERE """
_OF_TAGS = "gone_binaries.tag_id IN (SELECT value FROM json_each({tags}))"
_NOT_IN = (
    "NOT EXISTS (SELECT 1 FROM binaries WHERE binaries.spec_id = specs.id AND binaries.tag_id IN"
    " (SELECT id FROM tags WHERE cache_id = (SELECT id FROM caches WHERE name = {cache})))"
)
# Whether what is gone was complete is not known any more.
_TAKEN = "EXISTS (SELECT 1 FROM (SELECT NULL AS complete) AS binaries WHERE {taken})"
# What two binaries have in common that differ in nothing that people see but their hashes.
_BUILDS = """
    SELECT id, package_id, hash, version_id, variant_set_id, compiler_id, os_id,
        platform_id, target_id
    FROM specs WHERE id IN (SELECT value FROM json_each(:ids_1))
"""
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
    had = _Had(db, queries, scope, [tag["id"] for pair in pairs for tag in pair if tag["gone"]])
    changes = []
    for tag, before in pairs:
        old, new = had.specs(before), had.specs(tag)
        if old is not None and new is not None and old != new:
            changes.append(_changes(db, tag, before, old, new))
    return tuple(changes)


class _Had:
    """Finds what satisfies the queries in a tag, or did before it was removed."""

    def __init__(
        self,
        db: sqlite3.Connection,
        queries: Sequence[SpecQuery],
        scope: Scope,
        pruned: Sequence[int],
    ) -> None:
        """``pruned`` are the ids of the tags from which something is gone."""
        self._db = db
        self._search = Search(db)
        self._queries = queries
        self._scope = scope
        self._pruned = pruned
        self._found: dict[int, frozenset[int] | None] = {}

    def specs(self, tag: Row) -> frozenset[int] | None:
        """The ids of the specs; None where the tag does not tell what is asked."""
        if tag["id"] not in self._found:
            self._found[tag["id"]] = None
            with suppress(UnanswerableError):
                there = self._there(tag) if tag["binaries"] else frozenset()
                gone = self._gone[tag["id"]] if tag["gone"] else ()
                self._found[tag["id"]] = there.union(gone)
        return self._found[tag["id"]]

    def _there(self, tag: Row) -> frozenset[int]:
        parameters = Parameters()
        scope = replace(self._scope, tag=tag["name"])
        rows = self._search.binaries(self._queries, scope, parameters)
        found = self._db.execute(f"SELECT specs.id\n{rows.sql}", parameters.values)
        return frozenset(id_ for (id_,) in found)

    @cached_property
    def _gone(self) -> dict[int, set[int]]:
        """The specs that are gone, of each tag from which something is."""
        parameters, scope = Parameters(), self._scope
        rows = self._search.known(self._queries, scope, parameters)
        tests = [_OF_TAGS.format(tags=parameters.add("tags", json.dumps(self._pruned)))]
        tests += [
            f"gone_binaries.stack_set_id IN {sets_with(it, parameters.add)}"
            for it in (scope.stack, scope.also_in)
            if it
        ]
        if scope.not_in:
            tests.append(_NOT_IN.format(cache=parameters.add("cache", scope.not_in)))
        if scope.taken:
            tests.append(_TAKEN.format(taken=scope.taken.sql))
        tests.append(block("specs.id IN (", f"SELECT specs.id\n{rows.sql}"))
        found: dict[int, set[int]] = {id_: set() for id_ in self._pruned}
        for tag, spec in self._db.execute(_GONE + all_of(tests), parameters.values):
            found[tag].add(spec)
        return found


def _changes(
    db: sqlite3.Connection, tag: Row, before: Row, old: frozenset[int], new: frozenset[int]
) -> TagChanges:
    fresh, lost = _builds(db, new - old), _builds(db, old - new)
    both = {it.build for it in fresh} & {it.build for it in lost}
    return TagChanges(
        tag["name"],
        tag["date"],
        before["name"],
        added=_specs(db, [it for it in fresh if it.build not in both]),
        rebuilt=_specs(db, [it for it in fresh if it.build in both]),
        removed=_specs(db, [it for it in lost if it.build not in both]),
    )


@dataclass(frozen=True, slots=True)
class _Spec:
    """A spec, where it comes in a list, and what those have in common that look the same."""

    place: tuple[int, int, str]
    id: int
    build: tuple[int, ...]


def _builds(db: sqlite3.Connection, ids: Iterable[int]) -> list[_Spec]:
    # Packages have their numbers in the order of their names, their versions in Spack's.
    return [
        _Spec((package, -build[0], hash_), id_, tuple(build))
        for part in batched(sorted(ids), AT_ONCE)
        for id_, package, hash_, *build in db.execute(_BUILDS, {"ids_1": json.dumps(part)})
    ]


def _specs(db: sqlite3.Connection, specs: Sequence[_Spec]) -> Specs:
    first = [it.id for it in sorted(specs, key=attrgetter("place"))[:MAX_SPECS]]
    return Specs(ask(db, _NAMES, ids_1=json.dumps(first)), len(specs))


def _is_like(one: Row, other: Row) -> bool:
    return all(one[it] == other[it] for it in ("kind", "cache_id"))
