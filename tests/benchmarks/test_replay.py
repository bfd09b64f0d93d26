"""A year is replayed by hand (``python -m benchmarks.replay``); here are the first weeks of one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from benchmarks.replay import compare, replay
from benchmarks.weekly_bucket import KEPT, binaries_of, real_installs, weeks


def test_what_pruned_snapshots_had_is_remembered(tmp_path: Path) -> None:
    """In the third week an update is killed before it can have done anything."""
    found = replay(tmp_path, 5, 8, {2: [0.02]}, kept=1)
    assert found.faults == ()
    assert (found.killed_before, found.killed_after) == (1, 0)
    reports = [it.report for it in found.updates]
    # Two snapshots are pruned, and develop loses two binaries each week.
    assert [it["binaries_removed"] for it in reports][1:] == [2, 2, 10, 13]
    assert [it["mirrors_gone"] for it in reports][3] == [
        "develop-2025-03-23/e4s",
        "develop-2025-03-23/hep",
    ]
    told = weeks(5, 8, binaries_of(real_installs()), kept=1)
    assert list(compare(tmp_path / "catalog.db", told)) == []
    later = [*told[:3], dataclasses.replace(told[3], at="2024-02-01T00:00:00Z"), *told[4:]]
    assert len(list(compare(tmp_path / "catalog.db", later))) > 3


def test_the_bucket_forgets() -> None:
    told = weeks(20, 8, [f"{number:032}" for number in range(200)])
    first = {tag for tag, _ in told[1].state if tag.startswith("develop-")}
    names = {tag for tag, _ in told[-1].state}
    assert not names & first
    assert sum(name.startswith("develop-") for name in names) == KEPT
