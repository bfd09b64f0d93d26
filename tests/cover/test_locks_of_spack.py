"""Real locks against real indexes: the numbers are those that Spack's own code gave."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from etl.catalog.reader import open_catalog
from etl.cli import main
from etl.cover.changes import Asked, Change
from etl.cover.cover import ANY_TAG, Cover, cover
from etl.cover.differences import Shared
from etl.cover.reasons import reasons
from etl.locks.read import Lock, read_lock
from tests.real_data import unpacked
from tests.running import Run

LOCKS = ("full-1.0", "full3-1.0", "none-1.0", "old-build_systems-0.23", "partly-1.0", "two-1.0")


def _expected(name: str) -> dict[str, Any]:
    told = json.loads((unpacked() / "locks" / "expected.json").read_text("utf-8"))
    facts = told[name]
    assert isinstance(facts, dict)
    return facts


def _source(index: str) -> Path:
    if index.startswith("extra/"):
        return unpacked() / "locks" / f"{index.removeprefix('extra/')}.json.gz"
    if index.startswith("develop-2024-11-17/"):  # of layout 2; its one index has all stacks
        return unpacked() / "mirrors" / "develop-2024-11-17"
    return unpacked() / "indexes" / index


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A catalog of each index that a lock has something of, and of all of them together."""
    folder = tmp_path_factory.mktemp("cover")
    wanted = {index: [_source(index)] for name in LOCKS for index in _expected(name)["indexes"]}
    wanted["all"] = [unpacked() / "indexes", _source("develop-2024-11-17/root")]
    for number, (index, sources) in enumerate(wanted.items()):
        whose = ("--as", f"v2025.07.0/{Path(index).name}") if index.startswith("extra/") else ()
        _build(folder / f"{number}.db", *sources, *whose)
    return {index: folder / f"{number}.db" for number, index in enumerate(wanted)}


def _build(target: Path, *sources: Path | str) -> None:
    with pytest.raises(SystemExit) as end:
        main(["build", *map(str, sources), "--catalog", str(target), "--no-progress"])
    assert end.value.code == 0


def _cover(catalog: Path, name: str, tag: str | None = ANY_TAG) -> Cover:
    lock = read_lock((unpacked() / "locks" / name / "spack.lock").read_text("utf-8"), name)
    with open_catalog(catalog) as db:
        return cover(db, lock, tag)


def _lists(found: Cover) -> dict[str, list[str]]:
    return {
        "available": sorted(it.spec.hash for it in found.available),
        "missing": sorted(it.spec.hash for it in found.missing),
        "missing_build_only": sorted(it.spec.hash for it in found.build_only),
    }


@pytest.mark.parametrize("name", LOCKS)
def test_each_index_has_what_spack_finds_in_it(catalogs: dict[str, Path], name: str) -> None:
    expected = _expected(name)
    for index, facts in expected["indexes"].items():
        found = _cover(catalogs[index], name)
        assert _lists(found) == {key: sorted(facts[key]) for key in _lists(found)}, index
        assert not found.to_build or not facts["installable_without_building"], index
        assert found.to_build or facts["installable_without_building"], index


@pytest.mark.parametrize("name", LOCKS)
def test_all_indexes_together(catalogs: dict[str, Path], name: str) -> None:
    facts = _expected(name)["all_indexes"]
    found = _lists(_cover(catalogs["all"], name))
    assert {**found, "available": len(found["available"])} == facts


def _told(run: Run, *arguments: object) -> tuple[int, dict[str, Any]]:
    outcome = run("cover", *arguments, "--format", "json")
    told = json.loads(outcome.out)
    assert isinstance(told, dict)
    return outcome.code, told


@pytest.mark.parametrize("name", LOCKS)
def test_the_command_tells_the_same(catalogs: dict[str, Path], run: Run, name: str) -> None:
    expected = _expected(name)
    folder = unpacked() / "locks" / name
    code, told = _told(run, folder, "--tag", "any", "--catalog", catalogs["all"])
    facts = expected["all_indexes"]
    lists = {key: sorted(it["hash"] for it in told[key]) for key in facts}
    assert {**lists, "available": len(lists["available"])} == facts
    assert sorted(it["hash"] for it in told["external"]) == sorted(expected["externals"])
    assert told["specs"] == expected["specs"]
    assert code == (1 if facts["missing"] else 0)


