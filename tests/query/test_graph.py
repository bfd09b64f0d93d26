"""Constraints on other nodes and on lists of values, in catalogs whose every spec is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.catalog.reader import open_catalog
from etl.catalog.sql_text import Parameters, all_of
from etl.query.find import Finder, Scope
from etl.query.search import Search
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.pages import read_pages
from etl.spack.syntax import parse_spec
from tests.sites import hash_of, item, page, write_site
from tests.small_catalogs import SECOND, build, node, record, write_indexes

SUM, OTHER = "a" * 64, "b" * 64


def needing(name: str, number: int, *virtuals: str) -> dict[str, object]:
    purpose = {"deptypes": ["build", "link"], "virtuals": [*virtuals]}
    return {"name": name, "hash": hash_of(number), "parameters": purpose}


def needing_to_build(name: str, number: int) -> dict[str, object]:
    purpose = {"deptypes": ["build"], "virtuals": []}
    return {"name": name, "hash": hash_of(number), "parameters": purpose}


def needing_to_test(name: str, number: int) -> dict[str, object]:
    purpose = {"deptypes": ["test"], "virtuals": []}
    return {"name": name, "hash": hash_of(number), "parameters": purpose}


NODES = {
    1: node("lib", "1", parameters={"libs": ["a", "b"]}),
    2: node("lib", "2", parameters={"libs": ["a"]}),
    3: node("gcc", "12"),
    4: node("llvm", "18"),
    5: node("app", "1", dependencies=[needing("lib", 1), needing("gcc", 3, "c")]),
    6: node("app", "2", dependencies=[needing("lib", 2), needing("llvm", 4, "c")]),
    7: node("other", "1", dependencies=[needing("gcc", 3, "cxx")]),
    8: node("fixed", "1", parameters={"patches": [SUM]}, patches=[SUM]),
    9: node("fixed", "2", parameters={"patches": [SUM, OTHER]}, patches=[SUM, OTHER]),
    10: node("tool", "git.main=2", dependencies=[needing("gcc", 3, "c")]),
    11: node("tool", "git.old=2", dependencies=[needing("llvm", 4, "c")]),
    12: node("top", "1", dependencies=[needing_to_build("tool", 10)]),
    13: node("top", "2", dependencies=[needing_to_build("tool", 11)]),
    14: node("top", "3", dependencies=[needing_to_test("tool", 10), needing_to_build("tool", 11)]),
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graph")
    specs = {hash_of(number): record(it) for number, it in NODES.items()}
    indexes = write_indexes(folder / "indexes", {(SECOND, "e4s"): specs})
    return build(folder / "catalog.db", read_build_caches(indexes))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        # On every node that has the variant: one of the values, or exactly these.
        ("app libs==a", {5, 6}),
        ("app libs:==a", {6}),
        ("app libs:==a,b", {5}),
        ("app libs==b", {5}),
        # A patch is named by the beginning of its sum, where others may be there as well.
        (f"fixed patches={SUM[:7]}", {8, 9}),
        (f"fixed patches={OTHER}", {9}),
        (f"fixed patches:={SUM}", {8}),
        (f"fixed patches:={SUM},{OTHER}", {9}),
        (f"fixed patches:={OTHER}", set()),
        # What provides one of the virtual packages over this edge, and the named one over any.
        ("app %c", {5, 6}),
        ("app %[virtuals=c] cxx", {5}),
        ("other %[virtuals=c] cxx", {7}),
        ("app %cxx", set()),
        (f"lib/{hash_of(1)}", {1}),
        (f"app ^lib/{hash_of(2)}", {6}),
        # A reference stands for each version that is said to be of it.
        ("tool@git.main", {10}),
        ("tool@git.main=2", {10}),
        ("tool@git.mai", set()),
        ("tool@2", {10, 11}),
        # What only builds a spec is below it, and has its own compiler; of two the first counts.
        ("top ^tool %gcc", {12, 14}),
        ("top ^tool %llvm", {13}),
    ],
)
def test_what_is_found(catalog: Path, spec: str, expected: set[int]) -> None:
    assert found(catalog, spec) == expected


def found(catalog: Path, spec: str) -> set[int]:
    """The numbers of the specs that are found, which wide conditions find as well."""
    numbers = {hash_of(number): number for number in range(20)}
    with open_catalog(catalog) as db:
        finder, parameters = Finder(db), Parameters()
        query = parse_spec(spec)
        hashes = {it[0] for it in finder.rows(finder.specs([query]))}
        tests = Search(db).wide([query], Scope(), parameters)
        sql = f"SELECT hash FROM specs WHERE {all_of(tests)}"
        assert {it[0] for it in db.execute(sql, parameters.values)} == hashes
    return {numbers[str(it)] for it in hashes}


def test_of_an_old_compiler_name_and_version_are_all_that_is_known(tmp_path: Path) -> None:
    old = {"original_specfile_version": 4, "compiler": "gcc@=12"}
    nodes = {
        1: node("gcc", "12", parameters={"x": True}),
        2: node("app", "1", dependencies=[needing("gcc", 1, "c")]),
        3: node("app", "2", annotations=old),
    }
    specs = {hash_of(number): record(it) for number, it in nodes.items()}
    indexes = write_indexes(tmp_path / "indexes", {(SECOND, "e4s"): specs})
    catalog = build(tmp_path / "catalog.db", read_build_caches(indexes))
    asked = ("app %gcc", "app %gcc@12", "app %gcc+x", "app %gcc target=x86_64_v3", "app %gcc@11")
    assert [found(catalog, spec) for spec in asked] == [{2, 3}, {2, 3}, {2}, {2}, set()]


def test_no_compiler_is_none_to_be_asked_for(tmp_path: Path) -> None:
    items = [item(1, compiler="none"), item(2, compiler="gcc@12.2.0")]
    site = write_site(tmp_path / "site", {"specs.md": page("v1", "a", items)})
    catalog = build(tmp_path / "catalog.db", read_pages(site))
    with open_catalog(catalog) as db:
        finder = Finder(db)
        found = {
            spec: [row[3] for row in finder.rows(finder.binaries([parse_spec(spec)], Scope("v1")))]
            for spec in ("a%none", "a%gcc", "a% *")
        }
    assert found == {"a%none": [], "a%gcc": [hash_of(2)], "a% *": [hash_of(2)]}
