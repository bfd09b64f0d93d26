"""How many of each version are in each tag, as a table of coloured numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from datasette_spack.charts.numbers import compact, in_full
from datasette_spack.charts.svg import (
    clean,
    cut,
    element,
    hint,
    joined,
    link,
    number,
    picture,
    title_id,
    width,
)

LEVELS = 6
"""Colours from the fewest to the most, ``--level-0`` to ``--level-5`` in the style."""

_FONT = 12.0
_CELL_FONT = 11.0
_ROW = 21.0
_BASELINE = 14.0
"""Where in its row a text stands: all places are whole numbers, which are short to write."""

_ROW_LABEL_ROOM = 112.0
_COLUMN_LABEL_ROOM = 136.0
_PAD = 8.0
_NARROWEST_CELL = 23.0
_GAP = 1.0

_SPREAD = math.log(12)
"""Counts that differ by less than this are not worth all colours."""

Counts = Mapping[tuple[int, int], int]
"""How many there are, by numbers of row and column."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a row or a column is called, and the page of it."""

    text: str
    href: str | None = None


@dataclass(frozen=True, slots=True)
class _Grid:
    """Where rows and columns are."""

    rows: int
    columns: int
    head: float
    cell: float

    @property
    def width(self) -> float:
        return self.columns * self.cell

    @property
    def height(self) -> float:
        return self.head + self.rows * _ROW + _GAP

    def x(self, column: int) -> float:
        return column * self.cell

    def y(self, row: int) -> float:
        return self.head + row * _ROW


def matrix(
    chart_id: str,
    title: str,
    rows: Sequence[Label],
    columns: Sequence[Label],
    counts: Counts,
    row_title: str = "version",
    column_title: str = "tag",
) -> Markup:
    """How many there are of each row in each column; none is blank.

    It does not shrink but scrolls, and the names of the rows stay in sight.

    Args:
        chart_id: What the ids in the chart begin with; one page must not have it twice.
        title: What the chart shows, for those who do not see it.
        rows: The rows from top to bottom.
        columns: The columns from left to right.
        counts: How many, by numbers of row and column.
        row_title: What a row is.
        column_title: What a column is.

    Returns:
        The chart in its container; nothing if there are no rows or no columns.
    """
    if not rows or not columns:
        return Markup("")
    filled = {
        (row, column): count
        for (row, column), count in counts.items()
        if count > 0 and 0 <= row < len(rows) and 0 <= column < len(columns)
    }
    headers = [cut(column.text, _COLUMN_LABEL_ROOM, _CELL_FONT) for column in columns]
    longest = max((width(compact(count), _CELL_FONT) for count in filled.values()), default=0.0)
    grid = _Grid(
        rows=len(rows),
        columns=len(columns),
        head=max(2 * _ROW, math.ceil(max(width(it, _CELL_FONT) for it in headers)) + _PAD),
        cell=max(_NARROWEST_CELL, 2 * math.ceil((longest + 4) / 2) + _GAP),
    )
    cells = picture(
        chart_id,
        title,
        _in_words(rows, columns, filled, row_title, column_title),
        joined([_rules(grid), _headers(grid, columns, headers), _cells(grid, filled)]),
        kind="matrix",
        size=(grid.width, grid.height),
        width=grid.width,
        height=grid.height,
    )
    return element(
        "div",
        _row_labels(grid, rows, row_title, column_title),
        cells,
        class_="chart-scroll",
        role="group",
        aria_labelledby=title_id(chart_id),
        tabindex=0,
    )


