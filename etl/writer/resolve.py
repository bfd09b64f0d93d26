"""All that was said about one package becomes its specs, where they are, and what contradicts.

The same hash is the same spec.  Statements that differ only in notation are one fact, and of the
notations the one that tells most is kept.  Where statements really differ the newest tag wins, and
the contradiction is a problem.  A page that can then no longer be written from the facts keeps its
own text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from etl.page_format.render import render_page
from etl.records import Problem, Spec
from etl.spack.versions import sort_key
from etl.writer.case import Case, Heard, Presence, ResolvedSpec, SourcedProblem
from etl.writer.keeping import Keeper
from etl.writer.merging import Event, Merging
from etl.writer.shelf import (
    BuildTuple,
    FactsTuple,
    FoldedStatement,
    KeptStatement,
    MirrorStatement,
    PageStatement,
    Statement,
)
from etl.writer.vocabulary import Facts, VariantList, Vocabulary

_VARIANTS = Facts._fields.index("variants")


Settled = tuple[str, FactsTuple, list[tuple[int, Presence]], BuildTuple | None]
"""A spec as the catalog will have it: its hash, facts, where it is by the ids of tags, its build.

It is a plain tuple, since there are as many as the catalog has specs.
"""


@dataclass(slots=True)
class ResolvedPackage:
    """A package as the catalog will have it; specs are by version in Spack's order, then hash."""

    number: int
    specs: list[Settled]
    pages: list[PageStatement]
    problems: list[SourcedProblem]
    events: list[Event]


