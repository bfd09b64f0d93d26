"""What a catalog remembers of any weeks, in any order, and when anything goes wrong meanwhile."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.catalog.kept import read_catalog
from etl.records import Listing, Mirror, Record, Source
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.pages import read_pages
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from etl.writer.resolve import Resolver
from tests.running import Run
from tests.sites import hash_of, item, page, place_of, write_site
from tests.small_catalogs import (
    DEVELOP,
    FIRST,
    SECOND,
    history_catalog,
    node,
    record,
    write_indexes,
)
from tests.weekly import BUCKET, FRIDAY, MONDAY, SUNDAY, digest, merged, mirror, rows, week

CACHES = (("develop", "e4s"), ("develop", "hep"), ("v1", "e4s"))
State = tuple[frozenset[int] | None, ...]
"""The specs of each of the ``CACHES``; None for one that is not there."""

states = st.tuples(*(st.none() | st.frozensets(st.integers(1, 3)) for _ in CACHES))
TIMES = (MONDAY, "2025-01-08T00:00:00Z", FRIDAY, SUNDAY)

SEEN = """
    SELECT tag, hash, first_seen, NULL, NULL, stacks FROM binary_list UNION ALL
    SELECT tag, hash, first_seen, last_seen, gone_since, stacks FROM gone_list ORDER BY 1, 2
"""
THERE = "SELECT tag, hash, stacks FROM binary_list ORDER BY 1, 2"
GONE = "SELECT tag, hash FROM gone_list ORDER BY 1, 2"


def mirrors_of(state: State) -> list[Mirror]:
    return [
        mirror(tag, stack, *sorted(numbers))
        for (tag, stack), numbers in zip(CACHES, state, strict=True)
        if numbers is not None
    ]


def read(target: Path, at: str, state: State, old: Path | None = None) -> Path:
    """The catalog after a reading of the whole bucket, in which any of the caches may be."""
    mirrors = mirrors_of(state)
    listing = Listing(BUCKET, frozenset((it.tag, it.stack) for it in mirrors))
    records: list[Record] = [Source("build cache", BUCKET), listing, *mirrors]
    readings = [Reading("bucket", records)]
    if old is not None:
        readings.insert(0, Reading(str(old), read_catalog(old), is_catalog=True))
    build_catalog(readings, target, at=at, check=True)
    return target


def expected(weeks: list[State]) -> list[tuple[object, ...]]:
    """What is to be known after these weeks, worked out by hand."""
    known: dict[tuple[str, str], list[object]] = {}
    before = ""
    for at, state in zip(TIMES, weeks, strict=False):
        there: dict[tuple[str, str], list[str]] = {}
        for (tag, stack), numbers in zip(CACHES, state, strict=True):
            for number in numbers or ():
                there.setdefault((tag, hash_of(number)), []).append(stack)
        for key, it in known.items():
            if key not in there and it[2] is None:
                it[1:3] = before, at
        for key, stacks in there.items():
            first = known[key][0] if key in known else at
            known[key] = [first, None, None, " ".join(stacks)]
        before = at
    return sorted((*key, *it) for key, it in known.items())


@settings(max_examples=12, deadline=None)
@given(st.lists(states, min_size=1, max_size=len(TIMES)))
def test_any_weeks_are_remembered(weeks: list[State]) -> None:
    weeks[0] = (frozenset({1}), *weeks[0][1:])  # of nothing at all no catalog is made
    with tempfile.TemporaryDirectory() as name:
        last: Path | None = None
        for number, (at, state) in enumerate(zip(TIMES, weeks, strict=False)):
            last = read(Path(name) / f"{number}.db", at, state, last)
        assert last is not None
        assert rows(last, SEEN) == expected(weeks)
        assert digest(merged(Path(name) / "again.db", last)) == digest(last)


@settings(max_examples=6, deadline=None)
@given(st.tuples(states, states, states))
def test_catalogs_merge_in_any_order_and_step_by_step(three: tuple[State, State, State]) -> None:
    """In any order the bytes are the same; step by step what is there and what is gone is.

    When something went may be told less exactly step by step: a catalog on the way forgets at
    which of several readings something was missed first.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, two, other = (
            read(folder / f"{at}.db", at, (frozenset({number}), *state[1:]))
            for number, (at, state) in enumerate(zip(TIMES, three, strict=False), start=1)
        )
        at_once = {
            digest(merged(folder / "all.db", *order)) for order in permutations((one, two, other))
        }
        assert len(at_once) == 1
        first = merged(folder / "a.db", merged(folder / "12.db", one, two), other)
        second = merged(folder / "b.db", one, merged(folder / "23.db", two, other))
        for query in (THERE, GONE):
            assert rows(first, query) == rows(second, query) == rows(folder / "all.db", query)


