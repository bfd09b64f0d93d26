"""``/packages``: all packages that have binaries."""

from __future__ import annotations

from typing import Any

from datasette.utils.asgi import AsgiStream, Response

from datasette_spack.charts.numbers import counted
from datasette_spack.site.answer import Page, answer, page_number
from datasette_spack.site.whole import csv_of
from etl.browse.lists import PAGE, package_list
from etl.query.find import ALL

PACKAGES_ROUTE = r"/packages(?P<format>\.json|\.csv)?$"


async def packages(datasette: Any, request: Any) -> Response | AsgiStream:
    """A page of the list, by name or by another of its columns; as JSON and CSV all of it."""
    part, page, form = request.args.get("q", ""), page_number(request), request.url_vars["format"]
    sort = request.args.get("sort", "")
    if not sort and request.args.get("order") == "binaries":  # as addresses once said it
        sort = "-binaries"
    if form == ".csv":
        return await csv_of(datasette, lambda it: package_list(it, part, sort=sort).sql)
    limit = ALL if form and "page" not in request.args else PAGE

    def read(connection: Any) -> Page:
        found = package_list(connection, part, page, sort, limit)
        return Page(
            "packages.html",
            "Packages",
            f"{counted(found.total, 'packages')} with binaries in Spack's build caches.",
            {"packages": found.rows, "total": found.total, "sql": found.sql},
            {
                "part": part,
                "sort": sort,
                "number": page,
                "per_page": PAGE,
            },
            unbounded=bool(request.query_string),
        )

    return await answer(datasette, request, read)
