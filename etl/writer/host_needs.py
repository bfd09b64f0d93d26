"""What each spec asks of a host, and what all that it links to and runs with asks together.

An answer for a host is then SQL over few rows: a spec has one need, and one set of needs for its
closure; there are some hundred needs and some thousand sets, however many specs there are.  The
rules are those of :mod:`etl.hosts.host`, and of ``solver/reuse.py`` in Spack 1.1.0 for faults.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain

from etl.hosts.host import Libc
from etl.spack.versions import sort_key
from etl.writer.completeness import Mirrors
from etl.writer.needs import DEV_PATH, NAMES, Needs, both, lacks_runtime, own_fault
from etl.writer.rows import insert

_LIBC = "libc"
_SPECS = """
    SELECT specs.id, packages.name, specs.platform_id, specs.os_id,
        specs.target_id, specs.format, specs.external,
        specs.variant_set_id IN (
            SELECT variant_set_id FROM variant_set_members
            WHERE variant_id IN (SELECT id FROM variants WHERE name = ?)
        )
    FROM specs
    JOIN packages ON packages.id = specs.package_id
    WHERE format IS NOT NULL OR version_id IS NULL
        OR specs.id IN (SELECT child_id FROM dependencies)
    ORDER BY specs.id
"""
"""The specs of all graphs; what others need is known when they are written."""


_EDGES = "SELECT parent_id, child_id, linked, deptypes, virtuals FROM dependencies ORDER BY id"
_LINKED_TO = """
    SELECT parent_id FROM dependencies
    WHERE child_id = ? AND linked AND ' ' || virtuals || ' ' LIKE '% libc %'
"""
_LIBC_SPEC = """
    SELECT packages.name, versions.version, specs.external, specs.format IS NOT NULL
    FROM specs
    JOIN packages ON packages.id = specs.package_id
    LEFT JOIN versions ON versions.id = specs.version_id
    WHERE specs.id = ?
