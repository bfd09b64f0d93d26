"""Indexes with changes made to them, whose effects are then known; and an oracle of its own.

The oracle follows the definitions of rebuilds and causes over the dictionaries of an index alone:
it looks at every pair again, by plain recursion, and shares no code with what it checks.
"""

from __future__ import annotations

import base64
import copy
import gzip
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Spec = dict[str, Any]
Index = dict[str, Spec]
"""The specs of an index, by their hashes."""

Pair = tuple[str, str]
Told = tuple[str, str, str | None, str | None]


def read_index(path: Path) -> Index:
    """The specs of an index file."""
    installs = json.loads(gzip.decompress(path.read_bytes()))["database"]["installs"]
    return {hash_: record["spec"] for hash_, record in installs.items()}


def write_index(index: Index, path: Path, only_mentioned: frozenset[str] = frozenset()) -> None:
    """An index file; specs of the packages named are no binaries, only dependencies."""
    installs = {
        hash_: {
            "spec": spec,
            "in_buildcache": "external" not in spec and spec["name"] not in only_mentioned,
        }
        for hash_, spec in index.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"database": {"version": "8", "installs": installs}})
    path.write_bytes(gzip.compress(text.encode(), 1, mtime=0))


def changed(index: Index, change: Callable[[Index], None]) -> Index:
    """The index after a change, every spec above what it touched with the hash that it then has."""
    edited = copy.deepcopy(index)
    change(edited)
    renamed: dict[str, str] = {}

    def new_hash(old: str) -> str:
        if old not in renamed:
            spec = edited[old]
            for edge in spec.get("dependencies", ()):
                edge["hash"] = new_hash(edge["hash"])
            renamed[old] = old
            if spec != index.get(old):
                content = json.dumps({**spec, "hash": ""}, sort_keys=True).encode()
                digest = base64.b32encode(hashlib.sha1(content).digest())
                renamed[old] = digest.decode().lower()
        return renamed[old]

    result = {}
    for old in edited:
        spec = edited[old]
        hash_ = new_hash(old)
        result[hash_] = {**spec, "hash": hash_}
    return result


def of_package(index: Index, name: str) -> Spec:
    """The only spec of a package."""
    (found,) = (spec for spec in index.values() if spec["name"] == name)
    return found


def edge(spec: Spec, *deptypes: str, virtuals: tuple[str, ...] = ()) -> Spec:
    """A dependency on a spec."""
    how = {"deptypes": list(deptypes), "virtuals": list(virtuals)}
    return {"name": spec["name"], "hash": spec["hash"], "parameters": how}


def edge_to(spec: Spec, name: str) -> Spec:
    """The dependency of a spec on a package."""
    found: Spec
    (found,) = (it for it in spec["dependencies"] if it["name"] == name)
    return found


# The oracle.


def _compilers(index: Index, spec: Spec) -> list[str]:
    return sorted(
        f"{it['name']}@{index[it['hash']]['version']}"
        for it in spec.get("dependencies", ())
        if {"c", "cxx", "fortran"} & set(it["parameters"]["virtuals"])
    )


def _identity(index: Index, spec: Spec) -> str:
    names = ("name", "namespace", "version", "parameters", "arch", "external")
    return json.dumps([*(spec.get(it) for it in names), _compilers(index, spec)], sort_keys=True)


def _title(spec: Spec) -> str:
    return f"{spec['name']}@{spec['version']}"


def _other(old_index: Index, new_index: Index, old: Spec, new: Spec) -> Told:
    """The first thing in which two identities differ; of variants not which."""
    if old["version"] != new["version"]:
        return "version", new["name"], old["version"], new["version"]
    if old["parameters"] != new["parameters"]:
        return "variants", new["name"], None, None
    if _compilers(old_index, old) != _compilers(new_index, new):
        return "compiler", new["name"], None, None
    (kind, *_) = (it for it in ("arch", "external", "namespace") if old.get(it) != new.get(it))
    return kind, new["name"], None, None


