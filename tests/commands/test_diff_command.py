from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import copyfile

import pytest
from click.testing import CliRunner, Result

from etl.cli import main
from tests.sites import build, item, page, place_of, write_site

OLD, NEW = "develop-2024-11-17", "develop-2025-07-20"


@pytest.fixture(scope="module")
def catalog(sample_catalog: Path) -> Path:
    return sample_catalog


def diff(catalog: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["diff", "--catalog", str(catalog), *arguments])


def test_one_package_in_plain_words(catalog: Path) -> None:
    result = diff(catalog, OLD, NEW, "--package", "hdf5")
    assert result.exit_code == 0
    assert result.stdout == (
        "2 binaries of hdf5 became 2 from develop-2024-11-17 to develop-2025-07-20:\n"
        "2 added, 2 removed, 0 in both.\n"
        "\n"
        "1 package was upgraded\n"
        "  package  old version  new version\n"
        "  hdf5     1.14.5       1.14.6\n"
        "\n"
        "1 version of a package is new\n"
        "  package  version  binaries\n"
        "  hdf5     1.14.6          2\n"
        "\n"
        "1 version of a package was removed\n"
        "  package  version  binaries\n"
        "  hdf5     1.14.5          2\n"
        "\n"
        "2 stacks changed\n"
        "  stack     old binaries  new binaries  difference  added  removed\n"
        "  root                 2             2           0      2        2\n"
        "  tutorial             2             2           0      2        2\n"
    )


def test_one_stack(catalog: Path) -> None:
    result = diff(catalog, "develop-2025-03-23", "develop-2025-03-30", "--stack", "e4s")
    assert result.stdout == (
        "2 binaries in the stack e4s became 7 from develop-2025-03-23 to develop-2025-03-30:\n"
        "7 added, 2 removed, 0 in both.\n"
        "\n"
        "1 package was added\n"
        "  package                newest version  binaries\n"
        "  py-pyproject-metadata  0.7.1                  6\n"
        "\n"
        "1 package was removed\n"
        "  package   newest version  binaries\n"
        "  alquimia  1.1.0                  1\n"
        "\n"
        "1 stack changed\n"
        "  stack  old binaries  new binaries  difference  added  removed\n"
        "  e4s               2             7           5      7        2\n"
    )


def test_what_is_rebuilt_is_told_of_what_came(catalog: Path) -> None:
    lines = diff(catalog, "v2025.07.0", NEW, "--package", "hdf5").stdout.splitlines()
    assert lines[:8] == [
        "16 binaries of hdf5 became 2 from v2025.07.0 to develop-2025-07-20:",
        "2 added (1 of them rebuilt), 16 removed, 0 in both.",
        "",
        "1 version of a package was removed",
        "  package  version  binaries",
        "  hdf5     1.8.23          2",
        "",
        "1 version of a package was rebuilt",
    ]


def test_a_long_list_is_cut(catalog: Path) -> None:
    parts = diff(catalog, OLD, NEW).stdout.split("\n\n")
    assert parts[0] == (
        "66 binaries became 72 from develop-2024-11-17 to develop-2025-07-20:\n"
        "72 added (17 of them rebuilt), 66 removed, 0 in both."
    )
    upgraded = parts[2].splitlines()
    assert upgraded[0] == "24 packages were upgraded"
    assert upgraded[2] == "  ca-certificates-mozilla  2023-05-30   2025-05-20"
    assert len(upgraded) == 23
    assert upgraded[-1] == "  … and 4 more; --format json has all"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("develop", "develop"), "Nothing changed from develop to develop: 2 binaries.\n"),
        (
            (OLD, NEW, "--stack", "e4s", "--package", "hdf5"),
            f"Nothing changed from {OLD} to {NEW}: 0 binaries of hdf5 in the stack e4s.\n",
        ),
    ],
)
def test_no_difference_is_no_failure(catalog: Path, arguments: tuple[str, ...], text: str) -> None:
    result = diff(catalog, *arguments)
    assert (result.exit_code, result.stdout) == (0, text)


