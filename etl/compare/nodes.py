"""The specs of a catalog as nodes to compare, read in few statements."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import lru_cache
from itertools import chain, groupby
from operator import attrgetter, itemgetter

from etl.catalog.asking import AT_ONCE, IN_ONE_VALUE
from etl.catalog.sql_text import Parameters
from etl.catalog.variant_text import split_variants
from etl.compare.edges import NodeOf
from etl.compare.graph import Edge, Node
from etl.compare.past import TagAt, there
from etl.workers import batched

Part = tuple[str]
"""The value of a statement: the numbers of some specs, as a JSON array."""

LANGUAGES = frozenset({"c", "cxx", "fortran"})

_SPECS = """
    SELECT specs.id, specs.hash, packages.name, specs.namespace, versions.version,
        variant_sets.id, variant_sets.variants,
        ifnull(platforms.name, 'None') || '-' || ifnull(operating_systems.name, 'None') || '-'
            || ifnull(targets.name, 'None'),
        specs.external, specs.external_details, specs.package_hash, specs.patch_order,
        specs.format IS NOT NULL, CASE WHEN specs.format < 5 THEN compilers.name END
    FROM specs
    LEFT JOIN packages ON packages.id = specs.package_id
    LEFT JOIN versions ON versions.id = specs.version_id
    LEFT JOIN variant_sets ON variant_sets.id = specs.variant_set_id
    LEFT JOIN platforms ON platforms.id = specs.platform_id
    LEFT JOIN operating_systems ON operating_systems.id = specs.os_id
    LEFT JOIN targets ON targets.id = specs.target_id
    LEFT JOIN compilers ON compilers.id = specs.compiler_id
    WHERE specs.id IN (SELECT value FROM json_each(?))
"""
_EDGES = """
    SELECT child_id, deptypes, virtuals, parent_id
    FROM json_each(?) CROSS JOIN dependencies ON dependencies.parent_id = value
