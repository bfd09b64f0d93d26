"""Which binaries can be installed from one build cache alone: ``binaries.complete``.

A binary is complete in a mirror where all that it links to and runs with is there, too, however far
below.  What is external is part of a system, and looked for in no mirror.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable

_PLACES = "SELECT id, spec_id, tag_id, stack_set_id FROM binaries"
_MEMBERS = "SELECT stack_set_id, stack_id FROM stack_set_members"
_ALL = -1
"""Every mirror there is, as bits."""

_COMPLETE = """
    UPDATE binaries SET complete = 1
    WHERE spec_id IN (SELECT id FROM specs WHERE format IS NOT NULL)
"""
_INCOMPLETE = "UPDATE binaries SET complete = 0 WHERE id = ? AND complete"


class Mirrors:
    """The mirrors, each a tag and a stack, that have all below a spec: one bit for each of them."""

    def __init__(self, db: sqlite3.Connection, externals: Collection[int]) -> None:
        self._stacks: dict[int, list[int]] = {}
        for stack_set, stack in db.execute(_MEMBERS):
            self._stacks.setdefault(stack_set, []).append(stack)
        self._bits: dict[tuple[int, int], int] = {}
        self._numbers: dict[tuple[int, int], int] = {}
        self._kept: dict[int, int] = {}
        self._places: dict[int, int] = {}
        places, kept, bits_of = self._places, self._kept, self._bits
        for _, spec, tag, stack_set in db.execute(_PLACES):
            place = tag, stack_set
            bits = bits_of[place] if place in bits_of else self._bits_of(tag, stack_set)
            if spec in places:
                bits |= places[spec]
            places[spec] = kept.setdefault(bits, bits)
        self._complete: dict[int, int] = {}
        self._externals = externals
        self._with_all = {**self._places, **dict.fromkeys(externals, _ALL)}

    def add(self, spec: int, below: Iterable[int]) -> None:
        """Note what a spec links to and runs with; these have been added before it."""
        here = bits = self._places.get(spec, 0)
        for child in below:
            bits &= self._with_all.get(child, 0)
        if bits != here:
            self._complete[spec] = self._kept.setdefault(bits, bits)
            if spec not in self._externals:
                self._with_all[spec] = self._complete[spec]

    def mark_complete(self, db: sqlite3.Connection) -> None:
        """Say of each binary whose dependencies are known whether a mirror that has it has all."""
        db.execute(_COMPLETE)
        if not self._complete:
            return
        missing = [
            (id_,)
            for id_, spec, tag, stack_set in db.execute(_PLACES)
            if spec in self._complete and not self._complete[spec] & self._bits_of(tag, stack_set)
        ]
        db.executemany(_INCOMPLETE, missing)

    def _bits_of(self, tag: int, stack_set: int) -> int:
        key = tag, stack_set
        if key not in self._bits:
            bits = 0
            for stack in self._stacks.get(stack_set, ()):
                bits |= 1 << self._numbers.setdefault((tag, stack), len(self._numbers))
            self._bits[key] = bits
        return self._bits[key]
