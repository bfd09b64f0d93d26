"""What recurs in the specs of an index: each value is checked, and kept, once.

Each class is a dictionary that makes what it does not hold yet.
"""

from __future__ import annotations

import marshal
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from etl.errors import SourceError
from etl.page_format.names import is_hash, is_name
from etl.page_style import ListOperator
from etl.records import Dependency
from etl.spack.compilers import modern_name
from etl.spack.variants import FLAG_NAMES, format_parameters

DEPTYPES = ("build", "link", "run", "test")


class Texts(dict[object, str]):
    """Versions, targets, variants and so on: no text is empty or has control characters."""

    def __missing__(self, text: object) -> str:
        if not isinstance(text, str) or not text or not text.isprintable():
            raise SourceError("", f"{text!r:.50} is not a text that a spec can have")
        self[text] = text
        return text


class Names(dict[object, str]):
    """Names of packages and virtuals."""

    def __missing__(self, name: object) -> str:
        if not is_name(name):
            raise SourceError("", f"{name!r:.50} is not a name that a package can have")
        self[name] = text = str(name)
        return text


class Compilers(dict[object, str]):
    """Compilers in today's notation, by the text that an index has for them."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    def __missing__(self, text: object) -> str:
        self[text] = compiler = modern_name(self._texts[text])
        return compiler


Edge = tuple[object, str, tuple[object, ...], tuple[object, ...]]
"""A dependency as an index has it: name, hash, deptypes, virtuals."""


class Dependencies(dict[Edge, Dependency]):
    """Dependencies, checked; ``aliases`` tells DAG hashes by the other hashes a spec had."""

    def __init__(self, names: Names, aliases: Mapping[str, str]) -> None:
        self._names = names
        self._aliases = aliases

    def __missing__(self, edge: Edge) -> Dependency:
        name, hash_, deptypes, virtuals = edge
        package = self._names[name]
        if not set(deptypes) <= set(DEPTYPES):
            raise SourceError("dependencies", f"{package} is of an unknown type: {deptypes!r:.80}")
        self[edge] = dependency = Dependency(
            checked_hash(self._aliases.get(hash_, hash_)),
            package,
            in_order(deptypes),
            tuple(sorted({self._names[virtual] for virtual in virtuals})),
        )
        return dependency


@dataclass(frozen=True, slots=True)
class Parameters:
    """The ``parameters`` of a spec taken apart: variants as printed, flags, and patches."""

    variants: tuple[str, ...]
    flags: tuple[tuple[str, tuple[str, ...]], ...]
    patches: tuple[str, ...]


class ParameterSets(dict[bytes, Parameters]):
    """Parameters by their JSON; lists are printed with ``list_operator``.

    The keys are JSON values written by :meth:`key_of`.
    """

    def __init__(self, texts: Texts, list_operator: ListOperator) -> None:
        self._texts = texts
        self._list_operator = list_operator

    @staticmethod
    def key_of(parameters: dict[str, Any]) -> bytes:
        """Nested lists and mappings as bytes; equal bytes mean equal values.

        Python's own serialization is the fastest way there.  Its version 2 writes equal texts
        alike, whether or not they are one object in memory.
        """
        return marshal.dumps(parameters, 2)

    def __missing__(self, key: bytes) -> Parameters:
        parameters: dict[str, Any] = marshal.loads(key)  # noqa: S302 - what key_of wrote
        self[key] = read = Parameters(
            all_of(self._texts, list(format_parameters(parameters, self._list_operator))),
            tuple(
                (name, all_of(self._texts, flags))
                for name, flags in sorted(parameters.items())
                if flags and name in FLAG_NAMES
            ),
            tuple(sorted(all_of(self._texts, parameters.get("patches") or []))),
        )
        return read


def checked_hash(value: object) -> str:
    """A spec's hash.

    Raises:
        SourceError: it is something else.
    """
    if not is_hash(value):
        raise SourceError("", f"{value!r:.50} is not a spec's hash (32 characters of a-z and 2-7)")
    return str(value)


def in_order(deptypes: Collection[object]) -> tuple[str, ...]:
    """Types of a dependency as Spack writes them: ``build link run test``."""
    return tuple(deptype for deptype in DEPTYPES if deptype in deptypes)


def all_of(texts: Texts, values: object) -> tuple[str, ...]:
    """A list of texts as a tuple.

    Raises:
        TypeError: it is not a list.
        SourceError: one of them is not a text.
    """
    if not isinstance(values, list):
        raise TypeError("not a list")
    return tuple([texts[value] for value in values])
