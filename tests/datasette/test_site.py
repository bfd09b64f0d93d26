"""The pages, their other formats, and the download."""

from __future__ import annotations

import csv
import io
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from etl.catalog.schema import TABLES
from etl.catalog.views import VIEWS
from tests.answers import answer_of
from tests.running import digest_of


async def get_json(site: Any, path: str) -> Any:
    response = await site.client.get(path)
    assert response.status_code == 200, response.text
    return response.json()


async def test_the_catalog_is_the_only_database(site: Any) -> None:
    assert list(await get_json(site, "/.json")) == ["catalog"]


async def test_the_path_of_the_file_is_not_shown(site: Any, sample_catalog: Path) -> None:
    for path in ("/-/databases.json", "/-/metadata.json", "/", "/catalog"):
        assert str(sample_catalog.parent) not in (await site.client.get(path)).text


async def test_catalog_page_has_questions_then_views_then_tables(site: Any) -> None:
    page = (await site.client.get("/catalog")).text
    places = [
        page.index(text)
        for text in (
            '<h2 id="queries">Saved queries<',
            ">Find binaries</a>: Binaries by package, version",
            '<h2 id="views">Views<',
            ">package_list</a>",
            ">binary_list</a>",
            '<h2 id="tables">Tables<',
            ">packages</a>",
            ">specs</a>",
            ">catalog_info</a>",
            '<h2 id="sql">SQL<',
            "/catalog.db",
        )
    ]
    assert places == sorted(places)
    assert "716 rows" in page
    assert ">variant_set_members</a>" not in page
    assert ">variant_set_members</a>" in (await site.client.get("/catalog?_show_hidden=1")).text


@pytest.mark.parametrize("table", [*TABLES, *VIEWS])
async def test_every_table_and_view_has_a_page_with_its_number_of_rows(
    site: Any, sample_catalog: Path, table: str
) -> None:
    with closing(sqlite3.connect(sample_catalog)) as db:
        (rows,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    page = (await site.client.get(f"/catalog/{table}")).text
    assert f"<h1>{table}{' (view)' if table in VIEWS else ''}</h1>" in page
    answer = await answer_of(site, f"/catalog/{table}.json")
    assert answer["filtered_table_rows_count"] == rows
    assert site.inspect_data["catalog"]["tables"][table]["count"] == rows


async def test_a_row_shows_names_and_what_refers_to_it(site: Any) -> None:
    path = "/catalog/versions.json?version=2.2.4&_labels=on&_shape=objects"
    (version,) = (await get_json(site, path))["rows"]
    package = version["package_id"]
    assert package["label"] == "zlib-ng"
    row = (await site.client.get(f"/catalog/packages/{package['value']}")).text
    assert '<a href="/package/zlib-ng">zlib-ng</a></td>' in row
    assert f'href="/catalog/binaries?package_id={package["value"]}"' in row
    assert "15 rows" in row
    newest = (
        '<a href="/find?spec=zlib-ng%40%3D2.2.4">2.2.4</a>&nbsp;'
        f'<em><a href="/catalog/versions/{version["id"]}">{version["id"]}</a></em>'
    )
    assert newest in row
    rows = (await site.client.get("/catalog/packages?name=zlib-ng")).text
    assert newest in rows


async def test_search_for_a_part_of_a_package_name(site: Any) -> None:
    rows = (await get_json(site, "/catalog/packages.json?_search=ng&_shape=objects"))["rows"]
    assert [row["name"] for row in rows] == ["zlib-ng"]


async def test_search_for_variants(site: Any) -> None:
    path = "/catalog/variant_sets.json?_search=%2Bmpi+~cxx&_shape=objects&_size=max"
    rows = (await get_json(site, path))["rows"]
    assert rows
    assert all({"+mpi", "~cxx"} <= set(row["variants"].split()) for row in rows)


async def test_views_give_names_as_json_and_csv(site: Any) -> None:
    query = "package=zlib-ng&tag=develop-2024-11-17&_sort_desc=version_key"
    found = await get_json(site, f"/catalog/binary_list.json?{query}&_shape=objects")
    assert [row["version"] for row in found["rows"]] == ["2.2.1", "2.2.1", "2.0.7"]
    text = (await site.client.get(f"/catalog/binary_list.csv?{query}")).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["hash"] for row in rows] == [row["hash"] for row in found["rows"]]
    assert rows[0]["compiler"] == "gcc@12.2.0"


