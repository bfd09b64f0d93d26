"""Specs of the same package that are most like one, and what is different about them."""

from __future__ import annotations

import sqlite3
from bisect import insort
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from operator import itemgetter

from etl.browse.facets import variant_name
from etl.browse.spec_text import SPEC_NAMES, flag_text, flags_of
from etl.catalog.asking import Row, ask, ask_for_each
from etl.catalog.variant_text import split_variants

MAX_SIMILAR = 12

_CANDIDATES = 400
"""Kinds of specs that are compared variant by variant: those that differ in the fewest columns."""

_COLUMNS = ("version", "compiler", "os", "platform", "target")

# One of each kind: specs with the same of everything but hash are told together.
_KINDS = f"""
    SELECT kinds.id, kinds.alike, kinds.differences,
        specs.hash, versions.version, compilers.name AS compiler, operating_systems.name AS os,
        platforms.name AS platform, targets.name AS target, variant_sets.variants,
        last.name AS last_tag
    FROM (
        SELECT max(other.id) AS id, count(*) AS alike,
            (other.version_id IS NOT this.version_id) + (other.compiler_id IS NOT this.compiler_id)
            + (other.os_id IS NOT this.os_id) + (other.target_id IS NOT this.target_id)
            + (other.variant_set_id IS NOT this.variant_set_id) AS differences,
            other.version_id
        FROM specs AS this
        CROSS JOIN specs AS other ON other.package_id = this.package_id
        WHERE this.id = :spec_1 AND other.id != this.id AND other.tags > 0
        GROUP BY other.version_id, other.compiler_id, other.os_id, other.platform_id,
            other.target_id, other.variant_set_id
        ORDER BY differences, abs(other.version_id - this.version_id), id DESC
        LIMIT :limit_1
    ) AS kinds
    CROSS JOIN specs ON specs.id = kinds.id
{SPEC_NAMES}
"""
_THIS = f"""
    SELECT specs.hash, versions.version, compilers.name AS compiler, operating_systems.name AS os,
        platforms.name AS platform, targets.name AS target, variant_sets.variants
    FROM specs
{SPEC_NAMES}
    WHERE specs.id = :spec_1
"""
_DIRECT = """
    SELECT packages.name AS package, versions.version, specs.hash FROM dependencies
    CROSS JOIN specs ON specs.id = dependencies.child_id
    CROSS JOIN packages ON packages.id = specs.package_id
    LEFT JOIN versions ON versions.id = specs.version_id
    WHERE dependencies.parent_id = :spec_1
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is different: ``here`` is what the spec of the page has, ``there`` what the other."""

    what: str
    here: str | None
    there: str | None


@dataclass(frozen=True, slots=True)
class Similar:
    """A spec like the one of the page; ``alike`` is how many are like it in all but the hash."""

    hash: str
    version: str | None
    last_tag: str | None
    alike: int
    differences: tuple[Difference, ...]


def similar_specs(db: sqlite3.Connection, spec_id: int) -> tuple[Similar, ...]:
    """The specs of the same package with the fewest differences, each with these named."""
    this = ask(db, _THIS, spec_1=spec_id)[0]
    counted = _Counted(this["variants"])
    compared: list[tuple[int, Row]] = []
    numbers: list[int] = []
    for kind in ask_for_each(db, _KINDS, spec_1=spec_id, limit_1=_CANDIDATES):
        # Those that differ in fewer columns come first.  Variants that differ may still be written
        # alike; each other column is a difference.
        if len(numbers) >= MAX_SIMILAR and numbers[MAX_SIMILAR - 1] < kind["differences"]:
            break
        number = sum(this[it] != kind[it] for it in _COLUMNS) + counted[kind["variants"]]
        compared.append((number, kind))
        insort(numbers, number)
    compared.sort(key=itemgetter(0))  # which leaves those with as many in their order
    return tuple(
        Similar(
            kind["hash"],
            kind["version"],
            kind["last_tag"],
            kind["alike"],
            (*_differences(this, kind), *_flag_differences(db, spec_id, kind["id"]))
            or tuple(_inner_differences(db, spec_id, kind["id"])),
        )
        for _, kind in compared[:MAX_SIMILAR]
    )


def _differences(this: Row, other: Row) -> Iterator[Difference]:
    for what in _COLUMNS:
        if this[what] != other[what]:
            yield Difference(what, this[what], other[what])
    here, there = _by_name(this["variants"]), _by_name(other["variants"])
    for name in sorted(here.keys() | there.keys()):
        if here.get(name) != there.get(name):
            yield Difference(name, here.get(name), there.get(name))


class _Counted(dict[str | None, int]):
    """How many variants differ from these, by the others; many kinds of specs have the same."""

    def __init__(self, variants: str | None) -> None:
        super().__init__()
        self._here = _by_name(variants).items()

    def __missing__(self, variants: str | None) -> int:
        different = self._here ^ _by_name(variants).items()
        number = self[variants] = len({name for name, _ in different})
        return number


def _by_name(variants: str | None) -> dict[str, str]:
    """Variants by name; of a name that is there twice, both."""
    named: dict[str, str] = {}
    for text in split_variants(variants or ""):
        name = variant_name(text)
        named[name] = f"{named[name]} {text}" if name in named else text
    return named


def _flag_differences(db: sqlite3.Connection, here: int, there: int) -> Iterator[Difference]:
    mine, other = (
        {flag["name"]: flag_text(flag) for flag in flags_of(db, id_)} for id_ in (here, there)
    )
    for name in sorted(mine.keys() | other.keys()):
        if mine.get(name) != other.get(name):
            yield Difference(name, mine.get(name), other.get(name))


def _inner_differences(db: sqlite3.Connection, here: int, there: int) -> Iterator[Difference]:
    """What two specs that look the same are built from: dependencies, where they are known."""
    mine, other = (_needs(db, spec) for spec in (here, there))
    for package in sorted(mine.keys() | other.keys()):
        gone = mine.get(package, {}).items() - other.get(package, {}).items()
        come = other.get(package, {}).items() - mine.get(package, {}).items()
        if not gone and not come:
            continue
        # Where the versions are the same, only the hashes tell them apart.
        same = {version for _, version in gone} == {version for _, version in come}
        yield Difference(f"^{package}", _told(gone, same), _told(come, same))


def _needs(db: sqlite3.Connection, spec_id: int) -> dict[str, dict[str, str]]:
    """The direct dependencies of a spec: the version of each by hash, by package."""
    needs: dict[str, dict[str, str]] = {}
    for row in ask(db, _DIRECT, spec_1=spec_id):
        needs.setdefault(row["package"], {})[row["hash"]] = row["version"] or ""
    return needs


def _told(specs: AbstractSet[tuple[str, str]], by_hash: bool) -> str | None:
    words = {f"/{hash_[:7]}" if by_hash or not version else version for hash_, version in specs}
    return " ".join(sorted(words)) or None
