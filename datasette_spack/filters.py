"""Filters by name for the tables of specs and binaries.

A column filter of Datasette needs the number that a name has in this catalog; these take the
name, which is the same in every catalog.  Those that begin with ``_`` are left alone by Datasette's
own filters; on these two tables they may be written without it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from datasette.filters import FilterArguments
from datasette.utils import path_with_removed_args
from datasette.utils.asgi import BadRequest

from datasette_spack.database import is_catalog
from datasette_spack.either import table_settings
from etl.catalog.aliases import tag_named
from etl.catalog.variant_text import split_variants
from etl.catalog.views import VIEWS
from etl.spack.variants import parse_variant

FILTERED_TABLES = ("specs", "binaries")

_FEW = 100_000
"""Up to so many rows it is quicker to list them than to ask of every row whether it is one."""

_MANY = 100_000
"""A view with more rows than this is sorted, or streamed as CSV, only when it is filtered."""

_MAX_FILTERS = 20
"""So many filters by name one address may have."""

_ID_OF = "(SELECT id FROM {table} WHERE name = :{key})"
_TAGS_OF_CACHE = """
    SELECT id FROM tags WHERE cache_id = (SELECT id FROM caches WHERE name = :{key})
"""
_STACK_SETS = """
    SELECT stack_set_id FROM stack_set_members
    WHERE stack_id = (SELECT id FROM stacks WHERE name = :{key})
"""
_VARIANT_SETS = """
    SELECT variant_set_id FROM variant_set_members WHERE variant_id IN (
        SELECT id FROM variants WHERE name = :{key}_name AND value = ifnull(:{key}_value, value)
    )
"""
_VERSIONS = """
    SELECT versions.id FROM versions JOIN packages ON packages.id = versions.package_id
    WHERE :{key} IN (versions.version, packages.name || '@' || versions.version)
"""

_IN_BOTH_TABLES = {
    "_package": f"package_id = {_ID_OF.format(table='packages', key='{key}')}",
    "_version": f"version_id IN ({_VERSIONS})",
    "_compiler": "compiler_id IN (SELECT id FROM compilers WHERE :{key} IN (name, compiler))",
    "_os": f"os_id = {_ID_OF.format(table='operating_systems', key='{key}')}",
    "_platform": f"platform_id = {_ID_OF.format(table='platforms', key='{key}')}",
    "_target": f"target_id = {_ID_OF.format(table='targets', key='{key}')}",
    "_runs_on": """target_id IN (
        SELECT ancestor_id FROM target_ancestors
        WHERE target_id = (SELECT id FROM targets WHERE name = :{key})
    )""",
}
_IN_BINARIES = {
    "_tag": f"tag_id = {_ID_OF.format(table='tags', key='{key}')}",
    "_cache": f"tag_id IN ({_TAGS_OF_CACHE})",
    "_stack": f"stack_set_id IN ({_STACK_SETS})",
}
_JOINS = {"specs": ("id", "binaries", "spec_id"), "binaries": ("spec_id", "specs", "id")}
_DESCRIPTIONS = {
    "_cache": "in cache",
    "_stack": "in stack",
    "_tag": "in tag",
    "_variant": "with",
    "_runs_on": "runs on",
}

NAMES = frozenset({*_IN_BOTH_TABLES, *_IN_BINARIES, "_variant"})
"""The arguments that are filters by name."""


class _Clause(NamedTuple):
    sql: str
    parameters: dict[str, str | None]


def name_filters(
    datasette: Any, request: Any, database: str, table: str
) -> Callable[[], Awaitable[FilterArguments | None]]:
    """What the ``filters_from_request`` hook of Datasette wants: the filters in a request."""

    async def filters() -> FilterArguments | None:
        await _refuse_broken_sort(datasette, request, database, table)
        if table not in FILTERED_TABLES or not NAMES.intersection(request.args):
            return None
        db = datasette.get_database(database)
        if not await is_catalog(db):
            return None
        clauses: list[_Clause] = []
        descriptions: list[str] = []
        for name in sorted(NAMES.intersection(request.args)):
            for text in request.args.getlist(name):
                clauses += await _clauses(db, table, name, text, f"{name[1:]}_{len(clauses)}")
                _refuse_too_many(clauses)
                words = _DESCRIPTIONS.get(name, f"{name[1:]} is")
                descriptions.append(f"{words} {_plus(text) if name == '_variant' else text}")
        return FilterArguments(
            [clause.sql for clause in clauses],
            {key: value for clause in clauses for key, value in clause.parameters.items()},
            descriptions,
            {"extra_wheres_for_ui": _removable(request)},
        )

    return filters


async def _clauses(db: Any, table: str, name: str, text: str, key: str) -> list[_Clause]:
    """The SQL of one filter; the names of its parameters begin with ``key``."""
    if name == "_variant":
        return await _variant_clauses(db, table, text, key)
    if name == "_tag":
        text = await db.execute_fn(lambda connection: tag_named(connection, text))
    parameters: dict[str, str | None] = {key: text}
    sql = _IN_BOTH_TABLES.get(name) or _IN_BINARIES[name]
    if name in _IN_BINARIES and table == "specs":
        sql = await _through_other_table(db, table, sql, key, parameters)
    return [_Clause(sql.format(key=key), parameters)]


async def _variant_clauses(db: Any, table: str, text: str, key: str) -> list[_Clause]:
    """``+mpi``, ``~mpi``, ``api=v110``, ``cuda_arch=80,90``, or ``mpi`` for any value of it."""
    wanted = [
        (variant.name, value)
        for variant in map(parse_variant, split_variants(_plus(text)))
        for value in variant.values or (None,)
    ]
    if not wanted:
        raise BadRequest("_variant must be a variant, for example ~shared or build_type=Release")
    _refuse_too_many(wanted)
    clauses = []
    for number, (name, value) in enumerate(wanted):
        own_key = f"{key}_{number}"
        parameters = {f"{own_key}_name": name, f"{own_key}_value": value}
        sql = f"variant_set_id IN ({_VARIANT_SETS})"
        clauses.append(_Clause(sql.format(key=own_key), parameters))
    return clauses


def _refuse_too_many(filters: list[Any]) -> None:
    if len(filters) > _MAX_FILTERS:
        raise BadRequest(f"more than {_MAX_FILTERS} filters; use fewer")


async def _through_other_table(
    db: Any, table: str, condition: str, key: str, parameters: dict[str, str | None]
) -> str:
    """A condition on the other of the two tables, put to the rows of this one.

    Which way is quicker depends on how many rows of the other table meet it.
    """
    column, other, other_column = _JOINS[table]
    few = await db.execute(
        f"SELECT count(*) <= {_FEW} FROM"
        f" (SELECT 1 FROM {other} WHERE {condition.format(key=key)} LIMIT {_FEW + 1})",
        parameters,
    )
    if few.first()[0]:
        return f"{column} IN (SELECT {other_column} FROM {other} WHERE {condition})"
    return f"""EXISTS (
        SELECT 1 FROM {other}
        WHERE {other}.{other_column} = {table}.{column} AND {other}.{condition}
    )"""


def _plus(text: str) -> str:
    """A plus sign in an address that somebody typed arrives as a blank."""
    return f"+{text[1:]}" if text.startswith(" ") else text


def _removable(request: Any) -> list[dict[str, str]]:
    """The filters with a link to remove each, for the page; Datasette's own are among them."""
    return [
        {
            "text": text if name == "_where" else f"{name[1:]}={_plus(text)}",
            "remove_url": path_with_removed_args(request, {name: text}),
        }
        for name in ("_where", *sorted(NAMES))
        for text in request.args.getlist(name)
    ]


