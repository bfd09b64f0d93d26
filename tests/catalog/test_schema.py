"""The tables, keys, views and indexes that a catalog has."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from etl.catalog import indexes, schema, views
from tests.sites import SEED, build, rows

FOREIGN_KEYS = {
    "sources": {"cache_id": "caches"},
    "events": {"tag_id": "tags", "spec_id": "specs"},
    "binaries": {
        "tag_id": "tags", "spec_id": "specs", "stack_set_id": "stack_sets",
        "package_id": "packages", "version_id": "versions", "compiler_id": "compilers",
        "os_id": "operating_systems", "platform_id": "platforms", "target_id": "targets",
        "variant_set_id": "variant_sets", "stack_order_id": "stack_orders",
    },
    "gone_binaries": {
        "tag_id": "tags", "spec_id": "specs", "stack_set_id": "stack_sets",
        "package_id": "packages", "version_id": "versions", "stack_order_id": "stack_orders",
    },
    "dependencies": {"parent_id": "specs", "child_id": "specs"},
    "package_dependencies": {"package_id": "packages", "dependency_id": "packages"},
    "tags": {"cache_id": "caches"},
    "mirrors": {"tag_id": "tags", "stack_id": "stacks", "cache_id": "caches"},
    "package_tags": {"package_id": "packages", "tag_id": "tags", "newest_version_id": "versions"},
    "packages": {"newest_version_id": "versions", "first_tag_id": "tags", "last_tag_id": "tags"},
    "pages": {
        "tag_id": "tags", "package_id": "packages", "source_id": "sources",
        "style_id": "page_styles",
    },
    "problems": {"source_id": "sources"},
    "provides": {"package_id": "packages"},
    "spec_flags": {"spec_id": "specs"},
    "specs": {
        "package_id": "packages", "version_id": "versions", "compiler_id": "compilers",
        "os_id": "operating_systems", "platform_id": "platforms", "target_id": "targets",
        "variant_set_id": "variant_sets", "first_tag_id": "tags", "last_tag_id": "tags",
        "libc_id": "libcs", "need_id": "needs",
    },
    "needs": {
        "platform_id": "platforms", "os_id": "operating_systems", "target_id": "targets",
        "libc_id": "libcs",
    },
    "need_set_members": {"need_id": "needs"},
    "stack_orders": {"stack_set_id": "stack_sets"},
    "stack_set_members": {"stack_set_id": "stack_sets", "stack_id": "stacks"},
    "virtual_providers": {"package_id": "packages"},
    "tag_machines": {
        "tag_id": "tags", "os_id": "operating_systems", "platform_id": "platforms",
        "target_id": "targets",
    },
    "target_ancestors": {"target_id": "targets", "ancestor_id": "targets"},
    "variant_set_members": {"variant_set_id": "variant_sets", "variant_id": "variants"},
    "versions": {"package_id": "packages"},
}  # fmt: skip

VIEWS = {
    "spec_list": "hash, package, version, version_key, compiler, os, platform, target, variants,"
    " size, first_tag, last_tag, tags, first_seen, last_seen",
    "binary_list": "tag, package, version, version_key, hash, compiler, os, platform, target,"
    " variants, stacks, size, first_seen, published, cache",
    "gone_list": "tag, package, version, version_key, hash, compiler, os, platform, target,"
    " variants, stacks, size, first_seen, last_seen, gone_since, still_in",
    "event_list": "at, event, tag, package, version, hash, still_in",
    "spec_variants": "hash, package, name, value",
    "binary_stacks": "tag, hash, package, stack",
    "dependency_list": "hash, package, version, dependency_hash, dependency, dependency_version,"
    " deptypes, virtuals, available",
    "binary_needs": "tag, package, version, hash, platform, os, target, libc, libc_version,"
    " libc_key, libc_path, libc_by, fault, complete",
    "machine_list": "tag, kind, date, os, platform, target, binaries",
    "package_list": "package, versions, newest_version, specs, tags, first_tag, last_tag",
}
"""The public contract: these columns, in this order."""


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog of the seed."""
    target = tmp_path_factory.mktemp("schema") / "catalog.db"
    build(target, SEED)
    return target


def test_foreign_keys_are_declared(catalog: Path) -> None:
    found = {
        table: {
            column: parent
            for _, _, parent, column, _, *_ in rows(catalog, f"PRAGMA foreign_key_list({table})")
        }
        for table in schema.TABLES
    }
    assert {table: keys for table, keys in found.items() if keys} == FOREIGN_KEYS
    for table in schema.TABLES:
        for _, _, _, _, to, *_ in rows(catalog, f"PRAGMA foreign_key_list({table})"):
            assert to == "id", table


def test_foreign_keys_are_right(catalog: Path) -> None:
    assert rows(catalog, "PRAGMA foreign_key_check") == []


def test_every_column_that_is_called_an_id_is_a_key(catalog: Path) -> None:
    for table in schema.TABLES:
        columns = {column for _, column, *_ in rows(catalog, f"PRAGMA table_info({table})")}
        ids = {column for column in columns if column.endswith("_id")}
        assert ids == FOREIGN_KEYS.get(table, {}).keys(), table


