"""The pages of dependents and of virtual packages, and what has no effect in a query."""

from __future__ import annotations

import csv
import io
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.html_tree import Element, main_of
from tests.running import Run

TAG = "v2025.07.0"


async def get(site: Any, path: str) -> Element:
    response = await site.client.get(path)
    assert response.status_code == 200, response.text
    return main_of(response.text)


async def test_link_and_run_apart_from_build(site: Any) -> None:
    path = f"/package/zlib-ng/dependents?tag={TAG}"
    facts = (await site.client.get(path.replace("?", ".json?"))).json()
    shown = await get(site, path)

    def names(section: str) -> list[str]:
        return [it.one("a").text for it in shown.section(section).all("li")]

    direct = facts["direct"]["rows"]
    assert names("run") == [row["package"] for row in direct if row["to_run"]]
    assert names("build") == [row["package"] for row in direct if not row["to_run"]]
    assert names("through") == [row["package"] for row in facts["all"]["rows"]]
    assert set(names("run")) < set(names("through"))
    link = shown.section("through").links["CSV"]
    rows = list(csv.DictReader(io.StringIO((await site.client.get(link)).text)))
    assert [row["package"] for row in rows] == names("through")


async def test_the_package_leads_there(site: Any) -> None:
    shown = await get(site, f"/package/zlib-ng?tag={TAG}")
    address = shown.links["Dependents in one tag, direct and transitive"]
    assert address == f"/package/zlib-ng/dependents?tag={TAG}"
    assert (await get(site, address)).one("h1").text == "What depends on zlib-ng"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/package/nothing/dependents", 404),
        ("/package/zlib-ng/dependents?tag=v9", 404),
        ("/package/zlib-ng/dependents?version=%40%40", 400),
        ("/package/zlib-ng/dependents.csv?list=x", 400),
        ("/virtual/nothing", 404),
    ],
)
async def test_what_is_not_there(site: Any, path: str, status: int) -> None:
    assert (await site.client.get(path)).status_code == status


@pytest.mark.parametrize("path", ["/package/mpi", "/search?q=mpi", "/search?q=MPI"])
async def test_ways_to_a_virtual_package(site: Any, path: str) -> None:
    response = await site.client.get(path)
    assert (response.status_code, response.headers["location"]) == (302, "/virtual/mpi")


async def test_a_virtual_package(site: Any, sample_catalog: Path) -> None:
    sql = """
        SELECT dependency, count(*) FROM dependency_list
        WHERE ' ' || virtuals || ' ' LIKE '% mpi %' GROUP BY dependency ORDER BY 2 DESC, 1
    """
    with closing(sqlite3.connect(sample_catalog)) as db:
        expected = [(name, str(count)) for name, count in db.execute(sql)]
    table = (await get(site, "/virtual/mpi")).section("providers").one("table")
    assert [(row["Package"], row["Used by specs"]) for row in table.records] == expected
    provider = await get(site, f"/package/{expected[0][0]}")
    assert provider.links["mpi"] == "/virtual/mpi"


async def test_kinds_of_dependencies_have_no_effect_on_transitive_ones(
    site: Any, sample_catalog: Path, run: Run
) -> None:
    said = "deptypes=link has no effect on ^zlib-ng, as in Spack"
    shown = await get(site, f"/find?spec=hdf5+%5E%5Bdeptypes%3Dlink%5D+zlib-ng&tag={TAG}")
    assert said in shown.text
    outcome = run(
        "find", "hdf5 ^[deptypes=link] zlib-ng", "--tag", TAG, "--catalog", sample_catalog
    )
    assert said in outcome.err
    direct = await get(site, f"/find?spec=hdf5+%25%5Bdeptypes%3Dlink%5D+zlib-ng&tag={TAG}")
    assert "no effect" not in direct.text
