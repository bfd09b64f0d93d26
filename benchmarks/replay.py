"""Replay a bucket that forgets, week by week, and see that the catalog remembers.

    python -m benchmarks.replay [--weeks 110] [--binaries 120] [--kills 100] [--seed 1]

Each week a tag comes, old snapshots are pruned, develop is another, and ``spack-catalog update``
reads it over HTTP.  At so many random points it is killed first: then the catalog must be that of
the week before, or that of this week, byte for byte.  In the end the catalog has to know every
binary that was ever in any tag with the right dates, every removal and return, and say of each spec
what a catalog says that is built from everything at once.  The exit code is 1 if it does not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.processes import CHECKOUT
from benchmarks.weekly_bucket import (
    KEPT,
    Bucket,
    Installs,
    Week,
    binaries_of,
    real_installs,
    served,
    weeks,
    write_indexes,
)
from etl.catalog.check import check_catalog
from etl.catalog.reader import open_catalog

_COMMAND = (sys.executable, "-c", "from etl.cli import main; main()")

# A binary in a tag: first and last seen, since when it is gone, and its stacks.
Times = tuple[str, str | None, str | None, str]


@dataclass(frozen=True, slots=True)
class Update:
    """What one update cost, and what it said."""

    seconds: float
    cpu_seconds: float
    bytes_read: int
    requests: int
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay has shown: the updates, how its kills ended, and what is wrong."""

    updates: tuple[Update, ...]
    killed_before: int
    killed_after: int
    faults: tuple[str, ...]


def replay(
    folder: Path,
    count: int,
    binaries: int,
    kills: dict[int, list[float]],
    kept: int = KEPT,
) -> Replay:
    """Replay so many weeks; ``kills`` are shares of an update's time, by the number of the week.

    A share of 0.5 kills an update after half of the time that the last one took.  ``kept`` is how
    many snapshots the bucket keeps.
    """
    catalog = folder / "catalog.db"
    installs = real_installs()
    told = weeks(count, binaries, binaries_of(installs), kept)
    updates: list[Update] = []
    faults: list[str] = []
    ended = [0, 0]
    with served(folder / "bucket", installs) as bucket:
        for number, week in enumerate(told):
            bucket.become(week)
            before = _digest(catalog)
            usual = updates[-1].seconds if updates else 1.0
            left = [
                _killed(folder, catalog, bucket, week, usual * share)
                for share in kills.get(number, ())
            ]
            update = _update(folder, catalog, bucket, week)
            after = _digest(catalog)
            updates.append(update)
            ended[0] += sum(it == before for it in left)
            ended[1] += sum(it == after != before for it in left)
            if set(left) - {before, after}:
                faults.append(f"{week.at}: killed, and the catalog is neither old nor new")
            if litter := list(folder.glob(".catalog.db.*.building*")):
                faults.append(f"{week.at}: {litter[0].name} is left beside the catalog")
    faults += compare(catalog, told)
    faults += compare_with_all_at_once(folder, catalog, told, installs)
    return Replay(tuple(updates), ended[0], ended[1], tuple(faults))


def compare(catalog: Path, told: Sequence[Week]) -> Iterator[str]:
    """What the catalog says of times otherwise than the weeks were, a sentence each."""
    expected, events = _expected(told)
    with open_catalog(catalog) as db:
        yield from check_catalog(db)
        found: dict[tuple[str, str], Times] = {
            (tag, hash_): (first, last, gone, stacks)
            for tag, hash_, first, last, gone, stacks in db.execute(
                "SELECT tag, hash, first_seen, NULL, NULL, stacks FROM binary_list UNION ALL"
                " SELECT tag, hash, first_seen, last_seen, gone_since, stacks FROM gone_list"
            )
        }
        for key in sorted(expected.keys() | found.keys()):
            if expected.get(key) != found.get(key):
                yield f"{key}: is {found.get(key)}, and was {expected.get(key)}"
        seen = set(db.execute("SELECT at, event, tag, hash FROM event_list"))
        for event in sorted(seen ^ events):
            yield f"{event}: {'never happened' if event in seen else 'is not told'}"
        read = [at for (at,) in db.execute("SELECT read_at FROM sources ORDER BY read_at")]
        if read != [week.at for week in told]:
            yield f"the sources were read at {read[:3]}…"


def _expected(
    told: Sequence[Week],
) -> tuple[dict[tuple[str, str], Times], set[tuple[str, str, str, str]]]:
    """The times of every binary that was ever there, and what happened."""
    firsts: dict[tuple[str, str], str] = {}
    lasts: dict[tuple[str, str], tuple[str, str]] = {}
    gone: dict[tuple[str, str], str] = {}
    events = set()
    for week in told:
        there: dict[tuple[str, str], list[str]] = {}
        for (tag, stack), hashes in week.state.items():
            for hash_ in hashes:
                there.setdefault((tag, hash_), []).append(stack)
        for key in lasts.keys() - gone.keys() - there.keys():
            gone[key] = week.at
            events.add((week.at, "removed", *key))
        for key, stacks in there.items():
            if gone.pop(key, None):
                events.add((week.at, "returned", *key))
            firsts.setdefault(key, week.at)
            lasts[key] = (week.at, " ".join(sorted(stacks)))
    expected = {
        key: (firsts[key], last if key in gone else None, gone.get(key), stacks)
        for key, (last, stacks) in lasts.items()
    }
    return expected, events


