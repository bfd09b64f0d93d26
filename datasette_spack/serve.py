"""The catalog served with Datasette, with the metadata and settings that come with this package."""

from __future__ import annotations

import secrets
import socket
import sys
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import uvicorn
from datasette.app import Datasette

from datasette_spack.completeness import NotesInterruptions
from datasette_spack.current import CurrentCatalog
from datasette_spack.database import CatalogDatabase
from datasette_spack.either import template_environment
from datasette_spack.lanes import threads_for
from datasette_spack.packaged import packaged_json
from datasette_spack.which import USUAL
from datasette_spack.workers import serve_with_workers, worker
from etl.catalog.reader import open_catalog
from etl.errors import CatalogError

LOOK_EVERY: Final = 2.0
"""Seconds between two looks whether a build has put another catalog in the place of this one."""


class ServedCatalog(NotesInterruptions, CatalogDatabase):
    """A catalog of which an answer that was cut short is not kept."""


def datasette_for(
    catalog: Path, secret: str | None = None, workers: int = 1, shared: Path | None = None
) -> Datasette:
    """Datasette with the catalog as its only database, ready to be served or asked.

    ``secret`` signs what it hands out, so that another one with the same secret knows it again;
    ``workers`` is how many processes share the cores, and ``shared`` their folder.

    Raises:
        ReadError: there is no catalog, it is not one, or it cannot be read.
    """
    threads = threads_for(workers)
    settings = {**packaged_json("settings.json"), "num_sql_threads": threads.pages}
    datasette = Datasette(
        [], metadata=packaged_json("metadata.json"), settings=settings, cors=True, secret=secret
    )
    datasette.remove_database("_memory")
    # A program that runs does not change when its files do: an update would mix old and new.
    template_environment(datasette).auto_reload = False
    with open_catalog(catalog):  # which tells what is wrong with a file that is not a catalog
        database = ServedCatalog(datasette, catalog, threads, shared)
        try:
            counts = {name: {"count": count} for name, count in database.counts().items()}
        except BaseException:
            database.close()
            raise
    datasette.add_database(database, name=USUAL)
    datasette.inspect_data = {
        USUAL: {"hash": database.hash, "size": database.size, "tables": counts}
    }
    return datasette


def serve(
    catalog: Path, host: str, port: int, look_every: float = LOOK_EVERY, workers: int = 1
) -> None:
    """Serve a catalog until the process is told to end; port 0 is any that is free.

    A build that puts another catalog in its place is noticed; see :mod:`datasette_spack.current`.
    More than one worker are processes of their own; see :mod:`datasette_spack.workers`.

    Raises:
        ReadError: there is no catalog, it is not one, or it cannot be read.
        CatalogError: the address cannot be listened on.
    """
    listener = _listen(host, port)
    with listener:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}/"
        if workers > 1:
            with open_catalog(catalog):  # which tells what is wrong with it, once
                pass
            print(address, file=sys.stderr, flush=True)
            secret = secrets.token_hex(32)
            with ExitStack() as stack:
                shared = None
                with suppress(OSError):  # nowhere to write: then each makes all its answers
                    folder = TemporaryDirectory(prefix="spack-catalog-")
                    shared = Path(stack.enter_context(folder))
                make = partial(datasette_for, workers=workers, shared=shared)
                app = partial(worker, catalog, make, look_every, secret, shared)
                serve_with_workers(app, listener, workers)
            return
        one = CurrentCatalog(catalog, datasette_for, look_every)
        print(address, file=sys.stderr, flush=True)
        config = uvicorn.Config(one, log_level="warning", access_log=False, lifespan="on")
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = str(getattr(error, "strerror", None) or error).split(" (while")[0]
        raise CatalogError(
            f"{host} port {port}: cannot be listened on: {reason}; try another --port or --host"
        ) from None
    # Connections inherit it.  Without it the end of an answer waits for the client to acknowledge
    # its beginning, which takes the client 40 ms.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
