"""The commands that install what was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etl.catalog.reader import open_catalog
from etl.query.install import install_commands


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
