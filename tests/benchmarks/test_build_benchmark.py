"""The build benchmark measures what it says, and its baselines load what is there."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import build
from benchmarks.baselines import LOADERS, load_linked, load_pyyaml
from benchmarks.build import Result, copy_part, measure
from benchmarks.processes import Usage, run

SAMPLE = Path(__file__).parents[2] / "examples" / "site"


def count(file: Path, query: str) -> object:
    with closing(sqlite3.connect(file)) as db:
        return db.execute(query).fetchone()


@pytest.mark.parametrize("loop", ["bare", "orjson"])
def test_the_loops_load_each_fact_once(tmp_path: Path, loop: str) -> None:
    file = tmp_path / "bare.db"
    LOADERS[loop](SAMPLE, file)
    query = """
        SELECT (SELECT count(*) FROM tags), (SELECT count(*) FROM packages),
            (SELECT count(*) FROM specs), (SELECT count(DISTINCT hash) FROM specs),
            (SELECT count(*) FROM binaries), (SELECT count(*) FROM pages)
    """
    assert count(file, query) == (7, 93, 684, 684, 716, 180)
    spec = """
        SELECT group_concat(variants.variant, ' ') FROM specs
        JOIN variant_set_members USING (variant_set_id)
        JOIN variants ON variants.id = variant_id
        WHERE hash = 'm5jut4q2qkyufekze7bmj6r5yc5ofayi'
    """
    assert set(str(count(file, spec)[0]).split()) == {  # type: ignore[index]
        "amdgpu_target:=gfx90a",
        "~asan",
        "build_system=cmake",
        "build_type=Release",
        "generator=make",
        "~ipo",
        "+tensile",
    }


def test_the_pyyaml_loader_loads_every_binary(tmp_path: Path) -> None:
    load_pyyaml(SAMPLE, tmp_path / "yaml.db")
    query = "SELECT count(*), count(DISTINCT tag), min(package) FROM binaries"
    assert count(tmp_path / "yaml.db", query) == (716, 7, "adiak")


def test_the_linked_loader_links_every_fact(tmp_path: Path) -> None:
    load_linked(SAMPLE / "_cache" / "develop-2025-07-20" / "zstd", tmp_path / "linked.db")
    query = """
        SELECT packages.name, versions.version, compilers.name, oss.name, targets.name, tags.name
        FROM binaries JOIN specs ON specs.hash = spec_hash JOIN tags ON tags.id = tag_id
        JOIN packages ON packages.id = specs.package_id JOIN compilers ON compilers.id = compiler_id
        JOIN versions ON versions.id = version_id JOIN oss ON oss.id = os_id
        JOIN targets ON targets.id = target_id ORDER BY hash
    """
    facts = ("zstd", "1.5.7", "gcc@12.2.0", "ubuntu22.04", "x86_64_v3", "develop-2025-07-20")
    assert count(tmp_path / "linked.db", query) == facts
    query = "SELECT (SELECT count(*) FROM specs_variants), (SELECT count(*) FROM binaries_stacks)"
    assert count(tmp_path / "linked.db", query) == (4, 3)


def test_a_part_of_the_pages_is_spread_evenly(tmp_path: Path) -> None:
    paths = []
    for text in ("a", "bb", "ccc", "dddd"):
        (tmp_path / text).write_text(text)
        paths.append(str(tmp_path / text))
    part, size = copy_part(paths, 2, tmp_path)
    assert sorted(page.read_text() for page in part.rglob("specs.md")) == ["a", "ccc"]
    assert size == 4


def test_measuring_gives_a_line_with_every_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {
        "bare": [Usage(3.0, 30.0), Usage(2.0, 20.0)],
        "orjson": [Usage(1.0, 21.0), Usage(1.5, 22.0)],
        "build": [Usage(7.0, 60.0, 5.0), Usage(6.0, 61.0, 4.0)],
        "pyyaml": [Usage(0.5, 10.0), Usage(10.5, 10.0)],
        "linked": [Usage(0.25, 10.0), Usage(1.25, 10.0)],
    }

    def run_and_tell(arguments: Sequence[str | Path]) -> Usage:
        """Run it; what it used depends on what else the machine does, so others are told."""
        used = run(arguments)
        assert used.cpu > 0
        assert used.wall > 0
        assert used.peak_mb > 5
        return told[next(name for name in told if name in arguments)].pop(0)

    monkeypatch.setattr(build, "run", run_and_tell)
    monkeypatch.setattr(build, "LINKED_BYTES", 100)
    result = measure(SAMPLE, 716, repeat=2, work=tmp_path)
    assert [name for name in told if told[name]] == []
    assert (result.binaries, result.pages, round(result.page_mb, 3)) == (716, 180, 0.325)
    assert result.file_mb > 0.1
    assert (result.build, result.bare, result.orjson) == (
        *(Usage(6.0, 61.0, 4.0), Usage(2.0, 20.0), Usage(1.0, 21.0)),
    )
    assert result.pyyaml_cpu == 10.5  # it loads all pages
    (loaded,) = (size for size in sizes_below(tmp_path) if size < 10_000)
    assert result.linked_cpu == pytest.approx(0.25 + 1.0 * 325_133 / loaded)
    assert result.row().count("|") == 18


def sizes_below(work: Path) -> list[int]:
    """Bytes of pages in each part of the site that was made for a baseline."""
    parts = work.glob("part-*")
    return [sum(page.stat().st_size for page in part.rglob("specs.md")) for part in parts]


def test_a_budget_that_is_not_kept_is_named() -> None:
    good = Result(
        100_000, 100, 1.0, 0.9, Usage(2.0, 100.0), Usage(1.0, 50.0), Usage(0.5, 50.0), 30.0, 90.0
    )
    assert good.missed_budgets() == []
    small = Result(
        99_999, 100, 1.0, 1.1, Usage(3.0, 601.0), Usage(1.0, 50.0), Usage(0.5, 50.0), 30.0, 90.0
    )
    assert small.missed_budgets() == []
    bad = Result(
        100_000, 100, 1.0, 1.1, Usage(3.0, 601.0), Usage(1.0, 50.0), Usage(0.5, 50.0), 30.0, 90.0
    )
    assert bad.missed_budgets() == [
        "100,000 binaries: CPU 6.00x the orjson loop, 5.0 allowed",
        "100,000 binaries: 30x faster than PyYAML, at least 40 asked",
        "100,000 binaries: 601 MB, at most 600 MB allowed",
        "100,000 binaries: file of 1.1 MB larger than its pages",
    ]


def test_a_program_that_fails_ends_the_benchmark() -> None:
    with pytest.raises(SystemExit, match="failed"):
        run(("-c", "raise SystemExit(3)"))
