"""Runs test files on a copy of the checkout, each in a process that has all libraries loaded."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import hypothesis
import pytest

from tests import real_data

_MEMORY = 6 * 2**30
_LEFT_BEHIND = shutil.ignore_patterns(
    ".git", ".venv", ".venv-next", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis",
    "__pycache__", "catalog.db*",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """How a run ended: pytest's exit code (None: it took too long), and its seconds."""

    code: int | None
    seconds: float


def copy_of(checkout: Path, folder: Path) -> Path:
    """A copy of the checkout to change; returns where it is."""
    tree = folder / "tree"
    shutil.copytree(checkout, tree, ignore=_LEFT_BEHIND, symlinks=True)
    return tree


def run(tree: Path, tests: Sequence[str], seconds: float, calls: Path | None = None) -> Run:
    """Run test files on a copy until one fails.

    Whatever functions of ``etl`` are called is written to ``calls``: file and first line of each.
    """
    began = time.monotonic()
    child = os.fork()
    if not child:
        _be_pytest(tree, tests, calls)
    code: int | None = None
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            break
        if time.monotonic() - began > seconds:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            break
        time.sleep(0.01)
    return Run(code, time.monotonic() - began)


def _be_pytest(tree: Path, tests: Sequence[str], calls: Path | None) -> None:
    """Become a process that runs pytest and ends."""
    code = 99
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        os.chdir(tree)
        os.environ |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
        sys.dont_write_bytecode = True
        for name in [it for it in sys.modules if it.split(".")[0] in ("tests", "etl")]:
            if name != real_data.__name__:
                del sys.modules[name]
        checkout = str(Path(__file__).parents[2])
        sys.path[:] = [str(tree), *(it for it in sys.path if it not in ("", checkout))]
        hypothesis.settings.register_profile(
            "mutants", derandomize=True, database=None, deadline=None,
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        )  # fmt: skip
        hypothesis.settings.load_profile("mutants")
        called = _Called(tree)
        if calls is not None:
            threading.setprofile(called)
            sys.setprofile(called)
        options = ["-x", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=no"]
        code = int(pytest.main([*options, *tests]))
        if calls is not None:
            sys.setprofile(None)
            calls.write_text(json.dumps(sorted(called.places())))
    finally:
        os._exit(code)


class _Called:
    """Remembers the functions of the copy that were called."""

    def __init__(self, tree: Path) -> None:
        self._codes: set[CodeType] = set()
        self._start = f"{tree}/"

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            self._codes.add(frame.f_code)

    def places(self) -> set[tuple[str, int]]:
        return {
            (code.co_filename.removeprefix(self._start), code.co_firstlineno)
            for code in self._codes
            if code.co_filename.startswith(self._start)
        }
