"""Blow real pages up to a site of any size, to measure builds and queries on.

    python -m benchmarks.generate OUT --binaries 1000000

Names, versions, variants, machines and stacks are those of real pages, varied until there are
enough of them.  The shape follows the real site: few packages have most of the binaries, a third
of a tag's binaries is also in the tag before, ``develop`` is the largest tag, most tags are written
in today's notation and some in the two older ones.  The same arguments give the same bytes.
"""

from __future__ import annotations

import argparse
import base64
import math
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from benchmarks.generated_page import GeneratedSpec, render
from benchmarks.generated_tags import GeneratedTag, make_tags, tag_list
from benchmarks.real_pages import Machine, RealPackage, RealPages, Texts, read_real_pages

SAMPLE = Path(__file__).parents[1] / "examples" / "site"

# The site's size in mid-2025, and lists of variants and stacks per million binaries.
FULL_BINARIES, FULL_TAGS, FULL_PACKAGES, FULL_STACK_SETS = 1_000_000, 110, 2_800, 677
STACKS, COMPILERS = 60, 31

NEW_VARIANTS = 0.45
"""How often a new spec has a list of variants that its package did not have before."""

KEPT = 0.3
"""The share of a page that is taken over from the tag before, where that has so many."""


@dataclass(frozen=True, slots=True)
class StackSet:
    """The stacks of a binary, and what they build with and for."""

    stacks: Texts
    machine: Machine
    compiler: str


