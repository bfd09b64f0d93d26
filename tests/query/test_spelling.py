"""Packages in another spelling than the catalog has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.catalog.reader import open_catalog
from etl.query.spelling import as_spelled
from etl.spack.syntax import parse_specs
from tests.small_catalogs import graph_catalog


@pytest.mark.parametrize(
    ("text", "read", "lines"),
    [
        ("HDF5+mpi", "hdf5 +mpi", ["HDF5; hdf5 is meant"]),
        ("Zlib_NG@2", "zlib-ng@2", ["Zlib_NG; zlib-ng is meant"]),
        ("hdf5 ^MPI", "hdf5 ^mpi", ["MPI; mpi is meant"]),
        ("hdf5 %GCC@12 ^Zlib-NG %GCC", "hdf5 %gcc@12 ^zlib-ng %gcc",
         ["GCC; gcc is meant", "Zlib-NG; zlib-ng is meant"]),
        ("hdf5", "hdf5", []),
        ("nosuch_Package", "nosuch_Package", []),
        ("* +MPI", "* +MPI", []),
        ("/abc", "/abc", []),
    ],
)  # fmt: skip
def test_spelling(sample_catalog: Path, text: str, read: str, lines: list[str]) -> None:
    with open_catalog(sample_catalog) as db:
        queries, told = as_spelled(db, parse_specs(text))
    assert " ".join(map(str, queries)) == " ".join(map(str, parse_specs(read)))
    assert list(told) == [f"there is no package {line}" for line in lines]


def test_a_name_that_there_is_in_both_spellings_stays(tmp_path: Path) -> None:
    with open_catalog(graph_catalog(tmp_path, {"Tool": [], "tool": []})) as db:
        (query,), told = as_spelled(db, parse_specs("Tool"))
    assert (str(query), told) == ("Tool", ())
