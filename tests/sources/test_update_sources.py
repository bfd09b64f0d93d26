"""``spack-catalog update`` of every kind of source: as ``build`` reads it, and nothing for nothing.

A catalog remembers the options that each of its sources was read with, and reads it so again.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from etl.cli import main
from tests.running import PATIENCE, digest_of
from tests.sites import hash_of
from tests.small_catalogs import node, record, write_indexes
from tests.storage import Registries, s3_server, upload, with_registry

MONDAY, FRIDAY, SUNDAY = "2025-01-06T00:00:00Z", "2025-01-10T00:00:00Z", "2025-01-12T00:00:00Z"
HELD = "SELECT tag, hash, stacks, cache FROM binary_list ORDER BY 1, 2"
MIRRORS = """
    SELECT tags.name || '/' || stacks.name, view, url, layout FROM mirrors
    JOIN tags ON tags.id = tag_id JOIN stacks ON stacks.id = stack_id
    WHERE mirrors.gone_since IS NULL ORDER BY 1
"""
SOURCES = """
    SELECT location, caches.name, options FROM sources LEFT JOIN caches ON caches.id = cache_id
    ORDER BY 1, 2, 3
"""


@pytest.fixture(autouse=True)
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download cache of its own, and no waiting between attempts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "downloads"))
    monkeypatch.setattr("etl.sources.download.fetch.FIRST_PAUSE", 0)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with s3_server(monkeypatch) as address:
        yield address


@pytest.fixture
def views(real_data: Path, tmp_path: Path) -> Path:
    """A copy of the mirrors with views, which may be changed."""
    return Path(shutil.copytree(real_data / "views", tmp_path / "views"))


def run(command: str, catalog: Path, *arguments: str) -> Result:
    words = [command, *arguments, "--no-progress", "--catalog", str(catalog)]
    return CliRunner().invoke(main, words)


def rows(catalog: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(catalog)) as db:
        return db.execute(query).fetchall()


def same_as_a_build(catalog: Path, *arguments: str) -> None:
    """An update makes what a build makes, and writes nothing when it is done again."""
    built = catalog.with_name("built.db")
    for command, target in (("build", built), ("update", catalog)):
        done = run(command, target, *arguments, "--at", MONDAY)
        assert done.exit_code == 0, done.output
    for query in (HELD, MIRRORS, SOURCES, "SELECT name, address, kind FROM caches ORDER BY 1"):
        assert rows(catalog, query) == rows(built, query)
    nothing_new(built, *arguments)
    nothing_new(catalog)


def nothing_new(catalog: Path, *arguments: str) -> None:
    before = digest_of(catalog), catalog.stat().st_ino
    done = run("update", catalog, *arguments, "--at", FRIDAY)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert done.stdout == f"{catalog}: nothing changed; nothing was written.\n"
    assert (digest_of(catalog), catalog.stat().st_ino) == before


def stacks(catalog: Path) -> list[str]:
    return [name for name, *_ in rows(catalog, MIRRORS)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["s3://spack-binaries"],
            [
                "develop-2026-10-01/root",
                "develop-2026-10-04/root",
                "v2026.10.0/e4s",
                "v2026.10.0/root",
            ],
        ),
        (["s3://spack-binaries/develop#develop-2026-10-04"], ["develop-2026-10-04/root"]),
        (["s3://spack-binaries/releases/v2026.10", "--view", "e4s"], ["v2026.10.0/e4s"]),
        (
            ["mine=s3://spack-binaries/develop", "--view", "develop-2026-10-01", "--as", "t/s"],
            ["mine:t/develop-2026-10-01"],
        ),
        (["s3://spack-binaries", "--package", "zlib-ng", "--sizes"], None),
    ],
)
def test_a_bucket(
    s3: str, views: Path, tmp_path: Path, arguments: list[str], expected: list[str] | None
) -> None:
    upload(s3, views / "bucket")
    catalog = tmp_path / "catalog.db"
    same_as_a_build(catalog, *arguments)
    assert expected is None or stacks(catalog) == expected


def test_a_view_that_is_new_and_one_that_is_gone(s3: str, views: Path, tmp_path: Path) -> None:
    upload(s3, views / "bucket" / "develop", "develop/")
    catalog = tmp_path / "catalog.db"
    done = run("update", catalog, "s3://spack-binaries/develop", "--at", MONDAY)
    assert done.exit_code == 0, done.output
    with_views = views / "bucket" / "develop" / "v3" / "manifests" / "index"
    with httpx.Client(timeout=PATIENCE) as client:
        place = "develop/v3/manifests/index/develop-2026-10-01/index.manifest.json"
        client.delete(f"{s3}/spack-binaries/{place}").raise_for_status()
    (with_views / "develop-2026-10-01").rename(with_views / "develop-2026-10-08")
    upload(s3, with_views / "develop-2026-10-08", f"{place.rpartition('-01/')[0]}-08/")
    done = run("update", catalog, "--at", FRIDAY)
    assert done.exit_code == 0, done.output
    assert "New: 1 build cache (develop-2026-10-08/root)." in done.stdout
    assert "Gone: 1 build cache (develop-2026-10-01/root)." in done.stdout
    assert stacks(catalog) == ["develop-2026-10-04/root", "develop-2026-10-08/root"]
    nothing_new(catalog)


@with_registry
@pytest.mark.parametrize("has_index", [True, False])
def test_a_registry(tmp_path: Path, has_index: bool) -> None:
    registries = Registries(tmp_path)
    try:
        address = registries()
        if not has_index:
            tags = "registry/docker/registry/v2/repositories/tiny/cache/_manifests/tags"
            shutil.rmtree(tmp_path / tags / "index.spack")
        source = f"oci+http://{address}/tiny/cache"
        catalog = tmp_path / "catalog.db"
        same_as_a_build(catalog, f"tiny={source}", "--as", "v1/tools")
        assert rows(catalog, MIRRORS) == [("tiny:v1/tools", None, source, "oci")]
        assert rows(catalog, SOURCES) == [(source, "tiny", "--as v1/tools")]
    finally:
        registries.stop()


def test_mirrors_yaml(s3: str, views: Path, tmp_path: Path) -> None:
    upload(s3, views / "bucket")
    (tmp_path / "mirrors.yaml").write_text(f"""
