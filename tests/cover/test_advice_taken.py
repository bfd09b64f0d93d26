"""What ``cover`` promises of a change is what it finds when Spack has made that change.

Both locks were written by Spack 1.1.0, the second after what is advised for the first was done.
"""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from etl.cli import main
from tests.real_data import unpacked
from tests.running import Run

LOCKS = Path(__file__).parent.parent / "data" / "locks"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("advice") / "catalog.db"
    with pytest.raises(SystemExit) as end:
        main(["build", str(unpacked() / "indexes"), "--catalog", str(target), "--no-progress"])
    assert end.value.code == 0
    return target


def told_of(name: str, run: Run, catalog: Path, folder: Path) -> tuple[int, dict[str, Any]]:
    lock = folder / f"{name}.lock"
    lock.write_bytes(lzma.decompress((LOCKS / f"{name}.lock.xz").read_bytes()))
    done = run("cover", lock, "--catalog", catalog, "--format", "json")
    told = json.loads(done.out)
    assert isinstance(told, dict)
    return done.code, told


def test_predicted_hits_are_found(run: Run, catalog: Path, tmp_path: Path) -> None:
    code, before = told_of("before", run, catalog, tmp_path)
    assert (code, len(before["available"]), len(before["missing"])) == (1, 13, 4)
    assert [
        (it["advice"], it["gain"], [(one["spec"], one["words"]) for one in it["asked"]])
        for it in before["changes"]
    ] == [
        (
            ["packages:all:require: target=x86_64_v3"],
            4,
            [("zlib-ng@2.2.4 target=x86_64_v2", ["x86_64_v2"])],
        )
    ]
    code, after = told_of("after", run, catalog, tmp_path)
    assert (code, after["missing"]) == (0, [])
    # Two of the four were a second build of what the lock had anyway: one is enough now.
    found = {it["hash"] for it in after["available"]}
    assert {it["nearest"] for it in before["missing"]} <= found
    assert found >= {it["hash"] for it in before["available"]}
    assert len(found) == 15


def test_the_command_says_it(run: Run, catalog: Path, tmp_path: Path) -> None:
    told_of("before", run, catalog, tmp_path)
    lines = run("cover", tmp_path / "before.lock", "--catalog", catalog).out.splitlines()
    assert lines[-3:] == [
        "changes that would gain most:",
        "  packages:all:require: target=x86_64_v3 → 4 more",
        "      and take x86_64_v2 out of the spec zlib-ng@2.2.4 target=x86_64_v2",
    ]
