"""The graph of one tag upwards: from what is depended on to what depends on it."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from enum import IntEnum
from itertools import chain, islice

from etl.catalog.asking import AT_ONCE
from etl.workers import batched

FEW = 20_000
"""Edges above what is asked for, in all tags, up to which they are looked up one by one."""

# The parent, and what it needs the child for, as one number: reading is most of the work.
_EDGE = """
    dependencies.child_id, dependencies.parent_id * 4 + CASE WHEN NOT dependencies.linked THEN 0
        WHEN dependencies.deptypes LIKE '%link%' THEN 2 ELSE 1 END
"""
_OVER = f"""
    SELECT {_EDGE}
    FROM json_each(?) CROSS JOIN dependencies ON dependencies.child_id = value
"""
_OF_TAG = f"""
    SELECT {_EDGE}
    FROM binaries CROSS JOIN dependencies ON dependencies.parent_id = binaries.spec_id
    WHERE binaries.tag_id = (SELECT id FROM tags WHERE name = ?)
"""
_UNDER = f"""
    SELECT {_EDGE}
    FROM json_each(?) CROSS JOIN dependencies ON dependencies.parent_id = value
"""


class Use(IntEnum):
    """What a dependency is for: only to build, to run without being linked to, or to link."""

    BUILD = 0
    RUN = 1
    LINK = 2


class Above:
    """What depends on some specs, as far as it leads to binaries of a tag.

    Of what little is needed the parents are looked up, in whatever tag they are.  Where there are
    many, most of them are of other tags; then the graph of the tag is read instead, that is of its
    binaries and of all below them, since what is between two binaries need not be in the tag.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        tag: str,
        specs: Collection[int],
        present: Collection[int],
        few: int = FEW,
    ) -> None:
        """Read what is above ``specs``; ``present`` are the specs of the binaries of ``tag``."""
        self._parents: dict[int, list[int]] = defaultdict(list)
        if self._looked_up(db, specs, few):
            return
        self._parents.clear()
        self._add(db.execute(_OF_TAG, (tag,)))
        read = set(present)
        while below := self._parents.keys() - read:
            read |= below
            self._add(_rows(db, _UNDER, sorted(below)))

    def _looked_up(self, db: sqlite3.Connection, specs: Collection[int], most: int) -> bool:
        """Look up the parents of specs, level by level; whether that were all, or too many."""
        seen, level = set(specs), list(specs)
        while level:
            edges = list(islice(_rows(db, _OVER, level), most + 1))
            most -= len(edges)
            if most < 0:
                return False
            self._add(edges)
            level = [*({parent_and_use >> 2 for _, parent_and_use in edges} - seen)]
            seen.update(level)
        return True

    def _add(self, edges: Iterable[tuple[int, int]]) -> None:
        for child, parent_and_use in edges:
            self._parents[child].append(parent_and_use)

    def climb(self, specs: Iterable[int], least: Use) -> set[int]:
        """The specs, and all above them over edges for ``least`` or for more than that."""
        found = set(specs)
        waiting, lowest = list(found), int(least)  # to compare with members of an Enum is slow
        while waiting:
            for parent_and_use in self._parents.get(waiting.pop(), ()):
                if parent_and_use & 3 >= lowest:
                    parent = parent_and_use >> 2
                    if parent not in found:
                        found.add(parent)
                        waiting.append(parent)
        return found


def _rows(db: sqlite3.Connection, sql: str, specs: Iterable[int]) -> Iterator[tuple[int, int]]:
    """The edges of specs; asked in parts, since a site allows no value of any length."""
    parts = (db.execute(sql, (json.dumps(part),)) for part in batched(specs, AT_ONCE))
    return chain.from_iterable(parts)
