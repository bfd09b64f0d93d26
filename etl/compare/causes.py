"""Why a spec was built again: the deepest differences between two builds of the same spec.

Two specs are one identity when they agree in all that Spack decides about them but their hash:
name, namespace, version, variants, flags, platform, system, target, compilers and external.  Where
two builds of one identity have different hashes, the causes are found by walking down through
dependencies that were only built again as well; a dependency of another identity ends the walk, and
is the cause.  It knows no tables: nodes come from whoever has them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count

from etl.compare.edges import cause_of, changes
from etl.compare.graph import Cause, Node, own_causes


@dataclass(frozen=True, slots=True)
class Chain:
    """How a cause reaches a spec: the specs on the way, the spec itself first.

    The last is the one in which, or in a dependency of which, the cause is.
    """

    cause: Cause
    nodes: tuple[Node, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The packages from the spec to the cause."""
        names = tuple(it.name for it in self.nodes)
        return names if self.cause.package == names[-1] else (*names, self.cause.package)


@dataclass(slots=True, eq=False)
class _Rebuild:
    """Two builds of one identity, and why they differ as far as that was looked at.

    ``below`` are the dependencies that were only built again as well.  ``own`` are the causes in
    the two and in their other dependencies, ``causes`` all of them; each is a set as a number, with
    the bits that :class:`Causes` has for them.  ``place`` and ``lowest`` are for its walk.
    """

    old: Node
    new: Node
    below: list[_Rebuild] | None = None
    own: int = 0
    causes: int = 0
    place: int | None = None
    lowest: int = 0


class Causes:
    """Finds the causes of rebuilds; ``node`` gives a node by its key, None where it is not known.

    What was found of a pair is kept, since many share what is below them.
    """

    def __init__(self, node: Callable[[int], Node | None]) -> None:
        self._node = node
        self._rebuilds: dict[tuple[int, int], _Rebuild | None] = {}
        self._bits: dict[Cause, int] = {}
        self._told: dict[int, tuple[Cause, ...]] = {}
        self._purposes: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._built_with: dict[str, set[str]] = defaultdict(set)

    def of(self, old: Node, new: Node) -> tuple[Cause, ...]:
        """The causes why ``new`` has another hash than ``old``, of the same identity."""
        root = self._rebuild(old, new)
        if not root.causes:
            self._walk(root)
        return self._in_order(root.causes)

    def chains(self, old: Node, new: Node, most: int = 100) -> tuple[Chain, ...]:
        """The shortest way from the spec to each of its causes, the shortest first."""
        root = self._rebuild(old, new)
        found: dict[Cause, _Rebuild] = {}
        above: dict[_Rebuild, _Rebuild] = {}
        todo = [root]
        for here in todo:  # which grows while it is gone through
            below = self._below(here)
            for cause in self._in_order(here.own) if here.own or below else (_unknown(here),):
                found.setdefault(cause, here)
            for lower in below:
                if lower not in above and lower is not root:
                    above[lower] = here
                    todo.append(lower)
        first = {it: place for place, it in enumerate(found)}
        known = sorted(self.of(old, new), key=lambda it: first.get(it, len(first)))
        return tuple(Chain(cause, _way(found.get(cause, root), above)) for cause in known[:most])

    def purposes(self, cause: Cause) -> tuple[str, ...]:
        """What the dependencies that brought a cause are for: ``build``, ``link`` and so on."""
        if cause.kind in ("recipe", "patches", "unknown"):
            told = self._built_with.get(cause.package, ())
        else:
            told = self._purposes.get((cause.kind, cause.package), ())
        return tuple(sorted({word for text in told for word in text.split()}))

    def _walk(self, root: _Rebuild) -> None:
        """Find the causes of a pair and of all pairs below it, to any depth.

        Pairs are finished from below; those of a circle, which only a forged index has, are
        finished together (Tarjan's algorithm, with a list in the place of calls).
        """
        places = count()
        root.place = root.lowest = next(places)
        open_ = [root]
        todo = [(root, iter(self._below(root)))]
        while todo:
            here, rest = todo[-1]
            for lower in rest:
                if lower.causes:
                    continue
                if lower.place is None:
                    lower.place = lower.lowest = next(places)
                    open_.append(lower)
                    todo.append((lower, iter(self._below(lower))))
                    break
                here.lowest = min(here.lowest, lower.place)
            else:
                todo.pop()
                if todo:
                    above = todo[-1][0]
                    above.lowest = min(above.lowest, here.lowest)
                if here.lowest == here.place:
                    circle = [open_.pop()]
                    while circle[-1] is not here:
                        circle.append(open_.pop())
                    self._finish(circle)

    def _finish(self, circle: list[_Rebuild]) -> None:
        """The causes of pairs that are all below each other; most often it is one."""
        found = 0
        for here in circle:
            found |= here.own
            for lower in self._below(here):
                found |= lower.causes
        found = found or self._as_bits(map(_unknown, circle))
        for here in circle:
            here.causes = found

    def _below(self, here: _Rebuild) -> list[_Rebuild]:
        """The dependencies of a pair that were only built again; its own causes are found, too."""
        if here.below is not None:
            return here.below
        own, below = [*own_causes(here.old, here.new)], []
        rebuilds, built_with = self._rebuilds, self._built_with
        for change in changes(here.old.edges, here.new.edges, self._node):
            before, after, _ = change
            if before and after:
                pair = before[0], after[0]
                lower = rebuilds[pair] if pair in rebuilds else self._paired(pair)
                if lower:
                    below.append(lower)
                    built_with[lower.new.name].add(after.deptypes)
                    continue
            cause = cause_of(change, self._node)
            own.append(cause)
            if edge := after or before:
                self._purposes[cause.kind, cause.package].add(edge.deptypes)
        here.own, here.below = self._as_bits(own), below
        return below

    def _rebuild(self, old: Node, new: Node) -> _Rebuild:
        """What is known of two builds that are of one identity."""
        pair = old.key, new.key
        found = self._rebuilds.get(pair)
        if found is None:
            found = _Rebuild(self._node(old.key) or old, self._node(new.key) or new)
            self._rebuilds[pair] = found
        return found

    def _paired(self, pair: tuple[int, int]) -> _Rebuild | None:
        """Two dependencies if they are of one identity; of many specs it is the same two."""
        old, new = map(self._node, pair)
        found = None
        if old and new and old.key != new.key and old.is_like(new):
            found = _Rebuild(old, new)
        self._rebuilds[pair] = found
        return found

    def _as_bits(self, causes: Iterable[Cause]) -> int:
        """A set of causes as a number."""
        found = 0
        for cause in causes:
            found |= self._bits.setdefault(cause, 1 << len(self._bits))
        return found

    def _in_order(self, causes: int) -> tuple[Cause, ...]:
        """A set of causes, in order; many specs have the same."""
        told = self._told.get(causes)
        if told is None:
            those = (cause for cause, bit in self._bits.items() if bit & causes)
            told = self._told[causes] = tuple(sorted(those, key=_order))
        return told


def _way(here: _Rebuild, above: Mapping[_Rebuild, _Rebuild]) -> tuple[Node, ...]:
    """The newer specs from the one that was asked about down to that of a pair."""
    way = [here]
    while way[-1] in above:
        way.append(above[way[-1]])
    return tuple(it.new for it in reversed(way))


def _unknown(here: _Rebuild) -> Cause:
    return Cause("unknown", here.new.name, None, None)


def _order(cause: Cause) -> tuple[str, str, str, str]:
    return cause.kind, cause.package, cause.old or "", cause.new or ""
