"""Nothing found?  Which single constraint is in the way, and what there is instead."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from etl.catalog.asking import near_names
from etl.query.find import Scope
from etl.query.tally import tally
from etl.spack.compilers import NO_COMPILER
from etl.spack.tokens import Span
from etl.spack.tree import Node, SpecQuery
from etl.spack.variants import parse_variant

MAX_INSTEAD = 5
"""Values that are named instead of one that leads nowhere."""

PATIENCE = 0.3
"""Seconds in which near misses are looked for, all in all."""

_OPTIONS = {
    "stack": "stacks",
    "os": "os",
    "runs_on": "target",
    "cache": "cache",
    "not_in": "cache",
    "tag": "tag",
}
"""The parts of a scope, and the column in which a binary tells its own."""

_DESCRIBED = """
    SELECT ifnull(sum(described), 0), ifnull(sum(binaries), 0) FROM tags
    WHERE ifnull(?1, name) = name
        AND (?2 IS NULL OR cache_id = (SELECT id FROM caches WHERE name = ?2))
"""

_LAST_GONE = """
    SELECT gone_binaries.gone_since, tags.name
    FROM packages
    CROSS JOIN gone_binaries ON gone_binaries.package_id = packages.id
    CROSS JOIN tags ON tags.id = gone_binaries.tag_id
    WHERE packages.name = ? AND packages.binaries = 0
    ORDER BY gone_binaries.gone_since DESC, tags.position DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class _Values:
    """What binaries have in the place of a constraint: values of a column, or of one variant."""

    column: str
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class NearMiss:
    """One constraint that, when dropped, leads somewhere.

    ``constraint`` is it as written, and ``span`` its place in the query (None for an option).
    ``without`` is how many binaries there are without it; ``instead`` what these have in its place
    and how many have it, most frequent first.
    """

    constraint: str
    span: Span | None
    without: int
    instead: tuple[tuple[str, int], ...] = ()
    specs: bool = False
    """Whether specs are counted, as in all tags together."""

    def __str__(self) -> str:
        noun = _specs if self.specs else _binaries
        sentence = f"without {self.constraint}: {self.without:,} {noun(self.without)}"
        if not self.instead:
            return sentence
        return f"{sentence}; available: " + ", ".join(
            f"{'no compiler' if value == NO_COMPILER else value} ({count:,})"
            for value, count in self.instead
        )


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A name that the catalog does not have, and the nearest that it has."""

    what: str
    name: str
    span: Span
    near: tuple[str, ...]

    def __str__(self) -> str:
        hint = f"; did you mean {' or '.join(self.near)}?" if self.near else ""
        return f"no {self.what} {self.name} in this catalog{hint}"


@dataclass(frozen=True, slots=True)
class AllGone:
    """A package of which no build cache has anything any more."""

    package: str
    since: str
    last_in: str

    def __str__(self) -> str:
        return f"all of {self.package} is gone since {self.since}, last in {self.last_in}"


@dataclass(frozen=True, slots=True)
class Unknown:
    """Binaries of which the catalog does not know what a query asks about."""

    binaries: int
    of: int

    def __str__(self) -> str:
        return (
            f"the dependencies of {self.binaries:,} of the {self.of:,} binaries there are unknown:"
            " they were read from pages, which do not list them"
        )


Reason = Suggestion | AllGone | NearMiss | Unknown
"""Why nothing was found."""


def near_misses(db: sqlite3.Connection, query: SpecQuery, scope: Scope) -> tuple[Reason, ...]:
    """Why nothing satisfies a query in a scope: names that are gone or unknown, else near misses.

    It takes about ``PATIENCE`` at most; what was not found by then is left out.
    """
    if gone := _all_gone(db, query):
        return (gone,)
    suggestions = tuple(_suggestions(db, query))
    if any(suggestion.what == "package" for suggestion in suggestions):
        return suggestions
    deadline = time.monotonic() + PATIENCE
    misses: list[Reason] = [*suggestions, *_unknown(db, query, scope)]
    found_one = False
    # The versions there are those of its providers, not of the virtual package.
    is_virtual = query.root.name is not None and _is_virtual(db, query.root.name.text)
    db.set_progress_handler(lambda: time.monotonic() > deadline, 1_000)
    try:
        for constraint, span, without, where, values in _relaxed(query, scope):
            if found_one and span is None and where is scope:
                break  # a single constraint was enough
            told = None if is_virtual and where is scope else values
            miss = _try(db, constraint, span, without, where, told)
            if miss:
                misses.append(miss)
                found_one = True
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
    finally:
        db.set_progress_handler(None, 0)
    return tuple(misses)


def _try(
    db: sqlite3.Connection,
    constraint: str,
    span: Span | None,
    query: SpecQuery,
    scope: Scope,
    values: _Values | None,
) -> NearMiss | None:
    """What there is without a constraint; None if there is nothing."""
    found = tally(db, [query], scope, (values.column,) if values else ())
    if not found.total:
        return None
    counts = found.values.get(values.column, []) if values else []
    instead = tuple(
        it
        for it in counts
        if not (values and values.variant) or parse_variant(it[0]).name == values.variant
    )[:MAX_INSTEAD]
    return NearMiss(constraint, span, found.total, instead, scope.tag is None)


def _relaxed(
    query: SpecQuery, scope: Scope
) -> Iterator[tuple[str, Span | None, SpecQuery, Scope, _Values | None]]:
    """The query without each of its constraints, and how to read a binary for what it has there."""
    root = query.root
    parts: list[tuple[Span, SpecQuery, _Values | None]] = []
    for name, column in (
        ("version", "version"),
        ("os", "os"),
        ("platform", "platform"),
        ("target", "target"),
        ("namespace", None),
        ("hash", None),
    ):
        part = getattr(root, name)
        if part is not None and (name != "hash" or root.name):
            nothing: Any = {name: None}
            without = replace(query, root=replace(root, **nothing))
            values = _Values(column) if column else None
            parts.append((part.span, without, values))
    for variant in root.variants:
        others = tuple(other for other in root.variants if other is not variant)
        without = replace(query, root=replace(root, variants=others))
        parts.append((variant.span, without, _Values("variants", variant.name)))
    for flag in root.flags:
        flags = tuple(other for other in root.flags if other is not flag)
        parts.append((flag.span, replace(query, root=replace(root, flags=flags)), None))
    for edge in root.direct:
        edges = tuple(other for other in root.direct if other is not edge)
        without = replace(query, root=replace(root, direct=edges))
        parts.append((edge.span, without, _Values("compiler")))
    for edge in query.dependencies:
        below = tuple(other for other in query.dependencies if other is not edge)
        parts.append((edge.span, replace(query, dependencies=below), None))
    for span, without, values in parts:
        yield query.source[slice(*span)].strip(), span, without, scope, values
    for option, column in _OPTIONS.items():
        chosen = getattr(scope, option)
        if chosen is not None:
            label = f"os={chosen}" if option == "os" else f"--{option.replace('_', '-')} {chosen}"
            yield label, None, query, replace(scope, **{option: None}), _Values(column)
    if len(parts) > 1 and root.name:
        bare = Node(root.name, *(None,) * 2, (), (), *(None,) * 4, (), root.span)
        alone = replace(query, root=bare, dependencies=())
        yield f"everything but {root.name.text}", None, alone, scope, None


def _unknown(db: sqlite3.Connection, query: SpecQuery, scope: Scope) -> Iterator[Unknown]:
    """How many binaries of the scope could not be asked about their dependencies."""
    root = query.root
    if query.dependencies or root.direct or root.flags:
        described, binaries = db.execute(_DESCRIBED, (scope.tag, scope.cache)).fetchone()
        if described < binaries:
            yield Unknown(binaries - described, binaries)


def _is_virtual(db: sqlite3.Connection, name: str) -> bool:
    found = "SELECT 1 FROM provides WHERE virtual = ?"
    return db.execute(found, (name,)).fetchone() is not None


def _all_gone(db: sqlite3.Connection, query: SpecQuery) -> AllGone | None:
    """When the last of a package went, and from which tag; None where any of it is there."""
    name = query.root.name
    row = name and db.execute(_LAST_GONE, (name.text,)).fetchone()
    return AllGone(name.text, *row) if name and row else None


def _suggestions(db: sqlite3.Connection, query: SpecQuery) -> Iterator[Suggestion]:
    """The names of a query that the catalog does not have."""
    root = query.root
    if root.name:
        package = root.name.text
        there = "SELECT 1 FROM packages WHERE binaries > 0 AND name = ?"
        if not db.execute(there, (package,)).fetchone():
            if _is_virtual(db, package):
                return  # a virtual package can be anything else that is asked
            near = near_names(db, "packages", package, 3)
            yield Suggestion("package", package, root.name.span, near)
            return
        known = {
            name
            for (name,) in db.execute(
                """
                SELECT DISTINCT variants.name FROM variants
                JOIN variant_set_members ON variant_set_members.variant_id = variants.id
                WHERE variant_set_members.variant_set_id IN (
                    SELECT variant_set_id FROM specs
                    WHERE package_id = (SELECT id FROM packages WHERE name = ?)
                )
                """,
                (package,),
            )
        }
        for variant in root.variants:
            if variant.name not in known and not variant.propagated:
                near = tuple(get_close_matches(variant.name, sorted(known), n=3))
                yield Suggestion(f"variant of {package} called", variant.name, variant.span, near)
    for word, what, table in ((root.os, "operating system", "operating_systems"),):
        names = [name for (name,) in db.execute(f"SELECT name FROM {table}")]
        if word and word.text not in (*names, "*"):
            near = tuple(get_close_matches(word.text, names, n=3))
            yield Suggestion(what, word.text, word.span, near)
    if root.target and not root.target.everything:
        names = [name for (name,) in db.execute("SELECT name FROM targets")]
        ends = [end for low_high in root.target.ranges for end in low_high if end]
        for name in dict.fromkeys((*root.target.names, *ends)):
            if name not in names:
                near = tuple(get_close_matches(name, names, n=3))
                yield Suggestion("target", name, root.target.span, near)


def _binaries(number: int) -> str:
    return "binary" if number == 1 else "binaries"


def _specs(number: int) -> str:
    return "spec" if number == 1 else "specs"
