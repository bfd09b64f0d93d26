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
from heapq import heappop, heappush
from itertools import count
from typing import Final

from etl.workers import available_cores

AT_ONCE: Final = 4
"""How many pages are made at once; what is kept is answered besides."""

MOST_PAGES: Final = 1_000
"""How many may wait for pages to be made."""

WAITING: Final = 32
"""How many may wait in a lane."""

PATIENCE: Final = 10.0
"""Seconds that somebody waits in a lane before he is sent away."""

STREAMS: Final = 4
"""How many tables may be sent whole at the same time; each lasts as long as its reader likes."""

COURTESY: Final = 3.0
"""So many times as long as one takes others that take less may go first."""

_MOST_THREADS = 8
_MOST_KINDS = 100
_WEIGHT_OF_LAST = 0.1

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
    """A few at once, a few more that wait, but not for long.

    Of those who wait the first is not always who came first: see :meth:`turn`.
    """

    def __init__(self, at_once: int, waiting: int = WAITING, patience: float = PATIENCE) -> None:
        self.free = at_once
        """How many more may have a turn now."""
        self._most_waiting = waiting
        self._patience = patience
        self._queue: list[tuple[float, int, asyncio.Future[None]]] = []
        self._came = count()
        self.waiting = 0
        """How many wait now."""

    @asynccontextmanager
    async def turn(self, takes: float = 0.0) -> AsyncIterator[None]:
        """Wait for one's turn, and have it within the block.

        Who ``takes`` so many seconds lets those go first who come within :data:`COURTESY` times
        that and take less: many answers are then there at once, and the long ones not much later.

        Raises:
            BusyError: too many wait already, or it took too long.
        """
        if self.free:
            self.free -= 1
        else:
            await self._wait(takes)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, takes: float) -> None:
        if self.waiting >= self._most_waiting:
            raise BusyError
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[None] = loop.create_future()
        heappush(self._queue, (loop.time() + COURTESY * takes, next(self._came), mine))
        self.waiting += 1
        try:
            await asyncio.wait([mine], timeout=self._patience)
        except asyncio.CancelledError:
            if mine.done():  # it was one's turn just then
                self._pass_on()
            raise
        finally:
            self.waiting -= 1
            mine.cancel()
        if mine.cancelled():
            raise BusyError

    def _pass_on(self) -> None:
        """Let the next one have the turn that has ended."""
        while self._queue:
            _, _, theirs = heappop(self._queue)
            if not theirs.done():  # who went away does not need it
                theirs.set_result(None)
                return
        self.free += 1


class Durations:
    """How long answers of each kind take, as the last few of them did."""

    def __init__(self) -> None:
        self._usual: dict[str, float] = {}

    def usual(self, kind: str) -> float:
        """Seconds that an answer of this kind takes; 0 where none was made yet."""
        return self._usual.get(kind, 0.0)

    def note(self, kind: str, seconds: float) -> None:
        """Note what one took; of more kinds than the site has nothing is noted."""
        if kind in self._usual:
            self._usual[kind] += _WEIGHT_OF_LAST * (seconds - self._usual[kind])
        elif len(self._usual) < _MOST_KINDS:
            self._usual[kind] = seconds


class Visitors:
    """The lane of visitors: its threads, and who may use them."""

    def __init__(self, threads: int) -> None:
        self.executor = ThreadPoolExecutor(threads, "visitors")
        # More than there are threads: a table is many small queries, and much else between them.
        self.lane = Lane(threads + AT_ONCE)
        # Whoever asks for what is kept does not wait behind many pages that are being made.
        self.pages = Lane(AT_ONCE, waiting=MOST_PAGES, patience=6 * PATIENCE)
        self.durations = Durations()
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
