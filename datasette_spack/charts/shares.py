"""How a whole is divided, as horizontal bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from datasette_spack.charts.numbers import compact, in_full, percent
from datasette_spack.charts.svg import cut, element, hint, joined, link, number, picture, width

_WIDTH = 320.0
_ROW = 27.0
_TEXT = 13.0
"""Where in its row a text stands."""

_BAR = 18.0
_BAR_HEIGHT = 5.0
_FONT = 12.0
_PERCENT_ROOM = 44.0
_MOST_IN_FULL = 10**7
_SAID = 3
"""Parts that the description names."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the whole, how much it is, and the page of it."""

    label: str
    count: int
    href: str | None = None


def shares(chart_id: str, title: str, parts: Sequence[Part], total: int, most: int = 10) -> Markup:
    """How much of the whole each part is.

    Args:
        chart_id: What the ids in the chart begin with; one page must not have it twice.
        title: What the chart shows, for those who do not see it.
        parts: The parts, in the order to show them.
        total: The whole: as much as the longest possible bar.
        most: Parts to show; the rest is one bar.

    Returns:
        The chart; nothing if there are no parts.
    """
    if not parts:
        return Markup("")
    shown, rest = list(parts[:most]), parts[most:]
    if rest:
        others = sum(max(part.count, 0) for part in rest)
        shown.append(Part(f"others ({in_full(len(rest))})", others))
    body = joined(
        [
            _bars(shown, total, others=bool(rest)),
            *(_row(row, part, total) for row, part in enumerate(shown)),
        ]
    )
    return picture(
        chart_id,
        title,
        _in_words(parts, total),
        body,
        kind="shares",
        size=(_WIDTH, len(shown) * _ROW),
    )


def _bars(parts: Sequence[Part], total: int, *, others: bool) -> Markup:
    """All bars as one shape, each on a track as long as the whole; that of the others is apart."""
    tracks, bars = [], []
    for row, part in enumerate(parts):
        y = row * _ROW + _BAR
        share = min(max(part.count, 0), total) / total if total > 0 else 0.0
        tracks.append(_bar(y, _WIDTH))
        bars.append(_bar(y, max(share * _WIDTH, 1.0)) if share else "")
    rest = bars.pop() if others else ""
    shapes = {"chart-track": "".join(tracks), "chart-data": "".join(bars), "chart-rest": rest}
    return joined([element("path", d=d, class_=name) for name, d in shapes.items() if d])


def _bar(y: float, length: float) -> str:
    return f"M0 {number(y)}h{number(length)}v{number(_BAR_HEIGHT)}H0z"


def _row(row: int, part: Part, total: int) -> Markup:
    """What the part is called, how many and how much of the whole."""
    count = max(part.count, 0)
    y = row * _ROW + _TEXT
    digits = in_full(count) if count < _MOST_IN_FULL else compact(count)
    end = _WIDTH - _PERCENT_ROOM if total > 0 else _WIDTH
    label = cut(part.label, end - width(digits, _FONT) - _FONT, _FONT)
    return joined(
        [
            link(part.href, hint(part.label, label), element("text", label, x=0, y=y)),
            element("text", digits, x=end, y=y, class_="chart-end"),
            element("text", percent(count, total), x=_WIDTH, y=y, class_="chart-end chart-muted"),
        ]
    )


def _in_words(parts: Sequence[Part], total: int) -> str:
    said = []
    for part in sorted(parts, key=lambda part: -part.count)[:_SAID]:
        count = max(part.count, 0)
        share = percent(count, total)
        said.append(f"{part.label}: {in_full(count)}{share and f' ({share})'}")
    more = len(parts) - len(said)
    whole = f"Of {in_full(total)}, largest first: " if total > 0 else "Largest first: "
    return whole + "; ".join(said) + (f"; and {in_full(more)} more." if more else ".")
