"""The pictures of the pages: facts as the charts want them, with links to the pages behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from datasette_spack.charts import Label, Part, Point, matrix, shares, timeline
from datasette_spack.site.addresses import Addresses
from etl.browse.machines import MachineHistory
from etl.browse.shares import Shares

Row = dict[str, Any]

MAX_MACHINES = 9
"""Operating systems and targets that have a picture of their own, those with the most binaries."""

MAX_VERSIONS = 30
MAX_TAGS = 26
"""Rows and columns of the picture of a package; the table beside it has them all."""

_TITLES = {"os": "Operating systems", "target": "Targets", "compiler": "Compilers"}


def history_pictures(site: Addresses, tags: Sequence[Row]) -> dict[str, Markup]:
    """Binaries and packages over time, from the oldest tag to the newest.

    Snapshots alone where there are some: other tags hold other things, and would be peaks.
    """
    snapshots = [tag for tag in tags if tag["kind"] == "snapshot"]
    shown = snapshots if len(snapshots) > 1 else tags
    return {
        f"{what.title()} over time": timeline(
            f"{what}-over-time",
            f"{what.title()} over time",
            [Point(tag["tag"], tag["date"], tag[what], site.tag(tag["tag"])) for tag in shown],
            what,
        )
        for what in ("binaries", "packages")
    }


def stack_picture(site: Addresses, stack: str, tags: Sequence[Row]) -> Markup:
    """The binaries of a stack over time."""
    return timeline(
        "stack-over-time",
        f"Binaries of {stack} over time",
        [
            Point(tag["tag"], tag["date"], tag["binaries"], site.stack(stack, tag=tag["tag"]))
            for tag in reversed(tags)
        ],
        "binaries",
    )


def machine_pictures(site: Addresses, history: MachineHistory) -> dict[str, dict[str, Markup]]:
    """What binaries were built for over time: for each common value a picture.

    Snapshots apart from releases, and none of these where there are not two to compare.
    """
    pictures = {}
    for heading, kind in (("Snapshots", "snapshot"), ("Releases", "release")):
        rows = [row for row in history.rows if row["kind"] == kind]
        tags = {row["tag"]: row["date"] for row in rows}
        if len(tags) < 2:
            continue
        counts = {(row["tag"], row[history.column]): row["binaries"] for row in rows}
        totals: Counter[str] = Counter()
        for row in rows:
            totals[row[history.column]] += row["binaries"]
        pictures[heading] = {
            value: timeline(
                f"{history.column}-{number}-by-{kind}",
                f"Binaries for {value} over time",
                [
                    Point(
                        tag,
                        date,
                        counts.get((tag, value), 0),
                        site.binaries(tag, **{history.column: value}),
                    )
                    for tag, date in tags.items()
                ],
            )
            for number, (value, _) in enumerate(totals.most_common(MAX_MACHINES))
        }
    return pictures


def share_pictures(
    site: Addresses, tag: str, found: Sequence[Shares], stack: str | None = None
) -> dict[str, Markup]:
    """What the binaries of a tag, or of a stack in it, are built for: a picture for each kind."""
    inside = {"stack": stack} if stack else {}
    return {
        _TITLES[share.kind]: shares(
            f"share-by-{share.kind}",
            f"{_TITLES[share.kind]} in {tag}",
            [
                Part(value, part["binaries"], site.binaries(tag, **inside, **{share.kind: value}))
                for part in share.parts
                for value in (part[share.kind],)
            ],
            share.total,
        )
        for share in found
    }


def versions_pictures(site: Addresses, package: str, history: Sequence[Row]) -> dict[str, Markup]:
    """The binaries of a package by version and tag, releases apart from other tags."""
    releases = [row for row in history if row["kind"] == "release"]
    others = [row for row in history if row["kind"] != "release"]
    return {
        f"Binaries by version and {what}, newest first": _versions_picture(
            site, package, rows, what
        )
        for what, rows in (("release", releases), ("snapshot", others))
        if rows
    }


def _versions_picture(site: Addresses, package: str, history: Sequence[Row], what: str) -> Markup:
    """The binaries of a package by version and tag: its newest versions in the newest tags."""
    versions = list(dict.fromkeys(row["version"] for row in history))[:MAX_VERSIONS]
    # The rows come by version; by tag they are in order only within each.
    order = {row["tag"]: row["position"] for row in history}
    tags = sorted(order, key=lambda tag: -order[tag])[:MAX_TAGS]
    rows = {version: number for number, version in enumerate(versions)}
    columns = {tag: number for number, tag in enumerate(tags)}
    return matrix(
        f"versions-by-{what}",
        f"Binaries of {package} by version and {what}",
        [Label(version, site.package(package, version=version)) for version in versions],
        [Label(tag, site.package(package, tag=tag)) for tag in tags],
        {
            (rows[row["version"]], columns[row["tag"]]): row["binaries"]
            for row in history
            if row["version"] in rows and row["tag"] in columns
        },
        column_title=what,
    )
