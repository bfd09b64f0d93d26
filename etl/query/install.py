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
    ) AND NOT EXISTS (
        SELECT 1 FROM mirrors
        WHERE gone_since IS NOT NULL AND tag_id = (SELECT id FROM tags WHERE name = ?)
    )
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
_NO_KEYS = "# signed, and the cache publishes no keys: get the key, then spack gpg trust KEYFILE"
_IF_SIGNED = "# if signed: the cache publishes no keys; get the key, then spack gpg trust KEYFILE"
_ASKS = "# Spack 1.2 and newer ask before they trust a key; --yes-to-all answers"
_ROOT = "root"
_PUBLIC = "https://binaries.spack.io"
"""Below it are the build caches that cache.spack.io lists: ``/<tag>``, ``/<tag>/<stack>``."""
_SIGNED = (f"{_PUBLIC}/", "s3://spack-binaries/")


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
    the machine can use it; those that it cannot come last.
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
    mirrors = _Mirrors(db)
    installs: list[str] = []
    for row in rows:
        address = mirrors.take(row)
        if address is None:
            tag = row["tag"]
            installs.append(f"# the address of the build cache of {tag} that has this is unknown:")
        unchecked = ""
        if address and address.is_unsigned_for_old_spack:
            unchecked = "--no-check-signature "
        if labelled:
            version = f"{row['package']}@{row['version']}"
            installs.append(f"# {version} for {machine_of(row)}, {row['compiler']}")
        installs.append(f"spack install --cache-only {unchecked}{row['package']}/{row['hash']}")
    yield from mirrors.commands()
    yield from installs


def mirror_commands(db: sqlite3.Connection, rows: Iterable[Row]) -> Iterator[str]:
    """The commands that tell Spack where binaries are: mirrors, then keys.

    Of each row ``tag`` and ``stacks`` are read; for what has no known address there is a comment.
    """
    mirrors = _Mirrors(db)
    unknown = dict.fromkeys(row["tag"] for row in rows if not mirrors.take(row))
    yield from mirrors.commands()
    yield from (f"# the addresses of some build caches of {tag} are unknown" for tag in unknown)


class _Mirrors:
    """The build caches that some binaries are in, each once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._addresses: dict[str, dict[str, _Address]] = {}
        self._taken: dict[str, _Address] = {}

    def take(self, row: Row) -> _Address | None:
        """Take the build cache of a binary, and its address; None if no address is known."""
        tag, stacks = row["tag"], row["stacks"].split()
        if tag not in self._addresses:
            found = self._db.execute(_MIRRORS, (tag,)).fetchall()
            told = {stack: _Address(*rest) for stack, *rest in found}
            self._addresses[tag] = told or _public(self._db, tag)
        addresses = self._addresses[tag]
        known = [stack for stack in sorted(stacks, key=_root_first) if stack in addresses]
        if not known:
            return None
        # A colon in the name of a mirror would be a separator to Spack.
        name = (tag if known[0] == _ROOT else f"{tag}-{known[0]}").replace(":", "-")
        self._taken[name] = addresses[known[0]]
        return self._taken[name]

    def commands(self) -> Iterator[str]:
        """``spack mirror add`` for each that was taken, then what its keys need."""
        if any(address.view for address in self._taken.values()):
            yield "# a view of a build cache needs Spack 1.2 or newer"
        for name, address in self._taken.items():
            view = _view_option(address.view) if address.view else ""
            unsigned = "--unsigned " if address.is_unsigned and address.layout != "v2" else ""
            if address.is_unknown:
                yield f"# unknown whether {name} is signed; if Spack refuses it, add --unsigned:"
            yield f"spack mirror add {unsigned}{view}{name} {quote(address.url)}"
        signed = [it for it in self._taken.values() if not it.is_unsigned]
        if any(it.keys != 0 for it in signed):
            if any(it.view for it in signed):
                yield _ASKS
            yield "spack buildcache keys --install --trust"
        elif any(not it.is_unknown for it in signed):
            yield _NO_KEYS
        elif signed:
            yield _IF_SIGNED


def _view_option(view: str) -> str:
    """The option that names a view; one that begins with a dash would be an option of its own."""
    return f"--name{'=' if view.startswith('-') else ' '}{quote(view)} "


@dataclass(frozen=True, slots=True)
class _Address:
    """Where a build cache is, which view of it is meant, if not all of it, and what it needs."""

    url: str
    view: str | None = None
    layout: str | None = None
    signed: int | None = None
    keys: int | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether it was not seen if its binaries are signed; those of Spack's own caches are."""
        return self.signed is None and not self.url.startswith(_SIGNED)

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
    (is_public,) = db.execute(_IS_PUBLIC, (tag, tag)).fetchone()
    if not is_public:
        return {}
    return {
        stack: _Address(f"{_PUBLIC}/{tag}" if stack == _ROOT else f"{_PUBLIC}/{tag}/{stack}")
        for (stack,) in db.execute("SELECT name FROM stacks")
    }


def _root_first(stack: str) -> tuple[bool, str]:
    return stack != _ROOT, stack
