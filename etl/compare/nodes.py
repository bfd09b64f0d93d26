"""The specs of a catalog as nodes to compare, read in few statements."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from etl.catalog.sql_text import Parameters
from etl.catalog.variant_text import split_variants
from etl.compare.graph import Edge, Node
from etl.compare.past import TagAt, there

_AT_ONCE = 500
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
_LIKENESS = "SELECT id, package_id, version_id FROM specs WHERE id IN ({})"
_CHILDREN = "SELECT DISTINCT child_id FROM dependencies WHERE parent_id IN ({})"


class Nodes:
    """Reads nodes of a catalog, each once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._nodes: dict[int, Node] = {}

    def load(self, ids: Iterable[int]) -> list[Node]:
        """The nodes with these ids, in their order."""
        wanted = list(ids)
        self._read([id_ for id_ in wanted if id_ not in self._nodes])
        return [self._nodes[id_] for id_ in wanted if id_ in self._nodes]

    def get(self, id_: int) -> Node | None:
        """One node; None if there is no such spec."""
        if id_ not in self._nodes:
            self._read([id_])
        return self._nodes.get(id_)

    def load_below(self, roots: Iterable[Node]) -> None:
        """Read all that is below some nodes, level by level."""
        fresh = list(roots)
        seen = {node.key for node in fresh}
        while fresh:
            below = {edge.child for node in fresh for edge in node.edges} - seen
            seen |= below
            fresh = self.load(sorted(below))

    def of_tag(self, of: TagAt, stack: str | None = None) -> set[int]:
        """The ids of all specs of a tag: its binaries, and all that these depend on."""
        parameters = Parameters()
        table = f"({there(of, parameters)})" if of.at is not None else "binaries"
        values = {**parameters.values, "of_tag": of.tag, "of_stack": stack}
        rows = self._db.execute(_IN_TAG.format(table), values)
        found = {id_ for (id_,) in rows}
        fresh = set(found)
        while fresh:
            below = {
                id_
                for part in _parts(sorted(fresh))
                for (id_,) in self._db.execute(_CHILDREN.format(part))
            }
            fresh = below - found
            found |= fresh
        return found

    def alike(self, these: Iterable[Node], among: Iterable[int]) -> list[Node]:
        """Those ``among`` so many ids that may be of one identity with one of ``these``.

        They are told apart by package and version in the tables, so that few are read whole.
        """
        wanted = set(self._likeness(node.key for node in these).values())
        likeness = self._likeness(among)
        return self.load(id_ for id_, like in likeness.items() if like in wanted)

    def _likeness(self, ids: Iterable[int]) -> dict[int, tuple[int | None, ...]]:
        return {
            id_: tuple(like)
            for part in _parts(sorted(ids))
            for id_, *like in self._db.execute(_LIKENESS.format(part))
        }

    def _read(self, ids: list[int]) -> None:
        for part in _parts(ids):
            edges: dict[int, list[Edge]] = defaultdict(list)
            compilers: set[int] = set()
            for parent, child, deptypes, virtuals in self._db.execute(_EDGES.format(part)):
                edges[parent].append(Edge(child, deptypes, virtuals))
                if virtuals and not LANGUAGES.isdisjoint(virtuals.split()):
                    compilers.add(child)
            titles = self._titles(sorted(compilers))
            flags: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
            for spec, name, flag in self._db.execute(_FLAGS.format(part)):
                flags[spec][name].append(flag)
            patches = self._patches(part)
            for row in self._db.execute(_SPECS.format(part)).fetchall():
                id_, hash_, name, namespace, version, variants, set_, *machine = row[:10]
                external, details, package_hash, patch_order, format_, old_compiler = row[10:]
                told = [
                    patches.get(set_, text) if text.startswith("patches") else text
                    for text in split_variants(variants or "")
                ]
                told += [f"{kind}={' '.join(it)}" for kind, it in sorted(flags[id_].items())]
                self._nodes[id_] = Node(
                    id_, hash_, name, namespace, version, tuple(told),
                    "-".join(it or "None" for it in machine),
                    _compilers(edges[id_], titles, old_compiler),
                    external, package_hash, tuple(edges[id_]), patch_order, format_ is not None,
                    details,
                )  # fmt: skip

    def _titles(self, ids: list[int]) -> dict[int, str]:
        return {
            id_: f"{name}@{version}" if version else name
            for part in _parts(ids)
            for id_, name, version in self._db.execute(_TITLES.format(part))
        }

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


def _compilers(
    edges: Iterable[Edge], titles: Mapping[int, str], old_compiler: str | None
) -> tuple[str, ...]:
    """The compilers of a spec; before Spack 1.0 they are no dependencies, but one is named."""
    found = (
        titles[edge.child]
        for edge in edges
        if edge.child in titles and not LANGUAGES.isdisjoint(edge.virtuals.split())
    )
    return (old_compiler,) if old_compiler else tuple(sorted(found))


def _parts(ids: list[int]) -> Iterator[str]:
    """The ids as texts of at most so many, to be put into statements."""
    rest = iter(ids)
    while part := list(islice(rest, _AT_ONCE)):
        yield ", ".join(map(str, part))
