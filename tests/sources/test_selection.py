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
