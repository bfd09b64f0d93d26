"""The command line: summaries, exit codes, and what is told on the way."""

from __future__ import annotations

import sqlite3
import tarfile
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from tests.running import SEED_SUMMARY, Outcome, Run, digest_of, without_seconds
from tests.sites import SEED, build, item, page, pages_below, place_of, rows, write_site

ROCBLAS = (SEED / "_cache/develop-2025-03-30/rocblas/specs.md").read_bytes()


# What is well.


def test_a_build_that_goes_well(run: Run, tmp_path: Path) -> None:
    catalog = tmp_path / "a.db"
    done = run("build", SEED, "--catalog", catalog)
    assert done.code == 0
    assert without_seconds(done.out) == f"{catalog}: {SEED_SUMMARY}\n"
    assert done.err == f"reading pages from {SEED}: 6\nwriting packages: 5\n"
    assert rows(catalog, "SELECT count(*) FROM binaries") == [(46,)]


def test_the_catalog_has_a_name_unless_told_otherwise(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("build", SEED).out.startswith("catalog.db: 1 source")
    assert run("check").out == "catalog.db: no faults\n"
    assert [path.name for path in tmp_path.iterdir()] == ["catalog.db"]


def test_a_build_check_and_export_without_progress(run: Run, tmp_path: Path) -> None:
    catalog = tmp_path / "a.db"
    done = run("build", SEED, "--catalog", catalog, "--no-progress")
    assert (done.code, done.err) == (0, "")
    assert run("check", SEED, "--catalog", catalog, "--no-progress") == Outcome(
        0, f"{catalog}: no faults\n", ""
    )
    out = tmp_path / "out"
    assert run("export", "pages", out, "--catalog", catalog, "--no-progress") == Outcome(
        0, f"{out}: 6 pages\n", ""
    )
    assert pages_below(out) == pages_below(SEED)


def test_check_and_export_tell_how_far_they_are(run: Run, tmp_path: Path) -> None:
    catalog = tmp_path / "a.db"
    build(catalog, SEED)
    assert run("check", SEED, "--catalog", catalog).err == f"comparing {SEED}: 6\n"
    assert run("export", "pages", tmp_path / "out", "--catalog", catalog).err == (
        "writing pages: 6\n"
    )


@pytest.mark.parametrize("name", ["site.zip", "site.tar", "site.tar.gz", "page.md"])
def test_every_kind_of_source(run: Run, tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    if name.endswith("zip"):
        with zipfile.ZipFile(source, "w") as archive:
            for place, data in pages_below(SEED).items():
                archive.writestr(place, data)
    elif "tar" in name:
        with tarfile.open(source, "w:gz" if name.endswith("gz") else "w") as tar:
            tar.add(SEED, "site")
    else:
        source.write_bytes(ROCBLAS)
    done = run("build", source, "--catalog", tmp_path / "a.db")
    binaries, packages = ("2", 1) if name == "page.md" else ("46", 5)
    assert done.code == 0
    assert f" {binaries} binaries, 0 problems" in done.out
    assert done.err.endswith(f"\nwriting packages: {packages}\n")
    assert run("check", source, "--catalog", tmp_path / "a.db").code == 0


@pytest.mark.parametrize(
    ("options", "binaries", "stacks"),
    [
        (["--tag", "develop"], 2, ["e4s", "root"]),
        (["--tag", "develop", "--tag", "v0.20.1"], 9, None),
        (["--package", "rocblas"], 4, ["e4s", "ml-linux-x86_64-rocm", "root"]),
        (["--package", "rocblas", "--tag", "develop-2025-03-30", "--stack", "e4s"], 1, ["e4s"]),
        (["--stack", "e4s-power"], 1, ["e4s-power"]),
    ],
)
def test_a_part_of_the_sources(
    run: Run, tmp_path: Path, options: list[str], binaries: int, stacks: list[str] | None
) -> None:
    catalog = tmp_path / "a.db"
    assert run("build", SEED, *options, "--catalog", catalog).code == 0
    assert rows(catalog, "SELECT count(*) FROM binaries") == [(binaries,)]
    if stacks:
        assert rows(catalog, "SELECT name FROM stacks ORDER BY 1") == [(it,) for it in stacks]
    assert run("check", "--catalog", catalog).code == 0


@pytest.mark.parametrize("option", ["--tag", "--stack", "--package"])
def test_nothing_of_what_was_asked_for(run: Run, tmp_path: Path, option: str) -> None:
    catalog = tmp_path / "a.db"
    done = run("build", SEED, option, "nothing", "--catalog", catalog, "--no-progress")
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "spack-catalog: nothing to write: nothing in the sources is of the selected tags, stacks"
        " and packages\n"
    )
    assert not catalog.exists()


# What is refused in part.


def test_what_was_refused_is_told_and_the_rest_is_there(run: Run, tmp_path: Path) -> None:
    bad = write_site(tmp_path / "bad", {"x/specs.md": b"---\nmeta: [\n---", "y/specs.md": ROCBLAS})
    catalog = tmp_path / "a.db"
    done = run("build", SEED, bad, tmp_path / "missing", "--catalog", catalog, "--no-progress")
    assert done.code == 1
    assert "46 binaries, 2 problems" in done.out
    assert f"refused: {bad}/x/specs.md: line 3, column 1: not YAML: " in done.err
    assert f"{tmp_path / 'missing'}: there is no such file or folder\n" in done.err
    assert run("check", "--catalog", catalog).code == 0


def test_of_many_that_were_refused_some_are_told(run: Run, tmp_path: Path) -> None:
    bad = write_site(tmp_path / "bad", {f"{n:02}/specs.md": b"" for n in range(25)})
    done = run("build", SEED, bad, "--catalog", tmp_path / "a.db", "--no-progress")
    lines = done.err.splitlines()
    assert (done.code, len(lines)) == (1, 21)
    assert lines[0] == f"refused: {bad}/00/specs.md: no front matter: a page begins with a line ---"
    assert lines[-1] == "refused: 5 more, all in the table problems"


def test_contradictions_are_no_failure(run: Run, tmp_path: Path) -> None:
    data = page("v1", "a", [item(1)], meta={"num_specs": 2, "oss": []})
    source = write_site(tmp_path / "site", {"specs.md": data})
    for strict in ([], ["--strict"]):
        done = run("build", source, "--catalog", tmp_path / "a.db", "--no-progress", *strict)
        assert (done.code, done.err) == (0, "2 contradictions are in the table problems\n")


def test_strict_makes_of_some_nothing(run: Run, tmp_path: Path) -> None:
    catalog = tmp_path / "a.db"
    bad = write_site(tmp_path / "bad", {"specs.md": b""})
    arguments = ("build", SEED, bad, "--catalog", catalog, "--no-progress")
    assert run(*arguments).code == 1
    before = digest_of(catalog)
    done = run(*arguments, "--strict")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("spack-catalog: nothing was written because of --strict")
    assert "specs.md: no front matter: a page begins with a line ---" in done.err
    assert digest_of(catalog) == before


def test_strict_is_told_before_that_there_is_nothing(run: Run, tmp_path: Path) -> None:
    bad = write_site(tmp_path / "bad", {"specs.md": b""})
    done = run("build", bad, "--catalog", tmp_path / "a.db", "--no-progress", "--strict")
    assert done.code == 3
    assert done.err.startswith("spack-catalog: nothing was written because of --strict; refused:")


def test_strict_refuses_what_contradicts_another_source(run: Run, tmp_path: Path) -> None:
    one, other = (
        write_site(tmp_path / name, {place_of("v1", "a"): page("v1", "a", [item(number)])})
        for number, name in ((1, "one"), (2, "other"))
    )
    arguments = ("build", one, other, "--catalog", tmp_path / "a.db", "--no-progress")
    done = run(*arguments, "--strict")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("spack-catalog: nothing was written because of --strict; refused:")
    assert "another page of this package and tag is used instead" in done.err
    assert not (tmp_path / "a.db").exists()
    assert run(*arguments).code == 1


# What is wrong usage.


@pytest.mark.parametrize(
    "arguments",
    [
        ["build"],
        ["build", "--catalog", "a.db"],
        ["build", "a", "--tag"],
        ["build", "a", "--nothing"],
        ["nothing"],
        ["export"],
        ["export", "pages"],
        ["export", "nothing", "a"],
        ["check", "--tag", "a"],
        ["serve", "--port", "65536"],
    ],
)
def test_wrong_usage(
    run: Run, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    assert (done.code, list(tmp_path.iterdir())) == (2, [])
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "arguments", [["--help"], ["build", "-h"], ["check", "--help"], ["--version"]]
)
def test_help(run: Run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.code, done.err) == (0, "")
    assert done.out


# Catalogs that are none.


@pytest.mark.parametrize("command", [["check"], ["export", "pages", "out"]])
def test_a_catalog_that_cannot_be_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*command)
    assert (done.code, done.out) == (3, "")
    assert done.err == (
        "spack-catalog: catalog.db: there is no catalog; build one with: spack-catalog build"
        " SOURCE --catalog catalog.db\n"
    )
    (tmp_path / "catalog.db").write_bytes(b"hello" * 1000)
    done = run(*command)
    assert done.err == (
        "spack-catalog: catalog.db: cannot be read as a catalog: file is not a database\n"
    )
    assert done.code == 3


