"""Makes nodes to compare of the rows of a catalog, of tens of thousands of specs at once."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from etl.catalog.asking import IN_ONE_VALUE, rows_about
from etl.catalog.variant_text import split_variants
from etl.compare.edge_text import edges_in_text
from etl.compare.graph import Edge, Node
from etl.workers import batched

LANGUAGES = frozenset({"c", "cxx", "fortran"})

_EDGE = "child_id || '|' || deptypes || '|' || virtuals"
# The edges of a spec come in one text, and names by their numbers: as rows and as texts they would
# take twice as long to read.
_SPECS = f"""
    SELECT id, hash, package_id, version_id, variant_set_id, platform_id, os_id, target_id,
        namespace, external, external_details, package_hash, patch_order, format IS NOT NULL,
        CASE WHEN format < 5 THEN compiler_id END,
        {edges_in_text("specs.id", _EDGE)}
    FROM specs WHERE id IN (SELECT value FROM json_each(?))
"""
_EDGES = f"SELECT {_EDGE} FROM dependencies WHERE parent_id = ?"
_FLAGS = """
    SELECT spec_id, name, flag FROM spec_flags
    WHERE spec_id IN (SELECT value FROM json_each(?)) ORDER BY spec_id, id
"""
_PATCHES = """
    SELECT variant_set_id, ifnull(sha256, value)
    FROM variant_set_members JOIN variants ON variants.id = variant_id
    WHERE variants.name = 'patches' AND variant_set_id IN (SELECT value FROM json_each(?))
    ORDER BY variant_set_id, 2
"""
_TITLES = """
    SELECT specs.id, packages.name, versions.version FROM specs
    LEFT JOIN packages ON packages.id = specs.package_id
    LEFT JOIN versions ON versions.id = specs.version_id
    WHERE specs.id IN (SELECT value FROM json_each(?))
