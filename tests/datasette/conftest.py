"""Datasette with the sample, asked in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from datasette_spack.serve import datasette_for


@pytest.fixture(scope="session")
def site(sample_catalog: Path) -> Iterator[Any]:
    """Datasette with the catalog of the bundled sample."""
    datasette = datasette_for(sample_catalog)
    yield datasette
    datasette.get_database("catalog").close()
