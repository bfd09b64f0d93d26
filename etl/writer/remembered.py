"""The words of an earlier catalog, by its own numbers, in those of this build's vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etl.kept_records import KeptBuild, KeptSpec, KeptWords
from etl.writer.shelf import FactsTuple
from etl.writer.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the numbers of an earlier catalog are here; ``place`` is what the user calls it.

    A list of variants is one thing for specs of which only pages tell, and another, with the full
    sums of its patches, for those that a build cache describes: ``described``, and ``ordered``
    where the patches have an order of their own.
    """

    place: str
    tags: Mapping[int, int]
    stacks: Mapping[int, int]
    styles: Mapping[int, int]
    _versions: Mapping[int, str]
    _compilers: Mapping[int, int]
    _systems: Mapping[int, int]
    _platforms: Mapping[int, int]
    _targets: Mapping[int, int]
    _variants: Mapping[int, int]
    _described: Mapping[int, int]
    _ordered: Mapping[tuple[int, str], int]

    @classmethod
    def of(cls, told: KeptWords, words: Vocabulary, place: str) -> Remembered:
        """Put what a catalog tells into the vocabulary."""
        lists, patches = words.variant_lists, told.patches
        variants = {id_: lists[it, ()] for id_, it in told.variants.items()}
        return cls(
            place,
            {id_: words.tags[it] for id_, it in told.tags.items()},
            {id_: words.stack_lists[it] for id_, it in told.stacks.items()},
            {id_: words.styles[it] for id_, it in told.styles.items()},
            told.versions,
            {id_: words.compilers[it] for id_, it in told.compilers.items()},
            {id_: words.systems[it] for id_, it in told.systems.items()},
            {id_: words.platforms[it] for id_, it in told.platforms.items()},
            {id_: words.targets[it] for id_, it in told.targets.items()},
            variants,
            variants | {id_: lists[told.variants[id_], sums] for id_, sums in patches.items()},
            {
                (id_, order): lists[told.variants[id_], tuple(sorted(order.split()))]
                for id_, order in told.patch_orders
            },
        )

    def facts(self, spec: KeptSpec, build: KeptBuild | None) -> FactsTuple:
        """What the catalog says of a spec.

        Raises:
            KeyError: it does so with a number that is none of its own.
        """
        _, _, version, compiler, system, platform, target, variants, size = spec
        if build is None:
            listed = self._variants[variants]
        elif build[6]:
            listed = self._ordered[variants, build[6]]
        else:
            listed = self._described[variants]
        return (
            self._versions[version],
            self._compilers[compiler],
            self._systems[system],
            self._platforms[platform],
            self._targets[target],
            listed,
            size,
        )
