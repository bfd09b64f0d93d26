from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from datasette_spack.charts import Label, Part, Point, matrix, shares, sparkline, timeline
from datasette_spack.charts.matrix import LEVELS
from datasette_spack.charts.numbers import compact, counted, in_full, percent, ticks
from datasette_spack.charts.svg import clean, cut, element, link

STYLE = Path(__file__).parents[2] / "datasette_spack" / "static" / "charts.css"
HOSTILE = "<script>&\"'\x00\x08\x1f\x85\ufffe\ud800]]>-->"


def texts(chart: ET.Element, name: str = "text") -> list[str]:
    return ["".join(found.itertext()) for found in chart.iter(name)]


def described(chart: Markup) -> str:
    (text,) = texts(ET.fromstring(chart), "desc")
    return text


# Numbers


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (1249, "1.2k"),
        (9949, "9.9k"),
        (9950, "10k"),
        (60_000, "60k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (3_400_000, "3.4M"),
        (2 * 10**9, "2G"),
        (10**14, "100T"),
        (10**15, "1e15"),
        (10**400, "1e400"),
    ],
)
def test_short_numbers(number: int, text: str) -> None:
    assert compact(number) == text


def test_numbers_in_full() -> None:
    assert in_full(1_234_567) == "1,234,567"
    assert in_full(10**5000) == "1e5000"
    assert counted(1, "binaries") == "1 binary"
    assert counted(1, "tags") == "1 tag"
    assert counted(0, "binaries") == "0 binaries"


@pytest.mark.parametrize(
    ("count", "total", "text"),
    [
        (0, 10, "0%"),
        (-1, 10, "0%"),
        (1, 1000, "<1%"),
        (1, 3, "33%"),
        (999, 1000, ">99%"),
        (1000, 1000, "100%"),
        (3, 2, "150%"),
        (10**400, 1, ">999%"),
        (1, 0, ""),
    ],
)
def test_percentages_do_not_lie_at_the_ends(count: int, total: int, text: str) -> None:
    assert percent(count, total) == text


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (4, [0, 2, 4]),
        (7, [0, 5, 10]),
        (1062, [0, 500, 1000, 1500]),
        (54_889, [0, 20_000, 40_000, 60_000]),
    ],
)
def test_ticks_are_round(largest: int, expected: list[int]) -> None:
    assert list(ticks(largest)) == expected


# Markup


def test_what_xml_forbids_is_left_out() -> None:
    assert clean(f" a\n\tb {HOSTILE}") == "a b <script>&\"']]>-->"
    assert clean("tab\tand \U0001f600") == "tab and \U0001f600"


def test_everything_is_escaped() -> None:
    written = element("text", "<b>&", element("tspan"), class_='"x"', left_out=None, x=-0.01)
    assert written == '<text class="&#34;x&#34;" x="0">&lt;b&gt;&amp;<tspan/></text>'


@pytest.mark.parametrize(
    "address", ["/tag/develop", "?a=b:c", "#here", "find/x:y", "https://spack.io/", "HTTP://x"]
)
def test_addresses_that_are_linked(address: str) -> None:
    assert ET.fromstring(link(address, "x")).attrib == {"href": address}


@pytest.mark.parametrize(
    "address",
    [None, "", " ", "javascript:alert(1)", " JavaScript:x", "java\tscript:x", "\x01data:x", "vb:x"],
)
def test_addresses_that_are_not_linked(address: str | None) -> None:
    assert link(address, "x") == "<g>x</g>"


def test_a_text_is_cut_where_the_room_ends() -> None:
    assert cut("hdf5", 100, 12) == "hdf5"
    assert cut("n" * 200, 100, 12) == "n" * 12 + "…"
    assert cut("a b c d", 22, 12) == "a…"
    assert cut("日本語" * 9, 50, 12) == "日本語…"
    assert cut("x", 0, 12) == "…"


# Timeline


POINTS = [
    Point("v0.22.0", "2024-05-12", 1500, "/tag/v0.22.0"),
    Point("develop-2025-01-05", "2025-01-05", 0, "/tag/develop-2025-01-05"),
    Point("develop", None, 2400, "/tag/develop"),
]


def test_a_timeline() -> None:
    chart = ET.fromstring(timeline("t", "Binaries over time", POINTS))
    assert chart.attrib == {
        "class": "chart chart-timeline",
        "role": "group",
        "aria-labelledby": "t-title",
        "aria-describedby": "t-desc",
        "viewBox": "0 0 320 120",
    }
    assert chart[0].attrib == {"id": "t-title"}
    assert chart[1].attrib == {"id": "t-desc"}
    assert texts(chart) == ["0", "1k", "2k", "3k", "v0.22.0", "develop"]
    assert texts(chart, "title") == [
        "Binaries over time",
        "v0.22.0 (2024-05-12): 1,500",
        "develop-2025-01-05: 0",
        "develop: 2,400",
    ]
    assert [found.attrib["href"] for found in chart.iter("a")] == [it.href for it in POINTS]