def _pairs_of_edges(
    old_index: Index, new_index: Index, old: Spec, new: Spec
) -> Iterator[tuple[Spec | None, Spec | None]]:
    """Edges side by side: those of a package with most in common first."""
    left = list(old.get("dependencies", ()))
    right = list(new.get("dependencies", ()))
    for before in [*left]:
        for after in [*right]:
            if before["hash"] == after["hash"]:
                yield before, after
                left.remove(before)
                right.remove(after)
                break
    likeness: list[tuple[tuple[bool, ...], int, int]] = []
    for i, before in enumerate(left):
        for j, after in enumerate(right):
            if before["name"] == after["name"]:
                one, two = old_index[before["hash"]], new_index[after["hash"]]
                same = (
                    _identity(old_index, one) == _identity(new_index, two),
                    before["parameters"] == after["parameters"],
                    one["version"] == two["version"],
                )
                likeness.append((tuple(not it for it in same), i, j))
    taken: tuple[set[int], set[int]] = set(), set()
    for _, i, j in sorted(likeness):
        if i not in taken[0] and j not in taken[1]:
            taken[0].add(i)
            taken[1].add(j)
            yield left[i], right[j]
    left = [it for i, it in enumerate(left) if i not in taken[0]]
    right = [it for j, it in enumerate(right) if j not in taken[1]]
    for before in [*left]:
        for after in [*right]:
            if {*before["parameters"]["virtuals"]} & {*after["parameters"]["virtuals"]}:
                yield before, after
                left.remove(before)
                right.remove(after)
                break
    yield from ((before, None) for before in left)
    yield from ((None, after) for after in right)


def causes(
    old_index: Index, new_index: Index, old: Spec, new: Spec, known: dict[Pair, set[Told]]
) -> set[Told]:
    """The causes why a spec was built again; ``known`` is what was found before."""
    pair = old["hash"], new["hash"]
    if pair in known:
        return known[pair]
    found: set[Told] = set()
    if old.get("package_hash") != new.get("package_hash"):
        found.add(("recipe", new["name"], old.get("package_hash"), new.get("package_hash")))
    if old.get("patches") != new.get("patches"):
        found.add(("patches", new["name"], None, None))
    for before, after in _pairs_of_edges(old_index, new_index, old, new):
        if before is None or after is None:
            kind, it, index = (
                ("removed", before, old_index) if before else ("added", after, new_index)
            )
            assert it is not None
            version = index[it["hash"]]["version"]
            sides = (version, None) if before else (None, version)
            found.add((kind, it["name"], *sides))
        elif before["hash"] == after["hash"]:
            if before["parameters"] != after["parameters"]:
                found.add(("edge", after["name"], None, None))
        elif before["name"] != after["name"]:
            both = {*before["parameters"]["virtuals"]} & {*after["parameters"]["virtuals"]}
            titles = _title(old_index[before["hash"]]), _title(new_index[after["hash"]])
            found.add(("replaced", min(both), *titles))
        else:
            one, two = old_index[before["hash"]], new_index[after["hash"]]
            if _identity(old_index, one) == _identity(new_index, two):
                found |= causes(old_index, new_index, one, two, known)
            else:
                found.add(_other(old_index, new_index, one, two))
    known[pair] = found or {("unknown", new["name"], None, None)}
    return known[pair]


def rebuilt(old: Index, new: Index) -> tuple[dict[Pair, set[Told]], int]:
    """The pairs of hashes with their causes, and how many identities are ambiguous."""
    sides: dict[str, tuple[list[Spec], list[Spec]]] = defaultdict(lambda: ([], []))
    for place, index in enumerate((old, new)):
        for spec in index.values():
            sides[_identity(index, spec)][place].append(spec)
    known: dict[Pair, set[Told]] = {}
    pairs, ambiguous = {}, 0
    for before, after in sides.values():
        hashes = {it["hash"] for it in before} ^ {it["hash"] for it in after}
        if not (before and after and hashes):
            continue
        if len(before) == len(after) == 1:
            pair = before[0]["hash"], after[0]["hash"]
            pairs[pair] = causes(old, new, before[0], after[0], known)
        else:
            ambiguous += 1
    return pairs, ambiguous


def plain(cause: tuple[str | None, ...]) -> tuple[str | None, ...]:
    """A cause without its sides where the oracle does not tell them."""
    told = cause[0] in ("recipe", "version", "added", "removed", "replaced")
    return cause if told else (*cause[:2], None, None)
