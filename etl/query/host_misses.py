"""Nothing that a host can take?  What is in the way, and which tags, stacks or builds would do."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from etl.query.find import Finder, Scope
from etl.query.near_misses import NearMiss, near_misses
from etl.query.reuse import Reuse
from etl.spack.tree import SpecQuery
from etl.text import counted

MOST_LOOKED_AT = 2_000
"""Binaries that are asked for their reasons; of more, the first."""

_REASONS = 5
_HASH, _TAG = 3, 0


@dataclass(frozen=True, slots=True)
class HostMisses:
    """Binaries of which a host can take none: why, and what it could take in their place.

    ``reasons`` have how many of the first ``looked_at`` of ``total`` binaries each keeps from it,
    the most first.  ``instead`` has of each query what the host could take without one of its
    constraints, or without the tag or the stack that was asked for.
    """

    host: str
    tag: str | None
    total: int
    looked_at: int
    reasons: tuple[tuple[str, int], ...]
    instead: tuple[tuple[SpecQuery, tuple[NearMiss, ...]], ...]

    @property
    def title(self) -> str:
        """What is so, in a sentence."""
        where = f"in {self.tag}" if self.tag else "in any tag"
        of = counted(self.total, "binary", "binaries")
        return f"{self.host} can take none of the {of} {where}"

    @property
    def why(self) -> tuple[str, ...]:
        """The reasons with their numbers."""
        lines = [f"{number:,}: {why}" for why, number in self.reasons[:_REASONS]]
        left = sum(number for _, number in self.reasons[_REASONS:])
        if left:
            lines.append(f"{left:,}: other reasons")
        if self.total > self.looked_at:
            lines.append(f"(of the first {self.looked_at:,})")
        return tuple(lines)

    def lines(self) -> Iterator[str]:
        """All of it, a line each."""
        yield f"{self.title}:"
        yield from (f"  {line}" for line in self.why)
        misses = [str(miss) for _, found in self.instead for miss in found]
        if misses:
            yield "it could take:"
            yield from (f"  {miss}" for miss in misses)


def host_misses(
    db: sqlite3.Connection,
    queries: Sequence[SpecQuery],
    scope: Scope,
    reuse: Reuse,
    *,
    any_tag: bool,
) -> HostMisses | None:
    """What keeps a host from the binaries of a scope, of which it can take none.

    With ``any_tag`` no tag was asked for, and the newest that has binaries stands for all.  None
    where there are no binaries at all.
    """
    finder = Finder(db)
    without = replace(scope, taken=None)
    if any_tag:
        newest = scope.tag or finder.newest_tag(queries, without)
        scope, without = replace(scope, tag=None), replace(without, tag=newest)
    total = finder.count(queries, without)
    if not total:
        return None
    rows = finder.rows(finder.binaries(queries, without, MOST_LOOKED_AT))
    reasons: Counter[str] = Counter()
    for row in rows:
        verdict = reuse.verdict(str(row[_HASH]), str(row[_TAG]))
        if verdict and verdict.why:
            reasons[verdict.why] += 1
    taken = replace(scope, taken=reuse.condition())
    instead = []
    for query in queries:
        near = near_misses(db, query, taken)
        instead.append((query, tuple(it for it in near if isinstance(it, NearMiss))))
    return HostMisses(
        str(reuse.host),
        without.tag,
        total,
        len(rows),
        tuple(sorted(reasons.items(), key=lambda it: (-it[1], it[0]))),
        tuple(instead),
    )
