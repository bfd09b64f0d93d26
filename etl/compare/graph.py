"""Concrete specs and their edges, as far as two builds can differ in them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Literal, NamedTuple

Kind = Literal[
    "recipe",
    "patches",
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


class Edge(NamedTuple):
    """A dependency: the key of its node, and what it is for."""

    child: int
    deptypes: str
    virtuals: str

    @property
    def purpose(self) -> str:
        """What it is for: its types, then what it provides, as in ``build c cxx``."""
        return f"{self.deptypes} {self.virtuals}".strip()


class Node(NamedTuple):
    """A concrete spec as far as two builds of it can differ.

    A tuple, since of two large tags tens of thousands are made.

    ``variants`` are texts as Spack prints them, flags among them; ``compilers`` are those that
    provide a language, as ``gcc@12.2.0``.  ``package_hash`` is that of the recipe; None where it
    is not told.  ``external`` is where it comes from if Spack did not build it, and
    ``external_details`` what else is told of that.  ``patch_order`` is the order of its patches
    where it is not that by their sums.  ``is_told`` is whether any source tells its dependencies.
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
    patch_order: str | None = None
    is_told: bool = True
    external_details: str | None = None

    @property
    def identity(self) -> Hashable:
        """All that Spack decides about it but its hash."""
        return self[_DECIDED], self.external_details

    def is_like(self, other: Node) -> bool:
        """Whether both are of one identity."""
        return self[_DECIDED] == other[_DECIDED] and self.external_details == other.external_details

    def tells_builds(self) -> bool:
        """Whether a dependency is told that it was built with."""
        return any("build" in edge.deptypes for edge in self.edges)

    def without_builds(self) -> Node:
        """The same as a source has it that tells only what it links to and runs with."""
        edges = (
            edge._replace(deptypes=" ".join(left))
            for edge in self.edges
            if (left := [it for it in edge.deptypes.split() if it in ("link", "run")])
        )
        return self._replace(edges=tuple(edges))

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name}@{self.version}" if self.version else self.name


_DECIDED = slice(Node._fields.index("name"), Node._fields.index("external") + 1)


class Cause(NamedTuple):
    """What changed: a package, and what it was and is.

    * ``recipe``: the sums of its recipe; ``patches``: the same ones in another order;
    * ``version``; ``variants``: those that differ; ``compiler``, ``arch``, ``external``,
      ``namespace``, each where all before it is the same;
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
        return [*self]


def differences(old: Node, new: Node) -> Iterator[Cause]:
    """What differs in the identities of two specs of one package, what tells most first."""
    if old.version != new.version:
        yield Cause("version", new.name, old.version, new.version)
    if old.variants != new.variants:
        there, here = set(old.variants), set(new.variants)
        yield Cause(
            "variants",
            new.name,
            " ".join(it for it in old.variants if it not in here),
            " ".join(it for it in new.variants if it not in there),
        )
    if old.compilers != new.compilers:
        yield Cause("compiler", new.name, " ".join(old.compilers), " ".join(new.compilers))
    if old.arch != new.arch:
        yield Cause("arch", new.name, old.arch, new.arch)
    if old.external != new.external:
        yield Cause("external", new.name, old.external, new.external)
    elif old.external_details != new.external_details:
        yield Cause("external", new.name, old.external_details, new.external_details)
    if old.namespace != new.namespace:
        yield Cause("namespace", new.name, old.namespace, new.namespace)


def own_causes(old: Node, new: Node) -> tuple[Cause, ...]:
    """What changed in a node whose identity is the same, its edges aside."""
    found = []
    if old.package_hash != new.package_hash:
        found.append(Cause("recipe", new.name, old.package_hash, new.package_hash))
    if old.patch_order != new.patch_order:
        # Of one identity they are the same patches; without an order of its own it is by the sums.
        by_sums = " ".join(sorted((old.patch_order or new.patch_order or "").split()))
        before, after = old.patch_order or by_sums, new.patch_order or by_sums
        found.append(Cause("patches", new.name, before, after))
    return tuple(found)