_MINE = """
    SELECT hash, package, version, compiler, os, platform, target, variants FROM binary_list UNION
    SELECT hash, package, version, compiler, os, platform, target, variants FROM gone_list
    ORDER BY hash
"""
_ALL = """
    SELECT hash, package, version, compiler, os, platform, target, variants FROM spec_list
    ORDER BY hash
"""
_TAGS = "SELECT name FROM tags WHERE name NOT LIKE 'week-%' ORDER BY name"
_EDGES = """
    SELECT hash, dependency, dependency_hash, deptypes, virtuals FROM dependency_list
    ORDER BY hash, dependency_hash, deptypes, virtuals
"""


def compare_with_all_at_once(
    folder: Path, catalog: Path, told: Sequence[Week], installs: Installs
) -> Iterator[str]:
    """What the catalog says of specs otherwise than one that is built from everything at once."""
    everything: dict[tuple[str, str], tuple[str, ...]] = {}
    for number, week in enumerate(told):
        everything |= week.state
        # What develop had in each week, which is not there at once.
        everything[f"week-{number}", "e4s"] = week.state["develop", "e4s"]
    write_indexes(folder / "everything", everything, installs)
    reference = folder / "reference.db"
    _run(
        ["build", str(folder / "everything"), "--catalog", str(reference), "--no-progress"], folder
    )
    with open_catalog(catalog) as mine, open_catalog(reference) as other:
        for what, one, two in (
            ("specs", _MINE, _ALL),
            ("dependencies", _EDGES, _EDGES),
            ("tags", _TAGS, _TAGS),
        ):
            found, expected = mine.execute(one).fetchall(), other.execute(two).fetchall()
            if found != expected:
                yield f"{len(found):,} {what} are not the {len(expected):,} of all at once"


def _update(folder: Path, catalog: Path, bucket: Bucket, week: Week) -> Update:
    read, requests, started = bucket.bytes_read, bucket.requests, time.monotonic()
    output, cpu = _run(_arguments(catalog, bucket, week), folder)
    return Update(
        time.monotonic() - started,
        cpu,
        bucket.bytes_read - read,
        bucket.requests - requests,
        json.loads(output),
    )


def _arguments(catalog: Path, bucket: Bucket, week: Week) -> list[str]:
    return [
        "update", bucket.url, "--catalog", str(catalog), "--at", week.at, "--format", "json",
        "--no-progress",
    ]  # fmt: skip


def _killed(folder: Path, catalog: Path, bucket: Bucket, week: Week, seconds: float) -> str:
    """The digest of the catalog after an update that is killed after so many seconds."""
    with subprocess.Popen(  # noqa: S603
        [*_COMMAND, *_arguments(catalog, bucket, week)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environment(folder),
        cwd=CHECKOUT,
        start_new_session=True,
    ) as process:
        killing = threading.Timer(seconds, os.killpg, (process.pid, signal.SIGKILL))
        killing.start()
        process.wait()
        killing.cancel()
    return _digest(catalog)


def _run(arguments: Sequence[str], folder: Path) -> tuple[str, float]:
    """What a command prints, and its CPU seconds."""
    with (folder / "output").open("w+") as output:
        process = subprocess.Popen(  # noqa: S603
            [*_COMMAND, *arguments], stdout=output, env=_environment(folder), cwd=CHECKOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit(f"spack-catalog {' '.join(arguments)}: exit {process.returncode}")
        output.seek(0)
        return output.read(), used.ru_utime + used.ru_stime


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": str(CHECKOUT)}


def _digest(catalog: Path) -> str:
    return hashlib.sha256(catalog.read_bytes()).hexdigest() if catalog.exists() else ""


def random_kills(number: int, count: int, seed: int) -> dict[int, list[float]]:
    """So many kills in random weeks, each after a random share of an update's time."""
    pick = random.Random(seed)
    kills: dict[int, list[float]] = {}
    for _ in range(number):
        kills.setdefault(pick.randrange(1, count), []).append(pick.uniform(0, 1.15))
    return kills


def main() -> int:
    """Replay and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--weeks", type=int, default=110)
    parser.add_argument("--binaries", type=int, default=120, help="in each tag")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kills = random_kills(asked.kills, asked.weeks, asked.seed)
        found = replay(folder, asked.weeks, asked.binaries, kills)
        size = (folder / "catalog.db").stat().st_size
    updates = found.updates
    print(f"{asked.weeks} weeks, {asked.binaries} binaries in each tag, seed {asked.seed}")
    print(f"catalog: {size:,} bytes; {_numbers(updates)}")
    print(
        f"killed {asked.kills} times: {found.killed_before} left the old catalog,"
        f" {found.killed_after} the new one"
    )
    for fault in found.faults[:20]:
        print(f"FAULT: {fault}")
    print("FAILED" if found.faults else "all that ever was is there, with its dates")
    return 1 if found.faults else 0


def _numbers(updates: Sequence[Update]) -> str:
    """What a week costs: in the middle, at most, and in the first and the last quarter."""
    quarter = max(1, len(updates) // 4)

    def middle(values: Sequence[float]) -> float:
        return statistics.median(values)

    cpu = [it.cpu_seconds for it in updates]
    read = [it.bytes_read for it in updates]
    return (
        f"a week takes {middle(cpu[:quarter]):.2f} s of CPU in the first quarter,"
        f" {middle(cpu[-quarter:]):.2f} s in the last, at most {max(cpu):.2f} s;"
        f" it reads {middle(read):,.0f} bytes in {middle([it.requests for it in updates]):.0f}"
        f" requests, at most {max(read):,} bytes; {sum(read):,} bytes in all"
    )


if __name__ == "__main__":
    sys.exit(main())