def test_claims_on_a_hash_and_problems_make_the_round_trip(tmp_path: Path) -> None:
    files = {
        place_of(tag, package): page(tag, package, items)
        for tag, package, items in (
            (SECOND, "tool", [item(1), item(2)]),
            (SECOND, "thief", [item(1, versions=["3.0"]), item(3)]),
            (DEVELOP, "tool", [item(2, versions=["9.9"]), item(4)]),
        )
    }
    files["_cache/broken/tool/specs.md"] = b"no page"
    specs = {hash_of(2): record(node("tool", "7.0")), hash_of(1): record(node("thief", "3.0"))}
    sources = {
        "site": read_pages(write_site(tmp_path / "site", files)),
        "indexes": read_build_caches(write_indexes(tmp_path / "indexes", {(SECOND, "e4s"): specs})),
    }
    target = tmp_path / "catalog.db"
    build_catalog([Reading(name, it) for name, it in sources.items()], target, at=MONDAY)
    kinds = rows(target, "SELECT kind, count(*) FROM problems GROUP BY kind ORDER BY kind")
    assert [kind for kind, _ in kinds] == ["contradiction", "refused"]
    assert digest(merged(tmp_path / "again.db", target)) == digest(target)
    # Read again from its sources beside the catalog, all of it is there once.
    build_catalog(
        [
            Reading(str(target), read_catalog(target), is_catalog=True),
            Reading("site", read_pages(tmp_path / "site")),
        ],
        tmp_path / "both.db",
        at=FRIDAY,
        check=True,
    )
    assert rows(tmp_path / "both.db", "SELECT count(*) FROM gone_list") == [(0,)]


def test_names_that_were_overruled_leave_no_trace(tmp_path: Path) -> None:
    """What an older tag says of a spec has a compiler, a system and a target of its own."""
    old = item(1, compiler="gcc@9.0.0", os="aix", platform="plan9", target="zz1")
    pages = {
        FIRST: [old],
        SECOND: [item(1, compiler="gcc@11.0.0"), item(2, os="rhel8", target="zz2")],
    }
    files = {place_of(tag, "tool"): page(tag, "tool", items) for tag, items in pages.items()}
    target = tmp_path / "catalog.db"
    build_catalog([Reading("site", read_pages(write_site(tmp_path / "site", files)))], target)
    assert rows(target, "SELECT kind FROM problems") == [("contradiction",)]
    for table, names in (
        ("compilers", ["gcc@11.0.0", "gcc@11.4.0"]),
        ("operating_systems", ["rhel8", "ubuntu22.04"]),
        ("platforms", ["linux"]),
    ):
        assert rows(target, f"SELECT id, name FROM {table}") == list(enumerate(names, 1))
    assert rows(target, "SELECT name FROM targets WHERE family IS NULL") == [("zz2",)]
    assert rows(target, "SELECT max(id) = count(*) FROM targets") == [(1,)]
    assert digest(merged(tmp_path / "again.db", target)) == digest(target)


