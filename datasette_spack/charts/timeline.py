"""One quantity over the tags in time, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from datasette_spack.charts.numbers import compact, counted, in_full, percent, ticks
from datasette_spack.charts.svg import clean, cut, element, joined, link, number, picture, width

_SIZE = (320.0, 120.0)
_TOP, _BOTTOM = 9.0, 96.0
_LABELS = 113.0
"""Where the names of the first and the last tag stand."""

_FONT = 12.0
_GAP_BETWEEN_LABELS = 12.0
_LOWEST_COLUMN = 1.0
"""What is not zero is not to look like it."""

_WIDEST_COLUMN = 26.0
_NARROWEST_WITH_GAP = 5.0
"""Columns closer than this touch each other; gaps between them would flicker."""


@dataclass(frozen=True, slots=True)
class Point:
    """A tag, when it was, how much there is in it, and its page."""

    label: str
    date: str | None
    value: int
    href: str | None = None


@dataclass(frozen=True, slots=True)
class _Plot:
    """From a column's number and its value to where it is."""

    left: float
    right: float
    columns: int
    largest: int

    @property
    def step(self) -> float:
        return (self.right - self.left) / self.columns

    @property
    def column(self) -> float:
        """How wide a column is."""
        if self.step < _NARROWEST_WITH_GAP:
            return self.step
        return min(self.step * 0.75, _WIDEST_COLUMN)

    def x(self, index: int) -> float:
        """The middle of a column."""
        return self.left + (index + 0.5) * self.step

    def y(self, value: int) -> float:
        """The upper end of a column."""
        if value <= 0:
            return _BOTTOM
        return _BOTTOM - max((_BOTTOM - _TOP) * (value / self.largest), _LOWEST_COLUMN)


def timeline(chart_id: str, title: str, points: Sequence[Point], unit: str = "binaries") -> Markup:
    """How a quantity went from tag to tag.

    Args:
        chart_id: What the ids in the chart begin with; one page must not have it twice.
        title: What the chart shows, for those who do not see it.
        points: The tags, oldest first.
        unit: What is counted, in the plural.

    Returns:
        The chart; nothing if there are no points.
    """
    if not points:
        return Markup("")
    scale = ticks(max(point.value for point in points))
    widest = max(width(compact(tick), _FONT) for tick in scale)
    plot = _Plot(widest + 6, _SIZE[0] - 2, len(points), scale[-1])
    body = joined(
        [
            _axis(plot, scale),
            _columns(plot, points),
            _labels(plot, points),
            _links(plot, points),
        ]
    )
    return picture(chart_id, title, _in_words(points, unit), body, kind="timeline", size=_SIZE)


def _axis(plot: _Plot, scale: range) -> Markup:
    """The lines across, and what they stand for."""
    lines = "".join(
        f"M{number(plot.left)} {number(plot.y(tick))}H{number(plot.right)}" for tick in scale[1:]
    )
    texts = [
        element("text", compact(tick), x=plot.left - 6, y=plot.y(tick) + 4, class_="chart-end")
        for tick in scale
    ]
    return joined(
        [
            element("path", d=lines, class_="chart-rule"),
            element("g", *texts, class_="chart-muted", aria_hidden="true"),
        ]
    )


def _columns(plot: _Plot, points: Sequence[Point]) -> Markup:
    """All columns as one shape, and the line they stand on."""
    half = plot.column / 2
    ground = f"V{number(_BOTTOM)}"
    shape = f"M{number(plot.left)} {number(_BOTTOM)}"
    for index, point in enumerate(points):
        if plot.column < plot.step:
            shape += f"{ground}H{number(plot.x(index) - half)}"
        shape += f"V{number(plot.y(point.value))}H{number(plot.x(index) + half)}"
    base = f"M{number(plot.left)} {number(_BOTTOM)}H{number(plot.right)}"
    return joined(
        [
            element("path", d=f"{shape}{ground}z", class_="chart-data"),
            element("path", d=base, class_="chart-base"),
        ]
    )


def _labels(plot: _Plot, points: Sequence[Point]) -> Markup:
    """The first and the last tag, each below its column as far as there is room."""
    ends = (0, len(points) - 1) if len(points) > 1 else (0,)
    room = (plot.right - plot.left - _GAP_BETWEEN_LABELS) / len(ends)
    texts = []
    for index in ends:
        text = cut(points[index].label, room, _FONT)
        half = width(text, _FONT) / 2
        middle = plot.x(index)
        if middle - half < plot.left:
            x, anchor = plot.left, "chart-start"
        elif middle + half > plot.right:
            x, anchor = plot.right, "chart-end"
        else:
            x, anchor = middle, "chart-middle"
        texts.append(element("text", text, x=x, y=_LABELS, class_=anchor))
    return element("g", *texts, class_="chart-muted", aria_hidden="true")


def _links(plot: _Plot, points: Sequence[Point]) -> Markup:
    """A stripe over each column, as high as the chart: a short column can be pointed at too."""
    stripes = [
        link(
            point.href,
            element("title", f"{_named(point)}: {in_full(max(point.value, 0))}"),
            element("path", d=f"M{number(plot.x(index))} {number(_TOP)}v{number(_BOTTOM - _TOP)}"),
        )
        for index, point in enumerate(points)
    ]
    return element("g", *stripes, class_="chart-stripes", stroke_width=plot.step)


def _named(point: Point) -> str:
    """The tag, and its date where the name does not say it."""
    label = clean(point.label)
    return label if not point.date or point.date in label else f"{label} ({point.date})"


def _in_words(points: Sequence[Point], unit: str) -> str:
    first, last = points[0], points[-1]
    if len(points) == 1:
        return f"{counted(max(last.value, 0), unit)} in {_named(last)}."
    least = min(points, key=lambda point: point.value)
    most = max(points, key=lambda point: point.value)
    return (
        f"{_trend(max(first.value, 0), max(last.value, 0), unit)} "
        f"over {in_full(len(points))} tags, from {_named(first)} to {_named(last)}. "
        f"Fewest: {in_full(max(least.value, 0))} in {_named(least)}. "
        f"Most: {in_full(max(most.value, 0))} in {_named(most)}."
    )


def _trend(first: int, last: int, unit: str) -> str:
    """From what to what it went, and how much that is where a percentage says something."""
    if first == last:
        return f"{counted(last, unit)} at first and at last"
    by = ""
    if 0 < last < 10 * first:
        by = f" ({percent(abs(last - first), first)} {'more' if last > first else 'fewer'})"
    way = "Up" if last > first else "Down"
    return f"{way} from {in_full(first)} to {counted(last, unit)}{by}"
