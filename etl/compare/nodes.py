"""The specs of a catalog as nodes to compare, read in few statements."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set

from etl.catalog.asking import AT_ONCE, IN_ONE_VALUE
from etl.catalog.sql_text import Parameters
from etl.catalog.variant_text import split_variants
from etl.compare.graph import Edge, Node
from etl.compare.past import TagAt, there
from etl.workers import batched

LANGUAGES = frozenset({"c", "cxx", "fortran"})

_SPECS = """
    SELECT specs.id, specs.hash, packages.name, specs.namespace, versions.version,
        variant_sets.variants, variant_sets.id, platforms.name, operating_systems.name,
        targets.name, specs.external, specs.external_details, specs.package_hash,
        specs.patch_order, specs.format,
        CASE WHEN specs.format < 5 THEN compilers.name END
    FROM specs
    LEFT JOIN packages ON packages.id = specs.package_id
    LEFT JOIN versions ON versions.id = specs.version_id
    LEFT JOIN variant_sets ON variant_sets.id = specs.variant_set_id
    LEFT JOIN platforms ON platforms.id = specs.platform_id
    LEFT JOIN operating_systems ON operating_systems.id = specs.os_id
    LEFT JOIN targets ON targets.id = specs.target_id
    LEFT JOIN compilers ON compilers.id = specs.compiler_id
    WHERE specs.id IN ({})
"""
_EDGES = """
    SELECT parent_id, child_id, deptypes, virtuals FROM dependencies
    WHERE parent_id IN ({}) ORDER BY id
"""
_FLAGS = "SELECT spec_id, name, flag FROM spec_flags WHERE spec_id IN ({}) ORDER BY spec_id, id"
_TITLES = """
    SELECT specs.id, packages.name, versions.version FROM specs
    LEFT JOIN packages ON packages.id = specs.package_id
    LEFT JOIN versions ON versions.id = specs.version_id
    WHERE specs.id IN ({})
"""
_IN_TAG = """
    SELECT spec_id FROM {} WHERE tag_id = (SELECT id FROM tags WHERE name = :of_tag)
        AND (:of_stack IS NULL OR stack_set_id IN (
            SELECT stack_set_id FROM stack_set_members
            WHERE stack_id = (SELECT id FROM stacks WHERE name = :of_stack)
        ))
"""
_LIKENESS = """
    SELECT DISTINCT package_id, version_id FROM specs WHERE id IN (SELECT value FROM json_each(?))
"""
_LIKE = "SELECT id FROM specs WHERE package_id = ? AND version_id IS ?"
_CHILDREN = """
    SELECT DISTINCT child_id FROM dependencies WHERE parent_id IN (SELECT value FROM json_each(?))
