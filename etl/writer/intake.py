"""Sources are read, and what they say is put on the shelf; what is wrong with them is noted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from etl.errors import SourceError
from etl.kept_records import KeptDates, KeptEvent, KeptMirror, KeptNames, KeptPackages, KeptWords
from etl.records import (
    Cache,
    Digest,
    Listing,
    Mirror,
    PackagePages,
    Page,
    PageHead,
    Problem,
    Recipe,
    Record,
    Source,
    Tag,
    Unchanged,
)
from etl.text import printable
from etl.writer.case import SourcedProblem
from etl.writer.merging import Merging
from etl.writer.origins import Origins
from etl.writer.remembered import Remembered
from etl.writer.shelf import Shelf

BUCKET = "https://binaries.spack.io"
"""Where the build caches lie from which the pages of cache.spack.io are made."""


ROOT = "root"
"""The stack that is a tag's own top-level build cache."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is known of a build cache beside its binaries; see :class:`~etl.records.Mirror`."""

    layout: str | None = None
    signed: bool | None = None
    keys: bool | None = None
    published: str | None = None

    @classmethod
    def of(cls, mirror: Mirror | KeptMirror) -> Marks:
        """What a record tells."""
        return cls(mirror.layout, mirror.signed, mirror.keys, mirror.published)

    def joined(self, other: Marks) -> Marks:
        """This and another index of the same build cache; one unsigned binary makes it so."""
        signs = {self.signed, other.signed} - {None}
        keys = {self.keys, other.keys} - {None}
        return Marks(
            max((self.layout or "", other.layout or "")) or None,
            all(signs) if signs else None,
            any(keys) if keys else None,
            max((self.published or "", other.published or "")) or None,
        )

    def filled(self, earlier: Marks) -> Marks:
        """This, with what an earlier catalog knows of signatures where they were not seen now."""
        if self.layout != earlier.layout:
            return self
        return replace(
            self,
            signed=earlier.signed if self.signed is None else self.signed,
            keys=earlier.keys if self.keys is None else self.keys,
        )


@dataclass(frozen=True)
class Reading:
    """One source that the user named, and the records that come from it.

    ``packages`` and ``stacks`` are those that alone were read of it, if any; ``is_catalog`` is
    whether it is an earlier catalog.  ``cache`` is what the user calls it, and ``options`` are
    those of the command line that say what to read of it.
    """

    name: str
    records: Iterable[Record]
    packages: frozenset[str] = frozenset()
    stacks: frozenset[str] = frozenset()
    is_catalog: bool = False
    cache: str | None = None
    options: str = ""


