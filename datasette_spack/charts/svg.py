"""The one place that writes markup: whatever goes through here is well-formed and escaped."""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML does not allow, and the control characters that it does."""

_HARMLESS_ADDRESS = re.compile(r"https?:|(?![^/?#]*:)", re.IGNORECASE)
"""An address on this site or of another one, but nothing like ``javascript:``."""

_NARROW = frozenset("!',.:;|ijl()[]{}`tfrI-/ ")
_BROAD = frozenset("mwMWOQGCD@%&")


def clean(text: str) -> str:
    """The text without characters that XML forbids, in one line."""
    return " ".join(_FORBIDDEN.sub("", text).split())


def element(
    name: str, *children: str | Markup, **attributes: str | float | Markup | None
) -> Markup:
    """An element; attributes that are None are left out.

    ``class_`` stands for ``class``, and ``aria_label`` for ``aria-label``.
    """
    start = name + "".join(
        f' {attribute.rstrip("_").replace("_", "-")}="{_written(value)}"'
        for attribute, value in attributes.items()
        if value is not None
    )
    content = "".join(map(_written, children))
    written = f"<{start}>{content}</{name}>" if children else f"<{start}/>"
    return Markup(written)  # noqa: S704  # every part of it has been escaped


def joined(parts: list[Markup]) -> Markup:
    """Elements one after the other."""
    return Markup("").join(parts)


def number(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def link(href: str | None, *children: str | Markup) -> Markup:
    """A link around elements, or a mere group of them if there is nowhere to go."""
    address = "".join(clean(href or "").split())
    if not address or not _HARMLESS_ADDRESS.match(address):
        return element("g", *children)
    return element("a", *children, href=address)


def width(text: str, size: float) -> float:
    """About how wide a text is at most, in a font of this size that nobody knows."""
    return size * sum(map(_width, text))


def cut(text: str, room: float, size: float) -> str:
    """The text, cut so that it fits in this room."""
    text = clean(text)
    if width(text, size) <= room:
        return text
    left = room - width("…", size)
    kept = 0
    while kept < len(text) and (left := left - width(text[kept], size)) >= 0:
        kept += 1
    return f"{text[:kept].rstrip()}…"


def hint(text: str, shown: str) -> Markup:
    """The whole of a text of which only a part is shown; nothing if all of it is."""
    text = clean(text)
    return Markup("") if text == shown else element("title", text)


def title_id(chart_id: str) -> str:
    """The id of the title of a chart."""
    return f"{'-'.join(clean(chart_id).split())}-title"


def picture(
    chart_id: str,
    title: str,
    description: str,
    body: Markup,
    *,
    kind: str,
    size: tuple[float, float],
    **attributes: str | float,
) -> Markup:
    """The chart: what it is, what it shows in words, and what it shows.

    To a screen reader it is one image, unless there are links in it: what is inside of an image
    cannot be reached, so then it is a group.
    """
    named = title_id(chart_id)
    described = f"{named.removesuffix('title')}desc"
    return element(
        "svg",
        element("title", clean(title) or kind, id=named),
        element("desc", description, id=described),
        body,
        class_=f"chart chart-{kind}",
        role="group" if "<a " in body else "img",
        aria_labelledby=named,
        aria_describedby=described,
        viewBox=f"0 0 {number(size[0])} {number(size[1])}",
        **attributes,
    )


def _written(value: str | float | Markup) -> str:
    if isinstance(value, Markup):
        return str(value)
    return str(escape(clean(value))) if isinstance(value, str) else number(value)


def _width(character: str) -> float:
    """The width of a character in a broad font, where the size of the font is 1."""
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if character in _NARROW:
        return 0.42
    return 0.9 if character in _BROAD else 0.63