def _row_labels(grid: _Grid, rows: Sequence[Label], row_title: str, column_title: str) -> Markup:
    """The names of the rows: a picture of their own, which stays where it is."""
    names = [cut(row.text, _ROW_LABEL_ROOM, _FONT) for row in rows]
    corner = (f"{clean(column_title)} →", f"{clean(row_title)} ↓")
    room = max(*(width(name, _FONT) for name in names), *(width(it, _CELL_FONT) for it in corner))
    end = room + 2
    titles = [
        element("text", text, x=end, y=grid.head - _ROW * up + _BASELINE, class_="chart-end")
        for text, up in zip(corner, (1.8, 1), strict=True)
    ]
    labels = [
        link(
            row.href,
            hint(row.text, name),
            element("text", name, x=end, y=grid.y(index) + _BASELINE, class_="chart-end"),
        )
        for index, (row, name) in enumerate(zip(rows, names, strict=True))
    ]
    size = (math.ceil(end + _PAD), grid.height)
    return element(
        "svg",
        element("g", *titles, class_="chart-muted chart-small", aria_hidden="true"),
        *labels,
        class_="chart chart-rows",
        role="group",
        aria_label=row_title,
        viewBox=f"0 0 {size[0]} {number(size[1])}",
        width=size[0],
        height=size[1],
    )


def _headers(grid: _Grid, columns: Sequence[Label], headers: Sequence[str]) -> Markup:
    """The names of the columns, from bottom to top."""
    labels = []
    for index, (column, header) in enumerate(zip(columns, headers, strict=True)):
        x, y = grid.x(index) + grid.cell / 2 + 4, grid.head - _PAD / 2
        turned = element("text", header, x=x, y=y, transform=f"rotate(-90 {number(x)} {number(y)})")
        labels.append(link(column.href, hint(column.text, header), turned))
    return element("g", *labels, class_="chart-small")


def _rules(grid: _Grid) -> Markup:
    """A line below each row, to find one's way among blank cells."""
    lines = "".join(
        f"M0 {number(grid.y(row) - _GAP / 2)}h{number(grid.width)}" for row in range(grid.rows + 1)
    )
    return element("path", d=lines, class_="chart-rule")


def _cells(grid: _Grid, filled: Counts) -> Markup:
    """The cells level by level: their background is one shape for each level."""
    logarithms = [math.log(count) for count in filled.values()]
    lowest, highest = min(logarithms, default=0.0), max(logarithms, default=0.0)
    span = max(highest - lowest, _SPREAD)
    levels: list[list[tuple[int, int]]] = [[] for _ in range(LEVELS)]
    for place, count in filled.items():
        level = int((math.log(count) - lowest) / span * LEVELS)
        levels[min(level, LEVELS - 1)].append(place)
    return element(
        "g",
        *(
            _level(grid, level, sorted(places), filled)
            for level, places in enumerate(levels)
            if places
        ),
        class_="chart-cells",
        aria_hidden="true",
    )


def _level(grid: _Grid, level: int, places: Sequence[tuple[int, int]], filled: Counts) -> Markup:
    box = f"h{number(grid.cell - _GAP)}v{number(_ROW - _GAP)}h{number(_GAP - grid.cell)}z"
    shape = "".join(
        f"M{number(grid.x(column))} {number(grid.y(row))}{box}" for row, column in places
    )
    texts = (
        element(
            "text",
            compact(filled[row, column]),
            x=grid.x(column) + (grid.cell - _GAP) / 2,
            y=grid.y(row) + _BASELINE,
        )
        for row, column in places
    )
    return element("g", element("path", d=shape), *texts, class_=f"chart-level-{level}")


def _in_words(
    rows: Sequence[Label],
    columns: Sequence[Label],
    filled: Counts,
    row_title: str,
    column_title: str,
) -> str:
    size = f"A table with a row for each {row_title} ({in_full(len(rows))}) and a column for each "
    size += f"{column_title} ({in_full(len(columns))})."
    if not filled:
        return f"{size} All cells are empty."
    row, column = max(sorted(filled), key=filled.__getitem__)
    empty = len(rows) * len(columns) - len(filled)
    return (
        f"{size} Counts go from {in_full(min(filled.values()))} to "
        f"{in_full(filled[row, column])}, which is {row_title} {rows[row].text} in "
        f"{column_title} {columns[column].text}. "
        + (f"{in_full(empty)} cells are empty." if empty else "No cell is empty.")
    )
