"""Pages of one package become one record: what many of them say of a spec is there once.

A spec is on the pages of many tags, and nearly always they say the same of it.  What is the same is
sent from process to process, kept, and decided upon once.
"""

from __future__ import annotations

import marshal
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import eq

from etl.numbered import Numbered
from etl.records import FoldedSpec, PackagePages, Page, PageHead, Words
from etl.spack.versions import sort_key

Facts = tuple[str, int, int, int | None]
"""The version of a spec, its machine and variants by number, and its size."""


@dataclass(slots=True)
class _Run:
    """Pages of one package that agree so far; ``where`` has a page and stacks by turns."""

    heads: list[PageHead] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    facts: dict[str, Facts] = field(default_factory=dict)
    where: dict[str, tuple[int, ...]] = field(default_factory=dict)
    positions: defaultdict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def agrees(self, page: Page, said: dict[str, Facts]) -> bool:
        """Whether a page can be one of these: of another tag, and without contradiction."""
        if page.tag in self.tags:
            return False
        known = self.facts
        on_both = known.keys() & said.keys()
        return all(map(eq, map(known.__getitem__, on_both), map(said.__getitem__, on_both)))

    def add(self, page: Page, said: dict[str, Facts], stacks: list[int]) -> None:
        """Add a page that agrees."""
        number, hashes = len(self.heads), list(said)
        self.heads.append(
            PageHead(page.place, page.tag, page.style, page.text, page.cache, tuple(set(stacks)))
        )
        self.tags.add(page.tag)
        self.facts.update(said)
        where = self.where
        for hash_, listed in zip(hashes, stacks, strict=True):
            before = where.get(hash_)
            where[hash_] = (number, listed) if before is None else (*before, number, listed)
        if hashes != sorted(hashes):
            for position, hash_ in enumerate(hashes):
                self.positions[hash_][number] = position

    def specs(self) -> list[FoldedSpec]:
        """What is said of each spec, in the order of a catalog."""
        known, where, positions = self.facts, self.where, self.positions
        of_version: defaultdict[str, list[str]] = defaultdict(list)
        for hash_, facts in known.items():
            of_version[facts[0]].append(hash_)
        by_key: defaultdict[str, list[str]] = defaultdict(list)
        for version, hashes in of_version.items():
            by_key[sort_key(version)] += hashes
        return [
            (hash_, *known[hash_], where[hash_], positions.get(hash_))
            for key in sorted(by_key)
            for hash_ in sorted(by_key[key])
        ]


def fold(pages: Iterable[Page]) -> list[PackagePages]:
    """All pages, in few records; what contradicts is in different ones, as are pages of one tag."""
    machines: Numbered[tuple[str, str, str, str]] = Numbered()
    variant_lists: Numbered[tuple[str, ...]] = Numbered()
    stack_lists: Numbered[tuple[str, ...]] = Numbered()
    runs: defaultdict[str, list[_Run]] = defaultdict(list)
    for page in pages:
        said = {
            hash_: (
                version,
                machines[compiler, os, platform, target],
                variant_lists[variants],
                size,
            )
            for hash_, _, version, compiler, os, platform, target, variants, size, _ in page.specs
        }
        of_package = runs[page.package]
        run = next((it for it in of_package if it.agrees(page, said)), None)
        if run is None:
            run = _Run()
            of_package.append(run)
        run.add(page, said, [stack_lists[stacks] for stacks in page.stacks])
    words = Words(machines.listed, variant_lists.listed, stack_lists.listed)
    return [
        PackagePages(package, tuple(run.heads), words, marshal.dumps(run.specs()))
        for package, of_package in runs.items()
        for run in of_package
    ]
