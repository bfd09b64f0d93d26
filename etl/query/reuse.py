"""Which binaries Spack would take on a host, and why not the others.

The catalog knows what each spec needs, and what its closure needs (:mod:`etl.writer.host_needs`);
here the few distinct needs are held against a host once, and the rest is SQL.  What a user's
configuration forbids besides is not known: a yes means that nothing in the binary is in the way.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from etl.catalog.asking import AT_ONCE
from etl.hosts.host import WORDS, Host, Libc, Need, Reason
from etl.query.taken import Taken
from etl.workers import batched

_NEEDS = """
    SELECT needs.id, platforms.name, operating_systems.name, targets.name,
        needs.libc_by, libcs.name, libcs.version, libcs.path
    FROM needs
    LEFT JOIN platforms ON platforms.id = needs.platform_id
    LEFT JOIN operating_systems ON operating_systems.id = needs.os_id
    LEFT JOIN targets ON targets.id = needs.target_id
    LEFT JOIN libcs ON libcs.id = needs.libc_id
"""
_SPEC = """
    SELECT specs.id, specs.fault, specs.need_id, specs.need_set, binaries.id, binaries.complete
    FROM specs
    LEFT JOIN binaries ON binaries.id = (
        SELECT id FROM binaries WHERE spec_id = specs.id ORDER BY complete IS 0, tag_id DESC LIMIT 1
    )
    WHERE specs.hash = ?
"""
_BINARIES = """
    SELECT specs.id, specs.fault, specs.need_id, specs.need_set, binaries.id, binaries.complete
    FROM json_each(:asked) AS asked
    LEFT JOIN specs ON specs.hash = asked.value ->> 0
    LEFT JOIN binaries ON binaries.spec_id = specs.id
        AND binaries.tag_id = (SELECT id FROM tags WHERE name = asked.value ->> 1)
    ORDER BY asked.key
"""
_CHILDREN = """
    SELECT specs.id, specs.need_set, packages.name, specs.hash, specs.fault, specs.need_id,
        specs.external IS NOT NULL OR :tag IS NULL OR EXISTS (
            SELECT 1 FROM binaries
            WHERE binaries.spec_id = specs.id
            AND binaries.tag_id = :tag AND binaries.stack_set_id IN (
                SELECT stack_set_id FROM stack_set_members WHERE stack_id = :stack
            )
        )
    FROM dependencies
    CROSS JOIN specs ON specs.id = dependencies.child_id
    CROSS JOIN packages ON packages.id = specs.package_id
    WHERE dependencies.parent_id = :parent AND dependencies.linked = 1
        AND NOT (' ' || dependencies.virtuals || ' ' LIKE '% libc %' AND specs.format IS NOT NULL)
    ORDER BY packages.name, specs.hash
"""
_MIRROR = """
    SELECT binaries.tag_id AS tag, stacks.id AS stack
    FROM binaries
    JOIN stack_set_members USING (stack_set_id)
    JOIN stacks ON stacks.id = stack_set_members.stack_id
    WHERE binaries.id = ?
    ORDER BY stacks.name != 'root', stacks.name
    LIMIT 1
