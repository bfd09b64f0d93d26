"""SQL functions: ``satisfies(hash, 'hdf5 +mpi')`` in any query."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from etl.page_format.names import is_hash
from etl.query.find import Finder, Statement
from etl.spack.syntax import parse_spec
from etl.spack.tree import Word

_ANY_HASH = "0" * 32
"""Stands in a statement for the hash that it is asked about; no hash has these characters."""

_SPECS_KEPT = 32


def register(connection: Any) -> None:
    """Add the functions to a connection to a catalog."""
    statement_for = lru_cache(_SPECS_KEPT)(lambda spec: _statement(connection, spec))

    def satisfies(hash_: object, spec: object) -> int | None:
        """1 if the spec with this hash satisfies the other, else 0; NULL if either is NULL."""
        if hash_ is None or spec is None:
            return None
        if not is_hash(hash_):
            return 0
        statement = statement_for(str(spec))
        values = {
            name: value.replace(_ANY_HASH, str(hash_)) if isinstance(value, str) else value
            for name, value in statement.values.items()
        }
        return int(connection.execute(statement.sql, values).fetchone() is not None)

    connection.create_function("satisfies", 2, satisfies, deterministic=True)


def _statement(connection: Any, spec: str) -> Statement:
    """The statement that finds a spec of one hash, if it satisfies ``spec``.

    Raises:
        SpecSyntaxError: it is not a spec, or asks for what the catalog does not know.
    """
    query = parse_spec(spec)
    root = query.root
    asked = Word(_ANY_HASH, root.span)
    finder = Finder(connection)
    if root.hash is None:
        return finder.specs([replace(query, root=replace(root, hash=asked))])
    found = finder.specs([query])
    both = f"SELECT hash FROM ({found.sql}) WHERE hash = :asked"
    return Statement(both, {**found.values, "asked": _ANY_HASH})
