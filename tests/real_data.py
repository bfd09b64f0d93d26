"""The real data of the tests, which lies compressed in ``tests/data/real``."""

from __future__ import annotations

import atexit
import lzma
import shutil
import tarfile
import tempfile
from functools import cache
from pathlib import Path

_DATA = Path(__file__).parent / "data"
_ARCHIVES = _DATA / "real"


@cache
def unpacked() -> Path:
    """The folder that all of it is unpacked in, once in a run; it goes when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="spack-catalog-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for archive in sorted(_ARCHIVES.glob("*.tar.xz")):
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
    return folder


def lock_by_spack(name: str) -> bytes:
    """A lock that Spack wrote ``before`` or ``after`` what is advised for it was done."""
    return lzma.decompress((_DATA / "locks" / f"{name}.lock.xz").read_bytes())
