"""A new catalog takes the place of the old one while people ask."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from datasette_spack.current import CurrentCatalog
from datasette_spack.database import STREAMS
from datasette_spack.edition import Edition
from datasette_spack.lanes import threads_for
from datasette_spack.serve import datasette_for
from datasette_spack.shared import SharedAnswers
from tests.running import PATIENCE
from tests.servers import said, serving, serving_and_looking
from tests.sites import build, item, page, place_of, write_site

PROC = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads what Linux says of it")
HANGUP = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no such signal")

TAGS = ("develop-2025-01-05", "develop-2025-02-02")
PACKAGES = ("hdf5", "zlib")
MOST_REQUESTS = 20_000  # of each, were it never told to end
LAST_REQUESTS = 8  # of each, when nothing is replaced any more
REPLACEMENTS = 8
ASKING = 4

# Datasette's thread for writing can only be ended from within, by an exit that pytest warns of.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


def new_catalog_is_served(catalog: Path) -> str:
    return f"spack-catalog: {catalog}: the new catalog is being served\n"


@pytest.fixture
def sites(tmp_path: Path) -> list[Path]:
    """Two sites that have nothing in common: tag, package and number of binaries."""
    folders = []
    for number, (tag, package) in enumerate(zip(TAGS, PACKAGES, strict=True)):
        items = [item(100 * number + it, variants=["~ipo"]) for it in range(number + 1)]
        text = page(tag, package, items)
        folders.append(write_site(tmp_path / tag, {place_of(tag, package): text}))
    return folders


@pytest.fixture
def catalogs(tmp_path: Path, sites: list[Path]) -> list[Path]:
    """The catalogs of the two sites."""
    built = [tmp_path / f"{number}.db" for number in range(len(sites))]
    for target, folder in zip(built, sites, strict=True):
        build(target, folder)
    return built


def put(catalog: Path, target: Path) -> None:
    """Put a copy of a catalog in the place of another, at once."""
    copy = target.with_suffix(".copy")
    shutil.copy(catalog, copy)
    copy.replace(target)


def tag_of(address: str) -> list[str]:
    found = httpx.get(f"{address}catalog/tags.json?_shape=array", timeout=PATIENCE).json()
    return [tag["name"] for tag in found]


class Asking(threading.Thread):
    """Asks for pages that differ between the two catalogs, and notes what is wrong."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.answered = 0
        self.wrong: list[str] = []
        self.seen: set[int] = set()
        self.enough = threading.Event()

    def run(self) -> None:
        try:
            with httpx.Client(base_url=self.address, timeout=PATIENCE) as client:
                while not self.enough.is_set() and self.answered < MOST_REQUESTS:
                    self._ask(client, self.answered)
                    self.answered += 1
                for number in range(LAST_REQUESTS):
                    self._ask(client, number)
        except Exception as error:  # is told by the test
            self.wrong.append(repr(error))

    def _ask(self, client: httpx.Client, number: int) -> None:
        kind = number % 4
        if kind == 0:
            self._check(client.get("/catalog/binary_list.json?_shape=array"), self._rows)
        elif kind == 1:
            self._check(client.get("/find.json", params={"spec": "~ipo"}), self._found)
        elif kind == 2:
            self._check(client.get("/"), lambda answer: [tag in answer.text for tag in TAGS])
        else:
            self._check(client.get("/catalog.db"), lambda answer: list(self._download(answer)))

    def _check(self, answer: httpx.Response, of: Callable[[httpx.Response], Any]) -> None:
        if answer.status_code != 200:
            self.wrong.append(f"{answer.url}: {answer.status_code}: {answer.text[:300]}")
        elif (content := of(answer)) not in ([True, False], [False, True]):
            self.wrong.append(f"{answer.url}: {content}")
        else:
            self.seen.add(content.index(True))

    def _rows(self, answer: httpx.Response) -> list[bool]:
        rows = [(row["tag"], row["package"]) for row in answer.json()]
        return [
            rows == [(tag, package)] * number
            for number, (tag, package) in enumerate(zip(TAGS, PACKAGES, strict=True), 1)
        ]

    def _found(self, answer: httpx.Response) -> list[bool]:
        found = answer.json()
        packages = [row["package"] for row in found["binaries"]]
        return [
            (found["tag"], packages) == (tag, [package] * number)
            for number, (tag, package) in enumerate(zip(TAGS, PACKAGES, strict=True), 1)
        ]

    def _download(self, answer: httpx.Response) -> list[bool]:
        return [content == answer.content for content in self.files]

    files: tuple[bytes, ...] = ()


