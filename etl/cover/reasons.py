"""Why specs of a lock are missing, and which changes to the environment would gain most."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from etl.compare.graph import Node
from etl.compare.nodes import Nodes
from etl.cover.cover import Cover
from etl.cover.differences import OLDER, Differences, Shared, family, own_differences
from etl.cover.lock_nodes import LockNodes

MAX_EXPLAINED = 5_000
"""Missing specs that are compared with what is there; more are only counted."""

_CANDIDATES = 20
_MOST_MENDED = 3
"""Differences that one change may mend at most: more is no small change."""

_SAME_PACKAGE = """
    SELECT specs.id, specs.format FROM specs
    WHERE specs.package_id = (SELECT id FROM packages WHERE name = :package) AND specs.tags > 0
        AND specs.format IS NOT NULL
        AND (:tag IS NULL OR EXISTS (
            SELECT 1 FROM binaries WHERE binaries.spec_id = specs.id
                AND binaries.tag_id = (SELECT id FROM tags WHERE name = :tag)
        ))
    ORDER BY
        coalesce(specs.target_id IN (SELECT id FROM targets WHERE family = :family), 0) DESC,
        coalesce(specs.version_id = (
            SELECT id FROM versions
            WHERE version = :version AND versions.package_id = specs.package_id
        ), 0) DESC,
        coalesce(specs.os_id = (SELECT id FROM operating_systems WHERE name = :os), 0)
            + coalesce(specs.target_id = (SELECT id FROM targets WHERE name = :target), 0) DESC,
        specs.last_tag_id DESC, specs.id DESC
    LIMIT :candidates
"""


@dataclass(frozen=True, slots=True)
class Explained:
    """A missing spec, the nearest build that the cache has, and all in which they differ.

    No ``nearest`` means that the cache has no binary of the package at all.
    """

    hash: str
    package: str
    nearest: str | None
    differences: tuple[Shared, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A few differences to mend at once: how many misses become hits by it alone."""

    mended: tuple[Shared, ...]
    gain: int


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why specs are missing.

    ``common`` has each difference with the number of misses that it is among the causes of, most
    first; ``changes`` what would turn most misses into hits, most first; ``unknown`` is how many
    are of packages that the cache does not have at all.
    """

    explained: tuple[Explained, ...]
    common: tuple[tuple[Shared, int], ...]
    changes: tuple[Change, ...]
    unknown: int


def reasons(db: sqlite3.Connection, cover: Cover) -> Reasons:
    """Compare what is missing with the nearest that the cache has, in the same tag first."""
    graph = LockNodes(db, cover.lock)
    differences = Differences(graph.get)
    search = _Search(db, graph.nodes)
    explained = []
    for it in cover.missing[:MAX_EXPLAINED]:
        node = graph.node(it.spec)
        nearest, spec_format = search.nearest(node, cover.tag)
        found: tuple[Shared, ...] = ()
        if nearest and it.spec.build and it.spec.build.format < 5 <= spec_format:
            found = (OLDER, *own_differences(nearest, node))
        elif nearest:
            found = differences.of(nearest, node)
        explained.append(
            Explained(it.spec.hash, it.spec.package, nearest.hash if nearest else None, found)
        )
    counts = Counter(it for found in explained for it in found.differences)
    return Reasons(
        tuple(explained),
        tuple(sorted(counts.items(), key=lambda it: (-it[1], it[0].what))),
        _changes(explained),
        sum(it.nearest is None for it in explained),
    )


class _Search:
    """Finds the nearest build of a package; candidates are read once for each kind of spec."""

    def __init__(self, db: sqlite3.Connection, nodes: Nodes) -> None:
        self._db = db
        self._nodes = nodes
        self._known: dict[tuple[str | None, ...], list[tuple[int, int]]] = {}

    def nearest(self, node: Node, tag: str | None) -> tuple[Node | None, int]:
        """The build that differs least, and the format of its spec; None if there is none."""
        for where in dict.fromkeys((tag, None)):
            formats = dict(self._candidates(node, where))
            found = self._nodes.load(formats)
            if found:
                best = min(found, key=lambda it: (_distance(it, node), -it.key))
                return best, formats[best.key]
        return None, 0

    def _candidates(self, node: Node, tag: str | None) -> list[tuple[int, int]]:
        _, os, target = node.arch.rsplit("-", 2)
        key = (node.name, node.version, node.arch, tag)
        if key not in self._known:
            told = {
                "package": node.name, "version": node.version, "tag": tag, "os": os,
                "target": target, "family": family(target), "candidates": _CANDIDATES,
            }  # fmt: skip
            self._known[key] = self._db.execute(_SAME_PACKAGE, told).fetchall()
        return self._known[key]


def _distance(there: Node, wanted: Node) -> int:
    """How far two builds are apart: what a user would change last weighs most."""
    old, new = there.arch.rsplit("-", 2), wanted.arch.rsplit("-", 2)
    return (
        20 * (family(old[2]) != family(new[2]))
        + 5 * (there.version != wanted.version)
        + 4 * (old[1] != new[1])
        + 2 * (old[2] != new[2])
        + 2 * (there.compilers != wanted.compilers)
        + len(set(there.variants) ^ set(wanted.variants))
        + (there.package_hash != wanted.package_hash)
    )


def _changes(explained: Sequence[Explained]) -> tuple[Change, ...]:
    """What gains most first, the smaller of two: sets of differences that can all be mended."""
    sets = Counter(frozenset(it.differences) for it in explained if it.differences)
    small = [it for it in sets if len(it) <= _MOST_MENDED and all(shared.advice for shared in it)]
    found = [
        Change(_sorted(it), sum(sets[other] for other in small if other <= it)) for it in small
    ]
    return tuple(
        sorted(found, key=lambda it: (-it.gain, len(it.mended), [one.what for one in it.mended]))
    )


def _sorted(differences: Iterable[Shared]) -> tuple[Shared, ...]:
    return tuple(sorted(differences, key=lambda it: it.what))
