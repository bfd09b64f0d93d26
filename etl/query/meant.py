"""Words beside a package that Spack reads as specs of their own, and what people mean by them.

``petsc cuda`` are two specs in Spack's syntax, and so is ``hdf5 1.14``; most who write so want one:
``petsc +cuda``, ``hdf5@1.14``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from etl.spack.compilers import MODERN_NAMES
from etl.spack.tree import SpecQuery

_FILLERS = frozenset({"and", "built", "for", "from", "in", "on", "using", "version", "with"})

_VARIANT = """
    SELECT group_concat(DISTINCT variants.value) FROM variants
    JOIN variant_set_members ON variant_set_members.variant_id = variants.id
    WHERE variants.name = ? AND variant_set_members.variant_set_id IN (
        SELECT variant_set_id FROM specs WHERE package_id = (SELECT id FROM packages WHERE name = ?)
    )
"""
_VERSION = """
    SELECT 1 FROM versions WHERE package_id = (SELECT id FROM packages WHERE name = ?)
        AND (version = ? OR version LIKE ? || '.%') LIMIT 1
"""
_NEEDS = """
    SELECT 1 FROM package_dependencies
    WHERE package_id = (SELECT id FROM packages WHERE name = ?)
        AND dependency_id = (SELECT id FROM packages WHERE name = ?)
"""
_PACKAGE = "SELECT name FROM packages WHERE binaries > 0 AND name IN (?, ?)"


@dataclass(frozen=True, slots=True)
class Meant:
    """What a text may mean: one spec, and a stack to look in where a word names one."""

    spec: str
    stack: str | None = None

    def __str__(self) -> str:
        place = f" in the stack {self.stack}" if self.stack else ""
        return f"did you mean {self.spec}{place}?"


def what_is_meant(db: sqlite3.Connection, queries: Sequence[SpecQuery]) -> tuple[Meant, ...]:
    """The spec that the words of a text may mean together; none where each stands for itself."""
    if not queries or not queries[0].root.name:
        return ()
    first = queries[0]
    package = _package(db, queries[0].root.name.text)
    if package is None:
        return _alone(db, queries)
    root = first.root
    assert root.name
    spec = str(replace(first, root=replace(root, name=replace(root.name, text=package))))
    stack = None
    for query in queries[1:]:
        word = _bare(query)
        if word is None:
            return ()
        if word.lower() in _FILLERS:
            continue
        if _has(db, "stacks", word):
            stack = word
        elif (attribute := _attribute(db, package, word)) is not None:
            spec = f"{spec}{attribute}" if attribute[0] == "@" else f"{spec} {attribute}"
        else:
            return ()
    is_other = len(queries) > 1 or package != root.name.text
    return (Meant(spec, stack),) if is_other else ()


def _alone(db: sqlite3.Connection, queries: Sequence[SpecQuery]) -> tuple[Meant, ...]:
    """A first word that is no package: a place or a property that any package may have."""
    word = _bare(queries[0])
    if len(queries) > 1 or word is None:
        return ()
    if _has(db, "stacks", word):
        return (Meant("*", word),)
    found = _machine(db, word)
    return (Meant(f"* {found}"),) if found else ()


def _bare(query: SpecQuery) -> str | None:
    """The word that a spec is, if it is nothing but a name; ``1.14`` is one with a namespace."""
    word = query.written
    return word if str(query) == word and query.root.name else None


def _package(db: sqlite3.Connection, name: str) -> str | None:
    """A package of this name, however it is spelled."""
    small = name.lower().replace("_", "-")
    found = dict.fromkeys(it for (it,) in db.execute(_PACKAGE, (name, small)))
    return name if name in found else next(iter(found), None)


def _attribute(db: sqlite3.Connection, package: str, word: str) -> str | None:
    """What a word is of a package, as a part of a spec: ``+cuda``, ``@1.14``, ``%gcc``."""
    if db.execute(_VERSION, (package, word, word)).fetchone():
        return f"@{word}"
    (values,) = db.execute(_VARIANT, (word, package)).fetchone()
    if values is not None:
        return f"+{word}" if set(values.split(",")) & {"true", "false"} else f"{word}=*"
    if found := _machine(db, word):
        return found
    return f"^{word}" if db.execute(_NEEDS, (package, word)).fetchone() else None


def _machine(db: sqlite3.Connection, word: str) -> str | None:
    """A word that is a system, a target or a compiler."""
    if _has(db, "operating_systems", word):
        return f"os={word}"
    if _has(db, "targets", word):
        return f"target={word}"
    compiler = MODERN_NAMES.get(word, word)
    name, at, _ = word.partition("@")
    known = "SELECT 1 FROM compilers WHERE compiler = ? AND version IS NOT NULL LIMIT 1"
    if not at and db.execute(known, (compiler,)).fetchone():
        return f"%{name}"
    return None


def _has(db: sqlite3.Connection, table: str, name: str) -> bool:
    return db.execute(f"SELECT 1 FROM {table} WHERE name = ?", (name,)).fetchone() is not None
