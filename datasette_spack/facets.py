"""Facets of a catalog: right on every page, bounded at every scale, linked by name.

They differ from Datasette's facets by column in this: the counts of a whole table are read from
``facet_counts``; on the second page and after it they still count all that the filters let
through; the links filter by name (``_package=hdf5``) and lead to a first page; a facet that takes
too long says so, in JSON too.  Specs and binaries have facets by name, ``?_facet_by=stack``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from datasette.database import QueryInterrupted
from datasette.facets import ColumnFacet, load_facet_configs
from datasette.filters import Filters
from datasette.plugins import pm
from datasette.utils import await_me_maybe, escape_sqlite
from datasette.utils.asgi import BadRequest

from datasette_spack.completeness import incomplete
from datasette_spack.database import is_catalog
from datasette_spack.either import labels_of, settings_of
from datasette_spack.facet_kinds import KINDS, FacetKind, count_column, kind_of_column
from datasette_spack.filters import FILTERED_TABLES

_BUDGET = 2
"""All facets of a page together may take so many times what one may."""

_STORED = """
    SELECT value, count FROM facet_counts WHERE table_name = :table_name AND facet = :facet
    ORDER BY count DESC, value LIMIT :limit
"""

Value = tuple[Any, str, int]
"""A value, its name, and how many rows have it."""


@dataclass(frozen=True)
class _Request:
    """A facet that the page has to show; ``asked`` is the argument that asked for it, if any."""

    name: str
    kind: FacetKind | None
    asked: tuple[str, str] | None


class CatalogFacet(ColumnFacet):
    """Facets for the tables and views of a catalog; in other databases those of Datasette."""

    async def facet_results(self) -> tuple[list[dict[str, Any]], list[str]]:
        """The facets of a page; none is listed as timed out, since each says it of itself."""
        self._db = self.ds.get_database(self.database)
        requests = await self._requests() if await is_catalog(self._db) else None
        if requests is None or self.table is None:
            found: tuple[list[dict[str, Any]], list[str]] = await super().facet_results()
            return found
        limit = self.ds.setting("facet_time_limit_ms")
        end = time.monotonic() + _BUDGET * limit / 1000
        rows = await self._rows() if requests else ("", {})
        results = []
        for request in requests:
            left = int((end - time.monotonic()) * 1000)
            values = await self._values(request, *rows, min(left, limit)) if left > 0 else None
            results.append(self._result(request, values))
        return results, []

    async def _requests(self) -> list[_Request]:
        """The facets that metadata and address ask for, each once."""
        configs = load_facet_configs(self.request, settings_of(self))
        columns = await self._db.table_columns(self.table)
        requests: dict[str, _Request] = {}
        for type_ in ("by", "column"):
            for config in configs.get(type_, ()):
                name = config["config"].get("column") or config["config"].get("simple")
                argument = "_facet" if type_ == "column" else f"_facet_{type_}"
                kind = (
                    KINDS.get(name)
                    if type_ == "by" and self.table in FILTERED_TABLES
                    else kind_of_column(self.table, name)
                )
                if (kind is None and name not in columns) or (type_ == "by" and kind is None):
                    raise BadRequest(f"{self.table} has no facet {argument}={name}")
                asked = (argument, name) if config["source"] == "request" else None
                requests.setdefault(kind.stored if kind else name, _Request(name, kind, asked))
        return list(requests.values())

    async def _rows(self) -> tuple[str, dict[str, Any]]:
        """The condition that all pages of the table have in common, and its parameters.

        What Datasette hands to a facet is about one page and those after it.
        """
        args = self.request.args
        pairs = [
            (name, value)
            for name in args
            if not name.startswith("_") or "__" in name
            for value in args.getlist(name)
        ]
        clauses, parameters = Filters(sorted(pairs)).build_where_clauses(self.table)
        for hook in pm.hook.filters_from_request(
            request=self.request, table=self.table, database=self.database, datasette=self.ds
        ):
            found = await await_me_maybe(hook)
            if found:
                clauses.extend(found.where_clauses)
                parameters.update(found.params)
        return " AND ".join(clauses), parameters

    async def _values(
        self, request: _Request, condition: str, parameters: dict[str, Any], limit_ms: int
    ) -> list[Value] | None:
        """The values of a facet, most frequent first and one more than shown; None: no time."""
        size = self.get_facet_size() + 1
        try:
            if request.kind and not condition:
                stored = await self._db.execute(
                    _STORED,
                    {"table_name": self.table, "facet": request.kind.stored, "limit": size},
                )
                if stored.rows:
                    return await self._named(request, stored.rows)
            rows = f"SELECT * FROM {escape_sqlite(self.table)}"
            rows += f" WHERE {condition}" if condition else ""
            column = escape_sqlite(request.name)
            kind = request.kind
            count = kind.count(self.table, condition) if kind else count_column(column)
            counted = await self._db.execute(
                f"{count.format(rows=rows)} ORDER BY count DESC, value LIMIT {size}",
                parameters,
                custom_time_limit=limit_ms,
            )
            return await self._named(request, counted.rows)
        except QueryInterrupted:
            return None

    async def _named(self, request: _Request, rows: list[Any]) -> list[Value]:
        """The values with their names."""
        values = [value for value, _ in rows]
        if request.kind:
            marks = ", ".join("?" * len(values))
            named = await self._db.execute(request.kind.names.format(marks=marks), values)
            names = dict(named.rows)
        else:
            found = await labels_of(self.ds, self.database, self.table, request.name, values)
            names = {value: name for (_, value), name in found.items()}
        return [(value, str(names.get(value, value)), count) for value, count in rows]

    def _result(self, request: _Request, values: list[Value] | None) -> dict[str, Any]:
        """A facet in the form in which Datasette shows it."""
        if values is None:
            incomplete()
        shown = (values or [])[: self.get_facet_size()]
        return {
            "name": request.name,
            "title": request.kind.title if request.kind else request.name,
            "type": "column",
            "hideable": request.asked is not None,
            "toggle_url": self._link(remove=request.asked),
            "results": [self._value(request, value) for value in shown],
            "truncated": values is not None and len(values) > len(shown),
            "timed_out": values is None,
        }

    def _value(self, request: _Request, found: Value) -> dict[str, Any]:
        """One value of a facet, with the link that chooses it, or takes the choice back."""
        value, name, count = found
        column = f"{request.name}__exact" if request.name.startswith("_") else request.name
        by_number = (request.kind.stored if request.kind else column, str(value))
        by_name = (request.kind.argument, name) if request.kind else by_number
        pairs = self.get_querystring_pairs()
        chosen = next((pair for pair in (by_name, by_number) if pair in pairs), None)
        link = self._link(remove=chosen) if chosen else self._link(add=by_name)
        return {
            "value": value,
            "label": name,
            "count": count,
            "toggle_url": self.ds.absolute_url(self.request, link),
            "selected": chosen is not None,
        }

    def _link(
        self, add: tuple[str, str] | None = None, remove: tuple[str, str] | None = None
    ) -> str:
        """This address with an argument more or less, from the first page on."""
        pairs = [
            pair for pair in self.get_querystring_pairs() if pair != remove and pair[0] != "_next"
        ]
        query = urlencode([*pairs, add] if add else pairs)
        return str(
            self.ds.urls.path(f"{self.request.path}?{query}" if query else self.request.path)
        )