def test_by_default_the_tag_that_covers_most(catalogs: dict[str, Path], run: Run) -> None:
    lock = unpacked() / "locks" / "old-build_systems-0.23" / "spack.lock"
    code, told = _told(run, lock, "--catalog", catalogs["all"])
    assert (code, told["tag"], len(told["available"])) == (0, "develop-2024-11-17", 20)
    code, told = _told(run, lock, "--catalog", catalogs["all"], "--tag", "v2025.07.0")
    assert (code, told["tag"], told["available"]) == (1, "v2025.07.0", [])
    outcome = run("cover", lock, "--catalog", catalogs["all"], "--tag", "v1.0")
    assert outcome.code == 2
    assert "v1.0" in outcome.err


def test_one_difference_explains_all_misses(catalogs: dict[str, Path]) -> None:
    found = _cover(catalogs["all"], "partly-1.0", "v2025.07.0")
    with open_catalog(catalogs["all"]) as db:
        told = reasons(db, found)
    target = Shared(
        "built for x86_64_v2, the cache has x86_64_v3", "packages:all:require: target=x86_64_v3"
    )
    assert told.common == ((target, 4),)
    asked = Asked("zlib-ng@2.2.4 arch=None-None-x86_64_v2", ("x86_64_v2",))
    assert told.changes == (Change((str(target.advice),), (target,), 4, (asked,)),)
    assert [(it.spec.package, it.dependents, it.build_only) for it in found.missing] == [
        ("compiler-wrapper", 2, True),
        ("gcc-runtime", 2, False),
        ("gmake", 1, True),
        ("zlib-ng", 0, False),
    ]


def test_build_dependencies_of_what_is_there_are_not_needed(
    catalogs: dict[str, Path], run: Run
) -> None:
    catalog = catalogs["extra/no-build-deps-full-1.0"]
    folder = unpacked() / "locks" / "full-1.0"
    outcome = run("cover", folder, "--catalog", catalog, "--tag", "any")
    assert outcome.code == 0  # nothing has to be compiled
    assert outcome.out.splitlines()[1:6] == [
        "       8 in the cache",
        "       2 external",
        "      13 missing",
        "      13 of them only needed to build what is in the cache",
        "       0 to compile",
    ]
    assert outcome.out.splitlines()[6] == "  in the cache, by stack: no-build-deps-full-1.0 8"
    assert "… and" not in "".join(outcome.out.splitlines()[:7])


def test_in_which_cache_and_stack(run: Run, tmp_path: Path) -> None:
    lock = unpacked() / "locks" / "partly-1.0" / "spack.lock"
    stacks = [_source(f"v2025.07.0/{it}") for it in ("developer-tools-x86_64_v3-linux-gnu", "root")]
    mirrors = tmp_path / "mirrors.yaml"
    urls = "".join(f"  {it.name}: {{url: file://{it}}}\n" for it in stacks)
    mirrors.write_text(f"mirrors:\n{urls}")
    _build(tmp_path / "named.db", mirrors)
    _, told = _told(run, lock, "--catalog", tmp_path / "named.db")
    assert told["caches"] == [{"cache": "root", "available": 15}]
    assert told["stacks"] == [{"stack": "root", "available": 15}]
    assert {it["cache"] for it in told["available"]} == {"root"}
    outcome = run("cover", lock, "--catalog", tmp_path / "named.db")
    assert "  in the cache, by cache: root 15" in outcome.out.splitlines()