"""


class _Edges(dict[str, Edge]):
    """Edges by their texts, each once: most are those of many specs.

    ``to_compilers`` are those of them to what provides a language.
    """

    def __init__(self) -> None:
        super().__init__()
        self.to_compilers: set[str] = set()

    def __missing__(self, text: str) -> Edge:
        child, deptypes, virtuals = text.split("|")
        self[text] = edge = Edge(int(child), deptypes, virtuals)
        if not LANGUAGES.isdisjoint(virtuals.split()):
            self.to_compilers.add(text)
        return edge


class _Names(dict[int, str]):
    """Names, or other texts, in a table of a catalog, by their numbers, as far as was asked."""

    def __init__(self, db: sqlite3.Connection, table: str, column: str = "name") -> None:
        super().__init__()
        self._db = db
        self._sql = f"SELECT id, {column} FROM {table} WHERE id IN (SELECT value FROM json_each(?))"

    def learn(self, ids: set[int | None]) -> set[int]:
        """Read those that have these numbers; returns the numbers that were not known before."""
        fresh = {id_ for id_ in ids if id_ is not None and id_ not in self}
        self.update(rows_about(self._db, self._sql, fresh))
        return fresh


class Reader:
    """Makes nodes of the rows of a catalog."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._edges = _Edges()
        self._packages = _Names(db, "packages")
        self._versions = _Names(db, "versions", "version")
        self._compilers = _Names(db, "compilers")
        self._platforms = _Names(db, "platforms")
        self._systems = _Names(db, "operating_systems")
        self._targets = _Names(db, "targets")
        self._variants = _Names(db, "variant_sets", "variants")
        self._variant_lists: dict[int | None, tuple[str, ...]] = {None: ()}
        self._titles: dict[int, str] = {}

    def read(self, ids: Sequence[int]) -> Iterator[Node]:
        """The specs that there are with these ids, in any order."""
        for part in batched(ids, IN_ONE_VALUE):
            yield from self._nodes(json.dumps(part))

    def _nodes(self, ids: str) -> Iterator[Node]:
        """The specs with the ids in a JSON array."""
        flags = self._flags(ids)
        rows = [*self._db.execute(_SPECS, (ids,))]
        self._learn_names(rows)
        texts = [row[-1].split(",") if row[-1] else self._one_by_one(row[0]) for row in rows]
        edges = [tuple(map(self._edges.__getitem__, those)) for those in texts]
        compiled = [*map(frozenset, map(self._edges.to_compilers.intersection, texts))]
        titles = self._titles_of({*compiled})
        arch_of = {places: self._arch_of(*places) for places in {row[5:8] for row in rows}}
        packages, versions, variants = self._packages, self._versions, self._variant_lists
        for row, below, by in zip(rows, edges, compiled, strict=True):
            (
                id_, hash_, package, version, set_, _, _, _, namespace, external, details,
                package_hash, patch_order, is_told, compiler, _,
            ) = row  # fmt: skip
            yield Node(
                id_, hash_, packages[package], namespace, versions.get(version),
                variants[set_] + flags.get(id_, ()), arch_of[row[5:8]],
                # Before Spack 1.0 a compiler is no dependency, but it is named.
                (self._compilers[compiler],) if compiler else titles[by],
                external, package_hash, below, patch_order, bool(is_told), details,
            )  # fmt: skip

    def _arch_of(self, platform: int | None, system: int | None, target: int | None) -> str:
        """Platform, system and target, as Spack prints them."""
        names = (self._platforms, platform), (self._systems, system), (self._targets, target)
        return "-".join("None" if id_ is None else those[id_] for those, id_ in names)

    def _titles_of(self, lists: Iterable[frozenset[str]]) -> dict[frozenset[str], tuple[str, ...]]:
        """Names and versions of the specs that edges lead to, in order, for some sets of edges."""
        children = {edges: [self._edges[it].child for it in edges] for edges in lists}
        self._learn_titles({*chain.from_iterable(children.values())})
        return {
            edges: tuple(sorted([self._titles[it] for it in those]))
            for edges, those in children.items()
        }

    def _flags(self, ids: str) -> dict[int, tuple[str, ...]]:
        """The flags of specs, by name: ``cflags=-O2 -g``."""
        flags: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for spec, name, flag in self._db.execute(_FLAGS, (ids,)):
            flags[spec][name].append(flag)
        return {
            spec: tuple([f"{name}={' '.join(it)}" for name, it in sorted(those.items())])
            for spec, those in flags.items()
        }

    def _one_by_one(self, spec: int) -> list[str]:
        """The edges of a spec that has none, or too many for one value."""
        return [edge for (edge,) in self._db.execute(_EDGES, (spec,))]

    def _learn_names(self, rows: Sequence[Any]) -> None:
        """Read the names that are behind the numbers in the rows of specs."""
        for column, names in {
            2: self._packages,
            3: self._versions,
            5: self._platforms,
            6: self._systems,
            7: self._targets,
            14: self._compilers,
        }.items():
            names.learn({row[column] for row in rows})
        self._learn_variants({row[4] for row in rows})

    def _learn_variants(self, sets: set[int | None]) -> None:
        """The variants of sets, which many specs share, with the whole sums of patches."""
        fresh = self._variants.learn(sets)
        patches = self._patches([it for it in fresh if "patches" in self._variants[it]])
        for set_ in fresh:
            self._variant_lists[set_] = tuple(
                patches.get(set_, it) if it.startswith("patches") else it
                for it in split_variants(self._variants[set_])
            )

    def _learn_titles(self, ids: set[int]) -> None:
        for id_, name, version in rows_about(self._db, _TITLES, ids - self._titles.keys()):
            self._titles[id_] = f"{name}@{version}" if version else name

    def _patches(self, sets: Iterable[int]) -> dict[int, str]:
        """The whole sums of patches, of which lists of variants have the beginnings alone."""
        sums: dict[int, list[str]] = defaultdict(list)
        for set_, sum_ in rows_about(self._db, _PATCHES, sets):
            sums[set_].append(sum_)
        return {set_: f"patches:={','.join(it)}" for set_, it in sums.items()}
