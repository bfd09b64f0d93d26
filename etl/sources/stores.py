"""Where build caches lie: in a folder, or on the web.  Both give the file at a place."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator
from datetime import timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Protocol, TypeVar

from etl.errors import SourceError
from etl.sources.decode import MAX_INDEX_BYTES
from etl.sources.download.addresses import public_address
from etl.sources.download.client import MissingError
from etl.sources.download.fetch import Fetcher

Item = TypeVar("Item")
Result = TypeVar("Result")


class Store(Protocol):
    """A folder, or the web."""

    def locate(
        self, place: str, *, checksum: str | None = None, limit: int = MAX_INDEX_BYTES
    ) -> Path:
        """The file on this machine that holds what is at a place.

        ``checksum`` says what should be there; a store may use it to find the file, and who reads
        the file checks it.

        Raises:
            MissingError: there is nothing.
            SourceError: it cannot be had.
        """

    def has(self, checksum: str) -> Path | None:
        """A file with this SHA-256 that is at hand already."""

    def published(self, place: str) -> str | None:
        """When what was located at a place was published, as ISO text in UTC, if that is told."""

    def name(self, place: str) -> str:
        """What to call a place in the catalog, without what may be secret in an address."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results of a function that locates things, in order."""


class FolderStore:
    """A folder; places are paths in it, with ``/``.  Links that lead out of it are not followed."""

    def __init__(self, folder: Path) -> None:
        self._real = folder.resolve()

    def locate(
        self, place: str, *, checksum: str | None = None, limit: int = MAX_INDEX_BYTES
    ) -> Path:
        """See :class:`Store`."""
        path = self.inside(place)
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise MissingError(place, "there is no such file") from None
        except OSError as error:
            raise SourceError(place, f"cannot be read: {reason_of(error)}") from None
        if not stat.S_ISREG(found.st_mode):
            raise SourceError(place, "not a file")
        if found.st_size > limit:
            raise SourceError(place, f"has {found.st_size:,} bytes, more than {limit:,}; not read")
        return path

    def inside(self, place: str) -> Path:
        """The path of a place, with links followed, whether or not something is there.

        Raises:
            SourceError: it leads out of the folder.
        """
        try:
            path = (self._real / place).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # such as a link to itself
            raise SourceError(place, f"cannot be read: {reason_of(error)}") from None
        if not path.is_relative_to(self._real):
            raise SourceError(place, "leads out of the folder, and is not followed")
        return path

    def has(self, checksum: str) -> Path | None:
        """See :class:`Store`."""
        return None

    def published(self, place: str) -> str | None:
        """See :class:`Store`; the time of a file is that of its copy, and tells nothing."""
        return None

    def name(self, place: str) -> str:
        """See :class:`Store`."""
        return place

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """See :class:`Store`; one after the other."""
        return map(function, items)


class WebStore:
    """The web; places are addresses."""

    def __init__(self, fetcher: Fetcher) -> None:
        self.fetcher = fetcher

    def locate(
        self, place: str, *, checksum: str | None = None, limit: int = MAX_INDEX_BYTES
    ) -> Path:
        """See :class:`Store`."""
        return self.fetcher.download(place, checksum=checksum, limit=limit)

    def has(self, checksum: str) -> Path | None:
        """See :class:`Store`."""
        return self.fetcher.cache.find(checksum)

    def published(self, place: str) -> str | None:
        """See :class:`Store`; what the server said of it (``Last-Modified``)."""
        known = self.fetcher.cache.recall(place)
        return http_date(known.last_modified) if known else None

    def name(self, place: str) -> str:
        """See :class:`Store`."""
        return public_address(place)

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """See :class:`Store`; several at once."""
        return self.fetcher.map(function, items)


def http_date(text: str | None) -> str | None:
    """A date as HTTP writes it, as ISO text in UTC; None if it is none."""
    try:
        return f"{parsedate_to_datetime(text or '').astimezone(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, TypeError, OverflowError):
        return None


def read_small(store: Store, place: str, limit: int) -> bytes:
    """All bytes of a small file at a place.

    Raises:
        MissingError, SourceError: as :meth:`Store.locate`.
    """
    return read_bytes(store.locate(place, limit=limit), place)


def read_bytes(path: Path, place: str) -> bytes:
    """All bytes of a file that was located.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError(place, f"cannot be read: {reason_of(error)}") from None


def reason_of(error: Exception) -> str:
    """Why the system refuses something, in a few words and without a path."""
    return getattr(error, "strerror", None) or "the system refuses it"
