"""``/find?spec=…``: the binaries that satisfy a spec, for people, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from datasette.database import QueryInterrupted
from datasette.utils.asgi import Response

from datasette_spack.site.answer import NoCatalogError, Page, answer, ask_catalog
from etl.browse.facets import FACETS, count_values, values_of
from etl.browse.lists import scope_names
from etl.errors import CatalogError
from etl.query.find import COLUMNS, Finder, Scope
from etl.query.found import Found, set_apart
from etl.query.install import install_commands
from etl.query.near_misses import NearMiss, Reason, Suggestion, near_misses
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
ANY = "any"
"""What stands for all tags in the address."""


@dataclass(frozen=True)
class Question:
    """What the address asks: a spec, where to look, and which of the found ones to keep."""

    spec: str
    scope: dict[str, str]
    kept: dict[str, str]
    path: str
    """Where the page is."""

    @classmethod
    def of(cls, arguments: Any, path: str) -> Question:
        """The question in the arguments of an address."""

        def given(names: tuple[str, ...]) -> dict[str, str]:
            return {name: value for name in names if (value := arguments.get(name, "").strip())}

        spec = arguments.get("spec", "").strip()
        return cls(spec, given(SCOPE_FIELDS), given(FACETS), path)

    def address(self, path: str | None = None, /, **changes: str | None) -> str:
        """The address that asks this with some arguments changed, or left out where None."""
        arguments = {"spec": self.spec, **self.scope, **self.kept, **changes}
        query = urlencode({name: value for name, value in arguments.items() if value})
        return f"{self.path if path is None else path}?{query}"


@dataclass(frozen=True)
class FacetValue:
    """One value of a facet, how many of the found binaries have it, and where choosing it leads."""

    value: str
    count: int
    address: str
    chosen: bool


@dataclass
class Answer:
    """What was found, and where; if nothing was, ``misses`` says what is near.

    ``install`` are the commands for the first.
    """

    tag: str | None = None
    found: Found = field(default_factory=lambda: set_apart(()))
    facets: dict[str, list[FacetValue]] = field(default_factory=dict)
    more: bool = False
    sql: str = ""
    misses: tuple[Reason, ...] = ()
    install: tuple[str, ...] = ()


async def find(datasette: Any, request: Any) -> Response:
    """Answer a request for the page, for JSON or for CSV."""
    question = Question.of(request.args, str(datasette.urls.path("find")))

    def read(connection: Any) -> Page:
        try:
            found = _search(connection, question) if question.spec else Answer()
        except CatalogError as error:
            return _page(connection, question, Answer(), error)
        return _page(connection, question, found, None)

    if request.url_vars["format"] == ".csv":
        try:
            page = await ask_catalog(datasette, read)
        except (NoCatalogError, QueryInterrupted) as error:
            return Response.text(f"{error}\n", status=503)
        return _csv(page.more["answer"], page.more["error"], page.status)
    return await answer(datasette, request, read)


def _page(connection: Any, question: Question, found: Answer, error: CatalogError | None) -> Page:
    names = scope_names(connection)
    return Page(
        "find.html",
        f"{question.spec} · Find binaries" if question.spec else "Find binaries",
        "Search Spack's public build caches for binaries in Spack's own spec syntax.",
        _facts(question, found, error),
        {
            "question": question,
            "answer": found,
            "error": error,
            "underlined": _underlined(error),
            "misses": [(miss, _ways_on(question, miss)) for miss in found.misses],
            "names": names,
            "shown": MAX_SHOWN,
            "limit": MAX_FOUND,
        },
        status=400 if error else 200,
        unbounded=bool(question.spec),
        query=question.address("") if question.spec else "",
    )


def _search(connection: Any, question: Question) -> Answer:
    """Ask the catalog.

    Raises:
        CatalogError: the question cannot be asked or answered.
    """
    queries = parse_specs(question.spec)
    finder = Finder(connection)
    scope = _scope(finder, question, queries)
    statement = finder.binaries(queries, scope, MAX_FOUND + 1)
    rows = finder.rows(statement)
    if not rows:
        misses = near_misses(connection, queries[0], scope)
        return Answer(tag=scope.tag, sql=statement.text, misses=misses)
    kept = [row for row in rows[:MAX_FOUND] if _has(row, question.kept)]
    found = set_apart(kept)
    return Answer(
        tag=scope.tag,
        found=found,
        facets=_facets(kept, question),
        more=len(rows) > MAX_FOUND,
        sql=statement.text,
        install=tuple(install_commands(connection, found.rows[:1])),
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


def _has(row: Sequence[Any], kept: dict[str, str]) -> bool:
    binary = dict(zip(COLUMNS, row, strict=True))
    return all(value in values_of(binary, facet) for facet, value in kept.items())


def _facets(rows: Sequence[Sequence[Any]], question: Question) -> dict[str, list[FacetValue]]:
    """The facets in which the binaries differ, or of which a value is chosen."""
    facets = {}
    binaries = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    for facet in FACETS:
        counts = count_values(binaries, facet)
        chosen = question.kept.get(facet)
        if chosen or any(count < len(binaries) for _, count in counts):
            facets[facet] = [
                FacetValue(
                    value,
                    count,
                    question.address(**{facet: None if value == chosen else value}),
                    value == chosen,
                )
                for value, count in counts[:MAX_FACET_VALUES]
            ]
    return facets


def _facts(question: Question, found: Answer, error: CatalogError | None) -> dict[str, Any]:
    """The JSON of the page."""
    if error:
        span = error.span if isinstance(error, SpecSyntaxError) else None
        message = error.message if isinstance(error, SpecSyntaxError) else str(error)
        return {"error": message, "span": span}
    return {
        "spec": question.spec,
        "tag": found.tag,
        "binaries": found.found.rows,
        "install": found.install,
        "near_misses": [str(miss) for miss in found.misses],
        "truncated": found.more,
        "sql": found.sql,
    }


def _ways_on(question: Question, miss: Reason) -> list[tuple[str, str]]:
    """The questions that a near miss leads to: the spec with a place of it mended."""
    if isinstance(miss, Suggestion):
        return [(name, _with(question, miss.span, name)) for name in miss.near]
    if isinstance(miss, NearMiss) and miss.span:
        return [(f"without {miss.constraint}", _with(question, miss.span, ""))]
    if isinstance(miss, NearMiss):
        for name, chosen in question.scope.items():
            if miss.constraint in (f"--{name.replace('_', '-')} {chosen}", f"{name}={chosen}"):
                change = {name: ANY if name == "tag" else None}
                return [(f"without {chosen}", question.address(**change))]
    return []


def _with(question: Question, span: tuple[int, int], text: str) -> str:
    start, end = span
    spec = f"{question.spec[:start]}{text}{question.spec[end:]}"
    return question.address(spec=" ".join(spec.split()))


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
