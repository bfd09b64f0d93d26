"""What a host can use: as Spack says of an index that was varied on purpose, host by host."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from etl.catalog.reader import open_catalog
from etl.hosts.host import WORDS, Host, Libc, read_host
from etl.hosts.profiles import find_host
from etl.query.find import Finder
from etl.query.host_misses import _counted, host_misses
from etl.query.reuse import Reuse, Verdict
from etl.query.scope import Scope
from etl.query.tally import tally
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.selection import Selection
from etl.spack.syntax import parse_spec
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.running import Run
from tests.sites import hash_of
from tests.small_catalogs import (
    FIRST,
    SECOND,
    build,
    graph_catalog,
    node,
    record,
    spec_hash,
    write_indexes,
)

HOSTS = (
    "centos7-haswell", "amzn2-graviton2", "rocky8-zen3", "sles15.5-skylake", "rocky9-zen4",
    "ubuntu22.04-icelake", "debian12-x86_64_v3", "sles15.6-zen2", "ubuntu24.04-grace",
    "ubuntu24.04-x86_64_v2", "debian13-a64fx", "alpine3.20-zen4", "ventura-m1", "sonoma-m2",
    "tahoe-m3",
)  # fmt: skip


@pytest.fixture(scope="module")
def expected(real_data: Path) -> dict[str, Any]:
    path = real_data / "reuse" / "expected.json.gz"
    told: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return told


@pytest.fixture(scope="module")
def catalog(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("reuse") / "catalog.db"
    records = read_build_caches(real_data / "reuse" / "index.json.gz", Selection(owner="v1"))
    build_catalog([Reading("reuse", records)], target)
    return target


def host_of(expected: dict[str, Any], name: str) -> Host:
    (told,) = (it for it in expected["hosts"] if it["name"] == name)
    return read_host(json.dumps(told), name)


@pytest.mark.parametrize("name", HOSTS)
def test_spack_says_the_same_of_every_binary(
    name: str, expected: dict[str, Any], catalog: Path
) -> None:
    with open_catalog(catalog) as db:
        reuse = Reuse(db, host_of(expected, name))
        found = [reuse.verdict(hash_, "v1") for hash_ in expected["hashes"]]
        taken = db.execute(
            "SELECT specs.hash FROM binaries JOIN specs ON specs.id = binaries.spec_id"
            f" WHERE {reuse.taken.sql}"
        ).fetchall()
    assert [it and it.reason for it in found] == expected["reasons"][name]
    assert {hash_ for (hash_,) in taken} == {
        hash_
        for hash_, reason in zip(expected["hashes"], expected["reasons"][name], strict=True)
        if reason is None
    }


def test_all_hosts_are_tried(expected: dict[str, Any]) -> None:
    assert [it["name"] for it in expected["hosts"]] == list(HOSTS)


def test_the_command_says_it_too(
    run: Run, expected: dict[str, Any], catalog: Path, tmp_path: Path
) -> None:
    file = tmp_path / "node.json"
    file.write_text(host_of(expected, "rocky8-zen3").to_json())
    options = ("--host", file, "--catalog", catalog)
    done = run("find", "*", *options, "--format", "json")
    reasons = {row["hash"]: row["reason"] for row in json.loads(done.out)}
    told = dict(zip(expected["hashes"], expected["reasons"]["rocky8-zen3"], strict=True))
    assert reasons == told
    rows = json.loads(run("find", "*", *options, "--reusable", "--format", "json").out)
    assert {row["hash"] for row in rows} == {it for it, reason in told.items() if reason is None}
    assert all(row["reusable"] is True and row["why"] is None for row in rows)
    text = run("find", "hdf5", *options, "--format", "csv").out
    assert {row["reusable"] for row in csv.DictReader(io.StringIO(text))} == {"True", "False"}


def test_why(run: Run, catalog: Path) -> None:
    done = run("why", "hdf5", "--host", "rocky8/zen3", "--catalog", catalog)
    assert done.code == 0
    assert done.out.splitlines()[0] == "rocky8/zen3 can use 1 of 14 binaries in v1"
    assert "no   hdf5@1.14.6/xdvwawk  needs glibc 2.36, this host has 2.28" in done.out
    one = run(
        "why", "xdvwawks2aawdryak3mygm5fgzymrrjl", "--host", "rocky8/zen3", "--catalog", catalog
    )
    assert (one.code, one.out.splitlines()[0]) == (1, "rocky8/zen3 can use 0 of 1 binary in v1")
    told = json.loads(
        run("why", "/xdvw", "--format", "json", "--host", "rocky8/zen3", "--catalog", catalog).out
    )
    assert [(it["reusable"], it["reason"]) for it in told] == [(False, "libc")]
    assert run("why", "nosuch", "--host", "rocky8/zen3", "--catalog", catalog).code == 1
    assert run("why", " ", "--catalog", catalog).code == 2
    assert run("why", "hdf5", "--host", "nosuch", "--catalog", catalog).code == 2


def test_nothing_that_can_be_taken_is_explained(run: Run, catalog: Path) -> None:
    done = run("find", "hdf5", "--reusable", "--host", "debian13/a64fx", "--catalog", catalog)
    assert (done.code, done.out) == (1, "")
    assert "debian13/a64fx can use none of the 14 binaries in v1:" in done.err
    assert ": built for x86_64_v3, this host is a64fx" in done.err


def test_a_closure_names_what_is_in_the_way(catalog: Path) -> None:
    with open_catalog(catalog) as db:
        reuse = Reuse(db, Host("linux", "debian12", "zen4", Libc("glibc", "2.36")))
        verdict = reuse.verdict("xdvwawks2aawdryak3mygm5fgzymrrjl", "v1")
    assert verdict == Verdict(
        "closure", "its mpich/cfc7cob: needs musl 1.2.4, this host has glibc 2.36"
    ) or (verdict and verdict.reason == "closure" and "mpich/cfc7cob" in str(verdict.why))


def test_pages_tell_the_libc_by_their_system(sample_catalog: Path) -> None:
    with open_catalog(sample_catalog) as db:
        (hash_,) = db.execute(
            "SELECT hash FROM binary_list WHERE tag = 'v2025.07.0' AND os = 'ubuntu24.04'"
            " AND target = 'x86_64_v3' ORDER BY hash LIMIT 1"
        ).fetchone()
        old = Reuse(db, find_host("rocky8/zen3")).verdict(hash_, "v2025.07.0")
        new = Reuse(db, find_host("ubuntu24.04/zen3")).verdict(hash_, "v2025.07.0")
    assert old == Verdict("libc", "needs glibc 2.39, this host has 2.28 (by its OS, ubuntu24.04)")
    assert new == Verdict(
        None, "its link and run dependencies are unknown (by its OS, ubuntu24.04)"
    )


def test_no_such_spec(sample_catalog: Path) -> None:
    with open_catalog(sample_catalog) as db:
        assert Reuse(db, find_host("rocky8/zen3")).verdict("a" * 32) is None


def test_what_is_in_the_way_may_be_far_below(tmp_path: Path) -> None:
    needs = {"app": ["middle"], "middle": ["low"], "low": []}
    with open_catalog(graph_catalog(tmp_path, needs, "low")) as db:
        verdict = Reuse(db, find_host("ubuntu24.04/zen3")).verdict(spec_hash(needs, "app"))
    low = spec_hash(needs, "low")[:7]
    assert verdict == Verdict("closure", f"its low/{low} is not in the cache")


def test_in_each_tag_something_else_may_be_in_the_way(tmp_path: Path) -> None:
    one, other = hash_of(1), hash_of(2)
    app = record(node("app", "1", needs=[("one", one), ("other", other)]))
    indexes = {
        (tag, "e4s"): {
            one: record(node("one", "1"), there=tag == FIRST),
            other: record(node("other", "1"), there=tag == SECOND),
            hash_of(3): app,
        }
        for tag in (FIRST, SECOND)
    }
    folder = write_indexes(tmp_path / "indexes", indexes)
    with open_catalog(build(tmp_path / "catalog.db", read_build_caches(folder))) as db:
        reuse = Reuse(db, find_host("ubuntu24.04/zen3"))
        why = {tag: reuse.verdict(hash_of(3), tag) for tag in (FIRST, SECOND)}
    assert why == {
        FIRST: Verdict("closure", f"its other/{other[:7]} is not in the cache"),
        SECOND: Verdict("closure", f"its one/{one[:7]} is not in the cache"),
    }


def test_an_older_tag_may_have_what_the_newest_lacks(tmp_path: Path, run: Run) -> None:
    """The newest tag has the spec, too, but not all below it."""
    app = record(node("app", "1", needs=[("one", hash_of(1))]))
    indexes = {
        (tag, "e4s"): {hash_of(1): record(node("one", "1"), there=tag == FIRST), hash_of(3): app}
        for tag in (FIRST, SECOND)
    }
    folder = write_indexes(tmp_path / "indexes", indexes)
    catalog = build(tmp_path / "catalog.db", read_build_caches(folder))
    options = ("--host", "ubuntu24.04/zen3", "--catalog", catalog)
    done = run("find", "app", *options, "--reusable", "--format", "csv")
    assert done.out.splitlines()[1].startswith(f"{FIRST},app,1,{hash_of(3)},")
    done = run("find", "app", *options)
    assert done.err.splitlines()[-1] == f"{FIRST} has matches that the host can use"


QUERIES = (
    "*", "%gcc", "%gcc@12:", "%clang", "+mpi", "target=:haswell", "os=ubuntu22.04 %gcc", "^mpi",
    "+shared ^zlib-api", "build_system=cmake ^gmake", "platform=darwin", "nosuch",
)  # fmt: skip
PROFILES = ("rocky8/zen3", "ubuntu24.04/zen4", "sequoia/m1")


class Judged:
    """All binaries of the catalog, each with what is said of it alone."""

    def __init__(self, db: sqlite3.Connection, profile: str) -> None:
        self.reuse, self.finder = Reuse(db, find_host(profile)), Finder(db)
        listed = self.finder.rows(self.finder.binaries([parse_spec("*")], Scope("v1"), 100_000))
        self.places = [(str(row[3]), str(row[0])) for row in listed]
        self.verdicts = {hash_: self.reuse.verdict(hash_, tag) for hash_, tag in self.places}


@pytest.mark.parametrize(
    ("profile", "edges_down"),
    [*((it, None) for it in PROFILES), (PROFILES[0], 0), (PROFILES[0], 1_000_000)],
)
def test_a_search_finds_what_is_said_of_each_binary(
    catalog: Path, profile: str, edges_down: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever way it goes: from needs or from what is asked, down the graph or up."""
    if edges_down is not None:
        monkeypatch.setattr("etl.query.starting_point._few", lambda edges: 0)
        monkeypatch.setattr("etl.query.starting_point.EDGES_DOWN", edges_down)
    with open_catalog(catalog) as db:
        judged = Judged(db, profile)
        finder = judged.finder
        for queries in ([parse_spec(it)] for it in QUERIES):
            for scope in (Scope("v1"), Scope(), Scope(runs_on="zen4")):
                listed = finder.rows(finder.binaries(queries, scope, 100_000))
                taken = [
                    row for row in listed if (it := judged.verdicts[str(row[3])]) and it.reusable
                ]
                mine = replace(scope, taken=judged.reuse.taken)
                assert finder.rows(finder.binaries(queries, mine, 100_000)) == taken
                assert finder.count(queries, mine) == len(taken)
                assert tally(db, queries, mine).total == len(taken)
                newest = "v1" if taken else None
                assert finder.newest_tag(queries, replace(mine, tag=None)) == newest