@pytest.mark.parametrize("view", VIEWS)
def test_views_are_a_contract(catalog: Path, view: str) -> None:
    with closing(sqlite3.connect(catalog)) as db:
        columns = [column for column, *_ in db.execute(f"SELECT * FROM {view}").description]
    assert ", ".join(columns) == VIEWS[view]


def test_there_is_nothing_else(catalog: Path) -> None:
    assert views.VIEWS.keys() == VIEWS.keys()
    search = {
        f"{table}_fts{part}"
        for table in schema.FULL_TEXT
        for part in ("", "_config", "_data", "_docsize", "_idx")
    }
    found = rows(catalog, "SELECT type, name FROM sqlite_master WHERE type IN ('table', 'view')")
    assert {name for kind, name in found if kind == "view"} == VIEWS.keys()
    assert {name for kind, name in found if kind == "table"} == (
        schema.TABLES.keys() | search | {"sqlite_stat1"}
    )


def test_indexes_are_as_declared(catalog: Path) -> None:
    declared = {
        (indexes.index_name(table, columns), table, columns, unique)
        for unique, listed in ((1, indexes.UNIQUE_INDEXES), (0, indexes.INDEXES))
        for table, columns in listed
    }
    partial = indexes.INCOMPLETE
    declared.add((partial.name, partial.table, partial.columns, 0))
    found = set()
    for table in schema.TABLES:
        for _, name, unique, origin, _ in rows(catalog, f"PRAGMA index_list({table})"):
            if origin == "c":
                columns = [column for _, _, column in rows(catalog, f"PRAGMA index_info({name})")]
                found.add((name, table, ", ".join(columns), unique))
    assert found == declared


@pytest.mark.parametrize("column", indexes.OF_FEW_VALUES)
def test_it_is_known_how_few_values_there_are(sample_catalog: Path, column: str) -> None:
    name = indexes.index_name("binaries", f"{column}, tag_id")
    ((stat,),) = rows(sample_catalog, f"SELECT stat FROM sqlite_stat1 WHERE idx = '{name}'")
    ((binaries, values, pairs),) = rows(
        sample_catalog,
        f"SELECT count(*), count(DISTINCT {column}), count(DISTINCT {column} || ' ' || tag_id)"
        " FROM binaries",
    )
    # SQLite rounds up.
    assert stat == f"{binaries} {-(-binaries // values)} {-(-binaries // pairs)}"


def test_what_a_tag_has_of_each_value_is_counted_in_the_index_of_all_tags(
    sample_catalog: Path,
) -> None:
    for column in ("compiler_id", "os_id", "platform_id", "target_id"):
        sql = f"SELECT {column}, count(*) FROM binaries WHERE tag_id = 1 GROUP BY {column}"
        ((*_, plan),) = rows(sample_catalog, f"EXPLAIN QUERY PLAN {sql}")
        index = indexes.index_name("binaries", f"{column}, tag_id")
        assert plan == (
            f"SEARCH binaries USING COVERING INDEX {index} (ANY({column}) AND tag_id=?)"
        )


def test_no_index_is_the_beginning_of_another() -> None:
    listed = [*indexes.UNIQUE_INDEXES, *indexes.INDEXES]
    wasted = [
        (table, columns)
        for table, columns in listed
        for other, longer in listed
        if table == other and longer.startswith(f"{columns}, ")
    ]
    assert wasted == []


def test_a_hash_is_found_in_any_case_by_its_beginning(catalog: Path) -> None:
    assert rows(catalog, "SELECT version FROM spec_list WHERE hash LIKE 'YS5PP%'") == [("6.3.2",)]
    (plan,) = rows(catalog, "EXPLAIN QUERY PLAN SELECT id FROM specs WHERE hash LIKE 'ys5pp%'")
    assert "SEARCH specs USING COVERING INDEX idx_specs_hash" in plan[3]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM spec_list WHERE hash = 'ys5ppjjmlmmkzxbno725r7e2xi7hzy5x'",
        "SELECT * FROM spec_variants WHERE hash = 'ys5ppjjmlmmkzxbno725r7e2xi7hzy5x'",
        "SELECT * FROM binary_list WHERE tag = 'develop' AND package = 'arkouda'",
        "SELECT * FROM binary_stacks WHERE tag = 'develop' AND package = 'arkouda'",
        "SELECT * FROM package_list WHERE package = 'arkouda'",
        "SELECT * FROM dependency_list WHERE hash = 'ys5ppjjmlmmkzxbno725r7e2xi7hzy5x'",
    ],
)
def test_views_scan_no_large_table(catalog: Path, query: str) -> None:
    plan = [step for *_, step in rows(catalog, f"EXPLAIN QUERY PLAN {query}")]
    large = ("specs", "binaries", "variant_set_members", "dependencies", "versions", "packages")
    assert [step for step in plan if step.split()[0] == "SCAN" and step.split()[1] in large] == []


def test_foreign_keys_of_every_row_of_the_sample(sample_catalog: Path) -> None:
    assert rows(sample_catalog, "PRAGMA foreign_key_check") == []
    assert rows(sample_catalog, "PRAGMA integrity_check") == [("ok",)]
