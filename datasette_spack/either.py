"""Where Datasette 0.65 and the coming 1.0 call the same thing differently."""

from __future__ import annotations

from typing import Any

from datasette.views import database as _views


def template_environment(datasette: Any) -> Any:
    """The Jinja environment of all templates."""
    return datasette.jinja_env if hasattr(datasette, "jinja_env") else datasette._jinja_env


def shown_metadata(datasette: Any) -> dict[str, Any]:
    """The metadata of the instance and of all databases; in 1.0 what it was started with."""
    found = datasette.metadata() if hasattr(datasette, "metadata") else datasette._metadata_local
    return found or {}


def open_connections(database: Any) -> list[Any]:
    """The connections that a database closes when it is closed."""
    old = hasattr(database, "_all_file_connections")
    connections: list[Any] = database._all_file_connections if old else database._all_connections
    return connections


async def datasettes_download(datasette: Any, request: Any) -> Any:
    """Datasette's own answer to who asks for the file."""
    if hasattr(_views, "DatabaseDownload"):
        return await _views.DatabaseDownload(datasette).get(request)
    return await _views.database_download(request, datasette)


def settings_of(facet: Any) -> Any:
    """What metadata or configuration says of the table of a facet."""
    return facet.metadata if hasattr(facet, "metadata") else facet.table_config