def test_faults_are_told(run: Run, tmp_path: Path) -> None:
    catalog = tmp_path / "a.db"
    build(catalog, SEED)
    with closing(sqlite3.connect(catalog)) as db:
        db.execute("UPDATE specs SET tags = 9 WHERE hash LIKE 'ys5ppj%'")
        db.commit()
    assert run("check", "--catalog", catalog) == Outcome(
        3,
        "specs.tags: does not match the rows for ys5ppjjmlmmkzxbno725r7e2xi7hzy5x\n",
        f"spack-catalog: {catalog}: 1 fault; build it again from its sources,"
        " or download it again\n",
    )


def test_pages_that_do_not_come_back_are_told(run: Run, tmp_path: Path) -> None:
    catalog = tmp_path / "a.db"
    build(catalog, SEED)
    other = write_site(tmp_path / "other", {place_of("v1", "a"): page("v1", "a", [item(1)])})
    done = run("check", other, "--catalog", catalog, "--no-progress")
    assert (done.code, done.out) == (3, f"{place_of('v1', 'a')}: not in the catalog\n")
    done = run("check", tmp_path / "missing", "--catalog", catalog, "--no-progress")
    assert done.code != 0
    assert str(tmp_path / "missing") in done.err


def test_a_build_cache_with_nothing_in_it(run: Run, tmp_path: Path) -> None:
    index = tmp_path / "caches" / "v1.0.0" / "root" / "index.json"
    index.parent.mkdir(parents=True)
    index.write_text('{"database": {"version": "8", "installs": {}}}')
    target = tmp_path / "a.db"
    outcome = run("build", tmp_path / "caches", "--catalog", target, "--no-progress")
    assert outcome.code == 0
    assert ": 1 source, 0 tags, 0 packages, 0 specs, 0 binaries, 0 problems" in outcome.out
    assert run("check", "--catalog", target, "--no-progress").code == 0
    assert run("find", "zlib", "--catalog", target).code == 1


EXAMPLES = Path(__file__).parents[1] / "examples"


def test_a_folder_of_pages_and_of_build_caches(run: Run, tmp_path: Path) -> None:
    done = run("build", EXAMPLES, "--catalog", tmp_path / "a.db", "--no-progress")
    both = run(
        "build", EXAMPLES / "site", EXAMPLES / "indexes",
        "--catalog", tmp_path / "b.db", "--no-progress",
    )  # fmt: skip
    told = done.out.partition(": ")[2], both.out.partition(": ")[2]
    assert without_seconds(told[0]) == without_seconds(told[1])
    tables = "SELECT hash, tag, stacks, size FROM binary_list ORDER BY 1, 2"
    assert rows(tmp_path / "a.db", tables) == rows(tmp_path / "b.db", tables)
