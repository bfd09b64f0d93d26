"""What a server keeps of its answers: made once for all who ask, bounded, never a part of one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from datasette_spack.answers import Answers, Make, marked


class Maker:
    """Makes answers, counts them, and waits where it is told to."""

    def __init__(
        self, body: bytes = b"body", *, keep: bool = True, fails: bool = False, more: bool = False
    ) -> None:
        self.body, self.keep, self.fails, self.more = body, keep, fails, more
        self.made = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, send: Any) -> None:
        self.made += 1
        await self.go_on.wait()
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await send(marked(start) if self.keep else start)
        if self.fails:
            raise RuntimeError("the connection is gone")
        half = len(self.body) // 2
        await send({"type": "http.response.body", "body": self.body[:half], "more_body": True})
        if not self.more:
            await send({"type": "http.response.body", "body": self.body[half:]})


async def ask(answers: Answers, key: str, make: Make, method: str = "GET") -> bytes:
    """The body of an answer; what is sent besides is as ASGI wants it."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    await answers.give(key, method, make, send)
    assert set(messages[0]) == {"type", "status", "headers"}
    return b"".join(it["body"] for it in messages[1:])


async def test_what_was_answered_is_not_made_again() -> None:
    answers, make = Answers(), Maker()
    assert [await ask(answers, "a", make) for _ in range(3)] == [b"body"] * 3
    assert make.made == 1
    assert await ask(answers, "b", make) == b"body"
    assert make.made == 2
    assert await ask(answers, "a", make, "HEAD") == b""
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


@pytest.mark.parametrize("make", [{"keep": False}, {"body": b"x" * 101}, {"more": True}])
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
    answers, make = Answers(most_bytes=2_500), Maker(b"x" * 100)
    for key in ("a", "b", "a", "c"):
        await ask(answers, key, make)
    assert make.made == 3
    await ask(answers, "a", make)
    assert make.made == 3
    await ask(answers, "b", make)
    assert make.made == 4
