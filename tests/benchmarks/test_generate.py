"""The generated sites are of the size asked for, repeatable, and pages like the real ones."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.generate import SAMPLE, Generator, write_site
from benchmarks.real_pages import read_real_pages
from etl.page_format.tags import read_tag_list
from etl.records import Page, Problem, Tag
from etl.sources.pages import read_pages

CHECKOUT = Path(__file__).parents[2]
BINARIES = 3_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("generated") / "site"
    write_site(folder, Generator(read_real_pages(SAMPLE), BINARIES, seed=1))
    return folder


def bytes_of(site: Path) -> dict[str, bytes]:
    files = (path for path in site.rglob("*") if path.is_file())
    return {str(path.relative_to(site)): path.read_bytes() for path in files}


def test_the_site_has_exactly_the_binaries_asked_for(site: Path) -> None:
    pages = [record for record in read_pages(site) if isinstance(record, Page)]
    assert sum(len(page.specs) for page in pages) == BINARIES


def test_every_page_reads_without_a_problem_and_needs_no_text_of_its_own(site: Path) -> None:
    records = list(read_pages(site))
    assert [record for record in records if isinstance(record, Problem)] == []
    assert [record for record in records if isinstance(record, Page) and record.text] == []


def test_all_three_notations_are_there_and_most_is_in_todays(site: Path) -> None:
    eras: Counter[tuple[bool, bool]] = Counter()
    for record in read_pages(site):
        if isinstance(record, Page):
            tarballs, exact = record.style.mirror is not None, record.style.exact_compilers
            eras[tarballs, exact] += len(record.specs)
    assert set(eras) == {(True, True), (False, True), (False, False)}
    assert eras[False, False] > BINARIES * 0.8


def test_a_hash_is_the_same_spec_wherever_it_is(site: Path) -> None:
    specs: dict[str, object] = {}
    repeated = 0
    for record in read_pages(site):
        if isinstance(record, Page) and not record.style.exact_compilers:
            for spec in record.specs:
                repeated += spec.hash in specs
                assert specs.setdefault(spec.hash, spec) == spec
    assert repeated > BINARIES * 0.1


def test_the_tag_list_is_in_the_order_of_the_real_one(site: Path) -> None:
    tags = read_tag_list((site / "_data" / "tags.yaml").read_bytes())
    names = [tag.name for tag in tags]
    assert names[0] == "develop"
    snapshots = [name for name in names[1:] if name.startswith("develop-")]
    assert snapshots == sorted(snapshots, reverse=True)
    assert all(isinstance(tag, Tag) and tag.stacks == tuple(sorted(tag.stacks)) for tag in tags)


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_same_arguments_give_the_same_bytes(site: Path, hash_seed: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.generate", str(tmp_path / "again")]
    subprocess.run(
        [*command, "--binaries", str(BINARIES), "--seed", "1"],
        check=True,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
    )
    assert bytes_of(tmp_path / "again") == bytes_of(site)


def test_another_seed_gives_another_site(site: Path, tmp_path: Path) -> None:
    write_site(tmp_path / "other", Generator(read_real_pages(SAMPLE), BINARIES, seed=2))
    assert bytes_of(tmp_path / "other") != bytes_of(site)


def test_a_folder_without_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no pages to start from"):
        read_real_pages(tmp_path)
