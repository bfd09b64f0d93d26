from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from etl.cli import main

MPI = "ta6pedvdixmtsxl6zzxbsro4hfbn3wej"


@pytest.fixture(scope="module")
def catalog(sample_catalog: Path) -> Path:
    return sample_catalog


def find(catalog: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["find", "--catalog", str(catalog), *arguments])


def test_a_table_says_what_all_have_once(catalog: Path) -> None:
    result = find(catalog, "zlib-ng@2.2:")
    assert result.exit_code == 0
    assert result.stdout == (
        "2 binaries\n"
        "  tag: develop-2025-07-20\n"
        "  package: zlib-ng\n"
        "  version: 2.2.4\n"
        "  compiler: gcc@12.2.0\n"
        "  os: ubuntu22.04\n"
        "  platform: linux\n"
        "  target: x86_64_v3\n"
        "  variants: build_system=autotools +compat +new_strategies +opt +pic\n"
        "\n"
        "hash                              stacks              variants\n"
        "j642zispxkkiqjgeukkzyzl7jsbdt2bs  root tutorial       ~shared\n"
        "5hvskep35ebjvo4hhqbbx5v7n6tz4wcf  build_systems root  +shared\n"
    )


def test_the_newest_tag_that_has_it(catalog: Path) -> None:
    assert find(catalog, "hdf5+mpi", "--format", "hashes").stdout == f"{MPI}\n"
    everywhere = find(catalog, "hdf5+mpi", "--tag", "any", "--format", "hashes").stdout.split()
    assert MPI in everywhere
    assert len(everywhere) == 16


def test_json_and_csv_have_the_columns_of_the_view(catalog: Path) -> None:
    (row,) = json.loads(find(catalog, "hdf5+mpi", "--format", "json").stdout)
    assert row == {
        "tag": "develop-2025-07-20",
        "package": "hdf5",
        "version": "1.14.6",
        "hash": MPI,
        "compiler": "gcc@12.2.0",
        "os": "ubuntu22.04",
        "platform": "linux",
        "target": "x86_64_v3",
        "variants": (
            "api=default build_system=cmake build_type=Release ~cxx ~fortran generator=make +hl"
            " ~ipo ~java ~map +mpi +shared ~subfiling ~szip ~threadsafe +tools"
        ),
        "stacks": "root tutorial",
        "size": None,
        "published": None,
        "cache": None,
    }
    text = find(catalog, "hdf5+mpi", "--format", "csv").stdout
    assert list(csv.DictReader(io.StringIO(text))) == [
        {name: "" if value is None else value for name, value in row.items()}
    ]


def test_commands_that_install(catalog: Path) -> None:
    assert find(catalog, "hdf5+mpi", "--format", "install").stdout == (
        "spack mirror add develop-2025-07-20 https://binaries.spack.io/develop-2025-07-20\n"
        "spack buildcache keys --install --trust\n"
        "# hdf5@1.14.6 for linux-ubuntu22.04-x86_64_v3, gcc@12.2.0\n"
        f"spack install --cache-only hdf5/{MPI}\n"
    )


def test_several_specs_are_any_of_them(catalog: Path) -> None:
    found = find(catalog, "hdf5+mpi", "pigz", "--format", "json")
    assert [row["package"] for row in json.loads(found.stdout)] == ["hdf5", "pigz", "pigz"]


def test_a_spec_in_several_arguments(catalog: Path) -> None:
    found = find(catalog, "hdf5", "+mpi", "--format", "hashes")
    assert (found.exit_code, found.stdout, found.stderr) == (0, f"{MPI}\n", "")


def test_which_of_several_specs_found_nothing(catalog: Path) -> None:
    found = find(catalog, "petscc hdf5@9", "pigz", "--format", "hashes")
    assert found.exit_code == 0
    assert len(found.stdout.split()) == 2
    assert found.stderr == (
        "no binary satisfies petscc\n"
        "  no package petscc in this catalog\n"
        "no binary satisfies hdf5@9\n"
        "  without @9: 2 binaries; available: 1.14.6 (2)\n"
    )
    assert find(catalog, "hdf5", "pigz", "--format", "hashes").stderr == ""


def test_sql_runs_as_it_is(catalog: Path) -> None:
    sql = find(catalog, "hdf5+mpi", "--sql").stdout
    with sqlite3.connect(f"file:{catalog}?mode=ro", uri=True) as db:
        assert [row[3] for row in db.execute(sql)] == [MPI]


def test_explain(catalog: Path) -> None:
    assert find(catalog, "hdf5@1.14+mpi ^mpich", "--explain").stdout == (
        "binaries in develop-2025-07-20:\n"
        "hdf5           2  the package\n"
        "@1.14          2  with such a version\n"
        "+mpi           1  with mpi true\n"
        "^mpich         1  that depends, directly or not, on such a mpich\n"
    )


def test_what_runs_on_a_cpu(catalog: Path) -> None:
    found = json.loads(find(catalog, "hdf5", "--runs-on", "zen4", "--format", "json").stdout)
    assert {row["target"] for row in found} == {"x86_64_v3"}
    assert find(catalog, "hdf5", "--runs-on", "power9le").exit_code == 1


