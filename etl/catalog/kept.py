"""A catalog as a source: all that it knows, as records, so that another can be built from it.

What can be told from other rows (counts, summaries, closures) is left to the writer; everything
else comes, so that the catalog built from these records alone equals this one byte for byte.
Catalogs of the previous schema are read too; columns that they lack are empty.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

from etl.catalog.pages import unpacked
from etl.catalog.reader import READABLE, open_catalog, refuse_cut_off
from etl.catalog.variant_text import split_variants
from etl.errors import CatalogError, ReadError
from etl.records import (
    Build,
    Cache,
    Dependency,
    Digest,
    KeptBinary,
    KeptEvent,
    KeptMirror,
    KeptNames,
    KeptPackage,
    KeptPage,
    KeptTag,
    PageStyle,
    Problem,
    Provision,
    Recipe,
    Record,
    Source,
    Spec,
)

_DAMAGED = (sqlite3.DatabaseError, zlib.error, LookupError, TypeError, ValueError, AttributeError)
"""What comes of values that no build has written."""


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
        self._styles = {
            id_: PageStyle.from_json(text)
            for id_, text in db.execute("SELECT id, style FROM page_styles")
        }

    def records(self) -> Iterator[Record]:
        yield from self._sources()
        yield KeptNames(tuple(self._tags.values()), tuple(self._names("stacks").values()))
        yield from self._caches()
        yield from self._mirrors()
        yield from self._recipes()
        yield from self._kept_packages()
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

    def _sources(self) -> Iterator[Record]:
        problems: dict[int, list[Problem]] = {}
        for source, place, kind, message in self._rows(
            "problems", "source_id, place, kind, message", "ORDER BY id"
        ):
            problems.setdefault(source, []).append(Problem(place, kind, message))
        for id_, kind, location, sha256, read_at in self._rows(
            "sources", "id, kind, location, sha256, read_at", "ORDER BY id"
        ):
            yield Source(kind, location, read_at=read_at)
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

    def _kept_packages(self) -> Iterator[KeptPackage]:
        """Specs and binaries lie package by package; each table is read once, from end to end."""
        empty = "SELECT name FROM packages WHERE id NOT IN (SELECT package_id FROM specs)"
        yield from (KeptPackage(name, (), ()) for (name,) in self._db.execute(empty))
        self._prepare()
        pages = {
            (package, tag): KeptPage(
                source, self._styles[style], None if text is None else unpacked(text)
            )
            for package, tag, source, style, text in self._rows(
                "pages", "package_id, tag_id, source_id, style_id, text"
            )
        }
        columns = "package_id, tag_id, spec_id, stack_set_id, stack_order_id, position, first_seen"
        binaries = _Groups(
            self._rows("binaries", f"{columns}, NULL, NULL, published", "ORDER BY id")
        )
        gone = _Groups(
            self._rows(
                "gone_binaries", f"{columns}, last_seen, gone_since, published", "ORDER BY id"
            )
        )
        specs = self._rows(
            "specs",
            "package_id, id, hash, version_id, compiler_id, os_id, platform_id, target_id,"
            " variant_set_id, size, format, namespace, package_hash, external, build_spec,"
            " external_details, patch_order",
            "WHERE version_id IS NOT NULL ORDER BY id",
        )
        for package, rows in groupby(specs, itemgetter(0)):
            numbers: dict[int, int] = {}
            found: list[Spec] = []
            for row in rows:
                numbers[row[1]] = len(found)
                found.append(self._spec(row))
            tags: dict[int, list[KeptBinary]] = {}
            for _, tag, spec, stacks, order, *rest in (*binaries.of(package), *gone.of(package)):
                named = self._stack_sets[stacks] if order is None else self._orders[order]
                tags.setdefault(tag, []).append(KeptBinary(numbers[spec], named, *rest))
            with_page = [tag for tag in self._tags if (package, tag) in pages and tag not in tags]
            kept = (
                KeptTag(self._tags[tag], tuple(tags.get(tag, ())), pages.pop((package, tag), None))
                for tag in (*tags, *with_page)
            )
            yield KeptPackage(self._packages[package], tuple(found), tuple(kept))
        for (package, tag), page in pages.items():
            yield KeptPackage(self._packages[package], (), (KeptTag(self._tags[tag], (), page),))
        if binaries.has_more or gone.has_more:
            raise ValueError("binaries of specs that it does not have")

    def _prepare(self) -> None:
        """Load the small tables, and open the large ones that are read beside the specs."""
        db = self._db
        self._versions = dict(db.execute("SELECT id, version FROM versions"))
        self._compilers = self._names("compilers")
        self._systems = self._names("operating_systems")
        self._platforms = self._names("platforms")
        self._targets = self._names("targets")
        self._stack_sets = _lists(db, "stack_sets")
        self._orders = _lists(db, "stack_orders")
        self._variants = {
            id_: split_variants(text) if parts is None else tuple(json.loads(parts))
            for id_, text, parts in self._rows("variant_sets", "id, variants, parts")
        }
        self._patches: dict[int, list[str]] = {}
        for set_, sha256 in db.execute(
            "SELECT variant_set_id, sha256 FROM variants JOIN variant_set_members"
            " ON variant_id = id WHERE sha256 IS NOT NULL"
        ):
            self._patches.setdefault(set_, []).append(sha256)
        self._flags = _Groups(self._rows("spec_flags", "spec_id, name, flag", "ORDER BY id"))
        names = {
            id_: (hash_, self._packages[package])
            for id_, hash_, package in db.execute(
                "SELECT id, hash, package_id FROM specs WHERE EXISTS (SELECT 1 FROM dependencies)"
            )
        }
        self._edge_words: dict[str, tuple[str, ...]] = {}
        self._edges = _Groups(
            (parent, names[child], deptypes, virtuals)
            for parent, child, deptypes, virtuals in db.execute(
                "SELECT parent_id, child_id, deptypes, virtuals FROM dependencies ORDER BY id"
            )
        )

    def _spec(self, row: tuple[Any, ...]) -> Spec:
        package, id_, hash_, version, compiler, system, platform, target, variants, size = row[:10]
        return Spec(
            hash_,
            self._packages[package],
            self._versions[version],
            self._compilers[compiler],
            self._systems[system],
            self._platforms[platform],
            self._targets[target],
            self._variants[variants],
            size,
            None if row[10] is None else self._build(id_, variants, *row[10:]),
        )

    def _build(
        self,
        id_: int,
        variants: int,
        format_: int,
        namespace: str | None,
        package_hash: str | None,
        external: str | None,
        build_spec: str | None,
        external_details: str | None,
        patch_order: str | None,
    ) -> Build:
        flags = groupby(self._flags.of(id_), itemgetter(1))
        words = self._words
        return Build(
            format_,
            namespace,
            package_hash,
            tuple((name, tuple(flag for *_, flag in rows)) for name, rows in flags),
            tuple(patch_order.split() if patch_order else sorted(self._patches.get(variants, ()))),
            external,
            build_spec,
            tuple(
                Dependency(hash_, package, words(deptypes), words(virtuals))
                for _, (hash_, package), deptypes, virtuals in self._edges.of(id_)
            ),
            external_details,
        )

    def _words(self, text: str) -> tuple[str, ...]:
        found = self._edge_words.get(text)
        if found is None:
            found = self._edge_words[text] = tuple(text.split())
        return found


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
