"""The names of tags: their kind, their date, their place in time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.spack.tags import RELEASE_DATES, RELEASE_MONTHS, TagInfo, parse_tag
from etl.spack.versions import sort_key


@pytest.mark.parametrize(
    ("name", "kind", "date"),
    [
        ("develop", "develop", None),
        ("develop-2025-03-30", "snapshot", "2025-03-30"),
        ("develop-2024-02-29", "snapshot", "2024-02-29"),
        ("v0.22.1", "release", "2024-07-04"),
        ("v1.1.0", "release", "2025-11-14"),
        ("releases/v0.20", "release", "2023-05-21"),
        ("releases/v0.20.1", "release", "2023-07-10"),
        ("v0.23.99", "release", None),
        ("v2025.07.0", "release", "2025-07-18"),
        ("v2026.02.0", "release", None),
        ("releases/v2025.06", "release", None),
        ("v1.0.0-alpha.4", "release", None),
        ("develop-2025-02-30", "other", None),
        ("develop-2025-3-30", "other", None),
        ("develop-20250330", "other", None),
        ("develop-\uff12\uff10\uff12\uff15-03-30", "other", None),
        ("develop-0000-01-01", "other", None),
        ("v0.13.4-shared", "other", None),
        ("v1", "other", None),
        ("v0.22.1\n", "other", None),
        ("e4s-21.05", "other", None),
        ("Develop", "other", None),
        ("", "other", None),
    ],
)
def test_kind_and_date(name: str, kind: str, date: str | None) -> None:
    tag = parse_tag(name)
    assert (tag.name, tag.kind, tag.date) == (name, kind, date)


def test_tags_in_time() -> None:
    tags = [
        "",
        "e4s-21.05",
        "zebra",
        "v0.9.1",  # before every release with a known date
        "v0.10.0",
        "v0.18.0",
        "v0.17.3",  # a later fix of an earlier line
        "releases/v0.20",
        "v0.20.0",
        "v0.23.0",
        "develop-2024-11-17",
        "v0.22.3",
        "v0.23.1",
        "v0.23.2",
        "v1.0.0-alpha.4",
        "develop-2025-03-23",
        "develop-2025-03-30",
        "v2025.06.1",
        "v2025.07.0",
        "develop-2025-07-20",
        "v1.0.0",
        "v2025.07.1",
        "v1.1.0",
        "v1.1.1",
        "v2025.11.0",
        "develop-2025-11-16",
        "v2026.2.0",
        "v2026.02.1",
        "develop-2026-03-01",
        "v2026.06.0",
        "v1.2.0",
        "v1.2.1",
        "develop-2026-07-19",
        "v1.2.2",
        "v2026.10.0",
        "develop",
    ]
    orders = [parse_tag(name).order for name in tags]
    assert [pair for pair in pairwise(orders) if not pair[0] < pair[1]] == []


def test_the_table_of_releases_is_in_order_and_complete_in_each_line() -> None:
    assert sorted(RELEASE_DATES, key=sort_key) == list(RELEASE_DATES)
    for release in RELEASE_DATES:
        line, _, patch = release.rpartition(".")
        is_dated = f"{line}.{int(patch) - 1}" in RELEASE_DATES if patch != "0" else True
        assert is_dated or f"{line}.0" in RELEASE_MONTHS


@given(st.lists(st.text(), unique=True))
def test_the_order_is_total(names: list[str]) -> None:
    orders = [parse_tag(name).order for name in names]
    assert len(set(orders)) == len(sorted(orders)) == len(names)


def test_dates_of_what_has_no_other() -> None:
    published = "2026-03-04T05:06:07Z"
    assert parse_tag("mine", published) == TagInfo(
        "mine", "other", "2026-03-04", (1, "2026-03-04", "", "mine")
    )
    assert parse_tag("mine").order == (0, "", "", "mine")
    assert parse_tag("develop", published).date is None
    assert parse_tag("v0.22.1", published).date == "2024-07-04"
    assert parse_tag("v9999.01.0", published).order[:2] == (1, "2026-03-04")


def test_a_release_of_the_packages_comes_at_the_end_of_its_month() -> None:
    order = parse_tag("v2031.2.0").order
    assert order[:2] == (1, "2031-02-99")
    assert parse_tag("develop-2031-02-28").order < order < parse_tag("develop-2031-03-01").order
