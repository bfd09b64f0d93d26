"""The specs of a catalog as nodes to compare: those asked for, of tags, and below others."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence, Set
from itertools import chain
from operator import attrgetter, itemgetter

from etl.catalog.asking import AT_ONCE, rows_about
from etl.catalog.sql_text import Parameters
from etl.compare.edges import NodeOf
from etl.compare.graph import Node
from etl.compare.node_reader import Reader
from etl.compare.past import TagAt, there

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
        self._nodes = _Known(Reader(db))
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
            fresh = {id_ for (id_,) in rows_about(self._db, _CHILDREN, sorted(fresh))} - found
            found |= fresh
        return found

    def alike(self, these: Iterable[Node], among: Set[int]) -> list[Node]:
        """Those ``among`` so many ids that may be of one identity with one of ``these``.

        They are told apart by package and version in the tables, so that few are read whole.
        """
        if len(among) <= AT_ONCE:
            return self.load(sorted(among))
        likeness = {
            tuple(like) for like in rows_about(self._db, _LIKENESS, [node.key for node in these])
        }
        found = (
            id_ for like in likeness for (id_,) in self._db.execute(_LIKE, like) if id_ in among
        )
        return self.load(sorted(found))


class _Known(dict[int, "Node | None"]):
    """Nodes by their ids; one that is asked for and not there is read first."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader

    def read(self, ids: Sequence[int]) -> None:
        """Read all of these."""
        self.update((node.key, node) for node in self._reader.read(ids))

    def __missing__(self, id_: int) -> Node | None:
        self.read([id_])
        return self.setdefault(id_, None)
