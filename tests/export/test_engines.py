"""DuckDB and Spark read the export, and answer as the catalog does."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import pytest

from etl.catalog.reader import open_catalog
from etl.catalog.sql_text import inline
from etl.export.parquet import export_parquet
from etl.hosts.profiles import find_host
from etl.progress import silently
from etl.query.dialects import Dialect, _written, statement_for
from etl.query.find import Finder, Scope
from etl.query.reuse import Reuse
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.pages import read_pages
from etl.spack.syntax import parse_spec
from tests.running import Run
from tests.sites import hash_of, item, page, place_of, write_site
from tests.small_catalogs import (
    FIRST,
    SECOND,
    build,
    node,
    record,
    three_tags_of_caches,
    write_indexes,
)
from tests.weekly import FRIDAY, MONDAY, mirror, week

CHECKOUT = Path(__file__).parents[2]
Answer = Callable[[str], list[tuple[Any, ...]]]

_QUESTION = re.compile(
    r"^\*\*(\d+)\. [^\n]*\n\n```sql engines\n(.*?)^```\n(?:\n```sql\n(.*?)^```\n)?", re.M | re.S
)
QUESTIONS = {
    number: (engines, sqlite or engines.replace("binaries", "binary_list"))
    for number, engines, sqlite in _QUESTION.findall(
        (CHECKOUT / "docs" / "engines.md").read_text("utf-8")
    )
}

DIRECT = (
    "hdf5", "hdf5+mpi", "hdf5@1.14: +mpi target=x86_64_v3", "* target=:zen4", "zlib-ng@2.0:2.1",
    "*+shared os=ubuntu22.04", "* %python@3.11:", "* %c=gcc@12", "* %[virtuals=mpi] mpich",
    "* cflags=-O2", "* build_system:=cmake", "*~mpi platform=linux", "/ta6pedv", "llvm targets=all",
    "* %[deptypes=link] zlib-ng", "*", "* %zlib-ng", "* label=\"it's\"", "* label='x\\y'",
)  # fmt: skip
"""Queries without recursion; the last find nothing, and are for the quoting."""

FOLLOWING = ("* ^zlib-ng", "hdf5 ^mpi", "* ^[virtuals=mpi] mpich ^zlib-ng@2.2:", "*++shared")
"""Queries that follow dependencies all the way down."""


def exported(catalog: Path, folder: Path) -> Path:
    with open_catalog(catalog) as db:
        export_parquet(db, catalog, folder, silently)
    return folder


@contextmanager
def read_by_duckdb(folder: Path) -> Iterator[Answer]:
    with duckdb.connect() as connection:
        for path in folder.glob("*.parquet"):
            connection.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM '{path}'")
        connection.execute(
            "CREATE VIEW binaries AS SELECT * FROM"
            f" read_parquet('{folder}/binaries/*/*.parquet',"
            " hive_partitioning = true, hive_types_autocast = false)"
        )
        yield lambda sql: connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def folder(sample_catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(sample_catalog, tmp_path_factory.mktemp("engines"))


@pytest.fixture(scope="module")
def in_duckdb(folder: Path) -> Iterator[Answer]:
    with read_by_duckdb(folder) as answer:
        yield answer


@pytest.fixture(scope="module")
def in_spark(folder: Path) -> Iterator[Answer]:
    if not shutil.which("java"):
        pytest.skip("Spark needs Java, and there is none: .ci/tools installs it")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]")
    for key, value in {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.codegen.wholeStage": "false",  # compiling takes longer than the little data
        "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
        "spark.log.level": "ERROR",
    }.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    for path in folder.glob("*.parquet"):
        spark.read.parquet(str(path)).createOrReplaceTempView(path.stem)
    spark.read.parquet(str(folder / "binaries")).createOrReplaceTempView("binaries")
    yield lambda sql: [tuple(row) for row in spark.sql(sql).collect()]
    spark.stop()


@pytest.fixture
def db(sample_catalog: Path) -> Iterator[sqlite3.Connection]:
    with open_catalog(sample_catalog) as opened:
        yield opened


def test_there_are_ten_questions() -> None:
    assert list(QUESTIONS) == [str(number) for number in range(1, 11)]


@pytest.mark.parametrize("number", QUESTIONS)
def test_a_question_has_the_same_answer_in_duckdb(
    number: str, db: sqlite3.Connection, in_duckdb: Answer
) -> None:
    engines, sqlite = QUESTIONS[number]
    rows = db.execute(sqlite).fetchall()
    assert rows
    assert in_duckdb(engines) == rows


@pytest.mark.parametrize("number", QUESTIONS)
def test_a_question_has_the_same_answer_in_spark(
    number: str, db: sqlite3.Connection, in_spark: Answer
) -> None:
    engines, sqlite = QUESTIONS[number]
    assert in_spark(engines) == db.execute(sqlite).fetchall()


def _facts(row: Sequence[Any]) -> tuple[Any, ...]:
    """Tag, package, version, hash and size; variants and stacks are other types there."""
    return (*row[:4], row[10])


SCOPES = (Scope(), Scope("v2025.07.0", "e4s"), Scope("v2025.07.0"), Scope(None, "root"))


def agrees(
    text: str,
    dialect: Dialect,
    db: sqlite3.Connection,
    answer: Answer,
    scopes: Sequence[Scope] = SCOPES,
) -> int:
    """How many binaries a query finds, in all tags and in one, here as there."""
    finder, query = Finder(db), parse_spec(text)
    found = 0
    for scope in scopes:
        here = finder.rows(finder.binaries([query], scope, 10_000))
        there = answer(statement_for(dialect, db, [query], scope))
        assert Counter(map(_facts, there)) == Counter(map(_facts, here))
        found += len(here)
    return found


@pytest.mark.parametrize("text", [*DIRECT, *FOLLOWING])
def test_a_spec_query_finds_the_same_in_duckdb(
    text: str, db: sqlite3.Connection, in_duckdb: Answer
) -> None:
    found = agrees(text, "duckdb", db, in_duckdb)
    assert bool(found) != (text in DIRECT[-2:])


@pytest.mark.parametrize("text", DIRECT)
def test_a_spec_query_finds_the_same_in_spark(
    text: str, db: sqlite3.Connection, in_spark: Answer
) -> None:
    agrees(text, "spark", db, in_spark, SCOPES[:2])


def test_a_query_for_a_host_finds_the_same_in_spark(
    db: sqlite3.Connection, in_spark: Answer
) -> None:
    scope = Scope(taken=Reuse(db, find_host("rocky8/zen3")).taken)
    assert agrees("*", "spark", db, in_spark, [scope])


@pytest.mark.parametrize("value", ["it's", r"x\y\'", "${env:HOME} $", "a;b -- /*"])
def test_spark_reads_any_value(value: str, in_spark: Answer) -> None:
    values = _written("spark", {"value_1": value})
    assert in_spark(inline("SELECT :value_1", values)) == [(value,)]


def test_several_specs_are_any_of_them(db: sqlite3.Connection, in_duckdb: Answer) -> None:
    queries, scope = [parse_spec("hdf5"), parse_spec("cmake@3.31")], Scope("develop-2025-07-20")
    finder = Finder(db)
    here = [str(row[3]) for row in finder.rows(finder.binaries(queries, scope))]
    there = [row[3] for row in in_duckdb(statement_for("duckdb", db, queries, scope))]
    assert sorted(there) == sorted(here)
    assert here


ODD_TAGS = ("1.10", "2024", "007", "2025-01-05", "releases/v0.18", "a+b")


@pytest.fixture(scope="module")
def with_odd_tags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of tags of which some look like numbers or dates."""
    folder = tmp_path_factory.mktemp("odd")
    pages = {place_of(quote(it, safe=""), "tool"): page(it, "tool", [item(1)]) for it in ODD_TAGS}
    catalog = build(folder / "catalog.db", read_pages(write_site(folder / "site", pages)))
    return exported(catalog, folder / "parquet")


