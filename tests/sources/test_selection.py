"""Which files need not be read for what is asked for."""

from __future__ import annotations

import pytest

from etl.sources.selection import Selection


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ("_cache/v1/a/specs.md", True),
        ("_cache/v1/b/specs.md", False),
        ("_cache/v2/a/specs.md", False),
        ("site/_cache/v1/a/specs.md", True),
        ("site/_cache/v1/b/specs.md", False),
        # What lies elsewhere tells by what is in it.
        ("v2/b/specs.md", True),
        ("my_cache/v2/b/specs.md", True),
        ("cache/v2/b/specs.md", True),
        ("specs.md", True),
    ],
)
def test_places_tell_tags_and_packages(place: str, wanted: bool) -> None:
    selection = Selection(tags=frozenset({"v1"}), packages=frozenset({"a"}))
    assert selection.wants_place(place) is wanted
    assert Selection().wants_place(place)


@pytest.mark.parametrize(
    ("selection", "words"),
    [
        (Selection(), []),
        (Selection(tags=frozenset({"v2", "v1"})), ["--tag", "v1", "--tag", "v2"]),
        (Selection(stacks=frozenset({"e4s"})), ["--stack", "e4s"]),
        (Selection(packages=frozenset({"hdf5"})), ["--package", "hdf5"]),
        (Selection(views=frozenset({"py"})), ["--view", "py"]),
        (Selection(owner="v1/e4s"), ["--as", "v1/e4s"]),
        (
            Selection(
                frozenset({"v1"}), frozenset({"e4s"}), frozenset({"b", "a"}), frozenset({"py"}), "o"
            ),
            ["--tag", "v1", "--stack", "e4s", "--package", "a", "--package", "b", "--view", "py",
             "--as", "o"],
        ),
    ],
)  # fmt: skip
def test_the_words_that_ask_for_it(selection: Selection, words: list[str]) -> None:
    assert [*selection.options()] == words
    assert Selection.of_options(words) == selection
    assert selection.is_whole is not bool({*words} & {"--tag", "--stack", "--package", "--view"})
