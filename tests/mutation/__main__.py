"""Makes mutants, runs their tests, and lists those that survive.

    python -m tests.mutation                         320 of all, by seed 1
    python -m tests.mutation --seed 2 --number 40 etl/query
    python -m tests.mutation --again FILE            those that are listed in the output of a run
    python -m tests.mutation --at etl/spack/tags.py:128 --at etl/spack/host.py:54

First every test file is run without a change, to learn which functions it calls; a mutant is then
tried with those that call its function, nearest and shortest first.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Loaded once, so that each run starts with them.
import archspec.cpu  # noqa: F401
import click  # noqa: F401
import datasette.app  # noqa: F401
import hypothesis.strategies  # noqa: F401
import pytest_asyncio  # noqa: F401
import sqlite_utils  # noqa: F401
import yaml  # noqa: F401

from tests import real_data
from tests.mutation.changes import Mutant, mutants, mutated
from tests.mutation.reasons import reason_for
from tests.mutation.trial import copy_of, run

CHECKOUT = Path(__file__).parents[2]

ROOMS = {
    "etl/spack": ("tests/spack", "tests/query", "tests/sources", "tests/browse"),
    "etl/query": ("tests/query", "tests/commands", "tests/browse", "tests/test_cli.py"),
    "etl/writer": ("tests/writer", "tests/catalog", "tests/browse", "tests/test_cli.py"),
    "etl/sources": ("tests/sources", "tests/writer", "tests/test_cli.py"),
}
"""The tests that should notice, nearest first."""

_LISTED = re.compile(r"\[\d+\] (?P<path>[^:]+):\d+: (?P<what>.+)")
NOT_NEEDED = frozenset({"test_nginx.py", "test_engines.py"})
_FIRST_RUN = 900.0


@dataclass(frozen=True)
class TestFile:
    """A test file, the functions that it calls, and how long it takes without a change."""

    path: str
    calls: frozenset[tuple[str, int]]
    seconds: float


def learn(tree: Path, folders: set[str]) -> Iterator[TestFile]:
    """Run each test file once, without a change."""
    with tempfile.TemporaryDirectory() as folder:
        files = {it for part in folders for it in _test_files(tree / part)}
        for path in sorted(files):
            if path.name in NOT_NEEDED:
                continue
            place, calls = str(path.relative_to(tree)), Path(folder) / "calls"
            done = run(tree, [place], _FIRST_RUN, calls)
            if done.code != 0:
                sys.exit(f"{place} fails without a change, or takes too long: {done.code}")
            called = frozenset((file, line) for file, line in json.loads(calls.read_text()))
            print(f"{place}: {len(called)} functions, {done.seconds:.1f} s", flush=True)
            yield TestFile(place, called, done.seconds)


def _test_files(place: Path) -> Iterator[Path]:
    return place.rglob("test_*.py") if place.is_dir() else iter([place])


def tests_for(mutant: Mutant, files: list[TestFile]) -> list[TestFile]:
    """The test files that may notice, those that should notice soonest first."""
    room = next(it for it in ROOMS if mutant.path.startswith(f"{it}/"))
    name = Path(mutant.path).stem

    def order(file: TestFile) -> tuple[bool, int, float]:
        distance = next(n for n, it in enumerate(ROOMS[room]) if file.path.startswith(it))
        return name not in file.path, distance, file.seconds

    here = [it for it in files if it.path.startswith(ROOMS[room])]
    if mutant.function:
        here = [it for it in here if (mutant.path, mutant.function) in it.calls]
    return sorted(here, key=order)


def survives(mutant: Mutant, tree: Path, files: list[TestFile]) -> bool:
    """Whether all tests pass with the change."""
    target = tree / mutant.path
    original = target.read_text("utf-8")
    target.write_text(mutated(original, mutant), "utf-8")
    try:
        return all(
            run(tree, [it.path], 20 + 10 * it.seconds).code == 0 for it in tests_for(mutant, files)
        )
    finally:
        target.write_text(original, "utf-8")


def choose(options: argparse.Namespace, tree: Path) -> list[Mutant]:
    """The mutants of the copy that are asked for."""
    if options.at:
        places = [it.rpartition(":") for it in options.at]
        return [
            it
            for path, _, line in places
            for it in mutants(tree, tree / path)
            if it.line == int(line)
        ]
    if options.again:
        told = [_LISTED.fullmatch(line) for line in options.again.read_text("utf-8").splitlines()]
        wanted = {(it["path"], it["what"]) for it in told if it}
        known = {
            (it.path, f"{it.change}: {it.text}"): it
            for path, _ in sorted(wanted)
            if (tree / path).exists()
            for it in mutants(tree, tree / path)
        }
        return [known[it] for it in sorted(wanted & known.keys())]
    numbers = random.Random(options.seed)
    parts = options.paths or [*ROOMS]
    chosen: list[Mutant] = []
    for part in parts:
        place = tree / part
        paths = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        found = [it for path in paths for it in mutants(tree, path)]
        chosen += numbers.sample(found, min(len(found), options.number // len(parts)))
    return chosen


def main() -> None:
    """Make mutants, and list those that survive."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="a room or a module")
    parser.add_argument("--number", type=int, default=320, help="how many, over all paths")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at", action="append", metavar="FILE:LINE", help="all mutants of a line")
    parser.add_argument("--again", type=Path, metavar="FILE", help="those that such a run listed")
    options = parser.parse_args()
    os.nice(10)
    real_data.unpacked()
    left, excused = [], 0
    with tempfile.TemporaryDirectory() as folder:
        tree = copy_of(CHECKOUT, Path(folder))
        chosen = choose(options, tree)
        rooms = {room for room in ROOMS for it in chosen if it.path.startswith(f"{room}/")}
        files = list(learn(tree, {tests for room in rooms for tests in ROOMS[room]}))
        for number, mutant in enumerate(chosen, start=1):
            reason = reason_for(mutant)
            if reason is None and survives(mutant, tree, files):
                left.append(mutant)
                print(f"[{number}] {mutant}", flush=True)
            elif reason:
                excused += 1
                print(f"[{number}] {mutant}\n    may survive: {reason}", flush=True)
            elif number % 20 == 0:
                print(f"[{number}]", flush=True)
    share = 100 * len(left) / len(chosen)
    print(f"{len(chosen)} mutants: {len(left)} survive ({share:.1f} %), {excused} more may survive")


if __name__ == "__main__":
    main()
