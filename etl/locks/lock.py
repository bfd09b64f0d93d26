"""Read what Spack writes of concrete specs: ``spack.lock``, ``spack spec --json``, ``.spec.json``.

Lock files keep nodes in ``concrete_specs`` by hash and roots in ``roots``; the others keep a list
in ``spec.nodes``, whose first node is the root.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from etl.errors import SourceError

LARGEST = 20_000_000
"""The largest lock file that is read, in bytes."""


@dataclass(frozen=True)
class LockedSpec:
    """A node of a lock: its hash, package, version, and the hashes it needs with their types."""

    hash: str
    name: str
    version: str
    external: bool
    dependencies: tuple[tuple[str, frozenset[str]], ...]


@dataclass(frozen=True)
class Lock:
    """The nodes of one or more locks by hash, and the hashes of the roots."""

    specs: dict[str, LockedSpec]
    roots: tuple[str, ...]

    def link_run_closure(self) -> frozenset[str]:
        """The hashes that the roots link to or run with, and the roots."""
        seen: set[str] = set()
        waiting = list(self.roots)
        while waiting:
            hash_ = waiting.pop()
            if hash_ in seen:
                continue
            seen.add(hash_)
            needs = self.specs[hash_].dependencies
            waiting += [child for child, types in needs if types & {"link", "run"}]
        return frozenset(seen)

    def dependents(self) -> dict[str, int]:
        """How many specs of the lock need each one, directly or through others."""
        parents: dict[str, list[str]] = {hash_: [] for hash_ in self.specs}
        for spec in self.specs.values():
            for child, _ in spec.dependencies:
                parents[child].append(spec.hash)
        return {hash_: len(_above(hash_, parents)) for hash_ in self.specs}


def _above(hash_: str, parents: dict[str, list[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(parents[hash_])
    while waiting:
        parent = waiting.pop()
        if parent not in seen:
            seen.add(parent)
            waiting += parents[parent]
    return seen - {hash_}


def read_lock(text: str, place: str) -> Lock:
    """The lock in a text; ``place`` names it in errors.

    Raises :class:`SourceError` for what is no lock, is too large or lacks nodes.
    """
    if len(text) > LARGEST:
        raise SourceError(place, f"is larger than {LARGEST // 1_000_000} MB")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        if text.lstrip().startswith(("spack:", "#")):
            told = "is no lock file: run `spack -e . concretize` first, and give its spack.lock"
            raise SourceError(place, told) from None
        raise SourceError(place, "is not JSON; give a spack.lock") from None
    try:
        return _checked(_lock(told), place)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise SourceError(
            place, "is no lock file of Spack 0.20 to 1.1, nor its JSON of a spec"
        ) from None


def _lock(told: Any) -> Lock:
    if "concrete_specs" in told:
        specs = {key: _spec(key, node) for key, node in told["concrete_specs"].items()}
        roots = [root["hash"] for root in told["roots"]]
        for included in told.get("include_concrete", {}).values():
            specs |= {key: _spec(key, node) for key, node in included["concrete_specs"].items()}
            roots += [root["hash"] for root in included["roots"]]
        return Lock(specs, tuple(dict.fromkeys(roots)))
    nodes = [_spec(node["hash"], node) for node in told["spec"]["nodes"]]
    return Lock({spec.hash: spec for spec in nodes}, (nodes[0].hash,) if nodes else ())


def _spec(hash_: str, node: dict[str, Any]) -> LockedSpec:
    needs = []
    for need in node.get("dependencies", ()):
        types = need["parameters"]["deptypes"] if "parameters" in need else need["type"]
        needs.append((str(need["hash"]), frozenset(map(str, types))))
    version = str(node.get("version") or node.get("versions") or "")
    name = str(node["name"])
    return LockedSpec(str(hash_), name, version, bool(node.get("external")), tuple(needs))


def _checked(lock: Lock, place: str) -> Lock:
    wanted = [*lock.roots, *(c for spec in lock.specs.values() for c, _ in spec.dependencies)]
    for hash_ in wanted:
        if hash_ not in lock.specs:
            raise SourceError(place, f"lacks the spec /{hash_[:40]} that it refers to")
    return lock


def together(locks: Iterable[Lock]) -> Lock:
    """Several locks as one."""
    specs: dict[str, LockedSpec] = {}
    roots: list[str] = []
    for lock in locks:
        specs |= lock.specs
        roots += lock.roots
    return Lock(specs, tuple(dict.fromkeys(roots)))
