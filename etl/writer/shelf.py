"""What sources say waits here, by package, until all of them are read.

Sources come by tag and by file; the catalog is written package by package, so that all that is
said of a spec is at hand when it is decided upon.  The shelf is a temporary database that SQLite
keeps in memory while it is small and removes by itself, even when the process is killed.  A catalog
lies package by package already: it is not copied to the shelf, but stays open beside it.
"""

from __future__ import annotations

import marshal
import sqlite3
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from etl.kept_records import KeptBinary, KeptBuild, KeptGone, KeptPackages, KeptPage, KeptSpec
from etl.records import Build, Mirror, Page
from etl.writer.vocabulary import Vocabulary

FactsTuple = tuple[str, int, int, int, int, int, int | None]


class PageStatement(NamedTuple):
    """A page, in numbers of the vocabulary: each item is a hash, its facts, and its stacks."""

    tag: int
    source: int
    place: str
    style: int
    text: bytes | None
    items: list[tuple[str, FactsTuple, int]]


class MirrorStatement(NamedTuple):
    """The specs of one package in one build cache: hash, facts, whether it is there, its build."""

    tag: int
    source: int
    place: str
    stack: str
    items: list[tuple[str, FactsTuple, bool, BuildTuple | None]]


class BuildTuple(NamedTuple):
    """A :class:`~etl.records.Build` as the shelf keeps it; dependencies are plain tuples."""

    format: int
    namespace: str | None
    package_hash: str | None
    external: str | None
    build_spec: str | None
    external_details: str | None
    patch_order: str | None
    flags: tuple[tuple[str, tuple[str, ...]], ...]
    dependencies: tuple[tuple[str, str, str, str], ...]


class KeptStatement(NamedTuple):
    """What an earlier catalog has of a package, as it hands it over.

    ``catalog`` is its number among those read; all other numbers are its own, but for the sources
    of pages, which are counted among all.
    """

    catalog: int
    specs: list[KeptSpec]
    binaries: list[KeptBinary]
    gone: list[KeptGone]
    pages: list[KeptPage]
    builds: dict[int, KeptBuild]


Statement = PageStatement | MirrorStatement | KeptStatement


class Shelf:
    """Statements by package number; who makes one closes it."""

    def __init__(self, connection: sqlite3.Connection, vocabulary: Vocabulary) -> None:
        self._db = connection
        self.words = vocabulary
        self._catalogs: list[tuple[KeptPackages, frozenset[str], int]] = []
        self._db.execute("ATTACH '' AS shelf")
        self._db.execute("PRAGMA shelf.journal_mode = MEMORY")
        self._db.execute("PRAGMA shelf.synchronous = OFF")
        self._db.execute("CREATE TABLE shelf.statements (package INTEGER, is_page, statement BLOB)")
        self._db.execute("CREATE TABLE shelf.dates (tag TEXT, hash TEXT, published TEXT)")

    def put_page(self, page: Page, source: int) -> None:
        """Keep what a page says."""
        words = self.words
        facts_of, stack_lists = words.facts_of, words.stack_lists
        items = [
            (spec.hash, facts_of(spec), stack_lists[stacks])
            for spec, stacks in zip(page.specs, page.stacks, strict=True)
        ]
        statement = (
            words.tags[page.tag],
            source,
            page.place,
            words.styles[page.style],
            page.text,
            items,
        )
        self._put(words.packages[page.package], 1, statement)

    def put_mirror(self, mirror: Mirror, source: int) -> None:
        """Keep what the index of a build cache says."""
        words = self.words
        tag = words.tags[mirror.tag]
        by_package: dict[str, list[object]] = {}
        for spec, available in zip(mirror.specs, mirror.available, strict=True):
            build = _build_tuple(spec.build) if spec.build else None
            item = (spec.hash, words.facts_of(spec), available, build)
            by_package.setdefault(spec.package, []).append(item)
        for package, items in by_package.items():
            statement = (tag, source, mirror.place, mirror.stack, items)
            self._put(words.packages[package], 0, statement)

    def put_catalog(self, packages: KeptPackages, first_source: int) -> None:
        """Have an earlier catalog at hand; ``first_source`` counts the sources before its own."""
        self._catalogs.append((packages, frozenset(packages.names), first_source))
        for name in packages.names:
            self.words.packages[name]

    def put_dates(self, dates: Iterable[tuple[str, str, str]]) -> None:
        """Keep when binaries were put into a build cache: the tag, the hash, and when."""
        self._db.executemany("INSERT INTO shelf.dates VALUES (?, ?, ?)", dates)

    def _put(self, package: int, kind: int, statement: Any) -> None:
        self._db.execute(
            "INSERT INTO shelf.statements VALUES (?, ?, ?)",
            (package, kind, marshal.dumps(statement)),
        )

    def close_for_reading(self) -> None:
        """Make what was put ready for :meth:`about`."""
        self._db.execute("CREATE INDEX shelf.by_package ON statements (package)")

    def open_edges(self) -> None:
        """An empty table for edges between specs, which are joined when all specs are written."""
        self._db.execute("DROP TABLE IF EXISTS shelf.edges")
        self._db.execute(
            "CREATE TABLE shelf.edges (parent INTEGER, child, package, deptypes, virtuals)"
        )

    def about(self, package: int) -> Iterator[Statement]:
        """All that was said about a package, in no particular order.

        Raises:
            ReadError: an earlier catalog is damaged.
        """
        rows = self._db.execute(
            "SELECT is_page, statement FROM shelf.statements WHERE package = ?", (package,)
        )
        for is_page, statement in rows:
            # Written by this very process: nobody else can have put anything there.
            values = marshal.loads(statement)  # noqa: S302
            yield PageStatement(*values) if is_page else MirrorStatement(*values)
        name = self.words.packages.listed[package]
        for number, (catalog, names, first_source) in enumerate(self._catalogs):
            if name in names:
                kept = catalog.about(name)
                pages = [
                    (tag, source + first_source, style, text)
                    for tag, source, style, text in kept.pages
                ]
                yield KeptStatement(
                    number, kept.specs, kept.binaries, kept.gone, pages, kept.builds
                )

    def close(self) -> None:
        """Let go of the earlier catalogs."""
        for catalog, *_ in self._catalogs:
            catalog.close()


def _patch_order(patches: tuple[str, ...]) -> str | None:
    """The patches in their order, where it is another than that by their sums."""
    text = " ".join(patches)
    return text if patches != tuple(sorted(patches)) and tuple(text.split()) == patches else None


def _build_tuple(build: Build) -> tuple[object, ...]:
    spec_format, namespace, package_hash, flags, patches, external, spliced, edges, details = build
    return (
        spec_format,
        namespace,
        package_hash,
        external,
        spliced,
        details,
        _patch_order(patches) if patches else None,
        flags,
        tuple(
            [
                (hash_, package, _joined(deptypes), _joined(virtuals))
                for hash_, package, deptypes, virtuals in edges
            ]
        ),
    )


@lru_cache(10_000)
def _joined(words: tuple[str, ...]) -> str:
    """Types of a dependency, or virtuals, as one text: there are few different ones."""
    return " ".join(words)
