"""The benchmark of a catalog as a source: it measures both, and compares what comes out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.processes import Usage
from benchmarks.remembering import measure, read
from etl.sources.pages import read_pages
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.sites import item, page, place_of, write_site
from tests.small_catalogs import history_catalog

PAGES = {place_of("develop", "tool"): page("develop", "tool", [item(1)])}


def test_a_site_and_its_catalog_are_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = write_site(tmp_path / "site", PAGES)
    catalog = tmp_path / "catalog.db"
    build_catalog([Reading("site", read_pages(site))], catalog)
    assert read(site, is_catalog=False) > 0
    measure(site, catalog, tmp_path)
    printed = capsys.readouterr().out
    assert "1 binaries; CPU seconds, in one process" in printed
    assert "| whole build |" in printed
    assert "the catalog that was built again is the same" in printed


def test_a_catalog_that_comes_out_otherwise_is_said_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = write_site(tmp_path / "site", PAGES)
    (tmp_path / "other").mkdir()
    other = history_catalog(tmp_path / "other")

    def build(arguments: tuple[object, ...]) -> Usage:
        target = Path(str(arguments[-1]))
        if target.name == "again.db":
            shutil.copy(other, target)
        else:
            build_catalog([Reading("site", read_pages(site))], target)
        return Usage(1.0, 1.0)

    monkeypatch.setattr("benchmarks.remembering.run", build)
    assert not measure(site, None, tmp_path)
    assert "THE CATALOG IS ANOTHER" in capsys.readouterr().out
