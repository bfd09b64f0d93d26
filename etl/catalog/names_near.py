"""Names that a question is about: they are in the catalog, or names like them are told."""

from __future__ import annotations

import sqlite3
from difflib import get_close_matches

from etl.errors import UsageError
from etl.text import printable

_TABLES = {
    "tag": "tags",
    "cache": "caches",
    "stack": "stacks",
    "package": "packages",
    "compiler": "compilers",
    "target": "targets",
    "operating system": "operating_systems",
}
_LONGEST = 100  # looking for names like a longer one takes long, and finds none


def check_name(db: sqlite3.Connection, kind: str, name: str | None) -> None:
    """Make sure that what is asked for is there; None asks for nothing.

    ``kind`` is ``tag``, ``cache``, ``stack``, ``package``, ``compiler``, ``target`` or
    ``operating system``.

    Raises:
        UsageError: the catalog has nothing of this kind and name; it names up to three like it.
    """
    table = _TABLES[kind]
    there = f"SELECT 1 FROM {table} WHERE name = ?"
    if name is None or db.execute(there, (name,)).fetchone():
        return
    names = [known for (known,) in db.execute(f"SELECT name FROM {table} ORDER BY id")]
    near = [printable(it) for it in get_close_matches(name[:_LONGEST], names, n=3)]
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UsageError(f"no {kind} {printable(name)} in this catalog{hint}")