def test_what_runs_here(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.spack.targets.host_target", lambda: "neoverse_v2")
    found = json.loads(
        find(catalog, "hdf5", "--runs-on", "host", "--tag", "any", "--format", "json").stdout
    )
    assert {row["target"] for row in found} == {"aarch64", "neoverse_v2"}


def test_what_stands_for_this_machine(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.spack.host.host_os", lambda: "ubuntu22.04")
    monkeypatch.setattr("etl.spack.targets.host_target", lambda: "x86_64_v3")
    asked = find(catalog, "hdf5 os=be target=fe", "--tag", "any", "--format", "csv").stdout
    named = find(catalog, "hdf5 os=ubuntu22.04 target=x86_64_v3", "--tag", "any", "--format", "csv")
    assert asked == named.stdout
    assert asked.count("\n") > 1


def test_none(catalog: Path) -> None:
    result = find(catalog, "hdf5+mpi os=debian12")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "no binary satisfies hdf5+mpi os=debian12\n"
        "  without os=debian12: 16 specs;"
        " available: ubuntu22.04 (12), amzn2 (2), ubuntu24.04 (2)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["hdf5@@1"],
            "spack-catalog: expected a version after '@', as in @1.14, @1.2:1.4 or @=1.14\n"
            "    hdf5@@1\n"
            "        ^\n",
        ),
        (
            ["hdf5", "--stack", "e4ss"],
            "spack-catalog: no stack e4ss in this catalog; did you mean e4s?\n",
        ),
        (
            ["hdf5", "--tag", "v2025.7.0"],
            "spack-catalog: no tag v2025.7.0 in this catalog; did you mean v2025.07.0?\n",
        ),
    ],
)
def test_questions_that_cannot_be_asked(catalog: Path, arguments: list[str], message: str) -> None:
    result = find(catalog, *arguments)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", message)


def test_no_catalog(tmp_path: Path) -> None:
    result = find(tmp_path / "none.db", "hdf5")
    assert result.exit_code == 3
    assert "there is no catalog; build one with: spack-catalog build" in result.stderr


def test_an_empty_spec(run: Any, sample_catalog: Path) -> None:
    done = run("find", "", "--catalog", sample_catalog)
    assert (done.code, done.out) == (2, "")
    assert "expected a spec; '*' is any" in done.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--dialect", "spark"), "--dialect needs --sql"),
        (("--sql", "--format", "json"), "--explain, --sql and --format exclude each other"),
        (("--explain", "--sql"), "--explain, --sql and --format exclude each other"),
        (("--explain", "--format", "csv"), "--explain, --sql and --format exclude each other"),
    ],
)
def test_options_that_exclude_each_other(
    run: Any, sample_catalog: Path, options: tuple[str, ...], told: str
) -> None:
    done = run("find", "zlib", *options, "--catalog", sample_catalog)
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith(f"Error: {told}\n")


def test_what_is_meant_is_told(run: Any, sample_catalog: Path) -> None:
    done = run("find", "hdf5 1.14", "--catalog", sample_catalog)
    assert done.code == 0
    assert done.err == ("any of 2 specs was looked for: hdf5, 1.14\ndid you mean hdf5@1.14?\n")


def test_a_package_in_another_spelling(run: Any, sample_catalog: Path) -> None:
    done = run("find", "HDF5 +mpi ^Zlib_NG", "--format", "json", "--catalog", sample_catalog)
    assert done.code == 0
    assert done.err == (
        "there is no package HDF5; hdf5 is meant\nthere is no package Zlib_NG; zlib-ng is meant\n"
    )
    own = run("find", "hdf5 +mpi ^zlib-ng", "--format", "json", "--catalog", sample_catalog)
    assert done.out == own.out
    other = run("find", "HDF55", "--catalog", sample_catalog)
    assert (other.code, other.out) == (1, "")
    assert "no package HDF55 in this catalog; did you mean hdf5?" in other.err


def test_several_specs_explained(run: Any, sample_catalog: Path) -> None:
    both = ("hdf5+mpi", "zlib-ng@1", "--explain", "--tag", "v2025.07.0")
    done = run("find", *both, "--catalog", sample_catalog)
    assert done.code == 0
    of_hdf5, of_zlib = done.out.split("binaries in v2025.07.0:\n")[1:]
    assert [line.split()[0] for line in of_hdf5.splitlines()] == ["hdf5", "+mpi"]
    assert [line.split()[:2] for line in of_zlib.splitlines()][1] == ["@1", "0"]
    none = "no binary satisfies zlib-ng@1\n  without @1: 9 binaries; available: 2.2.4 (9)"
    assert none in done.err
    assert "hdf5" not in done.err


def test_in_all_tags_specs_are_counted(run: Any, sample_catalog: Path) -> None:
    done = run("find", "hdf5", "--tag", "any", "--catalog", sample_catalog)
    assert done.out.splitlines()[0] == (
        "20 specs in all tags, each with the newest tag that has it"
    )


def test_aliases_of_tags(catalog: Path) -> None:
    named = find(catalog, "hdf5", "--tag", "v2025.07.0")
    aliased = find(catalog, "hdf5", "--tag", "newest-release")
    assert aliased.exit_code == 0
    assert aliased.stdout == named.stdout
    assert aliased.stderr == "newest-release is v2025.07.0\n"


def test_an_alias_in_other_commands(catalog: Path) -> None:
    def outcome(*arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments, "--catalog", str(catalog)])

    aliased = outcome("diff", "newest", "newest-release")
    assert aliased.stdout == outcome("diff", "develop-2025-07-20", "v2025.07.0").stdout
    aliased = outcome("impact", "zlib-ng", "--tag", "newest")
    assert aliased.stdout == outcome("impact", "zlib-ng", "--tag", "develop-2025-07-20").stdout
