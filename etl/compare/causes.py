"""Why a spec was built again: the deepest differences between two builds of the same spec.

Two specs are one identity when they agree in all that Spack decides about them but their hash:
name, namespace, version, variants, flags, platform, system, target, compilers and external.  Where
two builds of one identity have different hashes, the causes are found by walking down through
dependencies that were only built again as well; a dependency of another identity ends the walk, and
is the cause.  It knows no tables: nodes come from whoever has them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "recipe",
    "version",
    "variants",
    "compiler",
    "arch",
    "external",
    "namespace",
    "added",
    "removed",
    "replaced",
    "edge",
    "unknown",
]
"""What a cause is of: see :class:`Cause`."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A dependency: the key of its node, and what it is for."""

    child: int
    deptypes: str
    virtuals: str


@dataclass(frozen=True, slots=True)
class Node:
    """A concrete spec as far as two builds of it can differ.

    ``variants`` are texts as Spack prints them, flags among them; ``compilers`` are those that
    provide a language, as ``gcc@12.2.0``.  ``package_hash`` is that of the recipe; None where it
    is not told.
    """

    key: int
    hash: str
    name: str
    namespace: str | None
    version: str | None
    variants: tuple[str, ...]
    arch: str
    compilers: tuple[str, ...]
    external: str | None
    package_hash: str | None
    edges: tuple[Edge, ...] = ()

    @property
    def identity(self) -> Hashable:
        """All that Spack decides about it but its hash."""
        return (
            self.name,
            self.namespace,
            self.version,
            self.variants,
            self.arch,
            self.compilers,
            self.external,
        )

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name}@{self.version}" if self.version else self.name


@dataclass(frozen=True, slots=True)
class Cause:
    """What changed: a package, and what it was and is.

    * ``recipe``: the sums of its recipe; ``version``; ``variants``: those that differ;
      ``compiler``, ``arch``, ``external``, ``namespace``, each where all before it is the same;
    * ``added``, ``removed``: a dependency, by its version; ``replaced``: a virtual, and which
      package provided it and does; ``edge``: the same dependency for something else;
    * ``unknown``: nothing that is told differs but the hash.
    """

    kind: Kind
    package: str
    old: str | None
    new: str | None

    def to_json(self) -> list[str | None]:
        """The cause as JSON has it: kind, package, old, new."""
        return [self.kind, self.package, self.old, self.new]


class Causes:
    """Finds the causes of rebuilds; ``node`` gives a node by its key, None where it is not known.

    What was found of a pair is kept, since many share what is below them.
    """

    def __init__(self, node: Callable[[int], Node | None]) -> None:
        self._node = node
        self._known: dict[tuple[int, int], frozenset[Cause]] = {}

    def of(self, old: Node, new: Node) -> tuple[Cause, ...]:
        """The causes why ``new`` has another hash than ``old``, of the same identity."""
        found = self._walk(old, new)
        if not found:
            return (Cause("unknown", new.name, None, None),)
        return tuple(sorted(found, key=_order))

    def _walk(self, old: Node, new: Node) -> frozenset[Cause]:
        """All causes of a pair, those of the pairs below it first: a graph may be of any depth."""
        opened: dict[tuple[int, int], tuple[set[Cause], list[tuple[Node, Node]]]] = {}
        todo = [(old, new)]
        while todo:
            pair = before, after = todo[-1]
            key = before.key, after.key
            if key in self._known:
                todo.pop()
                continue
            if key not in opened:
                found = list(self._here(before, after))
                own = {it for it in found if isinstance(it, Cause)}
                opened[key] = own, [it for it in found if not isinstance(it, Cause)]
                todo += [it for it in opened[key][1] if (it[0].key, it[1].key) not in opened]
                if todo[-1] is not pair:
                    continue
            own, below = opened[key]
            for lower in below:  # what is open still closes a circle, which adds nothing
                found_below = self._known.get((lower[0].key, lower[1].key))
                own |= found_below or {Cause("unknown", lower[1].name, None, None)}
            self._known[key] = frozenset(own)
            todo.pop()
        return self._known[old.key, new.key]

    def _here(self, old: Node, new: Node) -> Iterator[Cause | tuple[Node, Node]]:
        """The causes in two nodes and their edges, and pairs of dependencies that were rebuilt."""
        if old.package_hash != new.package_hash:
            yield Cause("recipe", new.name, old.package_hash, new.package_hash)
        old_edges = {edge.child: edge for edge in old.edges}
        new_edges = {edge.child: edge for edge in new.edges}
        for child in old_edges.keys() & new_edges.keys():
            before, after = old_edges[child], new_edges[child]
            if (before.deptypes, before.virtuals) != (after.deptypes, after.virtuals):
                name = self._name(child)
                yield Cause("edge", name, _for_what(before), _for_what(after))
        gone = self._by_name(it for key, it in old_edges.items() if key not in new_edges)
        come = self._by_name(it for key, it in new_edges.items() if key not in old_edges)
        yield from self._pairs(gone, come)

    def _pairs(
        self, gone: dict[str, list[Edge]], come: dict[str, list[Edge]]
    ) -> Iterator[Cause | tuple[Node, Node]]:
        """What is below dependencies that one side has and the other has not, by their names."""
        left: list[Edge] = []
        right: list[Edge] = []
        for name in sorted(gone.keys() | come.keys()):
            olds, news = gone.get(name, []), come.get(name, [])
            while olds and news:
                before, after = self._alike(olds, news)
                olds.remove(before)
                news.remove(after)
                yield from self._changed(before, after)
            left += olds
            right += news
        yield from self._replaced(left, right)

    def _alike(self, olds: list[Edge], news: list[Edge]) -> tuple[Edge, Edge]:
        """The two edges to packages of one name that have most in common."""

        def score(before: Edge, after: Edge) -> tuple[bool, bool, bool]:
            old, new = self._node(before.child), self._node(after.child)
            return (
                bool(old and new and old.identity == new.identity),
                before.deptypes == after.deptypes and before.virtuals == after.virtuals,
                bool(old and new and old.version == new.version),
            )

        return max(
            ((before, after) for before in olds for after in news), key=lambda it: score(*it)
        )

    def _changed(self, before: Edge, after: Edge) -> Iterator[Cause | tuple[Node, Node]]:
        """A dependency in the place of another one of the same package."""
        old, new = self._node(before.child), self._node(after.child)
        if old is None or new is None:
            yield Cause("unknown", self._name(after.child), None, None)
        elif old.identity == new.identity:
            yield old, new
        else:
            yield difference(old, new)

    def _replaced(self, left: list[Edge], right: list[Edge]) -> Iterator[Cause]:
        """Dependencies that only one side has: replaced if they provide the same virtual."""
        for before in left:
            shared = [
                (after, virtual)
                for after in right
                for virtual in before.virtuals.split()
                if virtual in after.virtuals.split()
            ]
            if shared:
                after, virtual = shared[0]
                right = [it for it in right if it is not after]
                yield Cause(
                    "replaced", virtual, self._title(before.child), self._title(after.child)
                )
            else:
                yield Cause("removed", self._name(before.child), self._version(before.child), None)
        for after in right:
            yield Cause("added", self._name(after.child), None, self._version(after.child))

    def _by_name(self, edges: Iterable[Edge]) -> dict[str, list[Edge]]:
        found: dict[str, list[Edge]] = defaultdict(list)
        for edge in edges:
            found[self._name(edge.child)].append(edge)
        return found

    def _name(self, key: int) -> str:
        node = self._node(key)
        return node.name if node else "?"

    def _title(self, key: int) -> str:
        node = self._node(key)
        return node.title if node else "?"

    def _version(self, key: int) -> str | None:
        node = self._node(key)
        return node.version if node else None


