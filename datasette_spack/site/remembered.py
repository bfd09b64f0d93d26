"""Facts that are read once, of a catalog as it is: what takes long, or what everybody asks for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from datasette_spack.which import catalog_name

Facts = TypeVar("Facts")

MOST = 64
"""Answers that are kept for a catalog; of more, those that were asked for last."""

_answers: WeakKeyDictionary[Any, OrderedDict[tuple[Any, tuple[Hashable, ...]], Any]] = (
    WeakKeyDictionary()
)
_lock = Lock()


def remembered(
    datasette: Any,
    read: Callable[..., Facts],
    *about: Hashable,
    given: tuple[Any, ...] = (),
    most: int = MOST,
) -> Callable[[Any], Facts]:
    """``read(connection, *about)``, which is called only once for a database that cannot change.

    It is a function of a module, by which it is known.  What is ``given`` to it as well makes no
    other facts of it; of facts that are large only so many are kept (``most``).
    """

    def once(connection: Any) -> Facts:
        database = datasette.get_database(catalog_name(datasette))
        if database.is_mutable:
            return read(connection, *about, *given)
        asked = (read, about)
        with _lock:
            known = _answers.setdefault(database, OrderedDict())
            if asked in known:
                known.move_to_end(asked)
                facts: Facts = known[asked]
                return facts
        facts = read(connection, *about, *given)
        with _lock:
            known[asked] = facts
            for old in [it for it in known if it[0] is read][:-most]:
                del known[old]
            if len(known) > MOST:
                known.popitem(last=False)
        return facts

    return once
