"""What recipes say about virtual packages: which packages provide them, and when."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from etl.spack.syntax import parse_spec
from etl.spack.tree import Node
from etl.spack.versions import VersionList, parse_versions


@dataclass(frozen=True, slots=True)
class Provider:
    """A package provides versions of a virtual package where it is all that ``conditions`` say.

    ``versions`` of None are any.
    """

    package: str
    versions: VersionList | None
    conditions: tuple[Node, ...]

    def provides(self, versions: VersionList | None) -> bool:
        """Whether one of these versions is among those that are provided."""
        return self.versions is None or versions is None or self.versions.intersects(versions)


class Providers:
    """What a catalog knows of the providers of virtual packages."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[str, tuple[Provider, ...] | None] = {}

    def of(self, virtual: str) -> tuple[Provider, ...] | None:
        """What provides a virtual package; None if recipes do not tell, or compute it."""
        if virtual not in self._known:
            self._known[virtual] = self._read(virtual)
        return self._known[virtual]

    def names(self, virtual: str) -> tuple[str, ...]:
        """The packages of which some spec provides it to another, or may provide it."""
        found = self._db.execute(
            """
            SELECT packages.name FROM provides JOIN packages ON packages.id = package_id
            WHERE virtual = :virtual
            UNION
            SELECT packages.name FROM dependencies
            JOIN specs ON specs.id = child_id JOIN packages ON packages.id = package_id
            WHERE dependencies.virtuals IN (
                SELECT virtuals FROM virtual_lists WHERE virtual = :virtual
            )
            """,
            {"virtual": virtual},
        )
        return tuple(name for (name,) in found)

    def _read(self, virtual: str) -> tuple[Provider, ...] | None:
        rows = self._db.execute(
            "SELECT packages.name, provides.versions, condition FROM provides"
            " JOIN packages ON packages.id = package_id WHERE virtual = ? ORDER BY provides.id",
            (virtual,),
        ).fetchall()
        if not rows or any(versions is None for _, versions, _ in rows):
            return None
        return tuple(
            Provider(
                package,
                parse_versions(versions) if versions else None,
                tuple(parse_spec(it).root for it in condition.splitlines()),
            )
            for package, versions, condition in rows
        )
