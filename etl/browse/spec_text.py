"""A whole spec in Spack's words, as ``spack find`` prints one today."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable

from etl.catalog.asking import Row, ask
from etl.catalog.variant_text import split_variants
from etl.spack.variants import quote

# From the left, as in the views: SQLite then looks up names for the specs that are found.
SPEC_NAMES = """\
LEFT JOIN packages ON packages.id = specs.package_id
LEFT JOIN versions ON versions.id = specs.version_id
LEFT JOIN compilers ON compilers.id = specs.compiler_id
LEFT JOIN operating_systems ON operating_systems.id = specs.os_id
LEFT JOIN platforms ON platforms.id = specs.platform_id
LEFT JOIN targets ON targets.id = specs.target_id
LEFT JOIN variant_sets ON variant_sets.id = specs.variant_set_id
LEFT JOIN tags AS first ON first.id = specs.first_tag_id
LEFT JOIN tags AS last ON last.id = specs.last_tag_id"""
"""All that a row of ``specs`` refers to, by name."""

_PATCHES = re.compile("patches:=([0-9a-f]{7}(?:,[0-9a-f]{7})*)")

_FLAGS = """
    SELECT name, group_concat(flag, ' ') AS flags
    FROM (SELECT name, flag FROM spec_flags WHERE spec_id = :spec_1 ORDER BY name, id)
    GROUP BY name ORDER BY name
"""


def full_spec(spec: Row, flags: Iterable[Row] = (), hash_: str | None = None) -> str:
    """The spec with all that is known of it: ``zlib@1.3.1+shared build_system=makefile …``.

    Asking a catalog for this text finds the spec.  The order is that of Spack's display format
    (``lib/spack/spack/spec.py``, 1.1): flags, variants, architecture, the hash where it is wanted,
    then the compiler.
    """
    name = f"{spec['package']}@{spec['version']}" if spec["version"] else str(spec["package"])
    words = [name, *(flag_text(flag) for flag in flags)]
    variants = [askable(variant) for variant in split_variants(spec["variants"] or "")]
    # Those that are on or off come first, and need no blanks but after flags.
    switches = "".join(variant for variant in variants if variant[:1] in ("+", "~"))
    words = [name + switches] if len(words) == 1 else [*words, switches]
    words += [variant for variant in variants if variant[:1] not in ("+", "~")]
    words += [f"{it}={spec[it]}" for it in ("platform", "os", "target") if spec[it]]
    words += [f"/{hash_}"] if hash_ else []  # behind the compiler it would be the compiler's
    if spec["compiler"] and spec["compiler"] != "none":
        words.append(f"%{spec['compiler']}")
    return " ".join(word for word in words if word)


def askable(variant: str) -> str:
    """A printed variant as it is asked for.

    Patches are printed by the first digits of their sums, and ``:=`` would mean whole sums.
    """
    found = _PATCHES.fullmatch(variant)
    return f"patches={found[1]}" if found else variant


def flags_of(db: sqlite3.Connection, spec_id: int) -> tuple[Row, ...]:
    """The compiler flags of a spec by name, those of each in the order that was given."""
    return ask(db, _FLAGS, spec_1=spec_id)


def flag_text(flag: Row) -> str:
    """Compiler flags of one kind in Spack's words: ``cflags='-O2 -g'``."""
    return f"{flag['name']}={quote(flag['flags'])}"
