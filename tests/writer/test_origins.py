"""The rows of what was read, and where the user finds a problem in it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from etl.records import Source
from etl.writer.intake import Marks
from etl.writer.origins import Origins
from tests.weekly import FRIDAY, MONDAY, SUNDAY

URL = "https://cache.example.org/v1"
OTHER = "https://cache.example.org/v2"


def read(
    origins: Origins,
    *sources: tuple[str, str | None],
    at: str | None = None,
    kept: bool = False,
    cache: str | None = None,
    options: str = "",
) -> None:
    """Read something that the user named: sources with their addresses and digests."""
    origins.begin()
    for location, sha256 in sources:
        source = Source("build cache", location, None, at if kept else None, cache, options)
        origins.add(source, "what the user named", is_kept=kept)
        if sha256:
            origins.digest(sha256)
    origins.end("whenever" if kept else at)


def told(origins: Origins) -> list[tuple[object, ...]]:
    """Address, digest and time of each row."""
    return [(place, sha256, at) for _, place, sha256, at, *_ in origins.rows({"mine": 7})]


@pytest.mark.parametrize("times", [(MONDAY, FRIDAY), (FRIDAY, MONDAY), (FRIDAY, None)])
def test_what_is_read_again_unchanged_is_one_row_with_the_newest_time(
    times: Iterable[str | None],
) -> None:
    before, now = times
    origins = Origins()
    read(origins, (URL, "a"), at=SUNDAY, kept=True)
    read(origins, (URL, "b"), (OTHER, "b"), at=before, kept=True)
    read(origins, (OTHER, "b"), at=now)
    assert told(origins) == [(URL, "a", SUNDAY), (URL, "b", before), (OTHER, "b", FRIDAY)]
    assert origins.numbers == {1: 1, 2: 2, 3: 3, 4: 3}


def test_what_is_another_is_a_row_of_its_own() -> None:
    origins = Origins()
    read(origins, (URL, "a"), (OTHER, None), at=MONDAY, kept=True)
    read(origins, (URL, "b"), at=FRIDAY)
    read(origins, (URL, "a"), at=FRIDAY, options="--tag v1")
    read(origins, (OTHER, None), at=SUNDAY)  # of what has no digest it is not known
    assert told(origins) == [
        (URL, "a", MONDAY),
        (OTHER, None, MONDAY),
        (URL, "b", FRIDAY),
        (URL, "a", FRIDAY),
        (OTHER, None, SUNDAY),
    ]
    assert origins.numbers == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}


def test_in_one_reading_all_are_told_apart() -> None:
    origins = Origins()
    read(origins, (URL, "a"), (URL, "a"), at=MONDAY, kept=True)
    assert told(origins) == [(URL, "a", MONDAY)] * 2


def test_what_is_read_twice_now_is_two_rows() -> None:
    origins = Origins()
    read(origins, (URL, "a"), at=MONDAY)
    read(origins, (URL, "a"), at=MONDAY)
    assert told(origins) == [(URL, "a", MONDAY)] * 2


def test_the_time_of_a_reading_is_that_of_what_is_not_kept() -> None:
    origins = Origins()
    read(origins, (URL, "a"), at=MONDAY, kept=True)
    read(origins, (OTHER, "b"), at=None)
    origins.end(FRIDAY)
    assert told(origins) == [(URL, "a", MONDAY), (OTHER, "b", FRIDAY)]


def test_a_row_tells_the_cache_and_the_options() -> None:
    origins = Origins()
    read(origins, (URL, "a"), at=MONDAY, cache="mine", options="--tag v1")
    assert origins.rows({"mine": 7}) == [("build cache", URL, "a", MONDAY, 7, "--tag v1")]


def test_what_cannot_be_read_is_told_if_nothing_came_of_it() -> None:
    origins = Origins()
    read(origins, (URL, "a"), at=MONDAY)
    origins.add_unreadable("some/other/box", "mine", "", is_kept=False)
    origins.begin()
    origins.add_unreadable("some/other/box/", "mine", "", is_kept=False)
    origins.begin()
    origins.add_unreadable("https://me:secret@example.org/a?key=b", None, "", is_kept=False)
    assert origins.rows({"mine": 7}) == [
        ("build cache", URL, "a", MONDAY, None, ""),
        ("unreadable", "box", None, None, 7, ""),
        ("unreadable", "https://example.org/a", None, None, None, ""),
    ]
    assert [origins.place_in_catalog(number, "HERE") for number in (1, 2, 3)] == [
        "HERE",
        "box",
        "https://example.org/a",
    ]


def test_what_could_not_be_read_twice_is_one_row() -> None:
    origins = Origins()
    origins.begin()
    origins.add_unreadable("where", None, "", is_kept=True)
    origins.begin()
    origins.add_unreadable("where", None, "", is_kept=False)
    assert len(origins.rows({})) == 1
    assert (origins.is_kept(1), origins.is_kept(2)) == (True, False)


@pytest.mark.parametrize(
    ("before", "now", "superseded"),
    [
        ((URL, None, ""), (URL, None, ""), True),
        ((URL, None, ""), (OTHER, None, ""), False),
        ((URL, None, ""), (URL, "mine", ""), False),
        ((URL, None, ""), (URL, None, "--tag v1"), False),
        # Where sources on disk lie is not known: only a name tells them apart.
        (("index.json", None, ""), ("index.json", None, ""), False),
        (("index.json", "mine", ""), ("other.json", "mine", ""), True),
        (("index.json", "mine", ""), ("index.json", "yours", ""), False),
    ],
)
def test_what_is_read_again_takes_the_place_of_what_was_read(
    before: tuple[str, str | None, str], now: tuple[str, str | None, str], superseded: bool
) -> None:
    origins = Origins()
    for (location, cache, options), kept in ((before, True), (now, False)):
        read(origins, (location, "a"), kept=kept, cache=cache, options=options)
    assert origins.is_superseded(1) is superseded
    assert not origins.is_superseded(2)


def test_the_place_of_a_problem_is_where_the_user_finds_it(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    folder.mkdir()
    file = folder / "index.json"
    file.touch()
    url = "https://me:secret@example.org/box/?key=b"
    for name, place, found in (
        (f"{folder}/", "a/page.md", f"{folder}/a/page.md"),
        (str(folder), ".", str(folder)),
        (str(folder), "", str(folder)),
        (str(folder), f"{folder}/a", f"{folder}/a"),
        (str(folder), "https://example.org/a", "https://example.org/a"),
        (str(file), "index.json (spec 1)", f"{file} (spec 1)"),
        (str(file), "index.json", str(file)),
        (str(file), "spec 1", f"{file}: spec 1"),
        (url, "a/index.json", "https://example.org/box/a/index.json"),
        (url, ".", "https://example.org/box"),
    ):
        origins = Origins()
        origins.begin()
        origins.add(Source("build cache", "x"), name, is_kept=False)
        origins.add(Source("build cache", "y"), "another", is_kept=False)
        assert origins.place_for_user(1, place) == found


def test_what_several_indexes_tell_of_one_build_cache() -> None:
    first, second = Marks("v2", True, False, MONDAY), Marks("v3", False, True, FRIDAY)
    assert first.joined(second) == second.joined(first) == Marks("v3", False, True, FRIDAY)
    assert first.joined(Marks()) == Marks().joined(first) == first
    assert Marks().joined(Marks()) == Marks()
    assert Marks(signed=True).joined(Marks(signed=True)) == Marks(signed=True)
    assert Marks(keys=False).joined(Marks(keys=False)) == Marks(keys=False)


def test_signatures_that_were_not_seen_now_are_remembered() -> None:
    seen = Marks("v3", True, False, MONDAY)
    assert Marks("v3", published=FRIDAY).filled(seen) == Marks("v3", True, False, FRIDAY)
    assert Marks("v3", False, True).filled(seen) == Marks("v3", False, True)
    assert Marks("v2").filled(seen) == Marks("v2")  # another layout is another build cache
