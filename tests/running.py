"""The command line, run in this process or in one of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

START = [sys.executable, "-c", "from etl.cli import main; main(prog_name='spack-catalog')"]
CHECKOUT = Path(__file__).parents[1]

PATIENCE = 120.0
"""Seconds after which a test that waits for another process fails; far more than it ever takes."""

SEED_SUMMARY = "1 source, 4 tags, 5 packages, 46 specs, 46 binaries, 0 problems, # seconds"
"""What a build of the seed ends with."""


@dataclass(frozen=True)
class Outcome:
    """What a command has written, and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Outcome]
"""Runs a command in this process; see the fixture ``run``."""


def start(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a process of its own."""
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [*START, *map(str, arguments)],
        **{"capture_output": True, "check": False, "cwd": CHECKOUT, "timeout": PATIENCE, **options},
    )


def digest_of(content: Path | bytes) -> str:
    """What tells one file from another in a line; the files themselves would fill a screen."""
    return sha256(content if isinstance(content, bytes) else content.read_bytes()).hexdigest()


def without_seconds(text: str) -> str:
    """A summary without the one thing that differs each time."""
    return re.sub(r"\d+\.\d seconds", "# seconds", text)
