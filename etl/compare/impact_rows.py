"""The binaries that contain something, one by one: in any order, page by page, and as CSV."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final

from etl.catalog.asking import AT_ONCE, Row, ask, rows_about
from etl.compare.impact import Impact
from etl.csv_text import as_csv
from etl.errors import UsageError
from etl.query.find import ALL, COLUMNS, NAMES, ORDERING
from etl.workers import batched

IMPACT_COLUMNS: Final = ("how", *COLUMNS)
"""The columns of the list: how a binary contains it, and what a search tells of a binary."""

PACKAGE_COLUMNS: Final = ("package", "binaries", "size")
"""The columns of the ranked packages."""

SORTED_BY: Final = ("how", *(it for it in ORDERING.columns if it not in ("tag", "cache")))
"""What the list can be sorted by: nothing that is the same in all of a tag."""

_ROWS = (
    f"WITH found AS (SELECT value AS id, key FROM json_each(:ids_1))\n{NAMES}\nORDER BY found.key"
)
# What is needed besides the binaries to sort them by a column.
_BESIDE = {
    "packages": "packages ON packages.id = binaries.package_id",
    "versions": "versions ON versions.id = binaries.version_id",
    "compilers": "compilers ON compilers.id = binaries.compiler_id",
    "operating_systems": "operating_systems ON operating_systems.id = binaries.os_id",
    "platforms": "platforms ON platforms.id = binaries.platform_id",
    "targets": "targets ON targets.id = binaries.target_id",
    "variant_sets": "variant_sets ON variant_sets.id = binaries.variant_set_id",
    "stack_sets": "stack_sets ON stack_sets.id = binaries.stack_set_id",
    "specs": "specs ON specs.id = binaries.spec_id",
}
_KEYS = """
    SELECT binaries.id, {key}, binaries.package_id, -binaries.version_id, -binaries.spec_id
    FROM json_each(?) CROSS JOIN binaries ON binaries.id = value{beside}
"""


def impact_rows(
    db: sqlite3.Connection, found: Impact, sort: str = "", first: int = 0, most: int = ALL
) -> list[Row]:
    """The binaries from ``first`` on, at most so many, with :data:`IMPACT_COLUMNS`.

    Where nothing is asked, those that contain it most closely come first, then by package and the
    newest versions.  ``sort`` is one of :data:`SORTED_BY`, with ``-`` the other way; what has no
    value comes last either way.

    Raises:
        UsageError: the list has no such column.
    """
    name = sort.removeprefix("-")
    if name and name not in SORTED_BY:
        raise UsageError(f"sort= is one of {', '.join(SORTED_BY)}, with - the other way")
    backwards = sort.startswith("-")
    if name in ("", "how"):
        groups = reversed(found.found) if backwards else found.found
        in_order = chain.from_iterable(
            _in_order(db, "NULL", ids) for ids in _needed(groups, first + most)
        )
    else:
        every = array("q", chain.from_iterable(ids for _, ids in found.found))
        in_order = chain(_in_order(db, ORDERING.columns[name], every, backwards))
    how = {id_: word for word, ids in found.found for id_ in ids}
    chosen = list(in_order)[first : first + most]
    return [
        {"how": how[id_], **row}
        for part in batched(chosen, AT_ONCE)
        for id_, row in zip(part, ask(db, _ROWS, ids_1=json.dumps(part)), strict=True)
    ]


def _needed(groups: Iterable[tuple[str, array[int]]], most: int) -> Iterable[array[int]]:
    """The ids of the groups, up to that in which so many of them are."""
    for _, ids in groups:
        if most <= 0:
            return
        yield ids
        most -= len(ids)


def _in_order(
    db: sqlite3.Connection, key: str, ids: Sequence[int], backwards: bool = False
) -> list[int]:
    """The ids of binaries sorted by a term, and those alike by package, the newest first."""
    beside = "".join(
        f"\n    CROSS JOIN {join}" for table, join in _BESIDE.items() if f"{table}." in key
    )
    sql = _KEYS.format(key=key, beside=beside)
    rows = [*rows_about(db, sql, ids)]
    # Packages have their numbers in the order of their names, and their versions in Spack's.
    rows.sort(key=lambda row: row[2:])
    told = [row for row in rows if row[1] is not None]
    told.sort(key=lambda row: row[1], reverse=backwards)
    return [row[0] for row in (*told, *(row for row in rows if row[1] is None))]


def rows_as_csv(rows: Iterable[Row], columns: Sequence[str]) -> str:
    """Rows as CSV with a line of names."""
    return as_csv(columns, ([row[it] for it in columns] for row in rows))
