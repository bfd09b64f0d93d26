"""The folder of an export: whose it is while it is written, and what earlier exports left there."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from etl.errors import ReadError, WriteError
from etl.export.datasets import PARTITIONED

METADATA: Final = "_metadata.json"
"""What says what the folder holds; it is there only when all of that is."""

_PARTITIONS: Final = f"{PARTITIONED}/tag=*"
_UNFINISHED: Final = (
    f".{METADATA}.*.writing", ".*.parquet.*.writing", f"{_PARTITIONS}/.*.parquet.*.writing"
)  # fmt: skip


def unfinished(path: Path) -> Path:
    """Where a file is written before it is renamed into its place."""
    return path.with_name(f".{path.name}.{os.getpid()}.writing")


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Nobody else exports into the folder meanwhile; the lock goes with the process.

    What an export that was killed left unfinished is cleared first.

    Raises:
        WriteError: somebody else does.
    """
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # a file system without locks
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WriteError(f"{folder}: another export is writing to it") from None
        for pattern in _UNFINISHED:
            for left in folder.glob(pattern):
                left.unlink(missing_ok=True)
        yield
    finally:
        os.close(lock)


def earlier_files(folder: Path, is_ours: Callable[[Path], bool]) -> set[str]:
    """The files of earlier exports that are there, by their paths in the folder.

    An export that was interrupted has told of none, but of a partition ``is_ours`` can tell.

    Raises:
        ReadError: what should tell of them is something else.
    """
    told = _told(folder)
    partitions = [
        path
        for path in folder.glob(f"{_PARTITIONS}/part-0.parquet")
        if not path.parent.is_symlink() and path.is_file()
    ]
    tables = [path for path in folder.glob("*.parquet") if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in (*partitions, *tables)}
    return {name for name, path in names.items() if name in told or ("/" in name and is_ours(path))}


def remove(folder: Path, names: Iterable[str]) -> int:
    """Remove files of earlier exports, and folders that are empty then; returns how many."""
    paths = [folder / name for name in sorted(names)]
    for path in paths:
        changing(folder)
        path.unlink()
        if path.parent != folder:
            with suppress(OSError):  # it is not empty
                path.parent.rmdir()
    return len(paths)


def changing(folder: Path) -> None:
    """Take back what says what the folder holds, since that is about to change."""
    (folder / METADATA).unlink(missing_ok=True)


def _told(folder: Path) -> set[str]:
    path = folder / METADATA
    if not path.exists():
        return set()
    try:
        if not path.is_file():
            raise ValueError("it is no file")
        return {str(name) for name in json.loads(path.read_text("utf-8"))["files"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ReadError(
            f"{path}: is not part of an export; choose another folder, or remove this file"
        ) from None
