"""What came and went for a query from tag to tag, spec by spec."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.browse.query_tags import Specs, TagChanges, query_tags
from etl.catalog.reader import open_catalog
from etl.compare.diff import compare
from etl.errors import UsageError
from etl.query.scope import Scope
from etl.query.taken import Taken
from etl.sources.build_caches.mirror import read_build_caches
from etl.spack.syntax import parse_specs
from tests.sites import hash_of
from tests.small_catalogs import (
    FIRST,
    SECOND,
    THIRD,
    graph_catalog,
    node,
    record,
    three_tags_catalog,
    three_tags_of_caches,
    write_indexes,
)
from tests.weekly import FRIDAY, MONDAY, mirror, week

EVERYWHERE = Scope()


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_tags_catalog(tmp_path_factory.mktemp("three"))


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_tags_of_caches(tmp_path_factory.mktemp("caches"))


@pytest.fixture
def db(catalog: Path) -> Iterator[sqlite3.Connection]:
    with open_catalog(catalog) as opened:
        yield opened


def specs(*told: tuple[str, str, int]) -> Specs:
    rows = [{"package": it, "version": version, "hash": hash_of(n)} for it, version, n in told]
    return Specs(tuple(rows), len(rows))


def changes(
    db: sqlite3.Connection, query: str, scope: Scope = EVERYWHERE
) -> list[tuple[str, str, tuple[int, int, int]]]:
    """Tag, the one before, and how many were added, rebuilt and removed."""
    return [
        (it.tag, it.previous, (it.added.total, it.rebuilt.total, it.removed.total))
        for it in query_tags(db, parse_specs(query), scope)
    ]


SECOND_OF_TOOL = TagChanges(
    SECOND, "2025-01-12", FIRST, added=specs(), rebuilt=specs(("tool", "1.9", 3)), removed=specs()
)
THIRD_OF_TOOL = TagChanges(
    THIRD,
    "2025-01-19",
    SECOND,
    added=specs(("tool", "2.0", 4), ("tool", "2.0", 5)),
    rebuilt=specs(),
    removed=specs(("tool", "1.10", 2)),
)


def test_which_specs_came_and_went(db: sqlite3.Connection) -> None:
    assert query_tags(db, parse_specs("tool"), Scope()) == (THIRD_OF_TOOL, SECOND_OF_TOOL)
    assert query_tags(db, parse_specs("tool"), Scope(tag=FIRST)) == (THIRD_OF_TOOL, SECOND_OF_TOOL)


@pytest.mark.parametrize(
    ("query", "scope", "told"),
    [
        ("lib", Scope(), [(SECOND, FIRST, (0, 0, 1))]),
        ("lib@1:", Scope(), []),
        ("nothing", Scope(), []),
        ("tool@3:", Scope(), []),
        ("tool@1.9", Scope(), [(SECOND, FIRST, (0, 1, 0))]),
        (f"/{hash_of(1)}", Scope(), [(SECOND, FIRST, (0, 0, 1))]),
        ("tool os=rhel8", Scope(), [(THIRD, SECOND, (1, 0, 1))]),
        ("tool", Scope(os="rhel8"), [(THIRD, SECOND, (1, 0, 1))]),
        ("tool", Scope(runs_on="x86_64_v3", version="2.0"), [(THIRD, SECOND, (1, 0, 0))]),
        ("tool", Scope(target="zen4"), [(THIRD, SECOND, (1, 0, 0))]),
        # The tag before is the one before in which the stack is.
        ("tool", Scope(stack="hep"), []),
        ("tool", Scope(stack="e4s"), [(THIRD, SECOND, (1, 0, 1)), (SECOND, FIRST, (0, 1, 0))]),
        ("tool", Scope(stack="root", also_in="hep"), [(THIRD, SECOND, (1, 0, 0))]),
        ("*", Scope(package="lib"), [(SECOND, FIRST, (0, 0, 1))]),
        ("*", Scope(), [(THIRD, SECOND, (2, 0, 1)), (SECOND, FIRST, (0, 1, 1))]),
        ("tool@2: lib@:0.9", Scope(), [(THIRD, SECOND, (2, 0, 0)), (SECOND, FIRST, (0, 0, 1))]),
    ],
)
def test_all_of_a_question_counts(
    db: sqlite3.Connection,
    query: str,
    scope: Scope,
    told: list[tuple[str, str, tuple[int, int, int]]],
) -> None:
    assert changes(db, query, scope) == told


def test_the_numbers_are_those_of_the_comparison(db: sqlite3.Connection) -> None:
    for it in query_tags(db, parse_specs("tool"), Scope()):
        whole = compare(db, it.previous, it.tag, package="tool")
        assert it.rebuilt.total == whole.binaries_rebuilt
        assert it.added.total + it.rebuilt.total == whole.binaries_added
        assert it.removed.total + it.rebuilt.total == whole.binaries_removed


def test_tags_are_compared_within_their_cache(caches: Path) -> None:
    with open_catalog(caches) as db:
        of_all = [
            (f"all:{THIRD}", f"all:{SECOND}", (2, 0, 1)),
            (f"all:{SECOND}", f"all:{FIRST}", (0, 1, 0)),
        ]
        of_some = [(f"some:{THIRD}", f"some:{FIRST}", (2, 1, 1))]
        assert changes(db, "tool", Scope(cache="all")) == of_all
        assert changes(db, "tool", Scope(cache="some")) == of_some
        assert sorted(changes(db, "tool")) == sorted(of_all + of_some)
        assert changes(db, "tool", Scope(cache="all", not_in="some")) == []


def test_what_is_gone_counts_as_had(tmp_path: Path) -> None:
    old, new = "develop-2025-01-05", "develop-2025-01-12"
    first = week(tmp_path / "1.db", MONDAY, mirror(old, "e4s", 1, 2), mirror(new, "e4s", 2, 3))
    second = week(tmp_path / "2.db", FRIDAY, mirror(new, "e4s", 3), old=first)
    for path in (first, second):
        with open_catalog(path) as db:
            for scope in (
                Scope(),
                Scope(stack="e4s"),
                Scope(taken=Taken(tuple(range(1, 100)), ())),
            ):
                (it,) = query_tags(db, parse_specs("*"), scope)
                assert (it.tag, it.previous) == (new, old)
                assert [row["hash"] for row in it.added.first] == [hash_of(3)]
                assert [row["hash"] for row in it.removed.first] == [hash_of(1)]
            assert changes(db, "tool-2") == []


def test_long_lists_name_the_first(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.browse.query_tags.MAX_SPECS", 1)
    newest, _ = query_tags(db, parse_specs("tool"), Scope())
    assert newest.added == Specs(specs(("tool", "2.0", 4)).first, 2)


def test_many_specs_are_asked_for_in_parts(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A site refuses long values."""
    monkeypatch.setattr("etl.catalog.asking.IN_ONE_VALUE", 1)
    sent: list[str] = []
    db.set_trace_callback(sent.append)
    assert query_tags(db, parse_specs("tool"), Scope()) == (THIRD_OF_TOOL, SECOND_OF_TOOL)
    asked = [it for it in sent if "variant_set_id, compiler_id, os_id" in it]
    assert len(asked) == 5  # 2 added, 1 removed; 1 rebuilt in the place of 1
    assert sum("SELECT id, hash" in it for it in sent) == 4  # of all but what is replaced


