"""The tags of cache.spack.io: what each is, its date, and its place in time.

A tag is ``develop``, which is built anew every day; a snapshot of it, ``develop-2025-03-30``; or a
release, of Spack (``v0.22.1``, ``releases/v0.20``) or, since packages are released apart from it,
of the packages (``v2025.07.0``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

from etl.spack.versions import sort_key

TagKind = Literal["develop", "snapshot", "release", "other"]

_SNAPSHOT = re.compile(r"develop-([0-9]{4}-[0-9]{2}-[0-9]{2})")
_RELEASE = re.compile(
    r"(?:releases/)?v([0-9]{1,4}(?:\.[0-9]{1,4}){1,3}(?:-?(?:alpha|beta|rc)\.?[0-9]{0,4})?)"
)
_CALENDAR = re.compile(r"(2[0-9]{3})\.(0?[1-9]|1[0-2])(?:\.|$)")

#: Releases and their dates: those of Spack as in the headings of its CHANGELOG (the last of a line
#: as on its release branch), those of the packages by the commit that is tagged.
RELEASE_DATES = {
    "0.10.0": "2017-01-17",
    "0.11.0": "2018-01-17",
    "0.11.1": "2018-01-19",
    "0.11.2": "2018-02-07",
    "0.12.0": "2018-11-13",
    "0.12.1": "2018-11-13",
    "0.13.0": "2019-10-25",
    "0.13.1": "2019-11-05",
    "0.13.2": "2019-12-04",
    "0.13.3": "2019-12-23",
    "0.13.4": "2020-02-07",
    "0.14.0": "2020-02-23",
    "0.14.1": "2020-03-20",
    "0.14.2": "2020-04-15",
    "0.15.0": "2020-06-28",
    "0.15.1": "2020-07-10",
    "0.15.2": "2020-07-23",
    "0.15.3": "2020-07-28",
    "0.15.4": "2020-08-12",
    "0.16.0": "2020-11-18",
    "0.16.1": "2021-02-22",
    "0.16.2": "2021-05-22",
    "0.16.3": "2021-09-21",
    "0.17.0": "2021-11-05",
    "0.17.1": "2021-12-23",
    "0.17.2": "2022-04-13",
    "0.17.3": "2022-07-14",
    "0.18.0": "2022-05-28",
    "0.18.1": "2022-07-19",
    "0.19.0": "2022-11-11",
    "0.19.1": "2023-02-07",
    "0.19.2": "2023-04-04",
    "0.20.0": "2023-05-21",
    "0.20.1": "2023-07-10",
    "0.20.2": "2023-10-03",
    "0.20.3": "2023-10-31",
    "0.21.0": "2023-11-11",
    "0.21.1": "2024-01-11",
    "0.21.2": "2024-03-01",
    "0.21.3": "2024-10-02",
    "0.22.0": "2024-05-12",
    "0.22.1": "2024-07-04",
    "0.22.2": "2024-09-21",
    "0.22.3": "2024-11-18",
    "0.22.4": "2025-02-18",
    "0.22.5": "2025-02-21",
    "0.23.0": "2024-11-13",
    "0.23.1": "2025-02-19",
    "1.0.0": "2025-07-20",
    "1.0.1": "2025-08-11",
    "1.0.2": "2025-09-11",
    "1.1.0": "2025-11-14",
    "1.2.2": "2026-07-20",
    "2025.07.0": "2025-07-18",
    "2025.11.0": "2025-11-14",
    "2026.03.0": "2026-04-01",
    "2026.06.0": "2026-06-20",
    "2026.10.0": "2026-10-16",
}

#: Releases of which only the month is known: a place in time, and no date.
RELEASE_MONTHS = {"1.2.0": "2026-06"}

RELEASE_BRANCHES = tuple(
    sorted({it.rpartition(".")[0] for it in RELEASE_DATES if "2026" <= it[:4] <= "2999"})
)
"""Branches of the packages whose releases are views of one build cache each: ``2026.10``."""

_DATES = sorted(
    [
        *((sort_key(release), day) for release, day in RELEASE_DATES.items()),
        *((sort_key(release), f"{month}-99") for release, month in RELEASE_MONTHS.items()),
    ]
)


@dataclass(frozen=True, slots=True)
class TagInfo:
    """What the name of a tag says.

    ``date`` is ISO text, or None where the day is not known; ``develop`` has none.  Sorting by
    ``order`` puts tags in time, those of unknown kind first and ``develop`` last.
    """

    name: str
    kind: TagKind
    date: str | None
    order: tuple[int, str, str, str]


def parse_tag(name: str, published: str | None = None) -> TagInfo:
    """Read the name of a tag; every name gives a result.

    ``e4s:v2025.11.0`` is the release of that name in the cache ``e4s``.  A tag that has no other
    date has the day on which it was ``published``; but ``develop`` has none.

    A release of Spack whose date is not known comes right after the one before it, or at the end of
    its month, a release of the packages at the end of the month in its name.
    """
    plain = name.rpartition(":")[2]
    day_published = (published or "")[:10] or None
    if plain == "develop":
        return TagInfo(name, "develop", None, (2, "", "", name))
    snapshot = _SNAPSHOT.fullmatch(plain)
    if snapshot and _is_date(snapshot[1]):
        return TagInfo(name, "snapshot", snapshot[1], (1, snapshot[1], "", name))
    release = _RELEASE.fullmatch(plain)
    if release:
        version = release[1]
        # A release branch, v0.20, begins with the first of its releases.
        first = version if version.count(".") > 1 else f"{version}.0"
        day = RELEASE_DATES.get(first) or day_published
        return TagInfo(name, "release", day, (1, day or _place(version), sort_key(version), name))
    if day_published:
        return TagInfo(name, "other", day_published, (1, day_published, "", name))
    return TagInfo(name, "other", None, (0, "", "", name))


def _place(release: str) -> str:
    """Text that sorts among ISO dates where a release of unknown date belongs."""
    calendar = _CALENDAR.match(release)
    if calendar:
        return f"{calendar[1]}-{int(calendar[2]):02}-99"
    if release in RELEASE_MONTHS:
        return f"{RELEASE_MONTHS[release]}-99"
    key = sort_key(release)
    return max((pair for pair in _DATES if pair[0] < key), default=("", ""))[1]


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
