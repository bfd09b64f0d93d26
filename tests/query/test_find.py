"""A query finds what Spack 1.1.0 says satisfies it, and in few steps."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from etl.catalog.reader import open_catalog
from etl.catalog.sql_text import Parameters, all_of, inline
from etl.query.find import COLUMNS, Finder, Scope, UnanswerableError
from etl.query.search import Search
from etl.sources.build_caches.mirror import read_build_caches
from etl.spack.syntax import parse_spec
from etl.spack.tokens import SpecSyntaxError
from etl.spack.versions import sort_key
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.sites import build, hash_of, item, page, place_of, write_site
from tests.small_catalogs import FIRST, THIRD, three_tags_of_caches
from tests.weekly import three_weeks

LARGE_TABLES = frozenset(
    {"specs", "binaries", "versions", "variant_set_members", "dependencies", "spec_flags"}
)


@pytest.fixture(scope="module")
def release(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog of the release whose specs Spack was asked about."""
    target = tmp_path_factory.mktemp("release") / "catalog.db"
    build_catalog([Reading("indexes", read_build_caches(real_data / "indexes"))], target)
    return target


def test_the_answers_of_spack(real_data: Path, release: Path) -> None:
    recorded = json.loads((real_data / "conformance" / "spec_queries.json").read_text())
    universe = set(recorded["universe"])
    wrong = {}
    with open_catalog(release) as db:
        finder = Finder(db)
        for answer in recorded["queries"]:
            query = parse_spec(answer["query"])
            found = {hash_ for (hash_,) in finder.rows(finder.specs([query]))} & universe
            if found != set(answer["hashes"]):
                wrong[answer["query"]] = found ^ set(answer["hashes"])
    assert wrong == {}
    assert len(recorded["queries"]) > 300


def test_what_spack_refuses(real_data: Path) -> None:
    recorded = json.loads((real_data / "conformance" / "spec_queries.json").read_text())
    for refused in recorded["rejected"]:
        with pytest.raises(SpecSyntaxError):
            parse_spec(refused["query"])


def test_the_wide_conditions_find_the_same(real_data: Path, release: Path) -> None:
    """What is written for engines without indexes, and for searches that leave many rows."""
    recorded = json.loads((real_data / "conformance" / "spec_queries.json").read_text())
    universe = set(recorded["universe"])
    wrong = {}
    with open_catalog(release) as db:
        for answer in recorded["queries"]:
            parameters = Parameters()
            tests = Search(db).wide([parse_spec(answer["query"])], Scope(), parameters)
            sql = f"SELECT hash FROM specs WHERE {all_of(tests)}"
            found = {hash_ for (hash_,) in db.execute(sql, parameters.values)} & universe
            if found != set(answer["hashes"]):
                wrong[answer["query"]] = found ^ set(answer["hashes"])
    assert wrong == {}


@pytest.mark.parametrize(
    ("spec", "table", "columns"),
    [
        ("cmake", "binaries", "tag_id_package_id"),
        ("@=3.13.5", "binaries", "tag_id_version_id_stack_set_id"),
        ("os=amzn2", "binaries", "os_id_tag_id"),
        ("target=x86_64", "binaries", "target_id_tag_id"),
        ("+openmp", "binaries", "tag_id_variant_set_id"),
        ("/24rq", "specs", "hash"),
        ("platform=linux", "binaries", "tag_id_package_id"),
        ("* +openmp /24rq os=amzn2", "specs", "hash"),
    ],
)
def test_a_search_begins_where_fewest_are(
    release: Path, spec: str, table: str, columns: str
) -> None:
    with open_catalog(release) as db:
        sql = Finder(db).binaries([parse_spec(spec)], Scope("v2025.07.0")).sql
    assert f"FROM {table} INDEXED BY idx_{table}_{columns}\n" in sql
    assert "LIMIT 1000" in sql


@pytest.mark.parametrize(
    ("spec", "limit", "way"),
    [
        ("platform=linux", 1, "INDEXED BY idx_specs_platform_id"),
        ("namespace=builtin", 1, "INDEXED BY idx_specs_package_id_version_id"),
        ("cflags=-O2", 1, "NOT INDEXED"),
        ("^gmake", 1, "INDEXED BY idx_specs_package_id_version_id"),  # nearly every one will do
        ("^gmake", 1000, "NOT INDEXED"),
    ],
)
def test_in_all_tags_it_begins_at_specs_by_the_shortest_way(
    release: Path, spec: str, limit: int, way: str
) -> None:
    with open_catalog(release) as db:
        sql = Finder(db).binaries([parse_spec(spec)], Scope(), limit).sql
    assert f"FROM specs {way}\n" in sql


