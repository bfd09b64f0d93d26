"""Reading in several processes: the same catalog, and no end of one that is not told."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from multiprocessing import active_children
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from click.testing import CliRunner

from etl.cli import main
from etl.errors import CatalogError, SourceError
from etl.records import Record
from etl.sources import pages
from etl.sources.packed_records import ReadFiles
from etl.sources.page import PageReader
from etl.sources.selection import EVERYTHING, Selection
from etl.workers import ALONE, Workers, available_cores, batched
from etl.writer import build
from etl.writer.build import Summary, build_catalog
from etl.writer.intake import Reading
from etl.writer.resolve import Resolver
from tests.running import digest_of
from tests.sites import SEED, SEED_PLACES, item, page, place_of, write_site

CHECKOUT = Path(__file__).parents[1]
FORKED = Workers(2, "fork")


def _process_of(batch: int) -> tuple[int, int]:
    return batch, os.getpid()


def _killed(batch: int) -> int:
    if batch == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return batch


def _fails(error: Exception, batch: int) -> int:
    if batch == 5:
        raise error
    return batch


def _refuses(batch: int) -> int:
    return _fails(SourceError("a/b", "is bad"), batch)


def _is_buggy(batch: int) -> int:
    return _fails(KeyError("hash"), batch)


def _has_no_memory(batch: int) -> int:
    return _fails(MemoryError(), batch)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_what_comes_back_is_in_order(method: str) -> None:
    found = list(Workers(2, method).map(_process_of, range(40)))
    assert [batch for batch, _ in found] == list(range(40))
    assert os.getpid() not in {process for _, process in found}
    assert active_children() == []


@pytest.mark.parametrize(
    ("workers", "batches", "worthwhile"), [(ALONE, 40, 2), (FORKED, 3, 4), (FORKED, 0, 2)]
)
def test_little_work_starts_no_process(workers: Workers, batches: int, worthwhile: int) -> None:
    found = list(workers.map(_process_of, range(batches), worthwhile=worthwhile))
    assert found == [(batch, os.getpid()) for batch in range(batches)]


def test_alone_nothing_is_asked_for_before_its_time() -> None:
    asked: list[int] = []

    def batches() -> Iterator[int]:
        for batch in range(9):
            asked.append(batch)
            yield batch

    assert next(ALONE.map(_process_of, batches()))[0] == 0
    assert asked == [0]


def test_no_more_is_asked_for_than_is_worked_on() -> None:
    asked: list[int] = []

    def batches() -> Iterator[int]:
        for batch in range(100):
            asked.append(batch)
            yield batch

    results = FORKED.map(_process_of, batches())
    assert next(results)[0] == 0
    assert len(asked) == 5
    results.close()  # type: ignore[attr-defined]
    assert active_children() == []


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_killed, r"was killed, possibly for lack of memory; nothing was written"),
        (_has_no_memory, r"failed for lack of memory; nothing was written"),
        (_is_buggy, r"failed \(KeyError: 'hash'\); nothing was written: run with --processes 1"),
        (_refuses, r"^a/b: is bad$"),
    ],
)
def test_what_goes_wrong_in_a_process_is_told(function: Callable[[int], int], message: str) -> None:
    with pytest.raises(CatalogError, match=message):
        list(FORKED.map(function, range(40)))
    assert active_children() == []


def _killed_while_it_sends(batch: int) -> int:
    """What a process that has no memory left may do: a part of its result is sent already."""
    if batch == 5:
        _send_half_of_all(lambda: os.kill(os.getpid(), signal.SIGKILL))
    return batch


def _waits_while_it_sends(place: Path, batch: int) -> int:
    def wait() -> None:
        (place / "sends").touch()
        threading.Event().wait()

    if batch == 5:
        # While it sends no other process can.
        until_there(place / "has the fourth")
        _send_half_of_all(wait)
    return batch


def until_there(place: Path) -> None:
    while not place.exists():
        time.sleep(0.01)


def _send_half_of_all(then: Callable[[], object]) -> None:
    def send_bytes(self: Connection, data: bytes) -> None:
        os.write(self.fileno(), struct.pack("!i", len(data) + 100) + data)
        then()

    Connection.send_bytes = send_bytes  # type: ignore[method-assign, assignment]


def test_a_process_killed_while_it_sends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.workers._LOOK_EVERY", 0.02)
    with pytest.raises(CatalogError, match="was killed, possibly for lack of memory"):
        list(FORKED.map(_killed_while_it_sends, range(40)))
    assert active_children() == []


def test_an_interrupt_waits_for_no_result(tmp_path: Path) -> None:
    """The one that sends holds the pipe, and what it was about to send does not come any more."""
    found = FORKED.map(partial(_waits_while_it_sends, tmp_path), range(40))
    for batch in found:
        if batch == 4:
            break
    (tmp_path / "has the fourth").touch()
    until_there(tmp_path / "sends")
    found.close()  # type: ignore[attr-defined]
    assert active_children() == []


def test_an_error_of_who_gives_the_batches_stays_what_it_is() -> None:
    def batches() -> Iterator[int]:
        yield from range(9)
        raise SourceError("a", "ends here")

    with pytest.raises(SourceError, match="ends here"):
        list(FORKED.map(_process_of, batches()))
    assert active_children() == []


def _half_sent() -> Iterator[int]:
    yield 1
    _send_half_of_all(lambda: os.kill(os.getpid(), signal.SIGKILL))
    yield 2


@pytest.mark.usefixtures("only_thread")
def test_a_copy_killed_while_it_sends_is_told() -> None:
    made = FORKED.ahead(_half_sent)
    assert next(made) == 1
    with pytest.raises(CatalogError, match="was killed, possibly for lack of memory"):
        next(made)
    assert active_children() == []


def _numbers(failing: Exception | None = None, *, is_killed: bool = False) -> Iterator[int]:
    """The number of the process, many times; or what goes wrong after the first."""
    yield os.getpid()
    if is_killed:
        os.kill(os.getpid(), signal.SIGKILL)
    if failing:
        raise failing
    yield from [os.getpid()] * 9


@pytest.fixture
def only_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever threads other tests have left behind."""
    monkeypatch.setattr("threading.active_count", lambda: 1)


