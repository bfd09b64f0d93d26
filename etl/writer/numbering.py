"""The final numbers of what recurs: an order that means something, however it was read."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Hashable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from etl.writer.needs import DEV_PATH
from etl.writer.vocabulary import Member, VariantList, Vocabulary

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class Ranked(Generic[T]):
    """Values by a sorting key, numbered from 1; ``ids[n]`` is the id of the n-th value given.

    Those in ``without`` have the id 0, and no row.
    """

    def __init__(
        self, values: Iterable[T], key: Callable[[T], Any], without: Container[T] = ()
    ) -> None:
        given = list(values)
        there = (number for number, value in enumerate(given) if value not in without)
        order = sorted(there, key=lambda number: key(given[number]))
        self.ids = [0] * len(given)
        for place, number in enumerate(order, start=1):
            self.ids[number] = place
        self.values = [given[number] for number in order]

    def rows(self) -> Iterator[tuple[int, T]]:
        """Each id with its value, in order."""
        return enumerate(self.values, start=1)


class FirstUse(Generic[K]):
    """Ids from 1 on, in the order in which things are first used in the finished catalog."""

    def __init__(self) -> None:
        self._ids: dict[K, int] = {}

    def __getitem__(self, thing: K) -> int:
        found = self._ids.get(thing)
        if found is None:
            found = self._ids[thing] = len(self._ids) + 1
        return found

    def rows(self) -> Iterator[tuple[int, K]]:
        """Each id with its thing, in order."""
        return ((number, thing) for thing, number in self._ids.items())


class VariantSets(dict[int, int]):
    """Variant lists of the vocabulary as they are used: the ids of their sets, by number.

    ``developed`` are the numbers of those of somebody's working copy.
    """

    def __init__(self, words: Vocabulary) -> None:
        super().__init__()
        self._lists = [VariantList(*key) for key in words.variant_lists]
        self._ids: FirstUse[int] = FirstUse()
        self._first: dict[tuple[object, ...], int] = {}
        self.developed: set[int] = set()

    def __missing__(self, number: int) -> int:
        # Lists that were told with other sums of patches may be one and the same.
        listed = self._lists[number]
        members = listed.members
        first = self._first.setdefault((listed.variants, members), number)
        if DEV_PATH in {member[0] for member in members}:
            self.developed.add(number)
        id_ = self[number] = self._ids[first]
        return id_

    def rows(self) -> Iterator[tuple[int, str, str | None]]:
        """Each id with the variants as Spack prints them, and one by one where need be."""
        for id_, number in self._ids.rows():
            listed = self._lists[number]
            yield id_, listed.text, None if listed.is_plain else json.dumps(listed.variants)

    def names(self) -> Iterator[tuple[int, frozenset[str]]]:
        """Each id with the names of its variants."""
        for id_, number in self._ids.rows():
            yield id_, frozenset([member[0] for member in self._lists[number].members])

    def variants(self) -> Ranked[Member]:
        """All variants that are used, by name and value."""
        used = {member for _, number in self._ids.rows() for member in self._lists[number].members}
        return Ranked(used, lambda member: (member[0], member[1], member[2] or ""))

    def members(self, variants: Ranked[Member]) -> Iterator[tuple[int, int]]:
        """Each set with the ids of its variants."""
        ids = {member: id_ for id_, member in variants.rows()}
        for id_, number in self._ids.rows():
            yield from sorted((id_, ids[member]) for member in self._lists[number].members)


class StackSets(dict[int, tuple[int, int | None]]):
    """Stack lists of the vocabulary as they are used: the set, and the order where it is odd."""

    def __init__(self, words: Vocabulary) -> None:
        super().__init__()
        self._lists = words.stack_lists.listed
        self._sets: FirstUse[tuple[str, ...]] = FirstUse()
        self._orders: FirstUse[tuple[int, tuple[str, ...]]] = FirstUse()

    def __missing__(self, number: int) -> tuple[int, int | None]:
        stacks = self._lists[number]
        in_order = tuple(sorted(stacks))
        id_ = self._sets[in_order]
        found = self[number] = (id_, None if stacks == in_order else self._orders[id_, stacks])
        return found

    def rows(self) -> Iterator[tuple[int, str]]:
        """Each id with its stacks by name."""
        return ((number, " ".join(stacks)) for number, stacks in self._sets.rows())

    def members(self, stack_ids: dict[str, int]) -> Iterator[tuple[int, int]]:
        """Each set with the ids of its stacks."""
        for number, stacks in self._sets.rows():
            yield from ((number, stack_ids[stack]) for stack in stacks)

    def orders(self) -> Iterator[tuple[int, int, str]]:
        """Each order with its set and the stacks in that order."""
        return ((number, id_, " ".join(stacks)) for number, (id_, stacks) in self._orders.rows())