def test_a_catalog_that_is_replaced_while_it_is_read_is_read_as_it_was(tmp_path: Path) -> None:
    old = week(tmp_path / "1.db", MONDAY, mirror("develop", "e4s", 1, 2))
    new = week(tmp_path / "2.db", FRIDAY, mirror("develop", "e4s", 3))
    expected_digest = digest(merged(tmp_path / "expected.db", old))
    records = read_catalog(old)
    first = next(records)
    shutil.copyfile(new, tmp_path / "copy.db")
    (tmp_path / "copy.db").replace(old)

    def rest() -> object:
        yield first
        yield from records

    build_catalog([Reading(str(old), rest(), is_catalog=True)], tmp_path / "out.db")  # type: ignore[arg-type]
    assert digest(tmp_path / "out.db") == expected_digest


@pytest.mark.parametrize("what", ["text", "empty", "another database", "cut off", "other schema"])
def test_what_is_no_catalog_that_can_be_read_writes_nothing(
    what: str, tmp_path: Path, run: Run
) -> None:
    target = week(tmp_path / "catalog.db", MONDAY, mirror("develop", "e4s", 1))
    before, source = digest(target), tmp_path / "old.db"
    if what == "text":
        source.write_text("hdf5@1.14.3\n")
    elif what == "empty":
        source.write_bytes(b"")
    elif what == "another database":
        with closing(sqlite3.connect(source)) as db, db:
            db.execute("CREATE TABLE binaries (id)")
    else:
        whole = history_catalog(tmp_path).read_bytes()
        target = week(tmp_path / "catalog.db", MONDAY, mirror("develop", "e4s", 1))
        source.write_bytes(whole if what == "other schema" else whole[: len(whole) // 2])
        if what == "other schema":
            with closing(sqlite3.connect(source)) as db, db:
                change = "UPDATE catalog_info SET value = '99' WHERE key = 'schema_version'"
                db.execute(change)
    refused = run("build", source, "--catalog", target, "--no-progress")
    assert refused.code in (2, 3), refused
    assert "old.db" in refused.err
    assert "Traceback" not in refused.err
    assert digest(target) == before
    assert not list(tmp_path.glob(".catalog.db.*"))


_MERGE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from etl.cli import main
main(["build", *sys.argv[3:], "--catalog", sys.argv[2], "--no-progress"])
"""


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_disk_that_is_full_while_catalogs_are_merged_changes_nothing(
    share: float, tmp_path: Path
) -> None:
    one = week(tmp_path / "1.db", MONDAY, mirror("develop", "e4s", 1, 2))
    two = week(tmp_path / "2.db", FRIDAY, mirror("develop", "e4s", 2, 3), old=one)
    whole = merged(tmp_path / "catalog.db", one, two)
    before = digest(whole)
    limit = str(int(whole.stat().st_size * share))
    command = [sys.executable, "-c", _MERGE, limit, str(whole), str(two), str(one)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 3, ended
    assert "Traceback" not in ended.stderr
    assert "catalog.db: cannot be written" in ended.stderr
    assert digest(whole) == before
    assert not list(tmp_path.glob(".catalog.db.*.building*"))


@settings(max_examples=10, deadline=None)
@given(st.lists(states, min_size=2, max_size=len(TIMES)))
def test_what_nothing_new_is_said_of_is_as_if_it_had_been_decided_again(weeks: list[State]) -> None:
    """What is carried over as it is, and what is decided upon spec by spec, are the same bytes."""
    weeks[0] = (frozenset({1}), *weeks[0][1:])
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        last: dict[bool, Path | None] = {False: None, True: None}
        for number, (at, state) in enumerate(zip(TIMES, weeks, strict=False)):
            for anew in last:
                if anew:
                    for method in ("_hashes", "_doubtful"):
                        patch.setattr(Resolver, method, lambda *told: None)
                last[anew] = read(folder / f"{number}-{anew}.db", at, state, last[anew])
                patch.undo()
            one, other = last.values()
            assert one is not None
            assert other is not None
            assert digest(one) == digest(other)
