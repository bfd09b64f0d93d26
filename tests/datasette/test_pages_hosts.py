"""What the pages say of a host: which binaries it can use, why not the others, and its share."""

from __future__ import annotations

import csv
import html
import io
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from datasette_spack.serve import datasette_for
from etl.hosts.profiles import SHOWN_PROFILES, find_host
from etl.query.reuse import Reuse
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.selection import Selection
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.html_tree import main_of

TAKEN = "sd4upvkbn6ogx3lsljuq5aibuwdvlpg3"
REFUSED = "xdvwawks2aawdryak3mygm5fgzymrrjl"


@pytest.fixture(scope="module")
def catalog(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("hosts") / "catalog.db"
    index = real_data / "reuse" / "index.json.gz"
    records = read_build_caches(index, Selection(owner="v1/e4s"))
    build_catalog([Reading("reuse", records)], target)
    return target


@pytest.fixture(scope="module")
def pages(catalog: Path) -> Iterator[Any]:
    datasette = datasette_for(catalog)
    yield datasette
    datasette.get_database("catalog").close()


async def text_of(pages: Any, path: str) -> str:
    response = await pages.client.get(path)
    assert response.status_code == 200, response.text
    return main_of(response.text).text


async def test_find_marks_each_binary(pages: Any) -> None:
    page = await text_of(pages, "/find?spec=hdf5&host=rocky8/zen3")
    assert page.count("✓ can be used") == 1
    assert page.count("✗") == 13
    assert "needs glibc 2.36, this host has 2.28" in page
    only = await text_of(pages, "/find?spec=hdf5&host=rocky8/zen3&reusable=1")
    assert "1 binary in v1" in only
    assert "✗" not in only


async def test_machine_formats_say_it_of_all(pages: Any) -> None:
    rows = (await pages.client.get("/find.json?spec=*&host=rocky8/zen3")).json()["binaries"]
    assert len(rows) == 6185
    assert sum(row["reusable"] for row in rows) == 218
    assert {row["reason"] for row in rows if row["package"] == "hdf5"} == {
        *(None, "libc", "target")
    }
    text = (await pages.client.get("/find.csv?spec=hdf5&host=rocky8/zen3")).text
    told = {
        row["hash"]: (row["reusable"], row["reason"]) for row in csv.DictReader(io.StringIO(text))
    }
    assert told[TAKEN] == ("True", "")
    assert told[REFUSED] == ("False", "libc")


async def test_nothing_for_a_host_is_explained(pages: Any) -> None:
    page = await text_of(pages, "/find?spec=hdf5&host=debian13/a64fx&reusable=1")
    assert "debian13/a64fx can use none of the 14 binaries in v1" in page
    assert "built for x86_64_v3, this host is a64fx" in page


async def test_a_near_miss_is_counted_and_shown_whatever_the_host_can_use(pages: Any) -> None:
    page = (await pages.client.get("/find?spec=hdf5@99&host=debian13/a64fx&reusable=1")).text
    (told,) = re.findall(r"<li>without @99: (\d+) specs; .*? → <a href=\"([^\"]+)\"", page)
    assert told == ("14", "/find?spec=hdf5&amp;host=debian13%2Fa64fx")
    assert "14 binaries in" in await text_of(pages, html.unescape(told[1]))


@pytest.mark.parametrize(
    "host", ["nosuch/zen3", "sles15.9/zen3", "rocky8/nosuch", "host", "/etc/passwd", "<b>"]
)
@pytest.mark.parametrize("path", ["/find?spec=hdf5&", "/package/hdf5?", f"/spec/{TAKEN}?"])
async def test_a_host_that_nobody_knows(pages: Any, path: str, host: str) -> None:
    response = await pages.client.get(f"{path}host={host}")
    assert response.status_code == 400
    assert "no host" in response.text or "no target" in response.text
    assert "<b>" not in response.text


async def test_a_spec_and_a_host(pages: Any) -> None:
    assert "rocky8/zen3: ✓ can be used" in await text_of(pages, f"/spec/{TAKEN}?host=rocky8/zen3")
    page = await text_of(pages, f"/spec/{REFUSED}?host=rocky8/zen3")
    assert "rocky8/zen3: ✗ needs glibc 2.36, this host has 2.28" in page
    moved = await pages.client.get(f"/spec/{REFUSED[:9]}?host=rocky8/zen3")
    assert moved.headers["location"] == f"/spec/{REFUSED}?host=rocky8/zen3"


async def test_a_package_and_what_it_needs(pages: Any, catalog: Path) -> None:
    page = main_of((await pages.client.get("/package/hdf5?host=rocky8/zen3")).text)
    assert page.text.count("✓ can be used") == 1
    table = next(it for it in page.all("table") if "or newer" in it.text)
    with closing(sqlite3.connect(catalog)) as db:
        rows = db.execute(
            "SELECT target, libc, libc_version, libc_path, count(*) FROM binary_needs"
            " WHERE package = 'hdf5' GROUP BY 1, 2, 3, 4"
        ).fetchall()
    counts = [int(cell) for row in table.rows[1:] for cell in row[1:] if cell]
    assert sum(counts) == sum(row[-1] for row in rows)
    for target, libc, version, *_ in rows:
        assert target in table.text
        assert libc is None or f"{libc} {version}" in table.text


async def test_the_share_that_each_profile_can_take(pages: Any, catalog: Path) -> None:
    with closing(sqlite3.connect(catalog)) as db:
        total = 6185
        expected = {}
        for profile in SHOWN_PROFILES:
            condition = Reuse(db, find_host(profile)).taken.sql
            sql = (
                f"SELECT count(*) FROM binaries JOIN specs ON specs.id = spec_id WHERE {condition}"
            )
            (taken,) = db.execute(sql).fetchone()
            expected[profile] = f"{taken:,} of {total:,}"
    for path in ("/tag/v1", "/stack/e4s"):
        page = main_of((await pages.client.get(path)).text)
        table = next(it for it in page.all("table") if "Can use" in it.text)
        assert {row[0]: row[1] for row in table.rows[1:]} == expected
        (way,) = (it for it in table.all("a") if "host=rocky8" in it.attributes["href"])
        there = main_of((await pages.client.get(way.attributes["href"])).text)
        assert there.one("h2").text == f"{way.text} binaries in v1"
        assert "181 binaries: the build cache lacks a link or run dependency" in page.text


async def test_the_machine_is_asked_for_once(pages: Any) -> None:
    home = (await pages.client.get("/")).text
    assert '<input id="host" name="host"' in home
    for text, there in (
        ("hdf5", "/package/hdf5?host=rocky8%2Fzen3"),
        ("hdf5+mpi", "/find?spec=hdf5%2Bmpi&host=rocky8%2Fzen3"),
        (f"/{TAKEN}", f"/spec/{TAKEN}?host=rocky8%2Fzen3"),
    ):
        moved = await pages.client.get("/search", params={"q": text, "host": "rocky8/zen3"})
        assert moved.headers["location"] == there
