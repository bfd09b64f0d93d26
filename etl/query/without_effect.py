"""What a query says that Spack does not look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from etl.spack.tree import SpecQuery


def without_effect(queries: Iterable[SpecQuery]) -> Iterator[str]:
    """For each ``^[deptypes=…]`` that it changes nothing, and what asks for dependencies of a kind.

    As in Spack 1.1 (``Spec._satisfies`` in ``lib/spack/spack/spec.py``), which compares the kinds
    of direct edges alone.
    """
    for query in queries:
        for edge in query.dependencies:
            if edge.deptypes and not edge.direct:
                name = edge.node.name.text if edge.node.name else "*"
                kinds = ",".join(edge.deptypes)
                yield (
                    f"deptypes={kinds} has no effect on ^{name}, as in Spack: ^ matches link and"
                    " run dependencies at any depth, and direct build dependencies;"
                    f" %[deptypes={kinds}] {name} matches direct dependencies of that type"
                )
