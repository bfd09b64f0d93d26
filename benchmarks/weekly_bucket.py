"""A bucket as it is week by week: tags come, old snapshots are pruned, develop is another.

The tags and their dates are those of the generated site, what is in them are binaries of a real
index: a window that moves on over it, so that each tag has most of what the one before it had.
"""

from __future__ import annotations

import gzip
import http.server
import json
import os
import shutil
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.generated_tags import RELEASES, make_tags
from benchmarks.processes import CHECKOUT

KEPT = 6
"""Snapshots that the bucket keeps; older ones are pruned when a new one comes."""

FIRST_WEEK = datetime(2024, 1, 7, 6, tzinfo=timezone.utc)

_INDEXES = CHECKOUT / "tests" / "data" / "real" / "indexes.tar.xz"
_LIST = "cache_spack_io_index.json"

State = Mapping[tuple[str, str], tuple[str, ...]]
"""The hashes in each build cache, by tag and stack."""

Installs = dict[str, Any]
"""Records of an index, by hash."""


@dataclass(frozen=True, slots=True)
class Week:
    """The bucket in one week; ``at`` is its time as catalogs record it."""

    at: str
    state: State


def real_installs() -> Installs:
    """The records of the real indexes of the tests, by hash and in their order."""
    found: Installs = {}
    with tarfile.open(_INDEXES) as packed:
        for member in packed:
            if member.isfile() and member.name.endswith((".json", ".json.gz")):
                stream = packed.extractfile(member)
                assert stream is not None
                data = stream.read()
                text = gzip.decompress(data) if member.name.endswith(".gz") else data
                installs = json.loads(text)["database"]["installs"]
                for key, it in installs.items():
                    if it["in_buildcache"] or key not in found:
                        found[key] = it
    return dict(sorted(found.items()))


def binaries_of(installs: Installs) -> list[str]:
    """The hashes of those that are in a build cache."""
    return [hash_ for hash_, it in installs.items() if it["in_buildcache"]]


def weeks(count: int, binaries: int, pool: list[str], kept: int = KEPT) -> list[Week]:
    """So many weeks, each with a tag more, of so many binaries in ``e4s`` and half of them in hep.

    The last of the generated tags is develop, which is there in every week.  Every fifth week a few
    binaries are missing in develop, and return in the next.
    """
    names = [tag.name for tag in make_tags(count)][:-1]
    step = max(1, binaries // 4)

    def window(number: int, size: int) -> tuple[str, ...]:
        return tuple(pool[(number * step + it) % len(pool)] for it in range(size))

    def caches(tag: str, number: int) -> dict[tuple[str, str], tuple[str, ...]]:
        return {
            (tag, "e4s"): window(number, binaries),
            (tag, "hep"): window(number, max(1, binaries // 2)),
        }

    found = []
    for number in range(count):
        # In the first week there is develop alone.
        there = names[:number]
        snapshots = [name for name in there if name not in RELEASES][-kept:]
        state: dict[tuple[str, str], tuple[str, ...]] = {}
        for place, name in enumerate(there):
            if name in RELEASES or name in snapshots:
                state |= caches(name, place)
        develop = window(number, binaries)
        state["develop", "e4s"] = develop[3:] if number % 5 == 4 else develop
        at = FIRST_WEEK + timedelta(weeks=number)
        found.append(Week(f"{at:%Y-%m-%dT%H:%M:%SZ}", state))
    return found


def write_indexes(folder: Path, state: State, installs: Installs) -> None:
    """The indexes of a state, as ``<tag>/<stack>/index.json``."""
    for (tag, stack), hashes in state.items():
        _write(folder / tag / stack / "index.json", _index(hashes, installs))


def _index(hashes: tuple[str, ...], installs: Installs) -> str:
    """An index with these binaries; what they depend on is described, as real indexes do."""
    there = set(hashes)
    listed: Installs = {}
    left = list(hashes)
    while left:
        hash_ = left.pop()
        if hash_ not in listed and hash_ in installs:
            listed[hash_] = installs[hash_] | {"in_buildcache": hash_ in there}
            left += [it["hash"] for it in installs[hash_]["spec"].get("dependencies", ())]
    database = {"version": "8", "installs": dict(sorted(listed.items()))}
    return json.dumps({"database": database})


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@dataclass
class Bucket:
    """The bucket on the web: its folder, its address, and what was read of it."""

    folder: Path
    installs: Installs
    url: str = ""
    bytes_read: int = 0
    requests: int = 0
    _state: State = field(default_factory=dict)

    def become(self, week: Week) -> None:
        """Write what has changed since the week before, and remove what was pruned."""
        time = datetime.fromisoformat(week.at.replace("Z", "+00:00")).timestamp()
        listed: dict[str, list[dict[str, str]]] = {}
        for (tag, stack), hashes in week.state.items():
            place = f"{tag}/{stack}/build_cache/index.json"
            url = f"s3://spack-binaries/{place}"
            listed.setdefault(tag, []).append({"label": stack, "url": url})
            if self._state.get((tag, stack)) != hashes:
                self._put(place, _index(hashes, self.installs), time)
        for tag, _ in self._state:
            if tag not in listed:
                shutil.rmtree(self.folder / tag, ignore_errors=True)
        self._put(_LIST, json.dumps(listed), time)
        self._state = week.state

    def _put(self, place: str, text: str, time: float) -> None:
        _write(self.folder / place, text)
        os.utime(self.folder / place, (time, time))


@contextmanager
def served(folder: Path, installs: Installs) -> Iterator[Bucket]:
    """The bucket, served from this process."""
    bucket = Bucket(folder, installs)
    folder.mkdir(parents=True, exist_ok=True)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            bucket.requests += 1
            super().do_GET()

        def copyfile(self, source: Any, outputfile: Any) -> None:
            data = source.read()
            bucket.bytes_read += len(data)
            outputfile.write(data)

        def log_message(self, *arguments: object) -> None:
            """Say nothing: what is killed has closed its end, and that is no news."""

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                self.close_connection = True

    handler = partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        bucket.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield bucket
        finally:
            server.shutdown()