async def test_all_rows_of_a_table_as_csv(site: Any) -> None:
    text = (await site.client.get("/catalog/binaries.csv?_stream=on&_labels=on")).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 716
    assert {row["tag_id_label"] for row in rows} >= {"develop", "v2025.07.0"}


async def test_large_views_are_not_sorted_or_streamed_whole(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {name: {"count": 1_000_000} for name in VIEWS}
    monkeypatch.setattr(site, "inspect_data", {"catalog": {"tables": counts}})
    for path in (
        "/catalog/binary_list.json?_sort=version_key",
        "/catalog/spec_list.json?_sort_desc=size",
        "/catalog/spec_variants.csv?_stream=on",
    ):
        refused = await site.client.get(path)
        assert refused.status_code == 400
        assert "1,000,000 rows: filter it first" in refused.text
    for path in (
        "/catalog/binary_list.json?package=zlib-ng&_sort=version_key",
        "/catalog/binary_list.json?size__isnull=1&_sort=version_key",
        "/catalog/binary_list.json",
        "/catalog/specs.json?_sort=hash",
    ):
        assert (await site.client.get(path)).status_code == 200


async def test_download_is_the_file(site: Any, sample_catalog: Path) -> None:
    response = await site.client.get("/catalog.db")
    assert digest_of(response.content) == digest_of(sample_catalog)
    assert response.headers["content-length"] == str(sample_catalog.stat().st_size)
    assert response.headers["content-disposition"] == 'attachment; filename="catalog.db"'
    again = await site.client.get(
        "/catalog.db", headers={"If-None-Match": response.headers["etag"]}
    )
    assert again.status_code == 304
    head = await site.client.head("/catalog.db")
    assert head.headers["content-length"] == response.headers["content-length"]
    assert head.content == b""


async def test_download_can_be_switched_off(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(site._settings, "allow_download", False)
    assert (await site.client.get("/catalog.db")).status_code == 403


async def test_json_may_be_read_from_pages_of_other_sites(site: Any) -> None:
    for path in ("/catalog/tags.json", "/catalog.db"):
        response = await site.client.get(path)
        assert response.headers["access-control-allow-origin"] == "*"


async def test_a_query_of_ones_own_can_be_edited(site: Any) -> None:
    page = (await site.client.get("/catalog?sql=select+count(*)+from+tags")).text
    assert ">SQL on the catalog</h1>" in page
    assert ">select count(*) from tags</textarea>" in page
    assert "1 row." in page
    assert "no such table: x" in (await site.client.get("/catalog?sql=select+*+from+x")).text


async def test_the_download_can_only_be_read(site: Any) -> None:
    refused = await site.client.post("/catalog.db")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


async def test_what_a_query_does_not_change_has_one_address(site: Any) -> None:
    for asked, address in (
        ("/?utm=1", "http://localhost/"),
        ("/package/hdf5?tag=v2025.07.0", "http://localhost/package/hdf5"),
        ("/find?utm=1&spec=hdf5+%2Bmpi", "http://localhost/find?spec=hdf5+%2Bmpi"),
    ):
        page = (await site.client.get(asked)).text
        assert f'<link rel="canonical" href="{address}">' in page


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("tags.json?_sort=nosuch", "tags cannot be sorted by nosuch; sort by id, name, kind"),
        ("binary_list.json?_sort=package", "binary_list cannot be sorted by package; sort by "),
        ("targets.json?_sort_desc=rowid", "targets cannot be sorted by rowid; sort by id, name"),
        ("specs?_sort=hash&_nocol=hash", "the rows are sorted by hash: show it, or sort by"),
        ("specs?_sort_desc=hash&_col=package_id", "the rows are sorted by hash: show it, or"),
    ],
)
async def test_a_column_that_rows_cannot_be_sorted_by(site: Any, path: str, says: str) -> None:
    response = await site.client.get(f"/catalog/{path}")
    assert response.status_code == 400
    assert says in response.text


@pytest.mark.parametrize(
    "path", ["versions?_nocol=package_id", "specs?_sort=hash&_nocol=package_id&_size=2",
             "specs?_sort=id&_col=hash", "packages_fts?_sort_desc=rowid"],
)  # fmt: skip
async def test_columns_can_be_hidden(site: Any, path: str) -> None:
    assert (await site.client.get(f"/catalog/{path}")).status_code == 200
