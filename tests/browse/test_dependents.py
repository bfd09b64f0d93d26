"""What depends on a package in a tag, held against a walk over all edges."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.browse import dependents as module
from etl.browse.dependents import dependents
from etl.browse.virtual import provided_by, virtual_facts
from etl.catalog.asking import NotHereError
from etl.catalog.reader import open_catalog
from etl.spack.tokens import SpecSyntaxError

TAG = "v2025.07.0"


@pytest.fixture
def db(sample_catalog: Path) -> Iterator[sqlite3.Connection]:
    with open_catalog(sample_catalog) as connection:
        yield connection


def edges(db: sqlite3.Connection) -> list[tuple[int, int, bool]]:
    sql = "SELECT parent_id, child_id, deptypes FROM dependencies"
    return [
        (parent, child, bool({"link", "run"} & set(kinds.replace(",", " ").split())))
        for parent, child, kinds in db.execute(sql)
    ]


def binaries_of(db: sqlite3.Connection, tag: str) -> dict[int, str]:
    """The package of each spec that has a binary in a tag."""
    sql = """
        SELECT specs.id, binary_list.package FROM binary_list
        JOIN specs ON specs.hash = binary_list.hash WHERE tag = ?
    """
    return dict(db.execute(sql, (tag,)).fetchall())


def specs_of(db: sqlite3.Connection, package: str, version: str = "%") -> set[int]:
    sql = """
        SELECT specs.id FROM specs JOIN packages ON packages.id = specs.package_id
        LEFT JOIN versions ON versions.id = version_id
        WHERE name = ? AND ifnull(version, '') LIKE ?
    """
    return {id_ for (id_,) in db.execute(sql, (package, version))}


@pytest.mark.parametrize(
    ("package", "version", "pattern"),
    [
        ("zlib-ng", None, "%"),
        ("zlib-ng", "2.2.4", "2.2.4%"),
        ("zlib-ng", "9", "9"),
        ("cmake", None, "%"),
        ("openmpi", None, "%"),
        ("gcc-runtime", None, "%"),
        ("glibc", None, "%"),
    ],
)
def test_dependents(
    db: sqlite3.Connection, package: str, version: str | None, pattern: str
) -> None:
    here, wanted = binaries_of(db, TAG), specs_of(db, package, pattern)
    graph = edges(db)
    to_run = {parent for parent, child, runs in graph if child in wanted and runs}
    every = {parent for parent, child, _ in graph if child in wanted}
    found = dependents(db, package, TAG, version)
    counted = Counter(here[it] for it in to_run if it in here)
    building = Counter(here[it] for it in every - to_run if it in here)
    assert {row["package"]: (row["to_run"], row["to_build"]) for row in found.direct.rows} == {
        name: (counted[name], building[name]) for name in counted.keys() | building.keys()
    }
    above, todo = set(to_run), list(to_run)
    while todo:
        child = todo.pop()
        new = {parent for parent, below, runs in graph if below == child and runs} - above
        above |= new
        todo += new
    assert {row["package"]: row["binaries"] for row in found.all.rows} == Counter(
        here[it] for it in above if it in here
    )
    assert found.complete
    for listed in (found.direct, found.all):
        assert db.execute(listed.sql).fetchall() == [tuple(row.values()) for row in listed.rows]


def test_in_the_newest_tag_that_tells_it(db: sqlite3.Connection) -> None:
    assert dependents(db, "zlib-ng").tag == "develop-2025-07-20"
    assert {row["tag"] for row in dependents(db, "zlib-ng").tags} == {
        tag for (tag,) in db.execute("SELECT name FROM tags WHERE described > 0")
    }


def test_too_many_to_look_at_are_said_to_be_more(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = dependents(db, "glibc", TAG)
    monkeypatch.setattr(module, "MOST", 5)
    some = dependents(db, "glibc", TAG)
    assert (whole.complete, some.complete) == (True, False)
    assert some.all.total < whole.all.total


def test_what_is_not_there(db: sqlite3.Connection) -> None:
    with pytest.raises(NotHereError) as raised:
        dependents(db, "zlib-nh", TAG)
    assert "zlib-ng" in raised.value.near
    with pytest.raises(NotHereError):
        dependents(db, "zlib-ng", "v9")
    with pytest.raises(SpecSyntaxError):
        dependents(db, "zlib-ng", TAG, "@@")


def test_the_providers_of_a_virtual_package(db: sqlite3.Connection) -> None:
    for virtual in ("mpi", "zlib-api", "c"):
        counted: Counter[str] = Counter()
        for virtuals, package in db.execute(
            "SELECT dependencies.virtuals, packages.name FROM dependencies"
            " JOIN specs ON specs.id = child_id JOIN packages ON packages.id = package_id"
        ):
            counted[package] += virtual in virtuals.split()
        expected = {package: count for package, count in counted.items() if count}
        assert expected
        facts = virtual_facts(db, virtual)
        assert {row["package"]: row["dependents"] for row in facts.providers.rows} == expected
        for package in expected:
            assert virtual in provided_by(db, package)
    with pytest.raises(NotHereError):
        virtual_facts(db, "zlib-ng")
