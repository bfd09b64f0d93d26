"""Programs in processes of their own, and what the operating system says they used."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
BUILD = ("-c", "from etl.cli import main; main()", "build", "--no-progress")

START = """
import json, os, sys, time
to_stderr = [(os.POSIX_SPAWN_DUP2, 2, 1)]
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=to_stderr)
def size(process):
    total = 0
    try:
        with open(f"/proc/{process}/smaps_rollup") as lines:
            total = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        with open(f"/proc/{process}/task/{process}/children") as children:
            total += sum(map(size, children.read().split()))
    except OSError:
        pass
    return total
peak = done = next_look = 0
while not done:
    time.sleep(0.02)
    now = time.monotonic()
    if now >= next_look:
        peak = max(peak, size(process))
        next_look = now + max(0.05, 50 * (time.monotonic() - now))
    done, status, usage = os.wait4(process, os.WNOHANG)
cpu = usage.ru_utime + usage.ru_stime
unit = 1024 if sys.platform == "darwin" else 1
peak = max(peak, usage.ru_maxrss // unit)
print(json.dumps([cpu, peak, os.waitstatus_to_exitcode(status)]))
"""
"""Starts a program and reports what it used, and those that it started with it.

A process inherits the largest size of the one that starts it, so that one has to be small.  Memory
that several processes share is divided among them (``Pss``).  It is looked at 20 times a second,
but for a fiftieth of the time at most: that of a large process takes long, and keeps it from work.
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used, and those that it started: seconds, and MB at the same time."""

    cpu: float
    peak_mb: float
    wall: float = 0.0


def run(arguments: Sequence[str | Path]) -> Usage:
    """Run Python with these arguments in a process of its own, and see what it uses.

    Raises:
        SystemExit: it failed.
    """
    command = [sys.executable, "-c", START, sys.executable, *map(str, arguments)]
    begun = time.perf_counter()
    report = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=CHECKOUT)  # noqa: S603
    wall = time.perf_counter() - begun
    cpu, peak, exit_code = json.loads(report.stdout)
    if exit_code:
        raise SystemExit(f"failed: {command[3:]}")
    return Usage(cpu, peak * 1024 / 1e6, wall)
