"""Which dependency of one build is in the place of which of the other."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from functools import partial
from itertools import repeat
from operator import itemgetter

from etl.compare.graph import Cause, Edge, Node, differences

NodeOf = Callable[[int], Node | None]


EdgeChange = tuple[Edge | None, Edge | None, str | None]
"""An edge, and the one in its place; None where only one side has it.

The text is set where a dependency took the place of one of another package: the first virtual
package that both provide.  A plain tuple, since of two large tags hundreds of thousands are made.
"""


def changes(old: Collection[Edge], new: Collection[Edge], node: NodeOf) -> Iterable[EdgeChange]:
    """What differs in the edges of two nodes.

    An edge to the same spec differs if it is for something else.  Of the others those to packages
    of one name are pairs, those with most in common first: the same identity, the same purpose, the
    same version.  What is left over took the place of what provides the same virtual, or was added
    or removed.
    """
    names = _names(old, node)
    if names == _names(new, node) and len({*names}) == len(names):
        # As nearly always: both need the same packages in one order, and each of them once.
        return [it for it in zip(old, new, repeat(None)) if it[0] != it[1]]
    return _changes(old, new, node)


def _names(edges: Iterable[Edge], node: NodeOf) -> list[str]:
    return [it.name if it else "?" for it in map(node, map(itemgetter(0), edges))]


def _changes(old: Iterable[Edge], new: Iterable[Edge], node: NodeOf) -> Iterator[EdgeChange]:
    befores, afters = {it.child: it for it in old}, {it.child: it for it in new}
    for child in befores.keys() & afters.keys():
        before, after = befores.pop(child), afters.pop(child)
        if before != after:
            yield before, after, None
    yield from in_pairs([*befores.values()], [*afters.values()], node)


def in_pairs(left: list[Edge], right: list[Edge], node: NodeOf) -> Iterator[EdgeChange]:
    """Edges to different specs, each with the one in its place; see :func:`changes`."""
    found, left, right = _only_ones(left, right, node)
    yield from found
    for likeness in _LIKENESSES:
        found, left, right = _matched(left, right, partial(likeness, node))
        yield from found
    yield from _replaced(left, right)


def _only_ones(
    left: list[Edge], right: list[Edge], node: NodeOf
) -> tuple[list[EdgeChange], list[Edge], list[Edge]]:
    """The pairs of packages to which each side has one edge, and the rest."""
    olds, news = _by_names(left, node), _by_names(right, node)
    found: list[EdgeChange] = [
        (edge, partner, None) for name, edge in olds.items() if edge and (partner := news.get(name))
    ]
    if len(found) == len(left) == len(right):  # as nearly always
        return found, [], []
    taken = {side.child for it in found for side in it[:2] if side}
    left, right = ([it for it in side if it.child not in taken] for side in (left, right))
    return found, left, right


def _by_names(edges: Iterable[Edge], node: NodeOf) -> dict[str, Edge | None]:
    """The edge to each package; None for those to which there are several."""
    found: dict[str, Edge | None] = {}
    for edge in edges:
        there = node(edge[0])
        name = there.name if there else "?"
        found[name] = None if name in found else edge
    return found


def _matched(
    left: list[Edge], right: list[Edge], key: Callable[[Edge], Hashable]
) -> tuple[list[EdgeChange], list[Edge], list[Edge]]:
    """The edges of equal keys as pairs, and what is left over of both sides."""
    if not left or not right:
        return [], left, right
    waiting: dict[Hashable, deque[Edge]] = defaultdict(deque)
    for edge in right:
        waiting[key(edge)].append(edge)
    found: list[EdgeChange] = []
    rest, taken = [], set()
    for edge in left:
        partners = waiting.get(key(edge))
        if partners:
            partner = partners.popleft()
            taken.add(partner.child)
            found.append((edge, partner, None))
        else:
            rest.append(edge)
    return found, rest, [it for it in right if it.child not in taken]


def _replaced(left: list[Edge], right: list[Edge]) -> Iterator[EdgeChange]:
    """Edges to packages that only one side has: replaced if they provide the same virtual."""
    providers: dict[str, deque[Edge]] = defaultdict(deque)
    for edge in right:
        for virtual in edge.virtuals.split():
            providers[virtual].append(edge)
    taken: set[int] = set()
    for edge in left:
        for virtual in edge.virtuals.split():
            waiting = providers.get(virtual)
            while waiting and waiting[0].child in taken:
                waiting.popleft()
            if waiting:
                taken.add(waiting[0].child)
                yield edge, waiting[0], virtual
                break
        else:
            yield edge, None, None
    yield from ((None, it, None) for it in right if it.child not in taken)


def cause_of(change: EdgeChange, node: NodeOf) -> Cause:
    """What a change of edges is, if it does not lead to two builds of one identity."""
    old, new, virtual = change
    before = node(old.child) if old else None
    after = node(new.child) if new else None
    if old is None or new is None:
        there = before or after
        name, version = (there.name, there.version) if there else ("?", None)
        if old is None:
            return Cause("added", name, None, version)
        return Cause("removed", name, version, None)
    if virtual:
        titles = [it.title if it else "?" for it in (before, after)]
        return Cause("replaced", virtual, *titles)
    if before is None or after is None:
        return Cause("unknown", after.name if after else "?", None, None)
    if old.child == new.child:
        return Cause("edge", after.name, old.purpose, new.purpose)
    return next(differences(before, after))


def _name(node: NodeOf, edge: Edge) -> str:
    found = node(edge.child)
    return found.name if found else "?"


def _identity(node: NodeOf, edge: Edge) -> Hashable:
    found = node(edge.child)
    return found.identity if found else edge.child


def _version(node: NodeOf, edge: Edge) -> Hashable:
    found = node(edge.child)
    return (found.name, found.version) if found else edge.child


def _identity_and_purpose(node: NodeOf, edge: Edge) -> Hashable:
    return _identity(node, edge), edge.deptypes, edge.virtuals


def _version_and_purpose(node: NodeOf, edge: Edge) -> Hashable:
    return _version(node, edge), edge.deptypes, edge.virtuals


def _name_and_purpose(node: NodeOf, edge: Edge) -> Hashable:
    return _name(node, edge), edge.deptypes, edge.virtuals


_LIKENESSES = (
    _identity_and_purpose,
    _identity,
    _version_and_purpose,
    _name_and_purpose,
    _version,
    _name,
)
"""What two edges to one package can have in common, from the most to the least."""
