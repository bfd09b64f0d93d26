"""The files of a source that lies on disk: a file, a folder, or an archive, never unpacked to disk.

All names are hostile.  Links are not followed, absolute names and names with ``..`` are refused,
and nothing is read beyond the limits below.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

from etl.errors import SourceError
from etl.text import printable
from etl.workers import ALONE, Workers, batched

MAX_UNPACKED_RATIO = 200
"""How many times its own size an archive may unpack to; pages in a tight archive reach 30."""

MAX_UNPACKED_FREE = 64 * 1024 * 1024
"""Bytes that any archive may unpack to, however small it is."""

MAX_MEMBERS = 5_000_000
"""Files in one archive; the whole of cache.spack.io has about 150,000."""

GZIP_MAGIC = b"\x1f\x8b"

DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    IndexError,
    ValueError,
    RuntimeError,
)
"""What Python's readers raise for bytes that are no archive, or one of a kind they do not know."""

NOT_A_FILE = "not a regular file"
_FOLDERS_AT_ONCE = 500
_BATCHES_OF_FOLDERS_WORTH_PROCESSES = 8
"""Fewer than these are looked into before a process has started."""

LINK = "a symbolic link, which is not followed"

Wanted = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class File:
    """A file of a source: its path inside the source, with ``/``, and its bytes.

    ``data`` holds at most ``limit + 1`` bytes of the file, so that a reader sees that it is too
    large without reading it whole.
    """

    place: str
    data: bytes


def read_file(path: Path | str, limit: int) -> bytes:
    """At most ``limit + 1`` bytes of a file.

    Raises:
        SourceError: it cannot be read, or is a pipe or a device.
    """
    try:
        # A pipe that nobody writes to is not waited for.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise SourceError(str(path), NOT_A_FILE)
            # Python makes room for all bytes that are asked for; files in /proc tell no size.
            wanted = min(limit, status.st_size or limit) + 1
            data = os.read(file, wanted)
            while data and len(data) < wanted and (more := os.read(file, wanted - len(data))):
                data += more
            return data
        finally:
            os.close(file)
    except OSError as error:
        raise SourceError(str(path), f"cannot be read: {error.strerror}") from None


def list_folder(
    folder: Path, wanted: Wanted, workers: Workers = ALONE
) -> tuple[list[str], list[SourceError]]:
    """The places of the wanted files below a folder, sorted, and what is refused there.

    Folders and files whose names begin with a dot are passed over: a clone keeps its history there.
    Very many folders are looked into by all workers, to which ``wanted`` has to be sent.
    """
    places: list[str] = []
    refused: list[SourceError] = []
    inside = [""]
    while inside:
        batches = batched(inside, _FOLDERS_AT_ONCE)
        inside = []
        look = partial(_look_into, folder, wanted)
        for found in workers.map(look, batches, worthwhile=_BATCHES_OF_FOLDERS_WORTH_PROCESSES):
            places += found[0]
            refused += [SourceError(*told) for told in found[1]]
            inside += found[2]
    return sorted(places), sorted(refused, key=lambda error: error.place)


def _look_into(
    folder: Path, wanted: Wanted, prefixes: list[str]
) -> tuple[list[str], list[tuple[str, str]], list[str]]:
    """The wanted files that lie in these folders, what is refused there, and the folders."""
    places: list[str] = []
    refused: list[tuple[str, str]] = []
    inside: list[str] = []
    for prefix in prefixes:
        try:
            with os.scandir(f"{folder}/{prefix}") as listing:
                entries = [entry for entry in listing if not entry.name.startswith(".")]
        except OSError as error:
            refused.append((prefix or ".", f"cannot be listed: {error.strerror}"))
            continue
        for entry in entries:
            place = prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                inside.append(place + "/")
            elif entry.is_symlink():
                if wanted(place) or os.path.isdir(entry.path):  # noqa: PTH112 - never raises
                    refused.append((place, LINK))
            elif wanted(place):
                if entry.is_file(follow_symlinks=False):
                    places.append(place)
                else:
                    refused.append((place, NOT_A_FILE))
    return places, refused, inside


def read_archive(path: Path, wanted: Wanted, limit: int) -> Iterator[File | SourceError]:
    """The wanted files of a ``.zip``, ``.tar`` or ``.tar.gz``, and what is refused in it.

    Raises:
        SourceError: the archive cannot be read, is damaged, or unpacks to far more than it weighs.
    """
    name = printable(path.name)
    try:
        allowance = _Allowance(path.stat().st_size)
        read = _read_zip if _head(path)[:2] == b"PK" else _read_tar
        yield from read(path, wanted, limit, allowance)
    except SourceError as error:
        raise SourceError(name, error.message) from None
    except DAMAGED as error:
        raise SourceError(name, f"damaged archive: {_one_line(error)}") from None
    except OSError as error:
        raise SourceError(name, f"cannot be read: {_one_line(error)}") from None


def is_archive(path: Path) -> bool:
    """Whether the file begins as a zip, tar or gzip file does."""
    head = _head(path)
    return (
        head[:4] in (b"PK\x03\x04", b"PK\x05\x06")
        or head[:2] == GZIP_MAGIC
        or head[257:262] == b"ustar"
    )


