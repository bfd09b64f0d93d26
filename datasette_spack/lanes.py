"""Two lanes for what is asked of the catalog, so that one visitor's heavy SQL starves no page.

The pages of the site have threads of their own; their queries are known and bounded.  What people
ask of Datasette (SQL of their own, ready-made questions, tables with any filter and facet) has
others.  Of these requests a few are answered at once and a few more wait; whoever comes then is
told to come again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from etl.workers import available_cores

PAGES_AT_ONCE: Final = 16
"""How many pages are made at once, by turns, so that short ones pass long ones.

What is kept is answered besides.  With 4 at once, 99 of 100 answers to a crowd take a third longer;
with more, the longest pages do.
"""

_BETWEEN_QUERIES = 4
"""How many of the visitors' requests are between two queries, beside those that wait for one."""

MOST_PAGES: Final = 1_000
"""How many may wait for pages to be made."""

WAITING: Final = 32
"""How many may wait in a lane."""

PATIENCE: Final = 10.0
"""Seconds that somebody waits in a lane before he is sent away."""

STREAMS: Final = 4
"""How many tables may be sent whole at the same time; each lasts as long as its reader likes."""

_MOST_THREADS = 8

_in_lane: ContextVar[bool] = ContextVar("_in_lane", default=False)


@dataclass(frozen=True, slots=True)
class Threads:
    """How many threads of a process run queries: of pages, and of what visitors ask."""

    pages: int
    visitors: int


def threads_for(workers: int = 1, cores: int | None = None) -> Threads:
    """Threads that suit the cores, of which so many processes share all.

    A query keeps one core busy.  Pages have two threads at least, so that a page that takes longer
    does not hold up all others.
    """
    share = (cores or available_cores()) / workers
    pages = min(max(round(share), 2), _MOST_THREADS)
    return Threads(pages, max(min(round(share), _MOST_THREADS) // 2, 1))


class BusyError(Exception):
    """So many are asking that one more is of no use."""


class Lane:
    """A few at once, a few more that wait, but not for long."""

    def __init__(self, at_once: int, waiting: int = WAITING, patience: float = PATIENCE) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._most_waiting = waiting
        self._patience = patience
        self.waiting = 0
        """How many wait now."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn, and have it within the block.

        Raises:
            BusyError: too many wait already, or it took too long.
        """
        if self._free.locked():
            await self._wait()
        else:
            await self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    async def _wait(self) -> None:
        if self.waiting >= self._most_waiting:
            raise BusyError
        self.waiting += 1
        try:
            await asyncio.wait_for(self._free.acquire(), self._patience)
        except asyncio.TimeoutError:
            raise BusyError from None
        finally:
            self.waiting -= 1


class Visitors:
    """The lane of visitors: its threads, and who may use them."""

    def __init__(self, threads: int) -> None:
        self.executor = ThreadPoolExecutor(threads, "visitors")
        # More than there are threads: a table is many small queries, and much else between them.
        self.lane = Lane(threads + _BETWEEN_QUERIES)
        # Whoever asks for what is kept does not wait behind many pages that are being made.
        self.pages = Lane(PAGES_AT_ONCE, waiting=MOST_PAGES, patience=6 * PATIENCE)
        self.streams = Lane(STREAMS, waiting=0)


def is_visitors() -> bool:
    """Whether what is being answered is in the lane of visitors."""
    return _in_lane.get()


@contextmanager
def in_lane() -> Iterator[None]:
    """What is answered within the block is in the lane of visitors."""
    token = _in_lane.set(True)
    try:
        yield
    finally:
        _in_lane.reset(token)