def test_json_has_it_all(catalog: Path) -> None:
    found = json.loads(diff(catalog, OLD, NEW, "--format", "json").stdout)
    assert {name: it for name, it in found.items() if not isinstance(it, list)} == {
        "old": OLD,
        "new": NEW,
        "stack": None,
        "package": None,
        "binaries_added": 72,
        "binaries_removed": 66,
        "binaries_kept": 0,
        "binaries_rebuilt": 17,
    }
    assert found["added_packages"] == [
        {"package": "compiler-wrapper", "newest_version": "1.0", "binaries": 1}
    ]
    assert len(found["upgraded"]) == 24
    assert found["upgraded"][6] == {
        "package": "hdf5",
        "old_version": "1.14.5",
        "new_version": "1.14.6",
        "old_versions": "1.14.5",
        "new_versions": "1.14.6",
    }
    assert found["stacks"][0] == {
        "stack": "build_systems",
        "old_binaries": 44,
        "new_binaries": 45,
        "difference": 1,
        "added": 45,
        "removed": 44,
    }
    lists = ("removed_packages", "downgraded", "new_versions", "dropped_versions", "rebuilt")
    assert [len(found[name]) for name in lists] == [0, 0, 24, 24, 15]


def test_csv_has_a_row_for_each_change(catalog: Path) -> None:
    text = diff(catalog, OLD, NEW, "--format", "csv").stdout
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == 1 + 1 + 24 + 24 + 24 + 15
    assert rows[:3] == [
        ["change", "package", "old_version", "new_version", "binaries"],
        ["added", "compiler-wrapper", "", "1.0", "1"],
        ["upgraded", "ca-certificates-mozilla", "2023-05-30", "2025-05-20", ""],
    ]
    assert [row for row in rows if row[1] in ("hdf5", "pigz")] == [
        ["upgraded", "hdf5", "1.14.5", "1.14.6", ""],
        ["new version", "hdf5", "", "1.14.6", "2"],
        ["removed version", "hdf5", "1.14.5", "", "2"],
        ["rebuilt", "pigz", "2.8", "2.8", "2"],
    ]


def test_csv_the_other_way_round(tmp_path: Path) -> None:
    files = {
        place_of("develop-2025-01-05", "a"): page("develop-2025-01-05", "a", [item(1)]),
        place_of("develop-2025-01-05", "b"): page(
            "develop-2025-01-05", "b", [item(2, versions=["1.10"])]
        ),
        place_of("develop-2025-01-12", "b"): page(
            "develop-2025-01-12", "b", [item(3, versions=["1.9"])]
        ),
    }
    build(tmp_path / "catalog.db", write_site(tmp_path / "site", files))
    arguments = ("develop-2025-01-05", "develop-2025-01-12", "--format", "csv")
    assert diff(tmp_path / "catalog.db", *arguments).stdout == (
        "change,package,old_version,new_version,binaries\n"
        "removed,a,1.0,,1\n"
        "downgraded,b,1.10,1.9,\n"
        "new version,b,,1.9,1\n"
        "removed version,b,1.10,,1\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("develp", NEW), "no tag develp in this catalog; did you mean develop?"),
        (("develop", "nonsense"), "no tag nonsense in this catalog"),
        (
            (OLD, NEW, "--stack", "tutorials"),
            "no stack tutorials in this catalog; did you mean tutorial?",
        ),
        (
            (OLD, NEW, "--package", "hdf"),
            "no package hdf in this catalog; did you mean hdf5?",
        ),
    ],
)
def test_an_unknown_name(catalog: Path, arguments: tuple[str, ...], message: str) -> None:
    result = diff(catalog, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == f"spack-catalog: {message}\n"


def test_without_a_catalog(tmp_path: Path) -> None:
    result = diff(tmp_path / "none.db", OLD, NEW)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "there is no catalog" in result.stderr


@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_hostile_names_are_escaped(sample_catalog: Path, tmp_path: Path, form: str) -> None:
    hostile = "\x1b]0;title\x07\r\n\u202e"
    path = copyfile(sample_catalog, tmp_path / "catalog.db")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE packages SET name = name || ?", (hostile,))
        db.execute("UPDATE versions SET version = version || ?", (hostile,))
        db.execute("UPDATE stacks SET name = name || ?", (hostile,))
        db.execute("UPDATE tags SET name = name || ? WHERE name = ?", (hostile, NEW))
    result = diff(path, OLD, NEW + hostile, "--format", form)
    assert result.exit_code == 0
    assert all(letter.isprintable() for letter in result.stdout.replace("\n", ""))
    assert "hdf5" in result.stdout
    assert "1.14.6" in result.stdout
    missing = diff(path, OLD, NEW)
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert all(letter.isprintable() for letter in missing.stderr.rstrip("\n"))
    assert "\\x1b]0;title\\x07" in missing.stderr
