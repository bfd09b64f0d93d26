"""What each constraint of a query means, and how many binaries it leaves."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from etl.query.find import Finder, Scope
from etl.spack.tree import Edge, SpecQuery, VariantConstraint

MAX_COUNTED = 10_000
"""Binaries are counted up to this number."""


@dataclass(frozen=True, slots=True)
class Step:
    """A constraint as it is written, what it means, and how many binaries are left with it.

    ``left`` counts what satisfies it together with all before it, up to :data:`MAX_COUNTED`; None
    where there was no time to count.
    """

    constraint: str
    left: int | None
    meaning: str

    @property
    def number(self) -> str:
        """``left`` for people."""
        if self.left is None:
            return "?"
        return f"{self.left:,}" + ("+" if self.left >= MAX_COUNTED else "")


def explained(
    db: sqlite3.Connection, query: SpecQuery, scope: Scope, seconds: float | None = None
) -> tuple[Step, ...]:
    """The constraints of a query in turn; after ``seconds`` no more is counted."""
    finder = Finder(db)
    end = None if seconds is None else time.monotonic() + seconds
    steps = []
    for text, meaning, so_far in _steps(query):
        late = end is not None and time.monotonic() > end
        left = None if late else finder.count([so_far], scope, MAX_COUNTED)
        steps.append(Step(text, left, meaning))
    return tuple(steps)


def explain(db: sqlite3.Connection, query: SpecQuery, scope: Scope) -> str:
    """A line for each constraint: as it is written, what it means, and what it leaves.

    Each line holds together with all before it.
    """
    steps = explained(db, query, scope)
    where = [f"binaries in {scope.tag}" if scope.tag else "specs in all tags"]
    where += [f"in the stack {scope.stack}"] if scope.stack else []
    where += [f"that run on {scope.runs_on}"] if scope.runs_on else []
    where += [f"for {scope.os}"] if scope.os else []
    where += [f"in the cache {scope.cache}"] if scope.cache else []
    where += [f"not in the cache {scope.not_in}"] if scope.not_in else []
    where += ["that the host can use"] if scope.taken else []
    width = max(len(it.constraint) for it in steps)
    lines = [f"{it.constraint.ljust(width)}  {it.number:>8}  {it.meaning}" for it in steps]
    return "\n".join([f"{', '.join(where)}:", *lines])


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
        ("hash", "with a hash that begins with this"),
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
        return f"with the variant {variant.name}{everywhere}"
    values = " and ".join(variant.values)
    exactly = "exactly " if ":=" in variant.operator else ""
    return f"with {variant.name} {exactly}{values}{everywhere}"


def _edge(edge: Edge) -> str:
    how = "that depends directly on" if edge.direct else "that depends, directly or not, on"
    virtuals = f" for {' or '.join(edge.virtuals)}" if edge.virtuals else ""
    return f"{how} such a {edge.node.name.text if edge.node.name else 'package'}{virtuals}"
