"""The home page: how much there is, what is new, and what it is built for."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from etl.browse.caches import cache_list
from etl.browse.lists import stack_list
from etl.browse.newest import newest_tag_name
from etl.browse.removals import Change, recent_changes
from etl.browse.shares import Shares, shares_of_tag
from etl.catalog.asking import Row, ask
from etl.compare.diff import PackageChanges, package_changes, previous_tag
from etl.query.find import ALL

RECENT = 6
"""Snapshots whose changes are told, and as many releases."""

_COUNTS = """
    SELECT (SELECT count(*) FROM tags WHERE binaries > 0) AS tags,
        (SELECT count(*) FROM packages WHERE binaries > 0) AS packages,
        (SELECT ifnull(sum(specs), 0) FROM packages) AS specs,
        (SELECT ifnull(sum(binaries), 0) FROM tags) AS binaries,
        (SELECT ifnull(sum(gone), 0) FROM tags) AS gone,
        (SELECT count(gone_since) FROM tags) AS gone_tags
"""
_TAGS = """
    SELECT name AS tag, kind, date, packages, binaries, sized, size FROM tags
    WHERE binaries > 0 ORDER BY position DESC
"""


@dataclass(frozen=True, slots=True)
class TagChanges:
    """A tag, and what changed since the one before it; None for the first of its kind."""

    tag: Row
    previous: str | None
    changes: PackageChanges | None


@dataclass(frozen=True, slots=True)
class Overview:
    """What is here, and what is new.

    ``history`` has every tag in time; ``releases`` are the last of these with their changes,
    ``recent`` the last of all other tags.  ``newest`` is the
    tag as of which all this is, and of which the ``shares`` are; ``caches`` are those with names.
    ``removals`` tell what was removed from tags lately, and what returned.
    """

    counts: Row
    newest: str | None
    releases: tuple[TagChanges, ...]
    recent: tuple[TagChanges, ...]
    history: tuple[Row, ...]
    stacks: tuple[Row, ...]
    caches: tuple[Row, ...]
    shares: tuple[Shares, ...]
    removals: tuple[Change, ...]


def overview(db: sqlite3.Connection) -> Overview:
    """The facts of the home page."""
    tags = tag_history(db)
    newest = newest_tag_name(db)
    releases = [tag for tag in tags if tag["kind"] == "release"]
    others = [tag for tag in tags if tag["kind"] != "release"]
    return Overview(
        counts=ask(db, _COUNTS)[0],
        newest=newest,
        releases=tuple(_changes(db, tag) for tag in releases[:RECENT]),
        recent=tuple(_changes(db, tag) for tag in others[:RECENT]),
        history=tags[::-1],
        stacks=stack_list(db, limit=ALL).rows,
        caches=cache_list(db),
        shares=shares_of_tag(db, newest) if newest else (),
        removals=recent_changes(db, most=RECENT),
    )


def tag_history(db: sqlite3.Connection) -> tuple[Row, ...]:
    """Every tag that has binaries, the newest first, with its packages, binaries and size."""
    return ask(db, _TAGS)


def _changes(db: sqlite3.Connection, tag: Row) -> TagChanges:
    previous = previous_tag(db, tag["tag"])
    return TagChanges(
        tag, previous, package_changes(db, previous, tag["tag"]) if previous else None
    )