@pytest.mark.usefixtures("only_thread")
def test_a_copy_goes_ahead() -> None:
    copy, *others = FORKED.ahead(_numbers)
    assert others == [copy] * 9
    assert copy != os.getpid()
    assert active_children() == []


@pytest.mark.parametrize("workers", [ALONE, Workers(2, "spawn")])
def test_where_no_copy_is_wanted_there_is_none(workers: Workers) -> None:
    assert list(workers.ahead(_numbers)) == [os.getpid()] * 10


def test_no_process_is_copied_while_threads_run() -> None:
    is_over = threading.Event()
    thread = threading.Thread(target=is_over.wait)
    thread.start()
    try:
        assert list(FORKED.ahead(_numbers)) == [os.getpid()] * 10
    finally:
        is_over.set()
        thread.join()


@pytest.mark.usefixtures("only_thread")
def test_where_no_copy_is_allowed_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("multiprocessing.context.ForkProcess.start", start)
    assert list(FORKED.ahead(_numbers)) == [os.getpid()] * 10


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        (MemoryError(), r"failed for lack of memory; nothing was written"),
        (KeyError("hash"), r"failed \(KeyError: 'hash'\); nothing was written: run with"),
        (SourceError("a/b", "is bad"), r"^a/b: is bad$"),
    ],
)
@pytest.mark.usefixtures("only_thread")
def test_what_goes_wrong_in_a_copy_is_told(failing: Exception, message: str) -> None:
    made = FORKED.ahead(partial(_numbers, failing))
    assert next(made) != os.getpid()
    with pytest.raises(CatalogError, match=message):
        next(made)
    assert active_children() == []