def test_a_column_is_as_high_as_its_value() -> None:
    points = [Point("a", None, 3), Point("b", None, 4), Point("c", None, 0)]
    chart = ET.fromstring(timeline("t", "t", points))
    (shape,) = [it.attrib["d"] for it in chart.iter("path") if it.get("class") == "chart-data"]
    # Three of four, four of four, and nothing; the columns stand on the line at 96.
    assert re.findall(r"V([\d.]+)", shape) == ["96", "30.8", "96", "9", "96", "96", "96"]


def test_a_small_column_can_be_seen() -> None:
    chart = timeline("t", "t", [Point("a", None, 1), Point("b", None, 10**6)])
    assert "V95H" in chart


def test_what_a_timeline_says() -> None:
    assert described(timeline("t", "t", POINTS)) == (
        "Up from 1,500 to 2,400 binaries (60% more) over 3 tags, from v0.22.0 (2024-05-12) to "
        "develop. Fewest: 0 in develop-2025-01-05. Most: 2,400 in develop."
    )
    down = [Point("a", None, 4), Point("b", None, 1)]
    assert described(timeline("t", "t", down, "packages")).startswith(
        "Down from 4 to 1 package (75% fewer) over 2 tags"
    )
    level = [Point("a", None, 4), Point("b", None, 4)]
    assert described(timeline("t", "t", level)).startswith("4 binaries at first and at last over")
    from_nothing = [Point("a", None, 0), Point("b", None, 4)]
    assert described(timeline("t", "t", from_nothing)).startswith("Up from 0 to 4 binaries over")
    assert described(timeline("t", "t", level[:1])) == "4 binaries in a."


def test_without_links_a_chart_is_an_image() -> None:
    chart = ET.fromstring(timeline("t", "<a href", [Point("<a x", None, 3)]))
    assert chart.attrib["role"] == "img"
    assert list(chart.iter("a")) == []


def test_a_long_timeline_is_small() -> None:
    days = [f"2025-{number // 28 + 1:02}-{number % 28 + 1:02}" for number in range(200)]
    points = [
        Point(f"develop-{day}", day, 60_000 + 137 * number, f"/tag/develop-{day}")
        for number, day in enumerate(days)
    ]
    chart = timeline("t", "Binaries over time", points)
    assert len(chart.encode()) < 25_000
    assert len(list(ET.fromstring(chart).iter("a"))) == 200


# Matrix


def test_a_matrix() -> None:
    rows = [Label("1.14.6", "/package/hdf5?version=1.14.6"), Label("1.14.5")]
    columns = [Label("develop", "/tag/develop"), Label("v0.22.0", "/tag/v0.22.0")]
    counts = {(0, 0): 1234, (0, 1): 1, (1, 1): 0, (1, 2): 7, (-1, 0): 7, (2, 0): 7}
    container = ET.fromstring(matrix("m", "hdf5", rows, columns, counts))
    assert container.attrib == {
        "class": "chart-scroll",
        "role": "group",
        "aria-labelledby": "m-title",
        "tabindex": "0",
    }
    names, cells = container
    assert texts(names) == ["tag →", "version ↓", "1.14.6", "1.14.5"]
    assert texts(cells) == ["develop", "v0.22.0", "1", "1.2k"]
    assert [it.attrib["href"] for it in container.iter("a")] == [
        "/package/hdf5?version=1.14.6",
        "/tag/develop",
        "/tag/v0.22.0",
    ]
    levels = {
        it.attrib["class"]: (texts(it), it[0].attrib["d"])
        for it in cells.iter("g")
        if it.get("class", "").startswith("chart-level")
    }
    assert levels == {
        "chart-level-0": (["1"], "M31 55h30v20h-30z"),
        "chart-level-5": (["1.2k"], "M0 55h30v20h-30z"),
    }
    assert texts(cells, "desc") == [
        "A table with a row for each version (2) and a column for each tag (2). Counts go from 1 "
        "to 1,234, which is version 1.14.6 in tag develop. 2 cells are empty."
    ]


def test_a_matrix_without_counts() -> None:
    chart = matrix("m", "hdf5", [Label("a")], [Label("b")], {}, "row", "column")
    (text,) = texts(ET.fromstring(chart), "desc")
    assert text == (
        "A table with a row for each row (1) and a column for each column (1). All cells are empty."
    )


