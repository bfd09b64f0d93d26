"""What a change of a package would rebuild: the binaries of a tag that contain it, by what for."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from etl.catalog.names_near import check_name
from etl.compare.above import Above, Use
from etl.query.find import Finder
from etl.spack.tree import SpecQuery

_PRESENT = """
    SELECT binaries.spec_id, packages.name, specs.size, stack_sets.stacks
    FROM binaries
    CROSS JOIN specs ON specs.id = binaries.spec_id
    CROSS JOIN packages ON packages.id = binaries.package_id
    CROSS JOIN stack_sets ON stack_sets.id = binaries.stack_set_id
    WHERE binaries.tag_id = (SELECT id FROM tags WHERE name = ?)
"""


@dataclass(frozen=True, slots=True)
class Part:
    """Some binaries: how many, how many bytes as far as they are known, and of how many."""

    binaries: int
    size: int
    sizes_known: int


@dataclass(frozen=True, slots=True)
class Impact:
    """What contains a package in a tag.

    ``itself`` are its own binaries; ``links`` are those that link to it, directly or through
    others; ``runs`` those that need it at run time otherwise; ``builds`` are the others that were
    built with it, at whatever distance.
    ``packages`` names those that would be rebuilt, most binaries first.
    """

    what: str
    tag: str
    itself: Part
    links: Part
    runs: Part
    builds: Part
    packages: tuple[tuple[str, int], ...]
    stacks: tuple[tuple[str, int], ...]

    @property
    def total(self) -> Part:
        """All that a change would rebuild."""
        parts = (self.itself, self.links, self.runs, self.builds)
        return Part(
            sum(it.binaries for it in parts),
            sum(it.size for it in parts),
            sum(it.sizes_known for it in parts),
        )


def impact(db: sqlite3.Connection, query: SpecQuery, tag: str) -> Impact:
    """What a change of the specs that satisfy a query would rebuild in a tag.

    Raises:
        UsageError: there is no such tag.
        UnanswerableError: the catalog cannot answer the query.
    """
    check_name(db, "tag", tag)
    statement = Finder(db).specs([query])
    sql = f"SELECT id FROM specs WHERE hash IN (\n{statement.sql}\n)"
    own = {id_ for (id_,) in db.execute(sql, statement.values)}
    present = {row[0]: row[1:] for row in db.execute(_PRESENT, (tag,))}
    above = Above(db, tag, own, present.keys())
    linked = above.climb(own, Use.LINK)
    needed = above.climb(linked, Use.RUN)
    every = above.climb(needed, Use.BUILD)
    groups = [
        own & present.keys(),
        (linked - own) & present.keys(),
        (needed - linked) & present.keys(),
        (every - needed) & present.keys(),
    ]
    affected = set().union(*groups)
    packages = Counter(present[id_][0] for id_ in affected)
    stacks: Counter[str] = Counter()
    for text, binaries in Counter(present[id_][2] for id_ in affected).items():
        stacks.update(dict.fromkeys(text.split(), binaries))
    itself, links, runs, builds = (_part(present[id_][1] for id_ in group) for group in groups)
    return Impact(str(query), tag, itself, links, runs, builds, _ranked(packages), _ranked(stacks))


def _part(sizes: Iterable[int | None]) -> Part:
    known: dict[bool, list[int]] = defaultdict(list)
    for size in sizes:
        known[size is not None].append(size or 0)
    return Part(len(known[True]) + len(known[False]), sum(known[True]), len(known[True]))


def _ranked(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda it: (-it[1], it[0])))