@pytest.mark.usefixtures("only_thread")
def test_a_copy_that_is_killed_is_told() -> None:
    made = FORKED.ahead(partial(_numbers, is_killed=True))
    assert next(made) != os.getpid()
    with pytest.raises(CatalogError, match="was killed"):
        next(made)
    assert active_children() == []


@pytest.mark.usefixtures("only_thread")
def test_nobody_waits_for_a_copy_that_is_not_needed() -> None:
    made = FORKED.ahead(lambda: count())
    assert next(made) == 0
    made.close()
    assert active_children() == []


def test_batches() -> None:
    assert list(batched(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batched([1, 1, 9, 1, 5, 5], 3, lambda it: it, 8)) == [[1, 1, 9], [1, 5, 5]]
    assert list(batched([9, 9, 1, 1, 1, 1], 3, lambda it: it, 8)) == [[9], [9], [1, 1, 1], [1]]
    assert list(batched([], 2)) == []


@pytest.fixture
def any_work_is_shared(monkeypatch: pytest.MonkeyPatch, only_thread: None) -> None:
    monkeypatch.setattr(pages, "_FILES_AT_ONCE", 2)
    monkeypatch.setattr(pages, "_BATCHES_WORTH_PROCESSES", 2)
    monkeypatch.setattr(build, "_WORTH_A_PROCESS", 0)


def _mixed_site(folder: Path) -> Path:
    """Pages of all eras, and some that are refused or contradict themselves."""
    files = {place: (SEED / place).read_bytes() for place in SEED_PLACES}
    files["_data/tags.yaml"] = b"- name: develop\n  stacks: [e4s, hep]\n"
    files["_cache/develop/bad/specs.md"] = b"no page"
    files["_cache/develop/odd/specs.md"] = page("v9", "odd", [item(9)], meta={"num_specs": 7})
    for number in range(30):
        name = f"p{number}"
        files[place_of("develop", name)] = page("develop", name, [item(number)])
    return write_site(folder, files)


def _zipped(folder: Path) -> Path:
    archive = folder.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for path in sorted(it for it in folder.rglob("*") if it.is_file()):
            writer.write(path, path.relative_to(folder))
    return archive


def _build(target: Path, source: Path, workers: Workers) -> Summary:
    records = pages.read_pages(source, EVERYTHING, workers)
    return build_catalog([Reading(str(source), records)], target, workers=workers)


@pytest.mark.parametrize("kind", ["folder", "zip"])
@pytest.mark.usefixtures("any_work_is_shared")
def test_the_catalog_is_the_same_byte_for_byte(tmp_path: Path, kind: str) -> None:
    source = _mixed_site(tmp_path / "site")
    if kind == "zip":
        source = _zipped(source)
    summaries = [
        _build(tmp_path / f"{workers.processes}.db", source, workers)
        for workers in (ALONE, FORKED, Workers(3, "fork"))
    ]
    assert summaries[0] == summaries[1] == summaries[2]
    assert len(summaries[0].refused) == 2
    assert len({digest_of(tmp_path / f"{number}.db") for number in (1, 2, 3)}) == 1


@pytest.mark.usefixtures("any_work_is_shared")
def test_long_pages_are_read_a_few_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = _mixed_site(tmp_path / "site")
    monkeypatch.setattr(pages, "_FILES_AT_ONCE", 16)
    _build(tmp_path / "one.db", site, ALONE)
    monkeypatch.setattr(pages, "_MOST_BYTES_AT_ONCE", 300)
    lengths: list[int] = []

    def read_places(folder: Path, selection: Selection, places: list[str]) -> ReadFiles:
        found = read(folder, selection, places)
        lengths.append(len(places) - len(found.rest))
        return found

    read = pages._read_places
    monkeypatch.setattr(pages, "_read_places", read_places)
    # This process does all, so that it can be counted.
    monkeypatch.setattr(Workers, "map", lambda _, function, batches, **__: map(function, batches))
    _build(tmp_path / "many.db", site, FORKED)
    assert digest_of(tmp_path / "many.db") == digest_of(tmp_path / "one.db")
    assert sum(lengths) == sum(1 for path in site.rglob("*") if path.is_file())
    assert max(lengths) == 2


@pytest.mark.usefixtures("any_work_is_shared")
def test_a_damaged_archive_gives_what_comes_before(tmp_path: Path) -> None:
    archive = _zipped(_mixed_site(tmp_path / "site"))
    whole = archive.read_bytes()
    damage = whole.index(b"p9/specs.md") + 200
    archive.write_bytes(whole[:damage] + b"xxxxx" + whole[damage + 5 :])
    alone, forked = (
        sorted(map(repr, pages.read_pages(archive, EVERYTHING, workers)))
        for workers in (ALONE, FORKED)
    )
    assert forked == alone


@pytest.mark.usefixtures("any_work_is_shared")
@pytest.mark.parametrize(
    ("does", "name"), [(PageReader, "read"), (Resolver, "resolve")], ids=["reading", "writing"]
)
def test_a_process_that_is_killed_leaves_the_old_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: type, name: str
) -> None:
    target = tmp_path / "out" / "a.db"
    target.parent.mkdir()
    site = _mixed_site(tmp_path / "site")
    _build(target, site, ALONE)
    before, parent = digest_of(target), os.getpid()

    def killed(*_: object) -> None:
        assert os.getpid() != parent
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(does, name, killed)
    with pytest.raises(CatalogError, match="was killed"):
        _build(target, site, FORKED)
    assert digest_of(target) == before
    assert list(target.parent.iterdir()) == [target]
    assert active_children() == []


