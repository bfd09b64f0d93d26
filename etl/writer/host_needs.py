"""What each spec asks of a host, and what all that it links to and runs with asks together.

An answer for a host is then SQL over few rows: a spec has one need, and one set of needs for its
closure; there are some hundred needs and some thousand sets, however many specs there are.  The
rules are those of :mod:`etl.hosts.host`, and of ``solver/reuse.py`` in Spack 1.1.0 for faults.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

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


_LINKED = """
    SELECT parent_id, child_id FROM dependencies
    WHERE linked AND virtuals = '' AND child_id NOT IN (SELECT value FROM json_each(?))
    ORDER BY id
"""
"""What is linked and run, and no more to be told of it: most edges; those of a spec together."""

_TOLD = """
    SELECT parent_id, child_id, linked, deptypes, virtuals FROM dependencies
    WHERE virtuals != '' OR child_id IN (SELECT value FROM json_each(?))
    ORDER BY id
"""
"""The edges that tell of a libc or of a compiler; other build dependencies tell nothing here."""

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
    mirrors = (
        Mirrors(db, graph.externals) if any(it[-1] for it in graph.machines.values()) else None
    )
    sets: dict[int, int] = {}
    faults: dict[int, str] = dict(graph.faults)
    below = _Below(needs, own, faults)
    children_of, named, named_directly = graph.children, graph.named, graph.named_directly
    for spec in graph.children_first():
        children = children_of.get(spec, ())
        sets[spec], names = below.of(children)
        names |= named.get(spec, 0)
        if spec in graph.libcs_with_more:
            for child in graph.libcs_with_more[spec]:
                names |= below.names(child)
        # Spack looks for a name among direct build dependencies, too, but not among theirs.
        all_names = names | named_directly.get(spec, 0)
        if all_names and spec not in faults and lacks_runtime(all_names):
            faults[spec] = "runtime"
        below.add(spec, sets[spec], names)
        if mirrors:
            mirrors.add(spec, children)
    _write(db, needs, own, sets, faults)
    if mirrors:
        mirrors.mark_complete(db)


class _Below:
    """What all that is below a spec needs of a host, and the names of compilers in it.

    It follows from what its dependencies are like, and few of them are not alike: each likeness has
    a number, and what follows from several is found once.
    """

    def __init__(self, needs: Needs, own: Mapping[int, int], faults: Mapping[int, str]) -> None:
        self._needs = needs
        self._own = own
        self._faults = faults
        self._number_of: dict[int, int] = {}
        self._numbers: dict[tuple[int, int, bool, int], int] = {}
        self._told: list[tuple[int, int, bool, int]] = []
        self._known: dict[frozenset[int], tuple[int, int]] = {}

    def add(self, spec: int, below: int, names: int) -> int:
        """Note a spec: the set of needs below it, and the names in its graph."""
        like = self._own[spec], below, spec in self._faults, names
        number = self._numbers.setdefault(like, len(self._told))
        if number == len(self._told):
            self._told.append(like)
        self._number_of[spec] = number
        return number

    def names(self, spec: int) -> int:
        """The names in the graph of a spec that was noted; of another none are known."""
        return self._told[self._number_of[spec]][-1] if spec in self._number_of else 0

    def of(self, children: Collection[int]) -> tuple[int, int]:
        """The set of all needs of some dependencies and all below them, and the names there.

        One that was not noted runs in a circle with what depends on it, and counts alone.
        """
        number_of = self._number_of
        likes = frozenset(
            [number_of[it] if it in number_of else self.add(it, 0, 0) for it in children]
        )
        if likes not in self._known:
            set_ = all_names = 0
            for own, below, has_fault, names in (self._told[it] for it in sorted(likes)):
                set_ = self._needs.union(set_, own, below)
                if has_fault:
                    set_ = self._needs.union(set_, self._needs.never(), 0)
                all_names |= names
            self._known[likes] = set_, all_names
        return self._known[likes]


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
        named = (json.dumps(list(self.named)),)
        last, below = 0, []
        for parent, child in db.execute(_LINKED, named):
            if parent != last:
                last, below = parent, self.children.setdefault(parent, [])
            below.append(child)
        for parent, child, linked, deptypes, virtuals in db.execute(_TOLD, named):
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

    def _below(self, spec: int) -> Sequence[int]:
        children = self.children.get(spec, ())
        return (
            [*children, *self.libcs_with_more.get(spec, ())] if self.libcs_with_more else children
        )

    def children_first(self) -> Iterator[int]:
        """All specs, each after those that it links to and runs with; a circle is broken."""
        done: set[int] = set()
        for start in self.machines:
            if start in done:
                continue
            stack = [(start, iter(self._below(start)))]
            done.add(start)
            while stack:
                spec, rest = stack[-1]
                for child in rest:
                    if child not in done:
                        done.add(child)
                        below = self._below(child)
                        if not done.issuperset(below):
                            stack.append((child, iter(below)))
                            break
                        yield child
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
