"""What earlier catalogs have of a package joins what was read now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from etl.writer.case import Case, Presence
from etl.writer.merging import Merging, State
from etl.writer.shelf import (
    BuildTuple,
    FactsTuple,
    KeptInTag,
    KeptStatement,
    MirrorStatement,
    PageStatement,
)
from etl.writer.vocabulary import Vocabulary


class Keeper:
    """Carries on what earlier catalogs have; ``tag_ranks[n]`` is the place in time of a tag."""

    def __init__(self, words: Vocabulary, tag_ranks: Sequence[int], merging: Merging) -> None:
        self._words = words
        self._ranks = tag_ranks
        self._merging = merging

    def mentions(self, kept: KeptStatement) -> Iterator[MirrorStatement]:
        """The specs of an earlier catalog, as if an index of their newest tag mentioned them."""
        newest: dict[int, int] = {}
        for it in sorted(kept.tags, key=lambda it: self._ranks[it.tag]):
            newest |= dict.fromkeys((item[0] for item in it.items), it.tag)
        oldest = min(range(len(self._ranks)), key=self._ranks.__getitem__, default=0)
        by_tag: dict[int, list[tuple[str, FactsTuple, bool, BuildTuple | None]]] = {}
        for number, (hash_, facts, build) in enumerate(kept.specs):
            mentioned = by_tag.setdefault(newest.get(number, oldest), [])
            mentioned.append((hash_, facts, False, build))
        source = self._merging.source_of(kept.catalog)
        for tag, items in by_tag.items():
            yield MirrorStatement(tag, source, self._merging.place, "", items)

    def keep(
        self, kept: list[KeptStatement], pages: list[PageStatement], case: Case
    ) -> list[PageStatement]:
        """Add what earlier catalogs have in each tag to what was read now."""
        found = {page.tag: page for page in pages}
        package = self._words.packages.listed[case.package]
        read_now = set(found)
        states: dict[tuple[str, int], State] = {}
        for statement in sorted(kept, key=lambda it: it.catalog):
            for it in statement.tags:
                tag = self._words.tags.listed[it.tag]
                for item in it.items:
                    hash_ = statement.specs[item.spec][0]
                    stacks = self._words.stack_lists.listed[item.stacks]
                    seen = self._merging.state(statement.catalog, tag, package, stacks, item)
                    key = hash_, it.tag
                    states[key] = states[key] | seen if key in states else seen
                if it.style is not None and it.tag not in read_now:
                    found[it.tag] = self._kept_page(statement, it, it.style, tag, package)
        if self._merging.at is not None or self._merging.times:
            self._date_new(case, states)
        for (hash_, number), state in states.items():
            if hash_ in case.specs:
                self._keep_one(case, hash_, number, state)
        return [found[tag] for tag in sorted(found, key=self._ranks.__getitem__)]

    def _date_new(self, case: Case, states: dict[tuple[str, int], State]) -> None:
        """Say when what no earlier catalog has was first seen."""
        listed, tags = self._words.stack_lists.listed, self._words.tags.listed
        for spec in case.specs.values():
            for number, now in spec.presence.items():
                if (spec.hash, number) not in states:
                    seen = self._merging.seen_in(tags[number], listed[now.stacks])
                    spec.presence[number] = now._replace(first_seen=seen)

    def _kept_page(
        self,
        statement: KeptStatement,
        kept: KeptInTag,
        style: int,
        tag: str,
        package: str,
    ) -> PageStatement:
        """A page of an earlier catalog as if it had been read."""
        ordered = sorted(
            (item.position is not None, item.position or 0, statement.specs[item.spec][0], item)
            for item in kept.items
        )
        listed = [(hash_, statement.specs[it.spec][1], it.stacks) for *_, hash_, it in ordered]
        place = f"_cache/{tag}/{package}/specs.md"
        return PageStatement(kept.tag, kept.source, place, style, kept.text, listed)

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
