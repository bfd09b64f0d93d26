"""Measure a crowd: many clients at once, a realistic mix, while the catalog is replaced.

    python -m benchmarks.load catalog.db [--clients 64] [--seconds 60] [--workers 2] [--code FOLDER]

The server is ``spack-catalog serve`` over a copy of the catalog, without a proxy; three times in
the run another copy takes its place by a rename, of other content, so that no answer stays what it
was.  Each client asks for one address after the other, without a pause.  What is popular is asked
for more often than the rest, as in a real log; most of what is asked for was asked before, some is
a first visit.  Afterwards, without replacements, all clients ask for a few addresses that were
asked before: so many answers a second the server has.

The client shares the machine with the server, so that it is light: bare asyncio, which reads no
more of an answer than its status and its length; its own CPU time is told.  ``--code`` measures the
server of another checkout.  The exit code is 1 if a budget is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from benchmarks.processes import CHECKOUT
from etl.catalog.reader import open_catalog

WORST_1_PERCENT_BUDGET_MS = 1_000
ASKED_BEFORE_BUDGET = 1_000
MEMORY_BUDGET_MB = 300

REPLACEMENTS = 3
ASKED_BEFORE_SECONDS = 10

_MAIN = "from etl.cli import main; main()"
_COPY = """
import shutil, sqlite3, sys
shutil.copyfile(sys.argv[1], sys.argv[2])
sqlite3.connect(sys.argv[2]).execute(f"PRAGMA user_version = {1 + int(sys.argv[3])}")
"""
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: chunked", re.IGNORECASE)

# Of each kind so many in a hundred requests, and which addresses there are of it: what stands first
# in the list is the most popular.
_KINDS = {
    "home": (12, "SELECT '/'"),
    "package": (
        30,
        "SELECT '/package/' || name FROM packages ORDER BY binaries DESC LIMIT 1000",
    ),
    "find": (14, "SELECT '/find?spec=' || name FROM packages ORDER BY binaries DESC LIMIT 500"),
    "find with more": (
        4,
        "SELECT '/find?spec=' || name || '+os%3Dubuntu22.04' FROM packages"
        " ORDER BY binaries DESC LIMIT 200",
    ),
    "spec": (
        14,
        "SELECT '/spec/' || hash FROM specs WHERE tags > 0 AND id % 97 = 0 LIMIT 2000",
    ),
    "tag": (6, "SELECT '/tag/' || name FROM tags ORDER BY position DESC"),
    "stack": (3, "SELECT '/stack/' || name FROM stacks ORDER BY name"),
    "lists": (4, "VALUES ('/packages'), ('/tags'), ('/stacks'), ('/packages?order=binaries')"),
    "compare": (
        2,
        "SELECT '/compare/' || a.name || '/' || b.name FROM tags AS a JOIN tags AS b"
        " ON b.position = a.position + 1 ORDER BY a.position DESC LIMIT 20",
    ),
    "JSON of a package": (
        4,
        "SELECT '/package/' || name || '.json' FROM packages ORDER BY binaries DESC LIMIT 300",
    ),
    "tables with facets": (
        3,
        "SELECT '/catalog/binaries?_package=' || name FROM packages"
        " ORDER BY binaries DESC LIMIT 60 OFFSET 40",
    ),
    "SQL": (
        2,
        "SELECT '/catalog.json?sql=select+count(*)+from+binaries+where+tag_id%3D' || id FROM tags",
    ),
    "badge": (2, "SELECT '/badge/' || name || '.svg' FROM packages LIMIT 200"),
}
_POPULARITY = 1.1
"""The n-th address of a kind is asked for as often as the first, divided by this power of n."""


@dataclass
class Mix:
    """Addresses to ask for, as often as they are popular."""

    addresses: list[tuple[str, str]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, catalog: Path) -> Mix:
        """The mix for a catalog."""
        mix = cls()
        with open_catalog(catalog) as db:
            for kind, (share, sql) in _KINDS.items():
                paths = [quote(row[0], safe="/?=&%+*().,:") for row in db.execute(sql)]
                ranks = [1 / (rank + 1) ** _POPULARITY for rank in range(len(paths))]
                mix.addresses += [(kind, path) for path in paths]
                mix.weights += [share * rank / sum(ranks) for rank in ranks]
        return mix

    def endless(self, seed: int) -> Iterator[tuple[str, str]]:
        """Addresses, the same ones in the same order for the same seed."""
        chance = random.Random(seed)
        while True:
            yield from chance.choices(self.addresses, self.weights, k=1000)


@dataclass
class Log:
    """What became of the requests."""

    times: dict[str, list[float]] = field(default_factory=dict)
    wrong: Counter[str] = field(default_factory=Counter)
    asked: set[str] = field(default_factory=set)
    first: list[float] = field(default_factory=list)

    def note(self, kind: str, path: str, status: int, seconds: float) -> None:
        """Note an answer."""
        self.times.setdefault(kind, []).append(seconds)
        if path not in self.asked:
            self.asked.add(path)
            self.first.append(seconds)
        if status != 200:
            self.wrong[f"{status} {path}"] += 1

    @property
    def all(self) -> list[float]:
        """All times, the shortest first."""
        return sorted(it for times in self.times.values() for it in times)


async def _client(port: int, addresses: Iterator[tuple[str, str]], end: float, log: Log) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    while time.perf_counter() < end:
        kind, path = next(addresses)
        started = time.perf_counter()
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n".encode()
        )
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if length := _LENGTH.search(head):
                await reader.readexactly(int(length[1]))
            elif _CHUNKED.search(head):
                await reader.readuntil(b"\r\n0\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError) as error:
            log.wrong[type(error).__name__] += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
            continue
        log.note(kind, path, int(head[9:12]), time.perf_counter() - started)
    writer.close()


async def _crowd(port: int, clients: int, mix: Mix, seconds: float, seed: int) -> Log:
    log = Log()
    end = time.perf_counter() + seconds
    asking = (_client(port, mix.endless(seed + it), end, log) for it in range(clients))
    await asyncio.gather(*asking)
    return log


async def _replacing(catalog: Path, served: Path, seconds: float) -> None:
    """Put a copy in the place of the catalog, three times, evenly."""
    for number in range(REPLACEMENTS):
        await asyncio.sleep(seconds / (REPLACEMENTS + 1))
        copy = served.with_suffix(".copy")
        # In a process of its own: it takes its time, and the clients go on.
        copying = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _COPY, str(catalog), str(copy), str(number)
        )
        await copying.wait()
        copy.replace(served)


@contextmanager
def _server(catalog: Path, workers: int, code: Path) -> Iterator[tuple[int, int]]:
    """The port and the process of a server."""
    command = [sys.executable, "-c", _MAIN, "serve", "--catalog", str(catalog), "--port", "0"]
    command += ["--workers", str(workers)] if workers > 1 else []
    environment = {**os.environ, "PYTHONPATH": str(code)}
    log = catalog.with_name("server.log")
    with (
        log.open("w") as errors,
        subprocess.Popen(command, stderr=errors, cwd=code, env=environment) as server,  # noqa: S603
    ):
        try:
            while "\n" not in (said := log.read_text()):
                time.sleep(0.05)
            yield int(said.splitlines()[0].rstrip("/").rpartition(":")[2]), server.pid
        finally:
            server.terminate()
            server.wait()
            told = Counter(line for line in log.read_text().splitlines()[1:])
            for line, times in told.most_common(10):
                print(f"server, {times} times: {line}", file=sys.stderr)


def _answering(pid: int, workers: int) -> list[int]:
    """The processes that answer."""
    if workers == 1:
        return [pid]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = {int(it): Path(f"/proc/{it}/cmdline").read_bytes() for it in children}
    return [it for it, line in lines.items() if b"spawn_main" in line]


def _memory_mb(pid: int) -> float:
    """Memory that a process has for itself, which is not from files."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Anonymous:\s+(\d+) kB", text, re.MULTILINE)
    assert found
    return int(found[1]) * 1024 / 1e6


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _watch_memory(pids: list[int], worst: dict[int, float]) -> None:
    while True:
        for pid in pids:
            worst[pid] = max(worst.get(pid, 0.0), _memory_mb(pid))
        await asyncio.sleep(1)


