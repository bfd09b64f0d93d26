"""The page of a virtual package, an interface such as ``mpi``: what provides it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from etl.catalog.asking import Listed, NotHereError, Row, ask, ask_one, listed

_KNOWN = """
    SELECT 1 WHERE EXISTS (SELECT 1 FROM virtual_providers WHERE virtual = :virtual_1)
        OR EXISTS (SELECT 1 FROM provides WHERE virtual = :virtual_1)
"""
_PROVIDERS = """\
SELECT packages.name AS package, versions.version AS newest_version, packages.specs,
    ifnull(virtual_providers.dependents, 0) AS dependents, tags.name AS last_tag
FROM packages
LEFT JOIN virtual_providers
    ON virtual_providers.package_id = packages.id AND virtual_providers.virtual = :virtual_1
LEFT JOIN versions ON versions.id = packages.newest_version_id
LEFT JOIN tags ON tags.id = packages.last_tag_id
WHERE packages.id IN (
    SELECT package_id FROM virtual_providers WHERE virtual = :virtual_1
    UNION SELECT package_id FROM provides WHERE virtual = :virtual_1
)
ORDER BY dependents DESC, packages.name"""
_RULES = """
    SELECT packages.name AS package, provides.versions, provides.condition
    FROM provides JOIN packages ON packages.id = provides.package_id
    WHERE provides.virtual = :virtual_1 ORDER BY packages.name, provides.id
"""
_OF_PACKAGE = """
    SELECT virtual FROM virtual_providers
    WHERE package_id = (SELECT id FROM packages WHERE name = :package_1)
    UNION
    SELECT virtual FROM provides
    WHERE package_id = (SELECT id FROM packages WHERE name = :package_1)
    ORDER BY virtual
"""


@dataclass(frozen=True, slots=True)
class VirtualFacts:
    """What provides a virtual package.

    ``providers`` has for each how many specs take it from there (``dependents``); ``rules`` are
    what recipes say: which versions of it, and on what condition.
    """

    virtual: str
    providers: Listed
    rules: tuple[Row, ...]


def is_virtual(db: sqlite3.Connection, name: str) -> bool:
    """Whether something provides a virtual package of this name."""
    return ask_one(db, _KNOWN, virtual_1=name) is not None


def virtual_facts(db: sqlite3.Connection, name: str) -> VirtualFacts:
    """The facts of a virtual package.

    Raises:
        NotHereError: nothing provides it.
    """
    if not is_virtual(db, name):
        raise NotHereError("virtual package", name)
    return VirtualFacts(
        name, listed(db, _PROVIDERS, 1_000, virtual_1=name), ask(db, _RULES, virtual_1=name)
    )


def provided_by(db: sqlite3.Connection, package: str) -> tuple[str, ...]:
    """The virtual packages that a package provides, by name."""
    return tuple(row["virtual"] for row in ask(db, _OF_PACKAGE, package_1=package))
