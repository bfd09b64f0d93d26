"""What was rebuilt from one tag to another, and why: with its numbers by cause."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from etl.catalog.names_near import check_name
from etl.compare.causes import Cause, Causes, Node, Rebuild, difference, rebuilds
from etl.compare.nodes import Nodes
from etl.errors import UsageError

EVERYWHERE = frozenset({"compiler-wrapper", "gcc", "glibc", "musl"})
"""Packages that are under nearly everything: what changes in them hides the rest."""


@dataclass(frozen=True, slots=True)
class CauseCount:
    """A cause, how many rebuilds it is a cause of, and of how many the only one.

    ``everywhere`` is whether it is of a package that nearly everything is built with.
    """

    cause: Cause
    rebuilds: int
    only: int
    everywhere: bool


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """All rebuilds between two tags.

    ``ambiguous`` are identities with several hashes on a side, which are not paired;
    ``is_told`` is whether sources of both tags tell dependencies: pages do not.
    """

    old: str
    new: str
    rebuilds: tuple[Rebuild, ...]
    by_cause: tuple[CauseCount, ...]
    ambiguous: int
    is_told: bool

    @property
    def unexplained(self) -> tuple[Rebuild, ...]:
        """Those of which nothing that is told differs but the hash."""
        return tuple(it for it in self.rebuilds if all(c.kind == "unknown" for c in it.causes))


def rebuilt(db: sqlite3.Connection, old: str, new: str, stack: str | None = None) -> Rebuilt:
    """What was rebuilt from one tag to the other, in all stacks or in one.

    Raises:
        UsageError: a tag or the stack is not in this catalog.
    """
    for name in (old, new):
        check_name(db, "tag", name)
    check_name(db, "stack", stack)
    nodes = Nodes(db)
    before, after = nodes.of_tag(old, stack), nodes.of_tag(new, stack)
    gone, come = nodes.load(sorted(before - after)), nodes.load(sorted(after - before))
    nodes.load({edge.child for node in (*gone, *come) for edge in node.edges})
    both = nodes.alike((*gone, *come), before & after)
    found, ambiguous = rebuilds(gone, come, both, Causes(nodes.get))
    (undescribed,) = db.execute(
        "SELECT count(*) FROM tags WHERE name IN (?, ?) AND described = 0", (old, new)
    ).fetchone()
    return Rebuilt(old, new, tuple(found), _count(found), ambiguous, undescribed == 0)


def _count(found: Iterable[Rebuild]) -> tuple[CauseCount, ...]:
    """The causes, those of most rebuilds first; those that are everywhere come last."""
    numbers: Counter[Cause] = Counter()
    alone: Counter[Cause] = Counter()
    for it in found:
        numbers.update(it.causes)
        if len(it.causes) == 1:
            alone.update(it.causes)
    counts = [
        CauseCount(cause, number, alone[cause], cause.package in EVERYWHERE)
        for cause, number in numbers.items()
    ]
    return tuple(
        sorted(
            counts,
            key=lambda it: (
                it.everywhere, -it.rebuilds, it.cause.package, it.cause.kind,
                it.cause.old or "", it.cause.new or "",
            ),
        )
    )  # fmt: skip


_BEFORE = """
    SELECT other.id FROM specs AS this
    CROSS JOIN specs AS other ON other.package_id = this.package_id
    WHERE this.id = ? AND other.id != this.id AND other.version_id = this.version_id
        AND other.variant_set_id = this.variant_set_id AND other.os_id = this.os_id
        AND other.target_id = this.target_id AND other.format IS NOT NULL
        AND other.tags > 0 AND other.first_tag_id < this.first_tag_id
    ORDER BY other.last_tag_id DESC, other.id LIMIT 20
