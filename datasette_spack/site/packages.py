"""``/packages``: all packages that have binaries."""

from __future__ import annotations

from typing import Any

from datasette.utils.asgi import Response

from datasette_spack.charts.numbers import counted
from datasette_spack.site.answer import Page, answer, page_number
from etl.browse.lists import PAGE, package_list

PACKAGES_ROUTE = r"/packages(?P<format>\.json)?$"


async def packages(datasette: Any, request: Any) -> Response:
    """A page of the list, by name or by the number of binaries."""
    part, page = request.args.get("q", ""), page_number(request)
    order = "binaries" if request.args.get("order") == "binaries" else "name"

    def read(connection: Any) -> Page:
        found = package_list(connection, part, page, "binaries" if order == "binaries" else "name")
        return Page(
            "packages.html",
            "Packages",
            f"{counted(found.total, 'packages')} with binaries in Spack's build caches.",
            {"packages": found.rows, "total": found.total, "sql": found.sql},
            {
                "part": part,
                "order": order,
                "number": page,
                "per_page": PAGE,
            },
            unbounded=bool(request.query_string),
        )

    return await answer(datasette, request, read)
