from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from etl.catalog.reader import open_catalog
from etl.query.find import Scope
from etl.query.near_misses import NearMiss, Reason, Suggestion, Unknown, near_misses
from etl.records import Dependency, Record, Source
from etl.sources.named import Asked, with_name
from etl.sources.pages import read_pages
from etl.spack.syntax import parse_spec
from tests.sites import hash_of, item, page, place_of, write_site
from tests.small_catalogs import build
from tests.weekly import BUCKET, mirror, spec

RELEASE = "v2025.07.0"


def misses(catalog: Path, spec: str, scope: Scope) -> list[Reason]:
    with open_catalog(catalog) as db:
        return list(near_misses(db, parse_spec(spec), scope))


def test_what_there_is_instead_of_an_operating_system(sample_catalog: Path) -> None:
    assert misses(sample_catalog, "hdf5 +mpi os=debian12", Scope(RELEASE)) == [
        NearMiss(
            "os=debian12", (10, 21), 14, (("ubuntu22.04", 10), ("amzn2", 2), ("ubuntu24.04", 2))
        )
    ]


def test_what_there_is_instead_of_a_variant(sample_catalog: Path) -> None:
    found = misses(sample_catalog, "zlib-ng +shared ~pic", Scope("develop-2025-07-20"))
    assert found == [NearMiss("~pic", (16, 20), 2, (("+pic", 2),))]


def test_an_option_in_the_way(sample_catalog: Path) -> None:
    scope = Scope("develop-2025-07-20", stack="e4s")
    assert misses(sample_catalog, "zlib-ng+shared", scope) == [
        NearMiss("--stack e4s", None, 2, (("root", 2), ("build_systems", 1), ("tutorial", 1))),
        NearMiss("--tag develop-2025-07-20", None, 1, (("v2025.07.0", 1),), specs=True),
    ]


TAG = "develop-2025-07-20"


@pytest.mark.parametrize(
    ("spec", "scope", "expected"),
    [
        ("zlib-ng ^nothing", Scope(TAG), NearMiss("^nothing", (8, 16), 3)),
        (
            "* +mpi os=debian12",  # any package is no name that could be unknown
            Scope(TAG),
            NearMiss("os=debian12", (7, 18), 1, (("ubuntu22.04", 1),)),
        ),
        ("hdf5 cflags=-O9", Scope(TAG), NearMiss("cflags=-O9", (5, 15), 2)),
        ("hdf5 namespace=acme", Scope(TAG), NearMiss("namespace=acme", (5, 19), 2)),
        ("hdf5 /abc", Scope(TAG), NearMiss("/abc", (5, 9), 2)),
        (
            "hdf5 platform=darwin",
            Scope(TAG),
            NearMiss("platform=darwin", (5, 20), 2, (("linux", 2),)),
        ),
        (
            "hdf5",
            Scope(TAG, os="debian12"),
            NearMiss("os=debian12", None, 2, (("ubuntu22.04", 2),)),
        ),
        (
            "hdf5",
            Scope(TAG, runs_on="power9le"),
            NearMiss("--runs-on power9le", None, 2, (("x86_64_v3", 2),)),
        ),
    ],
)
def test_each_kind_of_constraint_in_the_way(
    sample_catalog: Path, spec: str, scope: Scope, expected: NearMiss
) -> None:
    assert misses(sample_catalog, spec, scope)[0] == expected


def test_several_constraints_of_no_package_in_particular(sample_catalog: Path) -> None:
    assert misses(sample_catalog, "os=debian12 target=power9le", Scope(TAG)) == []


def test_several_constraints_in_the_way(sample_catalog: Path) -> None:
    found = misses(sample_catalog, "zlib-ng ~pic target=zen4", Scope("develop-2025-07-20"))
    assert found == [NearMiss("everything but zlib-ng", None, 3)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            "hdf6 +mpi",
            Suggestion("package", "hdf6", (0, 4), ("hdf5",)),
        ),
        (
            "hdf5 +mpii",
            Suggestion("variant of hdf5 called", "mpii", (5, 10), ("mpi",)),
        ),
        (
            "hdf5 os=ubuntu22.4",
            Suggestion("operating system", "ubuntu22.4", (5, 18), ("ubuntu22.04",)),
        ),
        (
            "hdf5 target=x86_64_v33",
            Suggestion("target", "x86_64_v33", (5, 22), ("x86_64_v3",)),
        ),
    ],
)
def test_names_that_are_unknown(sample_catalog: Path, spec: str, expected: Suggestion) -> None:
    first = misses(sample_catalog, spec, Scope())[0]
    assert isinstance(first, Suggestion)
    assert (first.what, first.name, first.near[0]) == (
        expected.what,
        expected.name,
        expected.near[0],
    )
    assert str(first).startswith(f"no {expected.what} {expected.name} in this catalog; did you")


def test_nothing_near(sample_catalog: Path) -> None:
    assert misses(sample_catalog, "qqqqqqqqqqqqq", Scope()) == [
        Suggestion("package", "qqqqqqqqqqqqq", (0, 13), ())
    ]


def test_dependencies_that_are_not_known(sample_catalog: Path) -> None:
    first, *_ = misses(sample_catalog, "hdf5 ^openmpi@99", Scope(RELEASE))
    assert isinstance(first, Unknown)
    assert first.of == 532
    assert 0 < first.binaries < 532
    assert str(first).startswith(f"the dependencies of {first.binaries} of the 532 binaries there")


def test_sentences() -> None:
    assert str(NearMiss("+mpi", (5, 9), 12, (("~mpi", 12),))) == (
        "without +mpi: 12 binaries; available: ~mpi (12)"
    )
    assert str(NearMiss("^mpi", (5, 9), 1)) == "without ^mpi: 1 binary"
    assert str(NearMiss("+mpi", (5, 9), 1000)) == "without +mpi: 1,000 binaries"
    assert str(NearMiss("+mpi", None, 1, specs=True)) == "without +mpi: 1 spec"
    assert str(NearMiss("+mpi", None, 2, specs=True)) == "without +mpi: 2 specs"
    assert str(Unknown(2, 1000)) == (
        "the dependencies of 2 of the 1,000 binaries there are unknown:"
        " they were read from pages, which do not list them"
    )
    without = NearMiss("%gcc", None, 3, (("none", 2), ("llvm@19.1.7", 1)))
    assert str(without) == "without %gcc: 3 binaries; available: no compiler (2), llvm@19.1.7 (1)"


def test_dependencies_that_are_unknown_are_those_of_the_cache(tmp_path: Path) -> None:
    files = {place_of("develop", "tool-1"): page("develop", "tool-1", [item(8), item(9)])}
    pages = read_pages(write_site(tmp_path / "site", files))
    needs = (Dependency(hash_of(2), "tool-2", ("link",), ()),)
    cache = replace(mirror("develop", "e4s", 1, 2), specs=(spec(1, dependencies=needs), spec(2)))
    indexes: list[Record] = [Source("build cache", BUCKET), cache]
    catalog = build(
        tmp_path / "catalog.db",
        with_name(Asked(str(tmp_path / "site"), "pages"), pages),
        with_name(Asked(BUCKET, "indexes"), indexes),
    )
    for scope, unknown in (
        (Scope(), [Unknown(2, 4)]),
        (Scope(cache="pages"), [Unknown(2, 2)]),
        (Scope(cache="indexes"), []),
        (Scope("indexes:develop"), []),
    ):
        found = misses(catalog, "tool-1 ^tool-3", scope)
        assert [it for it in found if isinstance(it, Unknown)] == unknown
