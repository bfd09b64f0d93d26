"""``/find?spec=…``: the binaries that satisfy a spec, for people, as JSON and as CSV."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

from datasette.database import QueryInterrupted
from datasette.utils.asgi import AsgiStream, Response

from datasette_spack.site.answer import (
    NoCatalogError,
    Page,
    answer,
    ask_catalog,
    page_about,
    page_number,
    shown,
)
from datasette_spack.site.verdicts import with_verdicts
from datasette_spack.streaming import json_writer, streamed, write_csv
from datasette_spack.which import catalog_name
from etl.browse.facets import FACETS
from etl.browse.lists import scope_names
from etl.errors import CatalogError
from etl.hosts.profiles import SHOWN_PROFILES, find_host
from etl.query.find import ALL, Finder, Scope, Statement
from etl.query.found import Found, set_apart
from etl.query.host_misses import host_misses
from etl.query.install import by_use, install_commands
from etl.query.meant import Meant, what_is_meant
from etl.query.near_misses import NearMiss, Reason, Suggestion, near_misses
from etl.query.reuse import Reuse, Verdict
from etl.query.tally import Tally, tally
from etl.query.without_effect import without_effect
from etl.spack.syntax import parse_specs
from etl.spack.tokens import SpecSyntaxError
from etl.spack.tree import SpecQuery

FIND_ROUTE = r"/find(?P<format>\.json|\.csv)?$"

MAX_SHOWN = 200
"""Binaries on one page; JSON and CSV have them all."""

MAX_SORTED = 20_000
"""Binaries that a page sorts; CSV and JSON sort any number."""

MAX_FACET_VALUES = 12

FIND_FACETS = ("package", *FACETS)
SCOPE_FIELDS = ("tag", "stack", "runs_on", "os", "host", "reusable")
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
    sort: str = ""
    """The column by which the binaries are sorted."""

    @classmethod
    def of(cls, arguments: Any, path: str) -> Question:
        """The question in the arguments of an address."""

        def given(names: tuple[str, ...]) -> dict[str, str]:
            return {name: value for name in names if (value := arguments.get(name, "").strip())}

        spec = arguments.get("spec", "").strip()
        return cls(spec, given(SCOPE_FIELDS), given(FIND_FACETS), path, arguments.get("sort", ""))

    @property
    def is_asked(self) -> bool:
        """Whether anything is asked; fields without a spec ask for any."""
        return bool(self.spec or self.scope or self.kept)

    def address(self, path: str | None = None, /, **changes: str | None) -> str:
        """The address that asks this with some arguments changed, or left out where None."""
        arguments = {**self.arguments, **changes}
        query = urlencode({name: value for name, value in arguments.items() if value})
        return f"{self.path if path is None else path}?{query}"

    @property
    def given(self) -> dict[str, str]:
        """Those of its arguments that say something."""
        return {name: value for name, value in self.arguments.items() if value}

    @property
    def arguments(self) -> dict[str, str | None]:
        """The arguments of the address."""
        return {"spec": self.spec, **self.scope, **self.kept, "sort": self.sort}


@dataclass(frozen=True)
class FacetValue:
    """One value of a facet, how many of the found binaries have it, and where choosing it leads."""

    value: str
    count: int
    address: str
    chosen: bool


@dataclass
class Answer:
    """What was found, and where; if nothing was, ``misses`` says for each spec what is near.

    ``total`` counts all of it, ``found`` has one page; ``install`` are the commands for the first.
    """

    tag: str | None = None
    total: int = 0
    found: Found = field(default_factory=lambda: set_apart(()))
    facets: dict[str, list[FacetValue]] = field(default_factory=dict)
    statement: Statement | None = None
    misses: tuple[tuple[SpecQuery, tuple[Reason, ...]], ...] = ()
    host_misses: tuple[str, ...] = ()
    meant: tuple[Meant, ...] = ()
    install: tuple[str, ...] = ()
    sortable: bool = True
    """Whether there are few enough to sort on a page."""
    verdicts: tuple[Verdict, ...] = ()
    """Of each binary on the page, whether the host can take it."""

    without_effect: tuple[str, ...] = ()
    """What the query says that Spack does not look at."""
    several: tuple[str, ...] = ()
    """The specs that were looked for."""

    @property
    def sql(self) -> str:
        """The statement that finds all of it, to be run anywhere."""
        return self.statement.text if self.statement else ""


async def find(datasette: Any, request: Any) -> Response | AsgiStream:
    """Answer a request for the page, for JSON or for CSV."""
    question = Question.of(request.args, str(datasette.urls.path("find")))
    form, number = request.url_vars["format"], page_number(request)

    def read(connection: Any) -> Page:
        found, mistake = Answer(), None
        try:
            if question.is_asked:
                queries = parse_specs(question.spec or "*")
                found.meant = what_is_meant(connection, queries)
                found.without_effect = tuple(without_effect(queries))
                _search(connection, question, queries, number, found)
        except CatalogError as error:
            mistake = error
        return _page(connection, question, found, mistake, number)

    if not form:
        return await answer(datasette, request, read)
    try:
        page = await ask_catalog(datasette, read)
    except (NoCatalogError, QueryInterrupted) as error:
        if form == ".csv":
            return Response.text(f"{error}\n", status=503)
        return await shown(datasette, request, page_about(error))
    found, mistake = page.more["answer"], page.more["error"]
    if form == ".csv" and mistake:
        return Response.text(f"{mistake}\n", status=page.status)
    if found.statement is None:  # a mistake, or nothing asked
        return await shown(datasette, request, page)
    writer = write_csv if form == ".csv" else json_writer({"ok": True, **page.facts}, "binaries")
    host = question.scope.get("host")
    if host:
        writer = with_verdicts(datasette, find_host(host, files=False), writer)
    kind = "text/csv" if form == ".csv" else "application/json"
    database = datasette.get_database(catalog_name(datasette))
    return streamed(
        datasette,
        database,
        found.statement.sql,
        found.statement.values,
        writer,
        f"{kind}; charset=utf-8",
    )


def _page(
    connection: Any, question: Question, found: Answer, error: CatalogError | None, number: int
) -> Page:
    names = scope_names(connection)
    misses = [
        (query.source, [(miss, _ways_on(question, query, miss)) for miss in reasons])
        for query, reasons in found.misses
    ]
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
            "misses": misses,
            "names": names,
            "profiles": SHOWN_PROFILES,
            "number": number,
            "per_page": MAX_SHOWN,
        },
        status=400 if error else 200,
        unbounded=question.is_asked,
        query=question.address("") if question.is_asked else "",
    )


def _search(
    connection: Any,
    question: Question,
    queries: tuple[SpecQuery, ...],
    number: int,
    found: Answer,
) -> None:
    """Ask the catalog, and put into ``found`` what it answers.

    Raises:
        CatalogError: the question cannot be answered.
    """
    finder = Finder(connection)
    host = question.scope.get("host")
    reuse = Reuse(connection, find_host(host, files=False)) if host else None
    scope = _scope(finder, question, queries, reuse)
    counts = tally(connection, queries, scope)
    found.tag, found.total = scope.tag, counts.total
    found.several = tuple(str(query) for query in queries)
    found.statement = finder.binaries(queries, scope, ALL, sort=question.sort)
    if not counts.total:
        without = replace(scope, taken=None)
        found.misses = tuple((it, near_misses(connection, it, without)) for it in queries)
        if reuse and scope.taken:
            any_tag = "tag" not in question.scope
            lines = host_misses(connection, queries, scope, reuse, any_tag=any_tag)
            found.host_misses = tuple(line.strip() for line in lines)
        return
    found.sortable = counts.total <= MAX_SORTED
    sort = question.sort if found.sortable else ""
    page = finder.binaries(queries, scope, MAX_SHOWN, (number - 1) * MAX_SHOWN, sort)
    found.found = set_apart(finder.rows(page), counts)
    if reuse:
        verdicts = (reuse.verdict(row["hash"], row["tag"]) for row in found.found.rows)
        found.verdicts = tuple(it or Verdict("not-in-cache") for it in verdicts)
    found.facets = _facets(counts, question)
    taken = [it.reusable for it in found.verdicts] if found.verdicts else None
    machine = (reuse.host.target, reuse.host.os) if reuse else (scope.runs_on, scope.os)
    best = by_use(connection, found.found.rows, *machine, taken)
    found.install = tuple(install_commands(connection, best[:1], labelled=True))


def _scope(
    finder: Finder, question: Question, queries: tuple[SpecQuery, ...], reuse: Reuse | None
) -> Scope:
    """Where to look: in the tag that is named, else in the newest that has it."""
    chosen, kept = question.scope, question.kept
    scope = Scope(
        tag=None if chosen.get("tag") == ANY else chosen.get("tag"),
        stack=chosen.get("stack"),
        runs_on=chosen.get("runs_on"),
        os=chosen.get("os"),
        compiler=kept.get("compiler"),
        version=kept.get("version"),
        target=kept.get("target"),
        package=kept.get("package"),
        also_in=kept.get("stacks"),
        taken=reuse.condition() if reuse and chosen.get("reusable") else None,
    )
    if "tag" in chosen:
        return scope
    return replace(scope, tag=finder.newest_tag(queries, scope))


def _facets(counts: Tally, question: Question) -> dict[str, list[FacetValue]]:
    """The facets in which the binaries differ, or of which a value is chosen."""
    facets = {}
    for facet in FIND_FACETS:
        values = counts.values.get(facet, [])
        chosen = question.kept.get(facet)
        if chosen or any(count < counts.total for _, count in values):
            facets[facet] = [
                FacetValue(
                    value,
                    count,
                    question.address(**{facet: None if value == chosen else value}),
                    value == chosen,
                )
                for value, count in values[:MAX_FACET_VALUES]
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
        "total": found.total,
        "install": found.install,
        "near_misses": [str(miss) for _, reasons in found.misses for miss in reasons],
        "without_effect": list(found.without_effect),
        "meant": [str(meant) for meant in found.meant],
        "truncated": False,
        "sql": found.sql,
    }


def _ways_on(question: Question, query: SpecQuery, miss: Reason) -> list[tuple[str, str]]:
    """The questions that a near miss leads to: the spec with a place of it mended."""
    if isinstance(miss, Suggestion):
        return [(name, _with(question, query, miss.span, name)) for name in miss.near]
    if isinstance(miss, NearMiss) and miss.span:
        return [(f"without {miss.constraint}", _with(question, query, miss.span, ""))]
    if isinstance(miss, NearMiss):
        for name, chosen in (question.scope | question.kept).items():
            if miss.constraint in (f"--{name.replace('_', '-')} {chosen}", f"{name}={chosen}"):
                change = {name: ANY if name == "tag" else None}
                return [(f"without {chosen}", question.address(**change))]
    return []


def _with(question: Question, query: SpecQuery, span: tuple[int, int], text: str) -> str:
    # All specs of a text have their places in all of it.
    start, end = span
    spec = f"{query.source[:start]}{text}{query.source[end:]}"
    return question.address(spec=" ".join(spec.split()))


def _underlined(error: CatalogError | None) -> tuple[str, str, str] | None:
    """The query before the place that is wrong, the place, and what comes after it."""
    if not isinstance(error, SpecSyntaxError):
        return None
    start, end = error.span
    return error.source[:start], error.source[start:end], error.source[end:]
