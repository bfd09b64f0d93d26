"""The commands by which Spack installs binaries that were found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from etl.query.found import Row

_MIRRORS = """
    SELECT stacks.name, mirrors.url, mirrors.view FROM mirrors
    JOIN tags ON tags.id = mirrors.tag_id
    JOIN stacks ON stacks.id = mirrors.stack_id
    WHERE mirrors.url IS NOT NULL AND mirrors.gone_since IS NULL AND tags.name = ?
"""
_IS_PUBLIC = """
    SELECT EXISTS (
        SELECT 1 FROM pages WHERE tag_id = (SELECT id FROM tags WHERE name = ?)
    ) AND NOT EXISTS (SELECT 1 FROM mirrors WHERE gone_since IS NOT NULL)
"""
_ROOT = "root"
_PUBLIC = "https://binaries.spack.io"
"""Below it are the build caches that cache.spack.io lists: ``/<tag>``, ``/<tag>/<stack>``."""


def install_commands(db: sqlite3.Connection, rows: Iterable[Row]) -> Iterator[str]:
    """The commands, in the order in which they are to be run: mirrors, keys, then the binaries.

    The top-level build cache of a tag is taken where the binary is in it, else that of a stack.
    Pages of cache.spack.io do not give its address, but are of Spack's public build caches, whose
    addresses follow a rule.
    """
    mirrors: dict[str, _Address] = {}
    installs: list[str] = []
    addresses: dict[str, dict[str, _Address]] = {}
    for row in rows:
        tag, stacks = row["tag"], row["stacks"].split()
        if tag not in addresses:
            found = db.execute(_MIRRORS, (tag,)).fetchall()
            told = {stack: _Address(url, view) for stack, url, view in found}
            addresses[tag] = told or _public(db, tag)
        known = [stack for stack in sorted(stacks, key=_root_first) if stack in addresses[tag]]
        if known:
            name = tag if known[0] == _ROOT else f"{tag}-{known[0]}"
            mirrors[name] = addresses[tag][known[0]]
        else:
            installs.append(f"# no address is known of a build cache of {tag} that has this:")
        installs.append(f"spack install --cache-only {row['package']}/{row['hash']}")
    if any(address.view for address in mirrors.values()):
        yield "# a view of a build cache needs Spack 1.2 or newer"
    for name, address in mirrors.items():
        view = f"--name {address.view} " if address.view else ""
        yield f"spack mirror add {view}{name} {address.url}"
    if mirrors:
        yield "spack buildcache keys --install --trust"
    yield from installs


@dataclass(frozen=True, slots=True)
class _Address:
    """Where a build cache is, and which view of it is meant, if not all of it."""

    url: str
    view: str | None = None


def _public(db: sqlite3.Connection, tag: str) -> dict[str, _Address]:
    """The addresses of a tag's build caches by the rule, if they are Spack's public ones."""
    (is_public,) = db.execute(_IS_PUBLIC, (tag,)).fetchone()
    if not is_public:
        return {}
    return {
        stack: _Address(f"{_PUBLIC}/{tag}" if stack == _ROOT else f"{_PUBLIC}/{tag}/{stack}")
        for (stack,) in db.execute("SELECT name FROM stacks")
    }


def _root_first(stack: str) -> tuple[bool, str]:
    return stack != _ROOT, stack
