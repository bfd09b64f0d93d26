"""What specs and binaries can be divided by, and the SQL that counts each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from datasette_spack.filters import FILTERED_TABLES
from etl.catalog.indexes import OF_FEW_VALUES


@dataclass(frozen=True)
class FacetKind:
    """A way to divide specs or binaries: by a column, or by what other tables say of a row.

    ``stored`` is the facet's name in the table ``facet_counts``, and the column it is about;
    ``argument`` is the filter by name that its values link to; ``names`` selects id and name of
    the ids in ``{marks}``.  ``counts`` has, for each table without such a column, the SQL that
    selects ``value`` and ``count`` for the ``{rows}`` that filters let through.
    """

    title: str
    stored: str
    argument: str
    names: str
    counts: Mapping[str, str] = field(default_factory=dict)

    def count(self, table: str, condition: str = "") -> str:
        """The SQL that selects ``value`` and ``count`` from the filtered ``{rows}``.

        Where one tag is the only ``condition``, an index may tell its values one by one.
        """
        if table in self.counts:
            return self.counts[table]
        is_in_index = table == "binaries" and self.stored in OF_FEW_VALUES
        rows_first = not (is_in_index and _OF_ONE_TAG.match(condition))
        return count_column(self.stored, rows_first=rows_first)


_OF_ONE_TAG = re.compile(r'"?tag_id"? = (?!.* AND )', re.DOTALL)


def count_column(column: str, *, rows_first: bool = True) -> str:
    """The SQL that counts the values of a column, whose name must be quoted where it has to be.

    Here and below, a plus sign before a column and CROSS JOIN keep SQLite to one plan, the filtered
    rows first.  Left to itself it sometimes walks the whole table in the order of the groups.
    """
    return (
        f"SELECT {column} AS value, count(*) AS count FROM ({{rows}})"
        f" WHERE {column} IS NOT NULL GROUP BY {'+' if rows_first else ''}{column}"
    )


def _names(table: str) -> str:
    return f"SELECT id, name FROM {table} WHERE id IN ({{marks}})"


_VERSION_NAMES = """
    SELECT versions.id, packages.name || '@' || versions.version
    FROM versions JOIN packages ON packages.id = versions.package_id
    WHERE versions.id IN ({marks})
"""
_TAGS_OF_SPECS = """
    SELECT binaries.tag_id AS value, count(*) AS count
    FROM ({rows}) AS found CROSS JOIN binaries ON binaries.spec_id = found.id
    GROUP BY +binaries.tag_id
"""
_STACKS_OF_SPECS = """
    SELECT stack_id AS value, count(*) AS count
    FROM (
        SELECT DISTINCT found.id, stack_set_members.stack_id
        FROM ({rows}) AS found
        CROSS JOIN binaries ON binaries.spec_id = found.id
        CROSS JOIN stack_set_members ON stack_set_members.stack_set_id = binaries.stack_set_id
    )
    GROUP BY stack_id
"""
_CACHES_OF_SPECS = """
    SELECT cache_id AS value, count(*) AS count
    FROM (
        SELECT DISTINCT found.id, tags.cache_id
        FROM ({rows}) AS found
        CROSS JOIN binaries ON binaries.spec_id = found.id
        CROSS JOIN tags ON tags.id = binaries.tag_id
        WHERE tags.cache_id IS NOT NULL
    )
    GROUP BY cache_id
"""
_CACHES_OF_BINARIES = """
    SELECT tags.cache_id AS value, sum(by_tag.in_tag) AS count
    FROM (SELECT tag_id, count(*) AS in_tag FROM ({rows}) GROUP BY +tag_id) AS by_tag
    CROSS JOIN tags ON tags.id = by_tag.tag_id
    WHERE tags.cache_id IS NOT NULL
    GROUP BY tags.cache_id
"""
_STACKS_OF_BINARIES = """
    SELECT stack_set_members.stack_id AS value, sum(sets.in_set) AS count
    FROM (
        SELECT stack_set_id, count(*) AS in_set FROM ({rows}) GROUP BY +stack_set_id
    ) AS sets
    CROSS JOIN stack_set_members ON stack_set_members.stack_set_id = sets.stack_set_id
    GROUP BY stack_set_members.stack_id
"""
# A set may have several values of one variant, and still counts once for it.
_VARIANTS = """
    SELECT min(variant_id) AS value, sum(in_set) AS count
    FROM (
        SELECT sets.in_set, variants.name, min(variants.id) AS variant_id
        FROM (
            SELECT variant_set_id, count(*) AS in_set FROM ({rows}) GROUP BY +variant_set_id
        ) AS sets
        CROSS JOIN variant_set_members ON variant_set_members.variant_set_id = sets.variant_set_id
        CROSS JOIN variants ON variants.id = variant_set_members.variant_id
        GROUP BY sets.variant_set_id, variants.name
    )
    GROUP BY name
"""

KINDS = {
    kind.title: kind
    for kind in (
        FacetKind("package", "package_id", "_package", _names("packages")),
        FacetKind("version", "version_id", "_version", _VERSION_NAMES),
        FacetKind("compiler", "compiler_id", "_compiler", _names("compilers")),
        FacetKind("os", "os_id", "_os", _names("operating_systems")),
        FacetKind("platform", "platform_id", "_platform", _names("platforms")),
        FacetKind("target", "target_id", "_target", _names("targets")),
        FacetKind("tag", "tag_id", "_tag", _names("tags"), {"specs": _TAGS_OF_SPECS}),
        FacetKind(
            "stack",
            "stack_id",
            "_stack",
            _names("stacks"),
            {"specs": _STACKS_OF_SPECS, "binaries": _STACKS_OF_BINARIES},
        ),
        FacetKind(
            "cache",
            "cache_id",
            "_cache",
            _names("caches"),
            {"specs": _CACHES_OF_SPECS, "binaries": _CACHES_OF_BINARIES},
        ),
        FacetKind(
            "variant",
            "variant_name",
            "_variant",
            _names("variants"),
            {"specs": _VARIANTS, "binaries": _VARIANTS},
        ),
    )
}
"""The facets of specs and binaries by what they are called on the page."""


def kind_of_column(table: str, column: str) -> FacetKind | None:
    """The kind that a column of a table is, if it is one."""
    if table not in FILTERED_TABLES:
        return None
    return next((kind for kind in KINDS.values() if kind.stored == column), None)
