"""What earlier catalogs have of a package joins what was read now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any

from etl.errors import ReadError
from etl.writer.case import Case, Presence, ResolvedSpec
from etl.writer.merging import KeptItem, Merging, State
from etl.writer.remembered import Remembered
from etl.writer.shelf import (
    BuildTuple,
    FactsTuple,
    KeptStatement,
    MirrorStatement,
    PageStatement,
)
from etl.writer.vocabulary import Vocabulary

Told = tuple[str, FactsTuple, BuildTuple | None]
"""A spec as an earlier catalog has it: its hash, its facts, its build."""


@dataclass(slots=True)
class Kept:
    """What an earlier catalog has of a package.

    ``specs`` are by the catalog's numbers.  Of those in ``open`` it has to be decided what is
    still so; of all others nobody says anything else, and they are as they were.
    """

    statement: KeptStatement
    words: Remembered
    specs: dict[int, Told] = field(default_factory=dict)
    open: Collection[int] = ()

    @property
    def rows(self) -> Iterable[tuple[Any, ...]]:
        """All binaries, those that are gone last."""
        return chain(self.statement.binaries, self.statement.gone)

    def open_rows(self) -> Iterator[tuple[Any, ...]]:
        """The binaries of specs that are open."""
        return (row for row in self.rows if row[1] in self.open) if self.open else iter(())


class Keeper:
    """Carries on what earlier catalogs have; ``tag_ranks[n]`` is the place in time of a tag."""

    def __init__(self, words: Vocabulary, tag_ranks: Sequence[int], merging: Merging) -> None:
        self._words = words
        self._ranks = tag_ranks
        self._merging = merging
        self._changed: dict[int, set[int]] = {}

    @property
    def dates_new(self) -> bool:
        """Whether it is told when anything was read, or published."""
        return self._merging.at is not None or bool(self._merging.times)

    @property
    def dates_each(self) -> bool:
        """Whether :meth:`first_seen` tells different times of what is in different stacks."""
        return self._merging.at is None and bool(self._merging.times)

    def first_seen(self, tag: int, stacks: int) -> str | None:
        """When what no earlier catalog has was first seen in stacks of a tag, if that is told."""
        names = self._words.tags.listed[tag], self._words.stack_lists.listed[stacks]
        return self._merging.seen_in(*names)

    def take(
        self, statements: list[KeptStatement], heard: set[str] | None, case: Case
    ) -> list[Kept]:
        """What earlier catalogs have; what nobody says anything else of is decided upon.

        ``heard`` are the hashes of which something was read now, None where they do not tell whose
        they are.

        Raises:
            ReadError: a catalog is damaged.
        """
        found = []
        for statement in sorted(statements, key=attrgetter("catalog")):
            kept = Kept(statement, self._merging.words[statement.catalog])
            try:
                self._take(kept, heard if len(statements) == 1 else None, case)
            except (LookupError, TypeError, ValueError):
                raise ReadError(
                    f"{kept.words.place}: is damaged (numbers that stand for nothing); take a copy"
                    " of it, or build it again from sources"
                ) from None
            found.append(kept)
        return found

    def _take(self, kept: Kept, heard: set[str] | None, case: Case) -> None:
        words, statement = kept.words, kept.statement
        specs, builds, facts = statement.specs, statement.builds, words.facts
        for spec in specs:
            build = builds.get(spec[0])
            told = None if build is None else BuildTuple(*build)
            kept.specs[spec[0]] = spec[1], facts(spec, build), told
        for page in statement.pages:
            _ = words.tags[page[0]], words.styles[page[2]]
        if heard is None:
            kept.open = kept.specs.keys()
        else:
            changed = self._changed_tags(kept)
            kept.open = {it[0] for it in specs if it[1] in heard} if heard else set()
            if changed:
                kept.open |= {it[1] for it in statement.binaries if it[0] in changed}
        is_open = kept.open.__contains__
        settled = {
            id_: self._settled(told, case) for id_, told in kept.specs.items() if not is_open(id_)
        }
        tags, stacks = words.tags, words.stacks
        shared: dict[tuple[object, ...], Presence] = {}  # most are alike, and are made once
        for row in kept.rows:
            presence, tag, how = settled.get(row[1]), tags[row[0]], row[2:]
            if presence is None:
                _ = kept.specs[row[1]], stacks[how[0]]
                continue
            there = shared.get(how)
            if there is None:
                there = shared[how] = Presence(stacks[how[0]], *how[1:])
            presence[tag] = there

    def _settled(self, told: Told, case: Case) -> dict[int, Presence]:
        """A spec that is as it was, and where it is, which is yet to be told."""
        hash_, facts, build = told
        case.specs[hash_] = spec = ResolvedSpec(hash_, facts, build=build)
        return spec.presence

    def _changed_tags(self, kept: Kept) -> set[int]:
        """The tags, by the catalog's numbers, in which not all need be as it was."""
        catalog = kept.statement.catalog
        if catalog not in self._changed:
            changed, listed = self._merging.changed_tags(catalog), self._words.tags.listed
            self._changed[catalog] = {
                id_ for id_, number in kept.words.tags.items() if listed[number] in changed
            }
        return self._changed[catalog]

    def mentions(self, kept: Kept) -> Iterator[MirrorStatement]:
        """The specs that are open, as if an index of their newest tag mentioned them."""
        tags, ranks, newest = kept.words.tags, self._ranks, dict[int, int]()
        for tag_id, spec, *_ in kept.open_rows():
            tag = tags[tag_id]
            if spec not in newest or ranks[tag] > ranks[newest[spec]]:
                newest[spec] = tag
        oldest = min(range(len(ranks)), key=ranks.__getitem__, default=0)
        by_tag: dict[int, list[tuple[str, FactsTuple, bool, BuildTuple | None]]] = {}
        for number, (hash_, facts, build) in kept.specs.items():
            if number in kept.open:
                mentioned = by_tag.setdefault(newest.get(number, oldest), [])
                mentioned.append((hash_, facts, False, build))
        source = self._merging.source_of(kept.statement.catalog)
        for tag, items in by_tag.items():
            yield MirrorStatement(tag, source, self._merging.place, "", items)

    def keep(self, everything: list[Kept], case: Case) -> None:
        """Decide where the specs are that are open."""
        package = self._words.packages.listed[case.package]
        names, lists = self._words.tags.listed, self._words.stack_lists.listed
        states: dict[tuple[str, int], State] = {}
        for kept in everything:
            tags, stacks, catalog = kept.words.tags, kept.words.stacks, kept.statement.catalog
            for tag_id, spec, stack_list, *times in kept.open_rows():
                tag, item = tags[tag_id], KeptItem(stacks[stack_list], *times)
                named = lists[item.stacks]
                seen = self._merging.state(catalog, names[tag], package, named, item)
                key = kept.specs[spec][0], tag
                states[key] = states[key] | seen if key in states else seen
        if self.dates_new:
            self._date_new(case, states, everything)
        for (hash_, number), state in states.items():
            if hash_ in case.specs:
                self._keep_one(case, hash_, number, state)

    def _date_new(
        self, case: Case, states: dict[tuple[str, int], State], everything: list[Kept]
    ) -> None:
        """Say when what no earlier catalog has was first seen."""
        settled = {
            hash_
            for kept in everything
            for id_, (hash_, *_) in kept.specs.items()
            if id_ not in kept.open
        }
        for spec in case.specs.values():
            if spec.hash not in settled:
                for number, now in spec.presence.items():
                    if (spec.hash, number) not in states:
                        seen = self.first_seen(number, now.stacks)
                        spec.presence[number] = now._replace(first_seen=seen)

    def pages(
        self,
        everything: list[Kept],
        pages: list[PageStatement],
        package: str,
        doubtful: Collection[int] | None,
    ) -> list[PageStatement]:
        """The pages that were read now, and those that earlier catalogs have beside them.

        What is on a page is told of those in ``doubtful`` tags alone; None stands for all tags.
        """
        found, names = {page.tag: page for page in pages}, self._words.tags.listed
        read_now = set(found)
        for kept in everything:
            tags, styles = kept.words.tags, kept.words.styles
            items = {} if doubtful == set() else self._items(kept, doubtful)
            for tag_id, source, style, text in kept.statement.pages:
                tag = tags[tag_id]
                if tag not in read_now:
                    place = f"_cache/{names[tag]}/{package}/specs.md"
                    listed = items.get(tag, [])
                    page = PageStatement(tag, source, place, styles[style], text, listed)
                    found[tag] = page
        return [found[tag] for tag in sorted(found, key=self._ranks.__getitem__)]

    def _items(
        self, kept: Kept, doubtful: Collection[int] | None
    ) -> dict[int, list[tuple[str, FactsTuple, int]]]:
        """What is on the pages of these tags, in order, as if they had been read."""
        tags, stacks = kept.words.tags, kept.words.stacks
        rows: dict[int, list[tuple[int, str, FactsTuple, int]]] = {}
        for tag_id, spec, listed, position, *_ in kept.rows:
            tag = tags[tag_id]
            if doubtful is None or tag in doubtful:
                hash_, facts, _build = kept.specs[spec]
                place = -1 if position is None else position
                rows.setdefault(tag, []).append((place, hash_, facts, stacks[listed]))
        return {
            tag: [it[1:] for it in sorted(found, key=itemgetter(0, 1))]
            for tag, found in rows.items()
        }

    def _keep_one(self, case: Case, hash_: str, tag: int, state: State) -> None:
        """Decide where a spec of earlier catalogs is now."""
        presence = case.specs[hash_].presence
        now = presence.get(tag)
        listed = self._words.stack_lists.listed[now.stacks] if now else ()
        name = self._words.tags.listed[tag]
        merging = self._merging
        if now is None and not state.stacks:
            stacks = self._words.stack_lists[state.gone_from]
            since = state.gone_since or state.missed or merging.now
            if state.gone_since is None:
                case.events.append((since, "removed", name, hash_))
                case.touched.add(hash_)
            presence[tag] = Presence(
                stacks, state.position, state.first_seen, state.last_seen, since
            )
            return
        if now is not None and state.gone_since is not None:
            seen = merging.seen_in(name, listed) or merging.now
            case.events.append((seen, "returned", name, hash_))
        if missing := set(state.stacks).difference(listed):
            if now is not None:
                case.touched.add(hash_)
            together = tuple(sorted((*listed, *missing))) if listed else state.stacks
            stacks = self._words.stack_lists[together]
        else:
            assert now is not None
            stacks = now.stacks
        if state.was_in != set(self._words.stack_lists.listed[stacks]):
            case.touched.add(hash_)
        position = now.position if now else state.position
        presence[tag] = Presence(stacks, position, state.first_seen)
