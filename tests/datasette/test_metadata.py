"""metadata.json and the catalog say the same, and every question is described and bounded."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from datasette_spack.facet_kinds import KINDS
from datasette_spack.filters import FILTERED_TABLES
from datasette_spack.packaged import packaged_json
from etl.catalog.schema import TABLES
from etl.catalog.views import VIEWS

CHECKOUT = Path(__file__).parents[2]
METADATA = json.loads((CHECKOUT / "metadata.json").read_text(encoding="utf-8"))
CATALOG = METADATA["databases"]["catalog"]
QUERIES: dict[str, Any] = CATALOG["queries"]
LARGE = ("specs", "binaries", "package_tags", "pages", "variant_set_members", "dependencies")


def columns_of(catalog: Path, table: str) -> list[tuple[str, bool]]:
    """The columns of a table or view, each with whether it is part of the primary key."""
    with closing(sqlite3.connect(catalog)) as db:
        return [(row[1], bool(row[5])) for row in db.execute(f"PRAGMA table_info([{table}])")]


def parameters_of(sql: str) -> list[str]:
    without_strings = re.sub(r"'[^']*'", "", sql)
    return list(dict.fromkeys(re.findall(r":([a-z_]+)", without_strings)))


@pytest.mark.parametrize("name", ["metadata.json", "settings.json"])
def test_the_package_carries_the_files_of_the_checkout(name: str) -> None:
    assert (CHECKOUT / "datasette_spack" / name).is_symlink()
    assert packaged_json(name) == json.loads((CHECKOUT / name).read_text(encoding="utf-8"))


def test_the_site_says_what_it_is_and_where_it_comes_from() -> None:
    for key in ("title", "description_html", "source", "source_url", "license", "license_url"):
        assert METADATA[key]
    assert set(METADATA["databases"]) == {"catalog"}
    assert CATALOG["title"]
    assert CATALOG["description"]


def test_every_table_and_view_is_described_and_nothing_else(sample_catalog: Path) -> None:
    assert set(CATALOG["tables"]) == {*TABLES, *VIEWS}
    with closing(sqlite3.connect(sample_catalog)) as db:
        names = {
            name
            for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type <> 'index'")
            if "_fts" not in name and not name.startswith("sqlite_")
        }
    assert set(CATALOG["tables"]) == names


@pytest.mark.parametrize("table", [*TABLES, *VIEWS])
def test_every_column_is_described(sample_catalog: Path, table: str) -> None:
    info = CATALOG["tables"][table]
    assert info["description"].endswith(".")
    columns = [name for name, _ in columns_of(sample_catalog, table)]
    assert list(info["columns"]) == columns
    for column, description in info["columns"].items():
        assert len(description) > 10, column
        assert description.endswith("."), column
        assert description.strip(". ").lower() != column.replace("_", " "), column


@pytest.mark.parametrize("table", [*TABLES, *VIEWS])
def test_what_is_said_of_columns_is_about_columns_that_exist(
    sample_catalog: Path, table: str
) -> None:
    info = CATALOG["tables"][table]
    columns = dict(columns_of(sample_catalog, table))
    named = [info[key] for key in ("label_column", "sort", "sort_desc") if key in info]
    assert set(named) <= set(columns)
    # Sorting by the primary key would change the addresses of pages.
    assert not any(columns[info[key]] for key in ("sort", "sort_desc") if key in info)
    assert set(info.get("sortable_columns", ())) <= set(columns)
    assert ("sortable_columns" in info) == (table in VIEWS)
    for facet in info.get("facets", ()):
        assert table in FILTERED_TABLES
        assert facet["by"] in KINDS


def test_every_table_that_is_referred_to_has_a_label(sample_catalog: Path) -> None:
    with closing(sqlite3.connect(sample_catalog)) as db:
        referred = {
            row[2] for table in TABLES for row in db.execute(f"PRAGMA foreign_key_list({table})")
        }
    # These have no better name than their number.
    assert {table for table in referred if "label_column" not in CATALOG["tables"][table]} == {
        "page_styles",
        "needs",
    }


def test_the_machinery_is_hidden() -> None:
    hidden = {table for table, info in CATALOG["tables"].items() if info.get("hidden")}
    assert hidden == {
        "target_ancestors",
        "variant_set_members",
        "stack_set_members",
        "need_set_members",
        "stack_orders",
        "virtual_lists",
        "facet_counts",
        "page_styles",
        "pages",
    }


def test_the_home_page_links_to_every_question() -> None:
    linked = re.findall(r'href="catalog/([a-z_]+)"', METADATA["description_html"])
    assert set(linked) - set(QUERIES) == {"package_list", "tags", "stacks", "binaries"}
    assert set(QUERIES) <= set(linked)


@pytest.mark.parametrize("name", QUERIES)
def test_every_question_and_field_is_described(name: str) -> None:
    query = QUERIES[name]
    assert query["title"]
    assert query["description"].endswith(".")
    assert sorted(query["params"]) == sorted(parameters_of(query["sql"]))
    assert list(query["param_help"]) == query["params"]
    assert all(text.endswith(".") for text in query["param_help"].values())
    assert name not in CATALOG["tables"]


@pytest.mark.parametrize("name", QUERIES)
def test_every_question_is_bounded(name: str) -> None:
    limit = re.search(r"\nLIMIT (\d+)\Z", QUERIES[name]["sql"])
    assert limit
    assert int(limit[1]) <= packaged_json("settings.json")["max_returned_rows"] + 1


@pytest.mark.parametrize("name", QUERIES)
def test_no_question_reads_a_large_table_whole(
    sample_catalog: Path, tmp_path: Path, name: str
) -> None:
    copy = tmp_path / "catalog.db"
    shutil.copy(sample_catalog, copy)
    query = QUERIES[name]
    with closing(sqlite3.connect(copy)) as db:
        # Without statistics SQLite plans for a million rows in every table.
        db.execute("DELETE FROM sqlite_stat1")
        db.commit()
    with closing(sqlite3.connect(copy)) as db:
        plan = db.execute(f"EXPLAIN QUERY PLAN {query['sql']}", dict.fromkeys(query["params"], ""))
        steps = [row[3] for row in plan]
    assert not [step for step in steps if re.match(rf"SCAN ({'|'.join(LARGE)})\b", step)], steps
