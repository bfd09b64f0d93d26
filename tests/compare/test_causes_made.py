"""Changes of every kind made to a real index: the causes are those that were made."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.catalog.reader import open_catalog
from etl.compare.causes import Causes
from etl.compare.graph import Edge, Node
from etl.compare.pairing import pairs
from etl.compare.rebuilt import Rebuilt, rebuilt
from etl.compare.rebuilt_files import as_json
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.selection import Selection
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.compare import index_changes
from tests.compare.index_changes import (
    Index,
    changed,
    edge,
    edge_to,
    of_package,
    plain,
    read_index,
    write_index,
)
from tests.real_data import unpacked

FOLDER = "rebuilds/packages-2025-11-25-to-2026-01-12"
BASE = "develop-2025-01-05"


def recipe(index: Index) -> None:
    of_package(index, "m4")["package_hash"] = "new===="


def recipe_and_patches(index: Index) -> None:
    spec = of_package(index, "berkeley-db")
    spec["package_hash"] = "new===="
    spec["patches"] = spec["patches"][::-1]


def patches(index: Index) -> None:
    spec = of_package(index, "berkeley-db")
    spec["patches"] = spec["patches"][::-1]


def other_patches(index: Index) -> None:
    spec = of_package(index, "berkeley-db")
    spec["patches"] = ["0" * 64, *spec["patches"]]
    spec["parameters"]["patches"] = sorted(spec["patches"])


def version_and_variants(index: Index) -> None:
    spec = of_package(index, "ncurses")
    spec["version"] = "9.9"
    spec["parameters"]["abi"] = "6"


def variants(index: Index) -> None:
    of_package(index, "ncurses")["parameters"]["termlib"] = False


def flags(index: Index) -> None:
    of_package(index, "zlib-ng")["parameters"]["cflags"] = ["-O3"]


def compiler(index: Index) -> None:
    gcc = of_package(index, "gcc")
    index["b" * 32] = newer = {**copy.deepcopy(gcc), "hash": "b" * 32, "version": "13.2.0"}
    for it in of_package(index, "zlib-ng")["dependencies"]:
        if it["hash"] == gcc["hash"]:
            it["hash"] = newer["hash"]


def target(index: Index) -> None:
    spec = of_package(index, "zlib-ng")
    spec["arch"] = {**spec["arch"], "target": "zen4"}


def all_targets(index: Index) -> None:
    for spec in index.values():
        spec["arch"] = {**spec["arch"], "target": "zen4"}


def external(index: Index) -> None:
    of_package(index, "glibc")["external"]["path"] = "/opt"


def external_details(index: Index) -> None:
    of_package(index, "gcc")["external"]["extra_attributes"] = {"compilers": {"c": "/usr/bin/cc"}}


def namespace(index: Index) -> None:
    of_package(index, "zlib-ng")["namespace"] = "acme"


def added(index: Index) -> None:
    zlib, pkgconf = of_package(index, "zlib-ng"), of_package(index, "pkgconf")
    zlib["dependencies"].append(edge(pkgconf, "link"))


def removed(index: Index) -> None:
    spec = of_package(index, "ncurses")
    spec["dependencies"].remove(edge_to(spec, "pkgconf"))


def replaced(index: Index) -> None:
    other = {**copy.deepcopy(of_package(index, "openmpi")), "name": "mpich", "hash": "b" * 32}
    index["b" * 32] = {**other, "version": "4.3.0"}
    for spec in index.values():
        for it in spec.get("dependencies", ()):
            if it["name"] == "openmpi":
                it.update(name="mpich", hash="b" * 32)


def edges(index: Index) -> None:
    it = edge_to(of_package(index, "ncurses"), "pkgconf")
    it["parameters"]["deptypes"] = ["build", "run"]


def split(index: Index) -> None:
    """Half of what needs zlib-ng needs a second build of it."""
    zlib = of_package(index, "zlib-ng")
    index["b" * 32] = {**copy.deepcopy(zlib), "hash": "b" * 32, "package_hash": "second===="}
    users = [
        it for spec in index.values() for it in spec.get("dependencies", ()) if
        it["name"] == "zlib-ng"
    ]  # fmt: skip
    for it in users[::2]:
        it["hash"] = "b" * 32


def both_builds(index: Index) -> None:
    """A second python, only to build with."""
    python = of_package(index, "python")
    index["b" * 32] = {**copy.deepcopy(python), "hash": "b" * 32, "version": "3.12.1"}
    of_package(index, "py-numpy")["dependencies"].append(edge(index["b" * 32], "build"))


def nothing_told(index: Index) -> None:
    of_package(index, "glibc")["annotations"] = {"original_specfile_version": 5, "other": "x"}


def several(index: Index) -> None:
    for change in (recipe, patches, version_and_variants, removed, external):
        change(index)


CHANGES = (
    recipe, recipe_and_patches, patches, other_patches, version_and_variants, variants, flags,
    compiler, target, all_targets, external, external_details, namespace, added, removed, replaced,
    edges, split, both_builds, nothing_told, several,
)  # fmt: skip


def tag_of(change: Callable[..., None]) -> str:
    return f"develop-2025-03-{CHANGES.index(change) + 1:02}"


@dataclass
class Made:
    """The catalog of an index and what was made of it."""

    catalog: Path
    base: Index
    indexes: dict[str, Index]


@pytest.fixture(scope="module")
def made(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("made")
    base = read_index(real_data / FOLDER / "old.json.gz")
    indexes = {tag_of(change): changed(base, change) for change in CHANGES}
    write_index(base, folder / BASE / "index.json.gz")
    for tag, index in indexes.items():
        write_index(index, folder / tag / "index.json.gz", frozenset({"m4", "zlib-ng"}))
    readings = [
        Reading(tag, read_build_caches(folder / tag / "index.json.gz", Selection(owner=tag)))
        for tag in (BASE, *indexes)
    ]
    build_catalog(readings, folder / "catalog.db")
    return Made(folder / "catalog.db", base, indexes)


def told(found: Rebuilt) -> dict[tuple[str, str], set[tuple[str | None, ...]]]:
    return {
        (it["old"], it["new"]): {plain(tuple(cause)) for cause in it["causes"]}
        for it in as_json(found)["rebuilt"]
    }


@pytest.mark.parametrize("change", CHANGES, ids=lambda it: str(it.__name__))
def test_the_causes_are_what_was_changed(made: Made, change: Callable[..., None]) -> None:
    tag = tag_of(change)
    with open_catalog(made.catalog) as db:
        there, back = rebuilt(db, BASE, tag), rebuilt(db, tag, BASE)
    for found, old, new in (
        (there, made.base, made.indexes[tag]),
        (back, made.indexes[tag], made.base),
    ):
        expected, ambiguous = index_changes.rebuilt(old, new)
        assert told(found) == expected
        assert found.ambiguous == ambiguous
    sums = there.with_one + there.with_several + len(there.unexplained)
    assert sums == len(there.rebuilds) == len({it.new for it in there.because_of("any")})
    listed = {
        it.new
        for count in there.by_cause
        for it in there.because_of(count.cause.kind + " " + count.cause.package)
    }
    assert listed == {it.new for it in there.rebuilds}


def test_what_is_made_is_told(made: Made) -> None:
    """The oracle and what it checks do not agree upon nothing."""
    with open_catalog(made.catalog) as db:
        kinds = {
            change.__name__: {
                (count.cause.kind, count.cause.package)
                for count in rebuilt(db, BASE, tag_of(change)).by_cause
            }
            for change in CHANGES
        }
    assert kinds == {
        "recipe": {("recipe", "m4")},
        "recipe_and_patches": {("recipe", "berkeley-db"), ("patches", "berkeley-db")},
        "patches": {("patches", "berkeley-db")},
        "other_patches": {("variants", "berkeley-db")},
        "version_and_variants": {("version", "ncurses")},
        "variants": {("variants", "ncurses")},
        "flags": {("variants", "zlib-ng")},
        "compiler": {("compiler", "zlib-ng")},
        "target": {("arch", "zlib-ng")},
        "all_targets": set(),
        "external": {("external", "glibc")},
        "external_details": {("external", "gcc")},
        "namespace": {("namespace", "zlib-ng")},
        "added": {("added", "pkgconf")},
        "removed": {("removed", "pkgconf")},
        "replaced": {("replaced", "mpi")},
        "edges": {("edge", "pkgconf")},
        "split": {("recipe", "zlib-ng")},
        "both_builds": {("added", "python")},
        "nothing_told": {("unknown", "glibc")},
        "several": {
            ("recipe", "m4"), ("patches", "berkeley-db"), ("version", "ncurses"),
            ("external", "glibc"),
        },
    }  # fmt: skip


def test_sides_of_causes(made: Made) -> None:
    """What each cause says it was and is."""

    def sides(change: Callable[..., None]) -> tuple[str | None, ...]:
        (count,) = rebuilt(db, BASE, tag_of(change)).by_cause
        return count.cause.old, count.cause.new

    made_version = of_package(made.base, "pkgconf")["version"]
    with open_catalog(made.catalog) as db:
        assert sides(version_and_variants) == ("6.5-20250705", "9.9")
        assert sides(variants) == ("+termlib", "~termlib")
        assert sides(flags) == ("", "cflags=-O3")
        assert sides(compiler) == ("gcc@12.2.0", "gcc@13.2.0")
        assert sides(external) == ("/usr", "/opt")
        assert sides(namespace) == ("builtin", "acme")
        assert sides(added) == (None, made_version)
        assert sides(edges) == ("build pkgconfig", "build run pkgconfig")
        assert sides(replaced) == ("openmpi@5.0.9", "mpich@4.3.0")
        before, after = sides(patches)
        assert [it[:4] for it in (before or "").split()] == ["b231", "2609"]
        assert (after or "").split() == (before or "").split()[::-1]


# Any changes at once, without a catalog.


def as_nodes(index: Index, numbers: dict[str, int]) -> list[Node]:
    nodes = []
    for hash_, spec in index.items():
        told_edges = [
            Edge(
                numbers.setdefault(it["hash"], len(numbers)),
                " ".join(it["parameters"]["deptypes"]),
                " ".join(it["parameters"]["virtuals"]),
            )
            for it in spec.get("dependencies", ())
        ]
        compilers = [
            f"{it['name']}@{index[it['hash']]['version']}"
            for it in spec.get("dependencies", ())
            if {"c", "cxx", "fortran"} & {*it["parameters"]["virtuals"]}
        ]
        nodes.append(
            Node(
                numbers.setdefault(hash_, len(numbers)), hash_, spec["name"], spec["namespace"],
                spec["version"], tuple(f"{k}={v}" for k, v in sorted(spec["parameters"].items())),
                str(spec["arch"]), tuple(sorted(compilers)), str(spec.get("external")),
                spec["package_hash"], tuple(told_edges), " ".join(spec.get("patches", ())),
            )
        )  # fmt: skip
    return nodes


REAL = read_index(unpacked() / FOLDER / "old.json.gz")


def anything(numbers: random.Random, index: Index) -> None:
    """One of many changes to a spec."""
    spec = index[numbers.choice(sorted(index))]
    needs = spec.get("dependencies", [])
    kind = numbers.randrange(8)
    if kind == 0:
        spec["package_hash"] = f"{numbers.randrange(5)}===="
    elif kind == 1:
        spec["version"] += ".1"
    elif kind == 2:
        spec["parameters"]["made"] = numbers.randrange(3)
    elif kind == 3 and needs:
        needs.pop(numbers.randrange(len(needs)))
    elif kind == 4 and needs:
        numbers.choice(needs)["parameters"]["deptypes"] = ["link", "run"]
    elif kind == 5:  # another build of it, which some of its dependents take, or take as well
        key = f"{len(index):032d}"  # of its own, whatever the numbers are
        index[key] = {**copy.deepcopy(spec), "hash": key, "version": numbers.choice(["7", "8"])}
        for other in [*index.values()]:
            for it in [*other.get("dependencies", ())]:
                if it["hash"] == spec["hash"] and numbers.random() < 0.5:
                    if numbers.random() < 0.5:
                        it["hash"] = key
                    else:
                        other["dependencies"].append({**copy.deepcopy(it), "hash": key})
    elif kind == 6 and needs:  # the other provider of what it provides
        it = numbers.choice(needs)
        key = f"{len(index):032d}"  # of its own, whatever the numbers are
        index[key] = {**copy.deepcopy(index[it["hash"]]), "hash": key, "name": f"{it['name']}2"}
        it.update(hash=key, name=f"{it['name']}2")
    else:
        spec["arch"] = {**spec["arch"], "target": "zen4"}


@settings(deadline=None, max_examples=25)
@given(st.randoms(use_true_random=False), st.integers(1, 6), st.integers(0, 3))
def test_any_changes(numbers: random.Random, after: int, before: int) -> None:
    def of(number: int) -> Index:
        def change(index: Index) -> None:
            for _ in range(number):
                anything(numbers, index)

        return changed(REAL, change)

    old, new = of(before), of(after)
    keys: dict[str, int] = {}
    olds, news = as_nodes(old, keys), as_nodes(new, keys)
    known = {it.key: it for it in (*olds, *news)}
    same = old.keys() & new.keys()
    left, right = ([it for it in side if it.hash not in same] for side in (olds, news))
    found, ambiguous = pairs(left, right, [it for it in news if it.hash in same])
    causes = Causes(known.get)
    told_causes = {
        (one.hash, two.hash): {plain(tuple(it.to_json())) for it in causes.of(one, two)}
        for one, two in found
    }
    assert (told_causes, ambiguous) == index_changes.rebuilt(old, new)
