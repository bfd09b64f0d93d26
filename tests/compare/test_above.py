"""What is above specs in a tag, looked up one by one or read with the graph of the tag."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from etl.compare.above import FEW, Use, graph_over
from etl.compare.tag_graph import graph_about, graph_of_tag
from etl.sources.build_caches.mirror import read_build_caches
from tests.sites import hash_of
from tests.small_catalogs import FIRST, SECOND, build, node, record, write_indexes

NAMES = ("lib", "middle", "app", "tool", "user", "script", "deep", "deeper", "top", "old-app")


def needing(name: str, *needs: tuple[str, str], there: bool = True) -> tuple[str, dict[str, Any]]:
    """A spec that needs others, each for what is told, as an index has it."""
    below = [(it, hash_of(NAMES.index(it) + 1), deptypes) for it, deptypes in needs]
    spec = node(name, "1.0", needs=below)
    return hash_of(NAMES.index(name) + 1), record(spec, there=there)


LIB = needing("lib")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tags that share ``lib``; the second describes three specs that have no binary in it.

    ``middle`` has a binary in the first tag, where something else needs it too.
    """
    first = dict([LIB, needing("middle", ("lib", "link")), needing("old-app", ("middle", "link"))])
    second = dict(
        [
            LIB,
            needing("middle", ("lib", "link"), there=False),
            needing("app", ("middle", "build link")),
            needing("tool", ("app", "run")),
            needing("user", ("tool", "build")),
            needing("script", ("lib", "build run")),
            needing("deep", ("lib", "build"), there=False),
            needing("deeper", ("deep", "link"), there=False),
            needing("top", ("deeper", "link run")),
        ]
    )
    folder = tmp_path_factory.mktemp("above")
    indexes = write_indexes(folder / "i", {(FIRST, "e4s"): first, (SECOND, "e4s"): second})
    return build(folder / "catalog.db", read_build_caches(indexes))


@pytest.mark.parametrize(
    ("tag", "link", "run", "build"),
    [
        (SECOND, {"app"}, {"tool", "script"}, {"user", "top"}),
        (FIRST, {"middle", "old-app"}, set(), set()),
    ],
)
def test_both_ways_are_the_same(
    catalog: Path, tag: str, link: set[str], run: set[str], build: set[str]
) -> None:
    in_tag = """
        SELECT binaries.spec_id, packages.name
        FROM binaries JOIN packages ON packages.id = binaries.package_id
        WHERE binaries.tag_id = (SELECT id FROM tags WHERE name = ?)
    """
    with closing(sqlite3.connect(catalog)) as db:
        present = dict(db.execute(in_tag, (tag,)))
        lib = [id_ for id_, name in present.items() if name == "lib"]
        over = graph_over(db, lib)
        assert over is not None
        read = graph_of_tag(db, tag).graph, graph_about(db, tag, lib).graph
        found = [graph.uses(lib) for graph in (over, *read)]
    told = [{present[id_]: use for id_, use in it.items() if id_ in present} for it in found]
    names = {Use.ITSELF: {"lib"}, Use.LINK: link, Use.RUN: run, Use.BUILD: build}
    expected = {it: use for use, those in names.items() for it in those}
    assert told == [expected] * 3


def test_what_many_need_is_not_looked_up(catalog: Path) -> None:
    with closing(sqlite3.connect(catalog)) as db:
        (lib,) = db.execute("SELECT id FROM specs WHERE hash = ?", (LIB[0],)).fetchone()
        edges = db.execute("SELECT count(*) FROM dependencies").fetchone()[0]
        assert graph_over(db, [lib], edges) is not None
        assert graph_over(db, [lib], edges - 1) is None
        assert graph_over(db, [], 0) is not None
        assert edges < FEW


def test_nothing_is_above_nothing(catalog: Path) -> None:
    with closing(sqlite3.connect(catalog)) as db:
        assert graph_of_tag(db, SECOND).graph.uses([]) == {}
        assert graph_of_tag(db, "nosuch").graph.uses([1]) == {1: Use.ITSELF}


def test_all_ways_are_the_same_in_real_indexes(indexes_catalog: Path) -> None:
    """What many need and what few need; of each its most specific use is told."""
    needed = """
        SELECT dependency_id FROM package_dependencies
        GROUP BY dependency_id ORDER BY sum(specs) DESC
    """
    seen: set[int] = set()
    with closing(sqlite3.connect(indexes_catalog)) as db:
        tag = db.execute("SELECT name FROM tags ORDER BY described DESC LIMIT 1").fetchone()[0]
        whole = graph_of_tag(db, tag)
        packages = [id_ for (id_,) in db.execute(needed)]
        for package in (*packages[:20], *packages[20::25]):
            specs = db.execute("SELECT id FROM specs WHERE package_id = ?", (package,))
            own = [id_ for (id_,) in specs]
            over, about = graph_over(db, own, 1_000_000), graph_about(db, tag, own)
            assert over is not None
            told, whole_told, over_told = (
                {id_: use for id_, use in it.uses(own).items() if id_ in whole.binaries}
                for it in (about.graph, whole.graph, over)
            )
            assert told == whole_told == over_told
            assert about.binaries == {
                id_: it for id_, it in whole.binaries.items() if id_ in about.binaries
            }
            assert told.keys() <= about.binaries.keys()
            seen.update(told.values())
    assert seen == {*Use}


def test_more_than_is_told_apart(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(catalog)) as db:
        lib = [id_ for (id_,) in db.execute("SELECT id FROM specs WHERE hash = ?", (LIB[0],))]
        told = graph_about(db, SECOND, lib).graph.uses(lib)
        for limit in ("IN_ONE_VALUE", "MANY"):
            monkeypatch.setattr(f"etl.compare.tag_graph.{limit}", 0)
            assert graph_about(db, SECOND, lib).graph.uses(lib) == told
