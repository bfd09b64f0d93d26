"""The tables of plain names: tags, compilers, systems, platforms, targets and stacks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, dataclass
from operator import attrgetter

from etl.spack.compilers import split_compiler
from etl.spack.tags import parse_tag
from etl.spack.targets import known_targets
from etl.spack.versions import sort_key
from etl.writer.numbering import Ranked
from etl.writer.rows import insert
from etl.writer.vocabulary import Vocabulary


@dataclass(frozen=True)
class Unused:
    """The names that only statements had which were overruled: they are not in the catalog."""

    compilers: frozenset[str] = frozenset()
    systems: frozenset[str] = frozenset()
    platforms: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return any(astuple(self))


class Names:
    """The ids of all plain names, by their number in the vocabulary."""

    def __init__(
        self,
        words: Vocabulary,
        stacks: Iterable[str],
        caches: Iterable[str] = (),
        tag_caches: Mapping[str, str] | None = None,
        published: Callable[[str], str | None] = lambda tag: None,
        unused: Unused = Unused(),
    ) -> None:
        self.packages = Ranked(words.packages, str)
        self.tags = Ranked(
            (parse_tag(tag, published(tag)) for tag in words.tags), attrgetter("order")
        )
        self.compilers = Ranked(words.compilers, _compiler_order, unused.compilers)
        self.systems = Ranked(words.systems, str, unused.systems)
        self.platforms = Ranked(words.platforms, str, unused.platforms)
        # All of archspec's targets are there, so that "runs on" can be asked of any CPU.
        self._all_targets = Ranked({*words.targets, *known_targets()}, str, unused.targets)
        self.target_ids = {name: number for number, name in self._all_targets.rows()}
        self.targets = [self.target_ids.get(name, 0) for name in words.targets]
        self.stacks = Ranked(set(stacks), str)
        self.cache_ids = {name: number for number, name in Ranked(set(caches), str).rows()}
        self.tag_caches = {tag: self.cache_ids[cache] for tag, cache in (tag_caches or {}).items()}
        self.stack_ids = {name: number for number, name in self.stacks.rows()}

    def unused(self, machines: Iterable[tuple[int, int, int, int]]) -> Unused:
        """The names that no spec has, of which these are the ids, field by field."""
        used = list(map(set, zip(*machines, strict=True))) or [set()] * 4
        ranked = self.compilers, self.systems, self.platforms
        compilers, systems, platforms = (
            frozenset(name for id_, name in names.rows() if id_ not in ids)
            for names, ids in zip(ranked, used, strict=False)
        )
        targets = {name for name, id_ in self.target_ids.items() if id_ not in used[3]}
        # Those that archspec knows stay, so that "runs on" can be asked of any CPU.
        return Unused(compilers, systems, platforms, frozenset(targets - known_targets().keys()))

    def write(self, db: sqlite3.Connection) -> None:
        """Write the rows of all of them but the packages, which are written with their counts."""
        insert(
            db,
            "tags",
            "id, name, kind, date, position, cache_id",
            (
                (place, tag.name, tag.kind, tag.date, place, self.tag_caches.get(tag.name))
                for place, tag in self.tags.rows()
            ),
        )
        insert(
            db,
            "compilers",
            "id, name, compiler, version, sort_key",
            ((number, name, *_compiler_parts(name)) for number, name in self.compilers.rows()),
        )
        insert(db, "operating_systems", "id, name", self.systems.rows())
        insert(db, "platforms", "id, name", self.platforms.rows())
        insert(db, "stacks", "id, name", self.stacks.rows())
        self._write_targets(db)

    def _write_targets(self, db: sqlite3.Connection) -> None:
        known = known_targets()
        rows, closure = [], []
        for number, name in self._all_targets.rows():
            target = known.get(name)
            rows.append(
                (number, name, *((target.family, target.vendor) if target else (None,) * 2))
            )
            # A target is counted among its own ancestors: what is built for it runs on it.
            ancestors = {name, *(target.ancestors if target else ())}
            closure += [(number, self.target_ids[ancestor]) for ancestor in sorted(ancestors)]
        insert(db, "targets", "id, name, family, vendor", rows)
        insert(db, "target_ancestors", "target_id, ancestor_id", closure)


def _compiler_parts(name: str) -> tuple[str, str | None, str | None]:
    compiler, version = split_compiler(name)
    return compiler, version, None if version is None else sort_key(version)


def _compiler_order(name: str) -> tuple[str, str, str]:
    compiler, _, key = _compiler_parts(name)
    return compiler, key or "", name
