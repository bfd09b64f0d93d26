"""The names and lists that recur in what sources say, each numbered once while they are read.

The numbers depend on the order of reading and never reach the catalog; :mod:`etl.writer.numbering`
gives the final ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

from etl.catalog.variant_text import join_variants, split_variants
from etl.numbered import Numbered
from etl.page_style import PageStyle
from etl.records import Spec
from etl.spack.variants import parse_variant

Member = tuple[str, str, str | None]
"""A variant: its name, one of its values and, of a patch, the full sum if that is known."""


@lru_cache(100_000)  # a few thousand variants make up all lists, and are kept once
def _members_of(text: str) -> tuple[Member, ...]:
    """A variant, one entry for each of its values."""
    variant = parse_variant(text)
    return tuple((variant.name, value, None) for value in variant.values or ("",))


@dataclass(frozen=True)
class VariantList:
    """The variants of a spec as a source writes them, and the full sums of its patches if known."""

    variants: tuple[str, ...]
    patches: tuple[str, ...] = ()

    @cached_property
    def text(self) -> str:
        """The list as one text, as the catalog keeps it."""
        return join_variants(self.variants)

    @cached_property
    def is_plain(self) -> bool:
        """Whether the text says all: the list can be had back from it."""
        return split_variants(self.text) == self.variants

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The variants of the list, one entry for each value of each."""
        members = [it for text in self.variants for it in _members_of(text)]
        if self.patches:
            sums = {sha256[:7]: sha256 for sha256 in reversed(self.patches)}
            members = [
                (name, value, sums.get(value)) if name == "patches" else (name, value, sum_)
                for name, value, sum_ in members
            ]
        return tuple(dict.fromkeys(members))

    @cached_property
    def fact(self) -> frozenset[tuple[str, str]]:
        """What the list says, whatever its notation: equal facts are the same variants."""
        return frozenset((name, value) for name, value, _ in self.members)

    @cached_property
    def detail(self) -> tuple[bool, bool]:
        """How much the notation tells; of two lists with the same fact the greater is kept."""
        return bool(self.patches), any(":=" in text for text in self.variants)


class Facts(NamedTuple):
    """What a source says of one spec, in numbers of the vocabulary but for version and size."""

    version: str
    compiler: int
    os: int
    platform: int
    target: int
    variants: int
    size: int | None


@dataclass(frozen=True)
class Vocabulary:
    """All that recurs, numbered."""

    packages: Numbered[str] = field(default_factory=Numbered)
    tags: Numbered[str] = field(default_factory=Numbered)
    compilers: Numbered[str] = field(default_factory=Numbered)
    systems: Numbered[str] = field(default_factory=Numbered)
    platforms: Numbered[str] = field(default_factory=Numbered)
    targets: Numbered[str] = field(default_factory=Numbered)
    variant_lists: Numbered[tuple[tuple[str, ...], tuple[str, ...]]] = field(
        default_factory=Numbered
    )
    stack_lists: Numbered[tuple[str, ...]] = field(default_factory=Numbered)
    styles: Numbered[PageStyle] = field(default_factory=Numbered)

    def facts_of(self, spec: Spec) -> tuple[str, int, int, int, int, int, int | None]:
        """What a source says of a spec, in the order of :class:`Facts`."""
        # Taken apart at once: this is done for each binary of each source.
        _, _, version, compiler, os, platform, target, variants, size, build = spec
        patches = tuple(sorted(build.patches)) if build and build.patches else ()
        return (
            version,
            *self.machine(compiler, os, platform, target),
            self.variant_lists[variants, patches],
            size,
        )

    def machine(
        self, compiler: str, os: str, platform: str, target: str
    ) -> tuple[int, int, int, int]:
        """The numbers of what a spec was built by and for."""
        return (
            self.compilers[compiler],
            self.systems[os],
            self.platforms[platform],
            self.targets[target],
        )
