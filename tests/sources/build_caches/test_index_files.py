"""Indexes read by several processes: the same records, in the same order, also of damaged ones."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from etl.records import Digest, Mirror, Problem, Record
from etl.sources.build_caches import index_files
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.build_caches.web import read_url
from etl.sources.download.fetch import Fetcher
from etl.sources.selection import EVERYTHING, Selection
from etl.workers import ALONE, Workers

FORKED = Workers(2, "fork")


@pytest.fixture
def few_bytes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_files, "_BYTES_AT_ONCE", 1000)


def in_both_ways(path: Path, selection: Selection = EVERYTHING) -> list[Record]:
    """What is read of it in one process, after it was seen to be the same in several."""
    alone = list(read_build_caches(path, selection, ALONE))
    assert list(read_build_caches(path, selection, FORKED)) == alone
    return alone


@pytest.mark.usefixtures("few_bytes_at_once")
def test_in_processes_the_same_is_read(real_data: Path) -> None:
    records = in_both_ways(real_data / "mirrors")
    assert len([it for it in records if isinstance(it, Mirror)]) > 2
    only = in_both_ways(real_data / "mirrors", Selection(packages=frozenset({"hdf5"})))
    found = {spec.package for it in only if isinstance(it, Mirror) for spec in it.specs}
    assert found == {"hdf5"}


@pytest.mark.usefixtures("few_bytes_at_once")
def test_what_is_wrong_with_an_index_is_told_in_its_place(real_data: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(real_data / "mirrors", tmp_path / "mirrors"))
    indexes = sorted(copied.rglob("index.json"))
    blobs = sorted(it for it in copied.glob("*/*/blobs/sha256/*/*") if it.stat().st_size > 5000)
    indexes[0].write_bytes(b"<html>")
    blobs[0].write_bytes(b"damaged")
    problems = [it.message for it in in_both_ways(copied) if isinstance(it, Problem)]
    assert [it.split(";")[0] for it in problems if "SHA-256" in it or "HTML" in it] == [
        "HTML or XML instead of JSON",
        f"its SHA-256 is 41f0c27c00e8… and should be {blobs[0].name[:12]}…",
    ]


@pytest.mark.usefixtures("few_bytes_at_once")
def test_what_was_downloaded_is_read_in_processes_too(
    real_data: Path, serve_folder: Any, fetcher: Fetcher
) -> None:
    url = serve_folder(real_data / "mirrors").url
    alone = list(read_url(url, fetcher=fetcher))
    assert isinstance(alone[-1], Digest)
    assert list(read_url(url, fetcher=fetcher, workers=Workers(2))) == alone
