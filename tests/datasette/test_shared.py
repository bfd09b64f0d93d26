"""Answers that workers share: made by one, sent by all, gone when nobody keeps them."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

from datasette_spack.answers import Answers
from datasette_spack.shared import SharedAnswers
from tests.datasette.test_answers import PAGE, Maker, ask, sent


@pytest.fixture
def two(tmp_path: Path) -> list[Answers]:
    """What two workers keep."""
    return [Answers(most_bytes=6_500, shared=SharedAnswers(tmp_path)) for _ in range(2)]


async def test_what_one_has_made_all_send(two: list[Answers]) -> None:
    make = Maker(PAGE)
    first = await sent(two[0], "a", make, gzip=True)
    assert await sent(two[1], "a", make, gzip=True) == first
    assert gzip.decompress(first[1]) == PAGE
    assert await sent(two[0], "a", make) == await sent(two[1], "a", make)
    assert await sent(two[1], "a", make, head=True) == ((await sent(two[0], "a", make))[0], b"")
    assert make.made == 1
    await ask(two[1], "b", make)
    assert make.made == 2


@pytest.mark.parametrize("use", [None, "share"])
async def test_what_is_not_kept_is_not_shared(
    two: list[Answers], tmp_path: Path, use: str | None
) -> None:
    make = Maker(PAGE, use=use)  # type: ignore[arg-type]
    for answers in two:
        await ask(answers, "a", make)
    assert make.made == 2
    assert list(tmp_path.iterdir()) == []


async def test_who_shared_an_answer_takes_it_back(two: list[Answers], tmp_path: Path) -> None:
    make = Maker(b"x" * 100)
    for key in ("a", "b", "c"):
        await ask(two[0], key, make)
    assert len(list(tmp_path.iterdir())) == 2
    await ask(two[1], "c", make)
    assert make.made == 3
    two[1].clear()
    assert len(list(tmp_path.iterdir())) == 2
    two[0].clear()
    assert list(tmp_path.iterdir()) == []


async def test_without_room_each_makes_its_own(two: list[Answers], tmp_path: Path) -> None:
    tmp_path.rmdir()
    make = Maker(PAGE)
    for answers in (*two, *two):
        assert await ask(answers, "a", make) == PAGE
    assert make.made == 2


async def test_keys_are_no_paths(two: list[Answers], tmp_path: Path) -> None:
    make = Maker(PAGE)
    await ask(two[0], "../../etc/passwd\0/", make)
    assert await ask(two[1], "../../etc/passwd\0/", make) == PAGE
    assert make.made == 1
    assert [it.parent for it in tmp_path.iterdir()] == [tmp_path]


async def both(two: list[Answers], make: Maker, others: Maker) -> list[bytes]:
    """What two workers send who are asked for the same while the first one makes it."""
    make.go_on.clear()
    first = asyncio.create_task(ask(two[0], "a", make))
    while not make.made:
        await asyncio.sleep(0)
    second = asyncio.create_task(ask(two[1], "a", others))
    await asyncio.sleep(0.03)
    make.go_on.set()
    return list(await asyncio.gather(first, second))


async def test_what_one_is_making_the_others_wait_for(two: list[Answers], tmp_path: Path) -> None:
    make, others = Maker(PAGE), Maker(b"another")
    assert await both(two, make, others) == [PAGE, PAGE]
    assert (make.made, others.made) == (1, 0)
    assert len(list(tmp_path.iterdir())) == 1  # the answer, and no claim


async def test_who_makes_answers_ahead_leaves_what_another_makes(two: list[Answers]) -> None:
    messages: list[object] = []

    async def send(message: object) -> None:
        messages.append(message)

    make, others = Maker(PAGE), Maker(b"another")
    make.go_on.clear()
    first = asyncio.create_task(ask(two[0], "a", make))
    while not make.made:
        await asyncio.sleep(0)
    await two[1].give("a", others, send, ahead=True)
    assert (others.made, messages) == (0, [])
    await two[1].give("b", others, send, ahead=True)
    assert others.made == 1
    make.go_on.set()
    assert await first == await ask(two[1], "a", others) == PAGE
    assert others.made == 1


@pytest.mark.parametrize("make", [Maker(PAGE, use=None), Maker(PAGE, use="share")])
async def test_what_is_not_shared_each_makes(
    two: list[Answers], make: Maker, tmp_path: Path
) -> None:
    others = Maker(b"another")
    assert await both(two, make, others) == [PAGE, b"another"]
    assert others.made == 1
    two[1].clear()
    assert list(tmp_path.iterdir()) == []


async def test_who_sends_a_large_answer_holds_up_nobody(tmp_path: Path) -> None:
    one, other = (Answers(largest=10, shared=SharedAnswers(tmp_path)) for _ in range(2))
    make, stuck = Maker(PAGE), asyncio.Event()

    async def send(message: object) -> None:
        await stuck.wait()

    sending = asyncio.create_task(one.give("a", make, send))
    while not make.made:
        await asyncio.sleep(0)
    assert await ask(other, "a", Maker(b"mine")) == b"mine"
    stuck.set()
    await sending


async def test_a_claim_of_a_worker_that_was_killed_is_waited_for_once(tmp_path: Path) -> None:
    dead, shared = SharedAnswers(tmp_path), SharedAnswers(tmp_path)
    assert await dead.claim("a") is None
    assert await shared.claim("a", patience=0.02) is None
    shared.release("a")
    assert list(tmp_path.iterdir()) == []
