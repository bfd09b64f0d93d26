"""What a change of a package would rebuild: the binaries of a tag that contain it, by what for."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from etl.catalog.asking import Row, rows_about
from etl.catalog.names_near import check_name
from etl.compare.above import Use, graph_over
from etl.compare.tag_graph import Binary, GraphOf, graph_about
from etl.errors import UsageError
from etl.memory import no_garbage_collection
from etl.query.find import Finder
from etl.spack.tree import SpecQuery

CLOSURES: Final = {
    "link": "link dependents",
    "run": "link and run dependents",
    "build": "all dependents",
}
"""The closures that a list may be of, and which binaries have something in theirs."""

HOW: Final = {Use.ITSELF: "itself", Use.LINK: "link", Use.RUN: "run", Use.BUILD: "build"}
"""How a binary contains something, the closest first."""

_LEAST = {"link": Use.LINK, "run": Use.RUN, "build": Use.BUILD}

_PRESENT = """
    SELECT binaries.spec_id, binaries.id, binaries.package_id, binaries.stack_set_id, specs.size
    FROM json_each(?)
    CROSS JOIN binaries ON binaries.spec_id = value
        AND binaries.tag_id = (SELECT id FROM tags WHERE name = ?)
    CROSS JOIN specs ON specs.id = value
"""
_NAMED = "SELECT id, {} FROM {} WHERE id IN (SELECT value FROM json_each(?))"

# Of tags that tell dependencies the newest; those with a date come before those without.
_NEWEST = """
    SELECT name FROM tags WHERE described > 0
    ORDER BY id NOT IN (SELECT value FROM json_each(?)), date IS NULL, position DESC LIMIT 1
"""
_WITH = """
    SELECT DISTINCT tag_id FROM json_each(?) CROSS JOIN binaries ON binaries.spec_id = value
"""


@dataclass(frozen=True, slots=True)
class Part:
    """Some binaries: how many, how many bytes as far as they are known, and of how many."""

    binaries: int
    size: int
    sizes_known: int


@dataclass(frozen=True, slots=True)
class Impact:
    """What contains a package, or some versions of it, in a tag.

    ``itself`` are its own binaries; ``links`` are those that link to it, directly or through
    others; ``runs`` those that need it at run time otherwise; ``builds`` are the others that were
    built with it, at whatever distance.  ``is_told`` is whether any binary of the tag tells its
    dependencies, and ``untold`` how many do not, which pages list.

    What is listed are the binaries that have it in their ``closure``, one of :data:`CLOSURES`:
    ``packages`` ranks them (package, binaries, size), most binaries first, ``stacks`` counts those
    of each stack, and ``found`` has the ids of the binaries, by how they contain it.  All that
    contain it are in so many stacks: ``in_stacks``.
    """

    what: str
    tag: str
    closure: str
    itself: Part
    links: Part
    runs: Part
    builds: Part
    in_stacks: int
    packages: tuple[Row, ...]
    stacks: tuple[tuple[str, int], ...]
    found: tuple[tuple[str, array[int]], ...]
    is_told: bool
    untold: int

    @property
    def total(self) -> Part:
        """All that a change would rebuild."""
        parts = (self.itself, self.links, self.runs, self.builds)
        return Part(
            sum(it.binaries for it in parts),
            sum(it.size for it in parts),
            sum(it.sizes_known for it in parts),
        )

    @property
    def listed(self) -> int:
        """How many binaries are listed."""
        return sum(len(ids) for _, ids in self.found)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON has it, without the binaries themselves."""
        told = {
            name: getattr(self, name)
            for name in (
                "what",
                "tag",
                "closure",
                "is_told",
                "untold",
                "in_stacks",
                "packages",
                "stacks",
            )
        }
        names = ("itself", "links", "runs", "builds", "total")
        parts = {name: asdict(getattr(self, name)) for name in names}
        return {**told, **parts, "listed": self.listed}


