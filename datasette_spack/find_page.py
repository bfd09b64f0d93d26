"""``/find?spec=…``: the binaries that satisfy a spec, for people, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from datasette.database import QueryInterrupted
from datasette.utils import sqlite_timelimit
from datasette.utils.asgi import Response
from datasette.utils.sqlite import sqlite3

from etl.catalog.find import COLUMNS, Finder, Scope
from etl.catalog.found import Found, set_apart
from etl.catalog.near_misses import Reason, near_misses
from etl.errors import CatalogError
from etl.spack.syntax import parse_specs
from etl.spack.tokens import SpecSyntaxError
from etl.spack.tree import SpecQuery

FIND_ROUTE = r"/find(?P<format>\.json|\.csv)?$"

MAX_FOUND = 5_000
"""Binaries that one search looks at; more are said to be more, and not counted."""

MAX_SHOWN = 200
"""Binaries on the page; JSON and CSV have all that were looked at."""

MAX_FACET_VALUES = 12

SCOPE_FIELDS = ("tag", "stack", "runs_on", "os")
FACETS = ("version", "compiler", "os", "target", "stacks")
ANY = "any"
"""What stands for all tags in the address."""


@dataclass(frozen=True)
class Question:
    """What the address asks: a spec, where to look, and which of the found ones to keep."""

    spec: str
    scope: dict[str, str]
    kept: dict[str, str]

    @classmethod
    def of(cls, arguments: Any) -> Question:
        """The question in the arguments of an address."""

        def given(names: tuple[str, ...]) -> dict[str, str]:
            return {name: value for name in names if (value := arguments.get(name, "").strip())}

        return cls(arguments.get("spec", "").strip(), given(SCOPE_FIELDS), given(FACETS))

    def address(self, path: str = "/find", /, **changes: str | None) -> str:
        """The address that asks this with some arguments changed, or left out where None."""
        arguments = {"spec": self.spec, **self.scope, **self.kept, **changes}
        return f"{path}?{urlencode({name: value for name, value in arguments.items() if value})}"


@dataclass(frozen=True)
class FacetValue:
    """One value of a facet, how many of the found binaries have it, and where choosing it leads."""

    value: str
    count: int
    address: str
    chosen: bool


@dataclass
class Answer:
    """What was found, and where; if nothing was, ``misses`` says what is near."""

    tag: str | None = None
    found: Found = field(default_factory=lambda: set_apart(()))
    facets: dict[str, list[FacetValue]] = field(default_factory=dict)
    more: bool = False
    sql: str = ""
    misses: tuple[Reason, ...] = ()


async def find(datasette: Any, request: Any) -> Response:
    """Answer a request for the page, for JSON or for CSV."""
    question = Question.of(request.args)
    answer, error = Answer(), None
    if question.spec:
        try:
            answer = await datasette.get_database("catalog").execute_fn(
                lambda connection: _search(connection, question, _time_limit(datasette))
            )
        except CatalogError as found:
            error = found
        except QueryInterrupted:
            error = CatalogError("this took too long; name a package, a tag or a stack")
    kind = request.url_vars["format"]
    status = 400 if error else 200
    if kind == ".json":
        return _json(question, answer, error, status)
    if kind == ".csv":
        return _csv(answer, error, status)
    html = await datasette.render_template(
        "find.html",
        {
            "question": question,
            "answer": answer,
            "error": error,
            "underlined": _underlined(error),
            "tags": await _names(datasette, "tags", "position DESC"),
            "stacks": await _names(datasette, "stacks", "name"),
            "targets": await _names(datasette, "targets", "name"),
            "systems": await _names(datasette, "operating_systems", "name"),
            "shown": MAX_SHOWN,
            "limit": MAX_FOUND,
        },
        request=request,
    )
    return Response.html(html, status=status)


def _search(connection: Any, question: Question, time_limit_ms: int) -> Answer:
    """Ask the catalog, in one of Datasette's threads.

    Raises:
        CatalogError: the question cannot be asked or answered.
        QueryInterrupted: it took too long.
    """
    queries = parse_specs(question.spec)
    finder = Finder(connection)
    with sqlite_timelimit(connection, time_limit_ms):
        try:
            scope = _scope(finder, question, queries)
            statement = finder.binaries(queries, scope, MAX_FOUND + 1)
            rows = finder.rows(statement)
        except sqlite3.OperationalError as error:
            if "interrupted" not in str(error):
                raise
            raise QueryInterrupted(error, question.spec, {}) from None
    if not rows:
        misses = near_misses(connection, queries[0], scope)
        return Answer(tag=scope.tag, sql=statement.text, misses=misses)
    kept = [row for row in rows[:MAX_FOUND] if _has(row, question.kept)]
    return Answer(
        tag=scope.tag,
        found=set_apart(kept),
        facets=_facets(kept, question),
        more=len(rows) > MAX_FOUND,
        sql=statement.text,
    )


def _scope(finder: Finder, question: Question, queries: tuple[SpecQuery, ...]) -> Scope:
    """Where to look: in the tag that is named, else in the newest that has it."""
    chosen = question.scope
    scope = Scope(
        tag=None if chosen.get("tag") == ANY else chosen.get("tag"),
        stack=chosen.get("stack"),
        runs_on=chosen.get("runs_on"),
        os=chosen.get("os"),
    )
    if "tag" in chosen:
        return scope
    return replace(scope, tag=finder.newest_tag(queries, scope))


def _values(row: Sequence[Any], facet: str) -> list[str]:
    """What a binary has of a facet; of stacks there are several."""
    value = row[COLUMNS.index(facet)]
    return value.split() if facet == "stacks" else [value]


def _has(row: Sequence[Any], kept: dict[str, str]) -> bool:
    return all(value in _values(row, facet) for facet, value in kept.items())


def _facets(rows: Sequence[Sequence[Any]], question: Question) -> dict[str, list[FacetValue]]:
    """The facets in which the binaries differ, or of which a value is chosen."""
    facets = {}
    for facet in FACETS:
        counts = Counter(value for row in rows for value in _values(row, facet))
        chosen = question.kept.get(facet)
        if len(counts) > 1 or chosen:
            facets[facet] = [
                FacetValue(
                    value,
                    count,
                    question.address(**{facet: None if value == chosen else value}),
                    value == chosen,
                )
                for value, count in counts.most_common(MAX_FACET_VALUES)
            ]
    return facets


def _json(question: Question, answer: Answer, error: CatalogError | None, status: int) -> Response:
    if error:
        span = error.span if isinstance(error, SpecSyntaxError) else None
        message = error.message if isinstance(error, SpecSyntaxError) else str(error)
        return Response.json({"ok": False, "error": message, "span": span}, status=status)
    return Response.json(
        {
            "ok": True,
            "spec": question.spec,
            "tag": answer.tag,
            "binaries": answer.found.rows,
            "near_misses": [str(miss) for miss in answer.misses],
            "truncated": answer.more,
            "sql": answer.sql,
        }
    )


def _csv(answer: Answer, error: CatalogError | None, status: int) -> Response:
    if error:
        return Response.text(f"{error}\n", status=status)
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(answer.found.rows)
    return Response(text.getvalue(), content_type="text/csv; charset=utf-8")


def _underlined(error: CatalogError | None) -> tuple[str, str, str] | None:
    """The query before the place that is wrong, the place, and what comes after it."""
    if not isinstance(error, SpecSyntaxError):
        return None
    start, end = error.span
    return error.source[:start], error.source[start:end], error.source[end:]


async def _names(datasette: Any, table: str, order: str) -> list[str]:
    """The names to choose from, of those that have binaries."""
    sql = f"SELECT name FROM {table} ORDER BY {order}"
    found = await datasette.get_database("catalog").execute(sql)
    return [row["name"] for row in found.rows]


def _time_limit(datasette: Any) -> int:
    return int(datasette.setting("sql_time_limit_ms"))
