"""The commands by which Spack installs binaries that were found."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from shlex import quote

from etl.query.found import Row

_MIRRORS = """
    SELECT stacks.name, mirrors.url, mirrors.view, mirrors.layout, mirrors.signed, mirrors.keys
    FROM mirrors
    JOIN tags ON tags.id = mirrors.tag_id
    JOIN stacks ON stacks.id = mirrors.stack_id
    WHERE mirrors.url IS NOT NULL AND mirrors.gone_since IS NULL AND tags.name = ?
"""
_IS_PUBLIC = """
    SELECT EXISTS (
        SELECT 1 FROM pages WHERE tag_id = (SELECT id FROM tags WHERE name = ?)
    ) AND NOT EXISTS (SELECT 1 FROM mirrors WHERE gone_since IS NOT NULL)
"""
_CLOSENESS = """
    SELECT targets.name, (
        SELECT count(*) FROM target_ancestors AS above WHERE above.target_id = targets.id
    )
    FROM targets
    WHERE targets.name = :target OR targets.id IN (
        SELECT ancestor_id FROM target_ancestors
        WHERE target_id = (SELECT id FROM targets WHERE name = :target)
    )
"""
_ROOT = "root"
_PUBLIC = "https://binaries.spack.io"
"""Below it are the build caches that cache.spack.io lists: ``/<tag>``, ``/<tag>/<stack>``."""


def by_use(
    db: sqlite3.Connection,
    rows: Sequence[Row],
    runs_on: str | None = None,
    os: str | None = None,
    taken: Sequence[bool] | None = None,
) -> tuple[Row, ...]:
    """The rows with what is best for the machine before others of the same package and version.

    For a CPU that is asked for that is what is built closest to it, for its operating system first;
    else what is built for the machine of which there are most.  ``taken`` says of each row whether
    the machine can take it; those that it cannot come last.
    """
    common = Counter(machine_of(row) for row in rows)
    # Of what a CPU can run, a target with more ancestors is closer to it.
    closeness = dict(db.execute(_CLOSENESS, {"target": runs_on}).fetchall()) if runs_on else {}
    groups: dict[tuple[object, ...], int] = {}
    for row in rows:
        groups.setdefault((row["tag"], row["package"], row["version"]), len(groups))

    def place(number: int) -> tuple[bool, int, bool, int, int]:
        row = rows[number]
        return (
            taken is not None and not taken[number],
            groups[row["tag"], row["package"], row["version"]],
            os is not None and row["os"] != os,
            -closeness.get(row["target"], -1),
            -common[machine_of(row)],
        )

    return tuple(rows[number] for number in sorted(range(len(rows)), key=place))


def machine_of(row: Row) -> str:
    """What a binary was built for: ``linux-ubuntu22.04-zen4``."""
    return f"{row['platform']}-{row['os']}-{row['target']}"


def install_commands(
    db: sqlite3.Connection, rows: Iterable[Row], *, labelled: bool = False
) -> Iterator[str]:
    """The commands, in the order in which they are to be run: mirrors, keys, then the binaries.

    Where they are ``labelled``, each is told apart by its version and for which machine it is.

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
            told = {stack: _Address(*rest) for stack, *rest in found}
            addresses[tag] = told or _public(db, tag)
        known = [stack for stack in sorted(stacks, key=_root_first) if stack in addresses[tag]]
        if known:
            # A colon in the name of a mirror would be a separator to Spack.
            name = (tag if known[0] == _ROOT else f"{tag}-{known[0]}").replace(":", "-")
            address = mirrors[name] = addresses[tag][known[0]]
            unchecked = "--no-check-signature " if address.is_unsigned_for_old_spack else ""
        else:
            unchecked = ""
            installs.append(f"# no address is known of a build cache of {tag} that has this:")
        if labelled:
            version = f"{row['package']}@{row['version']}"
            installs.append(f"# {version} for {machine_of(row)}, {row['compiler']}")
        installs.append(f"spack install --cache-only {unchecked}{row['package']}/{row['hash']}")
    if any(address.view for address in mirrors.values()):
        yield "# a view of a build cache needs Spack 1.2 or newer"
    for name, address in mirrors.items():
        view = f"--name {quote(address.view)} " if address.view else ""
        unsigned = "--unsigned " if address.is_unsigned and address.layout != "v2" else ""
        yield f"spack mirror add {unsigned}{view}{name} {quote(address.url)}"
    signed = [it for it in mirrors.values() if not it.is_unsigned]
    if any(it.keys != 0 for it in signed):
        yield "spack buildcache keys --install --trust"
    elif signed:
        yield "# signed, and the cache publishes no keys: get the key, then spack gpg trust KEYFILE"
    yield from installs


@dataclass(frozen=True, slots=True)
class _Address:
    """Where a build cache is, which view of it is meant, if not all of it, and what it needs."""

    url: str
    view: str | None = None
    layout: str | None = None
    signed: int | None = None
    keys: int | None = None

    @property
    def is_unsigned(self) -> bool:
        """Whether it is known that Spack would refuse its binaries as unsigned."""
        return self.signed == 0

    @property
    def is_unsigned_for_old_spack(self) -> bool:
        """Whether it may be read by a Spack before 0.22, to which no mirror is unsigned."""
        return self.is_unsigned and self.layout == "v2"


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
