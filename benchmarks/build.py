"""Measure `spack-catalog build` beside three baselines, and hold it to the budgets.

    python -m benchmarks.build --scales 10000,100000,1000000

For each scale a site is generated (or taken from ``--sites FOLDER``, where it is kept), and loaded
by five programs, one after the other, each in a process of its own: the build (which starts more,
unless ``--processes 1`` says otherwise), the bare loop, the same with ``orjson``, and PyYAML with
``sqlite-utils`` twice: all rows at once into one wide table, and row by row into linked tables.
These two are so slow that they load only some pages; their time is
scaled up by bytes, without the time it takes to start.  CPU time is user + system of the process,
memory its largest resident size, both as the operating system tells.
The exit code is 1 if a budget is not kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.baselines import page_paths
from benchmarks.generate import SAMPLE, Generator, write_site
from benchmarks.processes import BUILD, Usage, run
from benchmarks.real_pages import read_real_pages

ORJSON_BUDGET = 5.0
"""CPU time of the build, at most, in times of the loop with orjson."""

PYYAML_BUDGET = 40
"""How much faster than PyYAML and sqlite-utils the build is, at least, into linked tables."""

MEMORY_BUDGET_MB = 600
"""Memory of the build, at most, up to a million binaries."""

BUDGETS_FROM = 100_000
"""Binaries from which on the budgets hold; before, starting Python is most of a build."""

PYYAML_BYTES = 2_000_000
"""About how much of a site PyYAML is made to read; the rest is scaled up from that."""

LINKED_BYTES = 150_000
"""The same where it fills linked tables, which takes many times as long."""

HEADER = (
    "| binaries | pages | pages MB | file MB | file ÷ pages | build s | build CPU s"
    " | bare loop CPU s | ratio | orjson loop CPU s | ratio"
    " | PyYAML, one table, CPU s (scaled) | faster | PyYAML, linked tables, CPU s (scaled) | faster"
    " | build peak MB | bare loop peak MB |"
)
PROFILED_BUILD = (
    "-c",
    "import cProfile, sys; sys.argv[0] = 'spack-catalog';"
    "cProfile.run('from etl.cli import main; main()', sort='tottime')",
    *BUILD[2:],
)


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table."""

    binaries: int
    pages: int
    page_mb: float
    file_mb: float
    build: Usage
    bare: Usage
    orjson: Usage
    pyyaml_cpu: float
    linked_cpu: float

    @property
    def ratio(self) -> float:
        """CPU time of the build in times of the loop with orjson."""
        return self.build.cpu / self.orjson.cpu

    @property
    def speedup(self) -> float:
        """CPU time of PyYAML with linked tables in times of the build."""
        return self.linked_cpu / self.build.cpu

    def row(self) -> str:
        """The line, as Markdown."""
        return (
            f"| {self.binaries:,} | {self.pages:,} | {self.page_mb:,.1f} | {self.file_mb:,.1f}"
            f" | {self.file_mb / self.page_mb:.2f} | {self.build.wall:,.1f} | {self.build.cpu:,.1f}"
            f" | {self.bare.cpu:,.1f} | {self.build.cpu / self.bare.cpu:.2f}"
            f" | {self.orjson.cpu:,.1f} | {self.ratio:.2f}"
            f" | {self.pyyaml_cpu:,.0f} | {self.pyyaml_cpu / self.build.cpu:,.0f}x"
            f" | {self.linked_cpu:,.0f} | {self.speedup:,.0f}x"
            f" | {self.build.peak_mb:,.0f} | {self.bare.peak_mb:,.0f} |"
        )

    def missed_budgets(self) -> list[str]:
        """The budgets that this line does not keep, a sentence each; none for a small site."""
        if self.binaries < BUDGETS_FROM:
            return []
        missed = []
        if self.ratio > ORJSON_BUDGET:
            missed.append(f"CPU {self.ratio:.2f}x the orjson loop, {ORJSON_BUDGET} allowed")
        if self.speedup < PYYAML_BUDGET:
            missed.append(f"{self.speedup:.0f}x faster than PyYAML, at least {PYYAML_BUDGET} asked")
        if self.binaries <= 1_000_000 and self.build.peak_mb > MEMORY_BUDGET_MB:
            missed.append(f"{self.build.peak_mb:.0f} MB, at most {MEMORY_BUDGET_MB} MB allowed")
        if self.file_mb > self.page_mb:
            missed.append(f"file of {self.file_mb:.1f} MB larger than its pages")
        return [f"{self.binaries:,} binaries: {text}" for text in missed]


