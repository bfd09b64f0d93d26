"""What the pages say where there is no catalog, none yet, or one without a binary."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from datasette.app import Datasette

from datasette_spack.serve import datasette_for
from etl.sources.build_caches.mirror import read_build_caches
from tests.html_tree import main_of, parse
from tests.small_catalogs import SECOND, build, write_indexes

PATHS = [
    "/packages",
    "/package/hdf5",
    "/spec/abc",
    "/tags",
    "/tag/releases%2Fv0.18",
    "/stacks",
    "/stack/e4s",
    "/compare",
    "/compare?old=a&new=b",
    "/compare/a/b",
]


def other_database(path: Path) -> str:
    """A database that is no catalog."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE something (it)")
    return str(path)


@pytest.mark.parametrize("kind", ["nothing", "no catalog", "other"])
@pytest.mark.parametrize("path", PATHS)
async def test_no_catalog_yet(tmp_path: Path, kind: str, path: str) -> None:
    names = {"nothing": [], "no catalog": ["catalog.db"], "other": ["other.db"]}[kind]
    datasette = Datasette([other_database(tmp_path / name) for name in names])
    response = await datasette.client.get(path)
    assert response.status_code == 503
    page = main_of(response.text)
    assert page.one("h1").text == "No catalog yet"
    assert "spack-catalog build" in page.text
    beside, question, query = path.partition("?")
    answer = await datasette.client.get(f"{beside}.json{question}{query}")
    assert answer.status_code == 503
    assert answer.json() == {"ok": False, "error": "no catalog is served"}


async def test_home_where_there_is_no_catalog_yet(tmp_path: Path) -> None:
    for files in ([], [other_database(tmp_path / "catalog.db")]):
        datasette = Datasette(files)
        response = await datasette.client.get("/")
        assert response.status_code == 503
        assert main_of(response.text).one("h1").text == "No catalog yet"
        assert (await datasette.client.get("/home.json")).status_code == 503


async def test_home_of_other_databases_is_that_of_datasette(tmp_path: Path) -> None:
    datasette = Datasette([other_database(tmp_path / "other.db")])
    response = await datasette.client.get("/")
    assert response.status_code == 200
    assert 'href="/other"' in response.text
    assert "No catalog yet" not in response.text
    assert (await datasette.client.get("/.json")).json()["other"]["tables_count"] == 1


@pytest.mark.parametrize("name", ["catalog", "spack-2025"])
async def test_a_catalog_among_other_databases(
    tmp_path: Path, sample_catalog: Path, name: str
) -> None:
    catalog = tmp_path / f"{name}.db"
    catalog.write_bytes(sample_catalog.read_bytes())
    datasette = Datasette([str(catalog), other_database(tmp_path / "other.db")])
    home = (await datasette.client.get("/")).text
    assert f'href="/{name}"' in home
    assert 'href="/other"' in home
    other = (await datasette.client.get("/other/something")).text
    assert "site-header" not in other
    page = main_of((await datasette.client.get("/home")).text)
    assert page.one("h1").text == "Find binaries in Spack's build caches"
    assert main_of((await datasette.client.get("/package/hdf5")).text).one("h1").text == "hdf5"
    assert (await datasette.client.get("/find.csv?spec=hdf5")).text.startswith("tag,package,")
    question = await datasette.client.get(f"/{name}/newest_versions.json?_shape=array")
    assert {"package": "hdf5"}.items() <= {**question.json()[0], "package": "hdf5"}.items()
    described = (await datasette.client.get("/-/metadata.json")).json()["databases"]
    assert list(described) == [name]
    assert "binary_list" in described[name]["tables"]


async def test_a_catalog_alone_by_another_name(tmp_path: Path, sample_catalog: Path) -> None:
    catalog = tmp_path / "spack-2025.db"
    catalog.write_bytes(sample_catalog.read_bytes())
    for options in ({"files": [str(catalog)]}, {"files": [], "immutables": [str(catalog)]}):
        datasette = Datasette(**options)
        page = (await datasette.client.get("/")).text
        assert main_of(page).one("h1").text == "Find binaries in Spack's build caches"
        offered = '<a href="/spack-2025.db">SQLite file</a>' in page
        assert offered is ("immutables" in options)
        download = await datasette.client.get("/spack-2025.db")
        assert download.status_code == (200 if offered else 403)
        sql = (await datasette.client.get("/spack-2025.json?sql=select+satisfies(1,2)")).json()
        assert sql["rows"] == [[0]]


async def test_json_is_for_other_sites_only_where_that_is_wanted(sample_catalog: Path) -> None:
    for cors in (False, True):
        datasette = Datasette([str(sample_catalog)], cors=cors)
        headers = (await datasette.client.get("/tags.json")).headers
        assert ("access-control-allow-origin" in headers) == cors


async def test_below_a_path(sample_catalog: Path) -> None:
    datasette = Datasette([str(sample_catalog)], settings={"base_url": "/spack/"})
    for path in (
        "/",
        "/package/hdf5",
        "/tag/develop",
        "/compare/v0.20.1/develop",
        "/find?spec=zlib-ng",
        "/find?spec=zlib-gn",
        "/nope",
    ):
        page = parse((await datasette.client.get(path)).text)
        inside = [
            it.attributes[name]
            for it in page.walk()
            for name in ("href", "action")
            if it.attributes.get(name, "").startswith("/")
        ]
        assert inside
        assert [it for it in inside if not it.startswith("/spack/")] == []
    home = parse((await datasette.client.get("/")).text)
    json = [it for it in home.walk() if it.attributes.get("type") == "application/json"]
    assert [it.attributes["href"] for it in json] == ["/spack/home.json"]


async def test_an_empty_catalog(tmp_path: Path) -> None:
    indexes = write_indexes(tmp_path / "indexes", {(SECOND, "e4s"): {}})
    datasette: Any = datasette_for(build(tmp_path / "catalog.db", read_build_caches(indexes)))
    for path, says in (
        ("/", "0 packages, 0 specs and 0 binaries in 0 tags"),
        ("/packages", "0 packages. Download all as"),
        ("/tags", "Tags"),
        ("/stacks", "Stacks"),
        ("/compare", "Compare two tags"),
        (f"/tag/{SECOND}", "0 binaries of 0 packages"),
        ("/stack/e4s", "No tag in this catalog has binaries of this stack."),
        (f"/compare/{SECOND}/{SECOND}", "Both have the same binaries."),
    ):
        response = await datasette.client.get(path)
        assert response.status_code == 200, path
        assert says in main_of(response.text).text
    datasette.get_database("catalog").close()


async def test_a_catalog_that_does_not_answer_in_time(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(site._settings, "sql_time_limit_ms", 0)
    response = await site.client.get("/package/hdf5")
    assert response.status_code == 503
    assert main_of(response.text).one("h1").text == "Request timed out"
    assert (await site.client.get("/package/hdf5.json")).json() == {
        "ok": False,
        "error": "the query took too long",
    }
