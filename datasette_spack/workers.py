"""Several processes that serve the same catalog on one socket, kept alive by uvicorn's supervisor.

Each opens the catalog for itself and sees for itself that it was replaced; what they share is what
the file cache of the system has of it, and the answers that they have made.  They end with the
process that started them, however that ends.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvicorn
from uvicorn.supervisors import Multiprocess

from datasette_spack.current import CurrentCatalog, say
from etl.errors import CatalogError

MOST_WORKERS: Final = 64
"""So many a server may have; more is taken for a slip."""

_PATIENCE = 30
"""Seconds in which a worker has to say that it is alive; one that is starting may be slow."""

_UNTIL_NEXT_TRY = 2
"""Seconds until another worker is started in the place of one that found no catalog."""


def serve_with_workers(app: Callable[[], Any], listener: socket.socket, workers: int) -> None:
    """Serve with so many processes until this one is told to end.

    ``app`` makes the application in each of them, and so has to be one that can be pickled.
    """
    config = uvicorn.Config(
        app,
        factory=True,
        workers=workers,
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_worker_healthcheck=_PATIENCE,
    )
    _Workers(config, sockets=[listener]).run()


def worker(
    path: Path,
    make: Callable[[Path, str], Any],
    look_every: float,
    secret: str,
    shared: Path | None,
) -> Any:
    """The application of one worker."""
    threading.Thread(target=_end_with_parent, args=(shared,), daemon=True).start()
    name = f"spack-catalog[{os.getpid()}]"
    try:
        return CurrentCatalog(path, make, look_every, secret=secret, name=name, shared=shared)
    except CatalogError as error:  # the others may still serve what was there before
        say(f"{name}: {error}; trying again")
        time.sleep(_UNTIL_NEXT_TRY)
        os._exit(1)  # at once: one that is asked whether it is alive while it ends does not answer


def _end_with_parent(shared: Path | None) -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        if shared:  # which the one that was killed has not removed
            shutil.rmtree(shared, ignore_errors=True)
        os.kill(os.getpid(), signal.SIGTERM)


class _Workers(Multiprocess):
    """Says when a worker has died, and passes a hangup on instead of starting all anew."""

    def keep_subprocess_alive(self) -> None:
        """Start another worker in the place of one that has died."""
        before = list(self.processes)
        super().keep_subprocess_alive()
        for old, new in zip(before, self.processes, strict=True):
            if old is not new:
                say(
                    f"spack-catalog: worker {old.pid} has ended ({_how(old.exitcode)});"
                    f" {new.pid} takes its place"
                )

    def handle_hup(self) -> None:
        """Have each worker look for another catalog; in a terminal that is closed, end."""
        if sys.stderr.isatty():
            self.should_exit.set()
            return
        for process in self.processes:
            if process.pid and process.exitcode is None:
                os.kill(process.pid, signal.SIGHUP)


def _how(code: int | None) -> str:
    return signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
