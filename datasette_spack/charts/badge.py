"""A badge: two short texts side by side, as READMEs show them."""

from __future__ import annotations

from markupsafe import Markup

from datasette_spack.charts.svg import clean, cut, element, joined, number, width

_HEIGHT, _FONT, _PAD = 20.0, 11.0, 6.0
_ROOM = 260.0
"""How wide one of the texts may be; no version and no tag is wider in practice."""

_LABEL, _THERE, _NONE = "#454b52", "#0a5c86", "#6b6f76"
"""White on each of these has a contrast of more than 4.5."""


def badge(label: str, value: str, *, there: bool) -> Markup:
    """The badge as a whole SVG document; grey where there is nothing to tell.

    Colours are in it, since a README has no style of ours.
    """
    texts = [cut(text, _ROOM, _FONT) for text in (label, value)]
    widths = [width(text, _FONT) + 2 * _PAD for text in texts]
    whole = f"{clean(label)}: {clean(value)}"
    colours = (_LABEL, _THERE if there else _NONE)
    parts, left = [], 0.0
    for text, room, colour in zip(texts, widths, colours, strict=True):
        parts.append(element("rect", x=left, width=room, height=_HEIGHT, fill=colour))
        parts.append(element("text", text, x=left + room / 2, y=14))
        left += room
    return element(
        "svg",
        element("title", whole),
        element(
            "g",
            joined(parts),
            fill="#fff",
            text_anchor="middle",
            font_family="Verdana, DejaVu Sans, sans-serif",
            font_size=_FONT,
        ),
        xmlns="http://www.w3.org/2000/svg",
        width=number(left),
        height=number(_HEIGHT),
        role="img",
        aria_label=whole,
    )
