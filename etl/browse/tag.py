"""The page of a tag: what it has, and what changed since the one before it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from etl.browse.removals import gone_of_tag
from etl.browse.shares import Shares, shares_of_tag
from etl.catalog.asking import Listed, Row, ask_one, known, like, listed
from etl.catalog.ordering import Ordering
from etl.compare.diff import PackageChanges, package_changes, previous_tag
from etl.compare.past import earlier_readings, last_there

PAGE = 200
"""Packages on one page of a list."""

_TAG = """
    SELECT tags.name AS tag, tags.kind, date, packages, tags.binaries, described, sized, size,
        caches.name AS cache, caches.address, caches.signed, tags.gone, tags.gone_since
    FROM tags LEFT JOIN caches ON caches.id = tags.cache_id WHERE tags.name = :tag_1
"""
_STACKS = """\
SELECT stacks.name AS stack, mirrors.binaries, mirrors.url, mirrors.view, mirrors.sized,
    mirrors.size, mirrors.gone, mirrors.gone_since, mirrors.first_seen, mirrors.last_seen
FROM mirrors
CROSS JOIN stacks ON stacks.id = mirrors.stack_id
WHERE mirrors.tag_id = (SELECT id FROM tags WHERE name = :tag_1)
ORDER BY mirrors.binaries DESC, stacks.name"""
_PACKAGES = """\
SELECT packages.name AS package, versions.version AS newest_version, package_tags.versions,
    package_tags.binaries, package_tags.size
FROM package_tags
CROSS JOIN packages ON packages.id = package_tags.package_id
CROSS JOIN versions ON versions.id = package_tags.newest_version_id
WHERE package_tags.tag_id = (SELECT id FROM tags WHERE name = :tag_1)
    AND packages.name LIKE :name_1 ESCAPE '\\'
ORDER BY {order}"""
ORDERING = Ordering(
    {
        "package": "packages.name",
        "newest_version": "versions.sort_key",
        "versions": "package_tags.versions",
        "binaries": "package_tags.binaries",
        "size": "package_tags.size",
    },
    "packages.name",
)


@dataclass(frozen=True, slots=True)
class TagFacts:
    """What a tag's page says; ``previous`` is the tag it is compared with, if there is one.

    ``before`` are earlier readings of it, or the last of one that is gone: how it was then can be
    compared.  ``gone`` are the binaries that it had and has no more;
    ``incomplete`` are the binaries that cannot be installed from the cache alone, where those were
    looked for.
    """

    tag: Row
    previous: str | None
    changes: PackageChanges | None
    stacks: Listed
    shares: tuple[Shares, ...]
    packages: Listed
    gone: Listed
    before: tuple[str, ...] = ()
    incomplete: Listed | None = None


def tag_facts(
    db: sqlite3.Connection,
    name: str,
    part: str = "",
    page: int = 1,
    sort: str = "",
    limit: int = PAGE,
) -> TagFacts:
    """The facts of a tag, with one page of its packages, those that have ``part`` in their name.

    Raises:
        NotHereError: there is no such tag.
        UsageError: ``sort`` is no column of the packages.
    """
    known(db, "tags", "tag", name)
    tag = ask_one(db, _TAG, tag_1=name)
    assert tag is not None
    # Of what is gone nothing is compared: it would only say that all was removed.
    previous = None if tag["gone_since"] else previous_tag(db, name)
    return TagFacts(
        tag=tag,
        previous=previous,
        changes=package_changes(db, previous, name) if previous else None,
        stacks=listed(db, _STACKS, 1_000, tag_1=name),
        shares=shares_of_tag(db, name),
        packages=listed(
            db,
            _PACKAGES.format(order=ORDERING.sql(sort)),
            limit,
            (page - 1) * PAGE,
            tag_1=name,
            name_1=like(part),
        ),
        gone=gone_of_tag(db, name),
        before=_before(db, tag),
    )


def _before(db: sqlite3.Connection, tag: Row) -> tuple[str, ...]:
    """The times at which a tag was another than it is, as far as this catalog remembers."""
    if tag["gone_since"]:
        last = last_there(db, tag["tag"])
        return (last,) if last else ()
    # What was neither added to nor removed from since is as it was; snapshots and releases are.
    changes = tag["kind"] == "develop" or tag["gone"]
    return earlier_readings(db, tag["tag"]) if changes else ()
