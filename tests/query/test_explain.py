"""What each constraint of a query means, and what it leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.catalog.reader import open_catalog
from etl.hosts.profiles import find_host
from etl.query.explain import explain, explained
from etl.query.find import Scope
from etl.query.reuse import Reuse
from etl.spack.syntax import parse_spec
from tests.small_catalogs import three_tags_of_caches

MPI = "ta6pedvdixmtsxl6zzxbsro4hfbn3wej"
HERE = Scope("develop-2025-07-20", "root", "zen4", "ubuntu22.04")
FIRST = "binaries in develop-2025-07-20, in the stack root, that run on zen4, for ubuntu22.04:"


@pytest.mark.parametrize(
    ("spec", "lines"),
    [
        (
            "hdf5@1.14 target=x86_64_v3 os=ubuntu22.04 platform=linux namespace=builtin /ta6p",
            [
                "hdf5                      2  the package",
                "namespace=builtin         2  from this repository of recipes, where it is known",
                "/ta6p                     1  with a hash that begins with this",
                "@1.14                     1  with such a version",
                "platform=linux            1  for this platform",
                "os=ubuntu22.04            1  for this operating system",
                "target=x86_64_v3          1  built for such a target",
            ],
        ),
        (
            "hdf5+mpi api=* build_system:=cmake ++shared libs:==a,b",
            [
                "hdf5                        2  the package",
                "+mpi                        1  with mpi true",
                "api=*                       1  with the variant api",
                "build_system:=cmake         1  with build_system exactly cmake",
                "++shared                    0  with shared true, here and in all dependencies that"
                " have it",
                "libs:==a,b                  0  with libs exactly a and b, here and in all"
                " dependencies that have it",
            ],
        ),
        (
            "hdf5 %[virtuals=c] gcc %cmake",
            [
                "hdf5                      2  the package",
                "%[virtuals=c] gcc         2  that depends directly on such a gcc for c",
                "%cmake                    2  that depends directly on such a cmake",
            ],
        ),
        (
            "* cflags='-O2 -g' ^[virtuals=mpi,nothing] mpich ^ @1:",
            [
                "*                                    72  any package",
                "cflags='-O2 -g'                       2  built with these compiler flags",
                "^[virtuals=mpi,nothing] mpich         0  that depends, directly or not, on such a"
                " mpich for mpi or nothing",
                "^ @1:                                 0  that depends, directly or not, on such a"
                " package",
            ],
        ),
    ],
)
def test_every_kind_of_constraint(sample_catalog: Path, spec: str, lines: list[str]) -> None:
    with open_catalog(sample_catalog) as db:
        assert explain(db, parse_spec(spec), HERE).split("\n") == [FIRST, *lines]


def test_anywhere(sample_catalog: Path) -> None:
    with open_catalog(sample_catalog) as db:
        assert explain(db, parse_spec("pigz"), Scope()) == (
            "specs in all tags:\npigz         3  the package"
        )


def test_in_one_cache_and_not_in_another(tmp_path: Path) -> None:
    with open_catalog(three_tags_of_caches(tmp_path)) as db:
        host = Reuse(db, find_host("ubuntu24.04/zen4"))
        scope = Scope(cache="all", not_in="some", taken=host.taken)
        assert explain(db, parse_spec("tool"), scope) == (
            "specs in all tags, in the cache all, not in the cache some, that the host can use:\n"
            "tool         1  the package"
        )
        assert explain(db, parse_spec("tool"), Scope(cache="some")) == (
            "specs in all tags, in the cache some:\ntool         5  the package"
        )


def test_what_is_not_counted_in_time(sample_catalog: Path) -> None:
    with open_catalog(sample_catalog) as db:
        steps = explained(db, parse_spec("hdf5+mpi"), Scope("develop-2025-07-20"), -1)
        assert [(it.constraint, it.left, it.number) for it in steps] == [
            ("hdf5", None, "?"),
            ("+mpi", None, "?"),
        ]
        steps = explained(db, parse_spec("hdf5+mpi"), Scope("develop-2025-07-20"), 60)
        assert [it.left for it in steps] == [2, 1]


def test_many_are_counted_up_to_a_number(
    sample_catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.query.explain.MAX_COUNTED", 5)
    with open_catalog(sample_catalog) as db:
        steps = explained(db, parse_spec("* os=ubuntu22.04"), Scope("develop-2025-07-20"))
        assert [it.number for it in steps] == ["5+", "5+"]
