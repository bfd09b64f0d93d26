"""Numbers as a chart writes them: short, round, or in full.

They are counts, so none is below zero; and they are Python's integers, so any size will do.
"""

from __future__ import annotations

import math

_SUFFIXES = ("k", "M", "G", "T")

_MOST_IN_FULL = 10**15
"""From here on nobody reads the digits."""

_ROUND = (1, 2, 5)
"""What a round number begins with."""


def compact(number: int) -> str:
    """A number in at most four characters: ``999``, ``1.2k``, ``60k``, ``3.4M``.

    What has no suffix any more is a power of ten, ``1e18``.
    """
    if number < 1000:
        return str(number)
    for power, suffix in enumerate(_SUFFIXES, start=1):
        unit = 1000**power
        tenths = (number * 10 + unit // 2) // unit
        if tenths < 100:
            return f"{tenths / 10:g}{suffix}"
        whole = (number + unit // 2) // unit
        if whole < 1000:
            return f"{whole}{suffix}"
    return f"1e{math.floor(math.log10(number))}"


def in_full(number: int) -> str:
    """A number with all its digits, as long as people can read them: ``12,345``."""
    return f"{number:,}" if number < _MOST_IN_FULL else compact(number)


def counted(number: int, unit: str) -> str:
    """A number and what is counted; the unit is a plural: ``1 binary``, ``2 binaries``."""
    if number != 1:
        singular = unit
    elif unit.endswith("ies"):
        singular = f"{unit.removesuffix('ies')}y"
    else:
        singular = unit.removesuffix("s")
    return f"{in_full(number)} {singular}"


def percent(count: int, total: int) -> str:
    """How much of the total this is; empty if there is no total.

    Only all is ``100%`` and only none is ``0%``, however near it is.
    """
    if total <= 0:
        return ""
    if count <= 0:
        return "0%"
    rounded = (count * 200 + total) // (total * 2)
    if rounded < 1:
        return "<1%"
    if rounded == 100 and count < total:
        return ">99%"
    return f"{rounded}%" if rounded < 1000 else ">999%"


def ticks(largest: int, steps: int = 3) -> range:
    """Round numbers from zero to at least the largest, in at most so many steps."""
    power = 1
    while _ROUND[-1] * power * steps < largest:
        power *= 10
    step = next(first * power for first in _ROUND if first * power * steps >= largest)
    return range(0, max(-(-largest // step), 1) * step + 1, step)
