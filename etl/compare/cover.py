"""How much of a lock is in the build caches."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from etl.locks.lock import Lock, LockedSpec


@dataclass(frozen=True)
class Cover:
    """The specs of a lock, divided; ``tag`` is None for all tags together.

    ``missing`` has ``missing_build_only`` in it: those that no root links to or runs with.
    ``size`` is the bytes to download, of those whose size is known.
    """

    tag: str | None
    specs: int
    external: tuple[LockedSpec, ...]
    available: tuple[LockedSpec, ...]
    missing: tuple[LockedSpec, ...]
    missing_build_only: tuple[LockedSpec, ...]
    dependents: dict[str, int]
    size: int


def cover(db: sqlite3.Connection, lock: Lock, tag: str | None, any_tag: bool) -> Cover:
    """Divide a lock by what a tag has; without a tag, by the tag that has most, or by all."""
    wanted = [spec.hash for spec in lock.specs.values() if not spec.external]
    sizes: dict[str, int] = {}
    tags: dict[str, set[str]] = {}
    for hash_, size, of_tag in db.execute(
        "SELECT specs.hash, specs.size, tags.name FROM json_each(?) AS wanted"
        " JOIN specs ON specs.hash = wanted.value"
        " JOIN binaries ON binaries.spec_id = specs.id AND binaries.gone_since IS NULL"
        " JOIN tags ON tags.id = binaries.tag_id ORDER BY tags.id",
        (json.dumps(wanted),),
    ):
        sizes[hash_] = size or 0
        tags.setdefault(of_tag, set()).add(hash_)
    if any_tag:
        there = set(sizes)
    else:
        tag = tag or max(tags, key=lambda it: len(tags[it]), default=None)
        there = tags.get(tag, set()) if tag else set()
    needed, dependents = lock.link_run_closure(), lock.dependents()
    own = [spec for spec in lock.specs.values() if not spec.external]
    missing = [spec for spec in own if spec.hash not in there]
    missing.sort(key=lambda spec: (-dependents[spec.hash], spec.name, spec.hash))
    return Cover(
        tag,
        len(lock.specs),
        tuple(spec for spec in lock.specs.values() if spec.external),
        tuple(spec for spec in own if spec.hash in there),
        tuple(missing),
        tuple(spec for spec in missing if spec.hash not in needed),
        dependents,
        sum(sizes[hash_] for hash_ in there),
    )
