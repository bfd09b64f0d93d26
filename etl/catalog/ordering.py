"""By which column a list is sorted: ``binaries`` from the least on, ``-binaries`` from the most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etl.errors import UsageError


@dataclass(frozen=True, slots=True)
class Ordering:
    """The columns that a list can be sorted by, each with what it is sorted by in SQL.

    ``otherwise`` is the order where nothing is asked, and of rows that are alike.
    """

    columns: Mapping[str, str]
    otherwise: str

    def sql(self, asked: str = "") -> str:
        """The terms of ORDER BY; what is not known comes last either way.

        Raises:
            UsageError: there is no such column.
        """
        if not asked:
            return self.otherwise
        name = asked.removeprefix("-")
        if name not in self.columns:
            raise UsageError(
                f"sort must be one of {', '.join(self.columns)}; - before it: descending"
            )
        way = "DESC" if asked.startswith("-") else "ASC"
        term = self.columns[name]
        return f"{term} IS NULL, {term} {way}, {self.otherwise}"
