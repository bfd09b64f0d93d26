"""Measure the site: each kind of page, asked of a real server over loopback, the largest of each.

    python -m benchmarks.pages catalog.db [--times 9]

The time is wall time of whole requests, one after the other, the first ones included: 300 ms in
the middle and 1 s at worst are allowed, and 300 kB of HTML.  Each page is made anew: a server keeps
no answer to somebody who sends a cookie.  In the same run, before each page,
the server answers ``select 1`` as JSON: what any answer costs; ``ratio`` is to that.
The exit code is 1 if a budget is not kept.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx

from etl.catalog.reader import open_catalog

MEDIAN_BUDGET_MS = 300
WORST_BUDGET_MS = 1_000
SIZE_BUDGET = 300_000

BASELINE = "/catalog.json?sql=select+1"

# The spec with the most edges; where no edges are known, any.
_BUSIEST = """
    SELECT hash FROM specs
    WHERE id = coalesce(
        (SELECT {column} FROM dependencies GROUP BY {column} ORDER BY count(*) DESC LIMIT 1),
        (SELECT id FROM specs WHERE tags > 0 LIMIT 1)
    )
"""

# The largest of each kind.
_NAMES = {
    "package": "SELECT name FROM packages ORDER BY binaries DESC LIMIT 1",
    "tag": "SELECT name FROM tags ORDER BY binaries DESC LIMIT 1",
    "snapshot": "SELECT name FROM tags WHERE kind = 'snapshot' ORDER BY position DESC LIMIT 1",
    "tag_of_package": """
        SELECT tags.name FROM package_tags JOIN tags ON tags.id = package_tags.tag_id
        WHERE package_id = (SELECT id FROM packages ORDER BY binaries DESC LIMIT 1)
        ORDER BY tags.kind = 'snapshot' DESC, tags.position DESC LIMIT 1
    """,
    "before": """
        SELECT name FROM tags WHERE kind = 'snapshot' ORDER BY position DESC LIMIT 1 OFFSET 1
    """,
    "stack": """
        SELECT stacks.name FROM mirrors JOIN stacks ON stacks.id = mirrors.stack_id
        GROUP BY stacks.id ORDER BY sum(mirrors.binaries) DESC LIMIT 1
    """,
    "other": """
        SELECT stacks.name FROM mirrors JOIN stacks ON stacks.id = mirrors.stack_id
        GROUP BY stacks.id ORDER BY sum(mirrors.binaries) DESC LIMIT 1 OFFSET 1
    """,
    "hash": """
        SELECT hash FROM specs
        WHERE package_id = (SELECT id FROM packages ORDER BY specs DESC LIMIT 1) AND tags > 0
        ORDER BY tags DESC LIMIT 1
    """,
    "root": _BUSIEST.format(column="parent_id"),
    "leaf": _BUSIEST.format(column="child_id"),
}

PAGES = (
    ("home", "/"),
    ("packages", "/packages"),
    ("packages, by binaries", "/packages?order=binaries"),
    ("largest package", "/package/{package}"),
    ("largest package, in a snapshot", "/package/{package}?tag={tag_of_package}"),
    ("its feed", "/package/{package}/feed.atom"),
    ("spec of the largest package", "/spec/{hash}"),
    ("spec with the most dependencies", "/spec/{root}"),
    ("spec with the most dependents", "/spec/{leaf}"),
    ("specs with a prefix", "/spec/a"),
    ("tags", "/tags"),
    ("largest tag", "/tag/{tag}"),
    ("newest snapshot", "/tag/{snapshot}"),
    ("stacks", "/stacks"),
    ("largest stack", "/stack/{stack}"),
    ("in one stack, not in another", "/stack/{stack}?without={other}"),
    ("two snapshots", "/compare/{before}/{snapshot}"),
    ("largest tag and a snapshot", "/compare/{snapshot}/{tag}"),
    ("largest tag and itself", "/compare/{tag}/{tag}"),
    ("the same in a stack", "/compare/{snapshot}/{tag}?stack={stack}"),
    ("find a package", "/find?spec={package}"),
    ("find nothing", "/find?spec={package}+os%3Dnowhere"),
    ("find in all tags", "/find?spec=target%3Dx86_64_v3&tag=any"),
    ("feed", "/feed.atom"),
    ("sitemap", "/sitemap.xml"),
    ("type-ahead", "/suggest.json?q=py"),
    ("binaries with facets", "/catalog/binaries"),
    ("binaries of the largest tag", "/catalog/binaries?_tag={tag}"),
    ("specs of the largest package", "/catalog/specs?_package={package}"),
)


@contextmanager
def _server(catalog: Path) -> Iterator[str]:
    """Where ``spack-catalog serve`` serves a catalog."""
    main = "from etl.cli import main; main()"
    command = [sys.executable, "-c", main, "serve", "--catalog", str(catalog), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:  # noqa: S603
        assert server.stderr is not None
        try:
            yield server.stderr.readline().strip().rstrip("/")
        finally:
            server.terminate()


def _milliseconds(client: httpx.Client, address: str) -> tuple[float, int]:
    started = time.perf_counter()
    answer = client.get(address)
    took = (time.perf_counter() - started) * 1000
    answer.raise_for_status()
    return took, len(answer.content)


def main() -> None:
    """Read the command line, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("--times", type=int, default=9)
    options = parser.parse_args()
    with open_catalog(options.catalog) as db:
        found = {name: db.execute(sql).fetchone() for name, sql in _NAMES.items()}
    names = {name: quote(row[0], safe="") for name, row in found.items() if row}
    missed = False
    print("| page | median ms | worst ms | ratio | kB |")
    print("|---|---:|---:|---:|---:|")
    with (
        _server(options.catalog) as server,
        httpx.Client(base_url=server, timeout=60, headers={"cookie": "made=anew"}) as client,
    ):
        for label, pattern in PAGES:
            try:
                address = pattern.format(**names)
            except KeyError:
                continue  # a catalog without snapshots, or with one stack
            bare, times = [], []
            size = 0
            for _ in range(options.times):
                bare.append(_milliseconds(client, BASELINE)[0])
                took, size = _milliseconds(client, address)
                times.append(took)
            median, worst = statistics.median(times), max(times)
            ratio = median / statistics.median(bare)
            print(f"| {label} | {median:.0f} | {worst:.0f} | {ratio:.1f} | {size / 1000:.0f} |")
            missed |= median > MEDIAN_BUDGET_MS or worst > WORST_BUDGET_MS
            missed |= size > SIZE_BUDGET and not address.endswith(".xml")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
