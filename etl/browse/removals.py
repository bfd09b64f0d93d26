"""What was removed from tags and what returned to them, by the reading that observed it.

Builds from an earlier catalog observe it (the table ``events``); a catalog that was built from
nothing but its sources tells none.  Of what was removed it is told whether the same spec can still
be had: another tag may have the very same binary.  A stack that leaves a tag is told as such: what
its other stacks have as well stays in the tag, and is no event.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from operator import attrgetter

from etl.catalog.asking import Listed, Row, ask, ask_one, listed
from etl.catalog.sql_text import Parameters, Value, inline
from etl.query.scope import sets_with

MAX_CHANGES = 40
"""Changes of tags that are told, the newest, at most so many."""

MAX_GONE = 200
"""Binaries that are gone are listed, at most so many."""

# The newest readings are found one by one, each in the index; events may be millions.
_READINGS = """
    WITH RECURSIVE readings(at) AS (
        SELECT max(at) FROM events
        UNION ALL
        SELECT (SELECT max(at) FROM events WHERE events.at < readings.at)
        FROM readings WHERE readings.at IS NOT NULL
        LIMIT :number_1
    )
    SELECT at FROM readings WHERE at IS NOT NULL
"""
_CHANGES = """
    SELECT events.at, events.event, events.tag_id, count(*) AS binaries,
        count(DISTINCT specs.package_id) AS packages, min(specs.package_id) AS package_id,
        sum(specs.tags > 0) AS elsewhere, max(CASE WHEN specs.tags > 0 THEN specs.last_tag_id END)
            AS elsewhere_id
    FROM {source}
    WHERE {where}
    GROUP BY events.at, events.event, events.tag_id
    ORDER BY events.at DESC, events.tag_id DESC, events.event LIMIT :number_1
"""
_NAMED = """
    SELECT changes.at, changes.event, tags.name AS tag, tags.kind, changes.binaries,
        changes.packages, packages.name AS package, changes.elsewhere, others.name AS still_in,
        tags.gone_since IS changes.at AS whole
    FROM ({changes}) AS changes
    CROSS JOIN tags ON tags.id = changes.tag_id
    CROSS JOIN packages ON packages.id = changes.package_id
    LEFT JOIN tags AS others ON others.id = changes.elsewhere_id
"""
# A stack that left a tag with other stacks; what is gone of the tag as a whole is told of that.
_STACKS_LEFT = """
    SELECT at, tag, kind, json_group_array(stack) AS stacks FROM (
        SELECT mirrors.gone_since AS at, tags.position, tags.name AS tag, tags.kind,
            stacks.name AS stack
        FROM mirrors
        CROSS JOIN tags ON tags.id = mirrors.tag_id
        CROSS JOIN stacks ON stacks.id = mirrors.stack_id
        WHERE mirrors.gone_since IS NOT NULL AND tags.gone_since IS NOT mirrors.gone_since
            AND :kind_1 IN ('', tags.kind) AND :stack_1 IN ('', stacks.name)
    )
    GROUP BY at, position ORDER BY at DESC, position DESC LIMIT :number_1
"""
_BY_TIME = "events CROSS JOIN specs ON specs.id = events.spec_id"
_BY_SPEC = "specs CROSS JOIN events ON events.spec_id = specs.id"
_OF_READINGS = "events.at IN (SELECT value FROM json_each(:readings_1))"
_OF_KIND = " AND :kind_1 IN ('', (SELECT kind FROM tags WHERE tags.id = events.tag_id))"
_OF_PACKAGE = "specs.package_id = (SELECT id FROM packages WHERE name = :package_1)"
_PLACE = """EXISTS (
        SELECT 1 FROM {table}
        WHERE {table}.spec_id = events.spec_id AND {table}.tag_id = events.tag_id
            AND {table}.stack_set_id IN {sets}
    )"""
_LIST = """\
SELECT tags.name AS tag, packages.name AS package, versions.version, specs.hash,
    gone_binaries.last_seen, gone_binaries.gone_since,
    CASE WHEN specs.tags > 0 THEN others.name END AS still_in
