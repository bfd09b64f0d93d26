"""What a server keeps of its answers: made once for all who ask, bounded, never a part of one."""

from __future__ import annotations

import asyncio
import gzip
import random
from typing import Any

import pytest

from datasette_spack.answers import Answers, Make, Use, marked


class Maker:
    """Makes answers, counts them, and waits where it is told to."""

    def __init__(
        self,
        body: bytes = b"body",
        *,
        use: Use | None = "keep",
        fails: bool = False,
        more: bool = False,
    ) -> None:
        self.body, self.use, self.fails, self.more = body, use, fails, more
        self.made = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, send: Any) -> None:
        self.made += 1
        await self.go_on.wait()
        headers = [(b"Content-Type", b"text/html"), (b"ETag", b'W/"a"')]
        start = {"type": "http.response.start", "status": 200, "headers": headers}
        await send(marked(start, self.use) if self.use else start)
        if self.fails:
            raise RuntimeError("the connection is gone")
        half = len(self.body) // 2
        await send({"type": "http.response.body", "body": self.body[:half], "more_body": True})
        if not self.more:
            await send({"type": "http.response.body", "body": self.body[half:]})


async def sent(
    answers: Answers, key: str, make: Make, *, head: bool = False, gzip: bool = False
) -> tuple[dict[bytes, bytes], bytes]:
    """Headers and body of an answer; what is sent besides is as ASGI wants it."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    await answers.give(key, make, send, head=head, gzip=gzip)
    assert [it["type"] for it in messages[:2]] == ["http.response.start", "http.response.body"]
    assert set(messages[0]) == {"type", "status", "headers"}
    headers = {name.lower(): value for name, value in messages[0]["headers"]}
    return headers, b"".join(it["body"] for it in messages[1:])


async def ask(answers: Answers, key: str, make: Make, *, head: bool = False) -> bytes:
    """The body of an answer."""
    return (await sent(answers, key, make, head=head))[1]


async def test_what_was_answered_is_not_made_again() -> None:
    answers, make = Answers(), Maker()
    assert [await ask(answers, "a", make) for _ in range(3)] == [b"body"] * 3
    assert make.made == 1
    assert await ask(answers, "b", make) == b"body"
    assert make.made == 2
    assert await ask(answers, "a", make, head=True) == b""
    assert make.made == 2


async def test_many_who_ask_at_once_get_one_answer() -> None:
    answers, make = Answers(), Maker()
    make.go_on.clear()
    asking = [asyncio.create_task(ask(answers, "a", make)) for _ in range(20)]
    while not make.made:
        await asyncio.sleep(0)
    make.go_on.set()
    assert await asyncio.gather(*asking) == [b"body"] * 20
    assert make.made == 1


@pytest.mark.parametrize("make", [{"use": None}, {"body": b"x" * 101}, {"more": True}])
async def test_what_is_not_to_be_kept_is_made_for_each(make: dict[str, Any]) -> None:
    answers, maker = Answers(largest=100), Maker(**make)
    first = await ask(answers, "a", maker)
    assert await ask(answers, "a", maker) == first
    assert maker.made == 2


async def test_one_that_fails_fails_nobody_else() -> None:
    answers, broken, whole = Answers(), Maker(fails=True), Maker()
    broken.go_on.clear()
    first = asyncio.create_task(ask(answers, "a", broken))
    while not broken.made:
        await asyncio.sleep(0)
    others = [asyncio.create_task(ask(answers, "a", whole)) for _ in range(3)]
    await asyncio.sleep(0)
    broken.go_on.set()
    with pytest.raises(RuntimeError, match="the connection is gone"):
        await first
    assert await asyncio.gather(*others) == [b"body"] * 3
    assert await ask(answers, "a", broken) == b"body"


async def test_what_was_asked_for_longest_ago_goes_first() -> None:
    answers, make = Answers(most_bytes=6_500), Maker(b"x" * 100)
    for key in ("a", "b", "a", "c"):
        await ask(answers, key, make)
    assert make.made == 3
    await ask(answers, "a", make)
    assert make.made == 3
    await ask(answers, "b", make)
    assert make.made == 4


PAGE = (b"<td>zlib</td>" * 400)[:5000]


async def test_the_headers_alone_are_those_of_the_whole() -> None:
    answers, make = Answers(), Maker(PAGE)
    first = await sent(answers, "a", make, head=True)
    assert first == ((await sent(answers, "a", make))[0], b"")
    assert first[0][b"content-length"] == b"5000"
    assert make.made == 1


async def test_each_form_has_its_length_and_its_tag() -> None:
    answers, make = Answers(), Maker(PAGE)
    for _ in range(2):
        headers, body = await sent(answers, "a", make, gzip=True)
        assert gzip.decompress(body) == PAGE
        assert headers == {
            b"content-type": b"text/html",
            b"etag": b'W/"a.gzip"',
            b"content-encoding": b"gzip",
            b"content-length": str(len(body)).encode(),
        }
        assert await sent(answers, "a", make, gzip=True, head=True) == (headers, b"")
        plain = {b"content-type": b"text/html", b"etag": b'W/"a"', b"content-length": b"5000"}
        assert await sent(answers, "a", make) == (plain, PAGE)
    assert make.made == 1


@pytest.mark.parametrize("body", [b"short", bytes(random.Random(1).randbytes(5000))])
async def test_what_gets_no_smaller_is_left_as_it_is(body: bytes) -> None:
    headers, found = await sent(Answers(), "a", Maker(body), gzip=True)
    assert (found, headers[b"etag"]) == (body, b'W/"a"')
    assert b"content-encoding" not in headers


async def test_what_is_kept_is_counted_as_it_is_kept() -> None:
    answers = Answers(most_bytes=10_000)
    await ask(answers, "packed", Maker(PAGE * 20))
    assert 3_000 < answers.bytes < 4_000
    await ask(answers, "plain", Maker(random.Random(1).randbytes(2_000)))
    assert 8_000 < answers.bytes < 9_000
    await ask(answers, "plain too", Maker(random.Random(2).randbytes(2_000)))
    assert answers.bytes == 10_000
    answers.clear()
    assert answers.bytes == 0
    again = Maker(PAGE)
    for _ in range(2):
        assert await ask(answers, "packed", again) == PAGE
    assert (again.made, answers.bytes) == (2, 0)


async def test_what_is_cut_short_is_for_those_who_wait_for_it() -> None:
    answers, make = Answers(), Maker(PAGE, use="share")
    make.go_on.clear()
    asking = [asyncio.create_task(ask(answers, "a", make)) for _ in range(20)]
    while not make.made:
        await asyncio.sleep(0)
    make.go_on.set()
    assert await asyncio.gather(*asking) == [PAGE] * 20
    assert make.made == 1
    await ask(answers, "a", make)
    assert make.made == 2


async def test_what_is_made_when_all_is_forgotten_is_not_kept() -> None:
    answers, make = Answers(), Maker()
    make.go_on.clear()
    first = asyncio.create_task(ask(answers, "a", make))
    while not make.made:
        await asyncio.sleep(0)
    answers.clear()
    make.go_on.set()
    assert await first == b"body"
    assert answers.bytes == 0


async def test_what_is_asked_for_most_is_known_as_long_as_it_is_kept() -> None:
    answers, make = Answers(most_bytes=12_500), Maker(b"x" * 100)

    async def send(message: Any) -> None:
        pass

    for key in ("once", "a", "b", "a", "c", "b", "a", "c"):
        await answers.give(key, make, send, address=f"/{key}")
    assert answers.popular(9) == ["/a", "/b", "/c"]
    assert answers.popular(1) == ["/a"]
    await answers.give("d", make, send, address="/d")
    await answers.give("e", make, send, address="/e")
    assert answers.popular(9) == ["/a", "/c"]
    answers.clear()
    assert answers.popular(9) == []
