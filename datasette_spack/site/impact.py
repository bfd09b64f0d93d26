"""``/package/<name>/impact``: the binaries of a tag that contain a package, or versions of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode
from xml.etree.ElementTree import Element

from datasette.database import QueryInterrupted
from datasette.utils.asgi import Response

from datasette_spack.charts.numbers import counted
from datasette_spack.site.addresses import Addresses
from datasette_spack.site.answer import Page, answer, ask_catalog, named, page_about, page_number
from datasette_spack.site.feed import CONTENT_TYPE, NO_DATE, Feed
from datasette_spack.site.remembered import remembered
from datasette_spack.site.xml_page import xml_answer
from etl.browse.lists import PAGE, described_tags
from etl.browse.newest import newest_of
from etl.catalog.asking import NotHereError, Row, known, near_names
from etl.compare.impact import CLOSURES, Impact, closure_for, impact_tag
from etl.compare.impact import impact as impact_of
from etl.compare.impact_rows import (
    IMPACT_COLUMNS,
    PACKAGE_COLUMNS,
    SORTED_BY,
    impact_rows,
    rows_as_csv,
)
from etl.compare.tag_graph import GraphOf, TagGraph, graph_about, graph_of_tag
from etl.errors import CatalogError, UsageError
from etl.query.find import ALL
from etl.spack.syntax import parse_spec
from etl.spack.tree import SpecQuery

IMPACT_ROUTE = r"/package/(?P<package>[^/]+)/impact(?P<format>\.json|\.csv)?$"
IMPACT_FEED_ROUTE = r"/package/(?P<package>[^/]+)/impact\.atom$"

LISTS = ("binaries", "packages")
"""What there is as CSV."""

MAX_PACKAGES = 60
"""Packages on the page; JSON and CSV have them all."""

MAX_TAGS = 4
"""Tags that the feed tells of, the newest: of each a part of the graph has to be read."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What an address asks: a package, versions of it, a tag, and what the list is of."""

    package: str
    version: str | None
    tag: str | None
    closure: str | None

    @classmethod
    def of(cls, request: Any) -> _Asked:
        version = request.args.get("version", "").strip().removeprefix("@").strip()
        tag, closure = request.args.get("tag") or None, request.args.get("closure") or None
        return cls(named(request, "package"), version or None, tag, closure)

    def query(self, db: sqlite3.Connection) -> SpecQuery:
        """The package and its versions as a query.

        Raises:
            NotHereError: there is no such package.
            SpecSyntaxError: the version cannot be read.
            UsageError: there is more than a version.
        """
        there = db.execute("SELECT 1 FROM packages WHERE name = ?", (self.package,)).fetchone()
        if there is None:
            near = near_names(db, "packages", self.package)
            raise NotHereError("package", self.package, near)
        query = parse_spec(f"{self.package}@{self.version}" if self.version else self.package)
        if self.version and str(query) != f"{self.package}{query.root.version}":
            raise UsageError("version= is a version, or a range or list of them, as in 5.6.0:5.6.1")
        return query


async def impact(datasette: Any, request: Any) -> Response:
    """The page, its JSON, or one of its lists as CSV, which have all binaries."""
    asked, form = _Asked.of(request), request.url_vars["format"]
    sort, number = request.args.get("sort", ""), page_number(request)
    listed = request.args.get("list") or "binaries"

    def facts_of(connection: Any) -> tuple[SpecQuery, Impact | None]:
        query = asked.query(connection)
        if asked.tag:
            known(connection, "tags", "tag", asked.tag)
        tag = asked.tag or impact_tag(connection, query)
        if tag is None:
            return query, None
        closure = asked.closure or closure_for(query)
        return query, impact_in(datasette, str(query), tag, closure)(connection)

    def read(connection: Any) -> Page:
        query, found = facts_of(connection)
        whole = bool(form) and "page" not in request.args
        first, most = (0, ALL) if whole else ((number - 1) * PAGE, PAGE)
        rows = impact_rows(connection, found, sort, first, most) if found else []
        return Page(
            "impact.html",
            f"What contains {query}",
            _description(str(query), found),
            {
                "package": asked.package,
                "version": asked.version,
                **(found.to_json() if found else {"tag": None, "is_told": False}),
                "binaries": rows,
            },
            {
                "query": str(query),
                "impact": found,
                "tags": described_tags(connection),
                "closures": CLOSURES,
                "columns": SORTED_BY,
                "max_packages": MAX_PACKAGES,
                "sort": sort,
                "number": number,
                "per_page": PAGE,
            },
            unbounded=True,
            feed=_feed_path(asked),
        )

    def csv(connection: Any) -> str:
        if listed not in LISTS:
            raise UsageError(f"list= is one of {', '.join(LISTS)}")
        _, found = facts_of(connection)
        if listed == "packages":
            return rows_as_csv(found.packages if found else (), PACKAGE_COLUMNS)
        return rows_as_csv(impact_rows(connection, found, sort) if found else (), IMPACT_COLUMNS)

    if form != ".csv":
        return await answer(datasette, request, read)
    try:
        text = await ask_catalog(datasette, csv)
    except (CatalogError, QueryInterrupted) as error:
        page = page_about(error)
        return Response.text(f"{page.facts['error']}\n", status=page.status)
    return Response(text, content_type="text/csv; charset=utf-8")


