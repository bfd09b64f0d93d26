"""The tags of a generated site: ``develop``, releases, and weekly snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

Era = Literal["tarballs", "exact compilers", "today"]

# The dates at which the site's notation changed; see docs/formats.md.
EXACT_COMPILERS_SINCE = date(2025, 2, 1)
TODAY_SINCE = date(2025, 3, 30)

RELEASES = {
    "v0.20.1": date(2023, 7, 10),
    "v2025.07.0": date(2025, 7, 21),
    "v0.23.0": date(2024, 11, 13),
    "v0.22.0": date(2024, 5, 14),
    "v0.21.0": date(2023, 11, 12),
    "v0.20.3": date(2023, 11, 2),
    "v0.21.1": date(2024, 1, 11),
    "v0.21.2": date(2024, 3, 1),
    "v0.21.3": date(2024, 10, 2),
    "v0.22.1": date(2024, 7, 4),
    "v0.22.2": date(2024, 9, 21),
    "v0.23.1": date(2025, 2, 19),
    "v2025.11.0": date(2025, 11, 17),
}
"""Releases and about when they came; a small site has the first few of these."""


@dataclass(frozen=True, slots=True)
class GeneratedTag:
    """A tag, how its pages are written, and how large it is beside the others."""

    name: str
    era: Era
    weight: float
    mirror: str


def make_tags(count: int) -> list[GeneratedTag]:
    """So many tags, from old to new: an eighth are releases, the newest is ``develop``."""
    releases = list(RELEASES.items())[: max(1, count // 8)]
    snapshots = count - 1 - len(releases)
    old = max(1, round(snapshots * 0.12))
    first = TODAY_SINCE - timedelta(weeks=old)
    weeks = [first + timedelta(weeks=number) for number in range(snapshots)]
    dated = [*releases, *((f"develop-{day}", day) for day in weeks)]
    dated.sort(key=lambda tag: tag[1])
    tags = [_tag(name, _era(day), 0.5 + i / count) for i, (name, day) in enumerate(dated)]
    # In late 2024 develop held a seventh of all binaries; by mid-2025 it is one tag among 110.
    return [*tags, _tag("develop", "today", 2 + count / 20)]


def tag_list(tags: list[GeneratedTag], stacks: Mapping[str, set[str]]) -> str:
    """The text of ``_data/tags.yaml``: develop, releases, then snapshots from new to old."""
    names = [tag.name for tag in reversed(tags)]
    releases = sorted(name for name in names if name in RELEASES)
    snapshots = [name for name in names if name not in RELEASES]
    return "".join(
        f"- name: {name}\n  stacks:\n" + "".join(f"  - {stack}\n" for stack in sorted(stacks[name]))
        for name in [snapshots[0], *releases, *snapshots[1:]]
    )


def _tag(name: str, era: Era, weight: float) -> GeneratedTag:
    folder = f"releases/{name}" if name.startswith("v0.20") else name
    return GeneratedTag(name, era, weight, f"https://binaries.spack.io/{folder}")


def _era(day: date) -> Era:
    if day < EXACT_COMPILERS_SINCE:
        return "tarballs"
    return "exact compilers" if day < TODAY_SINCE else "today"