def _head(path: Path) -> bytes:
    try:
        return read_file(path, 511)
    except SourceError:
        return b""


def is_checksum(text: object) -> bool:
    """Whether the text is a SHA-256 in lower case hexadecimal digits."""
    return isinstance(text, str) and len(text) == 64 and not text.strip("0123456789abcdef")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as stream:
        return sha256_from(stream)


def sha256_from(stream: IO[bytes]) -> str:
    """The SHA-256 of what is left to read of a file that is open, as hexadecimal digits."""
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


class _Allowance:
    """How many bytes an archive may still unpack to, and how many members it may still have."""

    def __init__(self, packed: int) -> None:
        self.bytes = max(MAX_UNPACKED_FREE, packed * MAX_UNPACKED_RATIO)
        self.members = MAX_MEMBERS
        self.packed = packed

    def take(self, unpacked: int) -> None:
        self.bytes -= unpacked
        if self.bytes < 0:
            raise SourceError(
                "",
                f"unpacks to more than {MAX_UNPACKED_RATIO} times its {self.packed:,} bytes;"
                " not read any further",
            )

    def take_member(self) -> None:
        self.members -= 1
        if self.members < 0:
            raise SourceError("", f"has more than {MAX_MEMBERS:,} members; not read any further")


def _read_zip(
    path: Path, wanted: Wanted, limit: int, allowance: _Allowance
) -> Iterator[File | SourceError]:
    with zipfile.ZipFile(path) as archive:
        for member in sorted(archive.infolist(), key=lambda member: member.filename):
            allowance.take_member()
            place = member.filename.removeprefix("./")
            # The upper half of the attributes is the Unix mode; 0o12 is a link.
            refusal = _refusal(place, is_link=member.external_attr >> 28 == 0o12)
            if refusal:
                yield SourceError(printable(place), refusal)
            elif not member.is_dir() and not _is_hidden(place) and wanted(place):
                if member.flag_bits & 0x1:
                    yield SourceError(printable(place), "encrypted, and cannot be read")
                    continue
                try:
                    with archive.open(member) as stream:
                        data = stream.read(limit + 1)
                except DAMAGED as error:
                    yield SourceError(printable(place), f"cannot be read: {_one_line(error)}")
                else:
                    allowance.take(len(data))
                    yield File(printable(place), data)


def _read_tar(
    path: Path, wanted: Wanted, limit: int, allowance: _Allowance
) -> Iterator[File | SourceError]:
    with path.open("rb") as packed, _unpacked(packed) as stream:
        counted: Any = _CountedStream(stream, allowance)
        with tarfile.open(fileobj=counted, mode="r|", tarinfo=_Member) as archive:
            for member in archive:
                allowance.take_member()
                place = member.name.removeprefix("./")
                refusal = _refusal(place, is_link=member.issym() or member.islnk())
                if refusal:
                    yield SourceError(printable(place), refusal)
                elif not _is_hidden(place) and wanted(place):
                    # A few bytes of a sparse file can stand for gigabytes of nothing.
                    plain = member.isreg() and not member.issparse()
                    content = archive.extractfile(member) if plain else None
                    if content:
                        yield File(printable(place), content.read(limit + 1))
                    elif not member.isdir():
                        yield SourceError(printable(place), NOT_A_FILE)
                # tarfile remembers every member it has seen; a stream has no use for that.
                archive.members = []  # type: ignore[attr-defined]


class _Member(tarfile.TarInfo):
    """A member of a tar file; Python would take a damaged header for the end of the archive."""

    @classmethod
    def fromtarfile(cls, archive: tarfile.TarFile) -> Any:
        try:
            return super().fromtarfile(archive)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]
            raise  # the proper end
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(f"at byte {archive.offset:,}: {error}") from None


def _unpacked(packed: IO[bytes]) -> IO[bytes]:
    """The tar stream, decompressed where it is gzip."""
    head = packed.read(2)
    packed.seek(0)
    if head == GZIP_MAGIC:
        return gzip.GzipFile(fileobj=packed)  # type: ignore[return-value]
    return packed


class _CountedStream:
    """A stream that stops where the allowance of its archive ends."""

    def __init__(self, stream: IO[bytes], allowance: _Allowance) -> None:
        self._stream = stream
        self._allowance = allowance

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._allowance.take(len(data))
        return data


def _refusal(place: str, is_link: bool) -> str | None:
    """Why an archive should not have a member of this name; None if it may."""
    if place.startswith(("/", "\\")) or place[1:2] == ":":
        return "an absolute path, which leads out of the archive"
    if ".." in place.replace("\\", "/").split("/"):
        return "a path that leads out of the archive"
    return LINK if is_link else None


def _is_hidden(place: str) -> bool:
    """Whether a folder listing would pass the member over."""
    return any(part.startswith(".") for part in place.split("/"))


def _one_line(error: Exception) -> str:
    return printable((str(error).splitlines() or [type(error).__name__])[0])