def _order(cause: Cause) -> tuple[str, str, str, str]:
    return cause.kind, cause.package, cause.old or "", cause.new or ""


def difference(old: Node, new: Node) -> Cause:
    """What differs first between two identities of one package."""
    if old.version != new.version:
        return Cause("version", new.name, old.version, new.version)
    if old.variants != new.variants:
        return Cause(
            "variants",
            new.name,
            " ".join(it for it in old.variants if it not in new.variants),
            " ".join(it for it in new.variants if it not in old.variants),
        )
    if old.compilers != new.compilers:
        return Cause("compiler", new.name, " ".join(old.compilers), " ".join(new.compilers))
    if old.arch != new.arch:
        return Cause("arch", new.name, old.arch, new.arch)
    if old.external != new.external:
        return Cause("external", new.name, old.external, new.external)
    return Cause("namespace", new.name, old.namespace, new.namespace)


def _for_what(edge: Edge) -> str:
    return f"{edge.deptypes} {edge.virtuals}".strip()


def cause_in_words(cause: Cause) -> str:
    """A cause as a phrase: ``cmake 3.31.6 → 3.31.8``, ``the recipe of m4``."""
    if cause.kind == "recipe":
        return f"the recipe of {cause.package}"
    if cause.kind == "unknown":
        return f"{cause.package}, of which only the hash differs"
    if cause.kind == "added":
        return f"{cause.package} {cause.new or ''} as a new dependency".replace("  ", " ")
    if cause.kind == "removed":
        return f"{cause.package} {cause.old or ''}, no longer a dependency".replace(" ,", ",")
    kinds = {"version": "", "replaced": "provider of ", "edge": "what it is for of "}
    word = kinds.get(cause.kind, f"{cause.kind} of ")
    return f"{word}{cause.package} {cause.old or 'none'} → {cause.new or 'none'}"


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Two builds of one identity, and why the second has another hash."""

    old: Node
    new: Node
    causes: tuple[Cause, ...]


def rebuilds(
    old: Iterable[Node], new: Iterable[Node], both: Iterable[Node], causes: Causes
) -> tuple[list[Rebuild], int]:
    """The rebuilds, and how many identities are ambiguous.

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
            found.append(Rebuild(before[0], after[0], causes.of(before[0], after[0])))
        elif before and after:
            ambiguous += 1
    found.sort(key=lambda it: (it.new.name, it.new.version or "", it.old.hash))
    return found, ambiguous
