"""Which few changes to an environment would turn most of its misses into hits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from etl.cover.differences import Shared

_MOST_AT_ONCE = 3
"""Settings that one change may have at most: more is no small change."""

_SETTING = re.compile(r'[^ ]* "?(?:target=|@|%)?')
"""The part of an advice that says what is set: of two that set the same, only one can be."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a spec of the environment itself asks for, and must not any more for a change to do."""

    spec: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A few settings of an environment: how many misses become hits by them alone.

    ``mended`` are the differences that go by them, ``asked`` the specs of the environment that ask
    for something else.
    """

    advice: tuple[str, ...]
    mended: tuple[Shared, ...]
    gain: int
    asked: tuple[Asked, ...] = ()


def changes(
    found: Mapping[str, Sequence[int]], told: Sequence[Shared], asked: Mapping[str, str]
) -> tuple[Change, ...]:
    """What gains most first, the smaller of two.

    ``found`` are the differences of each miss, as places in ``told``; ``asked`` are the texts of
    those that are specs of the environment.
    """
    by_advice: dict[frozenset[str], list[str]] = {}
    for hash_, numbers in found.items():
        advice = frozenset(told[it].advice or "" for it in numbers)
        if advice and "" not in advice and len(advice) <= _MOST_AT_ONCE and _agree(advice):
            by_advice.setdefault(advice, []).append(hash_)
    small = []
    for advice in by_advice:
        mended = [hash_ for some in _subsets(advice) for hash_ in by_advice.get(some, ())]
        if any(_gain(some, by_advice) == len(mended) for some in _subsets(advice, whole=False)):
            continue  # something less does as much
        shared = {told[it] for hash_ in mended for it in found[hash_]}
        small.append(
            Change(
                tuple(sorted(advice)),
                tuple(sorted(shared, key=lambda it: it.what)),
                len(mended),
                tuple(_asked(mended, found, told, asked)),
            )
        )
    return tuple(sorted(small, key=lambda it: (-it.gain, len(it.advice), it.advice)))


def _gain(advice: frozenset[str], by_advice: Mapping[frozenset[str], Collection[str]]) -> int:
    return sum(len(by_advice.get(some, ())) for some in _subsets(advice))


def _agree(advice: Iterable[str]) -> bool:
    """Whether no two of them set the same."""
    settings = Counter(found[0] for it in advice if (found := _SETTING.match(it)))
    return all(number == 1 for number in settings.values())


def _asked(
    mended: Iterable[str],
    found: Mapping[str, Sequence[int]],
    told: Sequence[Shared],
    asked: Mapping[str, str],
) -> Iterator[Asked]:
    for hash_ in mended:
        text = asked.get(hash_, "")
        words = (word for it in found[hash_] for word in told[it].words if _is_in(word, text))
        if unwanted := tuple(dict.fromkeys(words)):
            yield Asked(text, unwanted)


def _is_in(word: str, text: str) -> bool:
    """Whether a spec says a word: ``x86_64`` is not in ``target=x86_64_v3``."""
    return re.search(rf"(?<![\w.]){re.escape(word)}(?![\w.])", text) is not None


def _subsets(advice: frozenset[str], *, whole: bool = True) -> Iterator[frozenset[str]]:
    for size in range(1, len(advice) + whole):
        yield from map(frozenset, combinations(sorted(advice), size))