def _ready(port: int, pid: int, workers: int) -> list[int]:
    """Wait until there are so many workers and one answers."""
    while len(pids := _answering(pid, workers)) < workers:
        time.sleep(0.1)
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    client.request("GET", "/")
    assert client.getresponse().status == 200
    time.sleep(5)  # so that the others have come as far
    return pids


def _at(times: list[float], share: float) -> float:
    return times[min(int(len(times) * share), len(times) - 1)] * 1000


async def _measure(options: argparse.Namespace, served: Path, mix: Mix) -> bool:
    with _server(served, options.workers, options.code) as (port, pid):
        pids = _ready(port, pid, options.workers)
        memory: dict[int, float] = {}
        before = {it: _cpu(it) for it in pids}
        started = resource.getrusage(resource.RUSAGE_SELF)
        watching = asyncio.create_task(_watch_memory(pids, memory))
        replacing = asyncio.create_task(_replacing(options.catalog, served, options.seconds))
        log = await _crowd(port, options.clients, mix, options.seconds, 1)
        replacing.cancel()
        cpu = {it: _cpu(it) - before[it] for it in pids}
        ended = resource.getrusage(resource.RUSAGE_SELF)
        mine = ended.ru_utime + ended.ru_stime - started.ru_utime - started.ru_stime
        popular = Mix(mix.addresses[:1] + mix.addresses[1:20], [1.0] * 20)
        await _crowd(port, options.clients, popular, 2, 2)
        again = await _crowd(port, options.clients, popular, ASKED_BEFORE_SECONDS, 3)
        watching.cancel()
    times, first = log.all, sorted(log.first)
    wrong = log.wrong + again.wrong
    rate = len(again.all) / ASKED_BEFORE_SECONDS
    print(f"{options.clients} clients, {options.seconds:g} s, workers: {options.workers}\n")
    print("| | answers | a second | p50 ms | p95 ms | p99 ms | worst ms |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    rows = [("all", times), ("first visits", first)]
    if options.kinds:
        rows += [(kind, sorted(log.times[kind])) for kind in log.times]
    for name, found in rows:
        shown = " | ".join(f"{_at(found, share):,.0f}" for share in (0.5, 0.95, 0.99, 1))
        print(f"| {name} | {len(found):,} | {len(found) / options.seconds:,.0f} | {shown} |")
    shown = " | ".join(f"{_at(again.all, share):,.0f}" for share in (0.5, 0.95, 0.99, 1))
    print(f"| asked before | {len(again.all):,} | {rate:,.0f} | {shown} |")
    print(f"\nerrors: {wrong.total()} {dict(wrong.most_common(5)) or ''}")
    print("memory at most, MB a worker:", ", ".join(f"{it:.0f}" for it in memory.values()))
    print("CPU s of the workers:", ", ".join(f"{it:.0f}" for it in cpu.values()), end="; ")
    print(f"of the clients: {mine:.0f}")
    return bool(
        wrong
        or _at(times, 0.99) > WORST_1_PERCENT_BUDGET_MS
        or rate < ASKED_BEFORE_BUDGET
        or max(memory.values()) > MEMORY_BUDGET_MB
    )


def main() -> None:
    """Read the command line, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("catalog", type=Path)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--code", type=Path, default=CHECKOUT)
    parser.add_argument("--kinds", action="store_true", help="also each kind of page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.catalog.parent) as folder:
        served = Path(shutil.copy(options.catalog, Path(folder) / "catalog.db"))
        missed = asyncio.run(_measure(options, served, Mix.of(options.catalog)))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
