"""One catalog as it is served: a Datasette of its own, from its first request to its last."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from datasette_spack.answers import AHEAD, Answers
from datasette_spack.caching import ANSWERS
from datasette_spack.shared import SharedAnswers
from datasette_spack.site.impact import make_ready

_WARMING = ("/", "/catalog")
"""Pages that are asked for first, so that no visitor waits for what is done only once."""

MOST_READY: Final = 300
"""So many answers are made ready before a catalog takes the place of another."""

READY_WITHIN: Final = 10.0
"""Seconds after which no more answers are made ready."""

_LIFESPAN = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}


class NotReadyError(Exception):
    """A catalog is not fit to be served, or not yet: its pages may only take too long now."""


class FileMark(NamedTuple):
    """By what one file is told from another under the same path."""

    device: int
    number: int
    changed: int
    size: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileMark:
        """The mark of a file of which the system says this."""
        return cls(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


class Edition:
    """A catalog that is open, and the application that serves it.

    ``make`` opens a catalog as a Datasette whose database is a ``CatalogDatabase``; in the folder
    ``shared`` it shares its answers with other processes.  An edition is
    retired when another takes its place; it is closed when it has then answered all its requests.
    """

    def __init__(self, path: Path, make: Callable[[Path], Any], shared: Path | None = None) -> None:
        self._path = path
        self._datasette = make(path)
        self._catalog = self._datasette.get_database("catalog")
        self._answers = Answers(shared=SharedAnswers(shared) if shared else None)
        setattr(self._datasette, ANSWERS, self._answers)
        self._app = self._datasette.app()
        self._lifespan = _Lifespan(self._app)
        self._requests = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.mark = FileMark.of(os.fstat(self._catalog.file.fileno()))

    async def start(self) -> None:
        """Do what a Datasette does only once.

        Raises:
            NotReadyError: the catalog can be opened, but its pages cannot be made, or not now.
        """
        await self._lifespan.start()
        for page in _WARMING:
            response = await self._datasette.client.get(page)
            if response.status_code != 200:
                raise NotReadyError(f"its page {page} cannot be made")
        await make_ready(self._datasette)

    def popular(self) -> list[Any]:
        """Requests for what was asked for most."""
        return self._answers.popular(MOST_READY)

    async def make_ready(self, requests: list[Any]) -> None:
        """Make answers before they are asked for, one after the other, as far as there is time.

        Those that another worker makes at the same time are left to that one.
        """
        end = time.monotonic() + READY_WITHIN
        for scope in requests:
            if time.monotonic() > end:
                break
            with suppress(Exception):  # whoever asks for it will be told
                await self._app({**scope, AHEAD: True}, _nothing_more, _to_nobody)

    async def answer(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, to its end from this catalog."""
        self._requests += 1
        self._idle.clear()
        try:
            await self._app(scope, receive, send)
        finally:
            self._requests -= 1
            if not self._requests:
                self._idle.set()

    async def retire(self) -> None:
        """Close everything once all requests have been answered."""
        await self._idle.wait()
        await self.close()

    async def close(self) -> None:
        """Close the catalog, end the threads that read it, and leave nothing behind."""
        self._answers.clear()
        await self._lifespan.end()
        await _end_writing(self._datasette.get_database("_internal"))
        if self._datasette.executor:
            await asyncio.to_thread(self._datasette.executor.shutdown)
        self._catalog.close()


async def _nothing_more() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _to_nobody(message: Any) -> None:
    del message


class _Lifespan:
    """Tells an application when it begins and when it ends; one that does not listen need not."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._told: asyncio.Queue[Any] = asyncio.Queue()
        self._said: asyncio.Queue[Any] = asyncio.Queue()
        self._task = asyncio.create_task(self._app(_LIFESPAN, self._told.get, self._said.put))
        await self._tell("startup")

    async def end(self) -> None:
        if self._task:
            await self._tell("shutdown")
            self._task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._task

    async def _tell(self, event: str) -> None:
        """Tell of an event, and wait until the application has said something or has ended."""
        assert self._task
        await self._told.put({"type": f"lifespan.{event}"})
        said = asyncio.create_task(self._said.get())
        await asyncio.wait({said, self._task}, return_when=asyncio.FIRST_COMPLETED)
        said.cancel()


async def _end_writing(database: Any) -> None:
    """End the thread that writes Datasette's internal database; it would wait for ever."""

    def end(connection: Any) -> None:
        connection.close()
        sys.exit()  # which ends the thread that calls it, and no other

    thread = database._write_thread
    if thread:
        await database.execute_write_fn(end, block=False)
        await asyncio.to_thread(thread.join)