"""


class Nodes:
    """Reads nodes of a catalog, each once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._nodes: dict[int, Node] = {}
        self._titles: dict[int, str] = {}
        self._variant_sets: dict[int, tuple[str, ...]] = {}

    def load(self, ids: Iterable[int]) -> list[Node]:
        """The nodes with these ids, in their order."""
        wanted = list(ids)
        self._read([id_ for id_ in wanted if id_ not in self._nodes])
        return [self._nodes[id_] for id_ in wanted if id_ in self._nodes]

    def get(self, id_: int) -> Node | None:
        """One node; None if there is no such spec."""
        found = self._nodes.get(id_)
        if found is None:
            self._read([id_])
            found = self._nodes.get(id_)
        return found

    def load_below(self, roots: Iterable[Node]) -> None:
        """Read all that is below some nodes, level by level."""
        fresh = list(roots)
        seen = {node.key for node in fresh}
        while fresh:
            below = {edge.child for node in fresh for edge in node.edges} - seen
            seen |= below
            fresh = self.load(sorted(below))

    def of_tags(
        self, old: TagAt, new: TagAt, stack: str | None
    ) -> tuple[set[int], set[int], set[int]]:
        """The ids of the specs that only the old tag has, only the new one, and both.

        The specs of a tag are its binaries, and all that these depend on.
        """
        before, after = self._binaries(old, stack), self._binaries(new, stack)
        # Most are in both tags, and what is below those is gone through once.
        both = self._closure(before & after)
        olds = self._closure(before - both, both)
        news = self._closure(after - both, both)
        return olds - news, news - olds, both | (olds & news)

    def _binaries(self, of: TagAt, stack: str | None) -> set[int]:
        parameters = Parameters()
        table = f"({there(of, parameters)})" if of.at is not None else "binaries"
        values = {**parameters.values, "of_tag": of.tag, "of_stack": stack}
        return {id_ for (id_,) in self._db.execute(_IN_TAG.format(table), values)}

    def _closure(self, ids: set[int], known: Set[int] = frozenset()) -> set[int]:
        """Some specs and all that is below them, but for those that are known."""
        found, fresh = set(ids), ids
        while fresh:
            below = {
                id_
                for part in _parts(sorted(fresh), IN_ONE_VALUE)
                for (id_,) in self._db.execute(_CHILDREN, (f"[{part}]",))
            }
            fresh = below - found - known
            found |= fresh
        return found

    def alike(self, these: Iterable[Node], among: Set[int]) -> list[Node]:
        """Those ``among`` so many ids that may be of one identity with one of ``these``.

        They are told apart by package and version in the tables, so that few are read whole.
        """
        likeness = {
            tuple(like)
            for part in _parts([node.key for node in these], IN_ONE_VALUE)
            for like in self._db.execute(_LIKENESS, (f"[{part}]",))
        }
        found = (
            id_ for like in likeness for (id_,) in self._db.execute(_LIKE, like) if id_ in among
        )
        return self.load(sorted(found))

    def _read(self, ids: list[int]) -> None:
        compiles: dict[str, bool] = {}  # by the few lists of virtuals that there are
        for part in _parts(ids):
            edges: dict[int, list[Edge]] = defaultdict(list)
            compiled: dict[int, list[int]] = defaultdict(list)
            for edge in self._db.execute(_EDGES.format(part)):
                parent, child, deptypes, virtuals = edge
                edges[parent].append(Edge(child, deptypes, virtuals))
                if virtuals not in compiles:
                    compiles[virtuals] = not LANGUAGES.isdisjoint(virtuals.split())
                if compiles[virtuals]:
                    compiled[parent].append(child)
            self._learn_titles({id_ for found in compiled.values() for id_ in found})
            flags: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
            for spec, name, flag in self._db.execute(_FLAGS.format(part)):
                flags[spec][name].append(flag)
            patches = self._patches(part)
            for row in self._db.execute(_SPECS.format(part)).fetchall():
                id_, hash_, name, namespace, version, variants, set_, *machine = row[:10]
                external, details, package_hash, patch_order, format_, old_compiler = row[10:]
                told = self._variants(set_, variants, patches)
                if id_ in flags:
                    told += tuple(
                        f"{kind}={' '.join(it)}" for kind, it in sorted(flags[id_].items())
                    )
                compilers = (
                    (old_compiler,)  # before Spack 1.0 it is no dependency, but it is named
                    if old_compiler
                    else tuple(sorted(self._titles[it] for it in compiled.get(id_, ())))
                )
                self._nodes[id_] = Node(
                    id_, hash_, name, namespace, version, told,
                    "-".join(it or "None" for it in machine), compilers,
                    external, package_hash, tuple(edges.get(id_, ())), patch_order,
                    format_ is not None, details,
                )  # fmt: skip

    def _variants(
        self, set_: int | None, text: str | None, patches: Mapping[int, str]
    ) -> tuple[str, ...]:
        """The variants of a set, which many specs share, with the whole sums of patches."""
        if set_ is None:
            return ()
        found = self._variant_sets.get(set_)
        if found is None:
            found = self._variant_sets[set_] = tuple(
                patches.get(set_, it) if it.startswith("patches") else it
                for it in split_variants(text or "")
            )
        return found

    def _learn_titles(self, ids: set[int]) -> None:
        for part in _parts(sorted(ids - self._titles.keys())):
            for id_, name, version in self._db.execute(_TITLES.format(part)):
                self._titles[id_] = f"{name}@{version}" if version else name

    def _patches(self, part: str) -> dict[int, str]:
        """The whole sums of patches, of which lists of variants have the beginnings alone."""
        sums: dict[int, list[str]] = defaultdict(list)
        rows = self._db.execute(
            "SELECT variant_set_id, ifnull(sha256, value) FROM variant_set_members"
            " JOIN variants ON variants.id = variant_id"
            " WHERE variants.name = 'patches' AND variant_set_id IN"
            f" (SELECT variant_set_id FROM specs WHERE id IN ({part}))"
            " ORDER BY variant_set_id, 2"
        )
        for set_, sum_ in rows:
            sums[set_].append(sum_)
        return {set_: f"patches:={','.join(it)}" for set_, it in sums.items()}


def _parts(ids: list[int], at_once: int = AT_ONCE) -> Iterator[str]:
    """The ids as texts of at most so many, to be put into statements."""
    for part in batched(ids, at_once):
        yield ",".join(map(str, part))
