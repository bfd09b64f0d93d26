"""Sizes and machines over time, held against sums of the test's own."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from etl.browse.machines import machine_history
from etl.browse.sizes import closure_size
from etl.browse.stack import stack_facts
from etl.catalog.reader import open_catalog
from etl.sources.build_caches.mirror import read_build_caches
from tests.small_catalogs import build


@pytest.fixture(scope="module")
def catalog(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build caches whose sizes are known, and others of which they are not."""
    sources = (read_build_caches(real_data / kind) for kind in ("indexes", "mirrors"))
    return build(tmp_path_factory.mktemp("sizes") / "catalog.db", *sources)


@pytest.fixture(scope="module")
def sized(catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a size for each spec but every fifth, and summed again as a build does."""
    from etl.writer.finish import _SIZES

    target = tmp_path_factory.mktemp("sized") / "catalog.db"
    target.write_bytes(catalog.read_bytes())
    with closing(sqlite3.connect(target)) as db:
        db.execute("ATTACH '' AS shelf")
        db.execute("UPDATE specs SET size = CASE WHEN id % 5 THEN 1000 + id END")
        for statement in _SIZES:
            db.execute(statement)
        db.commit()
    return target


@pytest.fixture
def db(sized: Path) -> Iterator[sqlite3.Connection]:
    with open_catalog(sized) as connection:
        yield connection


Binary = tuple[str, str, str, str, int | None]


def binaries(db: sqlite3.Connection) -> list[Binary]:
    sql = "SELECT tag, package, stacks, hash, size FROM binary_list"
    return [tuple(row) for row in db.execute(sql)]


def sums(pairs: Iterator[tuple[object, int | None]]) -> dict[object, tuple[int, int]]:
    """How many are known, and their bytes, by key."""
    known: Counter[object] = Counter()
    size: Counter[object] = Counter()
    for key, bytes_ in pairs:
        if bytes_ is not None:
            known[key] += 1
            size[key] += bytes_
    return {key: (known[key], size[key]) for key in known}


def test_sizes_of_tags_stacks_and_packages(db: sqlite3.Connection) -> None:
    rows = binaries(db)
    assert sums((tag, size) for tag, _, _, _, size in rows) == {
        name: (sized, size)
        for name, sized, size in db.execute("SELECT name, sized, size FROM tags WHERE sized")
    }
    assert sums(((tag, package), size) for tag, package, _, _, size in rows) == {
        (tag, package): (sized, size)
        for tag, package, sized, size in db.execute(
            "SELECT tags.name, packages.name, package_tags.sized, package_tags.size"
            " FROM package_tags JOIN tags ON tags.id = tag_id"
            " JOIN packages ON packages.id = package_id WHERE package_tags.sized"
        )
    }
    assert sums(
        ((tag, stack), size) for tag, _, stacks, _, size in rows for stack in stacks.split()
    ) == {
        (tag, stack): (sized, size)
        for tag, stack, sized, size in db.execute(
            "SELECT tags.name, stacks.name, mirrors.sized, mirrors.size FROM mirrors"
            " JOIN tags ON tags.id = tag_id JOIN stacks ON stacks.id = stack_id"
            " WHERE mirrors.sized"
        )
    }
    once = {(package, hash_): size for _, package, _, hash_, size in rows}
    assert sums((package, size) for (package, _), size in once.items()) == {
        name: (sized, size)
        for name, sized, size in db.execute("SELECT name, sized, size FROM packages WHERE sized")
    }


def test_no_size_is_made_up(catalog: Path) -> None:
    with open_catalog(catalog) as db:
        (known,) = db.execute("SELECT count(size) FROM specs WHERE tags > 0").fetchone()
        for table in ("tags", "mirrors", "packages", "package_tags"):
            wrong = f"SELECT count(*) FROM {table} WHERE (sized = 0) <> (size IS NULL)"
            assert db.execute(wrong).fetchone() == (0,), table
        assert db.execute("SELECT sum(sized) FROM packages").fetchone() == (known,)


def test_a_spec_with_all_it_needs_to_run(db: sqlite3.Connection) -> None:
    edges: dict[int, list[int]] = {}
    for parent, child, kinds in db.execute(
        "SELECT parent_id, child_id, deptypes FROM dependencies"
    ):
        if {"link", "run"} & set(kinds.replace(",", " ").split()):
            edges.setdefault(parent, []).append(child)
    facts = {
        id_: (hash_, size, external)
        for id_, hash_, size, external in db.execute("SELECT id, hash, size, external FROM specs")
    }
    looked_at = 0
    for start in list(edges)[::7]:
        below, todo = {start}, [start]
        while todo:
            for child in edges.get(todo.pop(), ()):
                if child not in below:
                    below.add(child)
                    todo.append(child)
        own = [facts[it][1] for it in below if facts[it][2] is None]
        known = [size for size in own if size is not None]
        found = closure_size(db, facts[start][0])
        assert (found.needed, found.sized, found.size) == (
            len(own),
            len(known),
            sum(known) if known else None,
        )
        assert db.execute(found.sql).fetchone() == (found.needed, found.sized, found.size)
        looked_at += len(below) > 3
    assert looked_at > 10


def test_what_a_stack_is_built_for(db: sqlite3.Connection) -> None:
    tag, stack = db.execute(
        "SELECT tags.name, stacks.name FROM mirrors JOIN tags ON tags.id = tag_id"
        " JOIN stacks ON stacks.id = stack_id WHERE stacks.name <> 'root'"
        " ORDER BY mirrors.binaries DESC LIMIT 1"
    ).fetchone()
    facts = stack_facts(db, stack, tag)
    for column, share in zip(("os", "target", "compiler"), facts.shares, strict=True):
        counted = Counter(
            value
            for value, stacks in db.execute(
                f"SELECT {column}, stacks FROM binary_list WHERE tag = ?", (tag,)
            )
            if stack in stacks.split()
        )
        assert {part[column]: part["binaries"] for part in share.parts} == counted
        assert db.execute(share.sql).fetchall() == [tuple(part.values()) for part in share.parts]
    largest = stack_facts(db, stack, tag, sort="-size").packages
    sizes = [row["size"] for row in largest.rows if row["size"] is not None]
    assert sizes == sorted(sizes, reverse=True)
    assert db.execute(largest.sql).fetchall()[0] == tuple(largest.rows[0].values())


def test_machines_over_time(db: sqlite3.Connection) -> None:
    for history in machine_history(db):
        expected = db.execute(
            f"SELECT tag, {history.column}, count(*) FROM binary_list GROUP BY 1, 2"
        ).fetchall()
        found = [(row["tag"], row[history.column], row["binaries"]) for row in history.rows]
        assert sorted(found) == sorted(expected)
        assert [row[:1] + row[3:] for row in db.execute(history.sql)] == found
    (kept,) = db.execute("SELECT sum(binaries) FROM machine_list").fetchone()
    assert kept == len(binaries(db))


def test_counting_by_tag_and_system_joins_no_more_than_it_must(db: sqlite3.Connection) -> None:
    """A join is made for each row whether it is wanted or not: at full scale there are many."""
    plan = db.execute(
        "EXPLAIN QUERY PLAN SELECT tag, os, count(*) FROM binary_list GROUP BY tag, os"
    ).fetchall()
    looked_up = " ".join(str(step[3]) for step in plan)
    for table in ("versions", "variant_sets", "stack_sets"):
        assert table not in looked_up
