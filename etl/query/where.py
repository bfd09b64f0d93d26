"""In which of several named caches there is what is looked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from etl.query.find import Finder
from etl.query.scope import Scope
from etl.spack.tree import SpecQuery

MOST_CACHES = 20
"""Caches that are looked into; a catalog rarely has more than three."""

MOST = 10_000
"""Specs that are counted in each; of more it is only said that they are more."""


@dataclass(frozen=True, slots=True)
class InCache:
    """A cache that has some of what is looked for: how many specs, and the newest tag with any.

    ``specs`` is at most :data:`MOST`.
    """

    cache: str
    specs: int
    newest_tag: str


def where(finder: Finder, queries: Sequence[SpecQuery], scope: Scope) -> tuple[InCache, ...]:
    """The named caches that have any of it, in whatever tag; the most first.

    A catalog of fewer than two named caches has nothing to tell apart.

    Raises:
        UnanswerableError: the catalog cannot answer a query as Spack would.
        UsageError: the scope names what is not there.
    """
    names = finder.caches(MOST_CACHES)
    if len(names) < 2:
        return ()
    found = []
    for name in names:
        within = replace(scope, tag=None, cache=name)
        specs = finder.count(queries, within, MOST)
        newest = finder.newest_tag(queries, within) if specs else None
        if newest is not None:
            found.append(InCache(name, specs, newest))
    return tuple(sorted(found, key=lambda it: (-it.specs, it.cache)))