mirrors:
  local: {{url: 'file://{views}/views-only', view: py}}
  public: s3://spack-binaries
  release: {{url: 's3://spack-binaries/releases/v2026.10', view: v2026.10.0, signed: true}}
  sources: {{url: 'https://sources', binary: false}}
""")
    catalog = tmp_path / "catalog.db"
    same_as_a_build(catalog, str(tmp_path / "mirrors.yaml"))
    assert rows(catalog, SOURCES) == [
        (".", "local", "--view py"),
        ("s3://spack-binaries", "public", ""),
        ("s3://spack-binaries/releases/v2026.10", "release", "--view v2026.10.0"),
    ]
    # The file is not needed again: what it named is remembered.
    (tmp_path / "mirrors.yaml").unlink()
    shutil.rmtree(views / "views-only" / "v3" / "manifests" / "index" / "py")
    done = run("update", catalog, "--at", FRIDAY)
    assert done.exit_code == 1
    assert "there is no view py; there are: small" in done.stderr
    assert "nothing was written" in done.stdout


def test_what_mirrors_yaml_said_of_signatures_is_remembered(
    serve_folder: Callable[[Path], Any], views: Path, tmp_path: Path
) -> None:
    mirror = views / "views-only"
    shutil.rmtree(mirror / "v3" / "manifests" / "spec", ignore_errors=True)
    server = serve_folder(mirror)
    file, catalog = tmp_path / "mirrors.yaml", tmp_path / "catalog.db"
    file.write_text(f"mirrors: {{m: {{url: '{server.url}', view: py, signed: false}}}}")
    assert run("build", catalog, str(file), "--as", "v1").exit_code == 0
    index = mirror / "v3" / "manifests" / "index"
    shutil.copy(index / "small" / "index.manifest.json", index / "py" / "index.manifest.json")
    os.utime(index / "py" / "index.manifest.json", (2_000_000_000, 2_000_000_000))
    done = run("update", catalog)
    assert "removed" in done.stdout
    assert rows(catalog, "SELECT view, signed FROM mirrors") == [("py", 0)]


def test_a_folder_that_has_a_name(views: Path, tmp_path: Path) -> None:
    catalog, folder = tmp_path / "catalog.db", views / "views-only"
    same_as_a_build(catalog, f"site={folder}", "--as", "v1")
    assert stacks(catalog) == ["site:v1/py", "site:v1/small"]
    index = folder / "v3" / "manifests" / "index"
    (index / "py").rename(index / "python")
    done = run("update", catalog, "--at", FRIDAY)
    assert done.exit_code == 0, done.output
    assert stacks(catalog) == ["site:v1/python", "site:v1/small"]
    nothing_new(catalog)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["#codecs", "--as", "v1"], ["v1/codecs"]),
        (
            ["", "--view", "codecs", "--view", "tutorial", "--as", "v1/s"],
            ["v1/codecs", "v1/tutorial"],
        ),
        (["", "--as", "v1"], ["v1/root"]),
    ],
)
def test_a_mirror_over_http(
    serve_folder: Callable[[Path], Any],
    views: Path,
    tmp_path: Path,
    arguments: list[str],
    expected: list[str],
) -> None:
    server = serve_folder(views / "default-and-views")
    catalog = tmp_path / "catalog.db"
    same_as_a_build(catalog, f"{server.url}/{arguments[0]}", *arguments[1:])
    assert stacks(catalog) == expected


def test_a_list_says_nothing_of_views_that_were_named_beside_it(
    serve_folder: Callable[[Path], Any], views: Path, tmp_path: Path
) -> None:
    (views / "bucket" / "cache_spack_io_index.json").write_text("{}")
    url = serve_folder(views / "bucket").url
    catalog = tmp_path / "catalog.db"
    view = f"{url}/develop#develop-2026-10-04"
    assert run("build", catalog, url, view, "--at", MONDAY).exit_code == 0
    nothing_new(catalog, url)
    shutil.rmtree(views / "bucket" / "releases")
    done = run("update", catalog, url, "--at", FRIDAY)
    assert done.exit_code == 0, done.output
    assert "Gone: 1 build cache (v2026.10.0/root)." in done.stdout
    assert stacks(catalog) == ["develop-2026-10-04/root"]


def test_a_cache_that_moves_is_known_by_its_new_address(
    serve_folder: Callable[[Path], Any], views: Path, tmp_path: Path
) -> None:
    old, new = (serve_folder(views / "views-only").url for _ in range(2))
    catalog = tmp_path / "catalog.db"
    words = ["--view", "py", "--as", "v1"]
    assert run("build", catalog, f"m={old}", *words, "--at", MONDAY).exit_code == 0
    done = run("update", catalog, f"m={new}", *words, "--at", FRIDAY)
    assert (done.exit_code, done.stderr) == (0, "")
    assert rows(catalog, "SELECT address FROM caches") == [(new,)]
    assert rows(catalog, MIRRORS) == [("m:v1/py", "py", new, "v3")]


def test_the_same_index_under_another_name_is_something_new(views: Path, tmp_path: Path) -> None:
    catalog, folder = tmp_path / "catalog.db", str(views / "views-only")
    assert run("update", catalog, f"a={folder}", "--as", "v1", "--at", MONDAY).exit_code == 0
    for arguments, at in (
        ([f"b={folder}", "--as", "v1"], FRIDAY),
        ([f"a={folder}", "--as", "v2"], SUNDAY),
    ):
        done = run("update", catalog, *arguments, "--at", at)
        assert "New: 2 build caches" in done.stdout, done.output
        nothing_new(catalog, *arguments)
    # Another name for the same place takes nothing from the first.
    assert stacks(catalog) == [
        *("a:v1/py", "a:v1/small", "a:v2/py", "a:v2/small", "b:v1/py", "b:v1/small"),
    ]


def test_options_need_a_source(views: Path, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.db"
    assert run("update", catalog, f"a={views}/views-only").exit_code == 0
    done = run("update", catalog, "--view", "py")
    assert done.exit_code == 2
    assert "name the SOURCE that the options are about" in done.stderr


def test_a_source_that_could_not_be_read_is_asked_again(
    s3: str, views: Path, tmp_path: Path
) -> None:
    catalog = tmp_path / "catalog.db"
    sources = [f"site={views}/views-only", "late=s3://spack-binaries/develop"]
    done = run("build", catalog, *sources, "--at", MONDAY)
    assert done.exit_code == 1
    assert rows(catalog, "SELECT count(*) FROM problems") == [(1,)]
    upload(s3, views / "bucket")
    done = run("update", catalog, "--at", FRIDAY)
    assert done.exit_code == 0, done.output
    assert [it for it in stacks(catalog) if it.startswith("late:")] == [
        "late:develop-2026-10-01/root",
        "late:develop-2026-10-04/root",
    ]
    assert rows(catalog, "SELECT count(*) FROM problems") == [(0,)]
    nothing_new(catalog)


def test_an_index_that_lies_alone_is_missed_in_a_named_folder(tmp_path: Path) -> None:
    catalog, other = tmp_path / "catalog.db", tmp_path / "other"
    specs = {hash_of(1): record(node("tool", "1.0"))}
    places = [("develop", "e4s"), ("develop", "hep"), ("v1.0", "e4s")]
    folder = write_indexes(tmp_path / "site", dict.fromkeys(places, specs))
    write_indexes(other, {("v2.0", "e4s"): specs})
    sources = f"mine={folder}", f"other={other}"
    assert run("update", catalog, *sources, "--at", MONDAY).exit_code == 0
    shutil.rmtree(folder / "v1.0")
    shutil.rmtree(folder / "develop" / "hep")
    part = run("update", catalog, sources[0], "--stack", "e4s", "--at", FRIDAY)
    assert part.exit_code == 0, part.output
    assert len(rows(catalog, HELD)) == 3  # what else there is was not asked
    whole = run("update", catalog, sources[0], "--at", SUNDAY)
    assert "Gone: 2 build caches (mine:v1.0/e4s, mine:develop/hep)." in whole.stdout
    assert rows(catalog, HELD) == [
        ("mine:develop", hash_of(1), "e4s", "mine"),
        ("other:v2.0", hash_of(1), "e4s", "other"),
    ]
