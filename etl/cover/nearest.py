"""The nearest build that the cache has of each spec that it does not have.

Candidates are told apart by the columns of ``specs`` alone, and those that are alike are one, since
there may be thousands of each package: only what is nearest is then read whole.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from etl.catalog.variant_text import split_variants
from etl.cover.differences import family
from etl.records import Spec
from etl.workers import batched

_MANY = 1_000
"""Names in one value, a JSON array, at most: a site allows values of 50,000 bytes."""

_ALIKE = """
    SELECT packages.name, specs.id, specs.format, specs.version_id, specs.os_id, specs.target_id,
        specs.compiler_id, specs.variant_set_id, specs.package_hash, max({newest})
    FROM json_each(:packages) AS wanted
    CROSS JOIN packages ON packages.name = wanted.value
    {binaries}
    WHERE specs.format IS NOT NULL AND specs.tags > 0
    GROUP BY packages.id, specs.version_id, specs.os_id, specs.target_id, specs.compiler_id,
        specs.variant_set_id, specs.package_hash
    ORDER BY max({newest}) DESC, specs.id DESC
"""
"""Of builds that differ in nothing that is looked at, the newest stands for all."""

_IN_TAG = _ALIKE.format(
    newest="binaries.id",
    binaries="""
    CROSS JOIN tags ON tags.name = :tag
    CROSS JOIN binaries ON binaries.tag_id = tags.id AND binaries.package_id = packages.id
    CROSS JOIN specs ON specs.id = binaries.spec_id
    """,
)
_ANYWHERE = _ALIKE.format(
    newest="specs.last_tag_id", binaries="CROSS JOIN specs ON specs.package_id = packages.id"
)
_VERSIONS = """
    SELECT packages.name, versions.version, versions.id
    FROM json_each(:versions) AS wanted
    CROSS JOIN packages ON packages.name = json_extract(wanted.value, '$[0]')
    CROSS JOIN versions ON versions.package_id = packages.id
        AND versions.version = json_extract(wanted.value, '$[1]')
"""
_NAMES = "SELECT name, id FROM {}"


@dataclass(frozen=True, slots=True)
class Near:
    """A build that the cache has: the id of its spec, and the format that this was told in."""

    key: int
    format: int


class _Build(NamedTuple):
    """What is looked at of a build that the cache has: mostly numbers of rows."""

    key: int
    format: int
    version: int | None
    os: int | None
    target: int | None
    compiler: int | None
    variants: int | None
    package_hash: str | None


class _Wanted(NamedTuple):
    """The same of a spec that it does not have; None where the catalog has no such row."""

    family: str
    version: int | None
    os: int | None
    target: int | None
    compiler: int | None
    variants: frozenset[str]
    package_hash: str | None


class Nearest:
    """Finds what is nearest: in a tag, else among the newest of all."""

    def __init__(self, db: sqlite3.Connection, tag: str | None) -> None:
        self._db = db
        self._tag = tag
        self._variants: dict[int | None, frozenset[str]] = {None: frozenset()}
        self._systems = self._names("operating_systems")
        self._targets = self._names("targets")
        self._compilers = self._names("compilers")
        self._families: dict[int | None, str] = {
            id_: family(name) for name, id_ in self._targets.items()
        }

    def of(self, specs: Iterable[Spec]) -> dict[str, Near]:
        """What is nearest to each of some specs, by hash; those without any build are left out."""
        missing = list(specs)
        wanted = self._wanted(missing)
        found: dict[str, _Build] = {}
        if self._tag is not None:
            builds = self._builds(_IN_TAG, missing)
            for spec in missing:
                self._improve(found, spec, builds[spec.package], wanted[spec.hash])
        rest = [it for it in missing if not self._is_near(found.get(it.hash), wanted[it.hash])]
        builds = self._builds(_ANYWHERE, rest)
        for spec in rest:
            all_, like = builds[spec.package], wanted[spec.hash]
            self._improve(found, spec, [it for it in all_ if it.version == like.version], like)
            if not self._is_near(found.get(spec.hash), like):
                self._improve(found, spec, all_, like)
        return {hash_: Near(it.key, it.format) for hash_, it in found.items()}

    def _improve(
        self, found: dict[str, _Build], spec: Spec, builds: Sequence[_Build], wanted: _Wanted
    ) -> None:
        """Take the nearest of some builds, of several that of the same machine, then the first."""
        known = found.get(spec.hash)
        nearest = min(
            (*([known] if known else ()), *builds),
            key=lambda it: self._distance(it, wanted),
            default=None,
        )
        if nearest:
            found[spec.hash] = nearest

    def _is_near(self, build: _Build | None, wanted: _Wanted) -> bool:
        """Whether a build was found, and is at least for a machine of the same family."""
        return build is not None and self._families.get(build.target) == wanted.family

    def _distance(self, build: _Build, wanted: _Wanted) -> tuple[int, int]:
        """How far two builds are apart: what a user would change last weighs most."""
        machine = 4 * (build.os != wanted.os) + 2 * (build.target != wanted.target)
        return (
            machine
            + 20 * (self._families.get(build.target) != wanted.family)
            + 5 * (build.version != wanted.version)
            + 2 * (build.compiler != wanted.compiler)
            + len(self._variants_of(build.variants) ^ wanted.variants)
            + (build.package_hash != wanted.package_hash),
            machine,
        )

    def _wanted(self, specs: Sequence[Spec]) -> dict[str, _Wanted]:
        versions: dict[tuple[str, str], int] = {}
        for part in batched(sorted({(it.package, it.version) for it in specs}), _MANY):
            for *version, id_ in self._db.execute(_VERSIONS, {"versions": json.dumps(part)}):
                versions[version[0], version[1]] = id_
        return {
            it.hash: _Wanted(
                family(it.target),
                versions.get((it.package, it.version)),
                self._systems.get(it.os),
                self._targets.get(it.target),
                self._compilers.get(it.compiler),
                frozenset(text.replace(":=", "=", 1) for text in it.variants),
                it.build.package_hash if it.build else None,
            )
            for it in specs
        }

    def _builds(self, sql: str, specs: Iterable[Spec]) -> Mapping[str, Sequence[_Build]]:
        """The builds that there are of the packages of some specs, the newest first."""
        found: defaultdict[str, list[_Build]] = defaultdict(list)
        for part in batched(sorted({it.package for it in specs}), _MANY):
            values = {"packages": json.dumps(part), "tag": self._tag}
            for package, *build, _ in self._db.execute(sql, values):
                found[package].append(_Build(*build))
        return found

    def _variants_of(self, set_: int | None) -> frozenset[str]:
        if set_ not in self._variants:
            sql = "SELECT variants FROM variant_sets WHERE id = ?"
            (text,) = self._db.execute(sql, (set_,)).fetchone()
            told = (it.replace(":=", "=", 1) for it in split_variants(text))
            self._variants[set_] = frozenset(told)
        return self._variants[set_]

    def _names(self, table: str) -> dict[str, int]:
        return dict(self._db.execute(_NAMES.format(table)).fetchall())
