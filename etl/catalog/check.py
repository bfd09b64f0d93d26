"""Whether a catalog is sound, and whether it gives back the pages it was built from."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from etl.catalog.pages import PageWriter
from etl.page_format.yaml_text import PageError
from etl.progress import Follower
from etl.sources.page import PageReader
from etl.sources.pages import page_files

_MIRRORS = """
    SELECT tags.name || ' ' || stacks.name FROM mirrors
    JOIN tags ON tags.id = mirrors.tag_id
    JOIN stacks ON stacks.id = mirrors.stack_id
    WHERE mirrors.{column} != (
        SELECT count(*) FROM stack_set_members JOIN {table} USING (stack_set_id)
        WHERE stack_id = mirrors.stack_id AND {table}.tag_id = mirrors.tag_id
    )
"""

COUNTS: dict[str, str] = {
    "tags.binaries": """
        SELECT name FROM tags
        WHERE binaries != (SELECT count(*) FROM binaries WHERE tag_id = tags.id)
    """,
    "tags.packages": """
        SELECT name FROM tags
        WHERE packages != (SELECT count(*) FROM package_tags WHERE tag_id = tags.id)
    """,
    "packages.specs": """
        SELECT name FROM packages
        WHERE specs != (SELECT count(*) FROM specs WHERE package_id = packages.id AND tags > 0)
    """,
    "packages.binaries": """
        SELECT name FROM packages
        WHERE binaries != (SELECT count(*) FROM binaries WHERE package_id = packages.id)
    """,
    "packages.versions and packages.tags": """
        SELECT name FROM packages
        WHERE (versions, tags) != (
            SELECT count(DISTINCT version_id), count(DISTINCT tag_id)
            FROM binaries WHERE package_id = packages.id
        )
    """,
    "specs.tags": """
        SELECT hash FROM specs
        WHERE tags != (SELECT count(*) FROM binaries WHERE spec_id = specs.id)
    """,
    "package_tags.binaries": """
        SELECT packages.name || ' in ' || tags.name FROM package_tags
        JOIN packages ON packages.id = package_tags.package_id
        JOIN tags ON tags.id = package_tags.tag_id
        WHERE package_tags.binaries != (
            SELECT count(*) FROM binaries
            WHERE binaries.package_id = package_tags.package_id
                AND binaries.tag_id = package_tags.tag_id
        )
    """,
    "mirrors.binaries": _MIRRORS.format(column="binaries", table="binaries"),
    "tags.gone": """
        SELECT name FROM tags
        WHERE gone != (SELECT count(*) FROM gone_binaries WHERE tag_id = tags.id)
            OR gone_since IS NOT CASE WHEN binaries = 0 THEN
                (SELECT max(gone_since) FROM gone_binaries WHERE tag_id = tags.id)
            END
    """,
    "packages.gone": """
        SELECT name FROM packages
        WHERE gone != (SELECT count(*) FROM gone_binaries WHERE package_id = packages.id)
    """,
    "mirrors.gone": _MIRRORS.format(column="gone", table="gone_binaries"),
    "binaries that are gone": """
        SELECT specs.hash FROM gone_binaries JOIN specs ON specs.id = gone_binaries.spec_id
        WHERE (gone_binaries.package_id, gone_binaries.version_id)
                IS NOT (specs.package_id, specs.version_id)
            OR EXISTS (
                SELECT 1 FROM binaries
                WHERE binaries.spec_id = gone_binaries.spec_id
                    AND binaries.tag_id = gone_binaries.tag_id
            )
    """,
    "facet_counts": """
        SELECT table_name || ' ' || facet FROM facet_counts
        WHERE facet IN ('package_id', 'tag_id') AND count != CASE
            WHEN table_name = 'specs' AND facet = 'package_id' THEN
                (SELECT count(*) FROM specs WHERE package_id = value)
            WHEN facet = 'package_id' THEN
                (SELECT binaries FROM packages WHERE packages.id = value)
            ELSE (SELECT binaries FROM tags WHERE tags.id = value)
        END
    """,
    "binaries and their specs": """
        SELECT specs.hash FROM binaries JOIN specs ON specs.id = binaries.spec_id
        WHERE (binaries.package_id, binaries.version_id, binaries.compiler_id, binaries.os_id,
                binaries.platform_id, binaries.target_id, binaries.variant_set_id)
            IS NOT (specs.package_id, specs.version_id, specs.compiler_id, specs.os_id,
                specs.platform_id, specs.target_id, specs.variant_set_id)
    """,
}
"""What must hold beyond keys: each query names the rows for which it does not."""


def check_catalog(db: sqlite3.Connection) -> Iterator[str]:
    """What is wrong with the catalog, a sentence each: its file, its keys, its counts."""
    for (fault,) in db.execute("PRAGMA integrity_check(20)"):
        if fault != "ok":
            yield f"the file is damaged: {fault}"
    for table, row, parent, _ in db.execute("PRAGMA foreign_key_check").fetchmany(20):
        yield f"{table}: row {row} points to nothing in {parent}"
    for what, query in COUNTS.items():
        for (name,) in db.execute(query).fetchmany(20):
            yield f"{what}: does not match the rows for {name}"


def count_incomplete(db: sqlite3.Connection) -> int:
    """How many binaries cannot be installed from the cache alone; that is no fault of the file."""
    (number,) = db.execute("SELECT count(*) FROM binaries WHERE complete = 0").fetchone()
    return int(number)


def check_pages(db: sqlite3.Connection, source: Path, follow: Follower) -> Iterator[str]:
    """Which pages of the source the catalog does not give back as they are, a sentence each.

    Raises:
        SourceError: there is nothing at ``source``, or it is a damaged archive.
    """
    writer, reader = PageWriter(db), PageReader()
    for file in follow(page_files(source), f"comparing {source}", len(writer)):
        try:
            page, _ = reader.read(file.place, file.data)
        except PageError as error:
            yield f"{file.place}: {error}"
            continue
        text = writer.page(page.tag, page.package)
        if text is None:
            yield f"{file.place}: not in the catalog"
        elif text != file.data:
            place = _first_difference(text, file.data)
            yield f"{file.place}: is written differently, from byte {place}"


def _first_difference(one: bytes, other: bytes) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