FROM gone_binaries
CROSS JOIN tags ON tags.id = gone_binaries.tag_id
CROSS JOIN specs ON specs.id = gone_binaries.spec_id
CROSS JOIN packages ON packages.id = gone_binaries.package_id
CROSS JOIN versions ON versions.id = gone_binaries.version_id
LEFT JOIN tags AS others ON others.id = specs.last_tag_id
WHERE {where}
ORDER BY gone_binaries.gone_since DESC, gone_binaries.package_id, gone_binaries.version_id DESC,
    specs.hash, gone_binaries.tag_id DESC"""
_GONE_OF_PACKAGE = "gone_binaries.package_id = (SELECT id FROM packages WHERE name = :package_1)"
_GONE_OF_TAG = "gone_binaries.tag_id = (SELECT id FROM tags WHERE name = :tag_1)"
_GONE_TIMES = """
    SELECT min(first_seen) AS first_seen, max(last_seen) AS last_seen FROM gone_binaries
    WHERE package_id = (SELECT id FROM packages WHERE name = :package_1)
"""
# Where no mirror has a time, no binary has one, and need not be looked at.
_IS_GONE = """
    SELECT 1 FROM gone_binaries
    WHERE package_id = (SELECT id FROM packages WHERE name = :package_1)
        AND tag_id = (SELECT id FROM tags WHERE name = :tag_1)
"""
_FIRST_SEEN = """
    SELECT min(first_seen) AS first_seen FROM binaries
    WHERE package_id = (SELECT id FROM packages WHERE name = :package_1)
        AND EXISTS (SELECT 1 FROM mirrors WHERE last_seen IS NOT NULL)
"""
# The mirror that was seen last most often has some of the package, and no other is looked into.
_LAST_SEEN = """
    SELECT mirrors.last_seen FROM mirrors
    WHERE mirrors.last_seen IS NOT NULL AND EXISTS (
        SELECT 1 FROM binaries
        CROSS JOIN stack_set_members ON stack_set_members.stack_set_id = binaries.stack_set_id
        WHERE binaries.package_id = (SELECT id FROM packages WHERE name = :package_1)
            AND binaries.tag_id = mirrors.tag_id AND stack_set_members.stack_id = mirrors.stack_id
    )
    ORDER BY mirrors.last_seen DESC LIMIT 1
"""
_GONE_TAGS = """
    SELECT name AS tag, kind, date, gone, gone_since FROM tags
    WHERE gone_since IS NOT NULL ORDER BY position DESC