@no_garbage_collection()
def impact(
    db: sqlite3.Connection,
    query: SpecQuery,
    tag: str,
    closure: str = "build",
    graph_of: GraphOf = graph_about,
) -> Impact:
    """What contains the specs that satisfy a query in a tag, and which of it is in a closure.

    Raises:
        UsageError: there is no such tag, or no such closure.
        UnanswerableError: the catalog cannot answer the query.
    """
    check_name(db, "tag", tag)
    if closure not in CLOSURES:
        raise UsageError(f"the closure is one of {', '.join(CLOSURES)}")
    sql = "SELECT described, binaries - described FROM tags WHERE name = ?"
    described, untold = db.execute(sql, (tag,)).fetchone()
    own = _specs(db, query) if described else []
    over = graph_over(db, own)
    if over:
        uses = over.uses(own)
        binaries: Mapping[int, Binary] = {
            row[0]: Binary(*row) for row in rows_about(db, _PRESENT, uses, tag)
        }
    else:
        binaries, graph = graph_of(db, tag, own)
        uses = graph.uses(own)
    rows: dict[int, list[Binary]] = {use: [] for use in HOW}
    for spec, use in uses.items():
        if spec in binaries:
            rows[use].append(binaries[spec])
    listed = {use: rows[use] if use >= _LEAST[closure] else [] for use in HOW}
    every = [it for those in listed.values() for it in those]
    in_sets = {it.stack_set for those in rows.values() for it in those}
    return Impact(
        str(query),
        tag,
        closure,
        itself=_part(rows[Use.ITSELF]),
        links=_part(rows[Use.LINK]),
        runs=_part(rows[Use.RUN]),
        builds=_part(rows[Use.BUILD]),
        in_stacks=len(_by_stack(db, dict.fromkeys(in_sets, 1))),
        packages=_ranked(db, every),
        stacks=_by_stack(db, Counter(it.stack_set for it in every)),
        found=tuple(
            (HOW[use], array("q", [it.id for it in those])) for use, those in listed.items()
        ),
        is_told=described > 0,
        untold=untold,
    )


def closure_for(query: SpecQuery) -> str:
    """What is listed where nothing is asked: all, of some versions what links to them.

    Who names versions asks what is affected by something in them.
    """
    return "link" if query.root.version else "build"


def impact_tag(db: sqlite3.Connection, query: SpecQuery) -> str | None:
    """The tag to look in where none is asked for: the newest that has a binary of the query.

    What has binaries nowhere, as compilers of the system, is looked for in the newest; None if no
    tag tells dependencies.
    """
    tags = sorted({tag for (tag,) in rows_about(db, _WITH, _specs(db, query))})
    row = db.execute(_NEWEST, (json.dumps(tags),)).fetchone()
    return row and str(row[0])


def _specs(db: sqlite3.Connection, query: SpecQuery) -> list[int]:
    statement = Finder(db).specs([query])
    sql = f"SELECT id FROM specs WHERE hash IN (\n{statement.sql}\n)"
    return [id_ for (id_,) in db.execute(sql, statement.values)]


def _part(binaries: Sequence[Binary]) -> Part:
    sizes = [it.size for it in binaries if it.size is not None]
    return Part(len(binaries), sum(sizes), len(sizes))


def _ranked(db: sqlite3.Connection, binaries: Sequence[Binary]) -> tuple[Row, ...]:
    numbers = Counter(it.package for it in binaries)
    sizes: dict[int, int] = defaultdict(int)
    for it in binaries:
        if it.size is not None:
            sizes[it.package] += it.size
    rows = (
        {"package": name, "binaries": numbers[id_], "size": sizes.get(id_)}
        for id_, name in rows_about(db, _NAMED.format("name", "packages"), numbers)
    )
    return tuple(sorted(rows, key=lambda it: (-it["binaries"], it["package"])))


def _by_stack(db: sqlite3.Connection, sets: Mapping[int, int]) -> tuple[tuple[str, int], ...]:
    stacks: Counter[str] = Counter()
    for id_, names in rows_about(db, _NAMED.format("stacks", "stack_sets"), sets):
        stacks.update(dict.fromkeys(names.split(), sets[id_]))
    return tuple(sorted(stacks.items(), key=lambda it: (-it[1], it[0])))