def impact_in(
    datasette: Any, spec: str, tag: str, closure: str
) -> Callable[[sqlite3.Connection], Impact]:
    """Reads what contains a spec in a tag, once; the graph of the newest tag is kept, too."""

    def graph_of(connection: sqlite3.Connection, tag: str, specs: Collection[int]) -> TagGraph:
        if tag == newest_of(described_tags(connection)):
            return kept_graph(datasette, tag)(connection)
        return graph_about(connection, tag, specs)

    return remembered(datasette, _impact, spec, tag, closure, given=(graph_of,))


def kept_graph(datasette: Any, tag: str) -> Callable[[sqlite3.Connection], TagGraph]:
    """Reads the graph of a tag, which is kept: that of 28,000 binaries takes 12 MB."""
    return remembered(datasette, graph_of_tag, tag, most=1)


async def make_ready(datasette: Any) -> None:
    """Read the graph of the newest tag, so that nobody who asks what is in it waits for that."""

    def read(connection: sqlite3.Connection) -> None:
        tag = newest_of(described_tags(connection))
        if tag:
            kept_graph(datasette, tag)(connection)

    with suppress(CatalogError, QueryInterrupted):  # whoever asks for it will be told
        await ask_catalog(datasette, read)


def _impact(db: sqlite3.Connection, spec: str, tag: str, closure: str, graph_of: GraphOf) -> Impact:
    return impact_of(db, parse_spec(spec), tag, closure, graph_of)


def _description(query: str, found: Impact | None) -> str:
    if found is None or not found.is_told:
        return f"Which binaries contain {query} is not known: no source lists dependencies."
    return (
        f"{counted(found.listed, 'binaries')} of {counted(len(found.packages), 'packages')} in"
        f" {found.tag} contain {query}: {CLOSURES[found.closure]}."
    )


async def impact_feed(datasette: Any, request: Any) -> Response:
    """The newest tags, each with what contains the package in it, ranked by package."""
    asked = _Asked.of(request)
    site = Addresses(datasette)
    chosen = {"version": asked.version, "closure": asked.closure}

    def read(connection: Any) -> tuple[str, list[tuple[Row, Impact]]]:
        query = asked.query(connection)
        closure = asked.closure or closure_for(query)
        tags = [row for row in described_tags(connection) if row["date"]][:MAX_TAGS]
        spec = str(query)
        # Each is kept, so that whoever is cut short has less to read the next time.
        return spec, [
            (row, impact_in(datasette, spec, row["tag"], closure)(connection)) for row in tags
        ]

    def make(facts: tuple[str, list[tuple[Row, Impact]]]) -> Element:
        query, found = facts
        feed = Feed(
            datasette,
            request,
            site.file(f"package/{asked.package}/impact.atom", **chosen),
            site.impact(asked.package, **chosen),
        )
        date = found[0][0]["date"] if found else NO_DATE
        feed.begin(("impact feed", query, asked.closure or ""), f"What contains {query}", date)
        for place, (row, it) in enumerate(found):
            # That nothing contains it any more is news only after something did.
            if any(then.listed for _, then in found[place : place + 2]):
                feed.impact(it, row["date"], site.impact(asked.package, tag=it.tag, **chosen))
        return feed.finished()

    return await xml_answer(datasette, request, CONTENT_TYPE, read, make)


def _feed_path(asked: _Asked) -> str:
    given = {"version": asked.version, "closure": asked.closure}
    query = urlencode({name: value for name, value in given.items() if value})
    path = f"package/{quote(asked.package, safe='')}/impact.atom"
    return f"{path}?{query}" if query else path