def test_nobody_gets_an_error_while_builds_replace_the_catalog(
    tmp_path: Path, sites: list[Path], catalogs: list[Path]
) -> None:
    catalog = tmp_path / "catalog.db"
    build(catalog, sites[0])
    Asking.files = tuple(path.read_bytes() for path in catalogs)
    with serving_and_looking(catalog) as (address, process):
        asking = [Asking(address) for _ in range(ASKING)]
        for thread in asking:
            thread.start()
        for number in range(1, REPLACEMENTS):
            build(catalog, sites[number % 2])
            assert said(process) == new_catalog_is_served(catalog)
        for thread in asking:
            thread.enough.set()
        for thread in asking:
            thread.join()
        assert [thread.wrong for thread in asking] == [[]] * ASKING
        assert all(0 < thread.answered < MOST_REQUESTS for thread in asking)
        assert {number for thread in asking for number in thread.seen} == {0, 1}
        assert tag_of(address) == [TAGS[1]]
        assert (
            httpx.get(f"{address}catalog.db", timeout=PATIENCE).content == catalogs[1].read_bytes()
        )


def test_a_download_under_way_ends_with_the_file_it_began_with(
    tmp_path: Path, catalogs: list[Path]
) -> None:
    catalog, large = tmp_path / "catalog.db", tmp_path / "large.db"
    shutil.copy(catalogs[0], large)
    with closing(sqlite3.connect(large)) as db:
        db.execute("CREATE TABLE filling AS SELECT zeroblob(60000000) AS zeros")
    shutil.copy(large, catalog)
    with serving_and_looking(catalog) as (address, process):
        with httpx.stream("GET", f"{address}catalog.db", timeout=PATIENCE) as response:
            parts = response.iter_bytes()
            received = [next(parts)]
            put(catalogs[1], catalog)
            assert said(process) == new_catalog_is_served(catalog)
            assert tag_of(address) == [TAGS[1]]
            received.extend(parts)
        assert b"".join(received) == large.read_bytes()


