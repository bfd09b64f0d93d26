"""The options of pickers, as HTML: what is chosen is selected, and nothing in a name is markup."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from markupsafe import Markup

from datasette_spack.options import options, suggestions, tag_options

HOSTILE = """<b a='"'>&"""
ESCAPED = "&lt;b a=&#39;&#34;&#39;&gt;&amp;"


def test_what_is_chosen_is_selected() -> None:
    assert options(["a", "b", "c"], "b") == (
        "<option>a</option><option selected>b</option><option>c</option>"
    )
    assert options(["a"]) == options(["a"], "z") == "<option>a</option>"
    assert options([]) == ""


def test_suggestions_are_values() -> None:
    assert suggestions(["a", "b"]) == '<option value="a"></option><option value="b"></option>'


def test_tags_are_grouped_by_kind_and_keep_their_order() -> None:
    tags = ["develop-2025-01-12", "v1.1.0", "develop", "mine", "v1.0.2"]
    assert tag_options(tags, "develop") == (
        '<optgroup label="Releases"><option value="v1.1.0">v1.1.0</option>'
        '<option value="v1.0.2">v1.0.2</option></optgroup>'
        '<optgroup label="Snapshots of develop">'
        '<option value="develop-2025-01-12">develop-2025-01-12</option>'
        '<option value="develop" selected>develop</option></optgroup>'
        '<optgroup label="Other tags"><option value="mine">mine</option></optgroup>'
    )
    assert tag_options([], None) == ""


def test_tags_may_tell_how_many_binaries_they_have() -> None:
    rows = [{"tag": "v1.0.2", "binaries": 12_345}]
    assert tag_options(rows, None, True) == (
        '<optgroup label="Releases"><option value="v1.0.2">v1.0.2 (12,345)</option></optgroup>'
    )
    assert tag_options(rows, None) == tag_options(["v1.0.2"], None)


@pytest.mark.parametrize(
    ("write", "written"),
    [
        (lambda name: options([name], name), f"<option selected>{ESCAPED}</option>"),
        (lambda name: suggestions([name]), f'<option value="{ESCAPED}"></option>'),
        (
            lambda name: tag_options([name], None),
            f'<optgroup label="Other tags"><option value="{ESCAPED}">{ESCAPED}</option></optgroup>',
        ),
    ],
)
def test_names_are_no_markup(write: Callable[[str], Any], written: str) -> None:
    found = write(HOSTILE)
    assert isinstance(found, Markup)
    assert found == written
