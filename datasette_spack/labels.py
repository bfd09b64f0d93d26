"""Cells that lead on: what a row of Datasette names is a link to the page about it.

On the pages of tables, views, questions and SQL results alike, by the name of the column.  JSON and
CSV have the values as they are.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from markupsafe import Markup

from datasette_spack.database import is_catalog
from datasette_spack.either import labels_of
from datasette_spack.site.addresses import Addresses
from datasette_spack.which import is_catalog_file

_PACKAGES = ("package", "dependency")
_HASHES = ("hash", "dependency_hash")
_TAGS = ("tag", "first_tag", "last_tag")
_STACKS = ("stack", "stacks")
_VERSIONS = {
    "version": "package",
    "newest_version": "package",
    "old_version": "package",
    "new_version": "package",
    "dependency_version": "dependency",
}
"""Columns with a version, and the column with the package whose version it is."""

_OF_TABLES = {
    ("packages", "name"): "package",
    ("tags", "name"): "tag",
    ("stacks", "name"): "stack",
    ("stack_sets", "stacks"): "stacks",
}
"""Columns of tables that are called otherwise than what they name."""

_OF_NUMBERS = {
    "package_id": "package",
    "spec_id": "hash",
    "parent_id": "hash",
    "child_id": "hash",
    "tag_id": "tag",
    "first_tag_id": "tag",
    "last_tag_id": "tag",
    "stack_id": "stack",
    "stack_set_id": "stacks",
    "version_id": "version",
    "newest_version_id": "version",
}
"""Columns with the number of a row, and what that row names."""

_HASH = re.compile("[a-z2-7]{32}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:+-]*")
"""What a package, tag or stack may be called; a text that is something else leads nowhere."""

_MAX_STACKS = 40
"""Stacks of one cell that become links."""

_LINK = Markup('<a href="{address}">{label}</a>')
_SHORT_HASH = Markup('<a href="{address}" title="{hash}"><code>{short}</code></a>')
_NUMBERED = Markup('{label}&nbsp;<em><a href="{address}/{number}">{number}</a></em>')

Cell = Markup | Callable[[], Awaitable[Markup | None]] | None


def label_of(
    datasette: Any, database: str, table: str | None, column: str, value: object, row: Any = None
) -> Cell:
    """What the ``render_cell`` hook of Datasette wants: the cell's HTML, or None to leave it.

    ``row`` is the row of the cell; what it has beside the cell says which package a version is of.
    """
    db = datasette.databases.get(database)
    if db is None or not is_catalog_file(db):
        return None
    site = Addresses(datasette)
    if isinstance(value, str):
        kind = _OF_TABLES.get((table or "", column), column)
        if (table, column) == ("versions", "version") and "package_id" in row.keys():  # noqa: SIM118
            package = row["package_id"]  # a number on the page of a row, elsewhere with its name
            if isinstance(package, int):
                return _version_of_row(datasette, database, value, package)
        return _linked(site, kind, value, _package_of(table, row, column))
    if isinstance(value, Mapping) and column in _OF_NUMBERS and table:
        label, number = str(value["label"]), value["value"]
        kind = _OF_NUMBERS[column]
        link = _linked(site, kind, label, _package_of(table, row, column))
        return _with_number(datasette, database, table, column, number, link) if link else None
    if table is None or not isinstance(value, int) or not column.endswith("_id"):
        return None
    return _of_row(datasette, database, table, column, value, row)


def _linked(site: Addresses, kind: str, text: str, package: str | None) -> Markup | None:
    """A text that names something, as a link; None where it does not."""
    if kind in _HASHES:
        if not _HASH.fullmatch(text):
            return None
        return _SHORT_HASH.format(address=site.spec(text), hash=text, short=text[:7])
    if kind in _STACKS:
        names = text.split()
        if not names or len(names) > _MAX_STACKS or not all(map(_NAME.fullmatch, names)):
            return None
        return Markup(" ").join(
            _LINK.format(address=site.stack(name), label=name) for name in names
        )
    if not _NAME.fullmatch(text):
        return None
    if kind in _PACKAGES:
        return _LINK.format(address=site.package(text), label=text)
    if kind in _TAGS:
        return _LINK.format(address=site.tag(text), label=text)
    if kind in _VERSIONS and package and _NAME.fullmatch(package):
        # The binaries of this version, in whichever tag has them: the newest that does.
        return _LINK.format(address=site.find(f"{package}@={text}"), label=text)
    return None


def _package_of(table: str | None, row: Any, column: str) -> str | None:
    """The package that a row is about, by the name that its columns tell."""
    if row is None:
        return None
    names = set(row.keys())
    own = "name" if table == "packages" else "package_id"
    for name in (_VERSIONS.get(column, "package"), own):
        if name in names:
            value = row[name]
            found = value["label"] if isinstance(value, Mapping) else value
            if isinstance(found, str):
                return found
    return None


def _version_of_row(
    datasette: Any, database: str, version: str, package_id: int
) -> Callable[[], Awaitable[Markup | None]]:
    """The version on the page of its own row, which has its package as a number."""

    async def linked() -> Markup | None:
        names = await labels_of(datasette, database, "versions", "package_id", [package_id])
        package = names.get(("package_id", package_id))
        return _linked(Addresses(datasette), "version", version, str(package) if package else None)

    return linked


def _with_number(
    datasette: Any, database: str, table: str, column: str, number: object, link: Markup
) -> Callable[[], Awaitable[Markup | None]]:
    """A name that leads to our page, and its number in the catalog, which leads to its row."""

    async def numbered() -> Markup | None:
        other = await _other_table(datasette, database, table, column)
        if other is None:
            return link
        address = datasette.urls.table(database, other)
        return _NUMBERED.format(label=link, address=address, number=number)

    return numbered


async def _other_table(datasette: Any, database: str, table: str, column: str) -> str | None:
    keys = await datasette.get_database(database).foreign_keys_for_table(table)
    return next((str(key["other_table"]) for key in keys if key["column"] == column), None)


def _of_row(
    datasette: Any, database: str, table: str, column: str, value: int, row: Any
) -> Callable[[], Awaitable[Markup | None]]:
    """The name that a number stands for: the page of a row has only the numbers."""

    async def name_of(column: str, value: object) -> str | None:
        names = await labels_of(datasette, database, table, column, [value])
        label = names.get((column, value))
        return None if label is None else str(label)

    async def named() -> Markup | None:
        if not await is_catalog(datasette.get_database(database)):
            return None
        other = await _other_table(datasette, database, table, column)
        label = await name_of(column, value)
        if other is None or label is None:
            return None
        kind, package = _OF_NUMBERS.get(column, ""), None
        if kind == "version":
            if table == "packages":
                package = row["name"]
            elif "package_id" in row.keys():  # noqa: SIM118 (a row of SQLite is no mapping)
                package = await name_of("package_id", row["package_id"])
        link = _linked(Addresses(datasette), kind, label, package)
        address = datasette.urls.table(database, other)
        if link:
            return _NUMBERED.format(label=link, address=address, number=value)
        plain = _LINK.format(address=f"{address}/{value}", label=label)
        return plain + Markup("&nbsp;<em>{}</em>").format(value)

    return named