"""


def last_build(db: sqlite3.Connection, hash_: str) -> Rebuild | None:
    """The build of the same identity that came before, and why this one has another hash.

    None where there is none, or none of which the dependencies are told.
    """
    row = db.execute("SELECT id FROM specs WHERE hash = ? AND format IS NOT NULL", (hash_,))
    found = row.fetchone()
    if found is None:
        return None
    nodes = Nodes(db)
    this = nodes.get(found[0])
    before = nodes.load(id_ for (id_,) in db.execute(_BEFORE, found).fetchall())
    for other in before:
        if this is not None and other.identity == this.identity:
            return Rebuild(other, this, Causes(nodes.get).of(other, this))
    return None


def as_json(found: Rebuilt, package: str | None = None) -> dict[str, Any]:
    """The rebuilds, of one package or of all, with their causes and how many each has."""
    return {
        "rebuilt": [
            {
                "package": it.new.name,
                "version": it.new.version,
                "old": it.old.hash,
                "new": it.new.hash,
                "causes": [cause.to_json() for cause in it.causes],
            }
            for it in found.rebuilds
            if package in (None, it.new.name)
        ],
        "causes": [
            {
                "cause": it.cause.to_json(),
                "rebuilds": it.rebuilds,
                "only_cause_of": it.only,
                "everywhere": it.everywhere,
            }
            for it in found.by_cause
        ],
        "ambiguous": found.ambiguous,
        "unexplained": len(found.unexplained),
    }


@dataclass(frozen=True, slots=True)
class NodeDifference:
    """One package of two graphs in which they differ, at which distance from the roots.

    ``old`` or ``new`` is None where only the other has the package.
    """

    package: str
    depth: int
    old: str | None
    new: str | None
    differences: tuple[Cause, ...]


def compare_specs(db: sqlite3.Connection, old: str, new: str) -> tuple[NodeDifference, ...]:
    """All that differs between two graphs, package by package, the deepest first.

    ``old`` and ``new`` are hashes, or how they begin.

    Raises:
        UsageError: no spec, or several, have such a hash.
    """
    nodes = Nodes(db)
    sides = [_graph(nodes, find_spec(db, hash_)) for hash_ in (old, new)]
    found = []
    for package in sorted(sides[0].keys() | sides[1].keys()):
        (depth_a, a), (depth_b, b) = (side.get(package, (0, None)) for side in sides)
        if a is not None and b is not None and a.hash == b.hash:
            continue
        causes: tuple[Cause, ...] = ()
        if a is not None and b is not None:
            causes = tuple(_own_differences(a, b))
        found.append(
            NodeDifference(
                package,
                max(depth_a, depth_b),
                f"{a.title}/{a.hash[:7]}" if a else None,
                f"{b.title}/{b.hash[:7]}" if b else None,
                causes,
            )
        )
    return tuple(sorted(found, key=lambda it: (-it.depth, it.package)))


def find_spec(db: sqlite3.Connection, prefix: str) -> int:
    """The id of the spec whose hash begins so.

    Raises:
        UsageError: there is none, or there are several.
    """
    text = prefix.removeprefix("/").lower()
    rows = db.execute(
        "SELECT id FROM specs WHERE hash >= ? AND hash < ? LIMIT 2", (text, text + "{")
    ).fetchall()
    if not text or not rows:
        raise UsageError(f"no spec with a hash that begins with {prefix[:40]} in this catalog")
    if len(rows) > 1:
        raise UsageError(
            f"several specs have a hash that begins with {prefix[:40]}; give more of it"
        )
    return int(rows[0][0])


def _graph(nodes: Nodes, root: int) -> dict[str, tuple[int, Node]]:
    """The packages of a spec's whole graph, each with how far below the root it is."""
    found: dict[str, tuple[int, Node]] = {}
    seen = {root}
    level, depth = [root], 0
    while level:
        below: dict[int, None] = {}
        for node in nodes.load(level):
            found.setdefault(node.name, (depth, node))
            below.update(dict.fromkeys(it.child for it in node.edges if it.child not in seen))
        seen |= below.keys()
        level, depth = list(below), depth + 1
    return found


def _own_differences(old: Node, new: Node) -> Iterator[Cause]:
    """What differs about two nodes themselves; nothing if only something below them does."""
    if old.identity != new.identity:
        yield difference(old, new)
    if old.package_hash != new.package_hash:
        yield Cause("recipe", new.name, old.package_hash, new.package_hash)
