"""One visitor's heavy SQL: others are told to come again, and the pages go on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from datasette.app import Datasette

from datasette_spack.lanes import (
    STREAMS,
    BusyError,
    Lane,
    Threads,
    in_lane,
    threads_for,
)
from datasette_spack.serve import datasette_for
from tests.running import PATIENCE

HEAVY = "/catalog.json?sql=select+wait(%s)"
PAGES = ["/", "/package/zlib-ng", "/find?spec=zlib-ng", "/tags", "/stacks.json", "/catalog"]


@pytest.mark.parametrize(
    ("workers", "cores", "threads"),
    [
        (1, 1, Threads(2, 1)),
        (1, 2, Threads(2, 1)),
        (2, 2, Threads(2, 1)),
        (1, 4, Threads(4, 2)),
        (2, 8, Threads(4, 2)),
        (1, 128, Threads(8, 4)),
        (64, 2, Threads(2, 1)),
    ],
)
def test_threads_suit_the_cores(workers: int, cores: int, threads: Threads) -> None:
    assert threads_for(workers, cores) == threads
    assert threads_for().pages >= 2


async def until(condition: Any) -> None:
    """Let others run until it is so; what never is fails, instead of being waited for."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0)


async def test_a_lane_has_a_few_at_once_and_a_few_that_wait() -> None:
    lane = Lane(2, waiting=1, patience=3600)
    go_on = asyncio.Event()
    inside: list[int] = []

    async def take(number: int) -> None:
        async with lane.turn():
            inside.append(number)
            await go_on.wait()

    taking = [asyncio.create_task(take(number)) for number in range(3)]
    await until(lambda: len(inside) == 2 and lane.waiting == 1)
    with pytest.raises(BusyError):
        await take(3)
    go_on.set()
    await asyncio.gather(*taking)
    assert inside == [0, 1, 2]
    await take(4)
    assert (inside[-1], lane.waiting) == (4, 0)


async def test_who_goes_away_loses_no_turn_for_others() -> None:
    lane = Lane(1, patience=3600)

    async def take() -> None:
        async with lane.turn():
            pass

    async with lane.turn():
        goes, stays = asyncio.create_task(take()), asyncio.create_task(take())
        await until(lambda: lane.waiting == 2)
        goes.cancel()
        await until(goes.cancelled)
    await stays
    # One that goes away at the very moment at which it is his turn passes it on.
    async with lane.turn():
        goes, stays = asyncio.create_task(take()), asyncio.create_task(take())
        await until(lambda: lane.waiting == 2)
    goes.cancel()
    await stays
    assert lane.waiting == 0
    await take()


async def test_nobody_waits_for_ever() -> None:
    lane = Lane(1, patience=0)
    async with lane.turn():
        with pytest.raises(BusyError):
            async with lane.turn():
                raise AssertionError("had its turn")
    assert lane.waiting == 0
    async with lane.turn():
        pass


async def test_who_fails_leaves_the_lane() -> None:
    lane = Lane(1, waiting=0)
    for _ in range(2):
        with pytest.raises(ValueError, match="mine"):
            async with lane.turn():
                raise ValueError("mine")


async def test_time_is_looked_at_more_often_where_sql_is_not_ours(sample_catalog: Path) -> None:
    datasette = datasette_for(sample_catalog)
    database = datasette.get_database("catalog")

    def looks(connection: Any) -> int:
        """How often the time is looked at while a query of some 10,000 steps runs."""
        times: list[None] = []
        connection.set_progress_handler(lambda: times.append(None), 1000)
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
            " SELECT count(*) FROM n"
        ).fetchall()
        connection.set_progress_handler(None, 1000)
        return len(times)

    with in_lane():
        of_visitors = await database.execute_fn(looks)
    of_pages = await database.execute_fn(looks)
    streamed = database.borrow()
    assert of_visitors == looks(streamed)
    assert 5 * of_pages < of_visitors
    database.give_back(streamed)
    database.close()


@dataclass
class Blocked:
    """A site in which ``wait(n)`` of SQL does not return before it is let go."""

    site: Any
    go_on: threading.Event = field(default_factory=threading.Event)
    entered: list[int] = field(default_factory=list)

    def wait(self, number: int) -> int:
        self.entered.append(number)
        assert self.go_on.wait(PATIENCE)
        return number

    @property
    def visitors(self) -> Any:
        return self.site.get_database("catalog").visitors

    def ask(self, number: int) -> asyncio.Task[Any]:
        return asyncio.create_task(self.site.client.get(HEAVY % number))


