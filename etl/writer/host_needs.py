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

from etl.hosts.distributions import libc_of
from etl.hosts.host import Libc
from etl.spack.versions import sort_key
from etl.writer.rows import insert

_LIBC = "libc"
_RUNTIMES = (("gcc", "gcc-runtime"), ("intel-oneapi-compilers", "intel-oneapi-runtime"))
"""Compilers, and what must be in a graph that has one."""

_NAMES = {name: 1 << place for place, name in enumerate(it for pair in _RUNTIMES for it in pair)}
_WITHOUT_RUNTIME = tuple((_NAMES[compiler], _NAMES[runtime]) for compiler, runtime in _RUNTIMES)

_SPECS = """
    SELECT specs.id, packages.name, specs.platform_id, specs.os_id,
        specs.target_id, specs.format, specs.external,
        specs.variant_set_id IN (
            SELECT variant_set_id FROM variant_set_members
            WHERE variant_id IN (SELECT id FROM variants WHERE name = 'dev_path')
        )
    FROM specs
    JOIN packages ON packages.id = specs.package_id
    ORDER BY specs.id
"""
_EDGES = "SELECT parent_id, child_id, linked, deptypes, virtuals FROM dependencies ORDER BY id"
_PLACES = """
    SELECT spec_id, tag_id FROM binaries
    WHERE gone_since IS NULL AND EXISTS (SELECT 1 FROM dependencies)
"""
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


class _Needs:
    """The rows of ``libcs``, ``needs`` and the sets of needs, each kept once."""

    def __init__(self) -> None:
        self.libcs: dict[Libc, int] = {}
        self.needs: dict[tuple[object, ...], int] = {}
        self.sets: dict[frozenset[int], int] = {}
        self._members: list[frozenset[int]] = []
        self._unions: dict[tuple[int, int, int], int] = {}
        self.libc_of_need: list[Libc | None] = []

    def libc(self, libc: Libc | None) -> int | None:
        """The number of a libc."""
        return None if libc is None else self.libcs.setdefault(libc, len(self.libcs) + 1)

    def need(
        self, platform: object, os: object, target: object, libc: Libc | None, by: str | None
    ) -> int:
        """The number of a need."""
        key = (platform, os, target, self.libc(libc), by)
        if key not in self.needs:
            self.needs[key] = len(self.needs) + 1
            self.libc_of_need.append(libc)
        return self.needs[key]

    def union(self, set_: int, need: int, other: int) -> int:
        """The set with one need more, and with all of another set; the set 0 is empty."""
        key = (set_, need, other)
        if key not in self._unions:
            members = self.members(set_) | {need} | self.members(other)
            number = self.sets.setdefault(members, len(self.sets) + 1)
            if number > len(self._members):
                self._members.append(members)
            self._unions[key] = number
        return self._unions[key]

    def members(self, set_: int) -> frozenset[int]:
        """The needs in a set."""
        return self._members[set_ - 1] if set_ else frozenset()

    def strictest(self, need: int, set_: int) -> Libc | None:
        """The newest libc that any of the needs asks for; that of glibc before any other."""
        libcs = [self.libc_of_need[it - 1] for it in {need, *self.members(set_)}]
        return max(filter(None, libcs), key=_strictness, default=None)


def _strictness(libc: Libc) -> tuple[bool, str, str]:
    return libc.name == "glibc", sort_key(libc.version), libc.path


def _both(one: Libc, other: Libc) -> Libc:
    """What a host must have for both; of two that no host has at once, one by both names."""
    newer, older = sorted((one, other), key=_strictness, reverse=True)
    if (one.name, one.path) == (other.name, other.path):
        return newer
    where = f" in {older.path}" if newer.name == older.name and older.path else ""
    return Libc(f"{older.name}@{older.version}{where} and {newer.name}", newer.version, newer.path)


