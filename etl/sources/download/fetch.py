"""Files from the web: downloaded within bounds, checked, and kept so as not to come twice."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from etl.errors import SourceError
from etl.sources.decode import MAX_INDEX_BYTES
from etl.sources.download.addresses import public_address
from etl.sources.download.cache import DownloadCache, Remembered
from etl.sources.download.client import (
    SILENCE,
    DeniedError,
    MissingError,
    PassingError,
    Progress,
    WebClient,
)

MAX_AT_ONCE = 8
"""How many requests are under way at the same time."""

ATTEMPTS = 4
FIRST_PAUSE = 0.5
"""Seconds before the second attempt; each further pause is twice as long."""

_ADVICE = "; try again later, or with --offline use what was downloaded before"

Item = TypeVar("Item")
Result = TypeVar("Result")


class Fetcher:
    """Fetches files, at most ``MAX_AT_ONCE`` at a time; to be used as a context manager.

    ``offline`` takes everything from the cache.  ``pause`` is what waits between attempts, of
    which there are ``attempts``; each waits ``patience`` seconds for the next byte.  ``advice`` is
    what to do when all have failed.
    """

    def __init__(
        self,
        cache: DownloadCache | None = None,
        *,
        offline: bool = False,
        progress: Progress | None = None,
        pause: Callable[[float], object] = time.sleep,
        verify: ssl.SSLContext | bool = True,
        attempts: int = ATTEMPTS,
        patience: float = SILENCE,
        advice: str = _ADVICE,
    ) -> None:
        self.cache = cache or DownloadCache()
        self.offline = offline
        self._pause = pause
        self._client = WebClient(MAX_AT_ONCE, verify, progress, patience)
        self._attempts = attempts
        self._advice = advice
        self._renewals: dict[str, Callable[[], None]] = {}
        self._renewing = threading.Lock()
        self._login = object()  # another one after each renewal
        self._renewer: int | None = None

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()

    def download(
        self, url: str, *, checksum: str | None = None, limit: int = MAX_INDEX_BYTES
    ) -> Path:
        """The file at an address, in the cache; with this SHA-256, if one is told.

        Nothing is asked of the server if the cache has the checksum, and nothing is sent by it if
        the cache has what it would send.

        Raises:
            MissingError: there is no such file.
            SourceError: it cannot be had; the message says why.
        """
        try:
            if checksum and (path := self.cache.find(checksum)):
                return path
            known = None if checksum else self.cache.recall(url)
            if known and not self.cache.find(known.sha256):
                known = None
            if self.offline:
                if known:
                    return self.cache.path(known.sha256)
                raise MissingError(
                    public_address(url), "not in the download cache; build once without --offline"
                )
            return self._retry(url, lambda: self._receive(url, known, checksum, limit))
        except OSError as error:
            raise SourceError(
                public_address(url),
                f"cannot be kept in the download cache: {error.strerror or 'an error'}",
            ) from None

    def read(self, url: str, limit: int) -> bytes:
        """A small file that is not worth a place in the cache.

        Raises:
            MissingError, SourceError: as :meth:`download`.
        """
        if self.offline:
            raise MissingError(public_address(url), "not known; build once without --offline")
        return self._retry(url, lambda: self._read(url, limit))[0]

    def exists(self, url: str) -> bool:
        """Whether there is a file at an address; offline, whether it is in the cache.

        Raises:
            SourceError: the server cannot be asked.
        """
        try:
            if self.offline:
                return self.cache.recall(url) is not None
            self._retry(url, lambda: self._ask_length(url))
        except MissingError:
            return False
        return True

    def read_dated(self, url: str, limit: int) -> tuple[bytes, str | None]:
        """As :meth:`read`, with the date that the server gives the file (``Last-Modified``)."""
        if self.offline:
            raise MissingError(public_address(url), "not known; build once without --offline")
        return self._retry(url, lambda: self._read(url, limit))

    def size_of(self, url: str) -> tuple[int | None, str | None]:
        """How many bytes the file at an address has, and its date, as far as its server says.

        Raises:
            MissingError: there is no such file.
            SourceError: the server cannot be asked.
        """
        length, date = self._retry(url, lambda: self._ask_length(url))
        return int(length) if length.isdecimal() and len(length) < 19 else None, date

    def link_of(self, url: str) -> str | None:
        """The header ``Link`` of what was last downloaded from an address."""
        try:
            known = self.cache.recall(url)
        except OSError:
            return None
        return known.link if known else None

    def add_headers(
        self, prefix: str, headers: Mapping[str, str], renew: Callable[[], None] | None = None
    ) -> None:
        """Send these headers with each request below an address, and nowhere else.

        ``renew`` is called, once for all who are refused at that time, when the server refuses
        them later; it adds others.
        """
        self._client.add_headers(prefix, headers)
        if renew is not None:
            self._renewals[prefix] = renew

    def challenge(self, url: str, headers: Mapping[str, str]) -> tuple[int, str]:
        """The status of an address, and how its server wants to be asked.

        Raises:
            SourceError: the server cannot be asked.
        """
        return self._retry(url, lambda: self._client.challenge(url, headers))

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """The results of a function that fetches, in order, while others are under way."""
        with ThreadPoolExecutor(MAX_AT_ONCE) as pool:
            try:
                yield from pool.map(function, items)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _retry(self, url: str, attempt: Callable[[], Result]) -> Result:
        """What an attempt gives, after a login that has expired is renewed."""
        login = self._login
        try:
            return self._insist(url, attempt)
        except DeniedError:
            renew = next(
                (it for below, it in self._renewals.items() if url.startswith(below)), None
            )
            if renew is None or self._renewer == threading.get_ident():
                raise
        with self._renewing:
            if login is self._login:
                self._renewer = threading.get_ident()
                try:
                    renew()
                finally:
                    self._renewer = None
                self._login = object()
        return self._insist(url, attempt)

    def _insist(self, url: str, attempt: Callable[[], Result]) -> Result:
        pause = FIRST_PAUSE
        for left in range(self._attempts - 1, -1, -1):
            try:
                return attempt()
            except PassingError as error:
                if not left:
                    times = f", {self._attempts} times" if self._attempts > 1 else ""
                    message = f"{error}{times}{self._advice}"
                    raise SourceError(public_address(url), message) from None
            self._pause(pause)
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    def _receive(
        self, url: str, known: Remembered | None, checksum: str | None, limit: int
    ) -> Path:
        """One attempt to download a file."""
        headers: dict[str, str] = {}
        if known and known.etag:
            headers["If-None-Match"] = known.etag
        if known and known.last_modified:
            headers["If-Modified-Since"] = known.last_modified
        with self._client.answer("GET", url, headers) as response:
            if known and response.status_code == 304:
                return self.cache.path(known.sha256)
            with self.cache.receive() as incoming:
                for block in self._client.blocks(response, public_address(url), limit):
                    incoming.write(block)
                if checksum and incoming.sha256 != checksum:
                    raise SourceError(
                        public_address(url),
                        f"its SHA-256 is {incoming.sha256[:12]}… and should be {checksum[:12]}…;"
                        " it is damaged, or was replaced while its name was read",
                    )
            marks = map(response.headers.get, ("ETag", "Last-Modified", "Link"))
            self.cache.remember(url, Remembered(incoming.sha256, *marks))
            return self.cache.path(incoming.sha256)

    def _read(self, url: str, limit: int) -> tuple[bytes, str | None]:
        with self._client.answer("GET", url, {}) as response:
            data = b"".join(self._client.blocks(response, public_address(url), limit))
            return data, response.headers.get("Last-Modified")

    def _ask_length(self, url: str) -> tuple[str, str | None]:
        with self._client.answer("HEAD", url, {"Accept-Encoding": "identity"}) as response:
            headers = response.headers
            return str(headers.get("Content-Length", "")), headers.get("Last-Modified")
