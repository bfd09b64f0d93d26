"""The packages of a catalog that is a source, which are read when the next is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from etl.catalog.older import columns_of, damage_of, selected
from etl.catalog.pages import unpacked
from etl.kept_records import KeptBuild, KeptPackage

_SPAN = "id BETWEEN ? AND ?"
_FLAGS = "SELECT spec_id, name, flag FROM spec_flags WHERE spec_id BETWEEN ? AND ? ORDER BY id"
# By the plus, SQLite sorts the few there are and does not look through all for them.
_EDGES = """
    SELECT parent_id, child_id, deptypes, virtuals FROM dependencies
    WHERE parent_id BETWEEN ? AND ? ORDER BY +id
"""


class Packages:
    """The packages of a catalog, of which the rows are read when they are asked for."""

    def __init__(self, path: Path, db: sqlite3.Connection, packages: Mapping[int, str]) -> None:
        self._path = path
        self._db = db
        self.ids = {name: id_ for id_, name in packages.items()}
        self._packages = packages
        binary = "tag_id, spec_id, ifnull(-stack_order_id, stack_set_id), position, first_seen"
        spec = "id, hash, version_id, compiler_id, os_id, platform_id, target_id, variant_set_id"
        self._specs = _Rows(db, "specs", f"{spec}, size", "version_id IS NOT NULL")
        self._binaries = _Rows(db, "binaries", binary, told_by_spec=True)
        gone = f"{binary}, last_seen, gone_since"
        self._gone = _Rows(db, "gone_binaries", gone, told_by_spec=True)
        self._pages = _Rows(db, "pages", "tag_id, source_id, style_id, text")
        self._children: dict[int, tuple[str, str]] | None = None
        oldest = "SELECT value FROM catalog_info WHERE key = 'oldest_spec_format'"
        self._describes_any = db.execute(oldest).fetchone() != ("",)
        described = selected(
            db,
            "specs",
            "id, format, namespace, package_hash, external, build_spec, external_details,"
            " patch_order",
        )
        self._described = f"SELECT {described} FROM specs WHERE {_SPAN} AND format IS NOT NULL"

    def about(self, name: str) -> KeptPackage:
        """All that the catalog has of a package.

        Raises:
            ReadError: the catalog is damaged there.
        """
        package = self.ids[name]
        with damage_of(self._path):
            return KeptPackage(
                name,
                self._specs.of(package),
                self._binaries.of(package),
                self._gone.of(package),
                [
                    (*page, None if text is None else unpacked(text))
                    for *page, text in self._pages.of(package)
                ],
                self._builds(package) if self._describes_any else {},
            )

    def _builds(self, package: int) -> dict[int, KeptBuild]:
        """What only build caches tell of the specs of a package, by their numbers."""
        span = self._specs.ends.get(package, (1, 0))
        described = self._db.execute(self._described, span).fetchall()
        if not described:
            return {}
        flags = _Groups(self._db.execute(_FLAGS, span))
        edges = _Groups(self._db.execute(_EDGES, span))
        names = self._names()
        found: dict[int, KeptBuild] = {}
        for id_, *told in described:
            by_name = groupby(flags.of(id_), itemgetter(1))
            found[id_] = (
                *told,
                tuple((name, tuple(flag for *_, flag in rows)) for name, rows in by_name),
                tuple(
                    [
                        (*names[child], deptypes, virtuals)
                        for _, child, deptypes, virtuals in edges.of(id_)
                    ]
                ),
            )
        if edges.has_more or flags.has_more:
            raise ValueError("dependencies or flags of a spec of which nothing else is known")
        return found

    def _names(self) -> dict[int, tuple[str, str]]:
        """The hash and the package of each spec."""
        if self._children is None:
            self._children = {
                id_: (hash_, self._packages[package])
                for id_, hash_, package in self._db.execute(
                    "SELECT id, hash, package_id FROM specs"
                )
            }
        return self._children


class _Rows:
    """The rows of a table, which lie package by package; ``where`` says which of them lie so.

    ``told_by_spec`` are rows that name their spec, which can only be one of the package.

    Raises:
        ValueError: they lie otherwise.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        table: str,
        columns: str,
        where: str = "1",
        *,
        told_by_spec: bool = False,
    ) -> None:
        self._db = db
        self._table = table
        self.ends: dict[int, tuple[int, int]] = {}
        if not columns_of(db, table):
            return
        self._sql = f"SELECT {selected(db, table, columns)} FROM {table} WHERE {_SPAN}"
        # To find the ends takes longer than to count.
        ends = "NULL, NULL" if told_by_spec else "min(id), max(id)"
        last = 0
        for package, number, lowest, highest in db.execute(
            f"SELECT package_id, count(*), {ends} FROM {table} WHERE {where} GROUP BY package_id"
        ):
            first, last = last + 1, last + number
            if lowest not in (None, first) or highest not in (None, last):
                raise ValueError(f"{table} that do not lie package by package")
            self.ends[package] = first, last

    def of(self, package: int) -> list[Any]:
        """Those of a package, in order.

        Raises:
            ValueError: some are missing.
        """
        if package not in self.ends:
            return []
        first, last = self.ends[package]
        rows = self._db.execute(self._sql, (first, last)).fetchall()
        if len(rows) != last - first + 1:
            raise ValueError(f"{self._table} that do not lie package by package")
        return rows


class _Groups:
    """Rows that come in the order of their owners, handed out owner by owner."""

    def __init__(self, rows: Iterator[tuple[Any, ...]]) -> None:
        self._groups = groupby(rows, itemgetter(0))
        self._next = next(self._groups, None)

    @property
    def has_more(self) -> bool:
        return self._next is not None

    def of(self, owner: int) -> list[tuple[Any, ...]]:
        if self._next is None or self._next[0] != owner:
            return []
        found = list(self._next[1])
        self._next = next(self._groups, None)
        return found
