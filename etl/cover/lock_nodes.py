"""The specs of a lock and those of a catalog as nodes of one graph, to compare them."""

from __future__ import annotations

import sqlite3

from etl.compare.graph import Edge, Node
from etl.compare.node_reader import LANGUAGES
from etl.compare.nodes import Nodes
from etl.locks.read import Lock
from etl.records import Spec


class LockNodes:
    """The specs of a lock as nodes, by keys below 0, beside those of the catalog."""

    def __init__(self, db: sqlite3.Connection, lock: Lock) -> None:
        self.nodes = Nodes(db)
        self._lock = lock
        self._keys = {hash_: -number for number, hash_ in enumerate(lock.specs, start=1)}
        self._specs = list(lock.specs.values())
        self._own: dict[int, Node] = {}

    def node(self, spec: Spec) -> Node:
        """The node of a spec of the lock."""
        return self._node(self._keys[spec.hash])

    def get(self, key: int) -> Node | None:
        """A node by its key."""
        return self._node(key) if key < 0 else self.nodes.get(key)

    def _node(self, key: int) -> Node:
        found = self._own.get(key)
        if found is None:
            found = self._own[key] = self._as_node(key, self._specs[-key - 1])
        return found

    def _as_node(self, key: int, spec: Spec) -> Node:
        build = spec.build
        edges = []
        compilers = []
        for it in build.dependencies if build else ():
            child = self._keys.get(it.hash)
            if child is None:
                continue
            edges.append(Edge(child, " ".join(it.deptypes), " ".join(it.virtuals)))
            if it.virtuals and not LANGUAGES.isdisjoint(it.virtuals):
                compilers.append(f"{it.package}@{self._lock.specs[it.hash].version}")
        if not compilers and spec.compiler:  # before Spack 1.0 it is no dependency
            compilers.append(spec.compiler)
        flags = build.flags if build else ()
        patches = build.patches if build else ()
        told = [
            f"patches:={','.join(sorted(patches))}" if it.startswith("patches") and patches else it
            for it in spec.variants
        ]
        told += [f"{name}={' '.join(values)}" for name, values in sorted(flags)]
        return Node(
            key,
            spec.hash,
            spec.package,
            build.namespace if build else None,
            spec.version,
            tuple(told),
            f"{spec.platform}-{spec.os}-{spec.target}",
            tuple(sorted(compilers)),
            build.external if build else None,
            build.package_hash if build else None,
            tuple(edges),
            external_details=build.external_details if build else None,
        )
