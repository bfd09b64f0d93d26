"""Cells of Datasette's own pages: what they name is a link to the page about it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from datasette.app import Datasette

from tests.html_tree import Element, parse

BINARY = "tag=v2025.07.0&package=hdf5"


def rows_of(page: str) -> Element:
    """The table of rows on a page of Datasette."""
    return parse(page).one("table", class_="rows-and-columns")


def heads_of(table: Element) -> list[str]:
    """The names of its columns, without the arrow of the one by which it is sorted."""
    return [it.text.split()[0] for it in table.one("thead").all("th")]


async def first_row(site: Any, path: str) -> dict[str, list[tuple[str, str]]]:
    """The links of the first row by the head of their column: address and text."""
    response = await site.client.get(path, follow_redirects=True)
    assert response.status_code == 200
    table = rows_of(response.text)
    cells = table.one("tbody").all("tr")[0].all("td")
    heads = heads_of(table)
    assert len(heads) == len(cells)
    return {
        head: [(a.attributes["href"], a.text) for a in cell.all("a")]
        for head, cell in zip(heads, cells, strict=True)
    }


async def test_a_view_leads_on(site: Any, sample_catalog: Path) -> None:
    with closing(sqlite3.connect(sample_catalog)) as db:
        version, hash_, stacks = db.execute(
            "SELECT version, hash, stacks FROM binary_list"
            " WHERE tag = 'v2025.07.0' AND package = 'hdf5' LIMIT 1"
        ).fetchone()
    links = await first_row(site, f"/catalog/binary_list?{BINARY}")
    assert links["tag"] == [("/tag/v2025.07.0", "v2025.07.0")]
    assert links["package"] == [("/package/hdf5", "hdf5")]
    assert links["version"] == [(f"/find?spec={quote(f'hdf5@={version}')}", version)]
    assert links["hash"] == [(f"/spec/{hash_}", hash_[:7])]
    assert links["stacks"] == [(f"/stack/{it}", it) for it in stacks.split()]
    assert links["os"] == []


async def test_a_sort_key_stands_behind_the_head_of_the_version(site: Any) -> None:
    page = (await site.client.get(f"/catalog/binary_list?{BINARY}")).text
    heads = heads_of(rows_of(page))
    assert "version" in heads
    assert "version_key" not in heads
    assert "_sort=version_key" in page
    asked = (await site.client.get(f"/catalog/binary_list?{BINARY}&_col=version_key")).text
    assert "version_key" in heads_of(rows_of(asked))


@pytest.mark.parametrize("table", ["binaries", "specs"])
async def test_a_table_leads_to_the_page_and_to_the_row(site: Any, table: str) -> None:
    links = await first_row(site, f"/catalog/{table}?_package=hdf5")
    (page, name), (row, number) = links["package_id"]
    assert (page, name) == ("/package/hdf5", "hdf5")
    assert row == f"/catalog/packages/{number}"
    version = links["version_id"][0]
    assert version[0] == f"/find?spec={quote(f'hdf5@={version[1]}')}"


@pytest.mark.parametrize(
    ("path", "column", "links"),
    [
        (
            "/catalog?sql=select+'hdf5'+as+package,'1.14.6'+as+version",
            "version",
            [("/find?spec=hdf5%40%3D1.14.6", "1.14.6")],
        ),
        ("/catalog?sql=select+'1.14.6'+as+version", "version", []),
        ("/catalog?sql=select+7+as+tag", "tag", []),
        ("/catalog?sql=select+'<b>x</b>'+as+package", "package", []),
        ("/catalog?sql=select+'no+hash'+as+hash", "hash", []),
        (
            "/catalog?sql=select+'v0.22.1'+as+first_tag",
            "first_tag",
            [("/tag/v0.22.1", "v0.22.1")],
        ),
        ("/catalog?sql=select+'e4s+root'+as+stacks", "stacks",
         [("/stack/e4s", "e4s"), ("/stack/root", "root")]),
        ("/catalog/packages?name=hdf5", "name", [("/package/hdf5", "hdf5")]),
        ("/catalog/stacks?name=e4s", "name", [("/stack/e4s", "e4s")]),
    ],
)  # fmt: skip
async def test_what_a_cell_names(
    site: Any, path: str, column: str, links: list[tuple[str, str]]
) -> None:
    assert (await first_row(site, path))[column] == links


async def test_the_row_of_a_version_leads_to_its_binaries(site: Any) -> None:
    rows = (await site.client.get("/catalog/versions.json?version=2.2.4&_shape=objects")).json()
    (number,) = [row["id"] for row in rows["rows"]]
    page = (await site.client.get(f"/catalog/versions/{number}")).text
    assert '<a href="/find?spec=zlib-ng%40%3D2.2.4">2.2.4</a>' in page


async def test_other_databases_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE t (package TEXT, hash TEXT)")
        db.execute("INSERT INTO t VALUES ('hdf5', ?)", ("a" * 32,))
        db.commit()
    page = (await Datasette([str(path)]).client.get("/other/t")).text
    assert "/package/hdf5" not in page
    assert f'class="col-hash type-str">{"a" * 32}</td>' in page