def test_counts_that_hardly_differ_have_one_colour() -> None:
    chart = matrix("m", "t", [Label("a")], [Label("b"), Label("c")], {(0, 0): 100, (0, 1): 110})
    assert re.findall(r"chart-level-\d", chart) == ["chart-level-0"]


def test_a_full_matrix_is_small() -> None:
    rows = [Label(f"1.14.{row}", f"/package/hdf5?version=1.14.{row}") for row in range(30)]
    columns = [
        Label(f"develop-2025-01-{column + 1:02}", f"/tag/develop-2025-01-{column + 1:02}")
        for column in range(30)
    ]
    counts = {
        (row, column): 100 * (1 + 97 * row) + column for row in range(30) for column in range(30)
    }
    chart = matrix("m", "hdf5", rows, columns, counts)
    assert len(chart.encode()) < 60_000
    cells = ET.fromstring(chart)[1]
    assert len(texts(cells)) == 30 + 900
    levels = [it for it in cells.iter("g") if it.get("class", "").startswith("chart-level")]
    assert [len(level.findall("path")) for level in levels] == [1] * len(levels)
    assert sum(level[0].attrib["d"].count("M") for level in levels) == 900


# Shares


def test_shares() -> None:
    parts = [Part("zen4", 75, "/find?target=zen4"), Part("x86_64_v3", 25)]
    chart = ET.fromstring(shares("s", "By target", parts, 100))
    assert texts(chart) == ["zen4", "75", "75%", "x86_64_v3", "25", "25%"]
    assert [it.attrib["href"] for it in chart.iter("a")] == ["/find?target=zen4"]
    shapes = {it.attrib["class"]: it.attrib["d"] for it in chart.iter("path")}
    assert shapes == {
        "chart-track": "M0 18h320v5H0zM0 45h320v5H0z",
        "chart-data": "M0 18h240v5H0zM0 45h80v5H0z",
    }
    assert texts(chart, "desc") == ["Of 100, largest first: zen4: 75 (75%); x86_64_v3: 25 (25%)."]


def test_the_smaller_parts_are_summed() -> None:
    parts = [Part(f"gcc@{number}", 20 - number) for number in range(13)]
    chart = ET.fromstring(shares("s", "By compiler", parts, 1000))
    assert texts(chart)[-6:] == ["gcc@9", "11", "1%", "others (3)", "27", "3%"]
    shapes = {it.attrib["class"]: it.attrib["d"] for it in chart.iter("path")}
    assert shapes["chart-rest"] == "M0 288h8.6v5H0z"
    assert shapes["chart-data"].count("z") == 10
    assert texts(chart, "desc") == [
        "Of 1,000, largest first: gcc@0: 20 (2%); gcc@1: 19 (2%); gcc@2: 18 (2%); and 10 more."
    ]
    assert texts(ET.fromstring(shares("s", "t", parts[:4], 1000, most=2)))[-3:] == [
        "others (2)",
        "35",
        "4%",
    ]


def test_shares_of_nothing_and_of_too_little() -> None:
    nothing = ET.fromstring(shares("s", "t", [Part("a", 3)], 0))
    assert texts(nothing) == ["a", "3", ""]
    assert texts(nothing, "desc") == ["Largest first: a: 3."]
    assert [it.attrib["class"] for it in nothing.iter("path")] == ["chart-track"]
    too_much = shares("s", "t", [Part("a", 10**400)], 1)
    assert '<path d="M0 18h320v5H0z" class="chart-data"/>' in too_much


# Sparkline


def test_a_sparkline() -> None:
    chart = ET.fromstring(sparkline("e4s", "e4s over time", [0, 6, 6, 6, 3]))
    assert chart.attrib["role"] == "img"
    assert (chart.attrib["width"], chart.attrib["height"]) == ("100", "24")
    assert chart[2].attrib["d"] == "M1 21L24.8 3L72.2 3L96 12"
    assert chart[3].attrib == {"cx": "96", "cy": "12", "r": "2.5", "class": "chart-data"}
    assert texts(chart, "title") == ["e4s over time"]
    assert texts(chart, "desc") == ["From 0 to 3, between 0 and 6."]


def test_a_sparkline_of_one_value_and_of_nothing() -> None:
    assert described(sparkline("s", "t", [7])) == "7."
    assert ' d="M1 21L96 21"' in sparkline("s", "t", [0, 0])


# What holds for all


@pytest.mark.parametrize(
    "chart",
    [
        timeline("t", "t", []),
        matrix("m", "t", [], [Label("a")], {(0, 0): 1}),
        matrix("m", "t", [Label("a")], [], {(0, 0): 1}),
        shares("s", "t", [], 10),
        sparkline("s", "t", []),
    ],
)
def test_without_data_there_is_no_chart(chart: Markup) -> None:
    assert chart == Markup("")
    assert isinstance(chart, Markup)


