"""What the forms of pages let people choose from, as HTML.

Most pages have several lists of dozens of names, and a picker of a hundred tags.  Templates take
twenty times as long to write them, which would be a fifth of the time of a page.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from markupsafe import Markup, escape

from etl.catalog.asking import Row
from etl.spack.tags import parse_tag

_GROUPS: Final = {
    "release": "Releases",
    "develop": "Snapshots of develop",
    "snapshot": "Snapshots of develop",
    "other": "Other tags",
}
"""The headings of tags, by their kind."""

_KEPT = 5_000


def options(values: Iterable[str], chosen: str | None = None) -> Markup:
    """The options of a picker; the one that is chosen is selected."""
    return _markup([_option(value, value == chosen) for value in values])


def suggestions(values: Iterable[str]) -> Markup:
    """The options of a field that takes any text."""
    return _markup([f'<option value="{_text(value)}"></option>' for value in values])


def tag_options(tags: Iterable[str | Row], chosen: str | None, counted: bool = False) -> Markup:
    """The tags of a picker, releases apart from snapshots; of each its binaries if wanted."""
    groups: dict[str, list[str]] = {heading: [] for heading in _GROUPS.values()}
    for it in tags:
        name = it if isinstance(it, str) else it["tag"]
        selected = " selected" if name == chosen else ""
        number = "" if isinstance(it, str) or not counted else f" ({it['binaries']:,})"
        text = _text(name)
        option = f'<option value="{text}"{selected}>{text}{number}</option>'
        groups[_GROUPS[tag_kind(name)]].append(option)
    return _markup(
        [
            f'<optgroup label="{heading}">{"".join(found)}</optgroup>'
            for heading, found in groups.items()
            if found
        ]
    )


@lru_cache(_KEPT)
def tag_kind(name: str) -> str:
    """Whether a tag is a release, a snapshot, or something else, by its name."""
    return parse_tag(name).kind


def _option(value: str, selected: bool) -> str:
    return f"<option{' selected' if selected else ''}>{_text(value)}</option>"


def _markup(pieces: list[str]) -> Markup:
    return Markup("".join(pieces))  # noqa: S704 - all that is not ours in them is escaped


@lru_cache(_KEPT)
def _text(value: str) -> str:
    return str(escape(value))