class Generator:
    """Makes the pages of a site, one package after the other."""

    def __init__(self, real: RealPages, binaries: int, seed: int) -> None:
        share = math.sqrt(binaries / FULL_BINARIES)
        self.random = random.Random(seed)
        self.real = real
        self.binaries = binaries
        self.tags = make_tags(max(3, round(FULL_TAGS * share)))
        self.packages = self._names(max(20, round(FULL_PACKAGES * share)))
        self.stack_sets = self._stack_sets(max(10, round(FULL_STACK_SETS * share)))
        self.stacks_of_tag: dict[str, set[str]] = {tag.name: set() for tag in self.tags}
        self.specs = 0

    def pages(self) -> Iterator[tuple[str, str, str]]:
        """Tag, package and text of every page."""
        plan = self._plan()
        for name, real in self.packages.items():
            sizes = plan.pop(name)
            yield from self._pages_of(name, real, sizes)

    def _names(self, count: int) -> dict[str, RealPackage]:
        """So many packages: the real ones, then more like them, numbered.

        Those that most binaries were seen of come first, and get most of them again.
        """
        real = sorted(self.real.packages.items(), key=lambda package: -package[1].binaries)
        rounds = -(-count // len(real))
        names = [
            (name if number == 0 else f"{name}-{number + 1}", package)
            for number in range(rounds)
            for name, package in real
        ]
        return dict(names[:count])

    def _stack_sets(self, count: int) -> list[StackSet]:
        """Lists of stacks, each at home on one machine; most hold the stack ``root``."""
        pick = self.random
        stacks = _enough(self.real.stacks, STACKS, lambda stack, i: f"{stack}-{i}")
        compilers = _enough(self.real.compilers, COMPILERS, lambda text, i: _bump(text, i))
        sets: dict[Texts, StackSet] = {}
        while len(sets) < count:
            first = pick.randrange(len(stacks))
            # Stacks that are often built together stand near each other.
            near = {
                stacks[(first + pick.randrange(6)) % len(stacks)]
                for _ in range(pick.choice((1, 1, 1, 2, 2, 4)))
            }
            if pick.random() < 0.93:
                near.add("root")
            members = tuple(sorted(near))
            sets.setdefault(
                members,
                StackSet(
                    members,
                    self.real.machines[first % len(self.real.machines)],
                    compilers[(first + pick.randrange(3)) % len(compilers)],
                ),
            )
        return list(sets.values())

    def _plan(self) -> dict[str, dict[int, int]]:
        """How many binaries each package has in each tag (by its number)."""
        pick, tags = self.random, self.tags
        pages: list[tuple[str, int]] = []
        weights: list[float] = []
        for rank, name in enumerate(self.packages):
            # The less used a package is, the fewer tags it is in: 48 % of all pairs in the end.
            span = max(1, round(len(tags) * (1 - rank / len(self.packages)) ** 1.1))
            start = len(tags) - span if pick.random() < 0.7 else pick.randint(0, len(tags) - span)
            for number in range(start, start + span):
                pages.append((name, number))
                weights.append(tags[number].weight / (rank + 2) ** 0.85)
        spare = self.binaries - len(pages)
        scale = spare / sum(weights)
        # Rounding the running sum instead of each page gives exactly the number asked for.
        ends = [0, *(round(total * scale) for total in accumulate(weights))]
        ends[-1] = spare
        plan: dict[str, dict[int, int]] = {name: {} for name in self.packages}
        for (name, number), low, high in zip(pages, ends, ends[1:], strict=False):
            plan[name][number] = 1 + high - low
        return plan

    def _pages_of(
        self, package: str, real: RealPackage, sizes: dict[int, int]
    ) -> Iterator[tuple[str, str, str]]:
        pick = self.random
        versions = _all_versions(real.versions, pick)
        variants = list(real.variants)
        before: list[GeneratedSpec] = []
        era: str | None = None
        for number, size in sizes.items():
            tag = self.tags[number]
            # Hashes changed with the way in which specs are written down.
            old = before if era == tag.era else []
            wanted = size * KEPT
            kept = min(len(old), int(wanted) + (pick.random() < wanted % 1))
            specs = pick.sample(old, kept)
            newest = versions[: 1 + number * len(versions) // len(self.tags)]
            specs += [self._new_spec(real, newest, variants, tag) for _ in range(size - len(specs))]
            self.specs += size - kept
            before, era = specs, tag.era
            if tag.era != "tarballs":
                specs = sorted(specs)
            stacks = self.stacks_of_tag[tag.name]
            for spec in specs:
                stacks.update(spec.stacks)
            yield tag.name, package, render(tag, package, specs, pick)

    def _new_spec(
        self, real: RealPackage, versions: list[str], variants: list[Texts], tag: GeneratedTag
    ) -> GeneratedSpec:
        pick = self.random
        stack_set = self.stack_sets[int(len(self.stack_sets) * pick.random() ** 2)]
        version = versions[-1 - int(min(3, len(versions)) * pick.random() ** 3)]
        chosen = variants[int(len(variants) * pick.random() ** 2)]
        if pick.random() < NEW_VARIANTS:
            chosen = _flip(chosen, pick)
            variants.append(chosen)
        return GeneratedSpec(
            base64.b32encode(pick.randbytes(20)).decode().lower(),
            # Until compilers were packages, every spec had one.
            stack_set.compiler if real.compiled or tag.era != "today" else "none",
            version,
            stack_set.machine.os,
            stack_set.machine.platform,
            stack_set.machine.target,
            chosen,
            stack_set.stacks,
        )


def write_site(out: Path, generator: Generator) -> tuple[int, int]:
    """Write a site as the generator makes it; the number of pages, and their bytes.

    Raises:
        SystemExit: ``out`` is there already, or cannot be written.
    """
    count = size = 0
    try:
        (out / "_data").mkdir(parents=True)
        for tag in generator.tags:
            (out / "_cache" / tag.name).mkdir(parents=True)
        for tag_name, package, text in generator.pages():
            folder = f"{out}/_cache/{tag_name}/{package}"
            Path(folder).mkdir()
            data = text.encode()
            with open(folder + "/specs.md", "wb") as stream:  # noqa: PTH123 - called 150,000 times
                stream.write(data)
            count += 1
            size += len(data)
        tags = tag_list(generator.tags, generator.stacks_of_tag)
        (out / "_data" / "tags.yaml").write_text(tags)
    except OSError as error:
        raise SystemExit(f"{out}: cannot be written: {error.strerror}") from None
    return count, size


def _enough(values: list[str], count: int, more: Callable[[str, int], str]) -> list[str]:
    """So many values: those there are, then variations of them."""
    rounds = -(-count // len(values))
    return [more(value, i) if i else value for i in range(rounds) for value in values][:count]


def _all_versions(real: list[str], pick: random.Random) -> list[str]:
    """The versions that a package has over the years, old to new; the real ones come first."""
    more = int(1 / (0.1 + 0.9 * pick.random()))
    return [*real, *dict.fromkeys(_bump(real[-1], i + 1) for i in range(more))]


def _bump(text: str, by: int) -> str:
    """The text with its last number so much higher: ``1.14.6`` to ``1.14.8``."""
    numbers = list(re.finditer(r"[0-9]+", text))
    if not numbers:
        return f"{text}.{by}"
    last = numbers[-1]
    return f"{text[: last.start()]}{int(last[0]) + by}{text[last.end() :]}"


def _flip(variants: Texts, pick: random.Random) -> Texts:
    """The variants with one or two of those that are on or off turned."""
    switches = [i for i, text in enumerate(variants) if text[0] in "+~"]
    if not switches:
        return variants
    flipped = list(variants)
    for place in {pick.choice(switches), pick.choice(switches)}:
        text = flipped[place]
        flipped[place] = ("~" if text[0] == "+" else "+") + text[1:]
    return tuple(flipped)


def main() -> None:
    """Read the command line, write the site and say what it has."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="the folder to make")
    parser.add_argument("--binaries", type=int, default=10_000, help="how many (default: 10000)")
    parser.add_argument("--seed", type=int, default=1, help="another seed, another site")
    parser.add_argument("--pages", type=Path, default=SAMPLE, help="real pages to start from")
    options = parser.parse_args()
    if options.binaries < 200:
        parser.error("--binaries must be at least 200")
    if options.out.exists():
        parser.error(f"{options.out} is there already")
    start = time.monotonic()
    generator = Generator(read_real_pages(options.pages), options.binaries, options.seed)
    pages, size = write_site(options.out, generator)
    print(
        f"{options.out}: {len(generator.tags):,} tags, {len(generator.packages):,} packages,"
        f" {pages:,} pages, {options.binaries:,} binaries, {generator.specs:,} specs,"
        f" {size / 1e6:,.1f} MB in {time.monotonic() - start:.0f} s",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
