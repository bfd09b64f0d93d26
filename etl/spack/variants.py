"""Variants as Spack prints them: read one, change its notation, write those of a spec.

A printed variant is ``+name`` or ``~name`` for a boolean and ``name=value`` for the rest, where
several values are joined by commas.  Since Spack 1.0 a variant that is a list prints ``:=``
instead of ``=``; a doubled sigil (``++``, ``==``, ``:==``) means that the variant is propagated.
The rules are those of ``variant.py`` and ``spec_parser.py`` in Spack 1.1.0, and of ``variant.py``
and ``parser.py`` in 0.23.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from etl.errors import SourceError

#: Parameters of a spec that are compiler flags, not variants.
FLAG_NAMES = frozenset({"cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs"})

ListOperator = Literal[":=", "="]

_NAME = r"[a-zA-Z_0-9][a-zA-Z_0-9\-.]*"
_BOOLEAN = re.compile(rf"(\+\+|~~|--|[+~-])({_NAME})")
_KEY_VALUE = re.compile(rf"({_NAME})(:?==?)")

#: Spack quotes every value with other characters than these (a line feed at the end escapes its
#: notice); 0.23 also quoted brackets.
_PLAIN_VALUE = {
    ":=": re.compile(r"[a-zA-Z0-9,/_.\-\[\]]+\n?"),
    "=": re.compile(r"[a-zA-Z0-9,/_.\-]+\n?"),
}

_TRUE = ("true",)
_FALSE = ("false",)


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant of a spec.

    ``operator`` is the sigil or the equals sign as it was written, and "" for text that is no
    variant: such text is the ``name``, whole, without values.  A boolean has the values
    ``("true",)`` or ``("false",)``; ``x=*``, a list without values, has none.
    """

    name: str
    values: tuple[str, ...]
    operator: str

    @property
    def propagated(self) -> bool:
        """Whether the variant goes on to the dependencies: ``++x``, ``~~x``, ``x==a``."""
        return self.operator in ("++", "~~", "--", "==", ":==")


def parse_variant(text: str) -> Variant:
    """Read one printed variant; every text gives a result.

    Values are split at commas, quoted or not, because Spack quotes the values of a list as one
    (``languages='c,c++'``).  ``x=true`` and ``x=False`` are booleans.
    """
    boolean = _BOOLEAN.fullmatch(text)
    if boolean:
        sigil, name = boolean.groups()
        return Variant(name, _TRUE if sigil[0] == "+" else _FALSE, sigil)
    key = _KEY_VALUE.match(text)
    if not key:
        return Variant(text, (), "")
    name, operator = key.groups()
    return Variant(name, split_values(_unquote(text[key.end() :])), operator)


def split_values(value: str) -> tuple[str, ...]:
    """The values in an unquoted ``a,b``; ``*`` is none, and true and false are in lower case."""
    if value == "*":
        return ()
    if value.upper() in ("TRUE", "FALSE"):
        return _TRUE if value.upper() == "TRUE" else _FALSE
    return tuple(value.split(","))


def with_list_operator(text: str, operator: ListOperator) -> str:
    """Write a printed ``name=value`` with the list notation of another Spack.

    ``:=`` to ``=`` is always right for the older Spack.  The other way, the caller has to know
    that the variant is a list; the text does not tell.  Whether a value needs quotes stays as it
    is.  Booleans, and text that is no variant, come back unchanged.
    """
    key = _KEY_VALUE.match(text)
    if not key:
        return text
    name, old = key.groups()
    new = operator + "=" if old.endswith("==") else operator
    return name + new + text[key.end() :]


def format_parameters(
    parameters: Mapping[str, object], list_operator: ListOperator
) -> tuple[str, ...]:
    """The variants in the ``parameters`` of a spec's JSON, printed as Spack does, by name.

    ``list_operator`` says which Spack: ``=`` prints as 0.23 (index databases up to version 7),
    ``:=`` as 1.x.  Compiler flags are left out; patches are cut to seven digits.

    Raises:
        SourceError: a value is not a boolean, a string, a number or a list of these.
    """
    return tuple(
        _format(name, value, list_operator)
        for name, value in sorted(parameters.items())
        if name not in FLAG_NAMES
    )


def quote(value: str, list_operator: ListOperator = ":=") -> str:
    """The value of a variant in quotes, if Spack would put it in quotes."""
    if _PLAIN_VALUE[list_operator].fullmatch(value):
        return value
    return json.dumps(value) if "'" in value else f"'{value}'"


def _format(name: str, value: object, list_operator: ListOperator) -> str:
    if isinstance(value, list):
        values = [_scalar(name, item) for item in value]
        if list_operator == ":=" or name == "patches":  # 0.23 left the order of other lists alone
            values = sorted(set(values))
        joined = ",".join([item[:7] for item in values] if name == "patches" else values)
        if not values and list_operator == ":=":
            joined = "*"
        return f"{name}{list_operator}{quote(joined, list_operator)}"
    text = _scalar(name, value)
    if text.upper() == "TRUE":
        return f"+{name}"
    if text.upper() == "FALSE":
        return f"~{name}"
    return f"{name}={quote(text, list_operator)}"


def _scalar(name: str, value: object) -> str:
    if isinstance(value, (str, bool, int, float)):
        return str(value)
    found = "null" if value is None else type(value).__name__
    raise SourceError(
        f"parameters.{name}", f"a variant is a boolean, a string or a list of strings, not {found}"
    )


def _unquote(value: str) -> str:
    """What Spack put in quotes: as it is in single quotes, as JSON in double quotes."""
    if len(value) < 2 or value[0] not in "'\"" or value[-1] != value[0]:
        return value
    if value[0] == '"':
        try:
            decoded = str(json.loads(value))
            decoded.encode()  # a lone surrogate could not be stored
        except ValueError:
            return value[1:-1].replace('\\"', '"')
        return decoded
    return value[1:-1].replace("\\'", "'")
