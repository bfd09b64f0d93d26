"""What ``cover`` promises of a change is what it finds when Spack has made that change.

Both locks were written by Spack 1.1.0, the second after what is advised for the first was done.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.real_data import lock_by_spack
from tests.running import Run


def told_of(name: str, run: Run, catalog: Path, folder: Path) -> tuple[int, dict[str, Any]]:
    lock = folder / f"{name}.lock"
    lock.write_bytes(lock_by_spack(name))
    done = run("cover", lock, "--catalog", catalog, "--format", "json")
    told = json.loads(done.out)
    assert isinstance(told, dict)
    return done.code, told


def test_predicted_hits_are_found(run: Run, indexes_catalog: Path, tmp_path: Path) -> None:
    code, before = told_of("before", run, indexes_catalog, tmp_path)
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
    code, after = told_of("after", run, indexes_catalog, tmp_path)
    assert (code, after["missing"]) == (0, [])
    # Two of the four were a second build of what the lock had anyway: one is enough now.
    found = {it["hash"] for it in after["available"]}
    assert {it["nearest"] for it in before["missing"]} <= found
    assert found >= {it["hash"] for it in before["available"]}
    assert len(found) == 15


def test_the_command_says_it(run: Run, indexes_catalog: Path, tmp_path: Path) -> None:
    told_of("before", run, indexes_catalog, tmp_path)
    lines = run("cover", tmp_path / "before.lock", "--catalog", indexes_catalog).out.splitlines()
    assert lines[-3:] == [
        "suggested changes, with the specs gained:",
        "  packages:all:require: target=x86_64_v3 → 4 more",
        "      and remove x86_64_v2 from the spec zlib-ng@2.2.4 target=x86_64_v2",
    ]
