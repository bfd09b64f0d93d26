"""What a catalog knows of its own sources: where they are, when they were read, what changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etl.catalog.kept import columns_of, read_catalog
from etl.catalog.reader import READABLE, open_catalog
from etl.records import KeptMirror, KeptPackage

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


def known_indexes(path: Path) -> dict[tuple[str, str], str]:
    """The SHA-256 of the index of each build cache that the catalog has, by tag and stack.

    Raises:
        ReadError: it is not a catalog, or one that cannot be read.
    """
    with open_catalog(path, READABLE) as db:
        if "sha256" not in columns_of(db, "mirrors"):
            return {}
        rows = db.execute(
            "SELECT tags.name, stacks.name, sha256 FROM mirrors"
            " JOIN tags ON tags.id = tag_id JOIN stacks ON stacks.id = stack_id"
            " WHERE sha256 IS NOT NULL AND mirrors.gone_since IS NULL"
        )
        return {(tag, stack): sha256 for tag, stack, sha256 in rows}


def known_digests(path: Path) -> set[str]:
    """The SHA-256 of what was read last of each source that the catalog was built from.

    Raises:
        ReadError: it is not a catalog, or one that cannot be read.
    """
    with open_catalog(path, READABLE) as db:
        rows = db.execute(
            "SELECT sha256 FROM sources WHERE sha256 IS NOT NULL AND id IN"
            " (SELECT max(id) FROM sources GROUP BY kind, location)"
        )
        return {sha256 for (sha256,) in rows}


def known_addresses(path: Path) -> list[str]:
    """The addresses that the catalog was built from, as ``NAME=ADDRESS`` where it has a name.

    Raises:
        ReadError: it is not a catalog, or one that cannot be read.
    """
    with open_catalog(path, READABLE) as db:
        names = {}
        if columns_of(db, "caches"):
            names = dict(db.execute("SELECT address, name FROM caches"))
        rows = db.execute(
            "SELECT DISTINCT location FROM sources WHERE location LIKE '%://%' ORDER BY 1"
        )
        addresses = [(it, it.partition("#")[0].rstrip("/")) for (it,) in rows]
        return [f"{names[it]}={at}" if it in names else at for at, it in addresses]


def known_mirrors(catalog: Path) -> Iterator[KeptMirror]:
    """The build caches that the catalog has."""
    for record in read_catalog(catalog):
        if isinstance(record, KeptPackage):
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
