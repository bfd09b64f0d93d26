"""What differs between two tags: packages, versions, binaries and stacks, with the SQL of each."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from etl.catalog.asking import Listed, ask
from etl.catalog.names_near import check_name
from etl.compare.diff_sql import VERSION_SECTIONS, Side, Sides
from etl.compare.past import tag_at
from etl.query.find import Statement
from etl.query.found import Row

LIMIT = 200
"""Rows of a section, unless more are asked for."""

_EXAMPLES = 5

_PREVIOUS = """
    SELECT name FROM tags
    WHERE binaries > 0 AND kind = ? AND position < ifnull(?, position + 1) AND cache_id IS ?
    ORDER BY position DESC LIMIT 1
"""

# Each package of either tag is looked up in the other; both summaries are read once.
_CHANGES = """
    WITH moves AS (
        SELECT new.package_id, CASE
            WHEN old.id IS NULL THEN 'added'
            WHEN new.newest_version_id > old.newest_version_id THEN 'upgraded'
            WHEN new.newest_version_id < old.newest_version_id THEN 'downgraded'
        END AS change
        FROM package_tags AS new
        LEFT JOIN package_tags AS old
            ON old.package_id = new.package_id
            AND old.tag_id = (SELECT id FROM tags WHERE name = :old)
        WHERE new.tag_id = (SELECT id FROM tags WHERE name = :new)
        UNION ALL
        SELECT old.package_id, 'removed'
        FROM package_tags AS old
        LEFT JOIN package_tags AS new
            ON new.package_id = old.package_id
            AND new.tag_id = (SELECT id FROM tags WHERE name = :new)
        WHERE old.tag_id = (SELECT id FROM tags WHERE name = :old) AND new.id IS NULL
    )
    SELECT packages.name, change
    FROM moves CROSS JOIN packages ON packages.id = moves.package_id
    WHERE change IS NOT NULL
    ORDER BY packages.binaries DESC, packages.name
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two tags, in one stack or of one package where that was asked for.

    * ``added_packages``, ``removed_packages``: package, newest_version, binaries, for packages
      that only one of the tags has;
    * ``upgraded``, ``downgraded``: package, old_version, new_version, for packages whose newest
      version is another, up or down in Spack's order; with all their old_versions and
      new_versions, newest first, blank-separated;
    * ``new_versions``, ``dropped_versions``: package, version, binaries, for versions that only
      one of the tags has, of packages that both have;
    * ``rebuilt``: package, version, binaries, counting new hashes that take the place of an old
      one: old has a binary of the same package, version, compiler, os, platform, target and
      variants, and new no longer has that.  A new hash beside one that stays is an addition;
    * ``stacks``: stack, old_binaries, new_binaries, their difference, and how many of them were
      added and removed, for stacks in which a binary was added or removed.

    Of the binaries, by hash, ``binaries_kept`` are in both; ``binaries_rebuilt`` are those of the
    added that ``rebuilt`` counts.
    """

    old: str
    new: str
    stack: str | None
    package: str | None
    added_packages: Listed
    removed_packages: Listed
    upgraded: Listed
    downgraded: Listed
    new_versions: Listed
    dropped_versions: Listed
    rebuilt: Listed
    stacks: Listed
    binaries_added: int
    binaries_removed: int
    binaries_kept: int
    binaries_rebuilt: int


@dataclass(frozen=True, slots=True)
class PackageChanges:
    """How many packages were added, were removed, and moved to a newer or older version.

    ``examples`` are a few of them by name, those with the most binaries in all tags.
    """

    added: int
    removed: int
    upgraded: int
    downgraded: int
    examples: tuple[str, ...]


def compare(
    db: sqlite3.Connection,
    old: str,
    new: str,
    *,
    stack: str | None = None,
    package: str | None = None,
    limit: int = LIMIT,
) -> Comparison:
    """What ``new`` has that ``old`` has not, and the other way round.

    Either may be a tag as it was at a time: ``develop@2025-11-18``.

    Raises:
        UsageError: the catalog has no such tag, stack or package.
    """
    before, after = tag_at(db, old), tag_at(db, new)
    for kind, name in (("stack", stack), ("package", package)):
        check_name(db, kind, name)
    sides = Sides(before, after, stack, package, _smaller(db, before.tag, after.tag))
    (kept,) = _rows(db, sides.kept())[0].values()
    # Nothing comes or goes between a tag and itself, and to find that out would take the longest.
    same = old == new
    versions = () if same else _rows(db, sides.versions())
    lists = {
        **_version_lists(versions),
        **{
            name: () if same else _rows(db, sides.statement(name)) for name in ("rebuilt", "stacks")
        },
    }
    return Comparison(
        old,
        new,
        stack,
        package,
        **{
            name: Listed(tuple(rows[:limit]), sides.statement(name).text, len(rows))
            for name, rows in lists.items()
        },
        binaries_added=0 if same else sum(row["new"] for row in versions) - kept,
        binaries_removed=0 if same else sum(row["old"] for row in versions) - kept,
        binaries_kept=kept,
        binaries_rebuilt=sum(row["binaries"] for row in lists["rebuilt"]),
    )


def previous_tag(db: sqlite3.Connection, tag: str) -> str | None:
    """The tag that this one is naturally compared with; None if there is none.

    It is the one before it in time, of its kind and its cache, that has binaries; for ``develop``,
    of which there is one, the newest snapshot of it.

    Raises:
        UsageError: the catalog has no such tag.
    """
    check_name(db, "tag", tag)
    kind, position, cache = db.execute(
        "SELECT kind, position, cache_id FROM tags WHERE name = ?", (tag,)
    ).fetchone()
    asked = ("snapshot", None, cache) if kind == "develop" else (kind, position, cache)
    found = db.execute(_PREVIOUS, asked).fetchone()
    return str(found[0]) if found else None


def package_changes(db: sqlite3.Connection, old: str, new: str) -> PackageChanges:
    """How many packages differ between two tags, and the names of a few; it takes milliseconds.

    Raises:
        UsageError: the catalog has no such tag.
    """
    for tag in (old, new):
        check_name(db, "tag", tag)
    moves = [(*row,) for row in db.execute(_CHANGES, {"old": old, "new": new})]
    number = Counter(change for _, change in moves)
    return PackageChanges(
        added=number["added"],
        removed=number["removed"],
        upgraded=number["upgraded"],
        downgraded=number["downgraded"],
        examples=tuple(name for name, _ in moves[:_EXAMPLES]),
    )


def _smaller(db: sqlite3.Connection, old: str, new: str) -> Side:
    size = "SELECT binaries FROM tags WHERE name = ?"
    (in_old,), (in_new,) = (db.execute(size, (tag,)).fetchone() for tag in (old, new))
    return "old" if in_old <= in_new else "new"


def _version_lists(versions: Sequence[Row]) -> dict[str, list[Row]]:
    """What their statements would give, each of which would read both tags again.

    ``versions`` have their numbers of binaries on both sides, those of a package newest first.
    """
    lists: dict[str, list[Row]] = {name: [] for name in VERSION_SECTIONS}
    for package, rows in groupby(versions, itemgetter("package")):
        both = list(rows)
        old, new = ([row for row in both if row[side]] for side in ("old", "new"))
        if old and new:
            _compare_versions(package, old, new, lists)
            continue
        side, here, name = ("new", new, "added") if new else ("old", old, "removed")
        lists[f"{name}_packages"].append(
            {
                "package": package,
                "newest_version": here[0]["version"],
                "binaries": sum(row[side] for row in here),
            }
        )
    return lists


def _compare_versions(
    package: str, old: list[Row], new: list[Row], lists: dict[str, list[Row]]
) -> None:
    if old[0] is not new[0]:
        # Within a package the ids of versions are in Spack's order.
        lists["upgraded" if new[0]["id"] > old[0]["id"] else "downgraded"].append(
            {
                "package": package,
                "old_version": old[0]["version"],
                "new_version": new[0]["version"],
                "old_versions": " ".join(row["version"] for row in old),
                "new_versions": " ".join(row["version"] for row in new),
            }
        )
    for name, here, side, other in (
        ("new_versions", new, "new", "old"),
        ("dropped_versions", old, "old", "new"),
    ):
        lists[name] += [
            {"package": package, "version": row["version"], "binaries": row[side]}
            for row in here
            if not row[other]
        ]


def _rows(db: sqlite3.Connection, statement: Statement) -> tuple[Row, ...]:
    return ask(db, statement.sql, **statement.values)
