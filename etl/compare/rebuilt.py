"""What was rebuilt from one tag to another, and why: with its numbers by cause."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from functools import cache
from typing import Any

from etl.catalog.asking import AT_ONCE
from etl.catalog.names_near import check_name
from etl.compare.causes import Causes, Chain
from etl.compare.edges import NodeOf
from etl.compare.graph import Cause, Node
from etl.compare.nodes import Nodes
from etl.compare.pairing import Rebuild, pairs
from etl.compare.past import tag_at
from etl.memory import no_garbage_collection

BENEATH = frozenset({"compiler-wrapper", "gcc", "glibc", "musl"})
"""Packages that are under nearly everything, wherever they come from."""

_MOST, _NEARLY_ALL = 0.5, 0.8
"""The share of rebuilds that a cause is in to be called everywhere: of those packages, of any."""

NO_BUILDS = "this source does not list build dependencies"
"""Why a rebuild may be unexplained; see also :func:`_reason`."""


@dataclass(frozen=True, slots=True)
class CauseCount:
    """A cause, how many rebuilds it is a cause of, and of how many the only one.

    ``everywhere`` is whether it is in nearly every rebuild, so that it would hide the others;
    ``alone`` counts the rebuilds that have no other cause but such.  ``purposes`` are the types of
    the dependencies that brought it.
    """

    cause: Cause
    rebuilds: int
    only: int
    everywhere: bool
    alone: int
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """All rebuilds between two tags.

    ``ambiguous`` are identities with several hashes on a side, which are not paired;
    ``is_told`` is whether sources of both tags tell dependencies, which pages do not;
    ``tells_builds`` is whether they tell those that are only for building.
    """

    old: str
    new: str
    rebuilds: tuple[Rebuild, ...]
    by_cause: tuple[CauseCount, ...]
    ambiguous: int
    is_told: bool
    tells_builds: bool

    @property
    def unexplained(self) -> tuple[Rebuild, ...]:
        """Those of which nothing that is told differs but the hash."""
        return tuple(it for it in self.rebuilds if it.unexplained)

    @property
    def with_one(self) -> int:
        """How many have one cause."""
        return sum(len(it.causes) == 1 and not it.unexplained for it in self.rebuilds)

    @property
    def with_several(self) -> int:
        """How many have several."""
        return sum(len(it.causes) > 1 and not it.unexplained for it in self.rebuilds)

    @property
    def has_everywhere(self) -> bool:
        """Whether a cause is in nearly every rebuild."""
        return any(it.everywhere for it in self.by_cause)

    @property
    def reasons(self) -> tuple[tuple[str, int], ...]:
        """Why rebuilds are unexplained, and how many are for each reason."""
        return tuple(Counter(it.unexplained for it in self.rebuilds if it.unexplained).items())

    def because_of(self, text: str) -> tuple[Rebuild, ...]:
        """The rebuilds that have a cause: ``m4`` for any in that package, ``recipe m4`` for a kind.

        ``any`` are all of them, ``unexplained`` those without a known cause; after package come the
        old and the new side where they are wanted: ``version cmake 3.31.6 3.31.8``.
        """
        words = text.split()
        if words in ([], ["any"]):
            return self.rebuilds
        if words == ["unexplained"]:
            return self.unexplained
        return tuple(it for it in self.rebuilds if any(_is_meant(c, words) for c in it.causes))


def cause_key(cause: Cause) -> str:
    """What :meth:`Rebuilt.because_of` finds the rebuilds of a cause by."""
    return " ".join((cause.kind, cause.package, cause.old or "-", cause.new or "-"))


def _is_meant(cause: Cause, words: list[str]) -> bool:
    if words == [cause.package]:
        return True
    told = cause_key(cause).split()
    return told[: len(words)] == words


@no_garbage_collection()
def rebuilt(db: sqlite3.Connection, old: str, new: str, stack: str | None = None) -> Rebuilt:
    """What was rebuilt from one tag to the other, in all stacks or in one.

    Raises:
        UsageError: a tag or the stack is not in this catalog.
    """
    tags = tag_at(db, old), tag_at(db, new)
    check_name(db, "stack", stack)
    (undescribed,) = db.execute(
        "SELECT count(*) FROM tags WHERE name IN (?, ?) AND described = 0 AND gone_since IS NULL",
        [it.tag for it in tags],
    ).fetchone()
    if undescribed:
        return Rebuilt(old, new, (), (), 0, is_told=False, tells_builds=False)
    nodes = Nodes(db)
    olds, news, both = nodes.of_tags(*tags, stack)
    gone, come = nodes.load(sorted(olds)), nodes.load(sorted(news))
    paired, ambiguous = pairs(gone, come, nodes.alike((*gone, *come), both))
    _load_what_differs(nodes, paired, both)
    sides_tell = [not side or any(map(Node.tells_builds, side)) for side in (gone, come)]
    tells_builds = all(sides_tell)
    # What only one side tells is no difference.
    causes = Causes(
        nodes.get if tells_builds or not any(sides_tell) else _without_builds(nodes.get)
    )
    found = tuple(
        Rebuild(
            new_node.name,
            new_node.version,
            old_node.hash,
            new_node.hash,
            told := causes.of(old_node, new_node),
            _reason(old_node, new_node, told, tells_builds),
        )
        for old_node, new_node in paired
    )
    return Rebuilt(old, new, found, _count(found, causes), ambiguous, True, tells_builds)


def _without_builds(node: NodeOf) -> NodeOf:
    @cache
    def bare(key: int) -> Node | None:
        found = node(key)
        return found and found.without_builds()

    return bare


def _load_what_differs(nodes: Nodes, paired: Iterable[tuple[Node, Node]], both: Set[int]) -> None:
    """Read at once the dependencies that only one of two builds has, though both tags have them.

    Those that only one of the tags has are read already.
    """
    needed = set(both)
    if len(both) > AT_ONCE:
        needed.clear()
        for pair in paired:
            before, after = ({edge.child for edge in node.edges} for node in pair)
            needed |= before ^ after
    nodes.load(sorted(needed))


def _reason(old: Node, new: Node, told: Iterable[Cause], tells_builds: bool) -> str | None:
    """Why no cause is known of a rebuild; None if one is."""
    if any(it.kind != "unknown" for it in told):
        return None
    if not (old.is_told and new.is_told):
        return "a source of one of the tags does not list its dependencies"
    if not tells_builds:
        return NO_BUILDS
    if old.package_hash is None and new.package_hash is None and not new.external:
        return "this source does not list the hash of its recipe"
    return "the indexes differ only in the hash"


def _count(found: Sequence[Rebuild], causes: Causes) -> tuple[CauseCount, ...]:
    """The causes, those of most rebuilds first; those that are everywhere come last."""
    numbers: Counter[Cause] = Counter()
    only: Counter[Cause] = Counter()
    alone: Counter[Cause] = Counter()
    for it in found:
        numbers.update(it.causes)
        if len(it.causes) == 1:
            only.update(it.causes)
    everywhere = {
        cause
        for cause, number in numbers.items()
        if len(numbers) > 1
        and number > len(found) * (_MOST if cause.package in BENEATH else _NEARLY_ALL)
    }
    for it in found:
        others = [cause for cause in it.causes if cause not in everywhere]
        if len(others) == 1:
            alone.update(others)
    counts = [
        CauseCount(
            cause, number, only[cause], cause in everywhere, alone[cause], causes.purposes(cause)
        )
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


@dataclass(frozen=True, slots=True)
class LastBuild:
    """The build of a spec before this one, and how each cause of the difference reaches it."""

    old: str
    new: str
    chains: tuple[Chain, ...]
    causes: int
    unexplained: str | None

    def to_json(self) -> dict[str, Any]:
        """The same as JSON has it: the packages from the spec to each cause."""
        return {
            "old": self.old,
            "new": self.new,
            "causes": [
                {"cause": it.cause.to_json(), "chain": list(it.names)} for it in self.chains
            ],
            "number_of_causes": self.causes,
            "unexplained": self.unexplained,
        }


def last_build(db: sqlite3.Connection, hash_: str, most: int = 20) -> LastBuild | None:
    """The build of the same identity that came before, and why this one has another hash.

    None where there is none, or none of which the dependencies are told; ``most`` chains are told.
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
            nodes.load_below((other, this))
            causes = Causes(nodes.get)
            told = causes.of(other, this)
            builds = other.tells_builds() or this.tells_builds()
            reason = _reason(other, this, told, builds or not this.edges)
            return LastBuild(
                other.hash, this.hash, causes.chains(other, this, most), len(told), reason
            )
    return None
