"""Three named caches by clicks alone: where can I get it, what has one that another lacks?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import served
from tests.browser.driver import Browser
from tests.three_caches import CODEC, three_caches, views_of

ENTER = "\ue007"


@pytest.fixture(scope="module")
def caches(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    catalog = three_caches(real_data, tmp_path_factory.mktemp("caches") / "catalog.db")
    with served(catalog) as found:
        yield found


@pytest.fixture(autouse=True)
def _no_complaints(window: Browser) -> Iterator[None]:
    window.resize(1200, 1000)
    window.complaints()
    yield
    assert window.complaints() == []


def first_cells(window: Browser, section: str) -> list[str]:
    rows = window.texts(f"section[aria-labelledby={section}] tbody tr")
    return [row.split("\t")[0] for row in rows]


def test_where_can_i_get_it(window: Browser, caches: str) -> None:
    window.open(caches)
    window.click("link text", "3 named caches")
    assert window.until("return location.hash === '#caches'")
    assert first_cells(window, "caches") == ["e4s", "public", "site"]
    window.type("#q", f"{CODEC} libs=shared" + ENTER)
    assert window.until("return location.pathname === '/find'")
    assert window.texts("#caches + ul li") == [
        "e4s 1 spec, newest in e4s:v2026.10.0",
        "public 1 spec, newest in public:v2026.10.0",
        "site 1 spec, newest in site:mirror",
    ]
    window.click("link text", "site")
    assert window.until("return location.search.includes('cache=site')")
    assert window.text("#found") == "1 binary in site:mirror"
    command, *_, install = window.text("#install-commands").splitlines()
    assert command.startswith("spack mirror add --unsigned site-mirror file:///")
    assert re.fullmatch(f"spack install --cache-only {CODEC}/[a-z2-7]{{32}}", install)
    window.click("link text", install[-32:])
    assert window.until("return location.pathname.startsWith('/spec/')")
    assert set(first_cells(window, "where")) == {"e4s", "public", "site"}


def test_what_does_the_site_have_that_the_public_one_lacks(
    window: Browser, caches: str, real_data: Path
) -> None:
    views = views_of(real_data)
    lacking = views["default-and-views"]["(default)"].difference(*views["bucket"].values())
    window.open(caches)
    window.click("link text", "in site, not in public")
    assert window.until("return location.pathname === '/find'")
    assert window.text("#found") == f"{len(lacking)} spec in all tags"
    links = window.run("return [...document.links].map(it => it.pathname)")
    assert {it.removeprefix("/spec/") for it in links if it.startswith("/spec/")} == lacking
    chosen = (
        "return [document.querySelector('#cache').value, document.querySelector('#not_in').value]"
    )
    assert window.run(chosen) == ["site", "public"]


def test_two_tags_of_two_caches_side_by_side(window: Browser, caches: str, real_data: Path) -> None:
    views = views_of(real_data)
    site = views["default-and-views"]["(default)"]
    window.open(f"{caches}compare/public:v2026.10.0/site:mirror")
    assert "site:mirror is in the cache site, file:///" in window.text()
    assert views["bucket"]["v2026.10.0"] < site
    window.click("link text", "in public, not in site")
    assert window.until("return location.pathname === '/find'")
    assert window.text("#found") == "No match in any tag"
