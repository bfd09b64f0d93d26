"""Names in other letters than the catalog has them: ``HDF5`` and ``py_numpy`` as people type them.

Spack tells small letters from capitals; whoever asks a catalog for a package that there is in no
other spelling means that one.  What is read so is said, so that nobody takes it for Spack's answer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from etl.spack.tree import Edge, Node, SpecQuery

_IS_KNOWN = """
    SELECT name FROM packages WHERE name = :name AND (binaries > 0 OR gone > 0 OR :below)
    UNION ALL SELECT virtual FROM provides WHERE virtual = :name
    UNION ALL SELECT virtual FROM virtual_providers WHERE virtual = :name
"""


def as_spelled(
    db: sqlite3.Connection, queries: Sequence[SpecQuery]
) -> tuple[tuple[SpecQuery, ...], tuple[str, ...]]:
    """Queries with the catalog's own spelling of packages, and a line for each that had another.

    A name that there is in no spelling, or as it is written, stays.
    """
    reading = _Reading(db)
    return tuple(map(reading.query, queries)), tuple(reading.lines)


class _Reading:
    """Goes through queries, and collects what was read as something else."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.lines: dict[str, None] = {}

    def query(self, query: SpecQuery) -> SpecQuery:
        return replace(
            query,
            root=self._node(query.root, below=False),
            dependencies=tuple(map(self._edge, query.dependencies)),
        )

    def _edge(self, edge: Edge) -> Edge:
        return replace(edge, node=self._node(edge.node, below=True))

    def _node(self, node: Node, *, below: bool) -> Node:
        name = node.name
        if name and (text := self._name(name.text, below=below)) != name.text:
            self.lines[f"there is no package {name.text}; {text} is meant"] = None
            name = replace(name, text=text)
        return replace(node, name=name, direct=tuple(map(self._edge, node.direct)))

    def _name(self, name: str, *, below: bool) -> str:
        small = name.lower().replace("_", "-")
        if small == name or self._is_known(name, below=below):
            return name
        return small if self._is_known(small, below=below) else name

    def _is_known(self, name: str, *, below: bool) -> bool:
        values = {"name": name, "below": below}
        return self._db.execute(_IS_KNOWN, values).fetchone() is not None
