"""The dependencies of a spec query, as Spack puts them together before it asks about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from etl.spack.tree import Edge, Node, SpecQuery


@dataclass(frozen=True, slots=True)
class Dependency:
    """One dependency that a spec must have; ``nodes`` are all that the query says of it.

    ``direct``, ``deptypes`` and ``virtuals`` are those of :class:`~etl.spack.tree.Edge`; ``name``
    is None for any package.  ``below`` are the dependencies that it must have itself.  It is asked
    only of specs that satisfy ``when``.
    """

    direct: bool
    name: str | None
    deptypes: tuple[str, ...]
    virtuals: tuple[str, ...]
    nodes: tuple[Node, ...]
    below: tuple[Dependency, ...] = ()
    when: SpecQuery | None = None


def dependencies_of(query: SpecQuery) -> tuple[Dependency, ...]:
    """What the root must depend on.

    Spack makes one dependency of all with the same name that are for the same, whatever sigil the
    later ones have.  It looks for the ``%`` of ``^gcc %gcc`` and of ``^* %gcc`` at the root.
    """
    return tuple(_joined(_at_root(query)))


def _at_root(query: SpecQuery) -> Iterator[Dependency]:
    yield from map(_dependency, query.root.direct)
    for edge in query.dependencies:
        dependency = _dependency(edge)
        above = [it for it in dependency.below if dependency.name in (None, it.name)]
        yield replace(dependency, below=tuple(it for it in dependency.below if it not in above))
        yield from above


def _dependency(edge: Edge) -> Dependency:
    name = edge.node.name.text if edge.node.name else None
    below = tuple(_joined(map(_dependency, edge.node.direct)))
    nodes = (edge.node,)
    return Dependency(edge.direct, name, edge.deptypes, edge.virtuals, nodes, below, edge.when)


def _joined(dependencies: Iterable[Dependency]) -> list[Dependency]:
    joined: list[Dependency] = []
    for new in dependencies:
        for place, old in enumerate(joined):
            if new.name and _purpose(new) == _purpose(old):
                joined[place] = replace(
                    old,
                    virtuals=tuple(dict.fromkeys(old.virtuals + new.virtuals)),
                    nodes=old.nodes + new.nodes,
                    below=tuple(_joined(old.below + new.below)),
                )
                break
        else:
            joined.append(new)
    return joined


def _purpose(dependency: Dependency) -> tuple[object, ...]:
    return dependency.name, dependency.deptypes, dependency.when


def only_names_a_compiler(node: Node) -> bool:
    """Whether a node is told from others by its name and version alone.

    That is all that is known of a compiler which is no node of the graph itself; Spack lets it
    pass where it asks for a propagated variant.
    """
    variants = any(not variant.propagated for variant in node.variants)
    return not (variants or node.flags or node.os or node.platform or node.target or node.hash)