_BLOCKED = """
import os, signal, sys
from etl.cli import main
from etl.records import Record
from etl.sources import pages
from etl.sources.page import PageReader
from etl.writer import build
from etl.writer.resolve import Resolver
def block(*_):
    os.write(1, b"here\\n")
    while True:
        signal.pause()
if sys.argv.pop(1) == "reading":
    PageReader.read = block
else:
    Resolver.resolve = block
pages._FILES_AT_ONCE = pages._BATCHES_WORTH_PROCESSES = 2
build._WORTH_A_PROCESS = 0
main(prog_name="spack-catalog")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize(("at", "processes"), [("reading", 2), ("writing", 1)])
def test_all_processes_end_with_the_build(
    tmp_path: Path, number: signal.Signals, at: str, processes: int
) -> None:
    site, catalog = _mixed_site(tmp_path / "site"), tmp_path / "a.db"
    process = subprocess.Popen(
        [sys.executable, "-c", _BLOCKED, at,
         "build", site, "--catalog", catalog, "--processes", "2"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=CHECKOUT, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(processes)] == [b"here\n"] * processes
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    # The pipes end when the last process that holds them does.
    _, errors = process.communicate()
    assert not catalog.exists()
    assert b"Traceback" not in errors
    if number == signal.SIGINT:
        assert (process.returncode, errors.splitlines()[-1]) == (3, b"spack-catalog: interrupted")


def _workers_given(*options: str, **environment: str) -> Workers:
    found: list[Workers] = []

    def read_source(*_: object, workers: Workers, **__: object) -> list[Record]:
        found.append(workers)
        return []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("etl.sources.requests.read_source", read_source)
        CliRunner().invoke(main, ["build", "x", *options], env=environment)
    return found[0]


def test_how_many_processes() -> None:
    assert _workers_given() == Workers(available_cores())
    assert _workers_given("--processes", "3") == Workers(3)
    assert _workers_given(SPACK_CATALOG_PROCESSES="1") == ALONE
    assert CliRunner().invoke(main, ["build", "x", "--processes", "0"]).exit_code == 2
