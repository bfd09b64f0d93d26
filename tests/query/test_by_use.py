"""Which of several binaries is offered first, and what says for which machine it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.catalog.reader import open_catalog
from etl.query.found import Row
from etl.query.install import by_use, install_commands


@pytest.fixture
def db(sample_catalog: Path) -> Iterator[sqlite3.Connection]:
    with open_catalog(sample_catalog) as connection:
        yield connection


def row(name: str, os: str, target: str, version: str = "2", tag: str = "new") -> Row:
    return {
        "hash": name, "tag": tag, "package": "tool", "version": version, "compiler": "gcc@12",
        "os": os, "platform": "linux", "target": target, "stacks": "root",
    }  # fmt: skip


ROWS = (
    row("a", "ubuntu22.04", "aarch64"),
    row("b", "ubuntu22.04", "x86_64"),
    row("c", "amzn2", "zen4"),
    row("d", "ubuntu22.04", "x86_64_v3"),
    row("e", "ubuntu22.04", "x86_64_v3"),
    row("f", "amzn2", "icelake"),
    row("g", "ubuntu22.04", "x86_64_v3", "1"),
    row("h", "ubuntu22.04", "zen4", "2", "old"),
)


def order(rows: tuple[Row, ...]) -> str:
    return "".join(it["hash"] for it in rows)


def test_without_a_machine_the_most_common_one_comes_first(db: sqlite3.Connection) -> None:
    assert order(by_use(db, ROWS)) == "deabcfgh"


def test_what_is_closest_to_the_cpu_comes_first(db: sqlite3.Connection) -> None:
    assert order(by_use(db, ROWS, "zen4")) == "cdebafgh"
    assert order(by_use(db, ROWS, "zen3")) == "debacfgh"  # which runs nothing built for zen4
    assert order(by_use(db, ROWS, "icelake")) == "fdebacgh"
    assert order(by_use(db, ROWS, "neoverse_v2")) == "adebcfgh"


def test_the_operating_system_of_the_host_comes_before_its_cpu(db: sqlite3.Connection) -> None:
    assert order(by_use(db, ROWS, "zen4", "ubuntu22.04")) == "debacfgh"
    assert order(by_use(db, ROWS, "zen4", "amzn2")) == "cfdebagh"


def test_what_the_host_cannot_take_comes_last(db: sqlite3.Connection) -> None:
    taken = [it["hash"] in "bg" for it in ROWS]
    assert order(by_use(db, ROWS, "zen4", "amzn2", taken)) == "bgcfdeah"


def test_each_command_says_for_which_machine_it_is(db: sqlite3.Connection) -> None:
    lines = list(install_commands(db, ROWS[:2], labelled=True))
    assert [line for line in lines if "address" not in line] == [
        "# tool@2 for linux-ubuntu22.04-aarch64, gcc@12",
        "spack install --cache-only tool/a",
        "# tool@2 for linux-ubuntu22.04-x86_64, gcc@12",
        "spack install --cache-only tool/b",
    ]