def test_duckdb_reads_any_tag(with_odd_tags: Path) -> None:
    with read_by_duckdb(with_odd_tags) as answer:
        assert sorted(tag for (tag,) in answer("SELECT tag FROM binaries")) == sorted(ODD_TAGS)


def test_spark_reads_any_tag(with_odd_tags: Path, in_spark: Answer) -> None:
    from pyspark.sql import SparkSession

    spark = SparkSession.getActiveSession()
    assert spark
    rows = spark.read.parquet(str(with_odd_tags / "binaries")).select("tag").collect()
    assert sorted(row.tag for row in rows) == sorted(ODD_TAGS)


@pytest.mark.parametrize(
    "option",
    [
        "hive_types_autocast = false",
        '"spark.sql.sources.partitionColumnTypeInference.enabled", "false"',
    ],
)
def test_the_docs_tell_how_to_read_any_tag(option: str) -> None:
    assert option in (CHECKOUT / "docs" / "engines.md").read_text("utf-8")


def test_where_all_is_gone_there_are_no_binaries(tmp_path: Path) -> None:
    first = week(tmp_path / "1.db", MONDAY, mirror("v1", "e4s", 1))
    catalog = week(tmp_path / "2.db", FRIDAY, old=first)
    folder = exported(catalog, tmp_path / "parquet")
    with open_catalog(catalog) as db, read_by_duckdb(folder) as answer:
        assert answer("SELECT package, tag FROM gone_list") == [("tool-1", "v1")]
        assert answer("SELECT tag, package, variants, stacks FROM binaries") == []
        assert agrees("*", "duckdb", db, answer, [Scope()]) == 0


