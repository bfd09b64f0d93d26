"""Where a search looks, and what that means for a row, as SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from etl.catalog.sql_text import Parameters
from etl.query.taken import Taken
from etl.spack.tree import Node, TargetConstraint, Word


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look: in one tag or in all, in one stack or in all, for one machine or for any.

    ``runs_on`` is a target: what this CPU can execute; ``os`` is an operating system, ``compiler``
    one with its version, ``version``, ``target`` and ``package`` exactly these, as binaries are
    listed with; ``also_in`` is a second stack; ``cache`` is a named one, ``not_in`` one that
    must not have the spec; ``taken`` is what a host can use
    (:attr:`etl.query.reuse.Reuse.taken`).
    """

    tag: str | None = None
    stack: str | None = None
    runs_on: str | None = None
    os: str | None = None
    compiler: str | None = None
    version: str | None = None
    target: str | None = None
    package: str | None = None
    also_in: str | None = None
    taken: Taken | None = None
    cache: str | None = None
    not_in: str | None = None


ANYWHERE = Node(
    name=None,
    namespace=None,
    version=None,
    variants=(),
    flags=(),
    platform=None,
    os=None,
    target=None,
    hash=None,
    direct=(),
    span=(0, 0),
)
"""A node of a query that says nothing."""


def machine_of(scope: Scope) -> Node:
    """What the scope says of a spec itself, as a node of a query."""
    nowhere = (0, 0)
    target = scope.runs_on
    return replace(
        ANYWHERE,
        os=Word(scope.os, nowhere) if scope.os else None,
        target=TargetConstraint(f":{target}", (), ((None, target),), nowhere) if target else None,
    )


def stacks_of(scope: Scope | None) -> list[str]:
    """The stacks in which a binary has to be, all of them."""
    return [it for it in (scope.stack, scope.also_in) if it] if scope else []


def sets_with(stack: str, add: Callable[[str, str], str]) -> str:
    """The sets of stacks that have one, as SQL."""
    return (
        "(SELECT stack_set_id FROM stack_set_members WHERE stack_id ="
        f" (SELECT id FROM stacks WHERE name = {add('stack', stack)}))"
    )


def tags_of(cache: str, add: Callable[[str, str], str]) -> str:
    """The tags of a cache, as SQL."""
    return (
        "(SELECT id FROM tags WHERE cache_id ="
        f" (SELECT id FROM caches WHERE name = {add('cache', cache)}))"
    )


def lacking(cache: str, add: Callable[[str, str], str]) -> str:
    """The condition on a row of ``specs`` that a cache does not have it, as SQL."""
    return (
        "NOT EXISTS (SELECT 1 FROM binaries AS elsewhere WHERE elsewhere.spec_id = specs.id"
        f" AND elsewhere.tag_id IN {tags_of(cache, add)})"
    )


def of_specs(scope: Scope, add: Callable[[str, str], str]) -> list[str]:
    """What is asked of a row of ``specs`` by the cache that must lack it and by the host."""
    tests = [lacking(scope.not_in, add)] if scope.not_in else []
    return [*tests, scope.taken.of_spec] if scope.taken else tests


def exactly(scope: Scope, table: str, parameters: Parameters) -> Iterator[str]:
    """The conditions that binaries are listed with exactly what the scope says."""
    for kind, name in (
        ("package", scope.package),
        ("compiler", scope.compiler),
        ("target", scope.target),
    ):
        if name:
            value = parameters.add(kind, name)
            yield f"{table}.{kind}_id = (SELECT id FROM {kind}s WHERE name = {value})"
    if scope.version:
        version = parameters.add("version", scope.version)
        yield f"{table}.version_id IN (SELECT id FROM versions WHERE version = {version})"