@pytest.fixture
async def blocked(sample_catalog: Path) -> AsyncIterator[Blocked]:
    datasette = datasette_for(sample_catalog)
    datasette.sql_time_limit_ms = 3_600_000  # what is measured here is not the time
    found = Blocked(datasette)
    prepare = datasette._prepare_connection

    def with_wait(connection: Any, name: str) -> None:
        prepare(connection, name)
        connection.create_function("wait", 1, found.wait)

    datasette._prepare_connection = with_wait
    await datasette.client.get("/")
    yield found
    found.go_on.set()
    datasette.get_database("catalog").close()


async def full(blocked: Blocked, waiting: int) -> list[asyncio.Task[Any]]:
    """Fill the lane: all of its threads, and so many who wait."""
    visitors = blocked.visitors
    visitors.lane = Lane(2, waiting=waiting, patience=3600)
    asking = [blocked.ask(number) for number in range(2 + waiting)]
    threads = visitors.executor._max_workers
    await until(lambda: len(blocked.entered) == threads and visitors.lane.waiting == waiting)
    return asking


async def test_pages_go_on_while_heavy_sql_runs(blocked: Blocked) -> None:
    asking = await full(blocked, 3)
    for path in PAGES:
        response = await blocked.site.client.get(path)
        assert response.status_code == 200, path
    assert not any(task.done() for task in asking)
    blocked.go_on.set()
    answers = await asyncio.gather(*asking)
    assert [it.json()["rows"] for it in answers] == [[[number]] for number in range(5)]
    assert (await blocked.site.client.get(HEAVY % 9)).json()["rows"] == [[9]]


@pytest.mark.parametrize(
    "path",
    [
        HEAVY % 9,
        "/catalog?sql=select+1",
        "/catalog/binaries",
        "/catalog/binaries.json?_facet_by=stack",
        "/catalog/binaries.csv",
        "/catalog/find_binaries",
        "/catalog/specs?_where=1",
    ],
)
async def test_who_comes_then_is_told_to_come_again(blocked: Blocked, path: str) -> None:
    asking = await full(blocked, 1)
    response = await blocked.site.client.get(path)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert response.headers["cache-control"] == "no-store"
    assert "etag" not in response.headers
    if ".json" in path:
        assert response.json()["ok"] is False
        assert response.json()["error"].startswith(
            "The server has too many requests for SQL, tables and "
        )
        assert response.headers["access-control-allow-origin"] == "*"
    else:
        assert "<h1>Busy</h1>" in response.text
        assert "Try again in 5 seconds." in response.text
    assert (await blocked.site.client.get("/tags")).status_code == 200
    blocked.go_on.set()
    await asyncio.gather(*asking)
    assert (await blocked.site.client.get(path)).status_code == 200


async def test_tables_that_are_sent_whole_are_few(blocked: Blocked) -> None:
    stream = "/catalog.csv?_stream=on&sql=select+wait(%s)"
    path = "/catalog/specs.csv?_stream=on"
    asking = [
        asyncio.create_task(blocked.site.client.get(stream % number)) for number in range(STREAMS)
    ]
    await until(lambda: blocked.visitors.streams._free.locked() and blocked.entered)
    assert (await blocked.site.client.get(path)).status_code == 503
    blocked.go_on.set()
    assert [it.status_code for it in await asyncio.gather(*asking)] == [200] * STREAMS
    assert (await blocked.site.client.get(path)).status_code == 200


async def test_who_reads_slowly_keeps_nobody_waiting(blocked: Blocked) -> None:
    blocked.visitors.pages = Lane(1, waiting=0)
    blocked.visitors.lane = Lane(1, waiting=0)
    app = blocked.site.app()
    reads = asyncio.Event()
    began: list[str] = []

    async def ask(path: str) -> None:
        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                began.append(path)
                await reads.wait()

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {"type": "http", "http_version": "1.1", "method": "GET", "scheme": "http"}
        place = {"path": path, "raw_path": path.encode(), "query_string": b"", "headers": []}
        await app({**scope, **place}, receive, send)

    slow = [asyncio.create_task(ask(path)) for path in ("/tags", "/catalog/tags")]
    await until(lambda: len(began) == 2)
    for path in ("/stacks", "/catalog/stacks"):
        assert (await blocked.site.client.get(path)).status_code == 200
    reads.set()
    await asyncio.gather(*slow)


async def test_pages_wait_for_their_turn(blocked: Blocked) -> None:
    blocked.visitors.pages = lane = Lane(1, waiting=0)
    async with lane.turn():
        response = await blocked.site.client.get("/tags")
        assert response.status_code == 503
        assert "The server is busy." in response.text
        assert (await blocked.site.client.get("/catalog/tags")).status_code == 200
    assert (await blocked.site.client.get("/tags")).status_code == 200


async def test_elsewhere_there_are_no_lanes(sample_catalog: Path) -> None:
    other = Datasette([], immutables=[str(sample_catalog)])
    response = await other.client.get("/catalog.json?sql=select+1")
    assert response.json()["rows"] == [[1]]
