"""The box of every page: what a text in it means, and which packages it may become."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from typing import Literal

from etl.catalog.asking import Row, ask, ask_one

MAX_SUGGESTIONS = 10

MAX_NAME = 100
"""Longer texts are no beginning of a name."""

_HASH = re.compile("[a-z2-7]{1,32}")
_FULL_HASH = 32
_BEGINNING = re.compile(rf"[a-z0-9_][a-z0-9_.-]{{0,{MAX_NAME - 1}}}")

_NAMED = {
    "package": "SELECT name FROM packages WHERE name = :name_1 AND (binaries > 0 OR gone > 0)",
    "tag": "SELECT name FROM tags WHERE name = :name_1",
    "stack": "SELECT name FROM stacks WHERE name = :name_1",
    "virtual": "SELECT virtual AS name FROM virtual_providers WHERE virtual = :name_1 LIMIT 1",
}
_SPEC = "SELECT hash AS name FROM specs WHERE hash = :name_1"

_FACTS = """
    SELECT packages.name, versions.version, packages.binaries
    FROM packages LEFT JOIN versions ON versions.id = packages.newest_version_id
"""
# Names in a range are in the index; the last character of all comes after whatever goes on.
_BEGIN_WITH = f"""{_FACTS}
    WHERE packages.name >= :name_1 AND packages.name < :name_1 || char(0x10FFFF)
        AND (packages.binaries > 0 OR packages.gone > 0)
    ORDER BY packages.binaries DESC, packages.name LIMIT {MAX_SUGGESTIONS}
"""
# The names are read in their index; only those that match are looked up.
_HAVE_INSIDE = f"""{_FACTS}
    WHERE packages.id IN (SELECT id FROM packages WHERE instr(name, :name_1) > 1)
        AND (packages.binaries > 0 OR packages.gone > 0)
    ORDER BY packages.binaries DESC, packages.name LIMIT {MAX_SUGGESTIONS}
"""


@dataclass(frozen=True, slots=True)
class Meant:
    """What a text means; a spec's ``name`` is its hash, or how that begins."""

    kind: Literal["package", "tag", "stack", "virtual", "spec"]
    name: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A package that may be meant, and what helps to tell it from others; it may be gone."""

    value: str
    label: str


def meaning(db: sqlite3.Connection, text: str) -> Meant | None:
    """What a text names; None if it is a spec to search for, or nothing that is known.

    A package comes before a tag or stack of the same name.  After a slash any hash is taken for
    one; without it only a whole one that there is.
    """
    text = text.strip()
    if text.startswith("/"):
        prefix = text[1:].lower()
        return Meant("spec", prefix) if _HASH.fullmatch(prefix) else None
    for kind, sql in _NAMED.items():
        for spelling in _spellings(text):
            row = ask_one(db, sql, name_1=spelling)
            if row:
                return Meant(kind, row["name"])  # type: ignore[arg-type]
    if len(text) == _FULL_HASH and _HASH.fullmatch(text.lower()):
        row = ask_one(db, _SPEC, name_1=text)
        if row:
            return Meant("spec", row["name"])
    return None


def suggestions(db: sqlite3.Connection, text: str) -> tuple[Suggestion, ...]:
    """Packages whose names begin with a text, then those that have it inside.

    There are none for a spec, since the box then says more than a name.
    """
    for spelling in _spellings(text.lstrip()):
        beginning = spelling.lower()
        if not _BEGINNING.fullmatch(beginning):
            continue
        rows = ask(db, _BEGIN_WITH, name_1=beginning)
        if len(rows) < MAX_SUGGESTIONS and len(beginning) > 1:
            rows += ask(db, _HAVE_INSIDE, name_1=beginning)
        if rows:
            return tuple(_suggestion(row) for row in rows[:MAX_SUGGESTIONS])
    return ()


def _spellings(text: str) -> tuple[str, ...]:
    """A name as it is, in small letters, and with dashes as the names of packages have them."""
    small = text.lower()
    return tuple(dict.fromkeys((text, small, small.replace("_", "-"))))


def _suggestion(row: Row) -> Suggestion:
    if not row["binaries"]:
        return Suggestion(row["name"], "gone")
    binaries = f"{row['binaries']:,} {'binary' if row['binaries'] == 1 else 'binaries'}"
    return Suggestion(row["name"], f"{row['version']}, {binaries}" if row["version"] else binaries)
