"""Facts that are read once: those of the pages that everybody asks for, of a catalog as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from datasette_spack.site.answer import DATABASE

Facts = TypeVar("Facts")

_read: WeakKeyDictionary[Any, dict[Callable[[Any], Any], Any]] = WeakKeyDictionary()


def remembered(datasette: Any, read: Callable[[Any], Facts]) -> Callable[[Any], Facts]:
    """``read``, which is called only once for each database that cannot change.

    It is a function of a module, by which it is known.
    """

    def once(connection: Any) -> Facts:
        database = datasette.get_database(DATABASE)
        if database.is_mutable:
            return read(connection)
        known = _read.setdefault(database, {})
        if read not in known:
            known[read] = read(connection)
        facts: Facts = known[read]
        return facts

    return once