def test_in_all_tags_each_spec_comes_once_with_its_newest_tag(sample_catalog: Path) -> None:
    newest = """
        SELECT hash, tag FROM binary_list JOIN tags ON tags.name = tag
        WHERE package = 'zlib-ng' GROUP BY hash HAVING position = max(position)
    """
    in_root = """
        SELECT hash, tag FROM binary_list JOIN tags ON tags.name = tag
        WHERE package = 'zlib-ng' AND ' ' || stacks || ' ' LIKE '% radiuss %'
        GROUP BY hash HAVING position = max(position)
    """
    with open_catalog(sample_catalog) as db:
        finder = Finder(db)
        for scope, sql in ((Scope(), newest), (Scope(stack="radiuss"), in_root)):
            found = finder.rows(finder.binaries([parse_spec("zlib-ng")], scope))
            assert sorted((row[3], row[0]) for row in found) == sorted(db.execute(sql))
            assert len(found) > 1


CONSTRAINTS = [
    "hdf5",
    "hdf5@1.14",
    "@1.14:",
    "@=1.14.6",
    "hdf5+mpi",
    "+mpi",
    "api=default",
    "languages:=c,c++",
    "build_type=*",
    "++shared",
    "patches=0123",
    "cflags=-O2",
    "os=ubuntu22.04",
    "platform=linux",
    "target=x86_64_v3",
    "target=:zen4",
    "/abc",
    "%gcc@12",
    "%[virtuals=c] gcc",
    "^zlib-ng",
    "hdf5 ^mpi",
    "hdf5 ^openmpi@5 %gcc",
]


@pytest.mark.parametrize("tag", [None, "develop-2025-07-20"])
@pytest.mark.parametrize("spec", CONSTRAINTS)
def test_no_large_table_is_gone_through(sample_catalog: Path, spec: str, tag: str | None) -> None:
    with open_catalog(sample_catalog) as db:
        statement = Finder(db).binaries([parse_spec(spec)], Scope(tag), 100)
        plan = db.execute(f"EXPLAIN QUERY PLAN {statement.sql}", statement.values).fetchall()
    scanned = {
        found[1]
        for *_, step in plan
        if (found := re.match(r"SCAN (\w+)", step)) and "USING" not in step
    }
    # What is gone through in the order of the result, up to the limit, is no search.
    assert scanned & LARGE_TABLES <= {"specs"}


@pytest.mark.parametrize("spec", CONSTRAINTS)
def test_the_text_finds_what_the_statement_finds(sample_catalog: Path, spec: str) -> None:
    with open_catalog(sample_catalog) as db:
        statement = Finder(db).binaries([parse_spec(spec)], Scope())
        assert (
            db.execute(statement.text).fetchall()
            == db.execute(statement.sql, statement.values).fetchall()
        )


def test_newest_tags_come_first_and_in_each_newest_versions(
    sample_catalog: Path,
) -> None:
    with open_catalog(sample_catalog) as db:
        finder = Finder(db)
        rows = finder.rows(finder.binaries([parse_spec("cmake")], Scope()))
    assert list(dict.fromkeys(row[2] for row in rows)) == ["3.31.8", "3.25.3", "3.30.5"]


def test_fewer_are_the_first_of_more(sample_catalog: Path) -> None:
    with open_catalog(sample_catalog) as db:
        finder = Finder(db)
        for scope in (Scope(), Scope("v2025.07.0")):
            rows = finder.rows(finder.binaries([parse_spec("mpich")], scope))
            for limit in range(1, len(rows)):
                some = finder.rows(finder.binaries([parse_spec("mpich")], scope, limit))
                assert some == rows[:limit]
                rest = finder.rows(finder.binaries([parse_spec("mpich")], scope, 2, limit))
                assert rest == rows[limit : limit + 2]