"""
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
        self._nodes = _Known(_Reader(db))
        self.get: NodeOf = self._nodes.__getitem__
        """Gives one node; None if there is no such spec.  No method, as it is called most."""

    def load(self, ids: Iterable[int]) -> list[Node]:
        """The nodes with these ids, in their order."""
        wanted = list(ids)
        self._nodes.read([id_ for id_ in wanted if id_ not in self._nodes])
        return [it for id_ in wanted if (it := self._nodes.get(id_))]

    def load_below(self, roots: Iterable[Node]) -> None:
        """Read all that is below some nodes, level by level."""
        self._loaded_below({edge.child for node in roots for edge in node.edges}, set())

    def of_tags(
        self, old: TagAt, new: TagAt, stack: str | None
    ) -> tuple[set[int], set[int], set[int]]:
        """The ids of the specs that only the old tag has, only the new one, and both.

        The specs of a tag are its binaries, and all that these depend on.
        """
        before, after = self._binaries(old, stack), self._binaries(new, stack)
        # Most are in both tags, and of what is below those only the ids are gone through.
        both = self._closure(before & after)
        olds = self._loaded_below(before - both, both)
        news = self._loaded_below(after - both, both)
        return olds - news, news - olds, both | (olds & news)

    def _loaded_below(self, ids: set[int], known: Set[int]) -> set[int]:
        """Load some specs and all that is below them, but for those that are known."""
        found, fresh = set(ids), ids
        while fresh:
            loaded = self.load(sorted(fresh))
            below = chain.from_iterable(map(attrgetter("edges"), loaded))
            fresh = set(map(itemgetter(0), below)) - found - known
            found |= fresh
        return found

    def _binaries(self, of: TagAt, stack: str | None) -> set[int]:
        parameters = Parameters()
        table = f"({there(of, parameters)})" if of.at is not None else "binaries"
        values = {**parameters.values, "of_tag": of.tag, "of_stack": stack}
        return {id_ for (id_,) in self._db.execute(_IN_TAG.format(table), values)}

    def _closure(self, ids: set[int]) -> set[int]:
        """Some specs and all that is below them."""
        found, fresh = set(ids), ids
        while fresh:
            below = {
                id_
                for part in _parts(sorted(fresh))
                for (id_,) in self._db.execute(_CHILDREN, part)
            }
            fresh = below - found
            found |= fresh
        return found

    def alike(self, these: Iterable[Node], among: Set[int]) -> list[Node]:
        """Those ``among`` so many ids that may be of one identity with one of ``these``.

        They are told apart by package and version in the tables, so that few are read whole.
        """
        if len(among) <= AT_ONCE:
            return self.load(sorted(among))
        likeness = {
            tuple(like)
            for part in _parts([node.key for node in these])
            for like in self._db.execute(_LIKENESS, part)
        }
        found = (
            id_ for like in likeness for (id_,) in self._db.execute(_LIKE, like) if id_ in among
        )
        return self.load(sorted(found))


class _Known(dict[int, "Node | None"]):
    """Nodes by their ids; one that is asked for and not there is read first."""

    def __init__(self, reader: _Reader) -> None:
        super().__init__()
        self._reader = reader

    def read(self, ids: Sequence[int]) -> None:
        """Read all of these."""
        self.update((node.key, node) for node in self._reader.read(ids))

    def __missing__(self, id_: int) -> Node | None:
        self.read([id_])
        return self.setdefault(id_, None)


class _Reader:
    """Makes nodes of the rows of a catalog."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._titles: dict[int, str] = {}
        self._variant_sets: dict[int | None, tuple[str, ...]] = {}

    def read(self, ids: Sequence[int]) -> Iterator[Node]:
        """The specs that there are with these ids, in any order."""
        for part in _parts(ids):
            by_parent = groupby(self._db.execute(_EDGES, part), itemgetter(3))
            edges = {
                parent: tuple([Edge(child, for_, virtuals) for child, for_, virtuals, _ in those])
                for parent, those in by_parent
            }
            compiled = {
                parent: [it.child for it in those if it.virtuals and _compiles(it.virtuals)]
                for parent, those in edges.items()
            }
            self._learn_titles({id_ for found in compiled.values() for id_ in found})
            flags: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
            for spec, name, flag in self._db.execute(_FLAGS, part):
                flags[spec][name].append(flag)
            rows = self._db.execute(_SPECS, part).fetchall()
            self._learn_variants({row[5]: row[6] for row in rows})
            for row in rows:
                id_, hash_, name, namespace, version, set_, _, arch, *more = row
                external, details, package_hash, patch_order, is_told, old_compiler = more
                told = self._variant_sets[set_]
                if id_ in flags:
                    told += tuple(
                        f"{kind}={' '.join(it)}" for kind, it in sorted(flags[id_].items())
                    )
                compilers = (
                    (old_compiler,)  # before Spack 1.0 it is no dependency, but it is named
                    if old_compiler
                    else tuple(sorted([self._titles[it] for it in compiled.get(id_, ())]))
                )
                yield Node(
                    id_, hash_, name, namespace, version, told, arch, compilers,
                    external, package_hash, edges.get(id_, ()), patch_order,
                    bool(is_told), details,
                )  # fmt: skip

    def _learn_variants(self, sets: dict[int | None, str | None]) -> None:
        """The variants of sets, which many specs share, with the whole sums of patches."""
        fresh = {set_: text or "" for set_, text in sets.items() if set_ not in self._variant_sets}
        patches = self._patches([it for it, text in fresh.items() if it and "patches" in text])
        for set_, text in fresh.items():
            self._variant_sets[set_] = tuple(
                patches.get(set_, it) if it.startswith("patches") else it
                for it in split_variants(text)
            )

    def _learn_titles(self, ids: set[int]) -> None:
        for part in _parts(sorted(ids - self._titles.keys())):
            for id_, name, version in self._db.execute(_TITLES, part):
                self._titles[id_] = f"{name}@{version}" if version else name

    def _patches(self, sets: Iterable[int]) -> dict[int | None, str]:
        """The whole sums of patches, of which lists of variants have the beginnings alone."""
        sums: dict[int, list[str]] = defaultdict(list)
        for part in _parts(sets):
            for set_, sum_ in self._db.execute(_PATCHES, part):
                sums[set_].append(sum_)
        return {set_: f"patches:={','.join(it)}" for set_, it in sums.items()}


@lru_cache(maxsize=1000)
def _compiles(virtuals: str) -> bool:
    return not LANGUAGES.isdisjoint(virtuals.split())


def _parts(ids: Iterable[int]) -> Iterator[Part]:
    """The ids as values of statements, so many in each."""
    for part in batched(ids, IN_ONE_VALUE):
        yield (json.dumps(part),)
