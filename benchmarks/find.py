"""Measure spec queries: the recorded ones, each to its last row, on any catalogs.

    python -m benchmarks.find catalog.db [--queries FILE] [--spack SPACK]

The time is CPU time of this process for making the statement and taking all of its rows, first
without a tag (each spec once), then in the newest tag that has any.  Queries that a catalog of
pages cannot answer are counted, not timed.  With ``--spack`` the mirrors it has are listed by
``spack buildcache list``, whole process, in wall time.
The exit code is 1 if a budget is not kept.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.processes import CHECKOUT
from etl.catalog.reader import open_catalog
from etl.query.find import Finder, Scope, UnanswerableError
from etl.spack.syntax import parse_spec

QUERIES = CHECKOUT.parent / "shared" / "data" / "conformance" / "spec_queries.json"

MEDIAN_BUDGET_MS = 20
SLOWEST_BUDGET_MS = 300


def measure(catalog: Path, queries: list[str]) -> tuple[list[tuple[float, str]], int]:
    """Milliseconds of each query, the quickest first, and how many could not be answered."""
    times = []
    refused = 0
    with open_catalog(catalog) as db:
        finder = Finder(db)
        for text in queries:
            query = parse_spec(text)
            for tagged in (False, True):
                try:
                    started = time.process_time()
                    tag = finder.newest_tag([query], Scope()) if tagged else None
                    finder.rows(finder.binaries([query], Scope(tag), 1000))
                    times.append(((time.process_time() - started) * 1000, text))
                except UnanswerableError:
                    refused += 1
    return sorted(times), refused


def main() -> None:
    """Read the command line, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("catalogs", type=Path, nargs="+", metavar="CATALOG")
    parser.add_argument("--queries", type=Path, default=QUERIES)
    parser.add_argument("--spack", help="a spack executable, which has the mirror configured")
    options = parser.parse_args()
    recorded = json.loads(options.queries.read_text(encoding="utf-8"))["queries"]
    queries = [answer["query"] for answer in recorded]
    missed = False
    print("| catalog | runs | not answerable | median ms | 95 % ms | slowest ms | slowest query |")
    print("|---|---:|---:|---:|---:|---:|---|")
    for catalog in options.catalogs:
        times, refused = measure(catalog, queries)
        alone = [took for took, _ in times]
        median, slowest = statistics.median(alone), times[-1]
        print(
            f"| {catalog.name} | {len(times):,} | {refused:,} | {median:.1f}"
            f" | {alone[len(alone) * 95 // 100]:.1f} | {slowest[0]:.0f} | `{slowest[1]}` |"
        )
        missed |= median > MEDIAN_BUDGET_MS or slowest[0] > SLOWEST_BUDGET_MS
    if options.spack:
        started = time.monotonic()
        command = [options.spack, "buildcache", "list", "--allarch"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        print(f"\nspack buildcache list: {time.monotonic() - started:.1f} s")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