@pytest.mark.parametrize("column", COLUMNS)
def test_sorted_by_each_column(sample_catalog: Path, column: str) -> None:
    place = COLUMNS.index(column)
    with open_catalog(sample_catalog) as db:
        tags = dict(db.execute("SELECT name, position FROM tags"))
        finder = Finder(db)
        up, down = (
            [
                row[place]
                for row in finder.rows(finder.binaries([anything], Scope(), 9999, 0, asked))
            ]
            for anything in [parse_spec("*")]
            for asked in (column, f"-{column}")
        )

    def key(value: Any) -> Any:
        if column == "tag":
            return tags[value]
        if column == "version":
            return sort_key(value)
        if column == "compiler":
            name, _, version = value.partition("@")
            return name, sort_key(version)
        return value

    known = sorted(key(value) for value in up if value is not None)
    unknown = [None] * (len(up) - len(known))
    assert [value if value is None else key(value) for value in up] == known + unknown
    assert [value if value is None else key(value) for value in down] == known[::-1] + unknown
    assert len(set(up)) > 1 or column in ("platform", "published", "cache", "size")


def test_each_alternative_can_be_read_on_its_own(sample_catalog: Path) -> None:
    with open_catalog(sample_catalog) as db:
        parameters = Parameters()
        queries = [parse_spec(it) for it in ("platform=linux os=*", "os=ubuntu22.04")]
        machine, alternatives = Search(db).wide(queries, Scope(os="debian12"), parameters)
        (single,) = Search(db).wide(queries[1:], Scope(), parameters)
    assert inline(machine, parameters.values) == (
        "specs.os_id = (SELECT id FROM operating_systems WHERE name = 'debian12')"
    )
    assert inline(single, parameters.values) == (
        "specs.os_id = (SELECT id FROM operating_systems WHERE name = 'ubuntu22.04')"
    )
    assert inline(alternatives, parameters.values) == (
        "((specs.os_id IS NOT NULL\n"
        "AND specs.platform_id = (SELECT id FROM platforms WHERE name = 'linux'))"
        " OR (specs.os_id = (SELECT id FROM operating_systems WHERE name = 'ubuntu22.04')))"
    )


@pytest.mark.parametrize(
    ("spec", "place", "what"),
    [
        ("hdf5 ^mpi", "^mpi", "dependencies"),
        ("hdf5 %openmpi+x", "%openmpi+x", "direct dependencies other than the compiler"),
        (
            "hdf5 %[virtuals=c] gcc",
            "%[virtuals=c] gcc",
            "direct dependencies other than the compiler",
        ),
        ("hdf5 %gcc os=rhel8", "%gcc os=rhel8", "direct dependencies other than the compiler"),
        ("hdf5 cflags=-O2", "cflags=-O2", "compiler flags"),
        ("hdf5 ++shared", "++shared", "the variants of dependencies"),
    ],
)
def test_what_pages_cannot_answer_is_refused(
    sample_catalog: Path, spec: str, place: str, what: str
) -> None:
    with open_catalog(sample_catalog) as db, pytest.raises(UnanswerableError) as caught:
        Finder(db).binaries([parse_spec(spec)], Scope("v0.20.1"))
    start, end = caught.value.span
    assert spec[start:end] == place
    assert caught.value.message == (
        f"{what} are not in this catalog, which was built from pages of cache.spack.io;"
        " build it from the build caches they were made from (https://binaries.spack.io)"
    )


def test_the_compiler_is_known_from_pages(sample_catalog: Path) -> None:
    with open_catalog(sample_catalog) as db:
        finder = Finder(db)
        found = {
            spec: len(finder.rows(finder.binaries([parse_spec(spec)], Scope("v0.20.1"))))
            for spec in ("adiak%gcc", "adiak%gcc@7", "adiak%oneapi", "adiak%gcc@12", "adiak%clang")
        }
    assert found == {
        "adiak%gcc": 6,
        "adiak%gcc@7": 4,
        "adiak%oneapi": 1,
        "adiak%gcc@12": 0,
        "adiak%clang": 0,
    }


def test_a_virtual_package_is_not_found_but_explained(sample_catalog: Path) -> None:
    with open_catalog(sample_catalog) as db, pytest.raises(UnanswerableError) as caught:
        Finder(db).binaries([parse_spec("mpi")], Scope())
    assert "mpi is a virtual package" in str(caught.value)


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("hdf5", 2),
        ("hdf5 %[when=+mpi] mpich", 2),  # asked of one, which has it
        ("hdf5 %[when=~mpi] mpich", 1),  # asked of the other, which has none
        ("hdf5 ^[when='@1.14: ~mpi'] mpich", 1),
        ("hdf5 ^[when='@1.12'] nosuch", 2),  # asked of none
        ("hdf5 %[when=+mpi deptypes=run] mpich", 1),
    ],
)
def test_what_is_asked_only_of_some(sample_catalog: Path, query: str, number: int) -> None:
    with open_catalog(sample_catalog) as db:
        finder = Finder(db)
        rows = finder.rows(finder.binaries([parse_spec(query)], Scope("develop-2025-07-20")))
    assert len(rows) == number


