"""The Datasette plugin: what a catalog can do that Datasette alone cannot.

Facets and filters that know packages, stacks and variants, the download of the catalog, and the
templates of its pages.  Only catalogs are touched; other databases in the same Datasette are as
they were.

The hooks import what they need when they are called, because Datasette loads its plugins while
its own modules are still being imported.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from datasette import hookimpl


@hookimpl(hookwrapper=True)
def register_facet_classes() -> Generator[None, Any, None]:
    """Put the catalog's facets in the place of Datasette's facets by column."""
    from datasette.facets import ColumnFacet

    from datasette_spack.facets import CatalogFacet

    outcome = yield
    outcome.force_result(
        [
            [CatalogFacet if found is ColumnFacet else found for found in classes]
            for classes in outcome.get_result()
        ]
    )


@hookimpl(trylast=True)
def filters_from_request(request: Any, database: str, table: str, datasette: Any) -> Any:
    """Filter by names: ``?_package=hdf5&_stack=e4s&_variant=+mpi&_runs_on=zen4``."""
    from datasette_spack.filters import name_filters, refuse_whole_view

    refuse_whole_view(datasette, request, database, table)
    return name_filters(datasette, request, database, table)


@hookimpl
def render_cell(
    value: object, column: str, table: str | None, database: str, datasette: Any
) -> Any:
    """Show names on the page of a single row."""
    from datasette_spack.labels import label_of

    return label_of(datasette, database, table, column, value)


@hookimpl
def asgi_wrapper(datasette: Any) -> Callable[[Any], Any]:
    """Take ``?stack=e4s`` for ``?_stack=e4s`` on the pages of specs and binaries."""
    from datasette_spack.filters import short_names

    return lambda app: short_names(datasette, app)


@hookimpl
def register_routes() -> list[tuple[str, Any]]:
    """Serve the file of the catalog, and the search for specs."""
    from datasette_spack.download import DOWNLOAD_ROUTE, download
    from datasette_spack.find_page import FIND_ROUTE, find

    return [(DOWNLOAD_ROUTE, download), (FIND_ROUTE, find)]


@hookimpl
def extra_css_urls(database: str | None, datasette: Any) -> list[str]:
    """The style of the catalog's pages."""
    if database not in ("catalog", None):
        return []
    return [datasette.urls.static_plugins("spack-catalog", "catalog.css")]


@hookimpl
def prepare_connection(conn: Any, database: str) -> None:
    """Let any query ask whether a spec satisfies another: ``satisfies(hash, 'hdf5 +mpi')``."""
    if database == "catalog":
        from datasette_spack.functions import register

        register(conn)


@hookimpl
def extra_template_vars(template: str, datasette: Any) -> Callable[[], Any] | None:
    """What the home page says of the catalog."""
    if template != "index.html":
        return None
    from datasette_spack.home import home_facts

    return lambda: home_facts(datasette)
