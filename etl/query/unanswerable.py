"""Queries that are well formed, but that a catalog cannot answer as Spack would."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from etl.query.dependencies import Dependency, dependencies_of, only_names_a_compiler
from etl.query.graph_conditions import Knowledge
from etl.spack.targets import known_targets
from etl.spack.tokens import Span, SpecSyntaxError
from etl.spack.tree import Edge, SpecQuery

_NAMED = 8


class UnanswerableError(SpecSyntaxError):
    """A query that is well formed, but that a catalog cannot answer as Spack would."""


def refuse_unanswerable(query: SpecQuery, knows: Knowledge) -> None:
    """Refuse a query about what the catalog does not know.

    Raises:
        UnanswerableError: it is one; the error points at the place and says why.
    """
    root = query.root.name
    if root and root.text in knows.virtuals:
        if knows.providers.of(root.text) is None:
            raise UnanswerableError(
                f"{root.text} is a virtual package: query {_providers(root.text, knows)}, or what"
                f" needs it (^{root.text}), or build the catalog with --recipes",
                query.source,
                root.span,
            )
        return
    if not knows.edges:
        for span, what in _needs_edges(query):
            raise UnanswerableError(
                f"{what} are not in this catalog, which was built from pages of cache.spack.io;"
                " build it from the build caches they were made from (https://binaries.spack.io)",
                query.source,
                span,
            )
    for edge in query.dependencies:
        for below in edge.node.direct:
            if below.when:
                raise UnanswerableError(
                    "when= is supported only for dependencies of the root",
                    query.source,
                    below.span,
                )
    for dependency in _all(dependencies_of(query)):
        for node in dependency.nodes:
            virtual = dependency.name
            if virtual is None or virtual not in knows.virtuals or not node.version:
                continue
            if not node.version.versions.everything and knows.providers.of(virtual) is None:
                raise UnanswerableError(
                    f"which version of {virtual} a package provides is in its recipe: query"
                    f" {_providers(virtual, knows)} and its version, or build the catalog with"
                    " --recipes",
                    query.source,
                    node.version.span,
                )


def unknown_range_targets(query: SpecQuery) -> Iterator[tuple[str | None, UnanswerableError]]:
    """The ends of the root's ranges of targets that archspec does not know.

    Each with the lower end that is compared before it, if there is one, and the error about it.
    """
    target = query.root.target
    if target is None:
        return
    for low, high in target.ranges:
        for before, name in ((None, low), (low, high)):
            if name and name not in known_targets():
                close = get_close_matches(name[:40], known_targets(), n=1)
                hint = f"; did you mean {close[0]}?" if close else ""
                message = f"a range needs targets that archspec knows, not {name[:40]!r}{hint}"
                yield before, UnanswerableError(message, query.source, target.span)


def _providers(virtual: str, knows: Knowledge) -> str:
    """What to ask for where recipes do not tell what provides a virtual package."""
    names = [*knows.providers.names(virtual)]
    first = ", ".join(names[:_NAMED]) + (" and others" if len(names) > _NAMED else "")
    return f"a provider ({first})" if first else "a provider"


def _all(dependencies: tuple[Dependency, ...]) -> Iterator[Dependency]:
    for dependency in dependencies:
        yield dependency
        yield from _all(dependency.below)


def _needs_edges(query: SpecQuery) -> Iterator[tuple[Span, str]]:
    """What of a query cannot be answered from pages: where it stands, and what it asks about."""
    for edge in query.dependencies:
        yield edge.span, "dependencies"
    root = query.root
    for edge in root.direct:
        if not _asks_for_compiler(edge):
            yield edge.span, "direct dependencies other than the compiler"
    for flag in root.flags:
        yield flag.span, "compiler flags"
    for variant in root.variants:
        if variant.propagated:
            yield variant.span, "the variants of dependencies"


def _asks_for_compiler(edge: Edge) -> bool:
    """Whether the compiler that a page names is all that a ``%`` asks for."""
    return not (edge.virtuals or edge.deptypes or edge.node.variants) and only_names_a_compiler(
        edge.node
    )
