"""The commands by which Spack installs binaries that were found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from etl.catalog.found import Row

_MIRRORS = """
    SELECT tags.name, stacks.name, mirrors.url FROM mirrors
    JOIN tags ON tags.id = mirrors.tag_id
    JOIN stacks ON stacks.id = mirrors.stack_id
    WHERE mirrors.url IS NOT NULL AND tags.name = ?
"""
_ROOT = "root"


def install_commands(db: sqlite3.Connection, rows: Iterable[Row]) -> Iterator[str]:
    """The commands, in the order in which they are to be run: mirrors, keys, then the binaries.

    The top-level build cache of a tag is taken where the binary is in it, else that of a stack.
    """
    mirrors: dict[str, str] = {}
    installs: list[str] = []
    addresses: dict[str, dict[str, str]] = {}
    for row in rows:
        tag, stacks = row["tag"], row["stacks"].split()
        if tag not in addresses:
            found = db.execute(_MIRRORS, (tag,)).fetchall()
            addresses[tag] = {stack: url for _, stack, url in found}
        known = [stack for stack in sorted(stacks, key=_root_first) if stack in addresses[tag]]
        if known:
            name = tag if known[0] == _ROOT else f"{tag}-{known[0]}"
            mirrors[name] = addresses[tag][known[0]]
        else:
            installs.append(f"# no address is known of a build cache of {tag} that has this:")
        installs.append(f"spack install --cache-only {row['package']}/{row['hash']}")
    yield from (f"spack mirror add {name} {url}" for name, url in mirrors.items())
    if mirrors:
        yield "spack buildcache keys --install --trust"
    yield from installs


def _root_first(stack: str) -> tuple[bool, str]:
    return stack != _ROOT, stack