def test_a_query_of_caches_finds_the_same(tmp_path: Path) -> None:
    catalog = three_tags_of_caches(tmp_path)
    scopes = (Scope(cache="some"), Scope(not_in="some"), Scope(cache="all", not_in="some"))
    folder = exported(catalog, tmp_path / "parquet")
    with open_catalog(catalog) as db, read_by_duckdb(folder) as answer:
        found = [agrees("*", "duckdb", db, answer, [it]) for it in scopes]
    assert found == [7, 1, 1]


def test_a_query_for_a_host_finds_the_same(tmp_path: Path) -> None:
    """Of what is there, the second tag lacks what ``app`` needs; ``old`` is for another machine."""
    app = record(node("app", "1", needs=[("one", hash_of(1))]))
    arch = {"platform": "linux", "platform_os": "ubuntu22.04", "target": "zen5"}
    needy = record({**node("needy", "1", needs=[("old", hash_of(2))])})
    specs = {hash_of(2): record({**node("old", "1"), "arch": arch}), hash_of(3): app}
    indexes = {
        (tag, "e4s"): {
            **specs,
            hash_of(1): record(node("one", "1"), there=tag == FIRST),
            hash_of(4): needy,
        }
        for tag in (FIRST, SECOND)
    }
    indexes_at = write_indexes(tmp_path / "indexes", indexes)
    catalog = build(tmp_path / "catalog.db", read_build_caches(indexes_at))
    folder = exported(catalog, tmp_path / "parquet")
    with open_catalog(catalog) as db, read_by_duckdb(folder) as answer:
        scope = Scope(taken=Reuse(db, find_host("ubuntu24.04/zen3")).taken)
        scopes = [replace(scope, tag=tag) for tag in (FIRST, SECOND, None)]
        found = [agrees("*", "duckdb", db, answer, [it]) for it in scopes]
        whole = agrees("*", "duckdb", db, answer, [Scope(FIRST)])
    assert (found, whole) == ([2, 0, 1], 4)


@pytest.mark.parametrize("text", FOLLOWING)
def test_spark_cannot_follow_dependencies(text: str, run: Run, sample_catalog: Path) -> None:
    options = ("--tag", "develop-2025-07-20", "--catalog", sample_catalog)
    done = run("find", text, "--sql", "--dialect", "spark", *options)
    assert (done.code, done.out) == (2, "")
    assert "Spark cannot follow dependencies all the way down" in done.err


def test_the_command_prints_the_dialect(run: Run, sample_catalog: Path, in_duckdb: Answer) -> None:
    done = run("find", "hdf5+mpi", "--sql", "--dialect", "duckdb", "--catalog", sample_catalog)
    assert done.code == 0
    plain = run("find", "hdf5+mpi", "--format", "hashes", "--catalog", sample_catalog)
    assert sorted(row[3] for row in in_duckdb(done.out)) == sorted(plain.out.split())


def test_a_dialect_without_sql_is_a_mistake(run: Run, sample_catalog: Path) -> None:
    done = run("find", "hdf5", "--dialect", "duckdb", "--catalog", sample_catalog)
    assert (done.code, done.out) == (2, "")
    assert "--dialect" in done.err
