"""``/package/<name>/dependents``: what depends on a package in a tag, also through others."""

from __future__ import annotations

from typing import Any

from datasette.utils.asgi import AsgiStream, Response

from datasette_spack.site.answer import Page, answer, named
from datasette_spack.site.remembered import remembered
from datasette_spack.site.whole import csv_of
from etl.browse.dependents import dependents as facts_of
from etl.errors import UsageError

DEPENDENTS_ROUTE = r"/package/(?P<package>[^/]+)/dependents(?P<format>\.json|\.csv)?$"

LISTS = ("direct", "all")


async def dependents(datasette: Any, request: Any) -> Response | AsgiStream:
    """The page; as CSV one of its lists."""
    name, asked = named(request, "package"), request.args.get("list") or "all"
    tag, version = request.args.get("tag") or None, request.args.get("version", "").strip() or None
    read_facts = remembered(datasette, facts_of, name, tag, version)

    def sql_of(connection: Any) -> str:
        if asked not in LISTS:
            raise UsageError(f"list must be one of {', '.join(LISTS)}")
        facts = read_facts(connection)
        return (facts.direct if asked == "direct" else facts.all).sql

    def read(connection: Any) -> Page:
        facts = read_facts(connection)
        return Page(
            "dependents.html",
            f"What depends on {name}",
            f"Packages that depend on {name} in {facts.tag}, directly and through other packages.",
            facts,
            unbounded=True,
        )

    if request.url_vars["format"] == ".csv":
        return await csv_of(datasette, sql_of)
    return await answer(datasette, request, read)
