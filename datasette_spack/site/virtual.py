"""``/virtual/<name>``: what provides an interface such as ``mpi`` or ``blas``."""

from __future__ import annotations

from typing import Any

from datasette.utils.asgi import AsgiStream, Response

from datasette_spack.charts.numbers import counted
from datasette_spack.site.answer import Page, answer, named
from datasette_spack.site.whole import csv_of
from etl.browse.virtual import virtual_facts

VIRTUAL_ROUTE = r"/virtual/(?P<virtual>[^/]+?)(?P<format>\.json|\.csv)?$"


async def virtual(datasette: Any, request: Any) -> Response | AsgiStream:
    """The page of a virtual package."""
    name = named(request, "virtual")
    if request.url_vars["format"] == ".csv":
        return await csv_of(datasette, lambda db: virtual_facts(db, name).providers.sql)

    def read(connection: Any) -> Page:
        facts = virtual_facts(connection, name)
        return Page(
            "virtual.html",
            f"{name}, a virtual package",
            f"{counted(facts.providers.total, 'packages')} in Spack's build caches provide {name}.",
            facts,
        )

    return await answer(datasette, request, read)
