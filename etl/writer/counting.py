"""Counts that pages and facets show at once, made while rows are written.

To have SQLite count these afterwards takes six times as long: it would sort a million rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set


class Counts:
    """What the specs that were added have, by ids."""

    def __init__(self) -> None:
        self._machines: defaultdict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        self._variants: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
        self._stacks: Counter[tuple[int, ...]] = Counter()

    def add(
        self, machine: tuple[int, ...], variant_set: int, stack_sets: Set[int], tags: list[int]
    ) -> None:
        """Add a spec: its operating system, platform and target, and the tags that have it.

        ``stack_sets`` are those that it has in these tags.
        """
        in_tags = self._machines[machine]
        for tag in tags:
            in_tags[tag] += 1
        of_variants = self._variants[variant_set]
        of_variants[0] += 1
        of_variants[1] += len(tags)
        self._stacks[tuple(sorted(stack_sets))] += 1

    def machines(self) -> list[tuple[int, ...]]:
        """For each tag the machines that it has binaries for, and how many."""
        return sorted(
            (tag, *machine, binaries)
            for machine, tags in self._machines.items()
            for tag, binaries in tags.items()
        )

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
            of_specs, of_binaries = self._variants[variant_set]
            added = together[there]
            added[0] += of_specs
            added[1] += of_binaries
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
