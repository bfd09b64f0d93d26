"""The rows of build caches: one for each stack of each tag, and one for each that is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import astuple

from etl.kept_records import KeptMirror
from etl.writer.intake import Intake, Marks
from etl.writer.names import Names
from etl.writer.rows import insert

_CACHE_COUNTS = """
    UPDATE caches SET
        (tags, binaries) = (
            SELECT count(*), ifnull(sum(binaries), 0) FROM tags
            WHERE cache_id = caches.id AND binaries > 0
        ),
        -- One unsigned build cache in it is what who installs has to know.
        signed = (SELECT min(signed) FROM mirrors WHERE cache_id = caches.id)
"""
_FACETS = (
    """
    INSERT INTO facet_counts (table_name, facet, value, count)
    SELECT 'binaries', 'cache_id', id, binaries FROM caches WHERE binaries > 0 ORDER BY 4 DESC, 3
    """,
    """
    INSERT INTO facet_counts (table_name, facet, value, count)
    SELECT 'specs', 'cache_id', tags.cache_id, count(DISTINCT binaries.spec_id)
    FROM tags CROSS JOIN binaries ON binaries.tag_id = tags.id
    WHERE tags.cache_id IS NOT NULL GROUP BY tags.cache_id ORDER BY 4 DESC, 3
    """,
)


def write_caches(db: sqlite3.Connection, intake: Intake, names: Names) -> None:
    """One row for each cache that the user has named, after its build caches are written."""
    insert(
        db,
        "caches",
        "id, name, address, kind",
        (
            (number, name, intake.caches[name].address, intake.caches[name].kind)
            for name, number in names.cache_ids.items()
        ),
    )
    db.execute(_CACHE_COUNTS)
    for statement in _FACETS:
        db.execute(statement)


def write_mirrors(db: sqlite3.Connection, intake: Intake, names: Names) -> None:
    """One row for each build cache: a stack that has binaries in a tag, or that a source lists."""
    tag_ids = {tag.name: number for number, tag in names.tags.rows()}
    stacks = {number: name for name, number in names.stack_ids.items()}
    kept = {(it.tag, it.stack): it for it in intake.merging.merged_mirrors()}
    listed = {(tag_ids[tag], names.stack_ids[stack]): 0 for tag, stack in (*intake.mirrors, *kept)}
    found = db.execute("SELECT tag_id, stack_id, binaries FROM shelf.stack_counts")
    mirrors = listed | {(tag, stack): binaries for tag, stack, binaries in found}
    tag_names = {number: name for name, number in tag_ids.items()}
    insert(
        db,
        "mirrors",
        "tag_id, stack_id, url, view, first_seen, last_seen, gone_since, sha256, binaries,"
        " cache_id, layout, signed, keys, published",
        (
            (
                tag,
                stack,
                *intake.about_mirror(tag_names[tag], stacks[stack], kept),
                mirrors[tag, stack],
                names.tag_caches.get(tag_names[tag]),
                *astuple(_marks(intake, kept, (tag_names[tag], stacks[stack]))),
            )
            for tag, stack in sorted(mirrors)
        ),
    )


def _marks(
    intake: Intake, kept: Mapping[tuple[str, str], KeptMirror], key: tuple[str, str]
) -> Marks:
    """What is known of a build cache: as read now, else as it is remembered."""
    remembered = Marks.of(kept[key]) if key in kept else Marks()
    return intake.marks[key].filled(remembered) if key in intake.marks else remembered
