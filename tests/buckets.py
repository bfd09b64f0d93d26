"""A bucket of build caches that changes from week to week, served over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.sites import hash_of
from tests.small_catalogs import node, record

State = Mapping[str, list[int]]
"""The numbers of the specs of each mirror, by its path below the bucket."""


class Bucket:
    """A bucket that changes: its folder, its address, and what was asked for."""

    def __init__(self, folder: Path, url: str, asked: list[str]) -> None:
        self.folder, self.url, self.asked = folder, url, asked
        self.time = 1_700_000_000

    def write(self, place: str, text: str) -> None:
        """A file, a minute newer than all before: Last-Modified tells no parts of a second."""
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.time += 60
        os.utime(path, (self.time, self.time))

    def become(self, state: State) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        listed: dict[str, list[dict[str, str]]] = {}
        for place, numbers in state.items():
            tag, stack = place.split("/")
            installs = {hash_of(it): record(node(f"tool-{it}", "1.0")) for it in numbers}
            content = {"database": {"version": "7", "installs": installs}}
            self.write(f"{place}/build_cache/index.json", json.dumps(content))
            url = f"s3://spack-binaries/{place}/build_cache/index.json"
            listed.setdefault(tag, []).append({"label": stack, "url": url})
        self.write("cache_spack_io_index.json", json.dumps(listed))


@contextmanager
def served_bucket(folder: Path) -> Iterator[Bucket]:
    """A bucket in this folder, with the address under which it is served."""
    asked: list[str] = []

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            asked.append(" ".join(map(str, arguments[1:3])))

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Bucket(folder, f"http://127.0.0.1:{server.server_port}", asked)
        server.shutdown()
