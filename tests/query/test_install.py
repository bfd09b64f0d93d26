"""The commands that install what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etl.catalog.reader import open_catalog
from etl.query.install import install_commands, mirror_commands
from etl.records import Mirror, Record, Source, Spec
from etl.sources.pages import read_pages
from tests.sites import hash_of, item, page, place_of, write_site
from tests.small_catalogs import build


def row(tag: str, stacks: str, package: str = "tool", hash_: str = "abc") -> Any:
    return {"tag": tag, "stacks": stacks, "package": package, "hash": hash_}


@pytest.mark.parametrize(
    ("rows", "commands"),
    [
        ([], []),
        (
            [row("develop-2025-07-20", "build_systems tutorial")],
            [
                "spack mirror add develop-2025-07-20-build_systems"
                " https://binaries.spack.io/develop-2025-07-20/build_systems",
                "spack buildcache keys --install --trust",
                "spack install --cache-only tool/abc",
            ],
        ),
        (
            [
                row("develop-2025-07-20", "build_systems root"),
                row("develop-2025-07-20", "root", "other", "def"),
                row("v0.20.1", "e4s"),
            ],
            [
                "spack mirror add develop-2025-07-20 https://binaries.spack.io/develop-2025-07-20",
                "spack mirror add v0.20.1-e4s https://binaries.spack.io/releases/v0.20.1/e4s",
                "spack buildcache keys --install --trust",
                "spack install --cache-only tool/abc",
                "spack install --cache-only other/def",
                "spack install --cache-only tool/abc",
            ],
        ),
        (
            [row("develop-2025-07-20", "elsewhere")],
            [
                "# the address of the build cache of develop-2025-07-20 that has this is unknown:",
                "spack install --cache-only tool/abc",
            ],
        ),
    ],
)
def test_mirrors_then_keys_then_binaries(
    sample_catalog: Path, rows: list[Any], commands: list[str]
) -> None:
    with open_catalog(sample_catalog) as db:
        assert list(install_commands(db, rows)) == commands


@pytest.mark.parametrize(
    ("signed", "keys", "commands"),
    [
        (True, True, ["spack mirror add v1 URL", "spack buildcache keys --install --trust"]),
        (False, False, ["spack mirror add --unsigned v1 URL"]),
        (
            None,
            None,
            [
                "# unknown whether v1 is signed; if Spack refuses it, add --unsigned:",
                "spack mirror add v1 URL",
                "spack buildcache keys --install --trust",
            ],
        ),
    ],
)
def test_a_cache_that_is_signed_or_not_or_unknown(
    tmp_path: Path, signed: bool | None, keys: bool | None, commands: list[str]
) -> None:
    url = "https://cache.example.org/v1"
    spec = Spec(hash_of(1), "tool", "1.0", "gcc@12.2.0", "ubuntu22.04", "linux", "zen4", ())
    mirror = Mirror(
        "index.json", "v1", "root", url, (spec,), (True,), layout="v3", signed=signed, keys=keys
    )
    catalog = build(tmp_path / "catalog.db", [Source("build cache", url), mirror])
    with open_catalog(catalog) as db:
        told = list(install_commands(db, [row("v1", "root", "tool", hash_of(1))]))
    assert [it.replace(url, "URL") for it in told[:-1]] == commands


@pytest.mark.parametrize(
    ("view", "option"),
    [
        ("v2026.10.0", "--name v2026.10.0"),
        ("stacks/e4s", "--name stacks/e4s"),
        ("-x", "--name=-x"),
        ("my view; rm", "--name 'my view; rm'"),
    ],
)
def test_views_of_any_name(tmp_path: Path, view: str, option: str) -> None:
    url = "https://cache.example.org/v1"
    mirror = mirror_of("v1", url, layout="v3", signed=False, keys=False, view=view)
    catalog = build(tmp_path / "catalog.db", [Source("build cache", url), mirror])
    with open_catalog(catalog) as db:
        _, command, _ = install_commands(db, [row("v1", "root")])
    assert command == f"spack mirror add --unsigned {option} v1 {url}"


def test_a_cache_of_which_neither_is_known(tmp_path: Path) -> None:
    url = "https://cache.example.org/v1"
    mirror = mirror_of("v1", url, layout="v3", keys=False)
    catalog = build(tmp_path / "catalog.db", [Source("build cache", url), mirror])
    with open_catalog(catalog) as db:
        assert list(install_commands(db, [row("v1", "root")])) == [
            "# unknown whether v1 is signed; if Spack refuses it, add --unsigned:",
            f"spack mirror add v1 {url}",
            "# if signed: the cache publishes no keys; get the key, then spack gpg trust KEYFILE",
            "spack install --cache-only tool/abc",
        ]


def mirror_of(tag: str, url: str | None, **more: Any) -> Mirror:
    spec = Spec(hash_of(1), "tool", "1.0", "gcc@12.2.0", "ubuntu22.04", "linux", "zen4", ())
    return Mirror("index.json", tag, "root", url, (spec,), (True,), **more)


def test_to_a_spack_that_reads_the_old_layout_no_mirror_is_unsigned(tmp_path: Path) -> None:
    url = "https://cache.example.org/v1"
    mirror = mirror_of("v1", url, layout="v2", signed=False, keys=False)
    catalog = build(tmp_path / "catalog.db", [Source("build cache", url), mirror])
    with open_catalog(catalog) as db:
        assert list(install_commands(db, [row("v1", "root")])) == [
            f"spack mirror add v1 {url}",
            "spack install --cache-only --no-check-signature tool/abc",
        ]


def test_the_public_addresses_are_of_tags_that_have_pages(tmp_path: Path) -> None:
    """A copy of an index, which does not tell its address, may be of any build cache."""
    files = {place_of("v1", "tool"): page("v1", "tool", [item(2, stacks=["root"])])}
    pages = read_pages(write_site(tmp_path / "site", files))
    copy: list[Record] = [Source("build cache", "copy"), mirror_of("mine", None)]
    catalog = build(tmp_path / "catalog.db", pages, copy)
    with open_catalog(catalog) as db:
        assert list(mirror_commands(db, [row("mine", "root"), row("v1", "root")] * 2)) == [
            "spack mirror add v1 https://binaries.spack.io/v1",
            "spack buildcache keys --install --trust",
            "# the addresses of some build caches of mine are unknown",
        ]


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("https://binaries.spack.io/v1", True),
        ("s3://spack-binaries/v1", True),
        ("s3://spack-binaries-prs/v1", False),
        ("https://binaries.spack.io.example.org/v1", False),
    ],
)
def test_what_is_in_the_build_caches_of_spack_is_signed(
    tmp_path: Path, url: str, known: bool
) -> None:
    records: list[Record] = [Source("build cache", url), mirror_of("v1", url)]
    with open_catalog(build(tmp_path / "catalog.db", records)) as db:
        told = [*mirror_commands(db, [row("v1", "root")])]
    unknown = "# unknown whether v1 is signed; if Spack refuses it, add --unsigned:"
    assert told[:-2] == ([] if known else [unknown])
    assert told[-2:] == [f"spack mirror add v1 {url}", "spack buildcache keys --install --trust"]
