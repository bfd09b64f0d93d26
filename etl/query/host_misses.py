"""Nothing that a host can take?  What is in the way, and where there is something for it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from etl.query.find import Finder, Scope
from etl.query.reuse import Reuse
from etl.spack.tree import SpecQuery
from etl.text import counted

MOST_LOOKED_AT = 2_000
"""Binaries that are asked for their reasons; of more, the first."""

_REASONS = 5
_HASH, _TAG = 3, 0


def host_misses(
    db: sqlite3.Connection,
    queries: Sequence[SpecQuery],
    scope: Scope,
    reuse: Reuse,
    *,
    any_tag: bool,
) -> Iterator[str]:
    """Sentences on what keeps a host from the binaries that a query finds.

    With ``any_tag`` the newest tag was chosen for the user, and others have been looked at.
    """
    finder = Finder(db)
    without = replace(scope, taken=None)
    if without.tag is None and any_tag:
        without = replace(without, tag=finder.newest_tag(queries, without))
    total = finder.count(queries, without)
    if not total:
        return
    rows = finder.rows(finder.binaries(queries, without, MOST_LOOKED_AT))
    reasons: Counter[str] = Counter()
    for row in rows:
        verdict = reuse.verdict(str(row[_HASH]), str(row[_TAG]))
        reasons[(verdict and verdict.why) or "it could be taken"] += 1
    where = f"in {without.tag}" if without.tag else "in any tag"
    of = counted(total, "binary", "binaries")
    yield f"{reuse.host} can take none of the {of} {where}:"
    for why, number in sorted(reasons.items(), key=lambda it: (-it[1], it[0]))[:_REASONS]:
        yield f"  {number:,}: {why}"
    if len(reasons) > _REASONS:
        left = sum(reasons.values()) - sum(n for _, n in reasons.most_common(_REASONS))
        yield f"  {left:,}: other reasons"
    if total > len(rows):
        yield f"  (of the first {len(rows):,})"
    if not any_tag and scope.tag:
        elsewhere = finder.newest_tag(queries, replace(scope, tag=None))
        if elsewhere:
            there = finder.count(queries, replace(scope, tag=elsewhere))
            yield f"{elsewhere} has {counted(there, 'binary', 'binaries')} that it can take"
