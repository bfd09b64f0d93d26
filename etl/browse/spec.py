"""The page of a spec: all that is known of it, where it is, and what it is made of."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from etl.browse.graph import Needed, needed_by_spec
from etl.browse.similar import Similar, similar_specs
from etl.browse.sizes import ClosureSize, closure_size
from etl.browse.spec_text import SPEC_NAMES, askable, flags_of, full_spec
from etl.catalog.asking import Listed, NotHereError, Row, ask_one, listed
from etl.catalog.variant_text import split_variants
from etl.query.install import install_commands

MAX_CANDIDATES = 100
"""Specs that are listed where a prefix of a hash is not unique."""

MAX_DEPENDENTS = 100

_PREFIX = re.compile(r"[a-z2-7]{1,32}")

_SPEC = f"""
    SELECT specs.id, specs.hash, packages.name AS package, versions.version,
        compilers.name AS compiler, operating_systems.name AS os, platforms.name AS platform,
        targets.name AS target, variant_sets.variants, specs.size, specs.tags,
        first.name AS first_tag, first.date AS since, last.name AS last_tag, specs.namespace,
        specs.package_hash, specs.external, specs.build_spec, specs.format, packages.description
    FROM specs
{SPEC_NAMES}
    WHERE specs.hash = :hash_1
"""
_CANDIDATES = f"""\
SELECT specs.hash, packages.name AS package, versions.version, compilers.name AS compiler,
    operating_systems.name AS os, targets.name AS target, last.name AS last_tag
FROM specs
{SPEC_NAMES}
WHERE specs.hash >= :hash_1 AND specs.hash < :hash_2
ORDER BY specs.hash"""
_COUNT = "SELECT count(*) FROM specs WHERE hash >= :hash_1 AND hash < :hash_2"
_PLACES = """\
SELECT tags.name AS tag, tags.date, stack_sets.stacks, seen.first_seen, seen.last_seen,
    seen.gone_since, seen.published, caches.name AS cache
FROM (
    SELECT tag_id, spec_id, stack_set_id, first_seen, NULL AS last_seen,
        NULL AS gone_since, published
    FROM binaries WHERE spec_id = (SELECT id FROM specs WHERE hash = :hash_1)
    UNION ALL
    SELECT tag_id, spec_id, stack_set_id, first_seen, last_seen, gone_since,
        published
    FROM gone_binaries WHERE spec_id = (SELECT id FROM specs WHERE hash = :hash_1)
) AS seen
CROSS JOIN tags ON tags.id = seen.tag_id
CROSS JOIN stack_sets ON stack_sets.id = seen.stack_set_id
LEFT JOIN caches ON caches.id = tags.cache_id
ORDER BY seen.gone_since IS NOT NULL, tags.position DESC"""
_LAST_READ = """
    SELECT max(mirrors.last_seen) AS last_seen FROM binaries
    CROSS JOIN stack_set_members USING (stack_set_id)
    CROSS JOIN mirrors ON mirrors.tag_id = binaries.tag_id
        AND mirrors.stack_id = stack_set_members.stack_id
    WHERE binaries.spec_id = :spec_1
"""
_DEPENDENTS = """\
SELECT packages.name AS package, versions.version, specs.hash, dependencies.deptypes,
    dependencies.virtuals, specs.tags > 0 AS available
FROM dependencies
CROSS JOIN specs ON specs.id = dependencies.parent_id
CROSS JOIN packages ON packages.id = specs.package_id
LEFT JOIN versions ON versions.id = specs.version_id
WHERE dependencies.child_id = (SELECT id FROM specs WHERE hash = :hash_1)
ORDER BY packages.name, specs.version_id DESC, specs.hash"""


@dataclass(frozen=True, slots=True)
class SpecFacts:
    """What a spec's page says.

    ``described`` is whether a source tells what it depends on; ``needed`` are its dependencies,
    those that all of its graph has; ``places`` the tags and stacks that have its binary, then those
    from which it is gone; ``is_there`` is whether any has it; ``first_seen`` and ``last_seen`` are
    by date, where that was recorded.
    """

    spec: Row
    text: str
    text_with_hash: str
    variants: tuple[Row, ...]
    flags: tuple[Row, ...]
    places: Listed
    is_there: bool
    first_seen: str | None
    last_seen: str | None
    described: bool
    needed: Needed
    closure: ClosureSize
    dependents: Listed
    similar: tuple[Similar, ...]
    install: tuple[str, ...]


def specs_with_prefix(db: sqlite3.Connection, prefix: str) -> Listed:
    """The specs whose hash begins so, by hash.

    Raises:
        NotHereError: there is none.
    """
    prefix = prefix.lower()
    if _PREFIX.fullmatch(prefix):
        after = prefix + "{"  # which comes after all letters
        found = listed(db, _CANDIDATES, MAX_CANDIDATES, count=_COUNT, hash_1=prefix, hash_2=after)
        if found.rows:
            return found
    raise NotHereError("spec with a hash that begins with", prefix)


def spec_facts(db: sqlite3.Connection, hash_: str) -> SpecFacts:
    """The facts of a spec.

    Raises:
        NotHereError: there is none with this hash.
    """
    spec = ask_one(db, _SPEC, hash_1=hash_)
    if spec is None:
        raise NotHereError("spec with the hash", hash_)
    places = listed(db, _PLACES, 1_000, hash_1=hash_)
    there = [place for place in places.rows if place["gone_since"] is None]
    binaries = [{**spec, **place} for place in there[:1]]
    id_ = spec.pop("id")
    flags = flags_of(db, id_)
    return SpecFacts(
        spec=spec,
        text=full_spec(spec, flags),
        text_with_hash=full_spec(spec, flags, hash_),
        variants=tuple(_variant(text) for text in split_variants(spec["variants"] or "")),
        flags=flags,
        places=places,
        is_there=bool(there),
        first_seen=min((it["first_seen"] for it in places.rows if it["first_seen"]), default=None),
        last_seen=_last_seen(db, id_, places.rows),
        described=spec["format"] is not None,
        needed=needed_by_spec(db, id_),
        closure=closure_size(db, hash_),
        dependents=listed(db, _DEPENDENTS, MAX_DEPENDENTS, hash_1=hash_),
        similar=similar_specs(db, id_),
        install=tuple(install_commands(db, binaries)),
    )


def _last_seen(db: sqlite3.Connection, spec: int, places: Sequence[Row]) -> str | None:
    """When a spec was last seen: when a build cache that has it was read, else before it went."""
    row = ask_one(db, _LAST_READ, spec_1=spec)
    read = row["last_seen"] if row else None
    return read or max((it["last_seen"] for it in places if it["last_seen"]), default=None)


def _variant(text: str) -> Row:
    """A variant by name and value, as a table shows it."""
    if text[:1] in "+~-":
        return {"name": text.lstrip("+~-"), "value": str(text[0] == "+").lower(), "text": text}
    name, _, value = text.partition("=")
    return {"name": name.rstrip(":"), "value": value.lstrip("="), "text": askable(text)}
