"""Package by package, what is on the shelf becomes rows."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from etl.progress import Follower
from etl.spack.versions import sort_key
from etl.writer.case import Presence, ResolvedSpec, SourcedProblem
from etl.writer.counting import Counts
from etl.writer.merging import Merging
from etl.writer.names import Names, Unused
from etl.writer.needs import DEV_PATH, NAMES, Needs, lacks_runtime, own_fault
from etl.writer.numbering import FirstUse, Ranked, StackSets, VariantSets
from etl.writer.resolve import ResolvedPackage, Resolver
from etl.writer.rows import insert
from etl.writer.shelf import FactsTuple, Shelf
from etl.writer.vocabulary import Member

_ROWS_AT_ONCE = 20_000

_BUFFERS = {
    "versions": "id, package_id, version, sort_key",
    "specs": (
        "id, hash, package_id, version_id, compiler_id, os_id, platform_id, target_id,"
        " variant_set_id, size, tags, first_tag_id, last_tag_id,"
        " format, namespace, package_hash, external, build_spec,"
        " external_details, patch_order, need_id, libc_id, fault"
    ),
    "binaries": (
        "tag_id, spec_id, stack_set_id, package_id, version_id, compiler_id, os_id, platform_id,"
        " target_id, variant_set_id, position, stack_order_id, first_seen"
    ),
    "gone_binaries": (
        "tag_id, spec_id, stack_set_id, package_id, version_id, position, stack_order_id,"
        " first_seen, last_seen, gone_since"
    ),
    "spec_flags": "spec_id, name, flag",
    "package_tags": "package_id, tag_id, binaries, versions, newest_version_id",
    "pages": "tag_id, package_id, source_id, style_id, text",
    "shelf.edges": "parent, child, package, deptypes, virtuals",
}
_NO_BUILD, _NO_NEED = (None,) * 7, (None,) * 3
_PACKAGE_COUNTS = (
    "UPDATE packages SET versions = ?, specs = ?, binaries = ?, tags = ?,"
    " newest_version_id = ?, first_tag_id = ?, last_tag_id = ? WHERE id = ?"
)


@dataclass
class Assembly:
    """Writes the rows of packages; the lists they share are written by :meth:`write_shared`."""

    db: sqlite3.Connection
    shelf: Shelf
    names: Names
    disputed: Mapping[str, int]
    merging: Merging
    sources: Mapping[int, int]
    problems: list[SourcedProblem] = field(default_factory=list)
    events: list[tuple[str, str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        words = self.shelf.words
        self._resolver = Resolver(words, self.names.tags.ids, self.disputed, self.merging)
        self._variant_sets = VariantSets(words)
        self._stack_sets = StackSets(words)
        self.needs = Needs()
        self._machines: dict[tuple[int, int, int, int], tuple[int, int, int, int]] = {}
        self._plain_needs: dict[tuple[int, int, int], tuple[int, int | None]] = {}
        self._faults: dict[tuple[str, bool], str | None] = {}
        self._styles: FirstUse[int] = FirstUse()
        self._rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in _BUFFERS}
        self._counts = Counts()
        self._last_spec = 0
        self._last_version = 0

    def write_packages(self, follow: Follower) -> None:
        """Write all that is about single packages, in the order of their names."""
        numbers = {id_: number for number, id_ in enumerate(self.names.packages.ids)}
        for id_ in follow(sorted(numbers), "writing packages", len(numbers)):
            number = numbers[id_]
            resolved = self._resolver.resolve(number, self.shelf.about(number))
            self.problems += resolved.problems
            self.events += resolved.events
            self._add_package(id_, resolved)
            if len(self._rows["binaries"]) > _ROWS_AT_ONCE:
                self._flush()
        self._flush()

    def unused(self) -> Unused:
        """The names that no spec has in the end."""
        return self.names.unused(self._machines.values())

    def _add_package(self, package: int, resolved: ResolvedPackage) -> None:
        """Add the rows of one package."""
        version_ids, ids = self._add_versions(package, resolved.specs), self.names.tags.ids
        tags: dict[int, list[int]] = {}
        seen: set[int] = set()
        available = 0
        for spec in resolved.specs:
            version = version_ids[spec.facts[0]]
            self._last_spec += 1
            facts = (
                package,
                version,
                *self._machine(spec.facts),
                self._variant_sets[spec.facts[5]],
            )
            known = sorted([(ids[tag], there) for tag, there in spec.presence.items()])
            present = self._add_binaries(facts, known)
            self._add_spec(spec, facts, known, present)
            available += bool(present)
            for tag, _ in known:
                seen.add(tag)
            for tag in present:
                tags.setdefault(tag, []).append(version)
        self._add_pages(package, resolved)
        self._rows["package_tags"] += [
            (package, tag, len(tags[tag]), len(set(tags[tag])), max(tags[tag]))
            for tag in sorted(tags)
        ]
        versions = {version for found in tags.values() for version in found}
        counts = (len(versions), available, sum(map(len, tags.values())), len(tags))
        newest = max(versions, default=None)
        ends = (min(seen), max(tags or seen)) if seen else (None, None)
        self.db.execute(_PACKAGE_COUNTS, (*counts, newest, *ends, package))

    def _add_versions(self, package: int, specs: list[ResolvedSpec]) -> dict[str, int]:
        """The ids of the package's versions, numbered in Spack's order."""
        found = {spec.facts[0] for spec in specs}
        ids: dict[str, int] = {}
        for key, version in sorted((sort_key(version), version) for version in found):
            self._last_version += 1
            ids[version] = self._last_version
            self._rows["versions"].append((self._last_version, package, version, key))
        return ids

    def _add_binaries(self, facts: tuple[int, ...], known: list[tuple[int, Presence]]) -> list[int]:
        """Add the spec's presence in each tag, and return the tags that have it, in time."""
        add, spec_id, stack_sets = self._rows["binaries"].append, self._last_spec, self._stack_sets
        sets, held = set(), []
        for tag, (stacks, position, first_seen, last_seen, gone_since) in known:
            stack_set, stack_order = stack_sets[stacks]
            if gone_since is not None:
                self._rows["gone_binaries"].append(
                    (
                        *(tag, spec_id, stack_set, *facts[:2], position, stack_order),
                        *(first_seen, last_seen, gone_since),
                    )
                )
                continue
            add((tag, spec_id, stack_set, *facts, position, stack_order, first_seen))
            sets.add(stack_set)
            held.append(tag)
        self._counts.add(facts[3:6], facts[6], sets, held)
        return held

    def _add_spec(
        self,
        spec: ResolvedSpec,
        facts: tuple[int, ...],
        known: list[tuple[int, Presence]],
        present: list[int],
    ) -> None:
        build = spec.build
        # The newest tag that still has it is where it can be had.
        last = present[-1] if present else known[-1][0] if known else None
        self._rows["specs"].append(
            (
                self._last_spec,
                spec.hash,
                *facts,
                spec.facts[6],
                len(present),
                known[0][0] if known else None,
                last,
                *(build[:7] if build else _NO_BUILD),
                *(_NO_NEED if build else self._need(facts[0], spec)),
            )
        )
        if build:
            parent = self._last_spec
            self._rows["spec_flags"] += [
                (parent, name, flag) for name, flags in build.flags for flag in flags
            ]
            self._rows["shelf.edges"] += [(parent, *edge) for edge in build.dependencies]

    def _machine(self, facts: FactsTuple) -> tuple[int, int, int, int]:
        """The ids of a spec's compiler, operating system, platform and target."""
        key = facts[1:5]
        found = self._machines.get(key)
        if found is None:
            compiler, system, platform, target = key
            names = self.names
            found = self._machines[key] = (
                names.compilers.ids[compiler],
                names.systems.ids[system],
                names.platforms.ids[platform],
                names.targets[target],
            )
        return found

    def _need(self, package: int, spec: ResolvedSpec) -> tuple[int, int | None, str | None]:
        """What a spec needs of which only pages tell: the ids of need and libc, and its fault."""
        _, _, system, platform, target, variants, _ = spec.facts
        key = platform, system, target
        if key not in self._plain_needs:
            names, needs = self.names, self.needs
            need = needs.of_system(
                names.platforms.ids[platform],
                names.systems.ids[system],
                names.targets[target],
                self.shelf.words.systems.listed[system],
            )
            self._plain_needs[key] = need, needs.libc(needs.strictest(need, 0))
        name = self.names.packages.values[package - 1]
        is_developed = self._variant_sets.has(variants, DEV_PATH)
        if (name, is_developed) not in self._faults:
            fault = own_fault(name, None, is_developed)
            if fault is None and lacks_runtime(NAMES.get(name, 0)):
                fault = "runtime"
            self._faults[name, is_developed] = fault
        return *self._plain_needs[key], self._faults[name, is_developed]

    def _add_pages(self, package: int, resolved: ResolvedPackage) -> None:
        self._rows["pages"] += [
            (
                self.names.tags.ids[page.tag],
                package,
                self.sources[page.source],
                self._styles[page.style],
                None if page.text is None else zlib.compress(page.text),
            )
            for page in resolved.pages
        ]

    def _flush(self) -> None:
        for table, columns in _BUFFERS.items():
            insert(self.db, table, columns, self._rows[table])
            self._rows[table].clear()

    def write_shared(self) -> None:
        """Write the lists that packages share: variants, stacks and styles."""
        variants = self._variant_sets.variants()
        styles = self.shelf.words.styles.listed
        for table, columns, rows in (
            ("variants", "id, name, value, sha256", ((i, *v) for i, v in variants.rows())),
            ("variant_sets", "id, variants, parts", self._variant_sets.rows()),
            (
                "variant_set_members",
                "variant_set_id, variant_id",
                self._variant_sets.members(variants),
            ),
            ("stack_sets", "id, stacks", self._stack_sets.rows()),
            (
                "stack_set_members",
                "stack_set_id, stack_id",
                self._stack_sets.members(self.names.stack_ids),
            ),
            ("stack_orders", "id, stack_set_id, stacks", self._stack_sets.orders()),
            (
                "page_styles",
                "id, style",
                ((id_, styles[number].to_json()) for id_, number in self._styles.rows()),
            ),
        ):
            insert(self.db, table, columns, rows)
        self._write_counts(variants)

    def _write_counts(self, variants: Ranked[Member]) -> None:
        """Write what was counted of specs and binaries, for pages and facets."""
        columns = "tag_id, os_id, platform_id, target_id, binaries"
        insert(self.db, "tag_machines", columns, self._counts.machines())
        of_stacks = self._counts.specs_by_stack(self._stack_sets.members(self.names.stack_ids))
        facets = [("specs", "stack_id", stack, specs) for stack, specs in of_stacks]
        first = {name: id_ for id_, (name, *_) in reversed([*variants.rows()])}
        for table, counts in self._counts.by_variant(self._variant_sets.names(), first):
            facets += [(table, "variant_name", variant, number) for variant, number in counts]
        insert(self.db, "facet_counts", "table_name, facet, value, count", facets)
