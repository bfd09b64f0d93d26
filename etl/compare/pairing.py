"""Which specs of one tag were built again in another: the same identity, another hash."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from etl.compare.graph import Cause, Node


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Two builds of one identity, and why the second has another hash.

    ``unexplained`` is the reason why no cause is known, where none is.
    """

    package: str
    version: str | None
    old: str
    new: str
    causes: tuple[Cause, ...]
    unexplained: str | None = None

    @property
    def title(self) -> str:
        """Package and version."""
        return f"{self.package}@{self.version}" if self.version else self.package


def pairs(
    old: Iterable[Node], new: Iterable[Node], both: Iterable[Node]
) -> tuple[list[tuple[Node, Node]], int]:
    """The two builds of each identity that was built again, and how many identities are ambiguous.

    ``old`` and ``new`` are the nodes that only one side has, ``both`` those of the same identities
    that both have.  An identity with several hashes on a side is ambiguous, and not paired, though
    all of its hashes but one may be on both sides.
    """
    sides: dict[Hashable, tuple[list[Node], list[Node]]] = defaultdict(lambda: ([], []))
    for place, nodes in enumerate((old, new)):
        for node in nodes:
            sides[node.identity][place].append(node)
    for node in both:
        if node.identity in sides:
            for side in sides[node.identity]:
                side.append(node)
    found, ambiguous = [], 0
    for before, after in sides.values():
        if len(before) == len(after) == 1:
            found.append((before[0], after[0]))
        elif before and after:
            ambiguous += 1
    found.sort(key=lambda it: (it[1].name, it[1].version or "", it[0].hash))
    return found, ambiguous
