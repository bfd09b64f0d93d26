"""The files that hold indexes, read and decoded: by the one that asks, or by several processes.

Here is all of reading an index that takes time; what has to be asked elsewhere about a build cache
is left to :mod:`etl.sources.build_caches.indexes`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from etl.errors import SourceError
from etl.sources.build_caches.database import Database, read_database
from etl.sources.decode import unpack
from etl.sources.stores import read_bytes
from etl.workers import Workers, batched

_BYTES_AT_ONCE = 1 << 18
"""How much of indexes, as they are packed, a process reads at a time; smaller ones go together."""

_FILES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class IndexFile:
    """An index on this machine: its file, and what to call it.

    ``checksum`` is the SHA-256 that it must have, ``known`` that of an index which need not be
    decoded again; of the specs in it those of ``packages`` are wanted, if any are named.
    """

    place: str
    path: Path
    checksum: str | None = None
    known: str | None = None
    packages: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ReadIndex:
    """What was read of an index: the SHA-256 if it is as it should be, what is in it, or why not.

    Of a known index there is only the SHA-256.
    """

    checksum: str | None = None
    database: Database | None = None
    error: SourceError | None = None


def read_indexes(files: Iterable[IndexFile | SourceError], workers: Workers) -> Iterator[ReadIndex]:
    """What is read of each index, in order; an error is handed on in its place."""
    size = 1 if workers.alone else _FILES_AT_ONCE
    for batch in workers.map(_read_all, batched(files, size, _size_of, _BYTES_AT_ONCE)):
        yield from batch


def _read_all(files: list[IndexFile | SourceError]) -> list[ReadIndex]:
    return [
        ReadIndex(error=file) if isinstance(file, SourceError) else _read(file) for file in files
    ]


def _read(file: IndexFile) -> ReadIndex:
    checksum = None
    try:
        data = read_bytes(file.path, file.place)
        found = hashlib.sha256(data).hexdigest()
        if file.checksum not in (None, found):
            raise SourceError(
                file.place,
                f"its SHA-256 is {found[:12]}… and should be {str(file.checksum)[:12]}…;"
                " it is damaged",
            )
        checksum = found
        if checksum == file.known:
            return ReadIndex(checksum)
        text = unpack(data, file.place)
        return ReadIndex(checksum, read_database(text, file.place, file.packages))
    except SourceError as error:
        return ReadIndex(checksum, error=error)


def _size_of(file: IndexFile | SourceError) -> int:
    try:
        return 0 if isinstance(file, SourceError) else file.path.stat().st_size
    except OSError:
        return 0  # who reads it will say what is wrong