@pytest.mark.parametrize("scope", [Scope("v1"), Scope()])
@pytest.mark.parametrize("profile", PROFILES)
def test_reasons_are_those_of_each_binary(
    catalog: Path, profile: str, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_catalog(catalog) as db:
        judged = Judged(db, profile)
        assert judged.reuse.verdicts(judged.places) == list(judged.verdicts.values())
        for queries in ([parse_spec(it)] for it in QUERIES):
            listed = judged.finder.rows(judged.finder.binaries(queries, Scope("v1"), 100_000))
            refused = [
                it
                for row in listed
                if (it := judged.verdicts[str(row[3])]) and it.why and not it.reusable
            ]
            monkeypatch.setattr("etl.query.host_misses.MOST_LOOKED_INTO", 4_000)
            misses = host_misses(db, queries, scope, judged.reuse, any_tag=False)
            if not listed:
                assert misses is None
                continue
            assert misses
            assert misses.total == len(listed)
            assert dict(misses.reasons) == _counted(Counter(it.why for it in refused if it.why))
            # Where none may be looked into, there are as many, and less is said of them.
            monkeypatch.setattr("etl.query.host_misses.MOST_LOOKED_INTO", 0)
            misses = host_misses(db, queries, scope, judged.reuse, any_tag=False)
            assert misses
            assert dict(misses.reasons) == Counter(
                WORDS["closure"] if it.reason == "closure" else it.why for it in refused
            )
