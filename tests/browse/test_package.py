"""What the page of a package says: its versions over tags, and the binaries that are chosen."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from etl.browse.facets import count_values, count_variants, values_of, variant_name
from etl.browse.package import Chosen, PackageFacts, package_facts
from etl.catalog.asking import NotHereError
from etl.catalog.reader import open_catalog
from etl.errors import CatalogError
from tests.sites import hash_of
from tests.small_catalogs import DEVELOP, FIRST, RELEASE, SECOND, graph_catalog, history_catalog

MEAN = "in this catalog; did you mean"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return history_catalog(tmp_path_factory.mktemp("history"))


@pytest.fixture
def db(catalog: Path) -> Iterator[sqlite3.Connection]:
    with open_catalog(catalog) as opened:
        yield opened


@pytest.fixture
def sample(sample_catalog: Path) -> Iterator[sqlite3.Connection]:
    with open_catalog(sample_catalog) as opened:
        yield opened


def run(catalog: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(catalog)) as db:
        return db.execute(sql).fetchall()


def chosen_by(tag: str, facet: str, value: str) -> Chosen:
    one: dict[str, Any] = {facet: value}
    return Chosen(tag, **one)


def hashes(facts: PackageFacts) -> list[str]:
    return [row["hash"] for row in facts.found.rows]


def test_a_package(db: sqlite3.Connection) -> None:
    facts = package_facts(db, "tool", Chosen())
    assert facts.package == {
        "package": "tool",
        "description": None,
        "homepage": None,
        "licenses": None,
        "versions": 4,
        "specs": 6,
        "binaries": 7,
        "tags": 3,
        "sized": 1,
        "size": 2_500_000,
        "gone": 0,
        "newest_version": "develop",
        "first_tag": RELEASE,
        "last_tag": SECOND,
    }
    assert facts.tag == SECOND  # not the newest of all, which has nothing of it
    assert [tuple(row.values()) for row in facts.tags] == [
        (SECOND, "2025-01-12", 4, 3, 1, 2_500_000, "develop"),
        (FIRST, "2025-01-05", 2, 2, 1, 2_500_000, "1.10"),
        (RELEASE, "2022-05-28", 1, 1, 0, None, "1.9"),
    ]


def test_versions_and_tags_are_in_the_order_of_spack_and_of_time(
    db: sqlite3.Connection, catalog: Path
) -> None:
    history = package_facts(db, "tool", Chosen(FIRST, variants=("+nothing",))).history
    rows = [(row["version"], row["tag"], row["binaries"]) for row in history.rows]
    assert rows == [
        ("develop", SECOND, 1),
        ("1.10", SECOND, 2),
        ("1.10", FIRST, 1),
        ("1.10-rc1", SECOND, 1),
        ("1.9", FIRST, 1),
        ("1.9", RELEASE, 1),
    ]
    assert [(it[0], it[1], it[3]) for it in run(catalog, history.sql)] == rows
    assert history.total == 6


def test_since_when_and_until_when_there_is_each_version(
    db: sqlite3.Connection, catalog: Path
) -> None:
    versions = package_facts(db, "tool", Chosen()).versions
    rows = [
        ("develop", SECOND, SECOND, 1, 1),
        ("1.10", FIRST, SECOND, 2, 3),
        ("1.10-rc1", SECOND, SECOND, 1, 1),
        ("1.9", RELEASE, FIRST, 2, 2),
    ]
    assert [tuple(row.values()) for row in versions.rows] == rows == run(catalog, versions.sql)


def test_its_binaries_in_the_newest_tag_that_has_it(db: sqlite3.Connection) -> None:
    facts = package_facts(db, "tool", Chosen())
    assert hashes(facts) == [hash_of(5), hash_of(4), hash_of(3), hash_of(6)]
    assert facts.found.common == {
        "tag": SECOND,
        "package": "tool",
        "platform": "linux",
        "variants": "build_system=cmake",
        "published": "",
        "cache": "",
    }
    assert facts.found.columns == (
        "version", "hash", "compiler", "os", "target", "variants", "stacks", "size",
    )  # fmt: skip
    assert facts.found.differing == (
        "~ipo libs:=shared,static",
        "+ipo libs:=shared",
        "~ipo libs:=shared,static",
        "~ipo",
    )
    assert facts.choices == {
        "version": [("1.10", 2), ("1.10-rc1", 1), ("develop", 1)],
        "compiler": [("gcc@11.4.0", 3), ("intel-oneapi-compilers@2024.2.1", 1)],
        "os": [("ubuntu22.04", 3), ("rhel8", 1)],
        "target": [("x86_64_v3", 3), ("zen4", 1)],
        "stacks": [("e4s", 4), ("root", 4), ("hep", 1)],
    }
    assert facts.all_choices == {
        "version": ["develop", "1.10", "1.10-rc1"],
        "compiler": ["gcc@11.4.0", "intel-oneapi-compilers@2024.2.1"],
        "os": ["rhel8", "ubuntu22.04"],
        "target": ["x86_64_v3", "zen4"],
        "stacks": ["e4s", "hep", "root"],
    }
    assert facts.variants == {
        "build_system": [("build_system=cmake", 4)],
        "ipo": [("~ipo", 3), ("+ipo", 1)],
        "libs": [("libs:=shared,static", 2), ("libs:=shared", 1)],
    }
    assert facts.install == (
        f"spack mirror add {SECOND} https://binaries.spack.io/{SECOND}",
        "spack buildcache keys --install --trust",
        "# tool@develop for linux-ubuntu22.04-zen4, intel-oneapi-compilers@2024.2.1",
        f"spack install --cache-only tool/{hash_of(5)}",
    )


@pytest.mark.parametrize(
    ("chosen", "spec", "numbers"),
    [
        (Chosen(FIRST), "tool", [3, 2]),
        (Chosen(version="1.10"), "tool@=1.10", [4, 3]),
        (Chosen(version="1.1"), "tool@=1.1", []),
        (Chosen(os="rhel8"), "tool os=rhel8", [6]),
        (Chosen(target="zen4"), "tool target=zen4", [5]),
        (Chosen(target=":x86_64_v3"), "tool target=:x86_64_v3", [4, 3, 6]),
        (Chosen(runs_on="zen4"), "tool", [5, 4, 3, 6]),
        (Chosen(runs_on="zen3"), "tool", [4, 3, 6]),
        (Chosen(runs_on="neoverse_v2"), "tool", []),
        (Chosen(compiler="gcc@11.4.0"), "tool", [4, 3, 6]),
        (Chosen(stacks="hep"), "tool", [3]),
        (Chosen(variants=("~ipo",)), "tool ~ipo", [5, 3, 6]),
        (Chosen(variants=("~ipo", "libs=static")), "tool ~ipo libs=static", [5, 3]),
        (Chosen(variants=("~ipo", "libs=nothing")), "tool ~ipo libs=nothing", []),
        (
            Chosen(FIRST, "1.10", "gcc@11.4.0", "ubuntu22.04", "x86_64_v3", "zen4", "e4s",
                   ("~ipo", "libs:=shared,static")),
            "tool@=1.10 ~ipo libs:=shared,static os=ubuntu22.04 target=x86_64_v3",
            [3],
        ),
        (
            Chosen(None, "1.10", "gcc@11.4.0", "ubuntu22.04", "x86_64_v3", "zen4", "hep",
                   ("+ipo",)),
            "tool@=1.10 +ipo os=ubuntu22.04 target=x86_64_v3",
            [],
        ),
    ],
)  # fmt: skip
def test_what_is_chosen_is_left(
    db: sqlite3.Connection, catalog: Path, chosen: Chosen, spec: str, numbers: list[int]
) -> None:
    facts = package_facts(db, "tool", chosen)
    assert facts.spec == spec
    assert hashes(facts) == [hash_of(number) for number in numbers]
    assert [it[3] for it in run(catalog, facts.sql)] == hashes(facts)
    assert facts.all_choices == package_facts(db, "tool", Chosen(chosen.tag)).all_choices
    assert bool(facts.install) == bool(numbers)
    if numbers:
        assert facts.install[-1] == f"spack install --cache-only tool/{hash_of(numbers[0])}"


def test_all_that_is_chosen_in_the_sample_agrees_with_a_plain_filter(
    sample: sqlite3.Connection,
) -> None:
    tag = "v2025.07.0"
    every = package_facts(sample, "hdf5", Chosen(tag))
    for facet, values in every.all_choices.items():
        for value in values:
            facts = package_facts(sample, "hdf5", chosen_by(tag, facet, value))
            expected = [row["hash"] for row in every.found.rows if value in values_of(row, facet)]
            assert hashes(facts) == expected, (facet, value)
            assert len(expected) == dict(every.choices[facet])[value]
    for forms in every.variants.values():
        for text, number in forms:
            assert (
                len(hashes(package_facts(sample, "hdf5", Chosen(tag, variants=(text,))))) == number
            )


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (Chosen(os="ubuntu22.4"), f"no operating system ubuntu22.4 {MEAN} ubuntu22.04?"),
        (Chosen(target="zen44"), f"no target zen44 {MEAN} zen4 or zen or zen6?"),
        (Chosen(runs_on="zen44"), f"no target zen44 {MEAN} zen4 or zen or zen6?"),
        (Chosen(compiler="gcc@11.4"), f"no compiler gcc@11.4 {MEAN} gcc@11.4.0?"),
        (Chosen(stacks="e4"), f"no stack e4 {MEAN} e4s?"),
        (Chosen(variants=("ipo",)), "expected a single spec; a second one begins here"),
        (Chosen(variants=("+ipo", "~ipo")), "variant ipo is given twice"),
        (Chosen(variants=("/abc",) * 2), "expected a single spec"),
        (Chosen(variants=("^lib",)), "dependencies are not in this catalog"),
        (Chosen(version="1 2"), "expected a single spec; a second one begins here"),
        (Chosen(version="@"), "expected"),
        (Chosen(os="x" * 10_000), f"no operating system {'x' * 10_000} in this catalog"),
    ],
)  # fmt: skip
def test_what_cannot_be_chosen(db: sqlite3.Connection, chosen: Chosen, message: str) -> None:
    with pytest.raises(CatalogError, match=f"^{re.escape(message)}"):
        package_facts(db, "tool", chosen)


@pytest.mark.parametrize(
    ("name", "tag", "error"),
    [
        ("too", None, ("package", "too", ("tool",))),
        ("TOOL", None, ("package", "TOOL", ("tool",))),
        ("tool", DEVELOP, ("tool in the tag", DEVELOP, (SECOND, FIRST, RELEASE))),
        ("tool", "nope", ("tool in the tag", "nope", (SECOND, FIRST, RELEASE))),
    ],
)
def test_what_is_not_there(
    db: sqlite3.Connection, name: str, tag: str | None, error: tuple[object, ...]
) -> None:
    with pytest.raises(NotHereError) as raised:
        package_facts(db, name, Chosen(tag))
    assert (raised.value.kind, raised.value.name, raised.value.near) == error


def test_pages_do_not_tell_dependencies(db: sqlite3.Connection) -> None:
    facts = package_facts(db, "tool", Chosen())
    assert (facts.dependencies.total, facts.dependents.total) == (0, 0)


def test_what_packages_need_each_other(tmp_path: Path) -> None:
    needs = {"app": ["lib", "sys"], "app2": ["lib"], "lib": ["sys"], "sys": []}
    catalog = graph_catalog(tmp_path, needs, "sys")
    with open_catalog(catalog) as db:
        lib = package_facts(db, "lib", Chosen())
        assert lib.dependencies.rows == ({"package": "sys", "specs": 1, "link": 1},)
        assert [row["package"] for row in lib.dependents.rows] == ["app", "app2"]
        for found in (lib.dependencies, lib.dependents):
            assert [it[0] for it in run(catalog, found.sql)] == [it["package"] for it in found.rows]
        sys = package_facts(db, "sys", Chosen(os="ubuntu22.04"))
        assert (sys.tag, sys.tags, sys.found.rows, sys.install, sys.sql) == (None, (), (), (), "")
        assert [row["package"] for row in sys.dependents.rows] == ["app", "lib"]
        with pytest.raises(NotHereError):
            package_facts(db, "sys", Chosen(SECOND))


def test_counting_what_binaries_differ_in() -> None:
    rows = [
        {"variants": "+mpi note='a b' x=1", "stacks": "e4s root", "os": "rhel8"},
        {"variants": "~mpi note='a b'", "stacks": "root", "os": "rhel8"},
        {"variants": "", "stacks": "", "os": "rhel9"},
    ]
    assert count_values(rows, "stacks") == [("root", 2), ("e4s", 1)]
    assert count_values(rows, "os") == [("rhel8", 2), ("rhel9", 1)]
    assert count_values(rows, "variants") == [
        ("note='a b'", 2),
        ("+mpi", 1),
        ("x=1", 1),
        ("~mpi", 1),
    ]
    assert count_variants(rows) == {
        "mpi": [("+mpi", 1), ("~mpi", 1)],
        "note": [("note='a b'", 2)],
        "x": [("x=1", 1)],
    }


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("+mpi", "mpi"),
        ("~~mpi", "mpi"),
        ("-mpi", "mpi"),
        ("cuda_arch:=80,90", "cuda_arch"),
        ("a==b", "a"),
        ("a:==b=c", "a"),
        ("nothing", "nothing"),
        ("", ""),
    ],
)
def test_the_name_of_a_variant(text: str, name: str) -> None:
    assert variant_name(text) == name