@dataclass
class Intake:
    """What was read, beside the statements on the shelf.

    ``sources`` are where it came from; ``stacks`` are all stacks that are named;
    ``mirrors`` are the addresses of build caches by tag and stack, as far as they are told, and
    ``views`` the parts of them where they are no whole ones;
    ``tag_mirrors`` the address of the top-level build cache of each tag that pages are about, as
    the site has it, and ``told_mirrors`` those that pages tell;
    ``caches`` are those that the user named, ``tag_caches`` which tag is of which, ``marks`` what
    else is known of each build cache;
    ``recipes`` is what package repositories say, by package.
    """

    shelf: Shelf
    sources: Origins = field(default_factory=Origins)
    problems: list[SourcedProblem] = field(default_factory=list)
    stacks: set[str] = field(default_factory=set)
    mirrors: dict[tuple[str, str], str | None] = field(default_factory=dict)
    views: dict[tuple[str, str], str | None] = field(default_factory=dict)
    caches: dict[str, Cache] = field(default_factory=dict)
    tag_caches: dict[str, str] = field(default_factory=dict)
    marks: dict[tuple[str, str], Marks] = field(default_factory=dict)
    tag_mirrors: dict[str, str] = field(default_factory=dict)
    told_mirrors: dict[str, set[str]] = field(default_factory=dict)
    recipes: dict[str, Recipe] = field(default_factory=dict)
    statements: int = 0
    merging: Merging = field(default_factory=Merging)
    events: set[KeptEvent] = field(default_factory=set)
    indexes: dict[tuple[str, str], str | None] = field(default_factory=dict)
    unchanged: set[tuple[str, str]] = field(default_factory=set)
    _of_pages: set[tuple[str, str]] = field(default_factory=set)
    _listed: dict[str, set[int]] = field(default_factory=dict)
    _newest: str | None = None

    def read(self, reading: Reading) -> None:
        """Read one source to its end, or to where it can be read no further."""
        self._reading, self._newest = reading, None
        self.sources.begin()
        if reading.is_catalog:
            self.merging.catalogs.append(len(self.sources))
            self.merging.kept.append({})
        try:
            for record in reading.records:
                self._take(record)
        except SourceError as error:
            self.sources.add_unreadable(
                reading.name, reading.cache, reading.options, is_kept=reading.is_catalog
            )
            self._note(Problem(error.place, "refused", error.message))
        self.sources.end(self.merging.at or self._newest)

    def _take(self, record: Record) -> None:
        if isinstance(record, Page):  # first, since there are more of them than of all others
            self._note_page(record, record.package, self.shelf.put_page(record, len(self.sources)))
        elif isinstance(record, PackagePages):
            noted = self.shelf.put_pages(record, len(self.sources))
            for page, stack_lists in zip(record.pages, noted, strict=True):
                self._note_page(page, record.package, stack_lists)
        elif isinstance(record, KeptPackages):
            self.shelf.put_catalog(record, self.merging.catalogs[-1])
            self.statements += len(record.names)
        elif isinstance(record, KeptWords):
            words = Remembered.of(record, self.shelf.words, printable(self._reading.name))
            self.merging.words.append(words)
        elif isinstance(record, KeptDates):
            self.shelf.put_dates(record.dates)
        elif isinstance(record, KeptNames):
            for name in record.tags:
                self.shelf.words.tags[name]
            self.stacks.update(record.stacks)
        elif isinstance(record, KeptMirror):
            self.merging.kept[-1][record.tag, record.stack] = record
            self._own(record.tag, record.cache)
        elif isinstance(record, KeptEvent):
            self.events.add(record)
        elif isinstance(record, Listing):
            self.merging.listings.append(record)
        elif isinstance(record, Mirror):
            self.shelf.put_mirror(record, len(self.sources))
            key = record.tag, record.stack
            self._compare_addresses(record, self.mirrors.get(key))
            self.mirrors[key] = record.url or self.mirrors.get(key)
            # What one index has of all of a mirror, a view of it adds nothing to.
            self.views[key] = record.view if self.views.get(key, "") is not None else None
            self.marks[key] = self.marks.get(key, Marks()).joined(Marks.of(record))
            self._put_dates(record)
            self._own(record.tag, record.cache)
            self.stacks.add(record.stack)
            self.statements += 1
            told = record.published
            self.merging.read_mirror(record.tag, record.stack, self._reading.packages, told)
            self._newest = max(filter(None, (self._newest, told)), default=None)
            if not self._reading.packages:
                self.indexes[key] = record.sha256
        elif isinstance(record, Unchanged):
            self.unchanged.add((record.tag, record.stack))
        elif isinstance(record, Tag):
            self.shelf.words.tags[record.name]
            for stack in record.stacks:
                self.mirrors.setdefault((record.name, stack), None)
            self.stacks.update(record.stacks)
            self._own(record.name, record.cache)
            self.tag_mirrors.setdefault(record.name, f"{BUCKET}/{_plain(record.name)}")
        elif isinstance(record, Cache):
            self.caches[record.name] = record
        elif isinstance(record, Recipe):
            # A repository that was read now knows better than what a catalog remembers of one.
            if not (self._reading.is_catalog and record.package in self.recipes):
                self.recipes[record.package] = record
        elif isinstance(record, Problem):
            self._note(record)
        elif isinstance(record, Source):
            if not self._reading.is_catalog:
                record = replace(record, cache=self._reading.cache, options=self._reading.options)
            self.sources.add(record, self._reading.name, is_kept=self._reading.is_catalog)
        elif isinstance(record, Digest):
            self.sources.digest(record.sha256)

    def _note_page(self, page: Page | PageHead, package: str, stack_lists: set[int]) -> None:
        """Note what a page tells of its tag and its stacks, whose lists are told by number."""
        tag = page.tag
        self.statements += 1
        self.merging.read_page(tag, package, self._reading.stacks)
        listed = self._listed.get(tag)
        if listed is None:
            listed = self._listed[tag] = set()
            self.tag_mirrors.setdefault(tag, f"{BUCKET}/{_plain(tag)}")
        fresh = stack_lists - listed
        listed |= fresh
        for number in fresh:
            stacks = self.shelf.words.stack_lists.listed[number]
            self.stacks.update(stacks)
            self._of_pages.update((tag, stack) for stack in stacks)
        if page.style.mirror is not None:
            self.told_mirrors.setdefault(tag, set()).add(page.style.mirror)
        self._own(tag, page.cache)

    def _compare_addresses(self, record: Mirror, before: str | None) -> None:
        """Note that two sources are taken for one build cache, since they are called alike."""
        if before is None or record.url in (None, before):
            return
        message = (
            f"{record.tag}/{record.stack} is at {before} too, and only the address read last is"
            " kept; give each cache a name, as in a=SOURCE b=SOURCE, to keep them apart"
        )
        self._note(Problem(record.place, "contradiction", message))

    def _own(self, tag: str, cache: str | None) -> None:
        """Note to which cache a tag belongs."""
        if cache is not None:
            self.tag_caches[tag] = cache

    def _put_dates(self, mirror: Mirror) -> None:
        """Keep when binaries were put into a build cache, for when all rows are written."""
        self.shelf.put_dates((mirror.tag, *put) for put in mirror.put)

    def published(self, tag: str) -> str | None:
        """When the newest index of a tag was published, where any source tells."""
        kept = ((key, Marks.of(it)) for mirrors in self.merging.kept for key, it in mirrors.items())
        times = [
            it.published
            for (name, _), it in (*self.marks.items(), *kept)
            if name == tag and it.published
        ]
        return max(times, default=None)

    def address(self, tag: str, stack: str) -> str | None:
        """The address of the build cache of a stack: as a source gives it, else as pages imply."""
        told = self.mirrors.get((tag, stack))
        top = min(self.told_mirrors.get(tag, ()), default=self.tag_mirrors.get(tag))
        if told is not None or top is None:
            return told
        return top if stack == ROOT else f"{top}/{stack}"

    def about_mirror(
        self, tag: str, stack: str, kept: Mapping[tuple[str, str], KeptMirror]
    ) -> tuple[str | None, ...]:
        """Address, view and times of a build cache: as read now, else as it is remembered."""
        key = tag, stack
        before, merging = kept.get(key), self.merging
        read = key in merging.mirrors or key in self._of_pages
        if before is None:
            seen = merging.seen_in(tag, (stack,)) if read else None
            times = (seen, seen)
            sha256 = self.indexes.get(key)
            return self.address(tag, stack), self.views.get(key), *times, None, sha256
        if read:
            told = self.mirrors.get(key) or before.url or self.address(tag, stack)
            view = self.views.get(key, before.view)
            sha256 = self.indexes.get(key)
            seen = merging.seen_in(tag, (stack,))
            last = max(filter(None, (seen, before.last_seen)), default=None)
            return told, view, before.first_seen, last, None, sha256
        url = before.url or self.address(tag, stack)
        gone = before.gone_since or (merging.now if merging.gone(before) else None)
        last = merging.at if key in self.unchanged and merging.at else before.last_seen
        return url, before.view, before.first_seen, last, gone, before.sha256

    def _note(self, problem: Problem) -> None:
        self.problems.append((len(self.sources), problem))


def _plain(tag: str) -> str:
    """A tag's name without that of its cache."""
    return tag.rpartition(":")[2]