class Resolver:
    """Decides what is so, package by package.

    ``tag_ranks[n]`` is the place in time of the tag numbered ``n``.  ``disputed`` names, for a
    hash that several packages claim, the number of the package that has it.
    """

    def __init__(
        self,
        words: Vocabulary,
        tag_ranks: Sequence[int],
        disputed: Mapping[str, int],
        merging: Merging,
    ) -> None:
        self._words = words
        self._ranks = tag_ranks
        self._disputed = disputed
        self._keeper = Keeper(words, tag_ranks, merging)
        self._variant_lists = [VariantList(*key) for key in words.variant_lists]
        self._odd_lists = {n for n, it in enumerate(self._variant_lists) if not it.is_plain}
        self._takes_folded = not (disputed or self._odd_lists)
        self._alike: dict[object, Presence] = {}

    def resolve(self, package: int, statements: Iterable[Statement]) -> ResolvedPackage:
        """Decide upon one package; newest tags are heard first."""
        case = Case(package)
        statements = list(statements)
        told = statements[0] if len(statements) == 1 else None
        if isinstance(told, FoldedStatement) and self._takes_folded:
            return self._resolve_folded(told, case)
        pages: list[PageStatement] = []
        mirrors: list[MirrorStatement] = []
        kept: list[KeptStatement] = []
        for statement in statements:
            if isinstance(statement, PageStatement):
                pages.append(statement)
            elif isinstance(statement, FoldedStatement):
                pages += statement.unfolded()
            elif isinstance(statement, MirrorStatement):
                mirrors.append(statement)
            else:
                kept.append(statement)
        pages = self._one_page_per_tag(pages, case)
        # A build cache is heard before the page that was made from it.
        everything: list[Heard] = [*mirrors, *pages]
        remembered = self._keeper.take(kept, self._hashes(everything), case)
        for of_catalog in remembered:
            everything += self._keeper.mentions(of_catalog)
        for heard in sorted(everything, key=self._newest_first):
            if isinstance(heard, PageStatement):
                self._hear_page(heard, case)
            else:
                self._hear_mirror(heard, case)
        self._join_stacks(case)
        self._keeper.keep(remembered, case)
        doubtful = self._doubtful(case, pages, len(remembered))
        name = self._words.packages.listed[package]
        pages = [
            self._with_text(page, case) if doubtful is None or page.tag in doubtful else page
            for page in self._keeper.pages(remembered, pages, name, doubtful)
        ]
        keys = {version: sort_key(version) for version in {s.facts[0] for s in case.specs.values()}}
        in_order = sorted(case.specs.values(), key=lambda spec: (keys[spec.facts[0]], spec.hash))
        specs = [self._settled(spec) for spec in in_order]
        return ResolvedPackage(package, specs, pages, case.problems, case.events)

    def _settled(self, spec: ResolvedSpec) -> Settled:
        ranks = self._ranks
        known = sorted([(ranks[tag], there) for tag, there in spec.presence.items()])
        return spec.hash, spec.facts, known, spec.build

    def _resolve_folded(self, told: FoldedStatement, case: Case) -> ResolvedPackage:
        """Decide where nobody says anything but pages that agree: then it is as they say."""
        tags = [self._ranks[tag] for tag, *_ in told.pages]
        is_dated = self._keeper.dates_each
        alike = dict[object, Presence]() if is_dated else self._alike
        specs: list[Settled] = []
        stacks_of = told.stacks
        machines, variants = told.machines, told.variants
        for hash_, version, machine, variant, size, where, positions in told.specs:
            facts = version, *machines[machine], variants[variant], size
            known = []
            numbers = iter(where)
            for page, listed in zip(numbers, numbers, strict=True):
                stacks = stacks_of[listed]
                key = (page, stacks) if is_dated else stacks
                there = alike.get(key)  # most are made once
                if there is None:
                    seen = self._keeper.first_seen(told.pages[page][0], stacks)
                    there = alike[key] = Presence(stacks, first_seen=seen)
                if positions and page in positions:
                    there = there._replace(position=positions[page])
                known.append((tags[page], there))
            if len(known) > 1:
                known.sort()
            specs.append((hash_, facts, known, None))
        pages = [
            PageStatement(tag, told.source, place, style, text, [])
            for tag, place, style, text in told.pages
        ]
        pages.sort(key=lambda page: self._ranks[page.tag])
        return ResolvedPackage(case.package, specs, pages, case.problems, case.events)

    def _hashes(self, everything: list[Heard]) -> set[str] | None:
        """The hashes of which something is said; None where several packages claim some."""
        return None if self._disputed else {item[0] for it in everything for item in it.items}

    def _doubtful(self, case: Case, read: list[PageStatement], catalogs: int) -> set[int] | None:
        """The tags of which a page may not be what the facts give; None if that may be any.

        ``read`` are the pages that were read now, ``catalogs`` how many remember any.
        """
        if not (case.touched or case.mirror_stacks or self._odd_lists):
            return set()
        if self._odd_lists or self._disputed or catalogs > 1:
            return None
        of_touched = {tag for hash_ in case.touched for tag in case.specs[hash_].presence}
        of_mirrors = {tag for _, tag in case.mirror_stacks}
        return of_touched | of_mirrors | {page.tag for page in read}

    def _newest_first(self, statement: Heard) -> tuple[int, bool, int, str]:
        is_page = isinstance(statement, PageStatement)
        return -self._ranks[statement.tag], is_page, -statement.source, statement.place

    def _one_page_per_tag(self, pages: list[PageStatement], case: Case) -> list[PageStatement]:
        """The pages by tag; of two for the same tag the one that was given last."""
        chosen: dict[int, PageStatement] = {}
        for page in sorted(pages, key=lambda page: (page.source, page.place)):
            before = chosen.get(page.tag)
            if before is not None and before[3:] != page[3:]:
                message = f"another page of this package and tag is used instead: {page.place}"
                case.problems.append((before.source, Problem(before.place, "refused", message)))
            chosen[page.tag] = page
        return [chosen[tag] for tag in sorted(chosen, key=self._ranks.__getitem__)]

    def _hear_page(self, page: PageStatement, case: Case) -> None:
        hashes = [item[0] for item in page.items]
        by_hash = hashes == sorted(hashes)
        for position, (hash_, facts, stacks) in enumerate(page.items):
            spec = self._hear(hash_, facts, page, case)
            if spec is not None:
                spec.presence[page.tag] = Presence(stacks, None if by_hash else position)

    def _hear_mirror(self, mirror: MirrorStatement, case: Case) -> None:
        for hash_, facts, available, build in mirror.items:
            spec = self._hear(hash_, facts, mirror, case)
            if spec is None:
                continue
            if spec.build is None and build is not None:
                spec.build = BuildTuple(*build)
            if available:
                case.mirror_stacks.setdefault((hash_, mirror.tag), set()).add(mirror.stack)

    def _hear(
        self, hash_: str, facts: FactsTuple, statement: Heard, case: Case
    ) -> ResolvedSpec | None:
        """The spec that this is said of; None if the hash belongs to another package."""
        spec = case.specs.get(hash_)
        if spec is None:
            if self._disputed and self._disputed.get(hash_, case.package) != case.package:
                self._lose(hash_, statement, case)
                return None
            spec = case.specs[hash_] = ResolvedSpec(hash_, facts)
            case.told_by[hash_] = statement.tag
        elif spec.facts != facts:
            case.touched.add(hash_)
            self._reconcile(spec, facts, statement, case)
        return spec

    def _lose(self, hash_: str, statement: Heard, case: Case) -> None:
        case.touched.add(hash_)
        winner = self._words.packages.listed[self._disputed[hash_]]
        message = f"{hash_} is a spec of {winner} elsewhere; left out here"
        case.problems.append((statement.source, Problem(statement.place, "refused", message)))

    def _reconcile(
        self, spec: ResolvedSpec, facts: FactsTuple, statement: Heard, case: Case
    ) -> None:
        """Make one of what was said of a spec so far and what this, older, statement says."""
        now, then = Facts(*spec.facts), Facts(*facts)
        mine, other = self._variant_lists[now.variants], self._variant_lists[then.variants]
        differences = [
            f"{field_} {names[then_value]} (kept: {names[now_value]})"
            for field_, names, then_value, now_value in (
                ("compiler", self._words.compilers.listed, then.compiler, now.compiler),
                ("os", self._words.systems.listed, then.os, now.os),
                ("platform", self._words.platforms.listed, then.platform, now.platform),
                ("target", self._words.targets.listed, then.target, now.target),
            )
            if then_value != now_value
        ]
        if then.version != now.version:
            differences.append(f"version {then.version} (kept: {now.version})")
        if None not in (then.size, now.size) and then.size != now.size:
            differences.append(f"size {then.size} (kept: {now.size})")
        if mine.fact != other.fact:
            said, kept = sorted(other.fact - mine.fact), sorted(mine.fact - other.fact)
            differences.append(f"variants {_pairs(said)} (kept: {_pairs(kept)})")
        elif other.detail > mine.detail:
            now = now._replace(variants=then.variants)
        if differences:
            known_from = self._words.tags.listed[case.told_by[spec.hash]]
            message = f"contradicts {known_from} about {spec.hash}: {'; '.join(differences)}"
            case.problems.append(
                (statement.source, Problem(statement.place, "contradiction", message))
            )
        spec.facts = now._replace(size=then.size if now.size is None else now.size)

    def _join_stacks(self, case: Case) -> None:
        """Add the stacks that build caches know to those that pages list."""
        for (hash_, tag), stacks in case.mirror_stacks.items():
            presence = case.specs[hash_].presence
            listed = self._words.stack_lists.listed[presence[tag][0]] if tag in presence else ()
            if missing := sorted(stacks.difference(listed)):
                joined = tuple(sorted((*listed, *missing)))
                number = self._words.stack_lists[joined]
                if tag in presence:
                    case.touched.add(hash_)
                presence[tag] = Presence(
                    number, presence[tag].position if tag in presence else None
                )

    def _with_text(self, page: PageStatement, case: Case) -> PageStatement:
        """The page, with its text where the facts that were decided upon do not give it back."""
        if page.text is not None:
            return page
        is_odd = any(facts[_VARIANTS] in self._odd_lists for _, facts, _ in page.items)
        # A build cache of the tag may have more than the page.
        in_tag = sum(page.tag in spec.presence for spec in case.specs.values())
        is_odd = is_odd or in_tag > len(page.items)
        if not is_odd and not any(hash_ in case.touched for hash_, *_ in page.items):
            return page
        style, tag = self._words.styles.listed[page.style], self._words.tags.listed[page.tag]
        package = self._words.packages.listed[case.package]
        specs = [self._spec(package, hash_, facts) for hash_, facts, _ in page.items]
        stacks = [self._words.stack_lists.listed[number] for *_, number in page.items]
        text = render_page(style, tag, package, specs, stacks)
        kept = [case.specs[hash_] for hash_, *_ in page.items if hash_ in case.specs]
        specs = [self._spec(package, spec.hash, spec.facts) for spec in kept]
        stacks = [self._words.stack_lists.listed[spec.presence[page.tag][0]] for spec in kept]
        same = render_page(style, tag, package, specs, stacks) == text
        return page if same and not is_odd else page._replace(text=text)

    def _spec(self, package: str, hash_: str, facts: FactsTuple) -> Spec:
        version, compiler, system, platform, target, variants, size = facts
        return Spec(
            hash_,
            package,
            version,
            self._words.compilers.listed[compiler],
            self._words.systems.listed[system],
            self._words.platforms.listed[platform],
            self._words.targets.listed[target],
            self._variant_lists[variants].variants,
            size,
        )


def _pairs(members: Sequence[tuple[str, str]]) -> str:
    return " ".join(f"{name}={value}" for name, value in members) or "none"
