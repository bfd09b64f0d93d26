"""Names in the place of numbers on the page of a single row, where Datasette shows only numbers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from markupsafe import Markup

from datasette_spack.database import is_catalog

_LINK = Markup('<a href="{address}/{number}">{label}</a>&nbsp;<em>{number}</em>')


def label_of(
    datasette: Any, database: str, table: str | None, column: str, value: object
) -> Callable[[], Awaitable[Markup | None]] | None:
    """What the ``render_cell`` hook of Datasette wants: the cell's HTML, or None to leave it.

    Values of the rows of a table come with their names already, as dictionaries.
    """
    if table is None or not isinstance(value, int) or not column.endswith("_id"):
        return None
    table_name = table

    async def link() -> Markup | None:
        db = datasette.get_database(database)
        if not await is_catalog(db):
            return None
        keys = await db.foreign_keys_for_table(table_name)
        other = next((key["other_table"] for key in keys if key["column"] == column), None)
        names = await datasette.expand_foreign_keys(database, table_name, column, [value])
        label = names.get((column, value))
        if other is None or label is None:
            return None
        address = datasette.urls.table(database, other)
        return _LINK.format(address=address, number=value, label=label)

    return link
