"""The Datasette plugin: what a catalog can do that Datasette alone cannot.

The pages of the site, facets and filters that know packages, stacks and variants, and the download
of the catalog.  Other databases in the same Datasette keep their rows, facets, addresses, frame
and home page.

The hooks import what they need when they are called, because Datasette loads its plugins while
its own modules are still being imported.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from datasette import hookimpl

_CATALOG = 0x53706B43  # as etl.catalog.reader has it, which is not imported before it is needed


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
    from datasette_spack.filters import name_filters, refuse_broken_facets, refuse_whole_view

    refuse_broken_facets(request)
    refuse_whole_view(datasette, request, database, table)
    return name_filters(datasette, request, database, table)


@hookimpl
def render_cell(
    row: Any, value: object, column: str, table: str | None, database: str, datasette: Any
) -> Any:
    """Let packages, specs, tags, stacks and versions of any row lead to their pages."""
    from datasette_spack.labels import label_of

    return label_of(datasette, database, table, column, value, row)


@hookimpl
def asgi_wrapper(datasette: Any) -> Callable[[Any], Any]:
    """Keep answers; have SQL wait for its turn; take ``?stack=e4s`` for ``?_stack=e4s`` on tables.

    On pages of questions ``newest`` and ``newest-release`` are taken for the tags they stand for.
    """
    from datasette_spack.filters import short_names
    from datasette_spack.http_headers import with_headers
    from datasette_spack.site.aliases import with_tags_of_questions
    from datasette_spack.turns import in_turn

    def wrapped(app: Any) -> Any:
        meant = short_names(datasette, with_tags_of_questions(datasette, app))
        return with_headers(datasette, in_turn(datasette, meant))

    return wrapped


@hookimpl
def register_routes() -> list[tuple[str, Any]]:
    """Serve the pages of the site, the file of the catalog, and the search for specs."""
    from datasette_spack.download import DOWNLOAD_ROUTE, download
    from datasette_spack.site.routes import ROUTES

    return [*ROUTES, (DOWNLOAD_ROUTE, download)]


@hookimpl
def skip_csrf(datasette: Any, scope: Any) -> bool:
    """Let anybody ask ``/cover``, scripts too: it changes nothing, and so needs no token."""
    from datasette_spack.caching import inner_path

    return inner_path(datasette, scope) in ("/cover", "/cover.json")


@hookimpl
def prepare_jinja2_environment(env: Any, datasette: Any) -> None:
    """Let every template, that of an error too, name static files: ``site_static("site.css")``."""
    from datasette_spack.either import shown_columns
    from datasette_spack.frame import static_addresses
    from datasette_spack.options import options, suggestions, tag_kind, tag_options
    from datasette_spack.rendering import keep_compiled
    from datasette_spack.site.questions import QUESTIONS
    from datasette_spack.which import is_alone

    keep_compiled(env)
    env.globals["shown_columns"] = shown_columns
    env.globals["setting"] = datasette.setting
    env.globals["most_rows"] = lambda: datasette.max_returned_rows
    env.globals["options"] = options
    env.globals["suggestions"] = suggestions
    env.globals["tag_options"] = tag_options
    env.filters["tag_kind"] = tag_kind
    # In a template this text would be markup, which is slow to format.
    env.globals["grouped"] = "{:,}".format
    env.globals["site_static"] = static_addresses(datasette)
    env.globals["help_of_question"] = lambda name: QUESTIONS.get(name, {}).get("param_help", {})
    env.globals["site_is_alone"] = lambda: is_alone(datasette)


@hookimpl
def prepare_connection(conn: Any, database: str) -> None:
    """Let any query ask whether a spec satisfies another: ``satisfies(hash, 'hdf5 +mpi')``."""
    if conn.execute("PRAGMA application_id").fetchone()[0] == _CATALOG:
        from datasette_spack.functions import register

        register(conn)


@hookimpl
def get_metadata(datasette: Any) -> dict[str, Any]:
    """Describe catalogs and bring their questions, whatever they are called here."""
    from datasette_spack.frame import catalog_metadata

    return catalog_metadata(datasette)


@hookimpl
def startup(datasette: Any) -> Callable[[], Any]:
    """Hand the same to Datasette 1.0, which keeps what it is told and asks no ``get_metadata``."""
    from datasette_spack.either import keep_metadata
    from datasette_spack.frame import catalog_metadata

    return lambda: keep_metadata(datasette, catalog_metadata(datasette))


@hookimpl(specname="extra_template_vars")
def frame_template_vars(datasette: Any) -> Callable[[], Any]:
    """As of which tag the catalog is: in the frame of every page but Datasette's errors."""
    from datasette_spack.frame import frame_facts

    return lambda: frame_facts(datasette)
