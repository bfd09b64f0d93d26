"""Measure the export to Parquet, and five scans by DuckDB beside the same scans by SQLite.

    python -m benchmarks.engines --scales 1000000 --sites FOLDER
    python -m benchmarks.engines --catalog catalog.db

For each scale a site is generated, or taken from ``--sites FOLDER``, and built; or ``--catalog``
names a catalog that is there.  The export runs in a process of its own, and again to see what it
costs where nothing has changed.  Each scan is asked of both engines in turns, in one process, the
best of three; both have to give the same rows.  CPU time counts all threads.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.build import site_of
from benchmarks.processes import BUILD, Usage, run

EXPORT = ("-c", "from etl.cli import main; main()", "export", "parquet")

MEMORY_BUDGET_MB = 600
"""Memory of the export, at most, up to a million binaries."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A question that has to look at all binaries, as both engines are asked it."""

    what: str
    sqlite: str
    duckdb: str


SCANS = (
    Scan(
        "packages with the most binaries",
        "SELECT package, count(*) FROM binary_list GROUP BY package ORDER BY 2 DESC, 1 LIMIT 10",
        "SELECT package, count(*) FROM binaries GROUP BY package ORDER BY 2 DESC, 1 LIMIT 10",
    ),
    Scan(
        "binaries by tag and target",
        "SELECT tag, target, count(*) FROM binary_list GROUP BY tag, target ORDER BY 1, 2",
        "SELECT tag, target, count(*) FROM binaries GROUP BY tag, target ORDER BY 1, 2",
    ),
    Scan(
        "newest version of each package in each tag",
        "SELECT tag, package, max(version_key) FROM binary_list"
        " GROUP BY tag, package ORDER BY 1, 2",
        "SELECT tag, package, max(version_key) FROM binaries GROUP BY tag, package ORDER BY 1, 2",
    ),
    Scan(
        "binaries with +mpi by compiler",
        "SELECT compiler, count(*) FROM binary_list"
        " WHERE ' ' || variants || ' ' LIKE '% +mpi %' GROUP BY compiler ORDER BY 1",
        "SELECT compiler, count(*) FROM binaries"
        " WHERE variants['mpi'] = 'true' GROUP BY compiler ORDER BY 1",
    ),
    Scan(
        "packages of each stack",
        "SELECT stack, count(DISTINCT package) FROM binary_stacks GROUP BY stack ORDER BY 1",
        "SELECT stack, count(DISTINCT package) FROM ("
        "SELECT package, unnest(stacks) AS stack FROM binaries) GROUP BY stack ORDER BY 1",
    ),
)


@dataclass(frozen=True, slots=True)
class Took:
    """What a scan took, in seconds: on the clock, and of all cores together."""

    wall: float
    cpu: float


def timed(engine: Any, sql: str) -> tuple[Took, list[tuple[Any, ...]]]:
    """What it takes to ask an engine something, and the answer."""
    wall, cpu = time.perf_counter(), time.process_time()
    rows = engine.execute(sql).fetchall()
    return Took(time.perf_counter() - wall, time.process_time() - cpu), rows


def compare(catalog: Path, folder: Path, repeat: int = 3) -> list[tuple[str, Took, Took]]:
    """Each scan by SQLite and by DuckDB, the best of several times.

    Raises:
        SystemExit: they do not give the same rows.
    """
    import duckdb

    found = []
    files = f"'{folder}/binaries/*/*.parquet'"
    with (
        closing(sqlite3.connect(f"file:{catalog}?mode=ro", uri=True)) as db,
        duckdb.connect() as du,
    ):
        du.execute(f"CREATE VIEW binaries AS FROM read_parquet({files}, hive_partitioning = true)")
        for scan in SCANS:
            by_sqlite, by_duckdb = [], []
            for _ in range(repeat):
                took, rows = timed(db, scan.sqlite)
                by_sqlite.append(took)
                took, other = timed(du, scan.duckdb)
                by_duckdb.append(took)
                if rows != other:
                    raise SystemExit(f"{scan.what}: the engines give different rows")
            found.append((scan.what, _least(by_sqlite), _least(by_duckdb)))
    return found


def _least(times: list[Took]) -> Took:
    return min(times, key=lambda took: took.wall)


def measure(catalog: Path, work: Path) -> list[str]:
    """Export a catalog, scan it, and print both; returns the budgets that are not kept."""
    folder = work / "parquet"
    first = _export(catalog, folder)
    again = _export(catalog, folder)
    with closing(sqlite3.connect(f"file:{catalog}?mode=ro", uri=True)) as db:
        (binaries,) = db.execute("SELECT count(*) FROM binaries").fetchone()
    files = [it for it in folder.rglob("*") if it.is_file()]
    size = sum(it.stat().st_size for it in files) / 1e6
    part = sum(it.stat().st_size for it in (folder / "binaries").rglob("*.parquet")) / 1e6
    file = catalog.stat().st_size / 1e6
    print(
        "\n| binaries | .db MB | Parquet MB | of it binaries MB | files | export CPU s | peak MB"
        " | again, nothing changed: CPU s |\n|" + "---:|" * 8
    )
    print(
        f"| {binaries:,} | {file:,.1f} | {size:,.1f} | {part:,.1f} | {len(files):,}"
        f" | {first.cpu:,.1f} | {first.peak_mb:,.0f} | {again.cpu:,.1f} |"
    )
    print(
        "\n| scan | SQLite s | DuckDB s | times faster | SQLite CPU s | DuckDB CPU s |"
        "\n|---|" + "---:|" * 5
    )
    for what, sqlite, duck in compare(catalog, folder):
        print(
            f"| {what} | {sqlite.wall:.3f} | {duck.wall:.3f} | {sqlite.wall / duck.wall:.0f}"
            f" | {sqlite.cpu:.3f} | {duck.cpu:.3f} |",
            flush=True,
        )
    if binaries <= 1_000_000 and first.peak_mb > MEMORY_BUDGET_MB:
        return [f"{binaries:,} binaries: {first.peak_mb:.0f} MB, {MEMORY_BUDGET_MB} MB allowed"]
    return []


def _export(catalog: Path, folder: Path) -> Usage:
    return run((*EXPORT, folder, "--catalog", catalog, "--no-progress"))


def main() -> None:
    """Read the command line, measure, print tables, and tell which budgets are not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--catalog", type=Path, help="a catalog to measure, instead of building")
    parser.add_argument("--scales", default="100000", help="binaries, e.g. 1000000,10000000")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other sites")
    parser.add_argument("--sites", type=Path, help="where generated sites are, and stay")
    options = parser.parse_args()
    missed = []
    with tempfile.TemporaryDirectory(prefix="spack-catalog-bench-") as name:
        work = Path(name)
        if options.catalog:
            missed += measure(options.catalog.absolute(), work)
        else:
            for scale in map(int, options.scales.split(",")):
                site = site_of(scale, options.seed, options.sites or work).absolute()
                inner = work / str(scale)
                inner.mkdir()
                run((*BUILD, site, "--catalog", inner / "catalog.db"))
                missed += measure(inner / "catalog.db", inner)
    for sentence in missed:
        print(f"budget missed: {sentence}", file=sys.stderr)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
