"""The site as somebody sees it who has never heard of it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.browser.driver import Browser
from tests.running import PATIENCE, digest_of


@pytest.fixture(autouse=True)
def _no_complaints(window: Browser) -> None:
    window.resize(1200, 1000)
    window.complaints()


def test_from_a_question_to_a_binary(window: Browser, address: str) -> None:
    window.open(f"{address}catalog")
    window.click("link text", "Find binaries")
    assert window.shows("every field may be left empty")
    window.type("input[name=package]", "zlib-ng")
    window.type("input[name=variants]", "~shared")
    window.click("css selector", "input[type=submit]")
    assert window.shows("1 row.")
    assert window.texts("tbody td")[:5] == [
        *("zlib-ng", "2.2.4", "gcc@12.2.0", "ubuntu22.04", "x86_64_v3")
    ]
    assert "SELECT" not in window.text()
    window.click("css selector", "details.sql-of-page summary")
    assert "LIMIT 1001" in window.text("#sql-query")
    window.click("link text", "Edit the SQL")
    assert window.shows("1 row.")
    assert window.complaints() == []


def test_from_a_facet_to_a_spec(window: Browser, address: str) -> None:
    window.open(f"{address}catalog/binaries")
    assert window.shows("716 rows")
    window.click("link text", "develop-2024-11-17")
    assert window.shows("66 rows where in tag develop-2024-11-17")
    window.click("link text", "tutorial")
    assert window.shows("in stack tutorial and in tag develop-2024-11-17")
    shown = window.texts("#facet-package li")
    assert shown[0].split() == ["cmake", "2"]
    window.click("link text", "zlib-ng")
    assert window.shows("2 rows where")
    window.click("css selector", "#facet-stack a.cross")
    assert window.shows("3 rows where")
    assert "_next" not in window.address
    window.click("css selector", "td.col-spec_id a")
    assert window.shows("+compat")
    assert "/spec/" in window.address
    assert window.complaints() == []


def test_facets_of_the_second_page(window: Browser, address: str) -> None:
    window.open(f"{address}catalog/specs?_facet_by=variant")
    facets = window.texts(".facet-info")
    window.click("link text", "Next page")
    assert window.shows("Advanced export")
    assert "_next=" in window.address
    assert window.texts(".facet-info") == facets


def test_the_catalog_page_and_a_query_of_ones_own(window: Browser, address: str) -> None:
    window.open(f"{address}catalog")
    headings = window.texts("h2")
    assert headings == ["Saved queries", "Views", "Tables", "SQL"]
    window.click("css selector", "form.sql input[type=submit]")
    assert window.shows("20 rows.")
    assert window.texts("th") == ["package", "newest_version", "versions", "tags"]
    assert window.complaints() == []


def test_the_download(window: Browser, address: str, downloads: Path, sample_catalog: Path) -> None:
    window.open(f"{address}catalog")
    window.click("link text", "catalog.db")
    end = time.monotonic() + PATIENCE
    while not (downloads / "catalog.db").exists() and time.monotonic() < end:
        time.sleep(0.1)
    assert digest_of(downloads / "catalog.db") == digest_of(sample_catalog)


@pytest.mark.parametrize(
    "path", ["", "catalog", "catalog/find_binaries", "catalog/package_list", "catalog/specs/12"]
)
def test_a_phone_needs_no_sideways_scrolling(window: Browser, address: str, path: str) -> None:
    window.resize(500, 900)
    window.open(address + path)
    wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert window.run(wide) <= 0
    assert window.complaints() == []


@pytest.mark.parametrize("table", ["binaries", "specs", "packages", "binary_list", "spec_list"])
def test_tables_fit_a_usual_screen(window: Browser, address: str, table: str) -> None:
    window.resize(1280, 900)
    window.open(f"{address}catalog/{table}")
    wide = "const it = document.querySelector('.table-wrapper'); return it.scrollWidth - "
    assert window.run(f"{wide} it.clientWidth") <= 0


def test_a_number_stays_beside_its_name(window: Browser, address: str) -> None:
    window.resize(1280, 900)
    window.open(f"{address}catalog/binaries")
    lower = """
        const cells = document.querySelectorAll('td:is(.col-package_id, .col-tag_id, .col-os_id)');
        return [...cells].filter(it =>
            it.querySelector('em').offsetTop - it.querySelector('a').offsetTop > 12).length
    """
    assert window.run("return document.querySelectorAll('td.col-package_id em').length") > 10
    assert window.run(lower) == 0
