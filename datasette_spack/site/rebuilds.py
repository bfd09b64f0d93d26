"""``/compare/<old>/<new>?cause=…``: the binaries that were rebuilt because of something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from datasette.utils.asgi import Response

from datasette_spack.charts.numbers import counted
from datasette_spack.site.answer import Page, answer, ask_catalog, named, page_about, page_number
from datasette_spack.site.remembered import remembered
from etl.catalog.asking import known
from etl.compare.cause_words import cause_in_words
from etl.compare.pairing import Rebuild
from etl.compare.past import tag_at
from etl.compare.rebuilt import Rebuilt, rebuilt
from etl.compare.rebuilt_files import as_json, rebuilds_as_csv
from etl.errors import CatalogError, UsageError
from etl.spack.versions import sort_key

PAGE = 200
"""Rebuilds on a page; JSON and CSV have all."""

_SORTS = {
    "package": lambda it: it.package,
    "version": lambda it: sort_key(it.version or ""),
    "causes": lambda it: len(it.causes),
}


async def rebuilds(datasette: Any, request: Any) -> Response:
    """The page, its JSON, or its CSV with a row for each cause of each."""
    old, new = named(request, "old"), named(request, "new")
    stack, cause = request.args.get("stack") or None, request.args.get("cause", "").strip()
    sort, number = request.args.get("sort", ""), page_number(request)
    form = request.url_vars["format"]

    def chosen(connection: Any) -> tuple[Rebuilt, Sequence[Rebuild]]:
        for name in (old, new):
            if "@" in name:
                tag_at(connection, name)
            else:
                known(connection, "tags", "tag", name)
        if stack:
            known(connection, "stacks", "stack", stack)
        found = remembered(datasette, rebuilt, old, new, stack)(connection)
        return found, _sorted(found.because_of(cause), sort)

    def read(connection: Any) -> Page:
        found, listed = chosen(connection)
        of = "" if cause in ("", "any") else f" because of {cause}"
        if cause == "unexplained":
            of = " without a known cause"
        return Page(
            "rebuilds.html",
            f"Rebuilt{of}",
            f"{counted(len(listed), 'specs')} rebuilt{of} from {old} to {new}.",
            {"old": old, "new": new, "stack": stack, "cause": cause, **as_json(found, listed)},
            {
                "listed": listed,
                "of": of,
                "in_words": cause_in_words,
                "sort": sort,
                "number": number,
                "per_page": PAGE,
            },
            unbounded=True,
        )

    if form != ".csv":
        return await answer(datasette, request, read)
    try:
        _, listed = await ask_catalog(datasette, chosen)
    except CatalogError as error:
        page = page_about(error)
        return Response.text(f"{page.facts['error']}\n", status=page.status)
    return Response(rebuilds_as_csv(listed), content_type="text/csv; charset=utf-8")


def _sorted(found: Sequence[Rebuild], sort: str) -> Sequence[Rebuild]:
    """The rebuilds by one of the columns.

    Raises:
        UsageError: there is no such column.
    """
    if not sort:
        return found
    if sort.removeprefix("-") not in _SORTS:
        raise UsageError(f"sort must be one of {', '.join(_SORTS)}; - before it: descending")
    return sorted(found, key=_SORTS[sort.removeprefix("-")], reverse=sort.startswith("-"))
