"""What sources say waits here, by package, until all of them are read.

Sources come by tag and by file; the catalog is written package by package, so that all that is
said of a spec is at hand when it is decided upon.  Statements lie one after another in a temporary
file, which is gone with the process even when that is killed; a temporary database has what is
joined with the catalog later.  A catalog lies package by package already: it is not copied to the
shelf, but stays open beside it.
"""

from __future__ import annotations

import marshal
import os
import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache, partial
from tempfile import TemporaryFile
from typing import Any, NamedTuple

from etl.kept_records import KeptBinary, KeptBuild, KeptGone, KeptPackages, KeptPage, KeptSpec
from etl.records import Build, FoldedSpec, Mirror, PackagePages, Page, Words
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


class FoldedStatement(NamedTuple):
    """Pages of one package that agree about each spec, in numbers of the vocabulary.

    Each page is its tag, place, style and text; ``specs`` are a
    :data:`~etl.records.FoldedSpec` each, of which the numbers stand for what is at their place in
    ``machines``, ``variants`` and ``stacks``.
    """

    source: int
    pages: list[tuple[int, str, int, bytes | None]]
    specs: list[FoldedSpec]
    machines: list[tuple[int, int, int, int]]
    variants: list[int]
    stacks: list[int]

    def unfolded(self) -> list[PageStatement]:
        """The pages one by one, with their specs in order."""
        items: list[list[tuple[int, str, FactsTuple, int]]] = [[] for _ in self.pages]
        for hash_, version, machine, variant, size, where, positions in self.specs:
            facts = version, *self.machines[machine], self.variants[variant], size
            numbers = iter(where)
            for page, stacks in zip(numbers, numbers, strict=True):
                position = positions.get(page, -1) if positions else -1
                items[page].append((position, hash_, facts, self.stacks[stacks]))
        return [
            PageStatement(tag, self.source, place, style, text, [it[1:] for it in sorted(found)])
            for (tag, place, style, text), found in zip(self.pages, items, strict=True)
        ]


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


Statement = PageStatement | FoldedStatement | MirrorStatement | KeptStatement

_BUFFER = 1 << 20
"""Bytes that are written at a time."""

_KINDS = (MirrorStatement, PageStatement, FoldedStatement)
"""The kinds of statements that lie in the file; each by its number."""


class NoRoomError(Exception):
    """What is read cannot be kept in a temporary file."""


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoRoomError(f"no room for temporary files: {error.strerror}") from None


class Shelf:
    """Statements by package number; who makes one closes it.

    ``size`` is how many bytes they have in the file.
    """

    def __init__(self, connection: sqlite3.Connection, vocabulary: Vocabulary) -> None:
        self._db = connection
        self.words = vocabulary
        self._catalogs: list[tuple[KeptPackages, frozenset[str], int]] = []
        self._db.execute("ATTACH '' AS shelf")
        self._db.execute("PRAGMA shelf.journal_mode = MEMORY")
        self._db.execute("PRAGMA shelf.synchronous = OFF")
        self._db.execute("CREATE TABLE shelf.dates (tag TEXT, hash TEXT, published TEXT)")
        with _room():
            self._file = TemporaryFile(buffering=_BUFFER)  # noqa: SIM115 - closed with the shelf
        self.size = 0
        self._words: Words | None = None
        # What the words of folded pages mean, in the order in which they came.
        self._meant: list[tuple[list[tuple[int, int, int, int]], list[int], list[int]]] = []
        # By package: where each statement begins, how long it is, and of which kind it is.
        self._places: defaultdict[int, array[int]] = defaultdict(partial(array, "Q"))

    def put_page(self, page: Page, source: int) -> set[int]:
        """Keep what a page says; returns the numbers of its lists of stacks."""
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
        self._put(words.packages[page.package], PageStatement, statement)
        return {number for *_, number in items}

    def put_pages(self, pages: PackagePages, source: int) -> list[set[int]]:
        """Keep what pages say that were folded; the words of their specs are looked up once.

        Returns the numbers of the lists of stacks on each page.
        """
        words = self.words
        if pages.words is not self._words:
            self._words = pages.words
            machines, variants, stacks = pages.words
            numbers = (
                [words.machine(*machine) for machine in machines],
                [words.variant_lists[listed, ()] for listed in variants],
                [words.stack_lists[listed] for listed in stacks],
            )
            self._meant.append(numbers)
        heads = [
            (words.tags[it.tag], it.place, words.styles[it.style], it.text) for it in pages.pages
        ]
        statement = source, heads, pages.specs, len(self._meant) - 1
        self._put(words.packages[pages.package], FoldedStatement, statement)
        *_, stack_lists = self._meant[-1]
        return [{stack_lists[number] for number in it.stacks} for it in pages.pages]

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
            self._put(words.packages[package], MirrorStatement, statement)

    def put_catalog(self, packages: KeptPackages, first_source: int) -> None:
        """Have an earlier catalog at hand; ``first_source`` counts the sources before its own."""
        self._catalogs.append((packages, frozenset(packages.names), first_source))
        for name in packages.names:
            self.words.packages[name]

    def put_dates(self, dates: Iterable[tuple[str, str, str]]) -> None:
        """Keep when binaries were put into a build cache: the tag, the hash, and when."""
        self._db.executemany("INSERT INTO shelf.dates VALUES (?, ?, ?)", dates)

    def _put(self, package: int, kind: type[Statement], statement: Any) -> None:
        data = marshal.dumps(statement)
        with _room():
            self._file.write(data)
        self._places[package].extend((self.size, len(data), _KINDS.index(kind)))
        self.size += len(data)

    def close_for_reading(self) -> None:
        """Make what was put ready for :meth:`about`."""
        with _room():
            self._file.flush()

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
        file, places = self._file.fileno(), iter(self._places.get(package, ()))
        for begin, length, kind in zip(places, places, places, strict=True):
            # Written by this very process: nobody else can have put anything there.
            values = marshal.loads(os.pread(file, length, begin))  # noqa: S302
            if _KINDS[kind] is FoldedStatement:
                *heads, specs, meant = values
                values = *heads, marshal.loads(specs), *self._meant[meant]  # noqa: S302
            yield _KINDS[kind](*values)
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
        """Let go of the statements and the earlier catalogs."""
        with suppress(OSError):  # what could not be written before cannot be now
            self._file.close()
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