"""

_MOST_BYTES = 40_000
"""What is asked about in one value; a site allows 50,000 bytes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What Spack would do with a binary on a host: take it, or not for this reason.

    ``why`` is the reason as a sentence; of a binary that it takes it is None, or what is not
    known for certain.
    """

    reason: Reason | None
    why: str | None = None

    @property
    def reusable(self) -> bool:
        """Whether it would be taken."""
        return self.reason is None


def _length(binary: tuple[str, str]) -> int:
    return sum(map(len, binary)) + len('["", ""], ')


class Reuse:
    """Holds the binaries of one catalog against one host."""

    def __init__(self, db: sqlite3.Connection, host: Host) -> None:
        self._db = db
        self.host = host
        self._needs: dict[int | None, Need] = {None: Need(None, None, None)}
        self._by_os: dict[int | None, str] = {}
        for id_, platform, os, target, by, libc, version, path in db.execute(_NEEDS):
            if by == "os":
                self._by_os[id_] = f" (by its OS, {os})"
            known = Libc(libc, version, path) if libc else None
            self._needs[id_] = Need(platform, os, target, known)
        self._refused = {id_: host.refuses(need) for id_, need in self._needs.items()}
        self._culprits: dict[tuple[int, int | None], str] = {}

    def on(self, host: Host) -> Reuse:
        """The same catalog held against another host."""
        return Reuse(self._db, host)

    @property
    def libcs(self) -> frozenset[Libc]:
        """The libcs that binaries of the catalog were built with."""
        return frozenset(it.libc for it in self._needs.values() if it.libc)

    @property
    def targets(self) -> frozenset[str]:
        """The targets that binaries of the catalog are built for."""
        return frozenset(it.target for it in self._needs.values() if it.target)

    @cached_property
    def taken(self) -> Taken:
        """What the host can use, for a search to be bounded by."""
        met = (id_ for id_, reason in self._refused.items() if reason is None and id_ is not None)
        return Taken(tuple(met), self._unmet)

    def meets(self, need_id: int | None, need_set: int | None) -> bool:
        """Whether the host meets a need, and all of a set of needs."""
        return self._refused[need_id] is None and need_set not in self._bad_sets

    def takes(
        self,
        fault: str | None,
        need_id: int | None,
        need_set: int | None,
        is_incomplete: int | bool,
    ) -> bool:
        """Whether a binary that asks these can be used: :attr:`taken` of one row."""
        return fault is None and not is_incomplete and self.meets(need_id, need_set)

    def verdict(self, hash_: str, tag: str | None = None) -> Verdict | None:
        """Whether the binary of a spec can be used, and why not; None if there is no such spec.

        Its closure has to be in a mirror of the same tag; without a tag, in any that has it.
        """
        if tag is not None:
            return self.verdicts([(hash_, tag)])[0]
        row = self._db.execute(_SPEC, (hash_,)).fetchone()
        return self._judged(*row) if row else None

    def verdicts(self, binaries: Iterable[tuple[str, str]]) -> list[Verdict | None]:
        """The verdicts on binaries, each a hash and its tag: as :meth:`verdict`, all at once."""
        return list(self._verdicts(binaries))

    def _verdicts(self, binaries: Iterable[tuple[str, str]]) -> Iterator[Verdict | None]:
        for some in batched(binaries, AT_ONCE, _length, _MOST_BYTES):
            for row in self._db.execute(_BINARIES, {"asked": json.dumps(some)}).fetchall():
                yield None if row[0] is None else self._judged(*row)

    def _judged(
        self,
        spec: int,
        fault: Reason | None,
        need_id: int | None,
        need_set: int | None,
        binary: int | None,
        complete: int | None,
    ) -> Verdict:
        """What is said of a binary; ``binary`` is None where there is none in the tag."""
        if reason := self.own_reason(fault, need_id):
            return reason
        if binary is None:
            return Verdict("not-in-cache", WORDS["not-in-cache"])
        if complete == 0 or need_set in self._bad_sets:
            return Verdict("closure", self._culprit(spec, binary if complete == 0 else None))
        if complete is None:
            by_os = self._by_os.get(need_id, "")
            return Verdict(None, f"its link and run dependencies are unknown{by_os}")
        return Verdict(None)

    def own_reason(self, fault: Reason | None, need_id: int | None) -> Verdict | None:
        """What in a spec itself, whatever it links to and runs with, keeps it from being taken."""
        if fault:
            return Verdict(fault, WORDS[fault])
        reason = self._refused[need_id]
        if not reason:
            return None
        note = self._by_os.get(need_id, "") if reason == "libc" else ""
        return Verdict(reason, self.host.why(reason, self._needs[need_id]) + note)

    @cached_property
    def _unmet(self) -> tuple[int, ...]:
        return tuple(id_ for id_, reason in self._refused.items() if reason and id_ is not None)

    @cached_property
    def _bad_sets(self) -> frozenset[int]:
        """The sets in which a need is that the host does not meet."""
        if not self._unmet:
            return frozenset()
        sql = (
            "SELECT DISTINCT need_set FROM need_set_members"
            f" WHERE need_id IN ({', '.join(map(str, self._unmet))})"
        )
        return frozenset(id_ for (id_,) in self._db.execute(sql))

    def _culprit(self, spec: int, incomplete: int | None) -> str:
        """The nearest of what a spec links to and runs with that cannot be taken, and why.

        ``incomplete`` is the binary, if not all of that is in the mirror that has it.
        """
        key = spec, incomplete
        if key not in self._culprits:
            self._culprits[key] = self._nearest_culprit(spec, incomplete)
        return self._culprits[key]

    def _nearest_culprit(self, spec: int, incomplete: int | None) -> str:
        found = self._db.execute(_MIRROR, (incomplete,)).fetchone() or (None, None)
        mirror = dict(zip(("tag", "stack"), found, strict=True))
        seen, waiting = {spec}, deque([spec])
        while waiting:
            below = mirror | {"parent": waiting.popleft()}
            for child, need_set, *row in self._db.execute(_CHILDREN, below).fetchall():
                if fault := self._fault_of(*row):
                    return fault
                # Where all is there, nothing is wrong below what has no bad need below it.
                if child not in seen and (incomplete or need_set in self._bad_sets):
                    seen.add(child)
                    waiting.append(child)
        return WORDS["closure"]

    def _fault_of(
        self, package: str, hash_: str, fault: str | None, need_id: int | None, is_here: int
    ) -> str | None:
        """What keeps one dependency, its own closure apart, from being taken."""
        name, need = f"its {package}/{hash_[:7]}", self._needs[need_id]
        if fault:
            return f"{name}: {WORDS[fault]}"
        reason = self._refused[need_id]
        if reason and need.platform is not None:
            return f"{name}: {self.host.why(reason, need)}"
        return None if is_here and not reason else f"{name} is not in the cache"
