"""A catalog as a source: all that it knows, as records, so that another can be built from it.

What can be told from other rows (counts, summaries, closures) is left to the writer; everything
else comes, so that the catalog built from these records alone equals this one byte for byte.
Catalogs of the previous schema are read too; columns that they lack are empty.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

from etl.catalog.pages import unpacked
from etl.catalog.reader import READABLE, open_catalog, refuse_cut_off
from etl.catalog.variant_text import split_variants
from etl.errors import CatalogError, ReadError
from etl.records import (
    Cache,
    Digest,
    KeptBuild,
    KeptDates,
    KeptEvent,
    KeptMirror,
    KeptNames,
    KeptPackage,
    KeptPage,
    KeptWords,
    PageStyle,
    Problem,
    Provision,
    Recipe,
    Record,
    Source,
)

_DAMAGED = (sqlite3.DatabaseError, zlib.error, LookupError, TypeError, ValueError, AttributeError)
"""What comes of values that no build has written."""

_DATES_AT_ONCE = 10_000


def read_catalog(path: Path) -> Iterator[Record]:
    """All that the catalog at ``path`` knows.

    Raises:
        ReadError: it is not a catalog, it is damaged, or a newer version wrote it.
    """
    with open_catalog(path, READABLE) as db:
        try:
            refuse_cut_off(db)
            yield from _Reader(db).records()
        except CatalogError:
            raise
        except _DAMAGED as error:
            raise ReadError(
                f"{path}: is damaged ({error}); take a copy of it, or build it again from sources"
            ) from None


def columns_of(db: sqlite3.Connection, table: str) -> set[str]:
    """The columns that a table of the catalog has; none if there is no such table."""
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}


class _Reader:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._packages = self._names("packages")
        self._tags = self._names("tags")

    def records(self) -> Iterator[Record]:
        yield from self._sources()
        yield KeptNames(tuple(self._tags.values()), tuple(self._names("stacks").values()))
        yield from self._caches()
        yield from self._mirrors()
        yield from self._recipes()
        yield self._words()
        yield from self._kept_packages()
        yield from self._dates()
        yield from self._events()

    def _rows(self, table: str, columns: str, tail: str = "") -> Iterator[tuple[Any, ...]]:
        """Rows; NULL for columns that an older schema does not have."""
        there = columns_of(self._db, table)
        if not there:
            return iter(())
        listed = ", ".join(it if it in there else "NULL" for it in columns.split(", "))
        return self._db.execute(f"SELECT {listed} FROM {table} {tail}")

    def _names(self, table: str) -> dict[int, str]:
        return dict(self._rows(table, "id, name", "ORDER BY id"))

    def _used(self, table: str, column: str) -> dict[int, str]:
        """The names that specs have; others are there as this program knows them, not read."""
        used = f"WHERE EXISTS (SELECT 1 FROM specs WHERE specs.{column} = {table}.id)"
        return dict(self._rows(table, "id, name", f"{used} ORDER BY id"))

    def _sources(self) -> Iterator[Record]:
        problems: dict[int, list[Problem]] = {}
        for source, place, kind, message in self._rows(
            "problems", "source_id, place, kind, message", "ORDER BY id"
        ):
            problems.setdefault(source, []).append(Problem(place, kind, message))
        caches = self._names("caches")
        for id_, kind, location, sha256, read_at, cache, options in self._rows(
            "sources", "id, kind, location, sha256, read_at, cache_id, options", "ORDER BY id"
        ):
            yield Source(kind, location, None, read_at, caches.get(cache), options or "")
            yield from problems.get(id_, ())
            if sha256 is not None:
                yield Digest(sha256)

    def _mirrors(self) -> Iterator[KeptMirror]:
        stacks, caches = self._names("stacks"), self._names("caches")
        for (
            tag,
            stack,
            url,
            view,
            first,
            last,
            gone,
            cache,
            layout,
            signed,
            keys,
            *rest,
        ) in self._rows(
            "mirrors",
            "tag_id, stack_id, url, view, first_seen, last_seen, gone_since, cache_id, layout,"
            " signed, keys, published, sha256",
            "ORDER BY id",
        ):
            yield KeptMirror(
                self._tags[tag],
                stacks[stack],
                url,
                view,
                first,
                last,
                gone,
                caches.get(cache),
                layout,
                None if signed is None else bool(signed),
                None if keys is None else bool(keys),
                *rest,
            )

    def _caches(self) -> Iterator[Cache]:
        for row in self._rows("caches", "name, address, kind", "ORDER BY id"):
            yield Cache(*row)

    def _recipes(self) -> Iterator[Recipe]:
        provisions: dict[int, list[Provision]] = {}
        for package, virtual, versions, condition in self._rows(
            "provides", "package_id, virtual, versions, condition", "ORDER BY id"
        ):
            conditions = tuple(condition.split("\n")) if condition else ()
            provisions.setdefault(package, []).append(Provision(virtual, versions, conditions))
        for id_, name, description, homepage, licenses in self._rows(
            "packages", "id, name, description, homepage, licenses"
        ):
            found = tuple(provisions.get(id_, ()))
            if found or (description, homepage, licenses) != (None, None, None):
                licensed = () if licenses is None else (licenses,)
                yield Recipe(name, description, homepage, licensed, found)

    def _events(self) -> Iterator[KeptEvent]:
        if columns_of(self._db, "events"):
            for row in self._db.execute(
                "SELECT at, event, tags.name, specs.hash FROM events"
                " JOIN tags ON tags.id = tag_id JOIN specs ON specs.id = spec_id"
                " ORDER BY events.id"
            ):
                yield KeptEvent(*row)

    def _words(self) -> KeptWords:
        """What the numbers in the rows of packages stand for."""
        db = self._db
        patches: dict[int, list[str]] = {}
        for set_, sha256 in db.execute(
            "SELECT variant_set_id, sha256 FROM variants JOIN variant_set_members"
            " ON variant_id = id WHERE sha256 IS NOT NULL"
        ):
            patches.setdefault(set_, []).append(sha256)
        orders: Iterable[tuple[Any, ...]] = ()
        if "patch_order" in columns_of(db, "specs"):
            ordered = "WHERE patch_order IS NOT NULL"
            orders = self._rows("specs", "variant_set_id, patch_order", ordered)
        return KeptWords(
            self._tags,
            dict(db.execute("SELECT id, version FROM versions")),
            self._used("compilers", "compiler_id"),
            self._used("operating_systems", "os_id"),
            self._used("platforms", "platform_id"),
            self._used("targets", "target_id"),
            {
                id_: split_variants(text) if parts is None else tuple(json.loads(parts))
                for id_, text, parts in self._rows("variant_sets", "id, variants, parts")
            },
            {set_: tuple(sorted(sums)) for set_, sums in patches.items()},
            frozenset(orders),
            _lists(db, "stack_sets")
            | {-id_: stacks for id_, stacks in _lists(db, "stack_orders").items()},
            {
                id_: PageStyle.from_json(text)
                for id_, text in db.execute("SELECT id, style FROM page_styles")
            },
        )

    def _kept_packages(self) -> Iterator[KeptPackage]:
        """Specs and binaries lie package by package; each table is read once, from end to end."""
        binary = "tag_id, spec_id, ifnull(-stack_order_id, stack_set_id), position, first_seen"
        spec = "id, hash, version_id, compiler_id, os_id, platform_id, target_id, variant_set_id"
        all_specs = self._of_packages("specs", f"{spec}, size", "WHERE version_id IS NOT NULL")
        all_binaries = self._of_packages("binaries", binary)
        all_gone = self._of_packages("gone_binaries", f"{binary}, last_seen, gone_since")
        builds = _Groups(self._builds())
        pages: dict[int, list[KeptPage]] = {}
        for package, tag, source, style, text in self._rows(
            "pages", "package_id, tag_id, source_id, style_id, text", "ORDER BY id"
        ):
            page = (tag, source, style, None if text is None else unpacked(text))
            pages.setdefault(package, []).append(page)
        for package, name in self._packages.items():
            specs, binaries, gone = all_specs(package), all_binaries(package), all_gone(package)
            numbers = range(specs[0][0], specs[-1][0] + 1) if specs else range(0)
            if len(numbers) != len(specs) or any(
                rows and not (rows[0][1] in numbers and rows[-1][1] in numbers)
                for rows in (binaries, gone)
            ):
                raise ValueError(f"specs or binaries of {name} that are not where they belong")
            known = {id_: build for _, id_, build in builds.of(package)}
            yield KeptPackage(name, specs, binaries, gone, pages.get(package, []), known)
        if builds.has_more:
            raise ValueError("specs of packages that it does not have")

    def _of_packages(
        self, table: str, columns: str, where: str = ""
    ) -> Callable[[int], list[tuple[Any, ...]]]:
        """Gives the rows of packages, which are asked for in the order in which they lie."""
        if not columns_of(self._db, table):
            return lambda package: []
        count = f"SELECT package_id, count(*) FROM {table} {where} GROUP BY package_id"
        counts = dict(self._db.execute(count))
        if table == "binaries" and "first_seen" not in columns_of(self._db, table):
            columns = columns.replace("first_seen", "NULL")
        rows = self._db.execute(f"SELECT {columns} FROM {table} {where} ORDER BY id")
        return lambda package: rows.fetchmany(counts[package]) if package in counts else []

    def _dates(self) -> Iterator[KeptDates]:
        for table in ("binaries", "gone_binaries"):
            if "published" in columns_of(self._db, table):
                rows = self._db.execute(
                    f"SELECT tags.name, hash, published FROM {table}"
                    " CROSS JOIN specs ON specs.id = spec_id CROSS JOIN tags ON tags.id = tag_id"
                    " WHERE published IS NOT NULL"
                )
                while dates := rows.fetchmany(_DATES_AT_ONCE):
                    yield KeptDates(dates)

    def _builds(self) -> Iterator[tuple[int, int, KeptBuild]]:
        """What only build caches tell of specs: the package, the spec, its build."""
        flags = _Groups(self._rows("spec_flags", "spec_id, name, flag", "ORDER BY id"))
        names = {
            id_: (hash_, self._packages[package])
            for id_, hash_, package in self._db.execute(
                "SELECT id, hash, package_id FROM specs WHERE EXISTS (SELECT 1 FROM dependencies)"
            )
        }
        edges = _Groups(
            self._db.execute(
                "SELECT parent_id, child_id, deptypes, virtuals FROM dependencies ORDER BY id"
            )
        )
        for package, id_, *told in self._rows(
            "specs",
            "package_id, id, format, namespace, package_hash, external, build_spec,"
            " external_details, patch_order",
            "WHERE format IS NOT NULL AND version_id IS NOT NULL ORDER BY id",
        ):
            by_name = groupby(flags.of(id_), itemgetter(1))
            yield (
                package,
                id_,
                (
                    *told,
                    tuple((name, tuple(flag for *_, flag in rows)) for name, rows in by_name),
                    tuple(
                        [
                            (*names[child], deptypes, virtuals)
                            for _, child, deptypes, virtuals in edges.of(id_)
                        ]
                    ),
                ),
            )
        if edges.has_more or flags.has_more:
            raise ValueError("dependencies or flags of specs that it does not have")


def _lists(db: sqlite3.Connection, table: str) -> dict[int, tuple[str, ...]]:
    return {id_: tuple(text.split(" ")) if text else () for id_, text in _pairs(db, table)}


def _pairs(db: sqlite3.Connection, table: str) -> Iterator[tuple[int, str]]:
    return cast("Iterator[tuple[int, str]]", db.execute(f"SELECT id, stacks FROM {table}"))


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
