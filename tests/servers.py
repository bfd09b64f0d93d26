"""Real servers in processes of their own, on ports that are free."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_SERVE = """
import sys
from pathlib import Path
from datasette_spack.serve import serve
if __name__ == "__main__":
    workers = int(sys.argv[3])
    serve(Path(sys.argv[1]), "127.0.0.1", 0, look_every=float(sys.argv[2]), workers=workers)
"""

COMMAND = [sys.executable, "-c", "from etl.cli import main; main()", "serve"]
"""``spack-catalog serve``."""


@contextmanager
def serving(catalog: Path, *options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The address at which ``spack-catalog serve`` serves a catalog, and its process."""
    command = [*COMMAND, "--catalog", str(catalog), "--port", "0", *options]
    with _started(command) as started:
        yield started


@contextmanager
def serving_and_looking(
    catalog: Path, look_every: float = 0.02, before: str = "", workers: int = 1
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The same for a server that looks for another catalog more often than people need.

    ``before`` is code that its process runs first.
    """
    options = [str(catalog), str(look_every), str(workers)]
    with _started([sys.executable, "-c", before + _SERVE, *options]) as started:
        yield started


@contextmanager
def _started(command: list[str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            line = said(process)
            rest = "" if line.startswith("http") else errors(process).read()
            assert re.fullmatch(r"http://\S+:[0-9]+/\n", line), line + rest
            yield line.strip(), process
        finally:
            process.kill()


def errors(process: subprocess.Popen[str]) -> IO[str]:
    """What a process writes to its standard error."""
    assert process.stderr is not None
    return process.stderr


def said(process: subprocess.Popen[str]) -> str:
    """The next line that a server writes; it is waited for."""
    return errors(process).readline()