def test_an_unknown_target_in_a_range_is_told_where_it_matters(sample_catalog: Path) -> None:
    with open_catalog(sample_catalog) as db:
        finder = Finder(db)
        for text in (
            "nosuch target=:zen44",
            "hdf5@99 target=zen44:",
            "hdf5 ^zlib-ng target=zen44:",
        ):
            assert finder.rows(finder.binaries([parse_spec(text)], Scope())) == []
        message = "a range needs targets that archspec knows, not 'zen44'; did you mean zen4?"
        with pytest.raises(UnanswerableError) as caught:
            finder.binaries([parse_spec("hdf5 +mpi target=:zen44 ^nosuch")], Scope())
        assert caught.value.message == message
        with pytest.raises(UnanswerableError):
            Search(db).wide([parse_spec("hdf5 +mpi target=:zen44")], Scope(), Parameters())


def test_a_condition_below_a_dependency_is_not_answered(sample_catalog: Path) -> None:
    with (
        open_catalog(sample_catalog) as db,
        pytest.raises(UnanswerableError, match="when= is supported only"),
    ):
        Finder(db).binaries([parse_spec("hdf5 ^mpich %[when=+x] gcc")], Scope())


def test_the_newest_tag_is_one_with_a_date_where_there_is_one(tmp_path: Path) -> None:
    old, new = "develop-2025-01-05", "develop-2025-01-12"
    pages = {
        (old, "app"): [item(1)],
        (new, "lib"): [item(2)],
        ("develop", "app"): [item(1)],
        ("develop", "new-app"): [item(3)],
    }
    site = write_site(
        tmp_path / "site", {place_of(*it): page(*it, items) for it, items in pages.items()}
    )
    build(tmp_path / "catalog.db", site)
    with open_catalog(tmp_path / "catalog.db") as db:
        found = {
            name: Finder(db).newest_tag([parse_spec(name)], Scope())
            for name in ("app", "lib", "new-app", "other")
        }
    assert found == {"app": old, "lib": new, "new-app": "develop", "other": None}


@pytest.mark.parametrize("cache", ["all", "some"])
def test_a_spec_is_found_in_the_newest_tag_of_its_cache(cache: str, tmp_path: Path) -> None:
    with open_catalog(three_tags_of_caches(tmp_path)) as db:
        finder = Finder(db)
        rows = finder.rows(finder.binaries([parse_spec("lib")], Scope(cache=cache)))
    found = {row[3]: row[0] for row in rows}
    assert found == {hash_of(10): f"{cache}:{THIRD}", hash_of(11): f"{cache}:{FIRST}"}


def test_a_spec_in_an_undated_tag_counts_for_its_dated_ones_too(tmp_path: Path) -> None:
    """Another match is in an old dated tag, this one in a newer one and in develop."""
    old, new, newest = "develop-2025-01-05", "develop-2025-01-12", "develop-2025-01-19"
    pages = {
        (old, "lib"): [item(2, os="rhel8")],
        (new, "app"): [item(1, os="rhel8")],
        (newest, "app"): [item(3)],
        ("develop", "app"): [item(1, os="rhel8")],
    }
    site = write_site(
        tmp_path / "site", {place_of(*it): page(*it, items) for it, items in pages.items()}
    )
    build(tmp_path / "catalog.db", site)
    with open_catalog(tmp_path / "catalog.db") as db:
        finder = Finder(db)
        assert finder.newest_tag([parse_spec("os=rhel8")], Scope()) == new
        assert finder.newest_tag([parse_spec("app os=rhel8"), parse_spec("lib")], Scope()) == new


def test_what_is_gone_is_not_counted_in_all_tags(tmp_path: Path) -> None:
    with open_catalog(three_weeks(tmp_path)) as db:
        finder = Finder(db)
        for text, there in (("*", 3), ("tool-1", 0), ("tool-5", 0), ("tool-3", 1)):
            queries = [parse_spec(text)]
            assert len(finder.rows(finder.binaries(queries, Scope()))) == there
            assert finder.count(queries, Scope()) == there
            assert (finder.newest_tag(queries, Scope()) is not None) == (there > 0)
