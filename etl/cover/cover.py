"""Which specs of a lock are in a build cache, which have to be built, and what hangs on them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from etl.catalog.asking import AT_ONCE
from etl.catalog.names_near import check_name
from etl.hosts.host import Host
from etl.locks.read import Lock
from etl.query.reuse import Reuse, Verdict
from etl.records import Spec
from etl.workers import batched

ANY_TAG = "any"

_CACHES = """
    SELECT tags.name, caches.name FROM tags JOIN caches ON caches.id = tags.cache_id
"""
_FOUND = """
    SELECT specs.hash, tags.name, tags.position, stack_sets.stacks, specs.size
    FROM specs
    CROSS JOIN binaries ON binaries.spec_id = specs.id
    CROSS JOIN tags ON tags.id = binaries.tag_id
    CROSS JOIN stack_sets ON stack_sets.id = binaries.stack_set_id
    WHERE specs.hash IN ({})
    ORDER BY tags.position DESC
"""


@dataclass(frozen=True, slots=True)
class Covered:
    """A spec of the lock that is in a build cache: where, how large, and what a host says to it.

    ``cache`` is the name of the cache, if it has one.
    """

    spec: Spec
    tag: str
    stacks: str
    size: int | None
    verdict: Verdict | None = None
    cache: str | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A spec of the lock that no build cache has; ``dependents`` of the lock hang on it.

    ``build_only`` is whether nothing links to it or runs with it; ``needed`` whether it has to be
    built: a build dependency of what is there is not.
    """

    spec: Spec
    dependents: int
    build_only: bool
    needed: bool


@dataclass(frozen=True, slots=True)
class Cover:
    """How much of a lock is in a tag, or in all tags together (``tag`` is None)."""

    lock: Lock
    tag: str | None
    external: tuple[Spec, ...]
    available: tuple[Covered, ...]
    missing: tuple[Missing, ...]
    tags: tuple[tuple[str, int], ...]

    @property
    def to_build(self) -> tuple[Missing, ...]:
        """What Spack would have to compile."""
        return tuple(it for it in self.missing if it.needed)

    @property
    def build_only(self) -> tuple[Missing, ...]:
        """The missing ones that nothing links to or runs with."""
        return tuple(it for it in self.missing if it.build_only)

    @property
    def stacks(self) -> tuple[tuple[str, int], ...]:
        """How many of those that are available each stack has, the most first."""
        return _counted(stack for it in self.available for stack in it.stacks.split())

    @property
    def caches(self) -> tuple[tuple[str, int], ...]:
        """How many of those that are available each named cache has, the most first."""
        return _counted(it.cache for it in self.available if it.cache)

    @property
    def download(self) -> tuple[int, int]:
        """Bytes to download, and of how many binaries they are known."""
        sizes = [it.size for it in self.available if it.size is not None]
        return sum(sizes), len(sizes)


def cover(
    db: sqlite3.Connection, lock: Lock, tag: str | None = None, host: Host | None = None
) -> Cover:
    """Hold a lock against a tag; by default the one that covers most, with ``any`` all together.

    Raises:
        UsageError: there is no such tag.
    """
    if tag not in (None, ANY_TAG):
        check_name(db, "tag", tag)
    places: dict[str, dict[str, tuple[str, int | None]]] = {}
    positions: dict[str, int] = {}
    for hash_, name, position, stacks, size in _rows(db, lock.specs):
        places.setdefault(hash_, {})[name] = stacks, size
        positions[name] = position
    inside = {it for it in lock.specs if not lock.is_external(it)}
    numbers = {name: sum(name in places.get(it, ()) for it in inside) for name in positions}
    ranked = sorted(numbers.items(), key=lambda it: (-it[1], -positions[it[0]]))
    if tag is None:
        tag = ranked[0][0] if ranked else ANY_TAG
    reuse = Reuse(db, host) if host else None
    caches = dict(db.execute(_CACHES).fetchall())
    available: dict[str, Covered] = {}
    for hash_ in sorted(inside, key=lambda it: (lock.specs[it].package, it)):
        there = places.get(hash_, {})
        name = next(iter(there), "") if tag == ANY_TAG else tag
        if name in there:
            stacks, size = there[name]
            verdict = reuse.verdict(hash_, name) if reuse else None
            spec, cache = lock.specs[hash_], caches.get(name)
            available[hash_] = Covered(spec, name, stacks, size, verdict, cache)
    return Cover(
        lock,
        None if tag == ANY_TAG else tag,
        tuple(_by_name(lock.specs[it] for it in lock.specs if it not in inside)),
        tuple(available.values()),
        tuple(_missing(lock, inside - available.keys(), set(available))),
        tuple(ranked),
    )


def _missing(lock: Lock, missing: set[str], available: set[str]) -> Iterator[Missing]:
    """The missing specs, those first on which most of the lock hangs."""
    run = lock.below(lock.roots, "link", "run")
    needed = _to_build(lock, missing, available)
    above = _dependents(lock, missing)
    for hash_ in sorted(missing, key=lambda it: (-above[it], lock.specs[it].package, it)):
        yield Missing(lock.specs[hash_], above[hash_], hash_ not in run, hash_ in needed)


def _to_build(lock: Lock, missing: set[str], available: set[str]) -> set[str]:
    """What has to be compiled: what is missing and needed to run, or to compile that."""
    found: set[str] = set()
    seen: set[str] = set()
    rest = list(lock.roots)
    while rest:
        hash_ = rest.pop()
        if hash_ in seen or lock.is_external(hash_):
            continue
        seen.add(hash_)
        if hash_ in missing:
            found.add(hash_)
        kinds = ("link", "run") if hash_ in available else ()
        rest += lock.children(hash_, *kinds)
    return found


def _dependents(lock: Lock, wanted: Iterable[str]) -> dict[str, int]:
    """How many specs of the lock are above each, over all kinds of edges.

    One pass from the top down: the specs above each as the bits of a number.
    """
    children = {hash_: set(lock.children(hash_)) for hash_ in lock.specs}
    parents = Counter(child for found in children.values() for child in found)
    bits = {hash_: 1 << number for number, hash_ in enumerate(lock.specs)}
    above = dict.fromkeys(lock.specs, 0)
    rest = [hash_ for hash_ in lock.specs if not parents[hash_]]
    while rest:
        parent = rest.pop()
        for child in children[parent]:
            above[child] |= above[parent] | bits[parent]
            parents[child] -= 1
            if not parents[child]:
                rest.append(child)
    return {hash_: above[hash_].bit_count() for hash_ in wanted}


def _rows(
    db: sqlite3.Connection, hashes: Iterable[str]
) -> Iterator[tuple[str, str, int, str, int | None]]:
    for part in batched(hashes, AT_ONCE):
        yield from db.execute(_FOUND.format(", ".join("?" * len(part))), part)


def _counted(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(names).items(), key=lambda it: (-it[1], it[0])))


def _by_name(specs: Iterable[Spec]) -> list[Spec]:
    return sorted(specs, key=lambda it: (it.package, it.hash))