def add_host_needs(db: sqlite3.Connection) -> None:
    """Fill in what specs need of a host, and which binaries are complete in their tag."""
    graph = _Graph(db)
    needs = _Needs()
    systems = dict(db.execute("SELECT id, name FROM operating_systems").fetchall())
    own: dict[int, int] = {}
    for spec, (platform, os, target, is_described) in graph.machines.items():
        libc = graph.libcs.get(spec)
        by = "edge" if libc else None
        if not is_described and os is not None:
            libc = libc_of(systems[os])
            by = "os" if libc else None
        own[spec] = needs.need(platform, os, target, libc, by)
    never = needs.need(None, None, None, None, None)
    sets: dict[int, int] = {}
    places = _tags_by_spec(db) if graph.children else {}
    complete: dict[int, int] = {}
    masks: dict[int, int] = {}
    faults: dict[int, str] = dict(graph.faults)
    for spec in graph.children_first():
        set_, in_tags, mask = 0, ~0, graph.named.get(spec, 0)
        for child in graph.children.get(spec, ()):
            set_ = needs.union(set_, own[child], sets.get(child, 0))
            if child in faults:
                set_ = needs.union(set_, never, 0)
            mask |= masks.get(child, 0)
            in_tags &= places.get(child, 0) & complete.get(child, ~0)
        for child in graph.libcs_with_more.get(spec, ()):
            mask |= masks.get(child, 0)
        masks[spec], sets[spec], complete[spec] = mask, set_, in_tags
        # Spack looks for a name among direct build dependencies, too, but not among theirs.
        mask |= graph.named_directly.get(spec, 0)
        if spec not in faults and any(
            mask & compiler and not mask & runtime for compiler, runtime in _WITHOUT_RUNTIME
        ):
            faults[spec] = "runtime"
    _write(db, needs, own, sets, faults)
    if graph.children or graph.described:
        _mark_complete(db, graph.described, places, complete)


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
        self.described: set[int] = set()
        for id_, name, platform, os, target, format_, external, dev in db.execute(_SPECS):
            self.machines[id_] = (platform, os, target, format_ is not None)
            if format_ is not None:
                self.described.add(id_)
            if fault := _own_fault(name, external, bool(dev)):
                self.faults[id_] = fault
            if name in _NAMES:
                self.named[id_] = _NAMES[name]
        self._read_edges(db)

    def _read_edges(self, db: sqlite3.Connection) -> None:
        libcs: dict[int, Libc | None] = {}
        for parent, child, linked, deptypes, virtuals in db.execute(_EDGES):
            words = virtuals.split()
            if _LIBC in words and child not in libcs:
                libcs[child] = _libc_at(db, child)
            libc = libcs[child] if _LIBC in words else None
            if libc:
                known = self.libcs.get(parent)
                self.libcs[parent] = _both(known, libc) if known else libc
            elif linked:
                self.children.setdefault(parent, []).append(child)
            mask = self.named.get(child, 0)
            for word in words:
                mask |= _NAMES.get(word, 0)
            if mask and ("build" in deptypes or "test" in deptypes):
                self.named_directly[parent] |= mask
        self._keep_libcs_with_more(db, [child for child, libc in libcs.items() if libc])

    def _keep_libcs_with_more(self, db: sqlite3.Connection, libcs: list[int]) -> None:
        """Spack asks nothing of a libc, but looks for compilers' names in it and below it, too."""
        for child in libcs:
            if child in self.children or child in self.named:
                for (parent,) in db.execute(_LINKED_TO, (child,)):
                    self.libcs_with_more.setdefault(parent, []).append(child)

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


def _own_fault(name: str, external: str | None, is_developed: bool) -> str | None:
    """Why a spec is no candidate on any host, in the order in which Spack asks."""
    if is_developed:
        return "dev_path"
    if name == "compiler-wrapper":
        return "compiler-wrapper"
    return "external" if external is not None else None


def _libc_at(db: sqlite3.Connection, spec: int) -> Libc | None:
    """The libc that a spec is; None if nothing but its name is known."""
    name, version, path, is_described = db.execute(_LIBC_SPEC, (spec,)).fetchone()
    return Libc(name, version or "", path or "") if is_described else None


def _tags_by_spec(db: sqlite3.Connection) -> dict[int, int]:
    """The tags that have the binary of a spec, as bits."""
    places: dict[int, int] = defaultdict(int)
    for spec, tag in db.execute(_PLACES):
        places[spec] |= 1 << tag
    return places


def _write(
    db: sqlite3.Connection,
    needs: _Needs,
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

    rows = [
        (own[spec], sets.get(spec) or None, libc_id(spec), faults.get(spec), spec) for spec in own
    ]
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
    db.executemany(
        "UPDATE specs SET need_id = ?, need_set = ?, libc_id = ?, fault = ? WHERE id = ?", rows
    )


def _mark_complete(
    db: sqlite3.Connection, described: set[int], places: dict[int, int], complete: dict[int, int]
) -> None:
    """Say of the binaries whose dependencies are known whether their closure is in their tag."""
    whole = [(1, spec) for spec in described if spec in places]
    db.executemany(
        "UPDATE binaries SET complete = ? WHERE spec_id = ? AND gone_since IS NULL", whole
    )
    missing = [
        (spec, tag)
        for spec, tags in places.items()
        if spec in described
        for tag in range(tags.bit_length())
        if tags >> tag & 1 and not complete.get(spec, ~0) >> tag & 1
    ]
    db.executemany("UPDATE binaries SET complete = 0 WHERE spec_id = ? AND tag_id = ?", missing)
