"""SQL as text with named parameters: put together for people to read, and for SQLite to run."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

Value = str | int | None
_PARAMETER = re.compile(r":([a-z_]+_[0-9]+)\b")


class Parameters:
    """The values of a statement; each gets a name that tells what it is (``:package_1``)."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}

    def add(self, kind: str, value: Value) -> str:
        """A place in the statement for this value."""
        name = f"{kind}_{len(self.values) + 1}"
        self.values[name] = value
        return f":{name}"

    def add_all(self, kind: str, values: Iterable[Value]) -> str:
        """Places for several values, separated by commas."""
        return ", ".join(self.add(kind, value) for value in values)


def inline(sql: str, values: dict[str, Value]) -> str:
    """The statement with its values written into it, to be run anywhere as it is."""
    return _PARAMETER.sub(
        lambda found: _literal(values[found[1]]) if found[1] in values else found[0], sql
    )


def all_of(conditions: Iterable[str]) -> str:
    """Conditions joined by AND, one a line."""
    return "\nAND ".join(conditions) or "TRUE"


def any_of(conditions: Iterable[str]) -> str:
    """Conditions of which one must hold, in parentheses if there are several."""
    alternatives = list(conditions)
    return alternatives[0] if len(alternatives) == 1 else f"({' OR '.join(alternatives)})"


def block(opening: str, body: str, closing: str = ")") -> str:
    """A body indented between an opening and a closing line."""
    return f"{opening}\n{textwrap.indent(body, '    ')}\n{closing}"


def _literal(value: Value) -> str:
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
