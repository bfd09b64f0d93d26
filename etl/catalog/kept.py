"""A catalog as a source: all that it knows, as records, so that another can be built from it.

What can be told from other rows (counts, summaries, closures) is left to the writer; everything
else comes, so that the catalog built from these records alone equals this one byte for byte.
Catalogs of the previous schema are read too; columns that they lack are empty.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

from etl.catalog.kept_packages import Packages
from etl.catalog.older import columns_of, damage_of, rows_of
from etl.catalog.reader import READABLE, open_catalog, refuse_cut_off
from etl.catalog.variant_text import split_variants
from etl.kept_records import KeptDates, KeptEvent, KeptMirror, KeptNames, KeptPackages, KeptWords
from etl.page_style import PageStyle
from etl.records import Cache, Digest, Problem, Provision, Recipe, Record, Source

_DATES_AT_ONCE = 10_000


def read_catalog(path: Path) -> Iterator[Record]:
    """All that the catalog at ``path`` knows; its packages come last, as one record.

    Raises:
        ReadError: it is not a catalog, it is damaged, or a newer version wrote it; what is damaged
            of a package is found when that is asked for.
    """
    with ExitStack() as opened:
        db = opened.enter_context(open_catalog(path, READABLE))
        with damage_of(path):
            refuse_cut_off(db)
            reader = _Reader(db)
            yield from reader.records()
            packages = Packages(path, db, reader.packages)
        yield KeptPackages(tuple(packages.ids), packages.about, opened.pop_all().close)


class _Reader:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.packages = self._names("packages")
        self._tags = self._names("tags")

    def records(self) -> Iterator[Record]:
        yield from self._sources()
        yield KeptNames(tuple(self._tags.values()), tuple(self._names("stacks").values()))
        yield from self._caches()
        yield from self._mirrors()
        yield from self._recipes()
        yield self._words()
        yield from self._dates()
        yield from self._events()

    def _rows(self, table: str, columns: str, tail: str = "") -> Iterator[tuple[Any, ...]]:
        return rows_of(self._db, table, columns, tail)

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


def _lists(db: sqlite3.Connection, table: str) -> dict[int, tuple[str, ...]]:
    return {id_: tuple(text.split(" ")) if text else () for id_, text in _pairs(db, table)}


def _pairs(db: sqlite3.Connection, table: str) -> Iterator[tuple[int, str]]:
    return cast("Iterator[tuple[int, str]]", db.execute(f"SELECT id, stacks FROM {table}"))
