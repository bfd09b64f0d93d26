"""The commands that install what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etl.catalog.reader import open_catalog
from etl.query.install import install_commands
from etl.records import Mirror, Source, Spec
from tests.sites import hash_of
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
                "# no address is known of a build cache of develop-2025-07-20 that has this:",
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
                "# not known whether v1 is signed; if Spack refuses it, add --unsigned:",
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
