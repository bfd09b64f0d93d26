"""Why a spec was built again: the deepest differences between two builds of the same spec.

Two specs are one identity when they agree in all that Spack decides about them but their hash:
name, namespace, version, variants, flags, platform, system, target, compilers and external.  Where
two builds of one identity have different hashes, the causes are found by walking down through
dependencies that were only built again as well; a dependency of another identity ends the walk, and
is the cause.  It knows no tables: nodes come from whoever has them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from etl.compare.edges import cause_of, changes
from etl.compare.graph import Cause, Edge, Node, own_causes

Pair = tuple[int, int]
"""The keys of two builds of one identity."""

_NOTHING: frozenset[Cause] = frozenset()


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


@dataclass(frozen=True, slots=True)
class _Changed:
    """What is known of a pair by itself: its own causes, and the pairs right below it."""

    own: frozenset[Cause]
    below: tuple[Pair, ...]


class Causes:
    """Finds the causes of rebuilds; ``node`` gives a node by its key, None where it is not known.

    What was found of a pair is kept, since many share what is below them.
    """

    def __init__(self, node: Callable[[int], Node | None]) -> None:
        self._node = node
        self._changed: dict[Pair, _Changed] = {}
        self._known: dict[Pair, frozenset[Cause]] = {}
        self._in_order: dict[frozenset[Cause], tuple[Cause, ...]] = {}
        self._same: dict[Pair, bool] = {}
        self._purposes: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._built_with: set[Edge] = set()

    def of(self, old: Node, new: Node) -> tuple[Cause, ...]:
        """The causes why ``new`` has another hash than ``old``, of the same identity."""
        pair = old.key, new.key
        if pair not in self._known:
            self._walk(pair)
        found = self._known[pair]
        told = self._in_order.get(found)
        if told is None:
            told = self._in_order[found] = tuple(sorted(found, key=_order))
        return told or (Cause("unknown", new.name, None, None),)

    def chains(self, old: Node, new: Node, most: int = 100) -> tuple[Chain, ...]:
        """The shortest way from the spec to each of its causes, the shortest first."""
        root = old.key, new.key
        found: dict[Cause, Pair] = {}
        above: dict[Pair, Pair] = {}
        todo = [root]
        for pair in todo:  # which grows while it is gone through
            here = self._here(pair)
            own = here.own if here.own or here.below else {self._unknown(pair)}
            for cause in sorted(own, key=_order):
                found.setdefault(cause, pair)
            for lower in here.below:
                if lower not in above and lower != root:
                    above[lower] = pair
                    todo.append(lower)
        known = self.of(old, new)
        first = {it: place for place, it in enumerate(found)}
        in_order = sorted(known, key=lambda it: first.get(it, len(first)))
        return tuple(
            Chain(cause, self._way(found.get(cause, root), above)) for cause in in_order[:most]
        )

    def _way(self, pair: Pair, above: dict[Pair, Pair]) -> tuple[Node, ...]:
        """The newer specs from the one that was asked about down to that of a pair."""
        way = [pair]
        while way[-1] in above:
            way.append(above[way[-1]])
        return tuple(it for _, key in reversed(way) if (it := self._node(key)))

    def purposes(self, cause: Cause) -> tuple[str, ...]:
        """What the dependencies that brought a cause are for: ``build``, ``link`` and so on."""
        for edge in self._built_with:
            if node := self._node(edge.child):
                self._purposes["", node.name].add(edge.deptypes)
        self._built_with.clear()
        inside = cause.kind in ("recipe", "patches", "unknown")
        told = self._purposes.get(("" if inside else cause.kind, cause.package), ())
        return tuple(sorted({word for text in told for word in text.split()}))

    def _walk(self, root: Pair) -> None:
        """Find the causes of a pair and of all pairs below it, to any depth.

        Pairs are finished from below; those of a circle, which only a forged index has, are
        finished together (Tarjan's algorithm, with a list in the place of calls).
        """
        number: dict[Pair, int] = {root: 0}
        lowest: dict[Pair, int] = {root: 0}
        open_: list[Pair] = [root]
        is_open = {root}
        todo: list[tuple[Pair, Iterator[Pair]]] = [(root, iter(self._here(root).below))]
        while todo:
            pair, rest = todo[-1]
            for lower in rest:
                if lower in self._known:
                    continue
                if lower not in number:
                    number[lower] = lowest[lower] = len(number)
                    open_.append(lower)
                    is_open.add(lower)
                    todo.append((lower, iter(self._here(lower).below)))
                    break
                if lower in is_open:
                    lowest[pair] = min(lowest[pair], number[lower])
            else:
                todo.pop()
                if todo:
                    above = todo[-1][0]
                    lowest[above] = min(lowest[above], lowest[pair])
                if lowest[pair] == number[pair]:
                    circle = [open_.pop()]
                    while circle[-1] != pair:
                        circle.append(open_.pop())
                    is_open.difference_update(circle)
                    self._finish(circle)

    def _finish(self, circle: list[Pair]) -> None:
        """The causes of pairs that are all below each other; most often it is one."""
        changed = [self._here(pair) for pair in circle]
        below = {
            known for here in changed for lower in here.below if (known := self._known.get(lower))
        }
        found = _NOTHING.union(*(here.own for here in changed), *below)
        found = found or frozenset(map(self._unknown, circle))
        self._known.update(dict.fromkeys(circle, found))

    def _unknown(self, pair: Pair) -> Cause:
        node = self._node(pair[1])
        return Cause("unknown", node.name if node else "?", None, None)

    def _here(self, pair: Pair) -> _Changed:
        found = self._changed.get(pair)
        if found is None:
            found = self._changed[pair] = self._look_at(*pair)
        return found

    def _look_at(self, old_key: int, new_key: int) -> _Changed:
        """The causes in two nodes and their edges, and pairs of dependencies that were rebuilt."""
        old, new = self._node(old_key), self._node(new_key)
        if old is None or new is None:
            return _Changed(_NOTHING, ())
        own = set(own_causes(old, new))
        below: dict[Pair, None] = {}
        same, built_with = self._same, self._built_with
        for change in changes(old.edges, new.edges, self._node):
            before, after, _ = change
            if before and after:
                pair = before[0], after[0]
                is_one = same.get(pair)
                if is_one or (is_one is None and self._is_one(pair)):
                    below[pair] = None
                    built_with.add(after)
                    continue
            cause = cause_of(change, self._node)
            own.add(cause)
            edge = after or before
            if edge:
                self._purposes[cause.kind, cause.package].add(edge.deptypes)
        return _Changed(frozenset(own), tuple(below))

    def _is_one(self, pair: Pair) -> bool:
        """Whether a dependency was only built again; of many specs it is the same two builds."""
        old, new = self._node(pair[0]), self._node(pair[1])
        found = bool(old and new and pair[0] != pair[1] and old.is_like(new))
        self._same[pair] = found
        return found


def _order(cause: Cause) -> tuple[str, str, str, str]:
    return cause.kind, cause.package, cause.old or "", cause.new or ""
