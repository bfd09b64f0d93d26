"""What of an earlier catalog still holds beside what was read now.

A build cache is known by its tag and stack.  What was read now of one replaces what earlier
catalogs have of it, and of two catalogs the one that read it later; where neither tells when,
both hold.  A binary that is then in no stack any more is kept, as gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from etl.kept_records import KeptMirror
from etl.records import Listing
from etl.spack.tags import parse_tag
from etl.writer.remembered import Remembered

UNKNOWN = "unknown"
"""The time of what was observed when nobody told one."""

Event = tuple[str, str, str, str]
"""When, ``removed`` or ``returned``, the tag, and the hash."""


class KeptItem(NamedTuple):
    """A binary of an earlier catalog: its stacks by number, its place on the page, its times."""

    stacks: int
    position: int | None
    first_seen: str | None
    last_seen: str | None = None
    gone_since: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """A binary as earlier catalogs have it, after what replaces them is taken away.

    ``stacks`` are those that still hold; ``was_in`` are all it was in.  Where none holds it was
    last in ``gone_from``.
    """

    stacks: tuple[str, ...]
    gone_from: tuple[str, ...]
    position: int | None
    first_seen: str | None
    last_seen: str | None
    gone_since: str | None
    missed: str | None = None
    """When it was first seen to be missing, of what is not gone already."""

    @property
    def was_in(self) -> set[str]:
        """The stacks that it was in, as far as it is known."""
        return set(self.gone_from)

    def __or__(self, other: State) -> State:
        """This and what a later catalog says of the same binary."""
        stacks = self.stacks or other.stacks
        if set(other.stacks) - set(stacks):
            stacks = tuple(sorted({*stacks, *other.stacks}))
        gone_from = tuple(sorted({*self.gone_from, *other.gone_from}))
        return State(
            stacks,
            other.gone_from if set(other.gone_from) == set(gone_from) else gone_from,
            other.position if other.stacks else self.position,
            min(filter(None, (self.first_seen, other.first_seen)), default=None),
            None if stacks else max(filter(None, (self.last_seen, other.last_seen)), default=None),
            None if stacks else other.gone_since or self.gone_since,
            None if stacks else _latest((self.missed, other.missed)),
        )


def _latest(times: Iterable[str | None]) -> str | None:
    return max(filter(None, times), default=None)


def lacks(listing: Listing, mirror: KeptMirror) -> bool:
    """Whether a build cache that was at or below the address of a list is not in it any more."""
    if (mirror.tag, mirror.stack) in listing.mirrors or mirror.cache != listing.cache:
        return False
    if listing.tags is not None and mirror.tag not in listing.tags:
        return False
    plain = mirror.tag.rpartition(":")[2]
    is_release = mirror.view == plain and parse_tag(plain).kind == "release"
    if mirror.view is not None and not (listing.views or is_release):
        return False
    if mirror.url is None and mirror.cache is not None:
        # Of a cache that is a folder, an index that lies alone has no address.
        return listing.address.startswith("file://")
    return f"{mirror.url or ''}/".startswith(listing.address.rstrip("/") + "/")


@dataclass
class Merging:
    """What was read now, and what earlier catalogs have read.

    ``at`` is when the build reads, if that is told; ``times`` are when each build cache was
    published, which stand for it if not, and ``now`` what stands for it where none is told.
    ``place`` is where problems are said to be that come of an earlier catalog.  Of each earlier
    catalog ``catalogs`` counts the sources before its own, ``words`` are its words, and ``kept``
    its build caches.
    """

    at: str | None = None
    now: str = UNKNOWN
    times: dict[tuple[str, str], str] = field(default_factory=dict)
    place: str = "catalog"
    catalogs: list[int] = field(default_factory=list)
    words: list[Remembered] = field(default_factory=list)
    kept: list[dict[tuple[str, str], KeptMirror]] = field(default_factory=list)
    mirrors: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    pages: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    listings: list[Listing] = field(default_factory=list)
    _holds: dict[tuple[int, str, str], frozenset[str] | None] = field(default_factory=dict)
    _misses: dict[tuple[int, str, str], str | None] = field(default_factory=dict)

    def source_of(self, catalog: int) -> int:
        """The number of the first source of an earlier catalog."""
        return self.catalogs[catalog] + 1

    def read_mirror(
        self, tag: str, stack: str, packages: frozenset[str], published: str | None = None
    ) -> None:
        """Note that a build cache was read; of these packages alone if there are any."""
        if published:
            self.times[tag, stack] = max(self.times.get((tag, stack), ""), published)
        known = self.mirrors.get((tag, stack))
        self.mirrors[tag, stack] = (
            packages if known is None else packages | known if packages and known else frozenset()
        )

    def read_page(self, tag: str, package: str, stacks: frozenset[str]) -> None:
        """Note that a page was read; of these stacks alone if there are any."""
        self.pages[tag, package] = stacks

    def seen_in(self, tag: str, stacks: Iterable[str]) -> str | None:
        """When what was read now of a tag was seen there: when it is read, or was published."""
        if self.at is not None:
            return self.at
        return min((self.times[tag, it] for it in stacks if (tag, it) in self.times), default=None)

    def settle(self, otherwise: Iterable[str | None]) -> None:
        """Say what stands for the time of this build where none was told."""
        told = self.at or _latest(self.times.values()) or _latest(otherwise)
        self.now = told or UNKNOWN

    def gone(self, mirror: KeptMirror) -> bool:
        """Whether a source that was read whole does not list a build cache any more."""
        return any(lacks(it, mirror) for it in self.listings)

    def merged_mirrors(self) -> Iterable[KeptMirror]:
        """The build caches that earlier catalogs have, one record for each."""
        merged: dict[tuple[str, str], KeptMirror] = {}
        for catalog in self.kept:
            for key, it in catalog.items():
                before = merged.get(key)
                if before is None:
                    merged[key] = it
                    continue
                later = it if (it.last_seen or "") >= (before.last_seen or "") else before
                firsts = filter(None, (it.first_seen, before.first_seen))
                merged[key] = replace(
                    later,
                    url=later.url or it.url or before.url,
                    first_seen=min(firsts, default=None),
                )
        return merged.values()

    def changed_tags(self, catalog: int) -> set[str]:
        """The tags in which not all that an earlier catalog has need still hold."""
        replaced = {
            it.tag
            for it in self.kept[catalog].values()
            if self._replaced(catalog, it.tag, it.stack) is not None
        }
        return replaced | {tag for tag, _ in (*self.mirrors, *self.pages)}

    def state(
        self, catalog: int, tag: str, package: str, stacks: tuple[str, ...], item: KeptItem
    ) -> State:
        """What still holds of a binary of an earlier catalog."""
        if item.gone_since is not None:
            times = (item.first_seen, item.last_seen, item.gone_since)
            return State((), stacks, item.position, *times)
        of_page = self.pages.get((tag, package))
        holds = tuple(
            stack
            for stack in stacks
            if not (of_page is not None and (not of_page or stack in of_page))
            and self._stack_holds(catalog, tag, stack, package)
        )
        last = missed = None
        if not holds:
            kept = self.kept[catalog]
            last = _latest(kept[tag, it].last_seen for it in stacks if (tag, it) in kept)
            missed = _latest(self._first_missed(catalog, tag, it) for it in stacks)
        return State(holds, stacks, item.position, item.first_seen, last, None, missed)

    def _first_missed(self, catalog: int, tag: str, stack: str) -> str | None:
        """When something of a build cache in an earlier catalog was first seen to be missing."""
        key = catalog, tag, stack
        if key not in self._misses:
            mine = self.kept[catalog].get((tag, stack))
            seen = (mine.last_seen if mine else None) or ""
            later = [
                it.last_seen
                for it in (other.get((tag, stack)) for other in self.kept)
                if it and it.last_seen and it.last_seen > seen
            ]
            is_read = (tag, stack) in self.mirrors
            self._misses[key] = min(
                filter(None, (*later, self.seen_in(tag, (stack,)) if is_read else None)),
                default=None,
            )
        return self._misses[key]

    def _stack_holds(self, catalog: int, tag: str, stack: str, package: str) -> bool:
        key = catalog, tag, stack
        if key not in self._holds:
            self._holds[key] = self._replaced(*key)
        replaced = self._holds[key]
        return replaced is None or (bool(replaced) and package not in replaced)

    def _replaced(self, catalog: int, tag: str, stack: str) -> frozenset[str] | None:
        """The packages of a build cache that are replaced: none (None), some, or all (empty)."""
        mine = self.kept[catalog].get((tag, stack))
        if mine is not None:
            if self.gone(mine):
                return frozenset()
            for other in self.kept:
                it = other.get((tag, stack))
                if it and it.last_seen and mine.last_seen and it.last_seen > mine.last_seen:
                    return frozenset()
        return self.mirrors.get((tag, stack))
