"""Datasette with the sample, asked in this process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datasette_spack.serve import datasette_for

# Python 3.10 cannot limit the values of a statement.
collect_ignore = [] if hasattr(sqlite3.Connection, "setlimit") else ["test_limits_of_values.py"]


@pytest.fixture(scope="session")
def site(sample_catalog: Path) -> Iterator[Any]:
    """Datasette with the catalog of the bundled sample."""
    datasette = datasette_for(sample_catalog)
    yield datasette
    datasette.get_database("catalog").close()
