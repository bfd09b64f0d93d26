"""What is new: tags with what changed in them, and the versions of a package as they appeared.

Only tags with a date count.  ``develop`` has none, since it is another every day; what only it has
is new once a dated tag has it too.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from functools import cache
from typing import Literal

from etl.browse.removals import Change, changes_of_package
from etl.catalog.asking import Row, ask, ask_one, known
from etl.compare.diff import previous_tag

MAX_TAGS = 40
"""The newest tags are told, at most so many."""

MAX_TAGS_OF_STACK = 12
"""The newest tags of a stack are told, at most so many: for these its binaries are looked at."""

MAX_EVENTS = 50
"""What last happened to a package is told, at most so many times."""

PACKAGE_NAME = re.compile("[a-z0-9_][a-z0-9_-]{0,99}")
"""What a package of Spack may be called."""

MAX_NAMES = 30
"""Packages named in one list; of more than these only the number is told."""

_DATED_TAGS = """
    SELECT name AS tag, kind, date, packages, binaries FROM tags
    WHERE date IS NOT NULL AND binaries > 0 AND :kind_1 IN ('', kind)
    ORDER BY position DESC LIMIT :number_1
"""
_TAGS_OF_STACK = """
    SELECT tags.name AS tag, tags.kind, tags.date, tags.cache_id, mirrors.binaries
    FROM mirrors CROSS JOIN tags ON tags.id = mirrors.tag_id
    WHERE mirrors.stack_id = :stack_1 AND tags.date IS NOT NULL AND mirrors.binaries > 0
    ORDER BY tags.position DESC
"""
_NEWEST_VERSIONS_OF_STACK = """
    SELECT package_id, max(version_id) FROM binaries
    WHERE tag_id = (SELECT id FROM tags WHERE name = :tag_1) AND stack_set_id IN (
        SELECT stack_set_id FROM stack_set_members WHERE stack_id = :stack_1
    )
    GROUP BY package_id
"""
_NEWEST_VERSIONS = """
    SELECT package_id, newest_version_id FROM package_tags
    WHERE tag_id = (SELECT id FROM tags WHERE name = :tag_1)
"""
_PACKAGE_NAMES = """
    SELECT id, name FROM packages WHERE id IN (SELECT value FROM json_each(:ids_1))
"""
_IS_PACKAGE = "SELECT 1 FROM packages WHERE name = :package_1"
_VERSION_NAMES = """
    SELECT id, version AS name FROM versions WHERE id IN (SELECT value FROM json_each(:ids_1))
"""
# The sign: a package has an index by which its binaries are read once, in the order of the tags.
_FIRST_SEEN = """
    WITH seen AS (
        SELECT version_id, min(tag_id) AS tag_id FROM (
            SELECT version_id, tag_id FROM binaries WHERE package_id = :package_1
            UNION ALL
            SELECT version_id, tag_id FROM gone_binaries WHERE package_id = :package_1
        )
        WHERE +tag_id IN (SELECT id FROM tags WHERE date IS NOT NULL)
        GROUP BY version_id
    )
    SELECT tags.name AS tag, tags.date, tags.position, versions.version, (
        SELECT count(*) FROM binaries
        WHERE binaries.tag_id = seen.tag_id AND binaries.version_id = seen.version_id
    ) + (
        SELECT count(*) FROM gone_binaries
        WHERE gone_binaries.tag_id = seen.tag_id AND gone_binaries.version_id = seen.version_id
    ) AS binaries
    FROM seen
    CROSS JOIN tags ON tags.id = seen.tag_id
    CROSS JOIN versions ON versions.id = seen.version_id
    ORDER BY tags.position DESC, versions.id DESC LIMIT :number_1
"""
# With what is gone since: what a snapshot had does not change when it is pruned.
_IN_SNAPSHOTS = """
    SELECT tags.name AS tag, tags.date, tags.position, tags.cache_id,
        ifnull(package_tags.binaries, 0) + ifnull(gone.binaries, 0) AS binaries
    FROM tags
    LEFT JOIN package_tags
        ON package_tags.package_id = :package_1 AND package_tags.tag_id = tags.id
    LEFT JOIN (
        SELECT tag_id, count(*) AS binaries FROM gone_binaries
        WHERE package_id = :package_1 GROUP BY tag_id
    ) AS gone ON gone.tag_id = tags.id
    WHERE tags.kind = 'snapshot' AND tags.date IS NOT NULL AND tags.binaries + tags.gone > 0
    ORDER BY tags.position