def refuse_whole_view(datasette: Any, request: Any, database: str, table: str) -> None:
    """Refuse to sort or stream all of a large view: it would be cut off by the time limit.

    Raises:
        BadRequest: says to filter first.
    """
    whole = all(name.startswith("_") and "__" not in name for name in request.args)
    if not whole or not {"_sort", "_sort_desc", "_stream"}.intersection(request.args):
        return
    tables = (datasette.inspect_data or {}).get(database, {}).get("tables", {})
    rows = tables.get(table, {}).get("count", 0)
    if table in VIEWS and rows > _MANY and not {"_where", "_search"}.intersection(request.args):
        raise BadRequest(
            f"{table} has {rows:,} rows: filter it first, for example by package,"
            " or download the whole catalog"
        )


async def _refuse_broken_sort(datasette: Any, request: Any, database: str, table: str) -> None:
    """Refuse to sort by a column that there is not, or by one of a table that is not to be shown.

    Datasette would call the one its own error, and fail on the other.

    Raises:
        BadRequest: says by what can be sorted.
    """
    column = request.args.get("_sort") or request.args.get("_sort_desc")
    database_ = datasette.databases.get(database)
    if not column or database_ is None or not await is_catalog(database_):
        return
    told = (await table_settings(datasette, database, table)).get("sortable_columns")
    columns = await database_.table_columns(table)
    sortable = columns if told is None else told
    keys = await database_.primary_keys(table)
    rowid = () if keys or table in VIEWS else ("rowid",)
    if column not in (*sortable, *rowid):
        known = ", ".join(sortable) or "no column"
        raise BadRequest(f"{table} cannot be sorted by {column[:100]}; sort by {known}")
    shown = request.args.getlist("_col")
    hidden = column in request.args.getlist("_nocol") or (
        shown and column not in shown and column not in keys
    )
    if hidden and table not in VIEWS:
        raise BadRequest(f"the rows are sorted by {column}: show it, or sort by another column")


def refuse_broken_facets(request: Any) -> None:
    """Refuse ``?_facet={...`` that is not JSON; Datasette would fail on it.

    Raises:
        BadRequest: names what is wrong.
    """
    for name in request.args:
        for value in request.args.getlist(name) if name.startswith("_facet") else ():
            if value.startswith("{"):
                try:
                    json.loads(value)
                except (ValueError, RecursionError) as error:
                    raise BadRequest(f"{name}={value[:100]} is not JSON: {error}") from None


def short_names(datasette: Any, app: Any) -> Any:
    """An ASGI application that takes ``?stack=e4s`` for ``?_stack=e4s`` where it is a filter.

    Datasette would compare a column of that name, and find nothing because there is none.
    """
    base = re.escape(datasette.setting("base_url"))
    page = re.compile(rf"{base}catalog/(?:{'|'.join(FILTERED_TABLES)})(?:\.[a-z]+)?")
    long_names = {name[1:]: name for name in NAMES}

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and page.fullmatch(scope["path"]):
            query = scope["query_string"].decode("latin-1")
            pairs = parse_qsl(query, keep_blank_values=True)
            short = any(name in long_names for name, _ in pairs)
            catalog = datasette.databases.get("catalog")
            if short and catalog and await is_catalog(catalog):
                query = urlencode([(long_names.get(name, name), value) for name, value in pairs])
                scope = {**scope, "query_string": query.encode("latin-1")}
        await app(scope, receive, send)

    return wrapped
