"""The graph upwards: from what is depended on to what depends on it, and what for."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from enum import IntEnum
from itertools import chain, islice

from etl.catalog.asking import rows_about

FEW = 4_000
"""Edges above what is asked for, in all tags, up to which they are looked up one by one."""


class Use(IntEnum):
    """What a spec is to another: it was only built with it, needs it to run, links to it, is it."""

    BUILD = 1
    RUN = 2
    LINK = 3
    ITSELF = 4


EDGE = f"""
    dependencies.child_id * 4 + CASE
        WHEN NOT dependencies.linked THEN {Use.BUILD:d}
        WHEN instr(dependencies.deptypes, 'link') THEN {Use.LINK:d} ELSE {Use.RUN:d} END
"""
"""The child of a dependency, and what its parent needs it for, as one number: to read them is most
of the work."""

_OVER = f"""
    SELECT {EDGE}, dependencies.parent_id
    FROM json_each(?) CROSS JOIN dependencies ON dependencies.child_id = value
"""


class Graph:
    """Some of the edges of a catalog, each from the spec that is needed to the one that needs it.

    ``parents`` are the specs over each :data:`EDGE`.
    """

    def __init__(self, parents: Mapping[int, Iterable[int]]) -> None:
        self._parents = parents

    def uses(self, specs: Iterable[int]) -> dict[int, int]:
        """What some specs are to each that is above them: the closest :class:`Use` of all ways.

        A way is what the least of its edges is: what runs with something that links to a spec
        needs that to run.
        """
        uses = dict.fromkeys(specs, int(Use.ITSELF))
        # Use by use, the closest first: so that each is gone up once, and in large steps.
        for use in range(Use.LINK, 0, -1):
            edges = [spec * 4 + use for spec in uses]
            while edges:
                above = chain.from_iterable(filter(None, map(self._parents.get, edges)))
                fresh = set(above) - uses.keys()
                uses.update(dict.fromkeys(fresh, use))
                edges = [spec * 4 + it for spec in fresh for it in range(use, Use.ITSELF)]
        return uses


def graph_over(db: sqlite3.Connection, specs: Collection[int], most: int = FEW) -> Graph | None:
    """The graph of all that is above some specs, in whatever tags; None where it is large.

    It is looked up level by level. Of what many need most is in other tags than the one that is
    asked about: see :mod:`etl.compare.tag_graph`.
    """
    parents: dict[int, list[int]] = defaultdict(list)
    seen, level = set(specs), list(specs)
    while level:
        edges = list(islice(rows_about(db, _OVER, level), most + 1))
        most -= len(edges)
        if most < 0:
            return None
        add_edges(parents, edges)
        level = [*({parent for _, parent in edges} - seen)]
        seen.update(level)
    return Graph(parents)


def add_edges(parents: dict[int, list[int]], edges: Iterable[tuple[int, int]]) -> None:
    """Add edges, each with the parent, to those that make a graph."""
    for edge, parent in edges:
        parents[edge].append(parent)