"""


@dataclass(frozen=True, slots=True)
class Names:
    """The first of some names, in order, and how many there are in all."""

    first: tuple[str, ...]
    total: int


@dataclass(frozen=True, slots=True)
class TagNews:
    """A tag, and what it has that the one before it of its kind had not.

    ``newer`` are the packages whose newest version is a newer one: ``hdf5 1.14.5 → 1.14.6``.
    Nothing changed in the first tag of a kind, for which ``previous`` is None.
    """

    tag: str
    date: str
    packages: int
    binaries: int
    previous: str | None
    added: Names
    removed: Names
    newer: Names


@dataclass(frozen=True, slots=True)
class PackageEvent:
    """What happened to a package in a tag: a version is new, or all of it is gone or back.

    ``binaries`` are those that the tag then has, of the version or of all of the package.
    """

    kind: Literal["version", "gone", "back"]
    version: str | None
    tag: str
    date: str
    binaries: int


@dataclass(frozen=True, slots=True)
class PackageNews:
    """The last events of a package, newest first, and the date of the newest tag of all.

    ``changes`` are what was removed of it and what returned, tag by tag.
    """

    package: str
    events: tuple[PackageEvent, ...]
    newest_date: str | None
    changes: tuple[Change, ...] = ()


def tag_news(db: sqlite3.Connection, kind: str = "") -> tuple[TagNews, ...]:
    """The newest tags, or those of a kind, the newest first, each with what changed."""

    @cache  # most tags are looked at twice: for what they changed, and as what was before
    def newest_versions(tag: str) -> dict[int, int]:
        return dict(db.execute(_NEWEST_VERSIONS, {"tag_1": tag}).fetchall())

    return tuple(
        _changes(db, tag, previous_tag(db, tag["tag"]), newest_versions)
        for tag in ask(db, _DATED_TAGS, number_1=MAX_TAGS, kind_1=kind)
    )


def stack_news(db: sqlite3.Connection, stack: str) -> tuple[TagNews, ...]:
    """The newest tags of a stack, the newest first, each with what changed in the stack.

    Raises:
        NotHereError: there is no such stack.
    """
    stack_id = known(db, "stacks", "stack", stack)
    tags = ask(db, _TAGS_OF_STACK, stack_1=stack_id)

    @cache
    def newest_versions(tag: str) -> dict[int, int]:
        return dict(
            db.execute(_NEWEST_VERSIONS_OF_STACK, {"tag_1": tag, "stack_1": stack_id}).fetchall()
        )

    news = []
    for place, tag in enumerate(tags[:MAX_TAGS_OF_STACK]):
        like = tag["kind"], tag["cache_id"]
        before = [it["tag"] for it in tags[place + 1 :] if (it["kind"], it["cache_id"]) == like]
        counted = {**tag, "packages": len(newest_versions(tag["tag"]))}
        news.append(_changes(db, counted, before[0] if before else None, newest_versions))
    return tuple(news)


def package_news(db: sqlite3.Connection, package: str) -> PackageNews:
    """What happened to a package; nothing yet to one that is not here, but may come.

    Raises:
        NotHereError: the catalog has no such package, and none can be called so.
    """
    if not ask_one(db, _IS_PACKAGE, package_1=package) and PACKAGE_NAME.fullmatch(package):
        newest = ask_one(db, _DATED_TAGS, number_1=1, kind_1="")
        return PackageNews(package, (), newest["date"] if newest else None)
    package_id = known(db, "packages", "package", package)
    placed = [
        (row["position"], PackageEvent("version", *_values(row)))
        for row in ask(db, _FIRST_SEEN, package_1=package_id, number_1=MAX_EVENTS)
    ]
    placed += _gone_and_back(ask(db, _IN_SNAPSHOTS, package_1=package_id))
    placed.sort(key=lambda it: -it[0])  # stable: the versions of a tag stay in their order
    newest = ask_one(db, _DATED_TAGS, number_1=1, kind_1="")
    return PackageNews(
        package,
        tuple(event for _, event in placed[:MAX_EVENTS]),
        newest["date"] if newest else None,
        changes_of_package(db, package),
    )


def _changes(
    db: sqlite3.Connection,
    tag: Row,
    previous: str | None,
    newest_versions: Callable[[str], dict[int, int]],
) -> TagNews:
    """What is new in a tag.  Packages have their numbers in the order of their names."""
    name = tag["tag"]
    new = newest_versions(name) if previous is not None else {}
    old = newest_versions(previous) if previous is not None else {}
    # Within a package the numbers of versions are in Spack's order.
    newer = sorted(it for it in new.keys() & old.keys() if new[it] > old[it])
    shown = newer[:MAX_NAMES]
    packages = _names_of(db, _PACKAGE_NAMES, shown)
    versions = _names_of(db, _VERSION_NAMES, [side[it] for side in (old, new) for it in shown])
    return TagNews(
        tag=name,
        date=tag["date"],
        packages=tag["packages"],
        binaries=tag["binaries"],
        previous=previous,
        added=_package_names(db, new.keys() - old.keys()),
        removed=_package_names(db, old.keys() - new.keys()),
        newer=Names(
            tuple(f"{packages[it]} {versions[old[it]]} → {versions[new[it]]}" for it in shown),
            len(newer),
        ),
    )


def _package_names(db: sqlite3.Connection, packages: Set[int]) -> Names:
    shown = sorted(packages)[:MAX_NAMES]
    names = _names_of(db, _PACKAGE_NAMES, shown)
    return Names(tuple(names[it] for it in shown), len(packages))


def _names_of(db: sqlite3.Connection, sql: str, ids: Sequence[int]) -> dict[int, str]:
    return {row["id"]: row["name"] for row in ask(db, sql, ids_1=json.dumps(ids))}


def _values(row: Row) -> tuple[str, str, str, int]:
    return row["version"], row["tag"], row["date"], row["binaries"]


def _gone_and_back(snapshots: Sequence[Row]) -> list[tuple[int, PackageEvent]]:
    """When the snapshots of a cache, in time, stopped having a package, and had it again.

    Releases are left out: each has what it was made for, not what the one before it had.
    """
    events = []
    here: dict[int | None, bool] = {}  # by cache, once it was seen there for the first time
    for row in snapshots:
        cache_id, binaries = row["cache_id"], row["binaries"] or 0
        if cache_id in here and here[cache_id] != bool(binaries):
            kind: Literal["gone", "back"] = "gone" if here[cache_id] else "back"
            event = PackageEvent(kind, None, row["tag"], row["date"], binaries)
            events.append((row["position"], event))
        if binaries or cache_id in here:
            here[cache_id] = bool(binaries)
    return events
