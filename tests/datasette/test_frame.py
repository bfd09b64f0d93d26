"""The frame that all pages have: those of the catalog, of Datasette, and of errors."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from datasette.app import Datasette

from datasette_spack.frame import frame_facts
from datasette_spack.packaged import packaged_json
from etl.browse.newest import newest_tag_name
from tests.html_tree import parse

PAGES = [
    "/catalog",
    "/catalog/binaries",
    "/catalog/specs/1",
    "/catalog/find_binaries",
    "/catalog?sql=select+1",
    "/-/metadata",
]
"""Pages of Datasette."""

OURS = [
    "/",
    "/packages",
    "/package/hdf5",
    "/package/nope",
    "/tags",
    "/tag/develop-2025-07-20",
    "/stacks",
    "/stack/e4s",
    "/compare",
    "/compare/develop-2024-11-17/develop-2025-07-20",
    "/find?spec=hdf5",
    "/find?spec=hdf5@@",
    "/catalog/nope",
    "/nope",
    "/nope/nope",
    "/find/nope",
]
"""Pages of the site, and errors: only our own style, and nothing inline."""


@pytest.mark.parametrize("path", [*PAGES, *OURS])
async def test_every_page_has_the_frame(site: Any, path: str) -> None:
    page = (await site.client.get(path, follow_redirects=True)).text
    assert '<html lang="en">' in page
    assert '<a class="skip" href="#content">' in page
    assert '<main class="content" id="content" tabindex="-1">' in page
    assert page.count("<main") == page.count("</main>") == 1
    assert page.count("<h1") == 1
    assert '<nav aria-label="Site">' in page
    assert "data-suggest=" in page
    assert '<form class="site-search" role="search" action="/search" method="get">' in page or (
        'class="big-search"' in page  # which is the same, larger, and in its place
    )
    assert '<footer class="site-footer">' in page


@pytest.mark.parametrize("path", [*PAGES, *OURS])
async def test_static_files_are_named_with_their_content(site: Any, path: str) -> None:
    page = (await site.client.get(path, follow_redirects=True)).text
    prefix = "/-/static-plugins/spack-catalog/"
    named = re.findall(rf'(?:href|src)="{prefix}([^"?]+)\?([0-9a-f]+)"', page)
    expected = ["site.css", "charts.css", "site.js"]
    assert [name for name, _ in named] == (["datasette.css"] if path in PAGES else []) + expected
    assert ("app.css" in page) == (path in PAGES)
    for name, digest in named:
        content = (files("datasette_spack") / "static" / name).read_bytes()
        assert sha256(content).hexdigest().startswith(digest)
        assert len(digest) == 12
        response = await site.client.get(f"{prefix}{name}?{digest}")
        assert response.content == content


@pytest.mark.parametrize("path", OURS)
async def test_pages_of_the_site_have_nothing_inline(site: Any, path: str) -> None:
    page = (await site.client.get(path)).text
    assert re.findall(r"<style|<script>|<[^>]+ (?:style|on[a-z]+)=|javascript:", page) == []


async def test_no_page_asks_another_host_for_anything(site: Any) -> None:
    for path in [*PAGES, *OURS]:
        page = (await site.client.get(path)).text
        assert re.findall(r'(?:src|srcset|action)="(?:https?:)?//', page) == []
        assert re.findall(r'<link [^>]*href="(?:https?:)?//(?!localhost)', page) == []
    for name in ("site.css", "datasette.css", "charts.css", "site.js"):
        content = (files("datasette_spack") / "static" / name).read_text("utf-8")
        assert not re.search(r"url\(|@import|https?://", content), name


@pytest.mark.parametrize("path", ["/nope", "/nope/nope", "/find/nope", "/compare/a/b/c"])
async def test_an_address_that_nobody_knows(site: Any, path: str) -> None:
    response = await site.client.get(path)
    assert response.status_code == 404
    assert "There is no page at this address." in response.text
    assert "Database not found" not in response.text


async def test_where_one_is_is_marked(site: Any) -> None:
    page = (await site.client.get("/catalog")).text
    assert re.findall(r'<a href="([^"]+)" aria-current="page">', page) == ["/catalog"]


async def test_the_footer_says_as_of_when_and_from_where(site: Any) -> None:
    page = (await site.client.get("/catalog/tags")).text
    footer = page[page.index("<footer") :]
    assert 'As of <a href="/tag/develop-2025-07-20">develop-2025-07-20</a>.' in footer
    assert 'Data from <a href="https://cache.spack.io/">' in footer
    assert 'href="/catalog.db"' in footer


async def test_every_field_of_a_table_page_has_a_name(site: Any) -> None:
    page = (await site.client.get("/catalog/packages?name__contains=hdf&_search=h")).text
    form = page[page.index('<form class="filters') : page.index("</form>", page.index("filters"))]
    fields = [it for it in re.findall(r"<(?:select|input)[^>]*>", form) if "hidden" not in it]
    named = ['aria-label="Filter', 'id="_search"', 'id="sort_by"', 'type="checkbox"', '"submit"']
    assert len(fields) == 10
    assert [field for field in fields if not any(it in field for it in named)] == []


async def test_columns_can_be_counted_and_hidden_without_a_mouse(site: Any) -> None:
    page = (await site.client.get("/catalog/binaries?_size=5&_next=10")).text
    links = page[page.index('<details class="column-links">') :]
    assert '<a href="/catalog/binaries?_size=5&amp;_facet=os_id" rel="nofollow">' in links
    assert '<a href="/catalog/binaries?_size=5&amp;_nocol=os_id" rel="nofollow">' in links
    hidden = (await site.client.get("/catalog/binaries?_size=5&_nocol=os_id")).text
    assert '<a href="/catalog/binaries?_size=5" rel="nofollow">Show all columns</a>' in hidden
    assert 'data-column="os_id"' not in hidden


async def test_a_row_has_a_line_for_each_column(site: Any) -> None:
    page = (await site.client.get("/catalog/tags/1")).text
    assert '<th scope="row">name</th>' in page
    assert '<td class="col-name type-str"><a href="/tag/v0.20.1">v0.20.1</a></td>' in page


def test_the_newest_tag_of_a_catalog(sample_catalog: Path) -> None:
    with closing(sqlite3.connect(sample_catalog)) as db:
        assert newest_tag_name(db) == "develop-2025-07-20"
        db.execute("UPDATE tags SET binaries = 0")
        assert newest_tag_name(db) is None


async def test_there_is_a_frame_without_a_catalog(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE other (it)")
    for files_ in ([], [str(path)]):
        datasette = Datasette(files_, metadata={"title": "Other"})
        facts = {
            "site_newest_tag": None,
            "site_metadata": {"title": "Other"},
            "site_database": "catalog",
            "site_has_file": False,
        }
        found = await frame_facts(datasette)
        assert found.pop("await_total")
        assert found == facts
        page = (await datasette.client.get("/-/metadata")).text
        assert '<main class="content"' in page
        assert "As of" not in page


async def test_there_is_a_frame_around_a_catalog_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(b"not a database at all, and longer than a header of one" * 100)
    datasette = Datasette([str(path)])
    assert (await frame_facts(datasette))["site_newest_tag"] is None


@pytest.mark.parametrize("table", ["binaries", "specs", "packages", "binary_list", "spec_list"])
async def test_a_table_shows_what_people_read_first(site: Any, table: str) -> None:
    info = packaged_json("metadata.json")["databases"]["catalog"]["tables"][table]
    every, shown = list(info["columns"]), info["shown_columns"]
    assert set(shown) < set(every)
    assert len(set(shown)) == len(shown)
    keys = {"version_key"}  # behind the head of "version"
    page = parse((await site.client.get(f"/catalog/{table}?_size=2")).text)
    read = [it for it in shown if it not in keys]
    assert page.one("table").rows[0] == read
    assert len(page.one("table").rows[1]) == len(read)
    number = len([it for it in every if it not in keys])
    assert f"{len(read)} of " in page.text
    whole = parse((await site.client.get(page.links["Show all columns"])).text)
    assert len(whole.one("table").rows[0]) == number
    rows = (await site.client.get(f"/catalog/{table}.json?_size=2&_shape=objects")).json()["rows"]
    assert list(rows[0]) == every
