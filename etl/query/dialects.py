"""A spec query as SQL for engines that read the Parquet export, rather than the catalog itself.

The conditions are those of the catalog, in the form that needs no look into one row at a time:
engines have no indexes to look with.  The tables have the names of the exported files;
docs/engines.md tells how to make them known.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Literal, get_args

from etl.catalog.sql_text import Parameters, Value, all_of, block, inline
from etl.errors import UsageError
from etl.query.find import COLUMNS
from etl.query.scope import Scope, stacks_of
from etl.query.search import Search
from etl.spack.tree import SpecQuery

Dialect = Literal["sqlite", "duckdb", "spark"]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)

_UNARY_PLUS = re.compile(r"(?<=[\s(])\+(?=[a-z])")
"""Keeps SQLite from using an index; others have none, and need not know the sign."""


def statement_for(
    dialect: Dialect, db: sqlite3.Connection, queries: Sequence[SpecQuery], scope: Scope
) -> str:
    """The statement that lists the same binaries as ``Finder.binaries``, for ``duckdb``, ``spark``.

    It reads ``binaries``, the view that is partitioned by tag, and joins tables of the export.

    Raises:
        UnanswerableError: the catalog cannot answer the query as Spack would.
        UsageError: the scope names what is not there, or the dialect has no words for the query.
    """
    parameters = Parameters()
    conditions = Search(db).wide(queries, scope, parameters)
    if dialect == "spark" and any("WITH RECURSIVE" in text for text in conditions):
        raise UsageError(
            "Spark cannot follow dependencies all the way down (^, ++, ~~, ==): ask for direct"
            " dependencies (%), or use --dialect duckdb"
        )
    if scope.taken:
        conditions.append(scope.taken.of_spec)
    tests = [
        *_as_listed(scope, parameters),
        block("hash IN (", f"SELECT specs.hash FROM specs\nWHERE {all_of(conditions)}"),
    ]
    columns = ", ".join(COLUMNS)
    found = f"SELECT {columns}, version_key FROM binaries\nWHERE {all_of(tests)}"
    if not scope.tag:
        found = _newest_of_each(found)
    whole = f"\nWHERE {_IS_WHOLE}" if scope.taken else ""
    sql = f"{block('WITH found AS (', found)}\nSELECT {columns} FROM found{whole}\n{_ORDER}"
    return inline(_UNARY_PLUS.sub("", sql), _written(dialect, parameters.values))


_ORDER = "ORDER BY package, version_key DESC, hash"
_IS_WHOLE = (
    "NOT EXISTS (SELECT 1 FROM binary_needs AS lacking"
    " WHERE lacking.tag = found.tag AND lacking.hash = found.hash AND lacking.complete = 0)"
)
"""Nothing is lacking below the binary; in all tags it is asked of the newest alone."""


def _as_listed(scope: Scope, parameters: Parameters) -> Iterator[str]:
    """What the scope says of rows of ``binaries``; what hosts can use, specs tell."""
    for column, value in (
        ("tag", scope.tag),
        ("cache", scope.cache),
        ("package", scope.package),
        ("version", scope.version),
        ("compiler", scope.compiler),
        ("target", scope.target),
    ):
        if value:
            yield f"{column} = {parameters.add(column, value)}"
    for stack in stacks_of(scope):
        yield f"array_contains(stacks, {parameters.add('stack', stack)})"
    if scope.not_in:
        cache = parameters.add("cache", scope.not_in)
        yield f"hash NOT IN (SELECT hash FROM binaries WHERE cache = {cache})"


def _newest_of_each(found: str) -> str:
    """Each spec once, with the newest tag that has it: the ids of tags are in the order of time."""
    return (
        "SELECT * FROM (\n"
        "    SELECT rows_found.*, row_number() OVER (\n"
        "        PARTITION BY rows_found.hash ORDER BY tags.id DESC\n"
        "    ) AS place\n"
        f"    FROM ({found}) AS rows_found JOIN tags ON tags.name = rows_found.tag\n"
        ") AS placed WHERE place = 1"
    )


def _written(dialect: Dialect, values: dict[str, Value]) -> dict[str, Value]:
    """The values as ``inline`` has to write them."""
    if dialect != "spark":
        return values
    return {
        name: value.translate(_IN_SPARK) if isinstance(value, str) else value
        for name, value in values.items()
    }


_IN_SPARK = str.maketrans({"\\": r"\\", "'": r"\u0027", "$": r"\u0024"})
"""What means something in a text of Spark: ``${…}`` is a variable, `''` nothing before Spark 4."""
