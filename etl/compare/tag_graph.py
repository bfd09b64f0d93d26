"""The graph of one tag: all of it, or without what does not matter to some specs."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from itertools import chain
from typing import Any, NamedTuple

from etl.catalog.asking import IN_ONE_VALUE, rows_about
from etl.compare.above import EDGE, Graph, Use, add_edges
from etl.compare.edge_text import edges_in_text
from etl.memory import no_garbage_collection

MANY = 1_000
"""Packages that may link to something or need it to run, up to which they are found out."""

ALL = -1

_PACKAGES = "SELECT DISTINCT package_id FROM specs WHERE id IN (SELECT value FROM json_each(?))"
# Whether a package needs another as a dependency that is linked or run is told of packages, too.
_ABOVE = """
    WITH RECURSIVE above (id) AS (
        SELECT value FROM json_each(?)
        UNION
        SELECT package_id FROM above
        CROSS JOIN package_dependencies ON dependency_id = above.id AND link >= ?
    )
    SELECT id FROM above LIMIT ?
"""
# By the plus, SQLite looks through the few edges of each spec, and not for each of the children.
_NEEDS_ONE = """
    EXISTS (
        SELECT 1 FROM dependencies WHERE parent_id = binaries.spec_id
            AND +child_id IN (SELECT value FROM json_each(?3)) AND {}
    )
"""
_COLUMNS = """
    binaries.spec_id, binaries.id, binaries.package_id, binaries.stack_set_id, specs.size
"""
_EDGES = edges_in_text("binaries.spec_id", EDGE)
_OF_PACKAGES = f"""
    SELECT {_COLUMNS}, CASE WHEN {{}} THEN {{:d}} ELSE {_EDGES} END
    FROM json_each(?1) CROSS JOIN binaries ON binaries.package_id = value
        AND binaries.tag_id = (SELECT id FROM tags WHERE name = ?2)
    CROSS JOIN specs ON specs.id = binaries.spec_id
"""
_WITH_LINK = _OF_PACKAGES.format(
    _NEEDS_ONE.format("linked = 1 AND instr(deptypes, 'link')"), Use.LINK
)
_WITH_ANY = _OF_PACKAGES.format(_NEEDS_ONE.format("1"), Use.BUILD)
_OF_TAG = f"""
    SELECT {_COLUMNS}, {_EDGES}
    FROM binaries CROSS JOIN specs ON specs.id = binaries.spec_id
    WHERE binaries.tag_id = (SELECT id FROM tags WHERE name = ?)
"""
_PACKAGES_OF = "SELECT id, package_id FROM specs WHERE id IN (SELECT value FROM json_each(?))"
_UNDER = f"""
    SELECT {EDGE}, dependencies.parent_id
    FROM json_each(?) CROSS JOIN dependencies ON dependencies.parent_id = value
"""


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


GraphOf = Callable[[sqlite3.Connection, str, Collection[int]], TagGraph]
"""Gives a graph of a tag in which is what some specs are in: that is :func:`graph_about`."""


def graph_about(db: sqlite3.Connection, tag: str, specs: Collection[int]) -> TagGraph:
    """What of the graph of a tag matters to what some specs are in.

    Only packages are read that may contain them, as the dependencies of packages tell, and no edges
    of what needs one of them itself, where it cannot need it more closely: what links to it, or
    what is of a package that only builds with it.
    """
    own = json.dumps([*specs] if len(specs) <= IN_ONE_VALUE else [])
    packages = [id_ for (id_,) in rows_about(db, _PACKAGES, specs)]
    every = _above(db, packages)
    linked = _above(db, packages, linked=True, most=MANY)
    if len(linked) == MANY:  # to tell them apart would not be worth it
        linked = every
    rows = [
        *rows_about(db, _WITH_LINK, sorted(linked), tag, own),
        *rows_about(db, _WITH_ANY, sorted(every - linked), tag, own),
    ]
    return _graph(db, rows, next(iter(specs), 0), every)


@no_garbage_collection()
def graph_of_tag(db: sqlite3.Connection, tag: str) -> TagGraph:
    """The whole graph of a tag, which can be kept: a million edges take about 25 MB."""
    return _graph(db, [*db.execute(_OF_TAG, (tag,))])


def _above(
    db: sqlite3.Connection, packages: Sequence[int], *, linked: bool = False, most: int = ALL
) -> set[int]:
    """Some packages, and so many of those that need them directly or through others."""
    values = json.dumps(packages), int(linked), most
    return {id_ for (id_,) in db.execute(_ABOVE, values)}


def _graph(
    db: sqlite3.Connection, rows: Sequence[Any], own: int = 0, packages: Set[int] | None = None
) -> TagGraph:
    """The graph of binaries, each with its edges, or with its use of what is asked for.

    The latter, whatever it is a use of, is added as one of the spec ``own``.  What is below them
    need not be in the tag; of that only such ``packages`` are read.
    """
    parents: dict[int, list[int]] = defaultdict(list)
    known = {use: [row[0] for row in rows if row[-1] == use] for use in (Use.LINK, Use.BUILD)}
    for use, those in known.items():
        if those:
            parents[own * 4 + use] += those
    texts = {row[0]: row[-1] for row in rows if isinstance(row[-1], str)}
    lists = json.loads(f"[[{'],['.join(texts.values())}]]") if texts else ()
    for parent, edges in zip(texts, lists, strict=True):
        for edge in edges:
            parents[edge].append(parent)
    binaries = {row[0]: Binary._make(row[:-1]) for row in rows}
    read = {*texts, *chain.from_iterable(known.values())}
    below = ({edge >> 2 for edge in parents} | binaries.keys()) - read
    while below:
        read |= below
        if packages is not None:
            told = rows_about(db, _PACKAGES_OF, sorted(below))
            below = {id_ for id_, package in told if package in packages}
        more = [*rows_about(db, _UNDER, sorted(below))]
        add_edges(parents, more)
        below = {edge >> 2 for edge, _ in more} - read
    return TagGraph(binaries, Graph(parents))
