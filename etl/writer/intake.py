"""Sources are read, and what they say is put on the shelf; what is wrong with them is noted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from etl.errors import SourceError
from etl.records import Digest, Mirror, Page, Problem, Recipe, Record, Source, Tag
from etl.text import printable
from etl.writer.resolve import SourcedProblem
from etl.writer.shelf import Shelf

BUCKET = "https://binaries.spack.io"
"""Where the build caches lie from which the pages of cache.spack.io are made."""


ROOT = "root"
"""The stack that is a tag's own top-level build cache."""


_UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Reading:
    """One source that the user named, and the records that come from it."""

    name: str
    records: Iterable[Record]


@dataclass
class Intake:
    """What was read, beside the statements on the shelf.

    ``sources`` are kind, location and SHA-256; ``stacks`` are all stacks that are named;
    ``mirrors`` are the addresses of build caches by tag and stack, as far as they are told, and
    ``views`` the parts of them where they are no whole ones;
    ``tag_mirrors`` the address of the top-level build cache of each tag that pages are about, as
    the site has it, and ``told_mirrors`` those that pages tell; ``names`` is what the user calls
    each source;
    ``recipes`` is what package repositories say, by package.
    """

    shelf: Shelf
    sources: list[tuple[str, str, str | None]] = field(default_factory=list)
    problems: list[SourcedProblem] = field(default_factory=list)
    stacks: set[str] = field(default_factory=set)
    mirrors: dict[tuple[str, str], str | None] = field(default_factory=dict)
    views: dict[tuple[str, str], str | None] = field(default_factory=dict)
    tag_mirrors: dict[str, str] = field(default_factory=dict)
    told_mirrors: dict[str, set[str]] = field(default_factory=dict)
    recipes: dict[str, Recipe] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    statements: int = 0

    def read(self, reading: Reading) -> None:
        """Read one source to its end, or to where it can be read no further."""
        first = len(self.sources)
        try:
            for record in reading.records:
                self._take(record)
                self.names += [reading.name] * (len(self.sources) - len(self.names))
        except SourceError as error:
            if len(self.sources) == first:
                name = printable(reading.name.rstrip("/").rsplit("/", 1)[-1])
                self.sources.append((_UNREADABLE, name, None))
                self.names.append(reading.name)
            self._note(Problem(error.place, "refused", error.message))

    def _take(self, record: Record) -> None:
        if isinstance(record, Page):
            self._take_page(record)
        elif isinstance(record, Mirror):
            self.shelf.put_mirror(record, len(self.sources))
            key = record.tag, record.stack
            self.mirrors[key] = record.url or self.mirrors.get(key)
            # What one index has of all of a mirror, a view of it adds nothing to.
            self.views[key] = record.view if self.views.get(key, "") is not None else None
            self.stacks.add(record.stack)
            self.statements += 1
        elif isinstance(record, Tag):
            self.shelf.words.tags[record.name]
            for stack in record.stacks:
                self.mirrors.setdefault((record.name, stack), None)
            self.stacks.update(record.stacks)
            self.tag_mirrors.setdefault(record.name, f"{BUCKET}/{record.name}")
        elif isinstance(record, Recipe):
            self.recipes[record.package] = record
        elif isinstance(record, Problem):
            self._note(record)
        elif isinstance(record, Source):
            self.sources.append((record.kind, record.location, None))
        elif isinstance(record, Digest):
            kind, location, _ = self.sources[-1]
            self.sources[-1] = (kind, location, record.sha256)

    def _take_page(self, page: Page) -> None:
        self.shelf.put_page(page, len(self.sources))
        for stacks in set(page.stacks):
            self.stacks.update(stacks)
        self.statements += 1
        if page.style.mirror is not None:
            self.told_mirrors.setdefault(page.tag, set()).add(page.style.mirror)
        self.tag_mirrors.setdefault(page.tag, f"{BUCKET}/{page.tag}")

    def place_in_catalog(self, source: int, place: str) -> str:
        """The place of a problem as the catalog has it: without the path of a source on disk."""
        kind, location, _ = self.sources[source - 1]
        return location if kind == _UNREADABLE else place

    def place_for_user(self, source: int, place: str) -> str:
        """The place of a problem as the user finds it: with the path of its source."""
        name = self.names[source - 1]
        if "://" in name or place.startswith(printable(name)):
            return place
        if Path(name).is_dir():
            return f"{printable(name.rstrip('/'))}/{place}"
        file, blank, rest = place.partition(" ")
        if str(Path(name).absolute()).endswith(file):
            return printable(name) + blank + rest
        return f"{printable(name)}: {place}"

    def address(self, tag: str, stack: str) -> str | None:
        """The address of the build cache of a stack: as a source gives it, else as pages imply."""
        told = self.mirrors.get((tag, stack))
        top = min(self.told_mirrors.get(tag, ()), default=self.tag_mirrors.get(tag))
        if told is not None or top is None:
            return told
        return top if stack == ROOT else f"{top}/{stack}"

    def _note(self, problem: Problem) -> None:
        self.problems.append((len(self.sources), problem))
