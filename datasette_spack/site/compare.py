"""``/compare/<old>/<new>``: what differs between two tags; ``/compare``: which two."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from datasette.utils.asgi import AsgiStream, Response

from datasette_spack.charts.numbers import counted
from datasette_spack.site.addresses import Addresses
from datasette_spack.site.answer import MovedError, Page, answer, fields_of, named, page_number
from datasette_spack.site.rebuilds import rebuilds
from datasette_spack.site.remembered import remembered
from datasette_spack.site.whole import csv_of
from etl.browse.caches import cache_of_tag
from etl.browse.lists import scope_names
from etl.browse.newest import newest_of
from etl.browse.overview import tag_history
from etl.catalog.asking import Listed, known
from etl.compare.cause_words import cause_in_words
from etl.compare.diff import Comparison, compare, previous_tag
from etl.compare.past import gone_hint, tag_at
from etl.compare.rebuilt import cause_key, rebuilt
from etl.compare.rebuilt_files import as_json
from etl.compare.two_specs import compare_specs
from etl.errors import UsageError
from etl.query.find import ALL
from etl.spack.versions import sort_key

COMPARE_ROUTE = r"/compare/(?P<old>[^/]+)/(?P<new>[^/]+?)(?P<format>\.json|\.csv)?$"
SPECS_ROUTE = r"/compare/spec/(?P<old>[a-z0-9]{1,32})/(?P<new>[a-z0-9]{1,32})(?P<format>\.json)?$"
CHOOSE_ROUTE = r"/compare(?P<format>\.json)?$"

MAX_ROWS = 60
"""Rows of each list on the page; JSON and CSV have them all."""

MAX_CAUSES = 25
"""Causes of rebuilds on the page; JSON has all."""

PAGE = 200
"""Rows on a page of one list by itself: ``?list=rebuilt&page=2``."""

SECTIONS = (
    ("added_packages", "New packages", "package", "in {new} and not in {old}"),
    ("removed_packages", "Removed packages", "package", "in {old} and not in {new}"),
    ("upgraded", "Upgraded", "package", "whose newest version is higher"),
    ("downgraded", "Downgraded", "package", "whose newest version is lower"),
    ("new_versions", "New versions", "version", "of packages that both tags have"),
    ("dropped_versions", "Removed versions", "version", "of packages that both tags have"),
    ("rebuilt", "Rebuilt", "version", "with binaries that differ only in their hash"),
    ("stacks", "Stacks", "stack", "in which binaries were added or removed"),
)
"""The lists of a comparison: field, heading, what each row is, and what the list has."""


async def compare_tags(datasette: Any, request: Any) -> Response | AsgiStream:
    """The page on what differs between two tags, in all stacks or in one."""
    if request.args.get("cause"):
        return await rebuilds(datasette, request)
    old, new = named(request, "old"), named(request, "new")
    stack, form = request.args.get("stack") or None, request.url_vars["format"]
    asked, sort = request.args.get("list", ""), request.args.get("sort", "")
    number = page_number(request)

    def read(connection: Any) -> Page:
        for name in (old, new):
            known_tag(connection, name)
        if stack:
            known(connection, "stacks", "stack", stack)
        if form == ".json":
            facts = compare(connection, old, new, stack=stack, limit=ALL)
            why = remembered(datasette, rebuilt, old, new, stack)(connection)
            return Page("compare.html", "", "", {**fields_of(facts), "why": as_json(why)})
        if asked:
            facts = compare(connection, old, new, stack=stack, limit=ALL)
            in_order: dict[str, Any] = {asked: _sorted(_section(facts, asked), sort)}
            facts = replace(facts, **in_order)
        else:
            facts = remembered(datasette, _compare, old, new, stack)(connection)
        return Page(
            "compare.html",
            f"{old} → {new}",
            _description(facts),
            facts,
            {
                "sections": [it for it in SECTIONS if not asked or it[0] == asked],
                "causes": None
                if asked
                else remembered(datasette, rebuilt, old, new, stack)(connection),
                "hints": [hint for it in (old, new) if (hint := gone_hint(connection, it))],
                "in_words": cause_in_words,
                "cause_key": cause_key,
                "max_causes": MAX_CAUSES,
                "asked": asked,
                "sort": sort,
                "number": number,
                "per_page": PAGE,
                "stacks": scope_names(connection)["stacks"],
                "tags": [
                    *({"tag": it} for it in (old, new) if "@" in it),
                    *tag_history(connection),
                ],
                "caches": {
                    name: cache_of_tag(connection, tag_at(connection, name).tag)
                    for name in (old, new)
                },
            },
            unbounded=True,
            query=_query(stack, asked),
        )

    if form != ".csv":
        return await answer(datasette, request, read)
    return await csv_of(datasette, lambda it: _section(read(it).facts, asked).sql)


def known_tag(connection: Any, name: str) -> None:
    """Make sure that a comparison can be made with a tag, or with one as it was at a time.

    Raises:
        NotHereError: there is no such tag.
        UsageError: how it was at that time is not known.
    """
    if "@" in name:
        known(connection, "tags", "tag", name.rpartition("@")[0])
        tag_at(connection, name)
    else:
        known(connection, "tags", "tag", name)


def _query(stack: str | None, asked: str) -> str:
    given = {name: value for name, value in (("stack", stack), ("list", asked)) if value}
    return f"?{urlencode(given)}" if given else ""


def _sorted(section: Listed, sort: str) -> Listed:
    """The list by one of its columns, versions in Spack's order; those without a value last.

    Raises:
        UsageError: the list has no such column.
    """
    name = sort.removeprefix("-")
    if not sort or not section.rows:
        return section
    if name not in section.rows[0]:
        raise UsageError(
            f"sort must be one of {', '.join(section.rows[0])}; - before it: descending"
        )
    some = [row for row in section.rows if row[name] is not None]
    none = [row for row in section.rows if row[name] is None]
    in_order = sort_key if name.endswith("version") else lambda value: value
    some.sort(key=lambda row: in_order(row[name]), reverse=sort.startswith("-"))
    return replace(section, rows=(*some, *none))


def _section(facts: Comparison, name: str) -> Listed:
    """One of the lists.

    Raises:
        UsageError: there is none of this name.
    """
    names = [section[0] for section in SECTIONS]
    if name not in names:
        raise UsageError(f"list must be one of {', '.join(names)}")
    found = getattr(facts, name)
    assert isinstance(found, Listed)
    return found


async def compare_two_specs(datasette: Any, request: Any) -> Response:
    """The page on all that differs between two specs, in both of their graphs."""
    old, new = named(request, "old"), named(request, "new")

    def read(connection: Any) -> Page:
        found = compare_specs(connection, old, new)
        return Page(
            "compare_specs.html",
            f"/{old[:7]} → /{new[:7]}",
            f"Differences between the specs /{old[:7]} and /{new[:7]} and their dependencies.",
            {"old": old, "new": new, "nodes": [it.to_json() for it in found]},
            {"found": found},
            unbounded=True,
        )

    return await answer(datasette, request, read)


async def choose(datasette: Any, request: Any) -> Response:
    """The form that asks which two tags to compare; with both given, their page."""
    old, new = request.args.get("old"), request.args.get("new")
    site = Addresses(datasette)

    def read(connection: Any) -> Page:
        if old and new:
            raise MovedError(site.compare(old, new, stack=request.args.get("stack")))
        found = tag_history(connection)
        to = new if any(it["tag"] == new for it in found) else newest_of(found)
        before = previous_tag(connection, to) if to else None
        return Page(
            "compare_choose.html",
            "Compare two tags",
            "Binaries added, removed and rebuilt between two tags of Spack's build caches.",
            {"tags": found},
            {
                "stacks": scope_names(connection)["stacks"],
                "chosen": {
                    "old": old or before or newest_of([it for it in found if it["tag"] != to]),
                    "new": to,
                    "stack": request.args.get("stack"),
                },
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
