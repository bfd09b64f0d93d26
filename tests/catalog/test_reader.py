"""Catalogs that cannot be read, and what to do about it."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from etl.catalog.indexes import INCOMPLETE
from etl.catalog.reader import open_catalog
from etl.errors import ReadError


def test_a_catalog_that_lacks_an_index_is_to_be_built_again(
    sample_catalog: Path, tmp_path: Path
) -> None:
    catalog = Path(shutil.copy(sample_catalog, tmp_path / "old.db"))
    with closing(sqlite3.connect(catalog)) as db, db:
        db.execute(f"DROP INDEX {INCOMPLETE.name}")
    message = (
        f"^{catalog}: cannot be read as a catalog: no such index: {INCOMPLETE.name};"
        " build it again$"
    )
    with pytest.raises(ReadError, match=message), open_catalog(catalog) as db:
        db.execute(f"SELECT id FROM binaries INDEXED BY {INCOMPLETE.name} WHERE complete = 0")
