"""Version order and version constraints, against answers that Spack 1.1.0 gave."""

from __future__ import annotations

import json
import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import CatalogError
from etl.spack.versions import (
    MAX_PARTS,
    MAX_VERSION_LENGTH,
    EmptyRangeError,
    KeyRange,
    VersionError,
    VersionList,
    parse_versions,
    sort_key,
)

RECORDED = json.loads((Path(__file__).parents[1] / "data/spack/versions.json").read_text())
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def conformance(real_data: Path) -> dict[str, list[list[Any]]]:
    answers = json.loads((real_data / "conformance/versions.json").read_text())
    assert isinstance(answers, dict)
    return answers


def wrong_order(groups: list[list[str]]) -> list[object]:
    """The groups whose members differ in key, and the neighbours that are not ascending."""
    unequal = [group for group in groups if len({sort_key(version) for version in group}) != 1]
    keys = [(sort_key(group[0]), group[0]) for group in groups]
    return [*unequal, *((a, b) for a, b in pairwise(keys) if not a[0] < b[0])]


def wrong_answers(questions: list[list[Any]]) -> list[list[Any]]:
    return [
        [version, constraint, answer]
        for version, constraint, answer in questions
        if parse_versions(constraint).includes(version) is not answer
    ]


def test_order_is_spacks(conformance: dict[str, list[list[Any]]]) -> None:
    assert wrong_order(conformance["order"]) == []


def test_answers_are_spacks(conformance: dict[str, list[list[Any]]]) -> None:
    assert wrong_answers(conformance["satisfies"]) == []


def test_order_of_generated_versions_is_spacks() -> None:
    assert wrong_order(RECORDED["order"]) == []


def test_answers_for_generated_constraints_are_spacks() -> None:
    assert wrong_answers(RECORDED["satisfies"]) == []


@pytest.mark.parametrize("constraint", RECORDED["empty"])
def test_generated_empty_ranges_are_refused(constraint: str) -> None:
    with pytest.raises(EmptyRangeError):
        parse_versions(constraint)


@pytest.mark.parametrize(
    ("version", "key"),
    [
        ("1.14.3", "200112002142001303"),
        ("develop", "3603"),
        ("zz", "1zz!03"),
        ("1.0rc1", "200112001002" + "20011"),
        ("1.0alpha", "200112001000"),
        ("", "03"),
        ("1.0final2", "200112001003" + "20012"),
        ("git.main=1.14", "2001120021403#main"),
        (f"{COMMIT}=1.5", f"200112001503#{COMMIT}"),
        ("git.main", "#main"),
        (COMMIT, f"#{COMMIT}"),
        ("git.=", "03#"),
        ("9" * 999, "29990000000999" + "9" * 999 + "03"),
    ],
)
def test_key(version: str, key: str) -> None:
    assert sort_key(version) == key


def test_equal_versions() -> None:
    assert sort_key("2_0") == sort_key("2.0") == sort_key("2-0") == sort_key("2.00")
    assert sort_key("1.0") == sort_key("1.0final")
    assert sort_key(f"git.{COMMIT}=1.5") == sort_key(f"{COMMIT}=1.5")


def test_long_numbers_sort_by_value() -> None:
    versions = ["9" * 997, "9" * 998, "1" + "0" * 998, "9" * 999, "1" + "0" * 5000]
    assert sorted(versions, key=sort_key) == versions


def test_sqlite_sorts_keys_as_spack_sorts_versions(
    conformance: dict[str, list[list[Any]]],
) -> None:
    versions = [group[0] for group in conformance["order"]]
    database = sqlite3.connect(":memory:")
    database.execute("create table v (version text, sort_key text)")
    rows = [(version, sort_key(version)) for version in reversed(versions)]
    database.executemany("insert into v values (?, ?)", rows)
    found = database.execute("select version from v order by sort_key")
    assert [version for (version,) in found] == versions


@given(st.text())
def test_every_text_has_a_key_that_can_be_stored(version: str) -> None:
    assert sort_key(version).encode()


@pytest.mark.parametrize("version", ["\ud800", "git.\ud800=1", "\0", "é", "1 .0\n", "=", "a=b=c"])
def test_odd_texts_have_keys(version: str) -> None:
    assert sort_key(version).encode()


