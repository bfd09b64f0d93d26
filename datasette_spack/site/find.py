"""``/find?spec=…``: the binaries that satisfy a spec, for people, as JSON and as CSV."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from datasette.database import QueryInterrupted
from datasette.utils.asgi import AsgiStream, Response

from datasette_spack.site.answer import (
    Page,
    answer,
    ask_catalog,
    page_about,
    page_number,
    shown,
)
from datasette_spack.site.asked import (
    ANY_TAG,
    FIND_FACETS,
    Question,
    scope_of,
    ways_for_host,
    ways_on,
)
from datasette_spack.site.verdicts import with_verdicts
from datasette_spack.streaming import json_writer, streamed, write_csv
from datasette_spack.which import catalog_name
from etl.browse.lists import scope_names
from etl.errors import CatalogError
from etl.hosts.profiles import SHOWN_PROFILES, find_host
from etl.query.explain import MAX_COUNTED, Step, explained
from etl.query.find import ALL, Finder, Scope, Statement
from etl.query.found import Found, set_apart
from etl.query.gone import Gone, gone_matches
from etl.query.host_misses import HostMisses, host_misses
from etl.query.install import by_use, install_commands
from etl.query.meant import Meant, what_is_meant
from etl.query.near_misses import Reason, near_misses
from etl.query.reuse import Reuse, Verdict
from etl.query.spelling import as_spelled
from etl.query.tally import Tally, tally
from etl.query.where import InCache, where
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

EXPLAIN_SECONDS = 0.5
"""How long the constraints of the specs are counted, all in all."""


@dataclass(frozen=True)
class FacetValue:
    """One value of a facet, how many of the found binaries have it, and where choosing it leads."""

    value: str
    count: int
    address: str
    chosen: bool


@dataclass(frozen=True)
class Explained:
    """A spec with what each of its constraints leaves; ``total`` is what all of them leave."""

    spec: str
    total: int
    steps: tuple[Step, ...]


@dataclass
class Answer:
    """What was found, and where; ``misses`` says what is near each spec that nothing satisfies.

    ``total`` counts all of it, ``found`` has one page; ``install`` are the commands for the first.
    """

    tag: str | None = None
    total: int = 0
    caches: tuple[InCache, ...] = ()
    """In which named caches there is any of it, in whatever tag."""
    found: Found = field(default_factory=lambda: set_apart(()))
    facets: dict[str, list[FacetValue]] = field(default_factory=dict)
    statement: Statement | None = None
    misses: tuple[tuple[SpecQuery, tuple[Reason, ...]], ...] = ()
    host_misses: HostMisses | None = None
    gone: Gone | None = None
    """What satisfied the query and is gone, where nothing does now."""
    meant: tuple[Meant, ...] = ()
    install: tuple[str, ...] = ()
    sortable: bool = True
    """Whether there are few enough to sort on a page."""
    verdicts: tuple[Verdict, ...] = ()
    """Of each binary on the page, whether the host can use it."""

    without_effect: tuple[str, ...] = ()
    """What the query says that Spack does not look at."""
    several: tuple[str, ...] = ()
    """The specs that were looked for."""
    spelled: tuple[str, ...] = ()
    """Names that were taken for those of packages in another spelling."""
    explained: tuple[Explained, ...] = ()
    """Of each spec what its constraints leave, if that is asked, or may tell why there is none."""

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
                queries, found.spelled = as_spelled(connection, parse_specs(question.spec or "*"))
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
    except (CatalogError, QueryInterrupted) as error:
        page = page_about(error)
        if form == ".csv":
            return Response.text(f"{page.facts['error']}\n", status=page.status)
        return await shown(datasette, request, page)
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
    near = {str(query): (query, reasons) for query, reasons in found.misses}
    # What there is without a constraint is counted whatever the host can use, and is shown so.
    of_all = {name: value for name, value in question.scope.items() if name != "reusable"}
    misses = {
        spec: [(miss, ways_on(replace(question, scope=of_all), query, miss)) for miss in reasons]
        for spec, (query, reasons) in near.items()
    }
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
            "instead": ways_for_host(question, found.host_misses),
            "names": names,
            "profiles": SHOWN_PROFILES,
            "number": number,
            "per_page": MAX_SHOWN,
        },
        status=400 if error else 200,
        feed=question.address("find.atom", **ANY_TAG) if question.is_asked and not error else None,
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
    found.caches = where(finder, queries, scope)
    found.several = tuple(str(query) for query in queries)
    found.statement = finder.binaries(queries, scope, ALL, sort=question.sort)
    if reuse:
        taken_any = counts.total if scope.taken else _takes_any(finder, queries, scope, reuse)
        if not taken_any:
            any_tag = "tag" not in question.scope
            found.host_misses = host_misses(connection, queries, scope, reuse, any_tag=any_tag)
    # Where the host is in the way, the constraints are not.
    nothing = not counts.total and not found.host_misses
    if question.explain or len(queries) > 1 or nothing:
        found.explained = tuple(_explained(connection, finder, queries, scope))
    if not found.host_misses:
        none = [it for it, told in zip(queries, found.explained, strict=False) if not told.total]
        without = replace(scope, taken=None)
        found.misses = tuple((it, near_misses(connection, it, without)) for it in none)
    if not counts.total:
        found.gone = gone_matches(connection, queries, replace(scope, tag=None))
        return
    found.sortable = counts.total <= MAX_SORTED
    sort = question.sort if found.sortable else ""
    page = finder.binaries(queries, scope, MAX_SHOWN, (number - 1) * MAX_SHOWN, sort)
    found.found = set_apart(finder.rows(page), counts)
    if reuse:
        verdicts = reuse.verdicts((row["hash"], row["tag"]) for row in found.found.rows)
        found.verdicts = tuple(it or Verdict("not-in-cache") for it in verdicts)
    found.facets = _facets(counts, question)
    taken = [it.reusable for it in found.verdicts] if found.verdicts else None
    machine = (reuse.host.target, reuse.host.os) if reuse else (scope.runs_on, scope.os)
    best = by_use(connection, found.found.rows, *machine, taken)
    found.install = tuple(install_commands(connection, best[:1], labelled=True))


def _takes_any(finder: Finder, queries: tuple[SpecQuery, ...], scope: Scope, reuse: Reuse) -> bool:
    """Whether a host can take any of what is found."""
    return finder.count(queries, replace(scope, taken=reuse.taken), 1) > 0


def _explained(
    connection: Any, finder: Finder, queries: tuple[SpecQuery, ...], scope: Scope
) -> Iterator[Explained]:
    """Of each spec what its constraints leave, as far as there is time to count."""
    end = time.monotonic() + EXPLAIN_SECONDS
    for query in queries:
        total = finder.count([query], scope, MAX_COUNTED)
        steps = explained(connection, query, scope, end - time.monotonic())
        yield Explained(str(query), total, steps)


def _scope(
    finder: Finder, question: Question, queries: tuple[SpecQuery, ...], reuse: Reuse | None
) -> Scope:
    """Where to look: in the tag that is named, else in the newest that has it."""
    scope = scope_of(question, reuse)
    if "tag" in question.scope or scope.not_in:  # what a cache lacks is asked of whole caches
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
        "caches": [asdict(it) for it in found.caches],
        "install": found.install,
        "near_misses": [str(miss) for _, reasons in found.misses for miss in reasons],
        "host_misses": list(found.host_misses.lines()) if found.host_misses else [],
        "gone": list(found.gone.rows) if found.gone else [],
        "gone_total": found.gone.total if found.gone else 0,
        "without_effect": list(found.without_effect),
        "spelled": list(found.spelled),
        "explained": [asdict(it) for it in found.explained],
        "meant": [str(meant) for meant in found.meant],
        "truncated": False,
        "sql": found.sql,
    }


def _underlined(error: CatalogError | None) -> tuple[str, str, str] | None:
    """The query before the place that is wrong, the place, and what comes after it."""
    if not isinstance(error, SpecSyntaxError):
        return None
    start, end = error.span
    return error.source[:start], error.source[start:end], error.source[end:]
