"""Nothing that a host can use?  What is in the way, and which tags, stacks or builds would do."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from etl.hosts.host import WORDS, Libc
from etl.query.find import Asks, Finder, Scope
from etl.query.near_misses import NearMiss, near_misses
from etl.query.reuse import Reuse, Verdict
from etl.spack.targets import ancestors
from etl.spack.tree import SpecQuery
from etl.spack.versions import sort_key

MOST_LOOKED_INTO = 500
"""Binaries of which the dependency that is in the way is looked for; of more, the first."""

_REASONS = 5
_HASH_OF_OTHER = re.compile(r"^(its [^/ :]+)/\w+")


@dataclass(frozen=True, slots=True)
class HostMisses:
    """Binaries of which a host can use none: why, and what it could use in their place.

    ``reasons`` have how many of the ``total`` binaries each keeps from it, the most first.
    ``facts`` are what of the host would have to be otherwise, and how many it could use then.
    ``instead`` has of each query what the host could use without one of its
    constraints, or without the tag or the stack that was asked for.  Where no tag was asked for,
    ``elsewhere`` is the newest other that has some that it could use; empty if none has.
    """

    host: str
    tag: str | None
    total: int
    reasons: tuple[tuple[str, int], ...]
    facts: tuple[tuple[str, int], ...]
    instead: tuple[tuple[SpecQuery, tuple[NearMiss, ...]], ...]
    elsewhere: str | None = None

    @property
    def title(self) -> str:
        """What is so, in a sentence."""
        where = f"in {self.tag}" if self.tag else "in any tag"
        if self.total == 1:
            return f"{self.host} cannot use the only match {where}"
        return f"{self.host} can use none of the {self.total:,} binaries {where}"

    @property
    def why(self) -> tuple[str, ...]:
        """The reasons with their numbers."""
        lines = [f"{number:,}: {why}" for why, number in self.reasons[:_REASONS]]
        left = sum(number for _, number in self.reasons[_REASONS:])
        if left:
            lines.append(f"{left:,}: other reasons")
        return tuple(lines)

    @property
    def otherwise(self) -> tuple[str, ...]:
        """What a host that differs in one fact could take of these."""
        return tuple(
            f"with {fact}, the host could use {'it' if self.total == 1 else f'{number:,} of these'}"
            for fact, number in self.facts
        )

    @property
    def in_other_tags(self) -> str | None:
        """What there is in the tags that were not asked for; None where one was."""
        if self.elsewhere is None:
            return None
        if not self.elsewhere:
            return "no other tag has a match that the host can use"
        return f"{self.elsewhere} has matches that the host can use"

    def lines(self) -> Iterator[str]:
        """All of it, a line each."""
        yield f"{self.title}:"
        yield from (f"  {line}" for line in self.why)
        yield from self.otherwise
        yield from filter(None, [self.in_other_tags])
        misses = [str(miss) for _, found in self.instead for miss in found]
        if misses:
            yield "it could use:"
            yield from (f"  {miss}" for miss in misses)


def host_misses(
    db: sqlite3.Connection,
    queries: Sequence[SpecQuery],
    scope: Scope,
    reuse: Reuse,
    *,
    any_tag: bool,
) -> HostMisses | None:
    """What keeps a host from the binaries of a scope, of which it can use none.

    With ``any_tag`` no tag was asked for, and the newest that has binaries stands for all.  None
    where there are no binaries at all.
    """
    finder = Finder(db)
    without = replace(scope, taken=None)
    # What was looked for with the host in mind is in no tag.
    known = "" if scope.taken else None
    if any_tag:
        newest = scope.tag or finder.newest_tag(queries, without)
        scope, without = replace(scope, tag=None), replace(without, tag=newest)
    asks, kept = finder.asked_of_hosts(
        queries, without, reuse.taken.kept_by_closure, MOST_LOOKED_INTO
    )
    if not asks:
        return None
    reasons = _counted(_reasons(asks, reuse.verdicts(finder.places(kept)), reuse))
    taken = replace(scope, taken=reuse.taken)
    elsewhere = _elsewhere(db, queries, taken, known) if any_tag else None
    instead = []
    for query in queries if not elsewhere else ():  # what was asked for is better than the like
        near = near_misses(db, query, taken)
        instead.append((query, tuple(it for it in near if isinstance(it, NearMiss))))
    return HostMisses(
        str(reuse.host),
        without.tag,
        sum(asks.values()),
        tuple(sorted(reasons.items(), key=lambda it: (-it[1], it[0]))),
        tuple(_facts(asks, reuse)),
        tuple(instead),
        elsewhere,
    )


def _reasons(
    asks: Mapping[Asks, int], looked_into: Sequence[Verdict | None], reuse: Reuse
) -> Counter[str]:
    """How many have each reason, as it follows from what they ask of a host.

    Which dependency is in the way is known of those that were looked into.
    """
    reasons: Counter[str] = Counter()
    for ask, number in asks.items():
        own = reuse.own_reason(ask.fault, ask.need_id)
        if own and own.why:
            reasons[own.why] += number
        elif not own and not reuse.takes(*ask):
            reasons[WORDS["closure"]] += number
    for verdict in looked_into:
        if verdict and verdict.why:
            reasons[WORDS["closure"]] -= 1
            reasons[verdict.why] += 1
    return +reasons


def _counted(reasons: Mapping[str, int]) -> Counter[str]:
    """How many have each reason; those of several builds of one dependency are one."""
    alike: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for why, number in reasons.items():
        alike[_HASH_OF_OTHER.sub(r"\1", why, count=1)][why] += number
    return Counter(
        {next(iter(it)) if len(it) == 1 else words: it.total() for words, it in alike.items()}
    )


def _elsewhere(
    db: sqlite3.Connection, queries: Sequence[SpecQuery], taken: Scope, known: str | None
) -> str | None:
    """The newest tag that has what a host can use, empty if there is none.

    None where there is one tag and so no other.
    """
    (tags,) = db.execute("SELECT count(*) FROM tags WHERE binaries > 0").fetchone()
    if tags < 2:
        return None
    return known if known is not None else Finder(db).newest_tag(queries, taken) or ""


def _facts(asks: Mapping[Asks, int], reuse: Reuse) -> Iterator[tuple[str, int]]:
    """The nearest newer libc, and the nearest CPU that can do more, with which it could use any.

    Where neither does alone, both together.
    """
    libcs = [(f"{it} or newer", it) for it in _newer_libcs(reuse)]
    targets = [(it, it) for it in _better_targets(reuse)]
    alone = (
        [(words, {"libc": libc}) for words, libc in libcs],
        [(words, {"target": target}) for words, target in targets],
    )
    both = [
        (f"{target} and {words}", {"target": target, "libc": libc})
        for (_, target), (words, libc) in product(targets, libcs)
    ]

    def first(others: Iterable[tuple[str, dict[str, Any]]]) -> tuple[str, int] | None:
        for words, facts in others:
            other = reuse.on(replace(reuse.host, **facts))
            if number := sum(number for it, number in asks.items() if other.takes(*it)):
                return words, number
        return None

    found = [fact for others in alone if (fact := first(others))]
    yield from found or filter(None, [first(both)])


def _newer_libcs(reuse: Reuse) -> list[Libc]:
    """The libcs that binaries need and that are newer than the host's, oldest first."""
    own = reuse.host.libc
    newer = [it for it in reuse.libcs if own and own != it and it.can_stand_for(own)]
    return sorted(newer, key=lambda it: sort_key(it.version))


def _better_targets(reuse: Reuse) -> list[str]:
    """The targets that binaries are built for and that do all that the host's does, least first."""
    better = [it for it in reuse.targets if reuse.host.target in ancestors(it)]
    return sorted(better, key=lambda it: (len(ancestors(it)), it))