"""


@dataclass(frozen=True, slots=True)
class Change:
    """Binaries that were ``removed`` from a tag, or that ``returned`` to it, at one reading.

    ``package`` is the first of the packages by name; ``elsewhere`` says of how many the same spec
    is in a tag now, and ``still_in`` is the newest of those tags.  ``whole`` is whether nothing of
    the tag is left since.  Or ``stacks`` of the tag ``left`` it: their build caches are gone, and
    what other stacks of the tag have is still there.
    """

    at: str
    event: str
    tag: str
    kind: str
    binaries: int = 0
    packages: int = 0
    package: str = ""
    elsewhere: int = 0
    still_in: str | None = None
    whole: bool = False
    stacks: tuple[str, ...] = ()

    @classmethod
    def of(cls, row: Row) -> Change:
        """The change that a row tells."""
        return cls(**{**row, "whole": bool(row["whole"]) and row["event"] == "removed"})


def recent_changes(
    db: sqlite3.Connection, kind: str = "", most: int = MAX_CHANGES
) -> tuple[Change, ...]:
    """What was removed from tags, or those of a kind, and what returned, the newest first."""
    where = _OF_READINGS + _OF_KIND
    changes = _changes(db, _BY_TIME, where, most, readings_1=_readings(db, most), kind_1=kind)
    return _newest(most, changes, _stacks_left(db, most, kind_1=kind, stack_1=""))


def in_stacks(sets: str) -> str:
    """The condition that an event is of what is, or was last, listed with one of ``sets``."""
    tables = ("binaries", "gone_binaries")
    return f"({' OR '.join(_PLACE.format(table=it, sets=sets) for it in tables)})"


def changes_of_stack(
    db: sqlite3.Connection, stack: str, most: int = MAX_CHANGES
) -> tuple[Change, ...]:
    """What was removed from a stack and its tag, and what returned, the newest first."""
    parameters = Parameters()
    where = f"{_OF_READINGS} AND {in_stacks(sets_with(stack, parameters.add))}"
    values = parameters.values
    changes = _changes(db, _BY_TIME, where, most, readings_1=_readings(db, most), **values)
    return _newest(most, changes, _stacks_left(db, most, kind_1="", stack_1=stack))


def changes_of_package(
    db: sqlite3.Connection, package: str, most: int = MAX_CHANGES
) -> tuple[Change, ...]:
    """What was removed of a package and what returned, tag by tag, the newest first."""
    return _changes(db, _BY_SPEC, _OF_PACKAGE, most, package_1=package)


def changes_of_specs(
    db: sqlite3.Connection, specs: str, where: str, values: dict[str, Value], most: int
) -> tuple[Change, ...]:
    """What was removed and what returned of the specs that a statement gives the ids of."""
    return _changes(db, _BY_SPEC, f"specs.id IN (\n{specs}\n) AND {where}", most, **values)


def gone_of_package(db: sqlite3.Connection, package: str, most: int = MAX_GONE) -> Listed:
    """The binaries of a package that are gone, those that went last first."""
    return listed(db, _LIST.format(where=_GONE_OF_PACKAGE), most, package_1=package)


def gone_of_tag(db: sqlite3.Connection, tag: str, most: int = MAX_GONE) -> Listed:
    """The binaries of a tag that are gone, those that went last first.

    They are counted in the tag already.
    """
    row = ask_one(db, "SELECT gone FROM tags WHERE name = :tag_1", tag_1=tag)
    sql = _LIST.format(where=_GONE_OF_TAG)
    if not row or not row["gone"]:
        return Listed((), inline(sql, {"tag_1": tag}), 0)
    return listed(db, sql, most, count="SELECT gone FROM tags WHERE name = :tag_1", tag_1=tag)


def is_gone(db: sqlite3.Connection, package: str, tag: str) -> bool:
    """Whether a tag had binaries of a package that are gone."""
    return ask_one(db, _IS_GONE, package_1=package, tag_1=tag) is not None


def seen_of_package(db: sqlite3.Connection, package: str) -> dict[str, str | None]:
    """When binaries of a package were ``first_seen`` and ``last_seen``, where that was recorded."""
    gone = ask(db, _GONE_TIMES, package_1=package)[0]
    first = ask(db, _FIRST_SEEN, package_1=package)[0]
    last = ask_one(db, _LAST_SEEN, package_1=package) or gone
    firsts = (gone["first_seen"], first["first_seen"])
    return {
        "first_seen": min((it for it in firsts if it is not None), default=None),
        "last_seen": last["last_seen"],
    }


def gone_tags(db: sqlite3.Connection) -> tuple[Row, ...]:
    """The tags of which nothing is there any more, the newest first."""
    return ask(db, _GONE_TAGS)


def _stacks_left(db: sqlite3.Connection, most: int, **values: Value) -> tuple[Change, ...]:
    """The stacks that left a tag that is still there, the newest first."""
    return tuple(
        Change(
            *(row["at"], "left", row["tag"], row["kind"]),
            stacks=tuple(sorted(json.loads(row["stacks"]))),
        )
        for row in ask(db, _STACKS_LEFT, number_1=most, **values)
    )


def _newest(most: int, *changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """The newest of several lists, which each are in that order."""
    return tuple(islice(merge(*changes, key=attrgetter("at"), reverse=True), most))


def _readings(db: sqlite3.Connection, most: int) -> str:
    return json.dumps([row["at"] for row in ask(db, _READINGS, number_1=most)])


def _changes(
    db: sqlite3.Connection, source: str, where: str, most: int, **values: Value
) -> tuple[Change, ...]:
    sql = _NAMED.format(changes=_CHANGES.format(source=source, where=where))
    return tuple(map(Change.of, ask(db, sql, number_1=most, **values)))
