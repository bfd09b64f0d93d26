"""Where Datasette 0.65 and the coming 1.0 call the same thing differently."""

from __future__ import annotations

import json
from typing import Any

from datasette.views import database as _views


def template_environment(datasette: Any) -> Any:
    """The Jinja environment of all templates."""
    return datasette.jinja_env if hasattr(datasette, "jinja_env") else datasette._jinja_env


def shown_metadata(datasette: Any) -> dict[str, Any]:
    """The metadata of the instance and of all databases; in 1.0 what it was started with."""
    found = datasette.metadata() if hasattr(datasette, "metadata") else datasette._metadata_local
    return found or {}


async def table_settings(datasette: Any, database: str, table: str) -> dict[str, Any]:
    """What metadata or configuration says of how a table is shown."""
    if hasattr(datasette, "table_metadata"):
        told: dict[str, Any] = datasette.table_metadata(database, table)
    else:
        told = await datasette.table_config(database, table)
    return told


def shown_columns(metadata: dict[str, Any]) -> list[str]:
    """The columns that a page of a table shows first; of what is no text 1.0 keeps the JSON."""
    told = metadata.get("shown_columns") or []
    columns: list[str] = json.loads(told) if isinstance(told, str) else told
    return columns


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


async def keep_metadata(datasette: Any, metadata: dict[str, Any]) -> None:
    """Have 1.0 keep metadata that a plugin brings, and the questions of what it was started with.

    0.65 keeps nothing: it takes questions from the metadata, and asks plugins when it shows some.
    """
    if not hasattr(datasette, "add_query"):
        return
    for name, told in metadata.get("databases", {}).items():
        for key, text in _texts(told):
            await datasette.set_database_metadata(name, key, text)
        for table, it in told.get("tables", {}).items():
            for key, text in _texts(it):
                await datasette.set_resource_metadata(name, table, key, text)
            for column, text in it.get("columns", {}).items():
                await datasette.set_column_metadata(name, table, column, "description", text)
    started_with = (datasette._metadata_local or {}).get("databases", {})
    for name, told in {**started_with, **metadata.get("databases", {})}.items():
        for question, it in told.get("queries", {}).items():
            known = {key: it.get(key) for key in ("title", "description", "description_html")}
            await datasette.add_query(name, question, it["sql"], **known)


def _texts(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key, value) for key, value in told.items() if isinstance(value, str)]


async def labels_of(
    datasette: Any, database: str, table: str, column: str, values: list[Any]
) -> dict[tuple[str, Any], str]:
    """The labels of values of a foreign key, by column and value; of a catalog anybody may read."""
    table_of = (database, table, column, values)
    new = hasattr(datasette, "add_query")
    asked = datasette.expand_foreign_keys(*((None, *table_of) if new else table_of))
    labels: dict[tuple[str, Any], str] = await asked
    return labels


def settings_of(facet: Any) -> Any:
    """What metadata or configuration says of the table of a facet."""
    return facet.metadata if hasattr(facet, "metadata") else facet.table_config
