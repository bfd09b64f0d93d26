"""What hosts can use of a tag or a stack, and what a package needs of a host."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass

from etl.catalog.asking import Listed, ask, listed
from etl.catalog.indexes import INCOMPLETE
from etl.hosts.profiles import SHOWN_PROFILES, find_host
from etl.query.reuse import Reuse

MAX_INCOMPLETE = 30
"""Binaries that are named, of those that cannot be installed from the cache alone."""

_GROUPS = """
    SELECT specs.fault, specs.need_id, specs.need_set, binaries.complete, count(*) AS number
    FROM binaries CROSS JOIN specs ON specs.id = binaries.spec_id
    WHERE binaries.tag_id = (SELECT id FROM tags WHERE name = :tag_1)
        AND (:stack_1 IS NULL OR binaries.stack_set_id IN (
            SELECT stack_set_id FROM stack_set_members
            WHERE stack_id = (SELECT id FROM stacks WHERE name = :stack_1)
        ))
    GROUP BY 1, 2, 3, 4
"""
_NEEDED = """
    SELECT targets.name AS target, libcs.name AS libc, libcs.version, libcs.path, count(*) AS number
    FROM binaries
    CROSS JOIN specs ON specs.id = binaries.spec_id
    CROSS JOIN targets ON targets.id = binaries.target_id
    LEFT JOIN libcs ON libcs.id = specs.libc_id
    WHERE binaries.package_id = (SELECT id FROM packages WHERE name = :package_1)
        AND binaries.tag_id = (SELECT id FROM tags WHERE name = :tag_1)
    GROUP BY targets.id, libcs.id
    ORDER BY targets.name, libcs.name, libcs.sort_key, libcs.path
"""
_INCOMPLETE = f"""\
SELECT packages.name AS package, versions.version, specs.hash
FROM binaries INDEXED BY {INCOMPLETE.name}
CROSS JOIN specs ON specs.id = binaries.spec_id
CROSS JOIN packages ON packages.id = binaries.package_id
CROSS JOIN versions ON versions.id = binaries.version_id
WHERE binaries.tag_id = (SELECT id FROM tags WHERE name = :tag_1) AND binaries.complete = 0
    AND (:stack_1 IS NULL OR binaries.stack_set_id IN (
        SELECT stack_set_id FROM stack_set_members
        WHERE stack_id = (SELECT id FROM stacks WHERE name = :stack_1)
    ))
ORDER BY packages.name, binaries.version_id DESC, specs.hash"""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of some binaries a profile can use."""

    profile: str
    taken: int
    of: int

    @property
    def percent(self) -> int:
        """The share in per cent, rounded down."""
        return 100 * self.taken // self.of if self.of else 0


@dataclass(frozen=True, slots=True)
class Needed:
    """Rows of targets, columns of libcs, and how many binaries need both."""

    libcs: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]


def profile_shares(db: sqlite3.Connection, tag: str, stack: str | None = None) -> tuple[Share, ...]:
    """What each profile that is shown can use of a tag, or of a stack in it."""
    groups = ask(db, _GROUPS, tag_1=tag, stack_1=stack)
    total = sum(it["number"] for it in groups)
    shares = []
    for profile in SHOWN_PROFILES:
        reuse = Reuse(db, find_host(profile))
        taken = sum(
            it["number"]
            for it in groups
            if reuse.takes(it["fault"], it["need_id"], it["need_set"], it["complete"] == 0)
        )
        shares.append(Share(profile, taken, total))
    return tuple(shares)


def needed_by_package(db: sqlite3.Connection, package: str, tag: str) -> Needed:
    """What one needs to be able to use the binaries of a package, closures included."""
    counts: Counter[tuple[str, str]] = Counter()
    libcs: dict[str, None] = {}
    for row in ask(db, _NEEDED, package_1=package, tag_1=tag):
        path = f" in {row['path']}" if row["path"] not in (None, "/usr") else ""
        name = f"{row['libc']} {row['version']}{path}" if row["libc"] else "none"
        libcs[name] = None
        counts[row["target"], name] += row["number"]
    columns = tuple(sorted(libcs, key=_by_version))
    targets = sorted({target for target, _ in counts})
    return Needed(
        columns, tuple((target, tuple(counts[target, it] for it in columns)) for target in targets)
    )


def incomplete_binaries(db: sqlite3.Connection, tag: str, stack: str | None = None) -> Listed:
    """The first binaries of a tag that cannot be installed from the cache alone."""
    return listed(db, _INCOMPLETE, MAX_INCOMPLETE, tag_1=tag, stack_1=stack)


def _by_version(libc: str) -> tuple[bool, str, list[int], str]:
    name, _, version = libc.partition(" ")
    numbers = [int(it) for it in version.partition(" ")[0].split(".") if it.isdigit()]
    return libc != "none", name, numbers, version
