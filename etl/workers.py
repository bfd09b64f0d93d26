"""Work in several processes: batches go out, what comes of them comes back in their order.

The processes are few and live as long as one :meth:`Workers.map`.  The one that asks has no thread
of its own for them, unlike with Python's executors: while it works on a result, such a thread would
wait for it at every block that it receives.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from etl.errors import CatalogError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

B = TypeVar("B")
R = TypeVar("R")

_PIPE_BYTES = 1 << 20
"""Room in a pipe, so that a process goes on while nobody takes its results; the most that Linux
gives to everybody."""


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

    def _map(self, function: Callable[[B], R], batches: Iterable[B]) -> Iterator[R]:
        # It takes a while to load, and most commands start no process.
        from multiprocessing import get_context

        context: Any = get_context(self.method)
        team: list[_Worker] = []
        running: deque[_Worker] = deque()
        try:
            team.extend(_Worker.start(context, function) for _ in range(self.processes))
            for batch in batches:
                _collect(team)
                worker = min(team, key=lambda it: it.asked)
                worker.ask(batch)
                running.append(worker)
                # Two for each process: one that it works on, and one for when that is done.
                if len(running) > 2 * self.processes:
                    yield running.popleft().answer(team)
            while running:
                yield running.popleft().answer(team)
            for worker in team:
                worker.dismiss()
        finally:
            # Those that were dismissed end by themselves; nobody waits for what others work on.
            for worker in team:
                worker.end()


ALONE = Workers()
"""No process but the one that asks."""

_KILLED = (
    "a process was killed, possibly for lack of memory; nothing was written: try again with"
    " --processes 1"
)


@dataclass(slots=True)
class _Worker:
    """A process, as the one that asks sees it; ``asked`` batches are not received yet."""

    process: BaseProcess
    batches: Connection
    results: Connection
    asked: int = 0
    received: deque[bytes] = field(default_factory=deque)
    dismissed: bool = False

    @classmethod
    def start(cls, context: Any, function: Callable[[Any], Any]) -> _Worker:
        """Start a process that calls the function."""
        its_batches, batches = context.Pipe(duplex=False)
        results, its_results = context.Pipe(duplex=False)
        for pipe in (batches, its_results):
            _widen(pipe)
        process = context.Process(target=_work, args=(function, its_batches, its_results))
        process.daemon = True
        process.start()
        # Only the process has them now, so that their other ends tell when it is no more.
        its_batches.close()
        its_results.close()
        return cls(process, batches, results)

    def ask(self, batch: object) -> None:
        """Hand out a batch."""
        try:
            self.batches.send(batch)
        except BrokenPipeError:
            raise CatalogError(_KILLED) from None
        self.asked += 1

    def receive(self) -> None:
        """Take what the process has sent."""
        try:
            self.received.append(self.results.recv_bytes())
        except (EOFError, ConnectionError):
            raise CatalogError(_KILLED) from None
        self.asked -= 1

    def answer(self, team: list[_Worker]) -> Any:
        """The next result of this process, as soon as it is there."""
        while not self.received:
            _collect(team, None)
        result, error = pickle.loads(self.received.popleft())  # noqa: S301 - from our own process
        if error is not None:
            raise error
        return result

    def dismiss(self) -> None:
        """Say that nothing more comes."""
        self.dismissed = True
        with suppress(BrokenPipeError):
            self.batches.send(None)

    def end(self) -> None:
        """See that the process is no more."""
        if not self.dismissed:
            self.process.kill()
        self.process.join()
        self.batches.close()
        self.results.close()


def _collect(team: list[_Worker], timeout: float | None = 0) -> None:
    """Take what is there from all processes; with no ``timeout`` wait until there is something."""
    from multiprocessing.connection import wait

    asked = {worker.results: worker for worker in team if worker.asked}
    for ready in wait(list(asked), timeout) if asked else ():
        asked[ready].receive()  # type: ignore[index]


def _widen(pipe: Connection) -> None:
    """Make room in a pipe, on systems where that can be done."""
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


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


def _work(function: Callable[[Any], Any], batches: Connection, results: Connection) -> None:
    """What a process does: call the function for each batch, and send what comes of it."""
    _begin()
    # Sent by a thread: the next batch is not kept waiting by one who does not take the last.
    sent: SimpleQueue[bytes | None] = SimpleQueue()
    sender = threading.Thread(target=_send, args=(sent, results), daemon=True)
    sender.start()
    while (batch := batches.recv()) is not None:
        sent.put(_answer(function, batch))
    sent.put(None)
    sender.join()


def _answer(function: Callable[[B], R], batch: B) -> bytes:
    """The result, or the error instead of it, as bytes."""
    try:
        return pickle.dumps((function(batch), None), pickle.HIGHEST_PROTOCOL)
    except CatalogError as error:
        return pickle.dumps((None, error))
    except MemoryError:
        failed = _KILLED.replace("was killed, possibly", "failed")
        return pickle.dumps((None, CatalogError(failed)))
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        message = (
            f"a process failed ({reason}); nothing was written: run with --processes 1 to see where"
        )
        return pickle.dumps((None, CatalogError(message)))


def _send(sent: SimpleQueue[bytes | None], results: Connection) -> None:
    with suppress(OSError):  # nobody takes results any more
        while (answer := sent.get()) is not None:
            results.send_bytes(answer)


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
