"""What is exported: the public views as people read them, and the tables that queries join.

``binaries`` is the view ``binary_list``, a folder for each tag (``tag=develop``), so that an engine
reads only the tags that it is asked about.  All other datasets are one file each.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

from etl.catalog.views import VIEWS

Kind = Literal["integer", "real", "text", "list", "map"]
Row = tuple[Any, ...]

PARTITIONED = "binaries"
"""The dataset with a folder for each tag."""

_BY_TAG = "binary_list"
"""The view that it is made of; other datasets are called like their view or table."""

TABLES = (
    "catalog_info", "compilers", "dependencies", "need_set_members", "operating_systems",
    "packages", "platforms", "spec_flags", "specs", "stacks", "tags", "target_ancestors",
    "targets", "variant_set_members", "variant_sets", "variants", "versions", "virtual_lists",
)  # fmt: skip
"""Tables that a spec query joins, with their own columns; see :mod:`etl.query.dialects`."""

_ORDER = {
    "binary_list": "package, version_key DESC, hash",
    "spec_list": "package, version_key DESC, hash",
    "dependency_list": "package, hash, dependency, dependency_hash",
    "spec_variants": "package, hash, name, value",
    "binary_stacks": "tag, package, hash, stack",
}
"""What the rows of a view are sorted by; of others, their first column."""

_KINDS: dict[str, Kind] = {"INTEGER": "integer", "REAL": "real"}
_TYPES: dict[str, Kind] = {"integer": "integer", "real": "real"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, what it holds, and where in a row of SQLite it is."""

    name: str
    kind: Kind
    place: int


@dataclass(frozen=True, slots=True)
class Part:
    """One file: its path in the folder, its columns, and how its rows are read."""

    path: str
    dataset: str
    columns: tuple[Column, ...]
    sql: str
    values: tuple[str, ...]
    is_by_package: bool = False
    """Whether the rows are sorted by package first."""


class Datasets:
    """The parts of a catalog's export, and their rows."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def parts(self) -> Iterator[Part]:
        """All parts, in the order in which they are written."""
        for view in VIEWS:
            if view == _BY_TAG:
                yield from self._by_tag(view)
            else:
                yield self._whole(view, _ORDER.get(view, "1"))
        for table in TABLES:
            yield self._whole(table, "rowid")

    def rows(self, part: Part) -> Iterator[Row]:
        """The rows of a part, as SQLite gives them."""
        yield from self._db.execute(part.sql, part.values)

    def values(self, column: Column, rows: list[Row]) -> list[Any]:
        """A column of rows, as it is written."""
        place = column.place
        if column.kind == "list":
            return [row[place].split() for row in rows]
        if column.kind == "map":
            maps = self._variants
            return [maps.get(row[place]) for row in rows]
        return [row[place] for row in rows]

    def _by_tag(self, view: str) -> Iterator[Part]:
        columns = self._columns(view)
        inner = tuple(column for column in columns if column.name != "tag")
        sql = f"SELECT * FROM {view} WHERE tag = ? ORDER BY {_ORDER[view]}"
        tags = "SELECT name FROM tags WHERE binaries > 0 ORDER BY position"
        # Where all binaries are gone, a file without rows has the columns for engines.
        any_tag = "SELECT name FROM tags ORDER BY position LIMIT 1"
        for (tag,) in self._db.execute(tags).fetchall() or self._db.execute(any_tag).fetchall():
            path = f"{PARTITIONED}/tag={escaped(tag)}/part-0.parquet"
            yield Part(path, PARTITIONED, inner, sql, (tag,), is_by_package=True)

    def _whole(self, table: str, order: str) -> Part:
        sql = f"SELECT * FROM {table} ORDER BY {order}"
        by_package = order.startswith("package,")
        return Part(f"{table}.parquet", table, self._columns(table), sql, (), by_package)

    def _columns(self, table: str) -> tuple[Column, ...]:
        told = self._db.execute("SELECT name, type FROM pragma_table_info(?)", (table,))
        return tuple(
            Column(name, self._kind(table, name, declared), place)
            for place, (name, declared) in enumerate(told.fetchall())
        )

    def _kind(self, table: str, column: str, declared: str) -> Kind:
        """What a column holds; of a view's expression SQLite tells no type, but its values do."""
        if table in VIEWS and column in ("variants", "stacks"):
            is_text = declared == "TEXT"
            return ("map" if column == "variants" else "list") if is_text else "integer"
        if declared:
            return _KINDS.get(declared, "text")
        sql = f"SELECT typeof({column}) FROM {table} WHERE {column} IS NOT NULL LIMIT 1"
        found = self._db.execute(sql).fetchone()
        return _TYPES.get(found[0], "text") if found else "text"

    @cached_property
    def _variants(self) -> dict[str, list[tuple[str, str]]]:
        """Each list of variants as pairs; the values of a multi-valued one are joined by commas."""
        members = self._db.execute(
            "SELECT variant_set_id, name, value FROM variant_set_members"
            " JOIN variants ON variants.id = variant_id ORDER BY variant_set_id, variant_id"
        )
        pairs: dict[tuple[str, str], tuple[str, str]] = {}  # a few thousand make up all lists
        found: dict[int, list[tuple[str, str]]] = {}
        for number, rows in groupby(members, itemgetter(0)):
            values: dict[str, str] = {}
            for _, name, value in rows:
                values[name] = f"{values[name]},{value}" if name in values else value
            found[number] = [pairs.setdefault(pair, pair) for pair in values.items()]
        # Of lists with the same text the one counts that the text says, not what is in parts.
        texts = self._db.execute("SELECT id, variants FROM variant_sets ORDER BY parts IS NULL")
        return {text: found.get(number, []) for number, text in texts}


def escaped(value: str) -> str:
    """A value as Hive writes it into the name of a folder; engines undo it.

    Hive escapes what means something in a path (``escapePathName`` of its ``FileUtils``).
    """
    return "".join(
        letter if letter.isalnum() or letter in "._-+@, " else "".join(map("%{:02X}".format, code))
        for letter, code in ((it, it.encode()) for it in value)
    )
