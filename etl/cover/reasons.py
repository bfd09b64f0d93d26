"""Why specs of a lock are missing, and which changes to the environment would gain most."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from dataclasses import dataclass

from etl.cover.changes import Change, changes
from etl.cover.cover import Cover
from etl.cover.differences import OLDER, Differences, Shared, own_differences
from etl.cover.lock_nodes import LockNodes
from etl.cover.nearest import Near, Nearest
from etl.workers import batched

MAX_EXPLAINED = 5_000
"""Missing specs that are compared with what is there; more are only counted."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A missing spec, the nearest build that the cache has, and all in which they differ.

    No ``nearest`` means that the cache has no binary of the package at all; ``gone`` says from
    where the very spec is gone, and since when, of one that was there.
    """

    hash: str
    package: str
    nearest: str | None
    differences: tuple[Shared, ...]
    gone: str | None = None


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


_MANY = 1_000
"""Hashes in one value, a JSON array, at most: a site allows values of 50,000 bytes."""

_NEWEST = "SELECT name FROM tags WHERE described ORDER BY position DESC LIMIT 1"
_GONE = """
    SELECT specs.hash, tags.name, gone_binaries.gone_since
    FROM json_each(:hashes) AS wanted
    CROSS JOIN specs ON specs.hash = wanted.value
    CROSS JOIN gone_binaries ON gone_binaries.spec_id = specs.id
    CROSS JOIN tags ON tags.id = gone_binaries.tag_id
    ORDER BY specs.hash, gone_binaries.gone_since, tags.position
"""


def _gone(db: sqlite3.Connection, hashes: list[str]) -> dict[str, str]:
    """From where specs are gone that were there, the last of it for each."""
    rows = (
        row
        for part in batched(hashes, _MANY)
        for row in db.execute(_GONE, {"hashes": json.dumps(part)})
    )
    return {hash_: f"gone from {tag} since {since}" for hash_, tag, since in rows}


def reasons(db: sqlite3.Connection, cover: Cover) -> Reasons:
    """Compare what is missing with the nearest that the cache has, in the same tag first."""
    graph = LockNodes(db, cover.lock)
    differences = Differences(graph.get)
    missing = [it.spec for it in cover.missing[:MAX_EXPLAINED]]
    near = Nearest(db, _looked_at(db, cover)).of(missing)
    graph.nodes.load_below(graph.nodes.load({it.key for it in near.values()}))
    found: dict[str, tuple[int, ...]] = {}
    for spec in missing:
        there = graph.get(near[spec.hash].key) if spec.hash in near else None
        if there is None:
            found[spec.hash] = ()
        elif spec.build and spec.build.format < 5 <= near[spec.hash].format:
            found[spec.hash] = differences.numbered(
                [OLDER, *own_differences(there, graph.node(spec))]
            )
        else:
            found[spec.hash] = differences.of(there, graph.node(spec))
    gone = _gone(db, [spec.hash for spec in missing])
    counts = Counter(it for numbers in found.values() for it in numbers)
    told = differences.told
    return Reasons(
        tuple(
            Explained(
                spec.hash,
                spec.package,
                _hash_of(graph, near.get(spec.hash)),
                tuple(told[it] for it in found[spec.hash]),
                gone.get(spec.hash),
            )
            for spec in missing
        ),
        tuple(
            sorted(
                ((told[it], number) for it, number in counts.items()),
                key=lambda it: (-it[1], it[0].what),
            )
        ),
        changes(found, told, cover.lock.asked),
        len(missing) - len(near),
    )


def _looked_at(db: sqlite3.Connection, cover: Cover) -> str | None:
    """The tag that the nearest builds are looked for in: the one that a lock is held against.

    For a lock that is held against all of them it is the tag that has most of it, for one that no
    tag has anything of the newest: what it advises can be had together, and now.
    """
    if cover.tag is not None or cover.tags:
        return cover.tag or cover.tags[0][0]
    found = db.execute(_NEWEST).fetchone()
    return found[0] if found else None


def _hash_of(graph: LockNodes, near: Near | None) -> str | None:
    node = graph.get(near.key) if near else None
    return node.hash if node else None
