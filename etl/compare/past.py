"""A tag as it was at a time: ``develop@2025-11-18``, from what one catalog remembers.

A catalog that is updated from itself knows when each binary was first seen in a tag, when it was
removed and when it returned.  Of the stacks it knows those that a binary is in, or was in last.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from datetime import datetime

from etl.catalog.asking import Row, ask
from etl.catalog.names_near import check_name
from etl.catalog.sql_text import Parameters
from etl.errors import UsageError
from etl.text import printable

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_IS_TAG = "SELECT 1 FROM tags WHERE name = ?"
_FIRST_READ = """
    SELECT min(first_seen) FROM mirrors WHERE tag_id = (SELECT id FROM tags WHERE name = ?)
"""
# A tag is another after a reading of its sources, if any; the newest is the tag as it is.
_READINGS = """
    SELECT DISTINCT read_at AS at FROM sources
    WHERE read_at >= (SELECT min(first_seen) FROM mirrors WHERE tag_id = :id_1)
        AND read_at < (SELECT max(last_seen) FROM mirrors WHERE tag_id = :id_1)
    ORDER BY read_at DESC LIMIT :number_1
"""
_LAST_THERE = """
    SELECT max(last_seen) FROM gone_binaries
    WHERE tag_id = (SELECT id FROM tags WHERE name = ?)
"""

COLUMNS = (
    "tag_id", "spec_id", "stack_set_id", "package_id", "version_id", "compiler_id", "os_id",
    "platform_id", "target_id", "variant_set_id",
)  # fmt: skip
"""What a tag at a time has of each binary, under the names that ``binaries`` has."""

MAX_READINGS = 5


@dataclass(frozen=True, slots=True)
class TagAt:
    """A tag as it is now, or as it was at a time (``at``, in UTC)."""

    tag: str
    at: str | None = None


def tag_at(db: sqlite3.Connection, text: str) -> TagAt:
    """What ``develop`` or ``develop@2025-11-18`` is; a day is the tag as it was at its end.

    Raises:
        UsageError: the catalog has no such tag, or does not know how it was at that time.
    """
    name, _, time = text.rpartition("@")
    if not name or db.execute(_IS_TAG, (text,)).fetchone():
        check_name(db, "tag", text)
        return TagAt(text)
    check_name(db, "tag", name)
    at = _time(time, text)
    (first,) = db.execute(_FIRST_READ, (name,)).fetchone()
    if first is None:
        raise UsageError(
            f"{printable(text)}: it is unknown when {printable(name)} was read; catalogs that are"
            " kept up to date by spack-catalog update record it"
        )
    if at < first:
        raise UsageError(
            f"{printable(text)}: {printable(name)} was first read at {first}; how it was before"
            " that is not known"
        )
    return TagAt(name, at)


def _time(text: str, whole: str) -> str:
    if _DAY.fullmatch(text):
        text += "T23:59:59Z"
    try:
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise UsageError(
            f"{printable(whole)}: after the @ comes a day or a time in UTC, such as 2025-11-18 or"
            " 2025-11-18T06:00:00Z"
        ) from None
    return text


def there(it: TagAt, parameters: Parameters) -> str:
    """The statement that gives the binaries of a tag as it was at a time, by ``COLUMNS``."""
    tag, at = parameters.add("tag", it.tag), parameters.add("at", it.at)
    arms = []
    for table in ("binaries", "gone_binaries"):
        columns = [
            f"{table if name in _OF_GONE or table == 'binaries' else 'specs'}.{name}"
            for name in COLUMNS
        ]
        joined = "" if table == "binaries" else f" CROSS JOIN specs ON specs.id = {table}.spec_id"
        arms.append(
            f"SELECT {', '.join(columns)}\nFROM {table}{joined}\n"
            f"WHERE {table}.tag_id = (SELECT id FROM tags WHERE name = {tag})\n"
            f"    AND ifnull({table}.first_seen, '') <= {at}\n"
            "    AND ifnull((\n"
            "        SELECT event FROM events\n"
            f"        WHERE events.spec_id = {table}.spec_id AND events.tag_id = {table}.tag_id\n"
            f"            AND events.at <= {at} ORDER BY events.at DESC LIMIT 1\n"
            "    ), 'returned') = 'returned'"
        )
    return "\nUNION ALL\n".join(arms)


_OF_GONE = {"tag_id", "spec_id", "stack_set_id", "package_id", "version_id"}


def earlier_readings(db: sqlite3.Connection, tag: str, most: int = MAX_READINGS) -> tuple[str, ...]:
    """When a tag was read before, the newest first: how it was then can be compared."""
    (id_,) = db.execute("SELECT id FROM tags WHERE name = ?", (tag,)).fetchone()
    rows: tuple[Row, ...] = ask(db, _READINGS, id_1=id_, number_1=most)
    return tuple(row["at"] for row in rows)


def gone_hint(db: sqlite3.Connection, text: str) -> str | None:
    """A word on a tag of which nothing is there any more: how what it had is compared."""
    row = db.execute("SELECT gone_since FROM tags WHERE name = ?", (text,)).fetchone()
    if row is None or row[0] is None:
        return None
    last = last_there(db, text)
    had = f"; {text}@{last} is what it had" if last else ""
    return printable(f"{text} is gone since {row[0]} and has no binaries{had}")


def last_there(db: sqlite3.Connection, tag: str) -> str | None:
    """When something of a tag of which nothing is left was last seen, where that was recorded."""
    (at,) = db.execute(_LAST_THERE, (tag,)).fetchone()
    return None if at is None else str(at)
