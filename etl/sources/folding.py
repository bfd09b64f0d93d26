"""Pages of one package become one record: what many of them say of a spec is there once.

A spec is on the pages of many tags, and nearly always they say the same of it.  What is the same is
sent from process to process, kept, and decided upon once.
"""

from __future__ import annotations

import marshal
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

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
    where: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    positions: defaultdict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))

    def agrees(self, page: Page, said: dict[str, Facts]) -> bool:
        """Whether a page can be one of these: of another tag, and without contradiction."""
        known = self.facts
        on_both = known.keys() & said.keys()
        return page.tag not in self.tags and all(known[hash_] == said[hash_] for hash_ in on_both)

    def add(self, page: Page, said: dict[str, Facts], stacks: list[int]) -> None:
        """Add a page that agrees."""
        number, hashes = len(self.heads), list(said)
        self.heads.append(
            PageHead(page.place, page.tag, page.style, page.text, page.cache, tuple(set(stacks)))
        )
        self.tags.add(page.tag)
        self.facts.update(said)
        for hash_, listed in zip(hashes, stacks, strict=True):
            self.where[hash_] += (number, listed)
        if hashes != sorted(hashes):
            for position, hash_ in enumerate(hashes):
                self.positions[hash_][number] = position

    def specs(self) -> list[FoldedSpec]:
        """What is said of each spec, in the order of a catalog."""
        keys = {version: sort_key(version) for version in {it[0] for it in self.facts.values()}}
        in_order = sorted((keys[facts[0]], hash_) for hash_, facts in self.facts.items())
        where, positions = self.where, self.positions
        return [
            (hash_, *self.facts[hash_], tuple(where[hash_]), positions.get(hash_))
            for _, hash_ in in_order
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
