"""What each constraint of a query means, and how many binaries it leaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace

from etl.query.find import Finder, Scope
from etl.spack.tree import Edge, SpecQuery, VariantConstraint

MAX_COUNTED = 10_000
"""More binaries than this are not counted."""


def explain(db: sqlite3.Connection, query: SpecQuery, scope: Scope) -> str:
    """A line for each constraint: as it is written, what it means, and what it leaves.

    Each line holds together with all before it.
    """
    finder = Finder(db)
    rows = []
    for text, meaning, so_far in _steps(query):
        left = len(finder.rows(finder.binaries([so_far], scope, MAX_COUNTED)))
        number = f"{left:,}" + ("+" if left == MAX_COUNTED else "")
        rows.append((text, number, meaning))
    where = [f"in {scope.tag or 'all tags'}"]
    where += [f"in the stack {scope.stack}"] if scope.stack else []
    where += [f"that run on {scope.runs_on}"] if scope.runs_on else []
    where += [f"for {scope.os}"] if scope.os else []
    width = max(len(text) for text, *_ in rows)
    lines = [f"{text.ljust(width)}  {number:>8}  {meaning}" for text, number, meaning in rows]
    return "\n".join([f"binaries {', '.join(where)}:", *lines])


def _steps(query: SpecQuery) -> Iterator[tuple[str, str, SpecQuery]]:
    """Each constraint with its meaning, and the query up to it."""
    root, source = query.root, query.source
    node = replace(
        root, namespace=None, version=None, variants=(), flags=(), platform=None, os=None,
        target=None, hash=None, direct=(),
    )  # fmt: skip
    so_far = replace(query, root=node, dependencies=())
    name = root.name.text if root.name else "*"
    yield name, "any package" if name == "*" else "the package", so_far
    for field, meaning in (
        ("namespace", "from this repository of recipes, where it is known"),
        ("hash", "with a hash that begins so"),
        ("version", "with such a version"),
        ("platform", "for this platform"),
        ("os", "for this operating system"),
        ("target", "built for such a target"),
    ):
        part = getattr(root, field)
        if part is not None:
            node = replace(node, **{field: part})
            so_far = replace(so_far, root=node)
            yield source[slice(*part.span)].strip(), meaning, so_far
    for variant in root.variants:
        node = replace(node, variants=(*node.variants, variant))
        so_far = replace(so_far, root=node)
        yield source[slice(*variant.span)].strip(), _variant(variant), so_far
    for flag in root.flags:
        node = replace(node, flags=(*node.flags, flag))
        so_far = replace(so_far, root=node)
        yield source[slice(*flag.span)].strip(), "built with these compiler flags", so_far
    for edge in root.direct:
        node = replace(node, direct=(*node.direct, edge))
        so_far = replace(so_far, root=node)
        yield source[slice(*edge.span)].strip(), _edge(edge), so_far
    for edge in query.dependencies:
        so_far = replace(so_far, dependencies=(*so_far.dependencies, edge))
        yield source[slice(*edge.span)].strip(), _edge(edge), so_far


def _variant(variant: VariantConstraint) -> str:
    everywhere = ", here and in all dependencies that have it" if variant.propagated else ""
    if not variant.values:
        return f"which has the variant {variant.name}{everywhere}"
    values = " and ".join(variant.values)
    exactly = "exactly " if ":=" in variant.operator else ""
    return f"with {variant.name} {exactly}{values}{everywhere}"


def _edge(edge: Edge) -> str:
    how = "which directly needs" if edge.direct else "which needs, here or below,"
    virtuals = f" for {' or '.join(edge.virtuals)}" if edge.virtuals else ""
    return f"{how} such a {edge.node.name.text if edge.node.name else 'package'}{virtuals}"