LONG = "n" * 200
CHARTS: list[Callable[[str], Markup]] = [
    lambda text: timeline(text, text, [Point(text, text, 1, text), Point(text, None, 2)], text),
    lambda text: matrix(text, text, [Label(text, text)], [Label(text)], {(0, 0): 1}, text, text),
    lambda text: shares(text, text, [Part(text, 1, text)] * 12, 12),
    lambda text: sparkline(text, text, [1, 2]),
]


@pytest.mark.parametrize("draw", CHARTS)
def test_hostile_texts_are_only_texts(draw: Callable[[str], Markup]) -> None:
    chart = ET.fromstring(draw(HOSTILE))
    names = {found.tag for found in chart.iter()}
    assert names <= {"svg", "title", "desc", "g", "a", "path", "text", "circle", "div"}
    assert clean(HOSTILE) in texts(chart, "title")


@pytest.mark.parametrize("draw", CHARTS[:3])
def test_a_long_label_is_cut_and_kept_in_its_title(draw: Callable[[str], Markup]) -> None:
    chart = ET.fromstring(draw(LONG))
    assert all(len(text) < 50 or "↓" in text or "→" in text for text in texts(chart))
    assert any(LONG in text for text in texts(chart, "title")[1:])


numbers = st.integers(min_value=-(10**6), max_value=10**330) | st.integers(0, 100_000)
addresses = st.none() | st.text()
charts = st.one_of(
    st.builds(
        timeline,
        st.text(),
        st.text(),
        st.lists(
            st.builds(Point, st.text(), st.none() | st.text(), numbers, addresses), min_size=1
        ),
        st.text(),
    ),
    st.builds(
        matrix,
        st.text(),
        st.text(),
        st.lists(st.builds(Label, st.text(), addresses), min_size=1),
        st.lists(st.builds(Label, st.text(), addresses), min_size=1),
        st.dictionaries(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), numbers),
        st.text(),
        st.text(),
    ),
    st.builds(
        shares,
        st.text(),
        st.text(),
        st.lists(st.builds(Part, st.text(), numbers, addresses), min_size=1, max_size=14),
        numbers,
    ),
    st.builds(sparkline, st.text(), st.text(), st.lists(numbers, min_size=1)),
)


@given(charts)
def test_every_chart_is_well_formed_and_harmless(chart: Markup) -> None:
    tree = ET.fromstring(chart.encode())
    attributes = {name: value for found in tree.iter() for name, value in found.attrib.items()}
    assert attributes.keys().isdisjoint({"style", "fill", "stroke", "onload", "onclick"})
    ids = [found.attrib["id"] for found in tree.iter() if "id" in found.attrib]
    assert len(ids) == len(set(ids)) == 2
    (picture,) = [found for found in tree.iter("svg") if "aria-describedby" in found.attrib]
    assert [picture.attrib[it] for it in ("aria-labelledby", "aria-describedby")] == ids
    assert all(text for text in (*texts(picture, "title")[:1], *texts(picture, "desc")))
    assert "nan" not in attributes.get("viewBox", "")
    for found in tree.iter("a"):
        assert not re.match(r"(?!https?:)[^/?#]*:", found.attrib["href"], re.IGNORECASE)


# The style


def colours(style: str, dark: bool) -> dict[str, str]:
    light_part, dark_part = style.split("@media (prefers-color-scheme: dark)", 1)
    part = dark_part.split("@media", 1)[0] if dark else light_part
    return dict(re.findall(r"--([\w-]+): (?:var\(--\w+, )?(#[0-9a-f]{6})", part))


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_colours_can_be_told_apart(dark: bool) -> None:
    colour = colours(STYLE.read_text("utf-8"), dark)
    paper = colour["chart-paper"]
    written = [(f"chart-{it}", paper) for it in ("ink", "muted", "accent")]
    written += [(f"on-level-{level}", colour[f"level-{level}"]) for level in range(LEVELS)]
    assert [name for name, behind in written if contrast(colour[name], behind) < 4.5] == []
    assert contrast(colour["chart-accent"], colour["chart-line"]) >= 3
    steps = [contrast(colour[f"level-{level}"], paper) for level in range(LEVELS)]
    assert steps == sorted(steps)


def test_every_class_has_a_style() -> None:
    drawn = "".join(draw("x") for draw in CHARTS)
    used = {name for names in re.findall(r'class="([^"]*)"', drawn) for name in names.split()}
    known = set(re.findall(r"\.([a-z][\w-]*)", STYLE.read_text("utf-8")))
    assert used - known == {"chart-matrix"}  # it is as all are


def test_the_style_asks_nobody() -> None:
    assert not re.search(r"url\(|@import|//", STYLE.read_text("utf-8"))
