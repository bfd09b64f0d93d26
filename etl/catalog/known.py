"""What a catalog knows of its own sources: where they are, when they were read, what changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etl.catalog.kept import read_catalog
from etl.catalog.older import columns_of
from etl.catalog.reader import READABLE, open_catalog
from etl.kept_records import KeptMirror, KeptWords

_Told = tuple[str, str, str | None]
"""The kind of a source, the options that it was read with, and the SHA-256 of what was read."""

_TOTALS = {
    "binaries": "SELECT ifnull(sum(binaries), 0) FROM tags",
    "gone": "SELECT ifnull(sum(gone), 0) FROM tags",
}
_NUMBERS = {
    "binaries_added": "SELECT count(*) FROM binaries WHERE first_seen = ?",
    "binaries_removed": "SELECT count(*) FROM events WHERE at = ? AND event = 'removed'",
    "binaries_returned": "SELECT count(*) FROM events WHERE at = ? AND event = 'returned'",
}
_MIRRORS = """
    SELECT tags.name || '/' || stacks.name FROM mirrors
    JOIN tags ON tags.id = tag_id JOIN stacks ON stacks.id = stack_id
    WHERE mirrors.{column} = ? ORDER BY mirrors.id
"""


def newest_reading(path: Path) -> str:
    """When the newest of the catalog's sources was read; "" where none tells.

    Raises:
        ReadError: it is not a catalog, or one that cannot be read.
    """
    with open_catalog(path, READABLE) as db:
        if "read_at" not in columns_of(db, "sources"):
            return ""
        (newest,) = db.execute("SELECT ifnull(max(read_at), '') FROM sources").fetchone()
        return str(newest)


def known_indexes(path: Path) -> dict[tuple[str, str], tuple[str, str | None, str | None]]:
    """The SHA-256 of the index of each build cache that the catalog has, its address and view.

    They are by tag and stack.

    Raises:
        ReadError: it is not a catalog, or one that cannot be read.
    """
    with open_catalog(path, READABLE) as db:
        if "sha256" not in columns_of(db, "mirrors"):
            return {}
        rows = db.execute(
            "SELECT tags.name, stacks.name, sha256, url, view FROM mirrors"
            " JOIN tags ON tags.id = tag_id JOIN stacks ON stacks.id = stack_id"
            " WHERE sha256 IS NOT NULL AND mirrors.gone_since IS NULL"
        )
        return {(tag, stack): (*rest,) for tag, stack, *rest in rows}


def known_digests(path: Path) -> set[tuple[str | None, str, str, str]]:
    """What was read of each source and still holds: its cache, its options, its location, SHA-256.

    What was read of a source holds no more once something else was read there, with these options
    or with others: a reading of one package changes what one of everything had told.

    Raises:
        ReadError: it is not a catalog, or one that cannot be read.
    """
    with open_catalog(path, READABLE) as db:
        cache, options, join = _asked(db)
        at = "ifnull(read_at, '')" if "read_at" in columns_of(db, "sources") else "''"
        # What is read again unchanged keeps its row, so that the last row need not be the newest.
        rows = db.execute(
            f"SELECT {cache}, {options}, location, sha256, sources.kind, {at}"
            f" FROM sources {join} WHERE sources.kind != 'unreadable' ORDER BY {at}, sources.id"
        )
        holds: dict[tuple[str | None, str, str], dict[_Told, str]] = {}
        for name, how, location, sha256, kind, time in rows:
            # Where an unnamed folder lies is not known: pages and indexes are not in the same.
            place = name, location, "" if name or "://" in location else kind
            # What was read at one time are several folders, or parts of one.
            before = {
                told: then
                for told, then in holds.get(place, {}).items()
                if told[2] == sha256 or (then == time and (time or told[:2] != (kind, how)))
            }
            holds[place] = before | {(kind, how, sha256): time}
        return {
            (name, how, location, sha256)
            for (name, location, _), found in holds.items()
            for _, how, sha256 in found
            if sha256 is not None
        }


def known_sources(path: Path) -> list[tuple[str, str | None, str]]:
    """What can be read again of what the catalog was built from: address, name, options.

    These are all addresses, and folders that have a name.

    Raises:
        ReadError: it is not a catalog, or one that cannot be read.
    """
    with open_catalog(path, READABLE) as db:
        cache, options, join = _asked(db)
        folder = "caches.address" if join else "NULL"
        rows = db.execute(
            f"SELECT DISTINCT CASE WHEN location LIKE '%://%' THEN location ELSE {folder} END,"
            f" {cache}, {options} FROM sources {join}"
            f" WHERE location LIKE '%://%' OR {folder} LIKE 'file://%' ORDER BY 1, 2, 3"
        )
        return [(address, name, how) for address, name, how in rows]


def _asked(db: sqlite3.Connection) -> tuple[str, str, str]:
    """The SQL for the name of a source, its options, and what to join for that."""
    if "options" not in columns_of(db, "sources"):
        return "NULL", "''", ""
    return "caches.name", "options", "LEFT JOIN caches ON caches.id = cache_id"


def known_mirrors(catalog: Path) -> Iterator[KeptMirror]:
    """The build caches that the catalog has."""
    for record in read_catalog(catalog):
        if isinstance(record, KeptWords):
            return  # they come before all packages
        if isinstance(record, KeptMirror):
            yield record


def changes_at(catalog: Path, at: str) -> dict[str, Any]:
    """What the catalog says of the reading at that time, and how many binaries it then has."""
    with open_catalog(catalog) as db:
        numbers = {name: db.execute(sql, (at,)).fetchone()[0] for name, sql in _NUMBERS.items()}
        totals = {name: db.execute(sql).fetchone()[0] for name, sql in _TOTALS.items()}
        mirrors = {
            name: [row[0] for row in db.execute(_MIRRORS.format(column=column), (at,))]
            for name, column in (("mirrors_added", "first_seen"), ("mirrors_gone", "gone_since"))
        }
    return mirrors | numbers | totals