@pytest.mark.parametrize("unit", ["1", "a", "1.", "a1", "-", "=", "git.", "é", "rc", "\0"])
def test_ten_thousand_characters_have_a_key(unit: str) -> None:
    assert sort_key((unit * 10_000)[:10_000])


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("@1.14", VersionList((KeyRange("2001120021403", "2001120021503"),))),
        ("1.14", VersionList((KeyRange("2001120021403", "2001120021503"),))),
        ("@=1.14", VersionList(keys=("2001120021403",))),
        ("@1.2:", VersionList((KeyRange("200112001203", None),))),
        ("@:1.2", VersionList((KeyRange("00", "200112001303"),))),
        ("@:", VersionList((KeyRange(None, None),))),
        ("@1:2,:", VersionList((KeyRange(None, None),))),
        ("@:12,1.6:", VersionList((KeyRange(None, None),))),
        ("@:develop", VersionList((KeyRange("00", "3703"),))),
        ("@zz", VersionList((KeyRange("1zz!03", "1zzA!03"),))),
        ("@-", VersionList((KeyRange("03", "1A!03"),))),
        ("@masteq", VersionList((KeyRange("1masteq!03", "1mastes!03"),))),
        ("@1:2, 3:4 ,=9", VersionList((KeyRange("2001103", "2001503"),), ("2001903",))),
        ("@1.2:1.4,1.3:", VersionList((KeyRange("200112001203", None),))),
        ("@git.main=1.2", VersionList(keys=("200112001203#main",))),
        ("@git.main", VersionList(references=("main",))),
        (f"@{COMMIT}", VersionList(references=(COMMIT,))),
        ("@=git.main", VersionList(references=("main",))),
    ],
)
def test_constraint(constraint: str, expected: VersionList) -> None:
    assert parse_versions(constraint) == expected


@pytest.mark.parametrize(
    ("constraint", "inside", "outside"),
    [
        ("@1.14", ["1.14", "1.14.3", "1.14a", "1.14.0-rc1"], ["1.140", "1.14-rc1", "1.15"]),
        ("@=1.14", ["1.14", "1_14"], ["1.14.0", "git.main=1.14"]),
        ("@1.2:", ["1.2", "develop", "main", "git.x=2"], ["1.1", "git.x"]),
        ("@:1.14", ["1.14.2", "1.2", "zz"], ["develop", "main", "1.15"]),
        ("@1.13", ["1.14-rc1"], ["1.14"]),
        ("@:", ["develop", "git.x", ""], []),
        ("@1.2:1.4,1.6", ["1.2", "1.4.2", "1.6.1"], ["1.5", "1.1"]),
        ("@git.main", ["git.main=1.2", "git.main"], ["git.mai=1.2", "main", "1.main"]),
        ("@1.15:1.14", [], ["1.14", "1.15"]),
    ],
)
def test_what_a_constraint_lets_through(
    constraint: str, inside: list[str], outside: list[str]
) -> None:
    versions = parse_versions(constraint)
    assert [version for version in inside + outside if versions.includes(version)] == inside


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("@1.2:1.4", "@1.4:", True),
        ("@1.2:1.4", "@1.5:", False),
        ("@:1", "@1.9", True),
        ("@:1", "@2", False),
        ("@3:", "@:", True),
        ("@git.main", "@:", True),
        ("@git.main", "@git.main", True),
        ("@git.main", "@git.other", False),
        ("@git.main", "@1:", False),
        ("@=1.4", "@1", True),
        ("@=1.4", "@=1.4", True),
        ("@=1.4", "@=1.5", False),
        ("@1,3", "@2,3.1", True),
        ("@1,3", "@2,4", False),
        ("@2:", "@:1,3:", True),
        ("@:", "@:", True),
    ],
)
def test_constraints_that_a_version_can_meet_both(one: str, other: str, expected: bool) -> None:
    assert parse_versions(one).intersects(parse_versions(other)) is expected
    assert parse_versions(other).intersects(parse_versions(one)) is expected


@pytest.mark.parametrize("constraint", ["@1:0.5.4", "2024.10:999", "1.2:develop-,3:1"])
def test_empty_ranges_are_refused(constraint: str) -> None:
    with pytest.raises(EmptyRangeError, match="is an empty range"):
        parse_versions(constraint)


@pytest.mark.parametrize(
    "constraint",
    [
        "",
        "@",
        "@=",
        "1,,2",
        "1,",
        "1:2:3",
        "=1:2",
        "1:=2",
        "1.2+3",
        "1é",
        "git.ä=1",
        "git.a=1+",
        "@@1",
    ],
)
def test_what_is_no_constraint_is_refused(constraint: str) -> None:
    with pytest.raises(VersionError, match="is not a version"):
        parse_versions(constraint)


def test_limits() -> None:
    assert MAX_VERSION_LENGTH == 200
    assert MAX_PARTS == 200
    assert parse_versions("1" * MAX_VERSION_LENGTH)
    with pytest.raises(VersionError, match="longer than"):
        parse_versions("1" * (MAX_VERSION_LENGTH + 1))
    assert parse_versions(",".join("1" * MAX_PARTS))
    with pytest.raises(VersionError, match="at most"):
        parse_versions(",".join("1" * (MAX_PARTS + 1)))


@given(st.text("0123456789.-_:=,@ abgitmnrc", max_size=30))
def test_any_text_is_a_constraint_or_a_typed_error(text: str) -> None:
    try:
        ranges = parse_versions(text).ranges
    except VersionError:
        return
    assert all(a.high is not None and b.low is not None for a, b in pairwise(ranges))
    assert all(a.high < b.low for a, b in pairwise(ranges) if a.high and b.low)


def test_the_errors_are_the_users() -> None:
    assert issubclass(EmptyRangeError, VersionError)
    assert issubclass(VersionError, CatalogError)
    assert VersionError.exit_code == 2