def test_at_most_so_many_tags(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.browse.query_tags.MAX_TAGS", 1)
    assert query_tags(db, parse_specs("tool"), Scope()) == (THIRD_OF_TOOL,)


def test_tags_that_do_not_tell_what_is_asked_are_not_compared(
    db: sqlite3.Connection, tmp_path: Path
) -> None:
    assert changes(db, "tool ^lib") == []
    with open_catalog(graph_catalog(tmp_path, {"tool": ["lib"], "lib": []})) as graph:
        assert changes(graph, "tool ^lib") == []  # there is no tag before


def test_a_scope_that_is_not_here(db: sqlite3.Connection) -> None:
    with pytest.raises(UsageError):
        query_tags(db, parse_specs("tool"), Scope(os="plan9"))


def test_each_tag_is_asked_by_what_it_tells(tmp_path: Path) -> None:
    """Tags that tell dependencies are looked through at once, and those that do not are."""
    lib, tool, newer = map(hash_of, range(51, 54))
    told = {
        lib: record(node("lib", "3.0")),
        tool: record(node("tool", "3.0", [("lib", lib)])),
        newer: record(node("tool", "4.0", [("lib", lib)])),
    }
    old, new = "develop-2025-02-02", "develop-2025-02-09"
    indexes = {
        (old, "e4s"): {it: told[it] for it in (lib, tool)},
        (new, "e4s"): {it: told[it] for it in (lib, newer)},
    }
    records = read_build_caches(write_indexes(tmp_path / "indexes", indexes))
    with open_catalog(three_tags_catalog(tmp_path, records)) as db:
        sent: list[str] = []
        db.set_trace_callback(sent.append)
        assert changes(db, "tool ^lib") == [(new, old, (1, 0, 1))]
        assert sum("AS MATERIALIZED" in it for it in sent) == 1
        assert changes(db, "tool") == [
            (new, old, (1, 0, 1)),
            (old, THIRD, (1, 0, 3)),
            (THIRD, SECOND, (2, 0, 1)),
            (SECOND, FIRST, (0, 1, 0)),
        ]
        assert sum("AS MATERIALIZED" in it for it in sent) == 3
