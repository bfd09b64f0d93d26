"""DuckDB reads the catalog itself, with its SQLite extension, as it does the export."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import duckdb
import pytest

from etl.catalog import schema, views
from tests.sites import rows


def test_no_table_is_without_rowid(sample_catalog: Path) -> None:
    """DuckDB reads tables by their rowid; those of full-text search are SQLite's own."""
    ours = {*schema.TABLES}
    found = rows(sample_catalog, "SELECT name, wr FROM pragma_table_list WHERE schema = 'main'")
    assert ours <= {name for name, _ in found}
    assert {name for name, without in found if without and "_fts_" not in name} == set()


def in_sqlite(row: tuple[object, ...]) -> str:
    """A row as text; SQLite has no truth, but 1 and 0."""
    return repr([int(it) if isinstance(it, bool) else it for it in row])


@pytest.mark.parametrize("table", [*schema.TABLES, *views.VIEWS])
def test_each_table_and_view(sample_catalog: Path, table: str) -> None:
    package = files("duckdb_extension_sqlite_scanner")
    extension = (
        package / "extensions" / f"v{duckdb.__version__}" / "sqlite_scanner.duckdb_extension"
    )
    with duckdb.connect() as engine, closing(sqlite3.connect(sample_catalog)) as db:
        engine.execute(f"LOAD '{extension}'")
        engine.execute(f"ATTACH '{sample_catalog}' AS catalog (TYPE sqlite, READ_ONLY)")
        found = engine.execute(f"SELECT * FROM catalog.{table}").fetchall()
        expected = db.execute(f"SELECT * FROM {table}").fetchall()
    assert sorted(map(in_sqlite, found)) == sorted(map(in_sqlite, expected))
