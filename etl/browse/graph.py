"""What a spec needs, and what that needs in turn."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from etl.catalog.asking import Row, ask

MAX_NEEDED = 400
"""Specs of a graph that are shown; the largest of Spack's have some 300."""

MAX_DEPTH = 40
"""Levels of a graph that are shown; those of Spack have some 15."""

_CHILDREN = """
    SELECT specs.id, packages.name AS package, versions.version, specs.hash,
        dependencies.deptypes, dependencies.virtuals, specs.tags > 0 AS available,
        specs.external IS NOT NULL AS external
    FROM dependencies
    CROSS JOIN specs ON specs.id = dependencies.child_id
    CROSS JOIN packages ON packages.id = specs.package_id
    LEFT JOIN versions ON versions.id = specs.version_id
    WHERE dependencies.parent_id = :spec_1
    ORDER BY packages.name, specs.hash
"""


@dataclass(frozen=True, slots=True)
class Branch:
    """A dependency in the tree; ``again`` says that what it needs is told further up."""

    package: str
    version: str | None
    hash: str
    deptypes: str
    virtuals: str
    available: int
    external: int
    again: bool
    branches: list[Branch] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Needed:
    """All that a spec needs: as a tree in which each spec is told once, and as a list by name.

    ``more`` says that there is more than is told.
    """

    tree: tuple[Branch, ...]
    specs: tuple[Row, ...]
    direct: int
    more: bool


def needed_by_spec(db: sqlite3.Connection, spec_id: int) -> Needed:
    """The dependencies of a spec, direct ones and theirs; nothing where no source tells them."""
    seen = {spec_id}
    specs: dict[str, Row] = {}
    more = False
    roots: list[Branch] = []
    # Breadth first, so that each spec is told where it is nearest to the root.
    level = [(spec_id, roots)]
    for depth in range(MAX_DEPTH):
        deeper = []
        for parent, branches in level:
            for row in ask(db, _CHILDREN, spec_1=parent):
                id_ = row.pop("id")
                branch = Branch(**row, again=id_ in seen)
                if id_ not in seen and len(seen) > MAX_NEEDED:
                    more = True
                    continue
                branches.append(branch)
                if id_ not in seen:
                    seen.add(id_)
                    deeper.append((id_, branch.branches))
                    specs[branch.hash] = _row(branch, depth == 0)
        level = deeper
    return Needed(
        tuple(roots),
        tuple(sorted(specs.values(), key=lambda it: (it["package"], it["hash"]))),
        len(roots),
        more or bool(level),
    )


def _row(branch: Branch, direct: bool) -> Row:
    return {
        "package": branch.package,
        "version": branch.version,
        "hash": branch.hash,
        "direct": direct,
        "available": branch.available,
        "external": branch.external,
    }
