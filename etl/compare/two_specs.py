"""Two specs side by side: all that differs in their graphs, node by node, the deepest first."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from etl.compare.cause_words import cause_in_words
from etl.compare.edges import cause_of, changes, in_pairs
from etl.compare.graph import Cause, Edge, Node, differences, own_causes
from etl.compare.nodes import Nodes
from etl.errors import UsageError


@dataclass(frozen=True, slots=True)
class NodeDifference:
    """A node of one graph and the one in its place in the other, where they differ.

    ``depth`` is the longest way to it from a root; ``purposes`` are the types of dependency that it
    is for in either graph, none for the roots.  ``old`` or ``new`` is None where only the other
    graph has such a node.
    """

    package: str
    depth: int
    purposes: tuple[str, ...]
    old: Node | None
    new: Node | None
    differences: tuple[Cause, ...]

    @property
    def in_words(self) -> str:
        """What differs, in a phrase."""
        if self.old is None or self.new is None:
            return "only in the first" if self.new is None else "only in the second"
        return "; ".join(map(cause_in_words, self.differences)) or "only its dependencies"

    def to_json(self) -> dict[str, Any]:
        """The difference as JSON has it."""
        return {
            "package": self.package,
            "depth": self.depth,
            "deptypes": list(self.purposes),
            "old": _named(self.old),
            "new": _named(self.new),
            "differences": [cause.to_json() for cause in self.differences],
        }


def compare_specs(db: sqlite3.Connection, old: str, new: str) -> tuple[NodeDifference, ...]:
    """All that differs between two graphs, the deepest first.

    ``old`` and ``new`` are hashes, or how they begin.  A graph may have several nodes of one
    package, a python to build with and one to run with; each is held against that of the other
    graph which is there for the same.

    Raises:
        UsageError: no spec, or several, have such a hash.
    """
    nodes = Nodes(db)
    ids = [find_spec(db, hash_) for hash_ in (old, new)]
    before, after = (nodes.load([id_])[0] for id_ in ids)
    nodes.load_below((before, after))
    sides = _Graph(nodes, before), _Graph(nodes, after)
    found = [
        NodeDifference(
            (two or one or before).name,
            max(side.depths.get(it.key, 0) for side in sides for it in (one, two) if it),
            tuple(sorted({what for it in (one, two) if it for what in _purposes(sides, it)})),
            one,
            two,
            tuple(_differences(nodes, one, two)),
        )
        for one, two in _pairs(nodes, *sides)
    ]
    return tuple(sorted(found, key=_deepest_first))


def _deepest_first(it: NodeDifference) -> tuple[int, str, str]:
    node = it.new or it.old
    return -it.depth, it.package, node.hash if node else ""


class _Graph:
    """All that is below a spec: how far, and what for."""

    def __init__(self, nodes: Nodes, root: Node) -> None:
        self.root = root
        self.depths: dict[int, int] = {}
        self.purposes: dict[int, set[str]] = defaultdict(set)
        order: list[Node] = []
        seen = {root.key}
        todo: list[tuple[Node, Iterator[Edge]]] = [(root, iter(root.edges))]
        while todo:
            node, rest = todo[-1]
            for edge in rest:
                self.purposes[edge.child].update(edge.deptypes.split())
                child = nodes.get(edge.child)
                if child is not None and child.key not in seen:
                    seen.add(child.key)
                    todo.append((child, iter(child.edges)))
                    break
            else:
                todo.pop()
                order.append(node)
        self.depths[root.key] = 0
        for node in reversed(order):  # each before all that is below it
            for edge in node.edges:
                if edge.child in seen:
                    depth = self.depths[node.key] + 1
                    self.depths[edge.child] = max(self.depths.get(edge.child, 0), depth)


def _purposes(sides: tuple[_Graph, _Graph], node: Node) -> set[str]:
    return sides[0].purposes.get(node.key, set()) | sides[1].purposes.get(node.key, set())


def _pairs(nodes: Nodes, old: _Graph, new: _Graph) -> list[tuple[Node | None, Node | None]]:
    """The nodes that differ, each with the one in its place.

    They are found from the roots down, over what each dependency is for; what lies below those that
    only one graph has is held against what is left of the other, package by package.
    """
    placed: dict[tuple[int, int], None] = {(old.root.key, new.root.key): None}
    todo = list(placed)
    for pair in todo:  # which grows while it is gone through
        before, after = (nodes.get(key) for key in pair)
        edges = (before.edges if before else ()), (after.edges if after else ())
        for one, two, virtual in changes(*edges, nodes.get):
            if one and two and not virtual:
                lower = one.child, two.child
                if lower[0] != lower[1] and lower not in placed:
                    placed[lower] = None
                    todo.append(lower)
    found: list[tuple[Node | None, Node | None]] = [
        (nodes.get(one), nodes.get(two)) for one, two in placed if one != two
    ]
    olds, news = {one for one, _ in placed}, {two for _, two in placed}
    left = [Edge(it, "", "") for it in old.depths if it not in olds and it not in new.depths]
    right = [Edge(it, "", "") for it in new.depths if it not in news and it not in old.depths]
    return found + [
        (_node(nodes, one), _node(nodes, two)) for one, two, _ in in_pairs(left, right, nodes.get)
    ]


def _node(nodes: Nodes, edge: Edge | None) -> Node | None:
    return None if edge is None else nodes.get(edge.child)


def _differences(nodes: Nodes, old: Node | None, new: Node | None) -> Iterator[Cause]:
    """What differs in two nodes themselves and their edges; nothing if it is only below them."""
    if old is None or new is None:
        return
    yield from differences(old, new)
    yield from own_causes(old, new)
    for it in changes(old.edges, new.edges, nodes.get):
        one, two, virtual = it
        if virtual or one is None or two is None or one.child == two.child:
            yield cause_of(it, nodes.get)
        elif one.purpose != two.purpose:
            node = nodes.get(two.child)
            yield Cause("edge", node.name if node else "?", one.purpose, two.purpose)


def _named(node: Node | None) -> str | None:
    return f"{node.title}/{node.hash[:7]}" if node else None


def find_spec(db: sqlite3.Connection, prefix: str) -> int:
    """The id of the spec whose hash begins so.

    Raises:
        UsageError: there is none, or there are several.
    """
    text = prefix.removeprefix("/").lower()
    rows = db.execute(
        "SELECT id FROM specs WHERE hash >= ? AND hash < ? LIMIT 2", (text, text + "{")
    ).fetchall()
    if not text or not rows:
        raise UsageError(f"no spec with a hash that begins with {prefix[:40]} in this catalog")
    if len(rows) > 1:
        raise UsageError(
            f"several specs have a hash that begins with {prefix[:40]}; enter more characters"
        )
    return int(rows[0][0])
