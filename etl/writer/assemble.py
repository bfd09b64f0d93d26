"""Package by package, what is on the shelf becomes rows."""

from __future__ import annotations

import pickle
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter
from typing import Any

from etl.spack.versions import sort_key
from etl.writer.case import SourcedProblem
from etl.writer.counting import Counted, Counts
from etl.writer.merging import Event, Merging
from etl.writer.names import Names
from etl.writer.needs import NAMES, Needs, lacks_runtime, own_fault
from etl.writer.numbering import FirstUse, Ranked, StackSets, VariantSets
from etl.writer.resolve import ResolvedPackage, Resolver, Settled
from etl.writer.shelf import BuildTuple, FactsTuple, Shelf
from etl.writer.vocabulary import Member

_ROWS_AT_ONCE = 20_000

_SPEC = (
    "id, hash, package_id, version_id, compiler_id, os_id, platform_id, target_id,"
    " variant_set_id, size, tags, first_tag_id, last_tag_id"
)
_PLAIN_SPEC = f"{_SPEC}, need_id, libc_id, fault"
"""What there is of specs of which only pages tell; to insert the rest takes half as long again."""

_COLUMNS = {
    "versions": "id, package_id, version, sort_key",
    "specs": (
        f"{_PLAIN_SPEC}, format, namespace, package_hash, external, build_spec,"
        " external_details, patch_order"
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
    "packages": (
        "id, name, versions, specs, binaries, tags, newest_version_id, first_tag_id, last_tag_id"
    ),
    "shelf.edges": "parent, child, package, deptypes, virtuals",
    # The lists that packages share come last.
    "variants": "id, name, value, sha256",
    "variant_sets": "id, variants, parts",
    "variant_set_members": "variant_set_id, variant_id",
    "stack_sets": "id, stacks",
    "stack_set_members": "stack_set_id, stack_id",
    "stack_orders": "id, stack_set_id, stacks",
    "page_styles": "id, style",
    "tag_machines": "tag_id, os_id, platform_id, target_id, binaries",
    "facet_counts": "table_name, facet, value, count",
}
"""The tables that rows are made for, and their columns in the order in which rows have them."""

_NO_BUILD, _NO_NEED = (None,) * 7, (None,) * 3

Table = tuple[str, str, list[tuple[object, ...]]]
"""The name of a table, its columns, and rows of them."""

Batch = tuple[int, list[Table], bytes]
"""How many packages are done, their rows, and at the very end the outcome."""


def _part(table: str, *columns: str) -> Callable[[tuple[object, ...]], Any]:
    """A function from a row to what it has in these columns."""
    return itemgetter(*map(_COLUMNS[table].split(", ").index, columns))


_TAG = _part("binaries", "tag_id")
_TAG_AND_VERSION = _part("binaries", "tag_id", "version_id")
_COUNTED = Counted(
    machine=_part("binaries", "tag_id", "os_id", "platform_id", "target_id"),
    stacks=_part("binaries", "spec_id", "stack_set_id"),
    variants=_part("binaries", "variant_set_id"),
    spec_variants=_part("specs", "variant_set_id"),
)


Machine = tuple[int, int, int, int]
"""The ids of compiler, operating system, platform and target."""


@dataclass(frozen=True)
class Outcome:
    """What is known when all rows are made.

    ``machines`` are those of all specs, each once; ``needs`` are those of the specs of which only
    pages tell.
    """

    problems: list[SourcedProblem] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    machines: list[Machine] = field(default_factory=list)
    needs: Needs = field(default_factory=Needs)

    def pack(self) -> bytes:
        """What :meth:`unpack` makes the same of, maybe in another process."""
        return pickle.dumps(self)

    @staticmethod
    def unpack(data: bytes) -> Outcome:
        """What was packed by a process of this program."""
        outcome: Outcome = pickle.loads(data)  # noqa: S301
        return outcome


class Assembly:
    """Makes the rows of packages and of the lists that they share; it touches no database."""

    def __init__(
        self,
        shelf: Shelf,
        names: Names,
        disputed: Mapping[str, int],
        merging: Merging,
        sources: Mapping[int, int],
    ) -> None:
        words = shelf.words
        self._shelf = shelf
        self._names = names
        self._sources = sources
        self._resolver = Resolver(words, names.tags.ids, disputed, merging)
        self._variant_sets = VariantSets(words)
        self._stack_sets = StackSets(words)
        self._machines: dict[tuple[int, ...], Machine] = {}
        self._plain_needs: dict[Machine, tuple[int, int | None]] = {}
        self._styles: FirstUse[int] = FirstUse()
        self._rows: dict[str, list[tuple[object, ...]]] = {table: [] for table in _COLUMNS}
        self._counts = Counts(_COUNTED)
        self._outcome = Outcome()
        self._last_spec = 0
        self._last_version = 0
        self._is_plain = True

    def batches(self) -> Iterator[Batch]:
        """All rows, in the order of packages by name, then those of what packages share."""
        numbers = {id_: number for number, id_ in enumerate(self._names.packages.ids)}
        done, outcome = 0, self._outcome
        for id_ in sorted(numbers):
            number = numbers[id_]
            resolved = self._resolver.resolve(number, self._shelf.about(number))
            outcome.problems.extend(resolved.problems)
            outcome.events.extend(resolved.events)
            self._add_package(id_, resolved)
            done += 1
            if len(self._rows["binaries"]) > _ROWS_AT_ONCE:
                yield done, self._take(), b""
                done = 0
        yield done, self._take(), b""
        for table, shared in self._shared():
            waiting = iter(shared)
            while rows := list(islice(waiting, _ROWS_AT_ONCE)):
                yield 0, [(table, _COLUMNS[table], rows)], b""
        outcome.machines.extend(self._machines.values())
        yield 0, [], outcome.pack()

    def _take(self) -> list[Table]:
        """What has been made since this was asked last."""
        self._counts.add(self._rows["specs"], self._rows["binaries"])
        columns = _COLUMNS | {"specs": _PLAIN_SPEC} if self._is_plain else _COLUMNS
        made = [(table, columns[table], rows) for table, rows in self._rows.items() if rows]
        self._rows = {table: [] for table in _COLUMNS}
        self._is_plain = True
        return made

    def _add_package(self, package: int, resolved: ResolvedPackage) -> None:
        """Add the rows of one package."""
        if self._is_plain and any(build for *_, build in resolved.specs):
            self._rows["specs"] = [(*row, *_NO_BUILD) for row in self._rows["specs"]]
            self._is_plain = False
        before = len(self._rows["binaries"])
        available, ends = self._add_specs(package, resolved.specs)
        self._add_pages(package, resolved)
        name = self._names.packages.values[package - 1]
        versions, binaries, tags, newest_version, last = self._add_tags(package, before)
        first = min(ends, default=None)
        if last is None:
            last = max(ends, default=None)
        counts = versions, available, binaries, tags
        self._rows["packages"].append((package, name, *counts, newest_version, first, last))

    def _add_specs(self, package: int, specs: list[Settled]) -> tuple[int, set[int]]:
        """Add the specs of a package, and each of them in each tag, oldest first.

        Returns how many of them any tag has, and the first and last tags that have or had them.
        This is done for every binary there is: to call a function for each takes a seventh longer.
        """
        version_ids = self._add_versions(package, specs)
        variant_sets, stack_sets = self._variant_sets, self._stack_sets
        machines, needs = self._machines, self._plain_needs
        fault, fault_if_developed = self._faults(package)
        add, add_gone = self._rows["binaries"].append, self._rows["gone_binaries"].append
        add_spec, rest = self._rows["specs"].append, () if self._is_plain else _NO_BUILD
        spec = self._last_spec
        available, ends = 0, set[int]()
        for hash_, told, known, build in specs:
            spec += 1
            machine = machines.get(told[1:5]) or self._machine(told)
            version, variants = version_ids[told[0]], variant_sets[told[5]]
            facts = package, version, *machine, variants
            tags = 0
            first = newest = None
            for tag, (stacks, position, first_seen, last_seen, gone_since) in known:
                stack_set, order = stack_sets[stacks]
                if gone_since is None:
                    add((tag, spec, stack_set, *facts, position, order, first_seen))
                    tags += 1
                    newest = tag
                else:
                    where = tag, spec, stack_set, package, version, position, order
                    add_gone((*where, first_seen, last_seen, gone_since))
            if known:
                first, last = known[0][0], known[-1][0]
                ends.add(first)
                ends.add(last)
                if tags:
                    available += 1
                else:
                    newest = last
            row = spec, hash_, *facts, told[6], tags, first, newest
            if build:
                add_spec((*row, *_NO_NEED, *build[:7]))
                self._add_build(spec, build)
            else:
                need, libc = needs.get(machine) or self._need(machine, told)
                its = fault_if_developed if told[5] in variant_sets.developed else fault
                add_spec((*row, need, libc, its, *rest))
        self._last_spec = spec
        return available, ends

    def _add_tags(self, package: int, before: int) -> tuple[int, int, int, int | None, int | None]:
        """Add what each tag has of a package, whose binaries are those after so many rows.

        Returns how many versions, binaries and tags there are, and the newest version and tag.
        """
        rows = self._rows["binaries"][before:]
        in_tags = Counter(map(_TAG, rows))
        versions: dict[int, list[int]] = {}
        for tag, version in sorted(set(map(_TAG_AND_VERSION, rows))):
            versions.setdefault(tag, []).append(version)
        self._rows["package_tags"] += [
            (package, tag, in_tags[tag], len(found), found[-1]) for tag, found in versions.items()
        ]
        every: set[int] = set().union(*versions.values())
        newest = max(every, default=None), max(versions, default=None)
        return len(every), len(rows), len(versions), *newest

    def _add_versions(self, package: int, specs: list[Settled]) -> dict[str, int]:
        """The ids of the package's versions, numbered in Spack's order."""
        found = {facts[0] for _, facts, *_ in specs}
        ids: dict[str, int] = {}
        for key, version in sorted((sort_key(version), version) for version in found):
            self._last_version += 1
            ids[version] = self._last_version
            self._rows["versions"].append((self._last_version, package, version, key))
        return ids

    def _add_build(self, parent: int, build: BuildTuple) -> None:
        """Add what a build cache tells of a spec beside the facts."""
        self._rows["spec_flags"] += [
            (parent, name, flag) for name, flags in build.flags for flag in flags
        ]
        self._rows["shelf.edges"] += [(parent, *edge) for edge in build.dependencies]

    def _machine(self, facts: FactsTuple) -> Machine:
        """The ids of a spec's compiler, operating system, platform and target."""
        compiler, system, platform, target = key = facts[1:5]
        names = self._names
        found = self._machines[key] = (
            names.compilers.ids[compiler],
            names.systems.ids[system],
            names.platforms.ids[platform],
            names.targets[target],
        )
        return found

    def _need(self, machine: Machine, facts: FactsTuple) -> tuple[int, int | None]:
        """What a spec needs of which only pages tell: the ids of need and libc."""
        _, system, platform, target = machine
        needs, name = self._outcome.needs, self._shelf.words.systems.listed[facts[2]]
        need = needs.of_system(platform, system, target, name)
        found = self._plain_needs[machine] = need, needs.libc(needs.strictest(need, 0))
        return found

    def _faults(self, package: int) -> tuple[str | None, str | None]:
        """What keeps the specs of a package from any host, and those built from working copies."""
        name = self._names.packages.values[package - 1]
        fault = own_fault(name, None, is_developed=False)
        if fault is None and lacks_runtime(NAMES.get(name, 0)):
            fault = "runtime"
        return fault, own_fault(name, None, is_developed=True)

    def _add_pages(self, package: int, resolved: ResolvedPackage) -> None:
        self._rows["pages"] += [
            (
                self._names.tags.ids[page.tag],
                package,
                self._sources[page.source],
                self._styles[page.style],
                None if page.text is None else zlib.compress(page.text),
            )
            for page in resolved.pages
        ]

    def _shared(self) -> Iterator[tuple[str, Iterable[tuple[object, ...]]]]:
        """The lists that packages share, table by table: variants, stacks and styles."""
        variants = self._variant_sets.variants()
        styles = self._shelf.words.styles.listed
        yield "variants", ((id_, *variant) for id_, variant in variants.rows())
        yield "variant_sets", self._variant_sets.rows()
        yield "variant_set_members", self._variant_sets.members(variants)
        yield "stack_sets", self._stack_sets.rows()
        yield "stack_set_members", self._stack_sets.members(self._names.stack_ids)
        yield "stack_orders", self._stack_sets.orders()
        yield "page_styles", ((id_, styles[it].to_json()) for id_, it in self._styles.rows())
        yield "tag_machines", self._counts.machines()
        yield "facet_counts", self._facets(variants)

    def _facets(self, variants: Ranked[Member]) -> Iterator[tuple[object, ...]]:
        """What was counted of specs and binaries, for facets."""
        of_stacks = self._counts.specs_by_stack(self._stack_sets.members(self._names.stack_ids))
        yield from (("specs", "stack_id", stack, specs) for stack, specs in of_stacks)
        first = {name: id_ for id_, (name, *_) in reversed([*variants.rows()])}
        for table, counts in self._counts.by_variant(self._variant_sets.names(), first):
            yield from ((table, "variant_name", variant, number) for variant, number in counts)
