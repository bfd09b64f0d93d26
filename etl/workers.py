"""Work in several processes: batches go out, what comes of them comes back in their order."""

from __future__ import annotations

import marshal
import os
import pickle
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

from etl.errors import CatalogError

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor
    from multiprocessing.connection import Connection

B = TypeVar("B")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Workers:
    """So many processes; ``method`` is how Python starts them, if not as it does by itself.

    With one process all is done in the one that asks.
    """

    processes: int = 1
    method: str | None = None

    @property
    def alone(self) -> bool:
        """Whether nobody works but the one that asks."""
        return self.processes < 2

    @property
    def beside_threads(self) -> Workers:
        """The same where threads are running: a mere copy of this process could wait for them."""
        return replace(self, method=self.method or "spawn")

    def map(
        self, function: Callable[[B], R], batches: Iterable[B], *, worthwhile: int = 2
    ) -> Iterator[R]:
        """The results of a function, in the order of the batches.

        The function, the batches and the results have to be such as can be pickled.  No process
        is started for fewer batches than are ``worthwhile``.

        Raises:
            CatalogError: a process was killed, has no memory left, or failed in any other way.
        """
        waiting = iter(batches)
        first = list(islice(waiting, worthwhile)) if not self.alone else []
        everything = chain(first, waiting)
        if self.alone or len(first) < worthwhile:
            yield from map(function, everything)
        else:
            yield from self._map(function, everything)

    def ahead(self, make: Callable[[], Iterator[R]]) -> Generator[R, None, None]:
        """What is made, by a copy of this process that makes the next thing while one is used.

        Things have to be such as :mod:`marshal` can write.  Where a process cannot be copied as it
        is, or may not be, or threads run in it that a copy would not have, this process makes them
        itself.

        Raises:
            CatalogError: the copy was killed, has no memory left, or failed in any other way.
        """
        can_copy = sys.platform == "linux" and self.method in (None, "fork")
        if self.alone or not can_copy or threading.active_count() > 1:
            yield from make()
        else:
            yield from _made_by_copy(make)

    def _map(self, function: Callable[[B], R], batches: Iterable[B]) -> Iterator[R]:
        # They take a while to load, and most commands start no process.
        from concurrent.futures import ProcessPoolExecutor
        from concurrent.futures.process import BrokenProcessPool
        from multiprocessing import get_context

        pool = ProcessPoolExecutor(self.processes, get_context(self.method), initializer=_begin)
        running: deque[Future[R]] = deque()
        try:
            for batch in batches:
                running.append(pool.submit(function, batch))
                # Two for each process: one that it works on, and one for when that is done.
                if len(running) > 2 * self.processes:
                    yield _result(pool, running.popleft())
            while running:
                yield _result(pool, running.popleft())
        except BrokenProcessPool:
            raise CatalogError(_KILLED) from None
        except (KeyboardInterrupt, GeneratorExit):
            _give_up(pool)
            raise
        finally:
            pool.shutdown(cancel_futures=True)


_LOOK_EVERY = 1.0
"""Seconds between two looks whether a process has died of which a result is waited for."""

ALONE = Workers()
"""No process but the one that asks."""

_KILLED = (
    "a process was killed, possibly for lack of memory; nothing was written: try again with"
    " --processes 1"
)


def _made_by_copy(make: Callable[[], Iterator[R]]) -> Generator[R, None, None]:
    from multiprocessing import get_context

    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_all, args=(make, sender, receiver), daemon=True)
    try:
        process.start()
    except OSError:  # no further process is allowed, or has room
        sender.close()
        receiver.close()
        yield from make()
        return
    sender.close()
    try:
        while data := _received(receiver):
            error, made = marshal.loads(data)  # noqa: S302 - from a process of ours
            if error is not None:
                raise _as_told(pickle.loads(error))  # noqa: S301
            yield made
    finally:
        receiver.close()
        process.kill()
        process.join()


def _received(receiver: Connection) -> bytes:
    try:
        return receiver.recv_bytes()
    except (EOFError, OSError):  # the end of the pipe, or of what was half sent
        raise CatalogError(_KILLED) from None


def _send_all(make: Callable[[], Iterator[Any]], sender: Connection, receiver: Connection) -> None:
    """Send all that is made, or an error, then nothing: it is what a copy of a process does."""
    _begin()
    receiver.close()
    try:
        for made in make():
            # Later versions of the format look up each number to see whether it came before.
            sender.send_bytes(marshal.dumps((None, made), 2))
        sender.send_bytes(b"")
    except Exception as error:
        sender.send_bytes(marshal.dumps((pickle.dumps(error), None)))


def available_cores() -> int:
    """How many cores this process may run on."""
    with suppress(AttributeError):  # not every system tells
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def batched(
    things: Iterable[B], size: int, weigh: Callable[[B], int] = lambda thing: 0, limit: int = 1
) -> Iterator[list[B]]:
    """The things in lists of this size; of fewer where together they weigh more than ``limit``."""
    batch: list[B] = []
    weight = 0
    for thing in things:
        weight += weigh(thing)
        batch.append(thing)
        if len(batch) == size or weight > limit:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _result(pool: ProcessPoolExecutor, future: Future[R]) -> R:
    from concurrent.futures import BrokenExecutor, wait

    while not wait([future], _LOOK_EVERY).done:
        if not all(process.is_alive() for process in _processes(pool)):
            _give_up(pool)
    try:
        return future.result()
    except (CatalogError, BrokenExecutor):
        raise
    except Exception as error:
        raise _as_told(error) from error


def _give_up(pool: ProcessPoolExecutor) -> None:
    """Kill the processes, and wait no more for what one of them was about to send.

    The pool reads a result to its end, which does not come when its sender is killed meanwhile:
    this process has the other end of the pipe, too, and so have other workers.
    """
    for process in _processes(pool):
        process.kill()
    results: Any = pool._result_queue
    with suppress(AttributeError, OSError):
        results._writer.close()


def _processes(pool: ProcessPoolExecutor) -> list[Any]:
    return list((pool._processes or {}).values())


def _as_told(error: Exception) -> CatalogError:
    """What the user is told of an error in another process."""
    if isinstance(error, CatalogError):
        return error
    if isinstance(error, MemoryError):
        return CatalogError(_KILLED.replace("was killed, possibly", "failed"))
    reason = f"{type(error).__name__}: {error}"
    return CatalogError(
        f"a process failed ({reason}); nothing was written: run with --processes 1 to see where"
    )


def _begin() -> None:
    """What a new process does first: leave Ctrl-C to the one that asks, and end when that does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing import parent_process
    from multiprocessing.connection import wait

    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