def test_csv_has_a_row_for_each_spec(catalogs: dict[str, Path], run: Run) -> None:
    folder = unpacked() / "locks" / "partly-1.0"
    outcome = run("cover", folder, "--catalog", catalogs["all"], "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(outcome.out)))
    counts = Counter(row["status"] for row in rows)
    assert counts == {"external": 4, "available": 15, "missing": 4}
    assert {row["hash"] for row in rows} == set(_expected("partly-1.0")["hashes"])


def test_commands_that_install_it(catalogs: dict[str, Path], run: Run) -> None:
    folder = unpacked() / "locks" / "partly-1.0"
    outcome = run("cover", folder, "--catalog", catalogs["all"], "--format", "install")
    lines = outcome.out.splitlines()
    assert lines[-6:] == [
        "# Spack compiles 4 of 23 specs:",
        "#   compiler-wrapper@1.0/plslpsy",
        "#   gcc-runtime@12.2.0/tay66v3",
        "#   gmake@4.4.1/rwl3z4p",
        "#   zlib-ng@2.2.4/djepwry",
        f"spack -e {folder} install --use-buildcache auto",
    ]


def test_the_command_that_installs_one_spec(
    catalogs: dict[str, Path], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (unpacked() / "locks" / "full-1.0" / "spack.lock").read_text("utf-8")
    told = json.loads(text)
    nodes = sorted(told["concrete_specs"].values(), key=lambda it: it["name"] != "sqlite")
    monkeypatch.chdir(tmp_path)
    Path("one.json").write_text(json.dumps({"spec": {"_meta": {"version": 5}, "nodes": nodes}}))
    Path("spack.lock").write_text(text)
    for name, command in (
        ("one.json", "spack install --use-buildcache auto ./one.json"),
        ("spack.lock", "spack -e . install --use-buildcache auto"),
        (".", "spack -e . install --use-buildcache auto"),
    ):
        done = run("cover", name, "--catalog", catalogs["all"], "--format", "install")
        assert (done.code, done.out.splitlines()[-1]) == (0, command)


def test_a_host_says_what_it_can_take(catalogs: dict[str, Path], run: Run) -> None:
    folder = unpacked() / "locks" / "full-1.0"
    code, told = _told(
        run, folder, "--catalog", catalogs["all"], "--host", "sequoia/m1", "--tag", "any"
    )
    assert code == 0
    assert {it["reusable"] for it in told["available"]} == {False}
    assert all(it["why"] for it in told["available"])
    options = ("--catalog", catalogs["all"], "--host", "sequoia/m1", "--tag", "any")
    lines = run("cover", folder, *options).out.splitlines()
    start = lines.index("      21 in the cache that the host cannot use")
    assert lines[start + 1].startswith("          20: built for linux, this host is darwin: ")
    assert lines[start + 1].endswith(", and 16 more")
    assert lines[start + 2].startswith("          1: Spack builds the compiler wrapper on each")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"spack:\n  specs: [hdf5]\n", "concretize it with: spack -e . concretize"),
        (b"\xff\xfe\x00", "is not UTF-8 text; expected a spack.lock"),
        (b"{", "is not JSON"),
    ],
)
def test_bad_locks_end_in_one_sentence(
    catalogs: dict[str, Path], run: Run, tmp_path: Path, content: bytes, message: str
) -> None:
    bad = tmp_path / "bad.lock"
    bad.write_bytes(content)
    outcome = run("cover", bad, "--catalog", catalogs["all"])
    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_folder_that_is_not_concretized(
    catalogs: dict[str, Path], run: Run, tmp_path: Path
) -> None:
    outcome = run("cover", tmp_path, "--catalog", catalogs["all"])
    assert outcome.code == 2
    assert f"has no spack.lock; concretize it first, with: spack -e {tmp_path}" in outcome.err
    outcome = run("cover", tmp_path / "none.lock", "--catalog", catalogs["all"])
    assert outcome.code == 2
    assert "No such file" in outcome.err


def test_what_no_tag_has_is_compared_with_the_newest(catalogs: dict[str, Path]) -> None:
    """Though an older tag has what is nearer: advice is to be such that it can be taken now."""
    text = (unpacked() / "locks" / "old-build_systems-0.23" / "spack.lock").read_text("utf-8")
    lock = read_lock(text, "old")
    old = next(spec for spec in lock.specs.values() if spec.package == "gmake")
    other = old._replace(hash="z" * 32)
    with open_catalog(catalogs["all"]) as db:
        found = cover(db, Lock("other", {other.hash: other}, (other.hash,)))
        assert (found.tag, found.available, found.tags) == (None, (), ())
        (told,) = reasons(db, found).explained
        tags = db.execute("SELECT tag FROM binary_list WHERE hash = ?", (told.nearest,)).fetchall()
    assert tags == [("v2025.07.0",)]
