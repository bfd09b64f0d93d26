"""Words beside a package: the one spec that people mean by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.catalog.reader import open_catalog
from etl.query.meant import Meant, what_is_meant
from etl.spack.syntax import parse_specs


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("hdf5 mpi", "hdf5 +mpi"),
        ("hdf5 with mpi", "hdf5 +mpi"),
        ("hdf5 1.14", "hdf5@1.14"),
        ("hdf5 1.14.6 mpi", "hdf5@1.14.6 +mpi"),
        ("hdf5 gcc", "hdf5 %gcc"),
        ("hdf5+mpi ubuntu22.04", "hdf5 +mpi os=ubuntu22.04"),
        ("hdf5 x86_64_v3", "hdf5 target=x86_64_v3"),
        ("hdf5 api", "hdf5 api=*"),
        ("hdf5 mpich", "hdf5 ^mpich"),
        ("HDF5", "hdf5"),
        ("Zlib_NG", "zlib-ng"),
        ("ubuntu22.04", "* os=ubuntu22.04"),
        ("x86_64_v3", "* target=x86_64_v3"),
    ],
)
def test_one_spec_is_meant(sample_catalog: Path, text: str, meant: str) -> None:
    with open_catalog(sample_catalog) as db:
        assert what_is_meant(db, parse_specs(text)) == (Meant(meant),)
    assert str(Meant(meant)) == f"did you mean {meant}?"


def test_a_stack_is_a_place(sample_catalog: Path) -> None:
    with open_catalog(sample_catalog) as db:
        (meant,) = what_is_meant(db, parse_specs("hdf5 in e4s"))
        assert (meant.spec, meant.stack) == ("hdf5", "e4s")
        assert str(meant) == "did you mean hdf5 in the stack e4s?"
        assert what_is_meant(db, parse_specs("e4s")) == (Meant("*", "e4s"),)


@pytest.mark.parametrize(
    "text",
    ["hdf5", "hdf5 +mpi", "hdf5 cmake@3", "hdf5 tcl", "nosuch mpi", "nosuch", "/abc", "+mpi", ""],
)
def test_words_that_stand_for_themselves(sample_catalog: Path, text: str) -> None:
    with open_catalog(sample_catalog) as db:
        assert what_is_meant(db, parse_specs(text)) == ()
