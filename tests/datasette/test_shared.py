"""Answers that workers share: made by one, sent by all, gone when nobody keeps them."""

from __future__ import annotations

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
