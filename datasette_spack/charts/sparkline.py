"""A tiny line for a row of a table."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from datasette_spack.charts.numbers import in_full
from datasette_spack.charts.svg import element, joined, number, picture

_SIZE = (100.0, 24.0)
_LEFT, _RIGHT = 1.0, 96.0
_TOP, _BOTTOM = 3.0, 21.0
_DOT = 2.5


def sparkline(chart_id: str, title: str, values: Sequence[int]) -> Markup:
    """How a quantity went, without numbers.

    Args:
        chart_id: What the ids in the chart begin with; one page must not have it twice.
        title: What the line shows, for those who do not see it.
        values: The values, oldest first.

    Returns:
        The line, from zero at the bottom; nothing if there are no values.
    """
    if not values:
        return Markup("")
    counts = [max(value, 0) for value in values]
    largest = max(counts)
    heights = [_BOTTOM - (_BOTTOM - _TOP) * (count / largest if largest else 0) for count in counts]
    body = joined(
        [
            element("path", d=_line(heights), class_="chart-line"),
            element("circle", cx=_RIGHT, cy=heights[-1], r=_DOT, class_="chart-data"),
        ]
    )
    return picture(
        chart_id,
        title,
        _in_words(counts),
        body,
        kind="sparkline",
        size=_SIZE,
        width=_SIZE[0],
        height=_SIZE[1],
    )


def _line(heights: Sequence[float]) -> str:
    """The line through all heights; of a level stretch only its ends, as tables have many lines."""
    step = (_RIGHT - _LEFT) / max(len(heights) - 1, 1)
    ys = [number(height) for height in heights]
    inner = range(1, len(ys) - 1)
    return "M" + "L".join(
        f"{number(_LEFT + index * step)} {y}"
        for index, y in enumerate(ys)
        if index not in inner or not ys[index - 1] == y == ys[index + 1]
    )


def _in_words(counts: Sequence[int]) -> str:
    if len(counts) == 1:
        return f"{in_full(counts[0])}."
    return (
        f"From {in_full(counts[0])} to {in_full(counts[-1])}, "
        f"between {in_full(min(counts))} and {in_full(max(counts))}."
    )