def measure(
    site: Path, binaries: int, repeat: int, work: Path, options: tuple[str, ...] = ()
) -> Result:
    """Load one site with all four programs; of repeated runs the one with the least CPU counts."""
    paths = page_paths(site)
    sizes = [Path(path).stat().st_size for path in paths]
    catalog, bare_file = work / "catalog.db", work / "bare.db"
    builds, bares, orjsons = [], [], []
    for _ in range(repeat):
        # In turns, so that a busy machine is busy for both; each begins with an empty place.
        bare_file.unlink(missing_ok=True)
        bares.append(run(("-m", "benchmarks.baselines", "bare", site, bare_file)))
        bare_file.unlink(missing_ok=True)
        orjsons.append(run(("-m", "benchmarks.baselines", "orjson", site, bare_file)))
        catalog.unlink(missing_ok=True)
        builds.append(run((*BUILD, site, "--catalog", catalog, *options)))
    return Result(
        binaries,
        len(paths),
        sum(sizes) / 1e6,
        catalog.stat().st_size / 1e6,
        min(builds, key=lambda usage: usage.cpu),
        min(bares, key=lambda usage: usage.cpu),
        min(orjsons, key=lambda usage: usage.cpu),
        scaled_cpu("pyyaml", paths, sizes, PYYAML_BYTES, work),
        scaled_cpu("linked", paths, sizes, LINKED_BYTES, work),
    )


def scaled_cpu(how: str, paths: list[str], sizes: list[int], most: int, work: Path) -> float:
    """CPU seconds that a baseline takes for all pages, by those for some of about so many bytes."""
    count = min(len(paths), 1 + len(paths) * most // sum(sizes))
    part, part_bytes = copy_part(paths, count, work)
    program = ("-m", "benchmarks.baselines", how)
    nothing = work / "nothing"
    nothing.mkdir(exist_ok=True)
    start = run((*program, nothing, part / "nothing.db")).cpu
    loading = run((*program, part, part / "yaml.db")).cpu - start
    return start + loading * sum(sizes) / part_bytes


def copy_part(paths: list[str], count: int, work: Path) -> tuple[Path, int]:
    """Copy so many of the pages, spread evenly, into a new folder; the folder, and their bytes."""
    part = Path(tempfile.mkdtemp(prefix="part-", dir=work))
    size = 0
    for number in range(count):
        page = Path(paths[number * len(paths) // count]).read_bytes()
        (part / str(number)).mkdir()
        (part / str(number) / "specs.md").write_bytes(page)
        size += len(page)
    return part, size


def site_of(binaries: int, seed: int, sites: Path) -> Path:
    """The generated site of this size below ``sites``; made if it is not there."""
    site = sites / f"{binaries}-{seed}"
    if not site.exists():
        new = sites / f"{site.name}.new"
        print(f"generating {site}", file=sys.stderr)
        write_site(new, Generator(read_real_pages(SAMPLE), binaries, seed))
        new.rename(site)
    return site


def main() -> None:
    """Read the command line, measure, print the table, and tell which budgets are not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scales", default="10000,100000", help="binaries, e.g. 10000,1000000")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other sites")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the best counts")
    parser.add_argument("--processes", help="how many read, if not as many as there are cores")
    parser.add_argument("--sites", type=Path, help="where generated sites are, and stay")
    parser.add_argument(
        "--profile", action="store_true", help="only tell where a build's time goes"
    )
    options = parser.parse_args()
    missed = []
    with tempfile.TemporaryDirectory(prefix="spack-catalog-bench-") as name:
        work = Path(name)
        sites = options.sites or work
        if not options.profile:
            print(HEADER)
            print("|" + "---:|" * HEADER.count(" | ") + "---:|")
        for scale in options.scales.split(","):
            binaries = int(scale)
            site = site_of(binaries, options.seed, sites).absolute()
            if options.profile:
                run((*PROFILED_BUILD, site, "--catalog", work / "catalog.db"))
                continue
            given = ("--processes", options.processes) if options.processes else ()
            result = measure(site, binaries, options.repeat, work, given)
            print(result.row(), flush=True)
            missed += result.missed_budgets()
    for sentence in missed:
        print(f"budget missed: {sentence}", file=sys.stderr)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
