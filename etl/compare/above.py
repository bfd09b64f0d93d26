"""The graph upwards: from what is depended on to what depends on it, and what for."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import IntEnum
from itertools import chain, islice
from typing import NamedTuple

from etl.catalog.asking import rows_about
from etl.compare.edge_text import edges_in_text
from etl.memory import no_garbage_collection

FEW = 4_000
"""Edges above what is asked for, in all tags, up to which they are looked up one by one."""


class Use(IntEnum):
    """What a spec is to another: it was only built with it, needs it to run, links to it, is it."""

    BUILD = 1
    RUN = 2
    LINK = 3
    ITSELF = 4


# The child, and what its parent needs it for, as one number: to read them is most of the work.
_EDGE = f"""
    dependencies.child_id * 4 + CASE
        WHEN NOT dependencies.linked THEN {Use.BUILD:d}
        WHEN instr(dependencies.deptypes, 'link') THEN {Use.LINK:d} ELSE {Use.RUN:d} END
"""
_OVER = f"""
    SELECT {_EDGE}, dependencies.parent_id
    FROM json_each(?) CROSS JOIN dependencies ON dependencies.child_id = value
"""
_BINARIES = f"""
    SELECT binaries.spec_id, binaries.id, binaries.package_id, binaries.stack_set_id, specs.size,
        {edges_in_text("binaries.spec_id", _EDGE)}
    FROM binaries CROSS JOIN specs ON specs.id = binaries.spec_id
    WHERE binaries.tag_id = (SELECT id FROM tags WHERE name = ?)
"""
_UNDER = f"""
    SELECT {_EDGE}, dependencies.parent_id
    FROM json_each(?) CROSS JOIN dependencies ON dependencies.parent_id = value
"""


class Graph:
    """Some of the edges of a catalog, each from the spec that is needed to the one that needs it.

    In little room, since that of a tag may be kept: a million edges take about 25 MB.
    """

    def __init__(self, parents: Mapping[int, Iterable[int]]) -> None:
        """``parents`` are the specs over each edge, as statements of this module give those."""
        self._parents = {edge: tuple(above) for edge, above in parents.items()}

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


class Binary(NamedTuple):
    """A binary as far as it is counted: the ids of what it is, and its size if that is known."""

    spec: int
    id: int
    package: int
    stack_set: int
    size: int | None


class TagGraph(NamedTuple):
    """The binaries of a tag by their specs, and the graph of them and of all below them."""

    binaries: Mapping[int, Binary]
    graph: Graph


GraphOf = Callable[[sqlite3.Connection, str], TagGraph]
"""Gives the graph of a tag: :func:`graph_of_tag`, or whoever keeps what that gave."""


@no_garbage_collection()
def graph_of_tag(db: sqlite3.Connection, tag: str) -> TagGraph:
    """Read the graph of a tag.

    What is between two binaries need not be in the tag.
    """
    rows = [*db.execute(_BINARIES, (tag,))]
    binaries = {row[0]: Binary._make(row[:-1]) for row in rows}
    texts = {row[0]: row[-1] for row in rows if row[-1]}
    lists = json.loads(f"[[{'],['.join(texts.values())}]]") if texts else ()
    parents: dict[int, list[int]] = defaultdict(list)
    for parent, edges in zip(texts, lists, strict=True):
        for edge in edges:
            parents[edge].append(parent)
    read = set(texts)
    below = ({edge >> 2 for edge in parents} | binaries.keys()) - read
    while below:
        read |= below
        more = [*rows_about(db, _UNDER, sorted(below))]
        _add(parents, more)
        below = {edge >> 2 for edge, _ in more} - read
    return TagGraph(binaries, Graph(parents))


def graph_over(db: sqlite3.Connection, specs: Collection[int], most: int = FEW) -> Graph | None:
    """The graph of all that is above some specs, in whatever tags; None where it is large.

    It is looked up level by level. Of what many need most is in other tags than the one that is
    asked about; then :func:`graph_of_tag` is quicker.
    """
    parents: dict[int, list[int]] = defaultdict(list)
    seen, level = set(specs), list(specs)
    while level:
        edges = list(islice(rows_about(db, _OVER, level), most + 1))
        most -= len(edges)
        if most < 0:
            return None
        _add(parents, edges)
        level = [*({parent for _, parent in edges} - seen)]
        seen.update(level)
    return Graph(parents)


def _add(parents: dict[int, list[int]], edges: Iterable[tuple[int, int]]) -> None:
    for edge, parent in edges:
        parents[edge].append(parent)
