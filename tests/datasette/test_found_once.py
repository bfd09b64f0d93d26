"""One process finds something out, the others are told; and none waits for one that has died."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from datasette_spack.found_once import found_once
from datasette_spack.serve import datasette_for
from tests.running import PATIENCE


class Finder:
    """Counts how often it had to find something."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> str:
        self.times += 1
        return f"found {self.times}"


def test_what_one_has_found_the_others_are_told(tmp_path: Path) -> None:
    find = Finder()
    assert [found_once(tmp_path, "a", find) for _ in range(3)] == ["found 1"] * 3
    assert found_once(tmp_path, "b", find) == "found 2"
    assert sorted(it.name for it in tmp_path.iterdir()) == ["a", "b"]


def test_who_comes_while_one_is_looking_waits_for_it(tmp_path: Path) -> None:
    looking, go_on = threading.Event(), threading.Event()
    told: list[str] = []

    def slow() -> str:
        looking.set()
        assert go_on.wait(PATIENCE)
        return "slow"

    def ask(find: Finder) -> None:
        told.append(found_once(tmp_path, "a", find, patience=3600))

    first = threading.Thread(target=lambda: told.append(found_once(tmp_path, "a", slow)))
    first.start()
    assert looking.wait(PATIENCE)
    finders = [Finder() for _ in range(3)]
    others = [threading.Thread(target=ask, args=(find,)) for find in finders]
    for other in others:
        other.start()
    go_on.set()
    for thread in (first, *others):
        thread.join()
    assert told == ["slow"] * 4
    assert [find.times for find in finders] == [0, 0, 0]


def test_each_finds_out_where_there_is_no_folder(tmp_path: Path) -> None:
    find = Finder()
    assert found_once(None, "a", find) == "found 1"
    assert found_once(tmp_path / "removed", "a", find) == "found 2"


def test_who_fails_leaves_it_to_others(tmp_path: Path) -> None:
    def fails() -> str:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        found_once(tmp_path, "a", fails)
    assert list(tmp_path.iterdir()) == []
    assert found_once(tmp_path, "a", Finder()) == "found 1"


def test_nobody_waits_for_ever_for_one_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "a.claim").touch()
    assert found_once(tmp_path, "a", Finder(), patience=0) == "found 1"


async def test_workers_open_a_catalog_alike(sample_catalog: Path, tmp_path: Path) -> None:
    first, second = (datasette_for(sample_catalog, shared=tmp_path) for _ in range(2))
    alone = datasette_for(sample_catalog)
    assert len(list(tmp_path.iterdir())) == 2
    for other in (second, alone):
        assert other.inspect_data == first.inspect_data
        tables = await first.get_database("catalog").table_counts(1)
        assert await other.get_database("catalog").table_counts(1) == tables
    for datasette in (first, second, alone):
        datasette.get_database("catalog").close()
