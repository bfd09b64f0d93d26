"""Programs in processes of their own, and what the operating system says they used."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
BUILD = ("-c", "from etl.cli import main; main()", "build", "--no-progress")

START = """
import json, os, sys
to_stderr = [(os.POSIX_SPAWN_DUP2, 2, 1)]
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=to_stderr)
_, status, usage = os.wait4(process, 0)
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps([cpu, usage.ru_maxrss, os.waitstatus_to_exitcode(status)]))
"""
"""Starts a program and reports what it used.

A process inherits the largest size of the one that starts it, so that one has to be small.
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used."""

    cpu: float
    peak_mb: float


def run(arguments: Sequence[str | Path]) -> Usage:
    """Run Python with these arguments in a process of its own, and see what it uses.

    Raises:
        SystemExit: it failed.
    """
    command = [sys.executable, "-c", START, sys.executable, *map(str, arguments)]
    report = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=CHECKOUT)  # noqa: S603
    cpu, peak, exit_code = json.loads(report.stdout)
    if exit_code:
        raise SystemExit(f"failed: {command[3:]}")
    # Linux counts in KiB, macOS in bytes.
    return Usage(cpu, peak * (1 if sys.platform == "darwin" else 1024) / 1e6)
