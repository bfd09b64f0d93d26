"""Counts that pages and facets show at once, made while rows are written.

To have SQLite count these afterwards takes six times as long: it would sort a million rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

Row = tuple[object, ...]


class Counted(NamedTuple):
    """What is counted: functions from a row to what it has in some of its columns.

    ``machine`` is a binary's tag, operating system, platform and target; ``stacks`` its spec and
    set of stacks; ``variants`` its set of variants, and ``spec_variants`` that of a spec.
    """

    machine: Callable[[Row], Any]
    stacks: Callable[[Row], Any]
    variants: Callable[[Row], Any]
    spec_variants: Callable[[Row], Any]


class Counts:
    """What the specs and binaries that were added have, by ids."""

    def __init__(self, counted: Counted) -> None:
        self._counted = counted
        self._machines: Counter[tuple[int, ...]] = Counter()
        self._of_specs: Counter[int] = Counter()
        self._of_binaries: Counter[int] = Counter()
        self._stacks: Counter[tuple[int, ...]] = Counter()

    def add(self, specs: list[Row], binaries: list[Row]) -> None:
        """Add rows: specs, and all binaries of these."""
        counted = self._counted
        self._machines.update(map(counted.machine, binaries))
        self._of_specs.update(map(counted.spec_variants, specs))
        self._of_binaries.update(map(counted.variants, binaries))
        sets: defaultdict[int, tuple[int, ...]] = defaultdict(tuple)
        for spec, stack_set in dict.fromkeys(map(counted.stacks, binaries)):
            sets[spec] += (stack_set,)
        self._stacks.update(sets.values())

    def machines(self) -> list[tuple[int, ...]]:
        """For each tag the machines that it has binaries for, and how many."""
        return sorted((*machine, binaries) for machine, binaries in self._machines.items())

    def specs_by_stack(self, members: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Each stack with the specs that it has in any tag, the most first.

        ``members`` are pairs of a set of stacks and a stack in it.
        """
        stacks: dict[int, set[int]] = {}
        for stack_set, stack in members:
            stacks.setdefault(stack_set, set()).add(stack)
        counts: Counter[int] = Counter()
        for sets, specs in self._stacks.items():
            for stack in set().union(*(stacks.get(number, ()) for number in sets)):
                counts[stack] += specs
        return _most_first(counts)

    def by_variant(
        self, names: Iterable[tuple[int, frozenset[str]]], first: Mapping[str, int]
    ) -> Iterator[tuple[str, list[tuple[int, int]]]]:
        """Of specs and of binaries, how many have a variant of each name, the most first.

        ``names`` has the names in each set of variants; ``first`` is the first variant of each
        name, which stands for all values of it.
        """
        # Most sets of a package have the same names: those are added up before they are told apart.
        together: defaultdict[frozenset[str], list[int]] = defaultdict(lambda: [0, 0])
        for variant_set, there in names:
            added = together[there]
            added[0] += self._of_specs[variant_set]
            added[1] += self._of_binaries[variant_set]
        for column, table in enumerate(("specs", "binaries")):
            counts: Counter[int] = Counter()
            for there, numbers in together.items():
                counts.update(dict.fromkeys(map(first.__getitem__, there), numbers[column]))
            yield table, _most_first(counts)


def _most_first(counts: Counter[int]) -> list[tuple[int, int]]:
    """What is there at all, by number and then by id."""
    return sorted(
        ((id_, number) for id_, number in counts.items() if number),
        key=lambda item: (-item[1], item[0]),
    )
