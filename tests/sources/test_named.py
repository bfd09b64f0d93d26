"""Caches that the user names: their tags, their address, and names that cannot be."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from etl.cli import main
from etl.errors import UsageError
from etl.records import Cache, Listing, Mirror, Record, Source, Tag, Unchanged
from etl.sources.named import (
    Asked,
    address_of,
    kind_of,
    local_path,
    read_asked,
    refuse_twice,
    with_name,
)

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("e4s=https://cache.e4s.io", Asked("https://cache.e4s.io", "e4s")),
        ("site=/data/mirror", Asked("/data/mirror", "site")),
        ("/data/a=b", Asked("/data/a=b")),
        ("https://cache.e4s.io/?a=b", Asked("https://cache.e4s.io/?a=b")),
        ("plain", Asked("plain")),
    ],
)
def test_a_name_stands_before_the_source(text: str, asked: Asked) -> None:
    assert read_asked(text) == asked


def test_a_file_of_that_name_is_no_named_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a=b").mkdir()
    assert read_asked("a=b") == Asked("a=b")


@pytest.mark.parametrize("name", ["my cache", "", "é", "x:y", "x/y", "a" * 200])
def test_what_no_cache_can_be_called(name: str) -> None:
    with pytest.raises(UsageError, match="not a valid name for a cache; use letters"):
        read_asked(f"{name}=https://cache.e4s.io")


def test_a_folder_that_no_tag_can_be_called_like(tmp_path: Path, real_data: Path) -> None:
    folder = Path(shutil.copytree(real_data / "views" / "views-only", tmp_path / "my mirror (2)"))
    catalog = tmp_path / "c.db"
    words = ["--view", "py", "--no-progress", "--catalog", str(catalog)]
    answer = CliRunner().invoke(main, ["build", str(folder), *words])
    assert answer.exit_code == 2
    assert "the name of this folder cannot be a tag; give one with --as TAG" in answer.stderr
    answer = CliRunner().invoke(main, ["build", f"site={folder}", *words])
    assert answer.exit_code == 0, answer.output
    db = sqlite3.connect(catalog)
    assert db.execute("SELECT name FROM tags").fetchall() == [("site:site",)]
    assert db.execute("SELECT options FROM sources").fetchall() == [("--view py",)]


def test_two_caches_cannot_have_one_name() -> None:
    with pytest.raises(UsageError, match="two caches are called a"):
        refuse_twice([Asked("x", "a"), Asked("y", "a"), Asked("z"), Asked("z")])


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("/data/x", "folder"),
        ("http://a", "https"),
        ("https://a", "https"),
        ("s3://b/p", "s3"),
        ("S3://b/p", "s3"),
        ("oci://r/n", "oci"),
        ("oci+http://r/n", "oci"),
        ("file:///data/x", "folder"),
        ("http", "folder"),
        ("gs\n://b", r"gs\n"),
    ],
)
def test_the_kind_of_place(source: str, kind: str) -> None:
    assert kind_of(source) == kind


@pytest.mark.parametrize(
    ("source", "path", "view"),
    [
        ("file:///data/a%20b", "/data/a b", ""),
        ("File:/data/x#one%2Fview", "/data/x", "one/view"),
        ("file://", "/", ""),
        ("/data/x", "/data/x", ""),
        ("box", "box", ""),
        ("box#view", "box", "view"),
        ("box#a#b", "box", "a#b"),
        ("box#", "box#", ""),
        ("whole#view", "whole#view", ""),
        ("nowhere#view", "nowhere#view", ""),
        ("x" * 9999 + "#view", "x" * 9999 + "#view", ""),
        ("\0#view", "\0#view", ""),
    ],
)
def test_a_place_on_this_machine_and_a_view_in_it(
    source: str, path: str, view: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("box", "whole", "whole#view"):
        Path(name).mkdir()
    assert local_path(source) == (path, view)


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("https://cache.e4s.io/", "https://cache.e4s.io"),
        ("https://cache.e4s.io/x#view", "https://cache.e4s.io/x"),
        ("s3://box/x/", "s3://box/x"),
        ("/data/a b", "file:///data/a%20b"),
        ("/data/a/../x/", "file:///data/x"),
        ("FILE:///data/x#view", "file:///data/x"),
    ],
)
def test_the_address_of_a_named_source(source: str, address: str) -> None:
    assert address_of(source) == address


@pytest.mark.parametrize(
    ("address", "told", "url"),
    [
        ("/data/x", {}, "file:///data/x"),
        ("/data/x", {"folder": "v1/e4s"}, "file:///data/x/v1/e4s"),
        ("/data/x", {"folder": "v1/e4s/"}, "file:///data/x/v1/e4s"),
        ("/data/x", {"layout": "bare", "folder": "v1"}, None),
        ("/data/x", {"url": "https://example.org/v1"}, "https://example.org/v1"),
        ("https://example.org", {"folder": "v1"}, None),
    ],
)
def test_a_mirror_in_a_folder_that_is_named_has_an_address(
    address: str, told: dict[str, Any], url: str | None
) -> None:
    mirror = Mirror("index.json", "v1", "e4s", told.pop("url", None), (), (), **told)
    cache, named = with_name(Asked(address, "mine", signed=True), [mirror])
    assert cache == Cache("mine", address_of(address), kind_of(address))
    assert named == replace(mirror, tag="mine:v1", cache="mine", url=url, signed=True)
    unsigned = replace(mirror, signed=False)  # as its own binaries tell
    assert [*with_name(Asked(address, "mine", signed=True), [unsigned])][1] == replace(
        unsigned, tag="mine:v1", cache="mine", url=url
    )


def test_every_record_of_a_named_source_has_its_tags_called_so() -> None:
    listing = Listing("box", frozenset({("v1", "e4s")}), tags=frozenset({"v1"}))
    records: list[Record] = [
        Tag("v1", ("e4s",)),
        Unchanged("v1", "e4s"),
        listing,
        replace(listing, address="s3://box", tags=None),
        Source("build cache", "box"),
    ]
    mirrors = frozenset({("mine:v1", "e4s")})
    assert [*with_name(Asked("/box", "mine"), records)] == [
        Cache("mine", "file:///box", "folder"),
        Tag("mine:v1", ("e4s",), "mine"),
        Unchanged("mine:v1", "e4s"),
        replace(
            listing,
            address="file:///box",
            mirrors=mirrors,
            cache="mine",
            tags=frozenset({"mine:v1"}),
        ),
        replace(listing, address="s3://box", mirrors=mirrors, cache="mine", tags=None),
        Source("build cache", "box"),
    ]
    assert [*with_name(Asked("/box"), records)] == records


def _two(tmp_path: Path, views: Path) -> Path:
    for name in ("site", "public"):
        folder = tmp_path / name / "v2026.10"
        shutil.copytree(views / "views-only", folder)
    shutil.rmtree(tmp_path / "public/v2026.10/v3/manifests/index/py")
    catalog = tmp_path / "c.db"
    sources = [f"{name}={tmp_path}/{name}/v2026.10" for name in ("site", "public")]
    answer = CliRunner().invoke(
        main, ["build", *sources, "--no-progress", "--catalog", str(catalog)]
    )
    assert answer.exit_code == 0, answer.output
    return catalog


def test_named_caches_keep_their_tags_apart(tmp_path: Path, real_data: Path) -> None:
    catalog = _two(tmp_path, real_data / "views")
    db = sqlite3.connect(catalog)
    assert db.execute("SELECT name, address, kind, tags, binaries FROM caches").fetchall() == [
        ("public", f"file://{tmp_path}/public/v2026.10", "folder", 1, 20),
        ("site", f"file://{tmp_path}/site/v2026.10", "folder", 1, 36),
    ]
    assert db.execute(
        "SELECT tags.name, caches.name FROM tags JOIN caches ON caches.id = cache_id ORDER BY 1"
    ).fetchall() == [("public:v2026.10", "public"), ("site:v2026.10", "site")]
    assert db.execute("SELECT url, view FROM mirrors WHERE view = 'py'").fetchall() == [
        (f"file://{tmp_path}/site/v2026.10", "py")
    ]


def test_what_one_cache_has_and_another_lacks(tmp_path: Path, real_data: Path) -> None:
    catalog = _two(tmp_path, real_data / "views")
    answer = CliRunner().invoke(
        main,
        ["diff", "public:v2026.10", "site:v2026.10", "--format", "json", "--catalog", str(catalog)],
    )
    assert answer.exit_code == 0, answer.output
    told = json.loads((real_data / "views" / "expected.json").read_text())
    views = told["views-only"]["mirrors"]["."]
    more = set(views["py"]["in_buildcache"]) - set(views["small"]["in_buildcache"])
    difference = json.loads(answer.output)
    added = {row["package"] for row in difference["added_packages"]}
    db = sqlite3.connect(catalog)
    marks = ", ".join("?" * len(more))
    packages = db.execute(
        "SELECT packages.name FROM specs JOIN packages ON packages.id = package_id"
        f" WHERE hash IN ({marks})",
        sorted(more),
    ).fetchall()
    assert added == {name for (name,) in packages}
    assert difference["removed_packages"] == []


@pytest.mark.parametrize("cache", ["public", "site"])
def test_what_one_cache_has_is_found_there(tmp_path: Path, real_data: Path, cache: str) -> None:
    catalog = _two(tmp_path, real_data / "views")
    told = json.loads((real_data / "views" / "expected.json").read_text())
    views = told["views-only"]["mirrors"]["."]
    expected = set(views["small"]["in_buildcache"])
    if cache == "site":
        expected |= set(views["py"]["in_buildcache"])
    for tag in ([], ["--tag", "v2026.10"], ["--tag", f"{cache}:v2026.10"], ["--tag", "any"]):
        answer = CliRunner().invoke(
            main,
            ["find", "*", "--cache", cache, *tag, "--format", "hashes", "--catalog", str(catalog)],
        )
        assert answer.exit_code == 0, answer.output
        assert {line.removeprefix("/") for line in answer.output.split()} == expected


def test_a_cache_that_is_not_there(tmp_path: Path, real_data: Path) -> None:
    catalog = _two(tmp_path, real_data / "views")
    answer = CliRunner().invoke(main, ["find", "*", "--cache", "sight", "--catalog", str(catalog)])
    assert answer.exit_code == 2
    assert "no cache sight in this catalog; did you mean site?" in answer.output


def test_the_commands_for_an_unsigned_view(tmp_path: Path, real_data: Path) -> None:
    catalog = _two(tmp_path, real_data / "views")
    answer = CliRunner().invoke(
        main,
        ["find", "python", "--cache", "site", "--format", "install", "--catalog", str(catalog)],
    )
    lines = answer.output.splitlines()
    assert (
        "spack mirror add --unsigned --name py site-v2026.10-py"
        f" file://{tmp_path}/site/v2026.10" in lines
    )
    assert "spack buildcache keys --install --trust" not in lines


@pytest.mark.parametrize("view", ["v2026.10.0", "stacks/tools"])
def test_the_commands_for_a_signed_view(tmp_path: Path, view: str) -> None:
    """These commands, run by the Spack that made the cache, install from it."""
    folder, catalog = DATA / "signed" / "releases" / "v2026.10", tmp_path / "c.db"
    source = f"site={folder}#{view}"
    for arguments in (
        ["build", source, "--no-progress"],
        ["find", "hello-*", "--format", "install"],
    ):
        answer = CliRunner().invoke(main, [*arguments, "--catalog", str(catalog)])
        assert answer.exit_code == 0, answer.output
    tag = "v2026.10.0" if view == "v2026.10.0" else "v2026.10.0-tools"
    both = [
        "# hello-data@1.0 for linux-debian12-x86_64_v4, none",
        "spack install --cache-only hello-data/zyklpecjd6vlhgxlglndlw5jbn6a3rfy",
        "# hello-tool@2.0 for linux-debian12-x86_64_v4, none",
        "spack install --cache-only hello-tool/io5qqcw4lobmt5v6sikvfdlt2j7cwgwm",
    ]
    assert answer.stdout.splitlines() == [
        "# a view of a build cache needs Spack 1.2 or newer",
        f"spack mirror add --name {view} site-{tag} {folder.as_uri()}",
        "# Spack 1.2 and newer ask before they trust a key; --yes-to-all answers",
        "spack buildcache keys --install --trust",
        *(both if view == "v2026.10.0" else both[:2]),
    ]
