"""``/compare/<old>/<new>``: what differs between two tags; ``/compare``: which two."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from datasette.database import QueryInterrupted
from datasette.utils.asgi import AsgiStream, Response

from datasette_spack.charts.numbers import counted
from datasette_spack.site.addresses import Addresses
from datasette_spack.site.answer import MovedError, Page, answer, ask_catalog, named, page_about
from datasette_spack.site.remembered import remembered
from datasette_spack.streaming import streamed, write_csv
from datasette_spack.which import catalog_name
from etl.browse.lists import scope_names
from etl.browse.overview import tag_history
from etl.catalog.asking import Listed, known
from etl.compare.diff import Comparison, compare
from etl.errors import CatalogError, UsageError
from etl.query.find import ALL

COMPARE_ROUTE = r"/compare/(?P<old>[^/]+)/(?P<new>[^/]+?)(?P<format>\.json|\.csv)?$"
CHOOSE_ROUTE = r"/compare(?P<format>\.json)?$"

MAX_ROWS = 60
"""Rows of each list on the page; JSON and CSV have them all."""

SECTIONS = (
    ("added_packages", "New packages", "package", "in {new}, and not in {old}"),
    ("removed_packages", "Removed packages", "package", "in {old}, and not in {new}"),
    ("upgraded", "Upgraded", "package", "whose newest version went up"),
    ("downgraded", "Downgraded", "package", "whose newest version went down"),
    ("new_versions", "New versions", "version", "of packages that both tags have"),
    ("dropped_versions", "Removed versions", "version", "of packages that both tags have"),
    ("rebuilt", "Rebuilt", "version", "with binaries that differ in nothing but their hash"),
    ("stacks", "Stacks", "stack", "in which binaries were added or removed"),
)
"""The lists of a comparison: field, heading, what each row is, and what the list has."""


async def compare_tags(datasette: Any, request: Any) -> Response | AsgiStream:
    """The page on what differs between two tags, in all stacks or in one."""
    old, new = named(request, "old"), named(request, "new")
    stack, form = request.args.get("stack") or None, request.url_vars["format"]

    def read(connection: Any) -> Page:
        for name in (old, new):
            known(connection, "tags", "tag", name)
        if stack:
            known(connection, "stacks", "stack", stack)
        if form == ".json":
            facts = compare(connection, old, new, stack=stack, limit=ALL)
        else:
            facts = remembered(datasette, _compare, old, new, stack)(connection)
        return Page(
            "compare.html",
            f"{old} → {new}",
            _description(facts),
            facts,
            {
                "sections": SECTIONS,
                "stacks": scope_names(connection)["stacks"],
                "tags": tag_history(connection),
            },
            unbounded=True,
            query=f"?{urlencode({'stack': stack})}" if stack else "",
        )

    if form != ".csv":
        return await answer(datasette, request, read)
    try:
        section = _section(await ask_catalog(datasette, read), request.args.get("list", ""))
    except (CatalogError, QueryInterrupted) as error:
        page = page_about(error)
        return Response.text(f"{page.facts['error']}\n", status=page.status)
    database = datasette.get_database(catalog_name(datasette))
    kind = "text/csv; charset=utf-8"
    return streamed(datasette, database, section.sql, {}, write_csv, kind)


def _section(page: Page, name: str) -> Listed:
    """One of the lists.

    Raises:
        UsageError: there is none of this name.
    """
    names = [section[0] for section in SECTIONS]
    if name not in names:
        raise UsageError(f"list= is one of {', '.join(names)}")
    found = getattr(page.facts, name)
    assert isinstance(found, Listed)
    return found


async def choose(datasette: Any, request: Any) -> Response:
    """The form that asks which two tags to compare; with both given, their page."""
    old, new = request.args.get("old"), request.args.get("new")
    site = Addresses(datasette)

    def read(connection: Any) -> Page:
        if old and new:
            raise MovedError(site.compare(old, new, stack=request.args.get("stack")))
        found = tag_history(connection)
        return Page(
            "compare_choose.html",
            "Compare two tags",
            "What was added, removed and rebuilt between two tags of Spack's build caches.",
            {"tags": found},
            {
                "stacks": scope_names(connection)["stacks"],
                "chosen": {"old": old, "new": new, "stack": request.args.get("stack")},
            },
        )

    return await answer(datasette, request, read)


def _compare(connection: Any, old: str, new: str, stack: str | None) -> Comparison:
    return compare(connection, old, new, stack=stack, limit=MAX_ROWS)


def _description(facts: Comparison) -> str:
    binaries = counted(facts.binaries_added, "binaries")
    new = counted(facts.added_packages.total, "new packages")
    return (
        f"From {facts.old} to {facts.new}: {binaries} added,"
        f" {facts.binaries_removed:,} removed; {new},"
        f" {facts.upgraded.total:,} upgraded."
    )