"""


def add_host_needs(db: sqlite3.Connection, needs: Needs) -> None:
    """Fill in what the specs of graphs need, and which binaries a mirror has with all below them.

    ``needs`` are those of the specs that are in no graph, which are written with them.
    """
    graph = _Graph(db)
    systems = dict(db.execute("SELECT id, name FROM operating_systems").fetchall())
    own: dict[int, int] = {}
    for spec, (platform, os, target, is_described) in graph.machines.items():
        if is_described:
            libc = graph.libcs.get(spec)
            own[spec] = needs.need(platform, os, target, libc, "edge" if libc else None)
        else:
            own[spec] = needs.of_system(platform, os, target, systems.get(os))
    sets: dict[int, int] = {}
    mirrors = Mirrors(db) if any(it[-1] for it in graph.machines.values()) else None
    masks: dict[int, int] = {}
    faults: dict[int, str] = dict(graph.faults)
    for spec in graph.children_first():
        set_, mask = 0, graph.named.get(spec, 0)
        for child in graph.children.get(spec, ()):
            set_ = needs.union(set_, own[child], sets.get(child, 0))
            if child in faults:
                set_ = needs.union(set_, needs.never(), 0)
            mask |= masks.get(child, 0)
        for child in graph.libcs_with_more.get(spec, ()):
            mask |= masks.get(child, 0)
        masks[spec], sets[spec] = mask, set_
        if mirrors:
            mirrors.add(spec, graph.fetched(spec))
        # Spack looks for a name among direct build dependencies, too, but not among theirs.
        mask |= graph.named_directly.get(spec, 0)
        if spec not in faults and lacks_runtime(mask):
            faults[spec] = "runtime"
    _write(db, needs, own, sets, faults)
    if mirrors:
        mirrors.mark_complete(db)


class _Graph:
    """The specs of a catalog with what they link to and run with, libc apart."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.machines: dict[int, tuple[object, int | None, object, bool]] = {}
        self.faults: dict[int, str] = {}
        self.named: dict[int, int] = {}
        self.libcs: dict[int, Libc] = {}
        self.children: dict[int, list[int]] = {}
        self.named_directly: dict[int, int] = defaultdict(int)
        self.libcs_with_more: dict[int, list[int]] = {}
        self.externals: set[int] = set()
        for id_, name, platform, os, target, format_, external, dev in db.execute(
            _SPECS, (DEV_PATH,)
        ):
            self.machines[id_] = (platform, os, target, format_ is not None)
            if external is not None:
                self.externals.add(id_)
            if fault := own_fault(name, external, bool(dev)):
                self.faults[id_] = fault
            if name in NAMES:
                self.named[id_] = NAMES[name]
        self._read_edges(db)

    def _read_edges(self, db: sqlite3.Connection) -> None:
        libcs: dict[int, Libc | None] = {}
        said: dict[str, tuple[bool, int]] = {}  # by the few lists of virtuals that there are
        for parent, child, linked, deptypes, virtuals in db.execute(_EDGES):
            if virtuals not in said:
                said[virtuals] = _said_by(virtuals)
            is_libc, mask = said[virtuals]
            if is_libc and child not in libcs:
                libcs[child] = _libc_at(db, child)
            libc = libcs[child] if is_libc else None
            if libc:
                known = self.libcs.get(parent)
                self.libcs[parent] = both(known, libc) if known else libc
            elif linked:
                self.children.setdefault(parent, []).append(child)
            mask |= self.named.get(child, 0)
            if mask and ("build" in deptypes or "test" in deptypes):
                self.named_directly[parent] |= mask
        self._keep_libcs_with_more(db, [child for child, libc in libcs.items() if libc])

    def _keep_libcs_with_more(self, db: sqlite3.Connection, libcs: list[int]) -> None:
        """Spack asks nothing of a libc, but looks for compilers' names in it and below it, too."""
        for child in libcs:
            if child in self.children or child in self.named or child in self.libcs:
                for (parent,) in db.execute(_LINKED_TO, (child,)):
                    self.libcs_with_more.setdefault(parent, []).append(child)

    def fetched(self, spec: int) -> Iterator[int]:
        """What a spec links to and runs with that is no part of a system."""
        return (it for it in self.children.get(spec, ()) if it not in self.externals)

    def _below(self, spec: int) -> Iterator[int]:
        return chain(self.children.get(spec, ()), self.libcs_with_more.get(spec, ()))

    def children_first(self) -> Iterator[int]:
        """All specs, each after those that it links to and runs with; a circle is broken."""
        done: set[int] = set()
        for start in self.machines:
            if start in done:
                continue
            stack = [(start, self._below(start))]
            done.add(start)
            while stack:
                spec, rest = stack[-1]
                for child in rest:
                    if child not in done:
                        done.add(child)
                        stack.append((child, self._below(child)))
                        break
                else:
                    stack.pop()
                    yield spec


def _said_by(virtuals: str) -> tuple[bool, int]:
    """Whether a list of virtuals has the libc, and the names of compilers and runtimes in it."""
    mask = 0
    words = virtuals.split()
    for word in words:
        mask |= NAMES.get(word, 0)
    return _LIBC in words, mask


def _libc_at(db: sqlite3.Connection, spec: int) -> Libc | None:
    """The libc that a spec is; None if nothing but its name is known."""
    name, version, path, is_described = db.execute(_LIBC_SPEC, (spec,)).fetchone()
    return Libc(name, version or "", path or "") if is_described else None


def _write(
    db: sqlite3.Connection,
    needs: Needs,
    own: dict[int, int],
    sets: dict[int, int],
    faults: dict[int, str],
) -> None:
    strictest: dict[tuple[int, int], int | None] = {}

    def libc_id(spec: int) -> int | None:
        key = own[spec], sets.get(spec, 0)
        if key not in strictest:
            strictest[key] = needs.libc(needs.strictest(*key))
        return strictest[key]

    rows = (
        (own[spec], sets.get(spec) or None, libc_id(spec), faults.get(spec), spec) for spec in own
    )
    db.executemany(
        "UPDATE specs SET need_id = ?, need_set = ?, libc_id = ?, fault = ? WHERE id = ?", rows
    )
    insert(
        db,
        "libcs",
        "id, name, version, sort_key, path",
        (
            (id_, it.name, it.version, sort_key(it.version), it.path)
            for it, id_ in needs.libcs.items()
        ),
    )
    insert(
        db,
        "needs",
        "id, platform_id, os_id, target_id, libc_id, libc_by",
        ((id_, *key) for key, id_ in needs.needs.items()),
    )
    insert(
        db,
        "need_set_members",
        "need_set, need_id",
        ((id_, need) for members, id_ in needs.sets.items() for need in sorted(members)),
    )
