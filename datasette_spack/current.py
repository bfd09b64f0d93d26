"""The catalog as it is now: when a build puts another in its place, that one is served.

The new catalog is opened beside the old one, in a thread, while requests go on, and the pages that
were asked for most are made ready, so that nobody waits for them.  From one moment on
new requests are answered from it; those under way end with the catalog they began with, downloads
too.  A file that cannot be served changes nothing.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasette_spack.edition import Edition, FileMark, NotReadyError
from etl.errors import CatalogError
from etl.text import printable

_LOOKS_UNTIL_RETRY = 10
"""After so many looks a file is tried again that may have failed because the server was busy."""


@dataclass(slots=True)
class _Failure:
    """A file that could not be served."""

    mark: FileMark | None
    reason: str
    lasting: bool
    """Whether it is the file that is wrong, so that trying again is of no use."""

    told: bool = False
    looks: int = 0
    """How often the file has been seen since it was tried."""


class CurrentCatalog:
    """An ASGI application that serves the catalog under a path, whichever that is by now.

    ``make`` opens a catalog as a Datasette that signs its cookies with a secret, which several
    processes share, as they share answers in the folder ``shared``.  ``name`` is what begins each
    line that is said.

    Raises:
        ReadError: there is no catalog, it is not one, or it cannot be read.
    """

    def __init__(
        self,
        path: Path,
        make: Callable[[Path, str], Any],
        look_every: float,
        *,
        secret: str | None = None,
        name: str = "spack-catalog",
        shared: Path | None = None,
    ) -> None:
        self._path = path
        self._make = make
        self._look_every = look_every
        self._secret = secret or secrets.token_hex(32)
        self._name = name
        self._shared = shared
        self._current = self._open()
        self._failure: _Failure | None = None
        self._retiring: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request from what is the catalog at this moment."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._current.answer(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:
        """From the start of the server to its end, look whether there is another catalog."""
        await receive()
        try:
            await self._current.start()
        except NotReadyError as error:  # there is no other catalog to go on with
            self._say(f"{self._path}: {error}")
        watching = asyncio.create_task(self._watch())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        watching.cancel()
        await asyncio.wait({watching, *self._retiring})
        await self._current.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _watch(self) -> None:
        """Look every now and then, and at once when the process gets a hangup."""
        asked = asyncio.Event()
        _on_hangup(asked.set)
        while True:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asked.wait(), self._look_every)
            at_once = asked.is_set()
            asked.clear()
            await self._look(at_once)

    async def _look(self, at_once: bool) -> None:
        """Serve what lies under the path, if it is another file that can be served."""
        mark = await asyncio.to_thread(self._mark)
        failure = self._failure
        if failure and failure.mark == mark:
            # Not told before, because the file could have been one that is still being copied.
            self._tell(failure)
            failure.looks += 1
            if not at_once and (failure.lasting or failure.looks < _LOOKS_UNTIL_RETRY):
                return
        if mark == self._current.mark or (mark is None and not at_once):
            return
        try:
            edition = await asyncio.to_thread(self._open)
            await self._start(edition)
            await edition.make_ready(self._current.popular())
        except CatalogError as error:
            self._failure = _Failure(mark, str(error), lasting=True)
        except Exception as error:  # no memory, no more files: the old catalog is still there
            reason = f"{self._path}: cannot be opened now: {str(error) or type(error).__name__}"
            told = failure is not None and failure.mark == mark
            self._failure = _Failure(mark, reason, lasting=False, told=told)
        else:
            self._failure = None
            self._replace_by(edition)
        if at_once and self._failure:
            self._tell(self._failure)

    def _open(self) -> Edition:
        return Edition(self._path, lambda path: self._make(path, self._secret), self._shared)

    def _mark(self) -> FileMark | None:
        try:
            return FileMark.of(self._path.stat())
        except OSError:
            return None

    async def _start(self, edition: Edition) -> None:
        try:
            await edition.start()
        except BaseException:
            await edition.close()
            raise

    def _replace_by(self, edition: Edition) -> None:
        """Answer new requests from another edition; the old one ends when it has answered its."""
        old, self._current = self._current, edition
        retiring = asyncio.create_task(old.retire())
        self._retiring.add(retiring)
        retiring.add_done_callback(self._retiring.discard)
        self._say(f"{self._path}: the new catalog is being served")

    def _tell(self, failure: _Failure) -> None:
        if not failure.told:
            failure.told = True
            self._say(f"{failure.reason}; the old catalog is still being served")

    def _say(self, text: str) -> None:
        say(f"{self._name}: {printable(text)}")


def say(line: str) -> None:
    """Write a line to standard error, at once, so that no other process writes into it."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _on_hangup(action: Callable[[], None]) -> None:
    """Do something on a hangup, where there is such a signal.

    A server that somebody started in a terminal ends when the terminal is closed.
    """
    if hasattr(signal, "SIGHUP") and not sys.stderr.isatty():
        with suppress(NotImplementedError, RuntimeError, ValueError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, action)
