"""The nearest build that the cache has of each spec that it does not have.

Candidates are told apart by the columns of ``specs`` alone, since there may be thousands of each
package: only what is nearest is then read whole.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from etl.catalog.asking import AT_ONCE
from etl.catalog.variant_text import split_variants
from etl.cover.differences import family
from etl.records import Spec
from etl.workers import batched

_IN_TAG = """
    SELECT specs.id, specs.format, specs.version_id, specs.os_id, specs.target_id,
        specs.compiler_id, specs.variant_set_id, specs.package_hash
    FROM binaries CROSS JOIN specs ON specs.id = binaries.spec_id
    WHERE binaries.tag_id = ? AND binaries.package_id = ? AND specs.format IS NOT NULL
    ORDER BY binaries.id DESC
"""
_OF_VERSION = """
    SELECT id, format, version_id, os_id, target_id, compiler_id, variant_set_id, package_hash
    FROM specs
    WHERE package_id = ? AND version_id = ? AND tags > 0 AND format IS NOT NULL
    ORDER BY (os_id = ?) + 2 * (target_id = ?) DESC, last_tag_id DESC, id DESC
    LIMIT 20
"""
_OF_PACKAGE = _OF_VERSION.replace("AND version_id = ? ", "")

_TAG = "SELECT id FROM tags WHERE name = ?"
_VERSION = "SELECT id FROM versions WHERE package_id = ? AND version = ?"
_PACKAGES = "SELECT name, id FROM packages WHERE name IN ({})"
_NAMES = "SELECT name, id FROM {}"

_Row = tuple[int, int, int, int, int, int, int, str | None]


@dataclass(frozen=True, slots=True)
class Near:
    """A build that the cache has: the id of its spec, and the format that this was told in."""

    key: int
    format: int


class Nearest:
    """Finds what is nearest: in a tag, else among the newest of all; what was read is kept."""

    def __init__(self, db: sqlite3.Connection, tag: str | None) -> None:
        self._db = db
        self._tag = self._id(_TAG, tag)
        self._packages: dict[str, int] = {}
        self._rows: dict[tuple[int | None, ...], list[_Row]] = {}
        self._variants: dict[int, frozenset[str]] = {}
        self._systems = self._names("operating_systems")
        self._targets = self._names("targets")
        self._compilers = self._names("compilers")
        self._families = {id_: family(name) for name, id_ in self._targets.items()}

    def of(self, specs: Iterable[Spec]) -> dict[str, Near]:
        """What is nearest to each of some specs, by hash; those without any build are left out."""
        wanted = list(specs)
        self._read_packages(it.package for it in wanted)
        found = ((spec.hash, self._nearest(spec)) for spec in wanted)
        return {hash_: near for hash_, near in found if near}

    def _nearest(self, spec: Spec) -> Near | None:
        package = self._packages.get(spec.package)
        if package is None:
            return None
        version = self._id(_VERSION, package, spec.version)
        machine = self._systems.get(spec.os, 0), self._targets.get(spec.target, 0)
        wanted = (
            family(spec.target),
            version,
            *machine,
            self._compilers.get(spec.compiler),
            frozenset(it.replace(":=", "=", 1) for it in spec.variants),
            spec.build.package_hash if spec.build else None,
        )
        nearest: tuple[int, _Row] | None = None
        for rows in self._candidates(package, version, machine):
            for row in rows:
                distance = self._distance(row, *wanted)
                if nearest is None or distance < nearest[0]:
                    nearest = distance, row
            if nearest and self._families[nearest[1][4]] == wanted[0]:
                break
        return Near(nearest[1][0], nearest[1][1]) if nearest else None

    def _candidates(
        self, package: int, version: int | None, machine: tuple[int, int]
    ) -> Iterable[list[_Row]]:
        """Builds of a package: those of the tag, then of the version in all tags, then of any.

        In all tags there may be thousands: what is for the same machine comes first, then the
        newest.
        """
        if self._tag is not None:
            yield self._kept(_IN_TAG, self._tag, package)
        if version is not None:
            yield self._kept(_OF_VERSION, package, version, *machine)
        yield self._kept(_OF_PACKAGE, package, *machine)

    def _kept(self, sql: str, *values: int) -> list[_Row]:
        key = (len(sql), *values)
        if key not in self._rows:
            # Of builds that differ in nothing that is looked at, the newest stands for all.
            alike: dict[tuple[object, ...], _Row] = {}
            for id_, spec_format, *looked_at in self._db.execute(sql, values):
                alike.setdefault(tuple(looked_at), (id_, spec_format, *looked_at))
            self._rows[key] = list(alike.values())
        return self._rows[key]

    def _distance(
        self,
        row: _Row,
        family_: str,
        version: int | None,
        os: int,
        target: int,
        compiler: int | None,
        variants: frozenset[str],
        package_hash: str | None,
    ) -> int:
        """How far two builds are apart: what a user would change last weighs most."""
        return (
            20 * (self._families[row[4]] != family_)
            + 5 * (row[2] != version)
            + 4 * (row[3] != os)
            + 2 * (row[4] != target)
            + 2 * (row[5] != compiler)
            + len(self._variants_of(row[6]) ^ variants)
            + (row[7] != package_hash)
        )

    def _variants_of(self, set_: int) -> frozenset[str]:
        if set_ not in self._variants:
            sql = "SELECT variants FROM variant_sets WHERE id = ?"
            (text,) = self._db.execute(sql, (set_,)).fetchone()
            told = (it.replace(":=", "=", 1) for it in split_variants(text))
            self._variants[set_] = frozenset(told)
        return self._variants[set_]

    def _read_packages(self, names: Iterable[str]) -> None:
        for part in batched(dict.fromkeys(names), AT_ONCE):
            sql = _PACKAGES.format(", ".join("?" * len(part)))
            self._packages.update(self._db.execute(sql, part).fetchall())

    def _names(self, table: str) -> dict[str, int]:
        return dict(self._db.execute(_NAMES.format(table)).fetchall())

    def _id(self, sql: str, *values: object) -> int | None:
        found = self._db.execute(sql, values).fetchone()
        return found[0] if found else None
