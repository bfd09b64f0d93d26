"""What the home page and the pages of tags, stacks and packages say, row by row."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from etl.browse.caches import cache_list, caches_of_package
from etl.browse.lists import PAGE, package_list, stack_list, tag_list
from etl.browse.newest import newest_tag_name
from etl.browse.overview import overview, tag_history
from etl.browse.shares import shares_of_tag
from etl.browse.stack import stack_facts
from etl.browse.tag import tag_facts
from etl.catalog.asking import Listed, NotHereError, known, like, listed, near_names
from etl.catalog.reader import open_catalog
from etl.compare.diff import PackageChanges
from etl.errors import UsageError
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.pages import read_pages
from tests.sites import item, page, place_of, write_site
from tests.small_catalogs import (
    DEVELOP,
    FIRST,
    RELEASE,
    SECOND,
    THIRD,
    build,
    history_catalog,
    three_tags_of_caches,
    write_indexes,
)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return history_catalog(tmp_path_factory.mktemp("history"))


@pytest.fixture
def db(catalog: Path) -> Iterator[sqlite3.Connection]:
    with open_catalog(catalog) as opened:
        yield opened


def values(rows: Any) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in rows]


def run(catalog: Path, sql: str) -> list[dict[str, Any]]:
    """What a statement gives that is run as it is, by plain SQLite."""
    with closing(sqlite3.connect(catalog)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(sql)]


def is_true(catalog: Path, found: Listed) -> bool:
    rows = run(catalog, found.sql)
    return rows[: len(found.rows)] == list(found.rows) and len(rows) == found.total


KNOWN = {"sized": 1, "size": 2_500_000}
UNKNOWN = {"sized": 0, "size": None}
TAGS: list[dict[str, Any]] = [
    {"tag": DEVELOP, "kind": "develop", "date": None, "packages": 1, "binaries": 1, **UNKNOWN},
    {
        "tag": SECOND,
        "kind": "snapshot",
        "date": "2025-01-12",
        "packages": 3,
        "binaries": 8,
        **KNOWN,
    },
    {
        "tag": FIRST,
        "kind": "snapshot",
        "date": "2025-01-05",
        "packages": 3,
        "binaries": 5,
        **KNOWN,
    },
    {
        "tag": RELEASE,
        "kind": "release",
        "date": "2022-05-28",
        "packages": 1,
        "binaries": 1,
        **UNKNOWN,
    },
]
STACKS = [
    {"stack": "e4s", "binaries": 7, **KNOWN, "tag": SECOND, "tags": 3},
    {"stack": "hep", "binaries": 2, **KNOWN, "tag": SECOND, "tags": 1},
    {"stack": "root", "binaries": 8, **KNOWN, "tag": SECOND, "tags": 4},
]


def test_all_that_the_home_page_says(db: sqlite3.Connection) -> None:
    facts = overview(db)
    assert facts.counts == {
        "tags": 4,
        "packages": 4,
        "specs": 13,
        "binaries": 15,
        "gone": 0,
        "gone_tags": 0,
    }
    assert facts.newest == newest_tag_name(db) == SECOND  # which has a date, as develop has not
    assert facts.history == tuple(TAGS[::-1])
    assert [(it.tag, it.previous, it.changes) for it in facts.recent] == [
        (TAGS[0], SECOND, PackageChanges(0, 2, 0, 0, ("tool", "lib"))),
        (TAGS[1], FIRST, PackageChanges(1, 1, 1, 0, ("tool", "new-lib", "old-lib"))),
        (TAGS[2], None, None),
    ]
    assert [(it.tag, it.previous, it.changes) for it in facts.releases] == [(TAGS[3], None, None)]
    assert facts.stacks == tuple(STACKS)
    assert [(it.kind, it.parts, it.total) for it in facts.shares] == [
        ("os", ({"os": "ubuntu22.04", "binaries": 7}, {"os": "rhel8", "binaries": 1}), 8),
        ("target", ({"target": "x86_64_v3", "binaries": 7}, {"target": "zen4", "binaries": 1}), 8),
        (
            "compiler",
            (
                {"compiler": "gcc@11.4.0", "binaries": 7},
                {"compiler": "intel-oneapi-compilers@2024.2.1", "binaries": 1},
            ),
            8,
        ),
    ]


NOTHING_GONE: dict[str, Any] = {"gone": 0, "gone_since": None}


def test_the_home_page_of_a_catalog_without_a_binary(tmp_path: Path) -> None:
    indexes = write_indexes(tmp_path / "indexes", {(SECOND, "e4s"): {}})
    with open_catalog(build(tmp_path / "catalog.db", read_build_caches(indexes))) as db:
        facts = overview(db)
        assert facts.counts == {
            "tags": 0,
            "packages": 0,
            "specs": 0,
            "binaries": 0,
            "gone": 0,
            "gone_tags": 0,
        }
        assert (facts.newest, facts.recent, facts.stacks, facts.shares) == (None, (), (), ())
        tag = tag_facts(db, SECOND)
        assert (tag.tag["binaries"], tag.stacks.rows, tag.packages.total) == (
            0,
            (
                {
                    "stack": "e4s",
                    "binaries": 0,
                    "url": None,
                    "view": None,
                    "sized": 0,
                    "size": None,
                    **NOTHING_GONE,
                    "first_seen": None,
                    "last_seen": None,
                },
            ),
            0,
        )
        stack = stack_facts(db, "e4s")
        assert (stack.tag, stack.tags, stack.packages.rows) == (None, (), ())


def test_tags_and_stacks(db: sqlite3.Connection) -> None:
    assert tag_history(db) == tuple(TAGS)
    assert stack_list(db).rows == tuple(STACKS)
    assert tag_list(db).rows == tuple(TAGS)
    assert tag_list(db, "release").rows == tuple(it for it in TAGS if it["kind"] == "release")
    with pytest.raises(UsageError, match="kind must be one of release, snapshot, other"):
        tag_list(db, "develop")


def test_what_a_tag_is_built_for(db: sqlite3.Connection, catalog: Path) -> None:
    shares = {it.kind: it for it in shares_of_tag(db, SECOND)}
    assert {kind: values(it.parts) for kind, it in shares.items()} == {
        "os": [("ubuntu22.04", 7), ("rhel8", 1)],
        "target": [("x86_64_v3", 7), ("zen4", 1)],
        "compiler": [("gcc@11.4.0", 7), ("intel-oneapi-compilers@2024.2.1", 1)],
    }
    for it in shares.values():
        assert run(catalog, it.sql) == list(it.parts)
        assert it.total == 8


def test_a_tag(db: sqlite3.Connection, catalog: Path) -> None:
    facts = tag_facts(db, SECOND)
    no_cache = {"cache": None, "address": None, "signed": None}
    sizes = {"described": 0, "sized": 1, "size": 2_500_000}
    assert facts.tag == {**TAGS[1], **sizes, **no_cache, **NOTHING_GONE}
    assert (facts.previous, facts.changes) == (
        FIRST,
        PackageChanges(1, 1, 1, 0, ("tool", "new-lib", "old-lib")),
    )
    where = f"https://binaries.spack.io/{SECOND}"
    assert values(facts.stacks.rows) == [
        ("root", 8, where, None, 1, 2_500_000, 0, None, None, None),
        ("e4s", 7, f"{where}/e4s", None, 1, 2_500_000, 0, None, None, None),
        ("hep", 2, f"{where}/hep", None, 1, 2_500_000, 0, None, None, None),
    ]
    assert values(facts.packages.rows) == [
        ("lib", "2.0", 2, 2, None),
        ("new-lib", "1.0", 1, 2, None),
        ("tool", "develop", 3, 4, 2_500_000),
    ]
    assert is_true(catalog, facts.stacks)
    assert is_true(catalog, facts.packages)


def test_a_tag_with_a_slash_in_its_name(db: sqlite3.Connection) -> None:
    facts = tag_facts(db, RELEASE)
    assert (facts.tag["binaries"], facts.previous, facts.changes) == (1, None, None)
    assert values(facts.packages.rows) == [("tool", "1.9", 1, 1, None)]


@pytest.mark.parametrize(
    ("part", "packages"),
    [
        ("lib", ["lib", "new-lib"]),
        (" NEW ", ["new-lib"]),
        ("%", []),
        ("_", []),
        ("\\", []),
        ("' OR 1 --", []),
        ("x" * 10_000, []),
        ("", ["lib", "new-lib", "tool"]),
    ],
)
def test_packages_by_a_part_of_the_name(
    db: sqlite3.Connection, catalog: Path, part: str, packages: list[str]
) -> None:
    for found in (
        tag_facts(db, SECOND, part).packages,
        stack_facts(db, "root", SECOND, None, part).packages,
    ):
        assert [row["package"] for row in found.rows] == packages
        assert is_true(catalog, found)


def test_a_stack(db: sqlite3.Connection, catalog: Path) -> None:
    assert stack_facts(db, "e4s").tag == SECOND  # which has a date, as develop has not
    facts = stack_facts(db, "e4s", DEVELOP)
    where = "https://binaries.spack.io"
    assert (facts.stack, facts.tag, facts.others) == ("e4s", DEVELOP, ("hep", "root"))
    assert values(facts.tags) == [
        (DEVELOP, "develop", None, 1, f"{where}/{DEVELOP}/e4s", 0, None),
        (SECOND, "snapshot", "2025-01-12", 7, f"{where}/{SECOND}/e4s", 1, 2_500_000),
        (FIRST, "snapshot", "2025-01-05", 5, f"{where}/{FIRST}/e4s", 1, 2_500_000),
    ]
    assert values(facts.packages.rows) == [("new-lib", "1.0", 1, None)]
    assert (facts.here["binaries"], facts.here["sized"]) == (1, 0) if facts.here else False
    assert is_true(catalog, facts.packages)


def test_a_stack_in_another_tag(db: sqlite3.Connection, catalog: Path) -> None:
    found = stack_facts(db, "hep", SECOND).packages
    assert values(found.rows) == [("new-lib", "1.0", 1, None), ("tool", "1.10", 1, 2_500_000)]
    assert is_true(catalog, found)


def test_what_one_stack_has_and_another_has_not(db: sqlite3.Connection, catalog: Path) -> None:
    facts = stack_facts(db, "e4s", SECOND, "hep")
    assert (facts.other, values(facts.packages.rows)) == ("hep", [("lib", "2.0", 2, None)])
    assert is_true(catalog, facts.packages)
    assert stack_facts(db, "hep", SECOND, "e4s").packages.rows == ()
    assert stack_facts(db, "hep", SECOND, "hep").packages.rows == ()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("e4",), ("stack", "e4", ("e4s",))),
        (("e4s", SECOND, "Hep"), ("stack", "Hep", ("hep",))),
        (("hep", FIRST), ("stack hep in the tag", FIRST, (SECOND,))),
        (("e4s", "nope"), ("stack e4s in the tag", "nope", (DEVELOP, SECOND, FIRST))),
    ],
)
def test_a_stack_that_is_not_there(
    db: sqlite3.Connection, arguments: Any, error: tuple[object, ...]
) -> None:
    with pytest.raises(NotHereError) as raised:
        stack_facts(db, *arguments)
    assert (raised.value.kind, raised.value.name, raised.value.near) == error


def test_a_tag_that_is_not_there(db: sqlite3.Connection) -> None:
    with pytest.raises(NotHereError) as raised:
        tag_facts(db, "v0.18")
    assert raised.value.near == (RELEASE,)
    assert str(raised.value) == "no tag v0.18 in this catalog"


def test_packages(db: sqlite3.Connection, catalog: Path) -> None:
    found = package_list(db)
    assert values(found.rows) == [
        ("lib", "2.0", 2, 4, 4, None, 2, SECOND, None),
        ("new-lib", "1.0", 1, 2, 3, None, 2, DEVELOP, None),
        ("old-lib", "1.0", 1, 1, 1, None, 1, FIRST, None),
        ("tool", "develop", 4, 6, 7, 2_500_000, 3, SECOND, None),
    ]
    assert is_true(catalog, found)
    by_binaries = package_list(db, sort="-binaries")
    assert [row["package"] for row in by_binaries.rows] == ["tool", "lib", "new-lib", "old-lib"]
    assert is_true(catalog, by_binaries)
    assert [row["package"] for row in package_list(db, "LIB").rows] == ["lib", "new-lib", "old-lib"]
    assert package_list(db, "_").rows == ()
    assert package_list(db, page=2) == Listed((), found.sql, 4)


def test_pages_of_a_long_list(tmp_path: Path) -> None:
    names = [f"p{number:03}" for number in range(2 * PAGE + 1)]
    files = {
        place_of(SECOND, name): page(SECOND, name, [item(number)])
        for number, name in enumerate(names)
    }
    site = write_site(tmp_path / "site", files)
    catalog = build(tmp_path / "catalog.db", read_pages(site))
    with open_catalog(catalog) as db:
        numbers = (1, 2, 3, 4)
        for found in (
            [package_list(db, page=number) for number in numbers],
            [tag_facts(db, SECOND, page=number).packages for number in numbers],
            [stack_facts(db, "e4s", page=number).packages for number in numbers],
        ):
            assert [it.total for it in found] == [2 * PAGE + 1] * 4
            assert [len(it.rows) for it in found] == [PAGE, PAGE, 1, 0]
            assert [row["package"] for it in found for row in it.rows] == names
            assert {it.sql for it in found} == {found[0].sql}
            assert [row["package"] for row in run(catalog, found[0].sql)] == names


def test_names_that_look_alike(db: sqlite3.Connection) -> None:
    assert near_names(db, "packages", "LIB") == ("lib", "new-lib", "old-lib")
    assert near_names(db, "packages", " new_lib ") == ("new-lib", "lib")
    assert near_names(db, "packages", "tol") == ("tool",)
    assert near_names(db, "packages", "") == ()
    assert near_names(db, "packages", "zzz") == ()
    assert near_names(db, "packages", "%") == ()
    assert near_names(db, "packages", "tool" * 5_000) == ()
    assert near_names(db, "packages", "\U0001f4a5\x00") == ()


def test_the_id_of_a_name(db: sqlite3.Connection) -> None:
    assert known(db, "tags", "tag", RELEASE) == 1
    with pytest.raises(NotHereError, match="no package lob in this catalog"):
        known(db, "packages", "package", "lob")


def test_texts_in_names() -> None:
    assert like(" 50%_\\ ") == "%50\\%\\_\\\\%"
    assert like("x" * 1_000) == f"%{'x' * 100}%"
    assert like("%" * 1_000).count("\\") == 100


@pytest.mark.parametrize("value", ["it's", ":name_1 ", "'; DROP TABLE tags; --", "\U0001f4a5"])
def test_a_list_tells_its_sql_with_the_values_in_it(
    db: sqlite3.Connection, catalog: Path, value: str
) -> None:
    found = listed(db, "SELECT name, :name_1 AS it FROM tags ORDER BY id", 2, name_1=value)
    assert values(found.rows) == [(RELEASE, value), (FIRST, value)]
    assert found.total == 4
    assert is_true(catalog, found)


def test_facts_are_what_json_can_hold(db: sqlite3.Connection) -> None:
    facts = tag_facts(db, SECOND)
    assert json.loads(json.dumps(facts.packages.rows)) == list(facts.packages.rows)


def test_the_newest_tag_of_a_cache_has_a_date_where_there_is_one(tmp_path: Path) -> None:
    with open_catalog(three_tags_of_caches(tmp_path)) as db:
        listed = {it["cache"]: it["newest_tag"] for it in cache_list(db)}
        of_tool = {it["cache"]: it["newest_tag"] for it in caches_of_package(db, "tool")}
    assert listed == of_tool == {"all": f"all:{THIRD}", "some": f"some:{THIRD}"}
