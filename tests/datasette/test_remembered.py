"""What is read once, and for which catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datasette_spack.serve import datasette_for
from datasette_spack.site.remembered import MOST, remembered

calls: list[tuple[Any, ...]] = []


def read(connection: str, *about: str) -> str:
    calls.append((connection, *about))
    return " ".join(about)


@pytest.fixture(autouse=True)
def _nothing_yet() -> None:
    calls.clear()


def test_each_question_is_read_once(sample_catalog: Path) -> None:
    first, second = datasette_for(sample_catalog), datasette_for(sample_catalog)
    assert [remembered(first, read, it)("here") for it in "aba"] == ["a", "b", "a"]
    assert calls == [("here", "a"), ("here", "b")]
    assert remembered(second, read, "a")("there") == "a"
    assert calls[2:] == [("there", "a")]


def test_the_oldest_are_forgotten(sample_catalog: Path) -> None:
    datasette = datasette_for(sample_catalog)
    for number in range(MOST):
        remembered(datasette, read, str(number))("")
    remembered(datasette, read, "0")("")  # which makes it the last that was asked for
    remembered(datasette, read, "more")("")
    calls.clear()
    for number in (0, 1):
        remembered(datasette, read, str(number))("")
    assert calls == [("", "1")]


def test_an_error_is_not_kept(sample_catalog: Path) -> None:
    datasette = datasette_for(sample_catalog)

    def broken(_: str) -> str:
        calls.append(())
        raise ValueError

    for _ in range(2):
        with pytest.raises(ValueError):  # noqa: PT011
            remembered(datasette, broken)("")
    assert calls == [(), ()]
