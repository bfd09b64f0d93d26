"""SQL functions: ``satisfies(hash, 'hdf5 +mpi')``, ``reusable(hash, 'rocky8/zen3')``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from etl.errors import CatalogError
from etl.hosts.profiles import find_host
from etl.page_format.names import is_hash
from etl.query.find import Finder, Statement
from etl.query.reuse import Reuse
from etl.spack.syntax import parse_spec
from etl.spack.tree import Word

_ANY_HASH = "0" * 32
"""Stands in a statement for the hash that it is asked about; no hash has these characters."""

_SPECS_KEPT = 32
_HOSTS_KEPT = 16


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

    hosts = lru_cache(_HOSTS_KEPT)(lambda name: Reuse(connection, find_host(name, files=False)))

    def reusable(hash_: object, host: object) -> int | None:
        """1 if Spack would take the binary of a spec on a host such as rocky8/zen3, else 0.

        NULL if either is NULL, or there is no such spec.
        """
        if hash_ is None or host is None:
            return None
        verdict = hosts(str(host)).verdict(str(hash_))
        return None if verdict is None else int(verdict.reusable)

    for function in (satisfies, reusable):
        name = function.__name__
        connection.create_function(name, 2, _telling(connection, function), deterministic=True)


def _telling(connection: Any, function: Callable[[object, object], int | None]) -> Any:
    """The function, which tells the connection why it fails: SQLite would not pass it on."""

    def call(hash_: object, other: object) -> int | None:
        try:
            return function(hash_, other)
        except CatalogError as error:
            if hasattr(connection, "said"):
                connection.said = f"{function.__name__}: {error}"
            raise

    return call


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