def broken(kind: str, good: Path, target: Path) -> str:
    """Write a file that cannot be served; returns what is said of it."""
    content = good.read_bytes()
    if kind == "cut off":
        target.write_bytes(content[: len(content) // 2])
        return "cannot be read as a catalog: database disk image is malformed"
    if kind == "not a database":
        target.write_text("not a database " * 1000)
        return "cannot be read as a catalog: file is not a database"
    if kind == "another schema":
        target.write_bytes(content)
        with closing(sqlite3.connect(target)) as db, db:
            db.execute("UPDATE catalog_info SET value = '0' WHERE key = 'schema_version'")
        return (
            "was built by another version of spack-catalog; build it again, from its sources or"
            f" with: spack-catalog build {target.with_name('catalog.db')}"
        )
    with closing(sqlite3.connect(target)) as db, db:
        db.execute("CREATE TABLE specs (id)")
    return "is not a catalog that spack-catalog built"


@pytest.mark.parametrize("kind", ["cut off", "not a database", "another schema", "no catalog"])
def test_a_file_that_cannot_be_served_changes_nothing(
    tmp_path: Path, catalogs: list[Path], kind: str
) -> None:
    catalog, bad = tmp_path / "catalog.db", tmp_path / "bad.db"
    shutil.copy(catalogs[0], catalog)
    reason = broken(kind, catalogs[1], bad)
    with serving_and_looking(catalog) as (address, process):
        bad.replace(catalog)
        assert said(process) == (
            f"spack-catalog: {catalog}: {reason}; the old catalog is still being served\n"
        )
        assert tag_of(address) == [TAGS[0]]
        put(catalogs[1], catalog)
        # It has not been said again meanwhile.
        assert said(process) == new_catalog_is_served(catalog)
        assert tag_of(address) == [TAGS[1]]


def test_a_file_that_is_removed_changes_nothing(tmp_path: Path, catalogs: list[Path]) -> None:
    catalog = tmp_path / "catalog.db"
    shutil.copy(catalogs[0], catalog)
    with serving_and_looking(catalog) as (address, process):
        catalog.unlink()
        assert tag_of(address) == [TAGS[0]]
        assert (
            httpx.get(f"{address}catalog.db", timeout=PATIENCE).content == catalogs[0].read_bytes()
        )
        put(catalogs[1], catalog)
        assert said(process) == new_catalog_is_served(catalog)
        assert tag_of(address) == [TAGS[1]]


def test_a_link_may_come_to_point_to_another_catalog(tmp_path: Path, catalogs: list[Path]) -> None:
    catalog, link = tmp_path / "catalog.db", tmp_path / "link.db"
    catalog.symlink_to(catalogs[0])
    with serving_and_looking(catalog) as (address, process):
        link.symlink_to(catalogs[1])
        link.replace(catalog)
        assert said(process) == new_catalog_is_served(catalog)
        assert tag_of(address) == [TAGS[1]]


@HANGUP
def test_a_hangup_has_it_look_at_once(tmp_path: Path, catalogs: list[Path]) -> None:
    catalog = tmp_path / "catalog.db"
    shutil.copy(catalogs[0], catalog)
    with serving_and_looking(catalog, look_every=3600) as (address, process):
        assert tag_of(address) == [TAGS[0]]
        put(catalogs[1], catalog)
        process.send_signal(signal.SIGHUP)
        assert said(process) == new_catalog_is_served(catalog)
        assert tag_of(address) == [TAGS[1]]
        catalog.write_text("nothing")
        process.send_signal(signal.SIGHUP)
        assert said(process).endswith("; the old catalog is still being served\n")
        process.terminate()
        assert process.wait(timeout=PATIENCE) in (0, -signal.SIGTERM)


def test_the_command_looks_too(tmp_path: Path, catalogs: list[Path]) -> None:
    catalog = tmp_path / "catalog.db"
    shutil.copy(catalogs[0], catalog)
    with serving(catalog) as (address, process):
        put(catalogs[1], catalog)
        assert said(process) == new_catalog_is_served(catalog)
        assert tag_of(address) == [TAGS[1]]


def in_use(process: subprocess.Popen[str], folder: Path) -> tuple[int, int, int, int]:
    """Files of the folder that are open though deleted; all open files; threads; memory."""
    proc = Path(f"/proc/{process.pid}")
    open_files = []
    for descriptor in (proc / "fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            open_files.append(str(descriptor.readlink()))
    deleted = [name for name in open_files if str(folder) in name and "(deleted)" in name]
    memory = int((proc / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return len(deleted), len(open_files), len(list((proc / "task").iterdir())), memory


@PROC
def test_nothing_is_left_of_catalogs_that_were_replaced(
    tmp_path: Path, catalogs: list[Path]
) -> None:
    catalog = tmp_path / "catalog.db"
    shutil.copy(catalogs[0], catalog)
    threads = threads_for()
    of_one_catalog = 1 + threads.pages + threads.visitors + STREAMS
    with serving_and_looking(catalog) as (address, process):
        used = []
        for number in range(1, 24):
            put(catalogs[number % 2], catalog)
            assert said(process) == new_catalog_is_served(catalog)
            assert tag_of(address) == [TAGS[number % 2]]
            used.append(in_use(process, tmp_path))
    early, late = used[3:8], used[-5:]
    # The one that was replaced last may not be closed yet.
    assert max(deleted for deleted, *_ in used) <= of_one_catalog, used
    for kind, more in ((1, of_one_catalog), (2, of_one_catalog), (3, 20_000_000)):
        assert max(it[kind] for it in late) <= max(it[kind] for it in early) + more, used


class Server:
    """What a web server does for an application: its lifespan, and requests in this process."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://site"
        )

    async def __aenter__(self) -> httpx.AsyncClient:
        self._told: asyncio.Queue[Any] = asyncio.Queue()
        self._said: asyncio.Queue[Any] = asyncio.Queue()
        await self._told.put({"type": "lifespan.startup"})
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}}
        self._task = asyncio.create_task(self.app(scope, self._told.get, self._said.put))
        assert await self._said.get() == {"type": "lifespan.startup.complete"}
        return self.client

    async def __aexit__(self, *_: object) -> None:
        await self._told.put({"type": "lifespan.shutdown"})
        assert await self._said.get() == {"type": "lifespan.shutdown.complete"}
        await self._task
        await self.client.aclose()


async def test_all_threads_end_with_the_server(sample_catalog: Path) -> None:
    before = {it for it in threading.enumerate() if it.name.startswith("ThreadPool")}
    made = []

    def make(path: Path, secret: str) -> Any:
        made.append(datasette_for(path, secret))
        return made[-1]

    async with Server(CurrentCatalog(sample_catalog, make, 3600)) as client:
        assert (await client.get("/catalog/tags.json")).status_code == 200
    (datasette,) = made
    assert datasette.get_database("catalog").file.closed
    assert not datasette.get_database("_internal")._write_thread.is_alive()
    left = {it for it in threading.enumerate() if it.name.startswith("ThreadPool")}
    assert left - before == set()


async def asked_again() -> AsyncIterator[None]:
    """Ask until it is so: what is kept is answered at once, a replacement takes its time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 60
    while loop.time() < deadline:
        yield
        await asyncio.sleep(0.01)


async def test_signatures_outlive_a_replacement(tmp_path: Path, catalogs: list[Path]) -> None:
    catalog = tmp_path / "catalog.db"
    shutil.copy(catalogs[0], catalog)
    made: list[Any] = []
    replaced = asyncio.Event()

    def make(path: Path, secret: str) -> Any:
        made.append(datasette_for(path, secret))
        return made[-1]

    app = CurrentCatalog(catalog, make, 0.01)
    async with Server(app) as client:
        put(catalogs[1], catalog)
        async for _ in asked_again():
            rows = (await client.get("/catalog/tags.json?_shape=array")).json()
            if [row["name"] for row in rows] == [TAGS[1]]:
                replaced.set()
                break
        assert replaced.is_set()
        old, new = made
        assert new.unsign(old.sign({"a": 1})) == {"a": 1}


async def test_what_was_asked_for_most_is_ready(tmp_path: Path, catalogs: list[Path]) -> None:
    catalog = tmp_path / "catalog.db"
    shutil.copy(catalogs[0], catalog)
    app = CurrentCatalog(catalog, datasette_for, 0.01)
    gone, there = f"/package/{PACKAGES[0]}", "/tags?sort=tag"
    async with Server(app) as client:
        old = app._current
        for path in (gone, there, gone, there, "/stacks"):
            assert (await client.get(path)).status_code == 200
        put(catalogs[1], catalog)
        async for _ in asked_again():
            if app._current is not old:
                break
        made = await made_by(app, client, [there, "/stacks", gone])
    assert made == [False, True, True]


async def test_what_another_worker_makes_is_not_made_ready_too(
    tmp_path: Path, catalogs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    edition = Edition(catalogs[0], datasette_for, tmp_path)
    await edition.start()
    tags = {
        "type": "http", "method": "GET", "scheme": "http", "path": "/tags", "raw_path": b"/tags",
        "query_string": b"", "headers": [(b"host", b"localhost")],
    }  # fmt: skip
    before = edition._answers.bytes
    with monkeypatch.context() as another:
        another.setattr(SharedAnswers, "is_claimed", lambda self, key: True)
        await edition.make_ready([tags])
    assert edition._answers.bytes == before
    await edition.make_ready([tags])
    assert edition._answers.bytes > before
    await edition.close()


async def made_by(app: Any, client: httpx.AsyncClient, paths: list[str]) -> list[bool]:
    """Whether each page had to be made when it was asked for."""
    database = app._current._catalog
    ask = database.execute_fn
    asked = []

    async def noting(fn: Any) -> Any:
        asked.append(fn)
        return await ask(fn)

    database.execute_fn = noting
    made = []
    for path in paths:
        asked.clear()
        await client.get(path)
        made.append(bool(asked))
    return made


async def test_what_fails_for_another_reason_is_tried_again(
    tmp_path: Path, catalogs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = tmp_path / "catalog.db"
    shutil.copy(catalogs[0], catalog)
    tried = 0

    def make(path: Path, secret: str) -> Any:
        nonlocal tried
        tried += 1
        if 1 < tried < 5:
            raise MemoryError
        return datasette_for(path, secret)

    async with Server(CurrentCatalog(catalog, make, 0.01)) as client:
        put(catalogs[1], catalog)
        async for _ in asked_again():
            rows = (await client.get("/catalog/tags.json?_shape=array")).json()
            if [row["name"] for row in rows] == [TAGS[1]]:
                break
    assert tried == 5
    reason = f"{catalog}: cannot be opened now: MemoryError; the old catalog is still being served"
    assert capsys.readouterr().err == (f"spack-catalog: {reason}\n{new_catalog_is_served(catalog)}")


def test_a_catalog_whose_pages_cannot_be_made_is_not_served(
    tmp_path: Path, catalogs: list[Path]
) -> None:
    catalog, other = tmp_path / "catalog.db", tmp_path / "other.db"
    shutil.copy(catalogs[0], catalog)
    shutil.copy(catalogs[1], other)
    with closing(sqlite3.connect(other)) as db, db:
        db.execute("DROP VIEW binary_list")
        db.execute("DROP TABLE package_tags")
        db.execute("DROP TABLE tags")
    with serving_and_looking(catalog) as (address, process):
        other.replace(catalog)
        line = said(process)
        assert "the old catalog is still being served" in line, line
        assert tag_of(address) == [TAGS[0]]
