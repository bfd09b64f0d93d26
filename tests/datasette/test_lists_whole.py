"""Lists are whole, sorted as the address says, and by pages; held against SQL of the test's own."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.html_tree import Element, main_of

TAG = "v2025.07.0"

Rows = list[tuple[Any, ...]]

_OF_TAG = """
    SELECT package, max(version_key) AS newest, count(*) AS binaries
    FROM binary_list WHERE tag = 'v2025.07.0' GROUP BY package
"""
_OF_STACK = """
    SELECT package, count(*) AS binaries FROM binary_stacks
    WHERE tag = 'v2025.07.0' AND stack = 'tutorial' GROUP BY package
"""


@pytest.fixture(scope="module")
def db(sample_catalog: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(sample_catalog)) as connection:
        yield connection


async def as_csv(site: Any, path: str, status: int = 200) -> list[dict[str, str]]:
    response = await site.client.get(path)
    assert response.status_code == status, response.text
    return list(csv.DictReader(io.StringIO(response.text)))


async def page(site: Any, path: str) -> Element:
    response = await site.client.get(path)
    assert response.status_code == 200, response.text
    return main_of(response.text)


async def rows_of_all_pages(site: Any, path: str, label: str) -> list[list[str]]:
    """The rows of a list on all its pages, following the links from one to the next."""
    found: list[list[str]] = []
    while path:
        shown = await page(site, path)
        (table,) = [
            it.one("table") for it in shown.all("div", class_="table-scroll")
            if it.attributes.get("aria-label") == label
        ]  # fmt: skip
        found += table.rows[1:]
        path = shown.links.get("Next", "")
    return found


@pytest.mark.parametrize(
    ("path", "sql"),
    [
        ("/packages", "SELECT package FROM package_list ORDER BY 1"),
        ("/packages?sort=-specs", "SELECT package FROM package_list ORDER BY specs DESC, 1"),
        ("/packages?sort=tags&q=py-", "SELECT package FROM package_list"
         " WHERE package LIKE '%py-%' ORDER BY tags, 1"),
        (f"/tag/{TAG}", f"SELECT package FROM ({_OF_TAG}) ORDER BY 1"),
        (f"/tag/{TAG}?sort=-binaries",
         f"SELECT package FROM ({_OF_TAG}) ORDER BY binaries DESC, 1"),
        (f"/tag/{TAG}?sort=newest_version", f"SELECT package FROM ({_OF_TAG}) ORDER BY newest, 1"),
        (f"/stack/tutorial?tag={TAG}&sort=-package",
         f"SELECT package FROM ({_OF_STACK}) ORDER BY 1 DESC"),
        (f"/stack/tutorial?tag={TAG}&sort=binaries",
         f"SELECT package FROM ({_OF_STACK}) ORDER BY binaries, 1"),
        (f"/package/hdf5?tag={TAG}&sort=-hash", "SELECT package FROM binary_list"
         f" WHERE tag = '{TAG}' AND package = 'hdf5'"),
    ],
)  # fmt: skip
async def test_packages_as_files(site: Any, db: sqlite3.Connection, path: str, sql: str) -> None:
    expected = [row[0] for row in db.execute(sql)]
    assert expected
    head, _, query = path.partition("?")
    assert [row["package"] for row in await as_csv(site, f"{head}.csv?{query}")] == expected
    facts = (await site.client.get(f"{head}.json?{query}")).json()
    found = facts.get("found") or facts["packages"]
    rows = found if isinstance(found, list) else found["rows"]
    assert [row["package"] for row in rows] == expected


async def test_all_pages_of_a_list_are_the_whole_list(
    site: Any, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("packages", "tag", "stack"):
        monkeypatch.setattr(f"datasette_spack.site.{name}.PAGE", 40)
    for module in ("lists", "tag", "stack"):
        monkeypatch.setattr(f"etl.browse.{module}.PAGE", 40)
    whole = [
        row[0] for row in db.execute("SELECT package FROM package_list ORDER BY specs DESC, 1")
    ]
    assert len(whole) > 80
    assert [
        row[0] for row in await rows_of_all_pages(site, "/packages?sort=-specs", "Packages")
    ] == whole
    whole = [row[0] for row in db.execute(f"SELECT package FROM ({_OF_TAG}) ORDER BY binaries, 1")]
    found = await rows_of_all_pages(site, f"/tag/{TAG}?sort=binaries", "Packages")
    assert [row[0] for row in found] == whole


async def test_all_pages_of_a_packages_binaries(
    site: Any, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasette_spack.site.package.MAX_SHOWN", 2)
    whole = db.execute(
        f"SELECT hash FROM binary_list WHERE tag = '{TAG}' AND package = 'hdf5' ORDER BY 1 DESC"
    ).fetchall()
    assert len(whole) > 2
    path = f"/package/hdf5?tag={TAG}&sort=-hash"
    found = await rows_of_all_pages(site, path, "Binaries")
    assert [row[1] for row in found] == [hash_[:7] for (hash_,) in whole]


@pytest.mark.parametrize(
    ("path", "sql"),
    [
        ("/tags", "SELECT name, binaries FROM tags ORDER BY position DESC"),
        ("/tags?sort=-binaries",
         "SELECT name, binaries FROM tags ORDER BY binaries DESC, position DESC"),
        ("/tags?sort=packages&kind=snapshot", "SELECT name, binaries FROM tags"
         " WHERE kind IN ('snapshot', 'develop') ORDER BY packages, position DESC"),
        ("/tags?sort=tag&kind=release",
         "SELECT name, binaries FROM tags WHERE kind = 'release' ORDER BY name"),
    ],
)  # fmt: skip
async def test_tags_as_files(site: Any, db: sqlite3.Connection, path: str, sql: str) -> None:
    expected = db.execute(sql).fetchall()
    assert expected
    head, _, query = path.partition("?")
    found = await as_csv(site, f"{head}.csv?{query}")
    assert [(it["tag"], int(it["binaries"])) for it in found] == expected
    facts = (await site.client.get(f"{head}.json?{query}")).json()
    assert [(it["tag"], it["binaries"]) for it in facts["tags"]] == expected
    assert facts["total"] == len(expected)


@pytest.mark.parametrize("sort", ["", "-tags", "tag", "-stack", "binaries"])
async def test_stacks_as_files(site: Any, db: sqlite3.Connection, sort: str) -> None:
    of_tags = """
        SELECT stack, tag, position, count(DISTINCT hash) AS binaries
        FROM binary_stacks JOIN tags ON tags.name = tag GROUP BY stack, tag
    """  # of tags with a date, if a stack is in one: that of develop is overwritten
    newest: dict[str, tuple[Any, ...]] = {}
    tags: dict[str, int] = {}
    for stack, tag, position, binaries in db.execute(
        f"{of_tags} ORDER BY date IS NOT NULL, position, stack"
    ):
        newest[stack] = (stack, tag, binaries, position)
        tags[stack] = tags.get(stack, 0) + 1
    expected = [(*row, tags[row[0]]) for row in sorted(newest.values())]
    place = {"": 0, "stack": 0, "tag": 3, "binaries": 2, "tags": 4}[sort.lstrip("-")]
    expected.sort(key=lambda it: it[place], reverse=sort.startswith("-"))
    found = await as_csv(site, f"/stacks.csv?sort={sort}")
    assert [(it["stack"], it["tag"], it["binaries"], it["tags"]) for it in found] == [
        (stack, tag, str(binaries), str(number)) for stack, tag, binaries, _, number in expected
    ]
    facts = (await site.client.get(f"/stacks.json?sort={sort}&q=e4s")).json()
    assert [it["stack"] for it in facts["stacks"]] == [it[0] for it in expected if "e4s" in it[0]]


async def test_all_pages_of_tags_and_stacks(
    site: Any, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.browse.lists.PAGE", 1)
    shown = await page(site, "/tags")
    snapshots = db.execute(
        "SELECT name FROM tags WHERE kind != 'release' ORDER BY position DESC"
    ).fetchall()
    assert len(snapshots) > 1
    section = shown.section("kind-snapshot")
    assert f"{len(snapshots)} tags; here are the first 1 (show all, page by page)" in section.text
    names = []
    path = section.links["show all, page by page"]
    while path:
        section = (await page(site, path)).section("kind-snapshot")
        names += [row[0] for row in section.one("table").rows[1:]]
        path = section.links.get("Next", "")
    assert names == [name for (name,) in snapshots]
    found = await rows_of_all_pages(site, "/stacks?sort=-stack", "Stacks")
    stacks = "SELECT DISTINCT stack FROM binary_stacks ORDER BY 1 DESC"
    assert [row[0] for row in found] == [name for (name,) in db.execute(stacks)]


async def test_a_column_leads_to_the_other_way(site: Any) -> None:
    def heading(shown: Element, name: str) -> Element:
        (found,) = [it for it in shown.one("table").all("th", scope="col") if it.text == name]
        return found

    first = heading(await page(site, "/packages?q=py"), "Specs")
    assert "aria-sort" not in first.attributes
    shown = await page(site, first.one("a").attributes["href"])
    assert heading(shown, "Specs").attributes["aria-sort"] == "descending"
    shown = await page(site, heading(shown, "Specs").one("a").attributes["href"])
    assert heading(shown, "Specs").attributes["aria-sort"] == "ascending"
    counts = [int(row[3].replace(",", "")) for row in shown.one("table").rows[1:]]
    assert counts == sorted(counts)
    assert all("py" in row[0] for row in shown.one("table").rows[1:])


@pytest.mark.parametrize(
    "path",
    [
        "/packages", f"/tag/{TAG}", "/stack/tutorial", "/package/hdf5", "/find?spec=hdf5",
        "/tags", "/tags?kind=release", "/stacks",
        f"/compare/develop-2024-11-17/{TAG}?list=added_packages",
    ],
)  # fmt: skip
async def test_no_such_column(site: Any, path: str) -> None:
    more = "&" if "?" in path else "?"
    response = await site.client.get(f"{path}{more}sort=-{quote('1; DROP TABLE specs')}")
    assert response.status_code == 400
    assert "sort must be one of" in response.text


async def test_one_list_of_a_comparison_sorted_and_by_pages(
    site: Any, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasette_spack.site.compare.PAGE", 10)
    old = "develop-2024-11-17"
    whole = db.execute(
        f"""
        SELECT package, count(*) FROM binary_list WHERE tag = '{TAG}'
            AND package NOT IN (SELECT package FROM binary_list WHERE tag = '{old}')
        GROUP BY package ORDER BY 2 DESC
        """
    ).fetchall()
    found: list[list[str]] = []
    path = f"/compare/{old}/{TAG}?list=added_packages&sort=-binaries"
    while path:
        shown = await page(site, path)
        found += shown.section("added_packages").one("table").rows[1:]
        path = shown.links.get("Next", "")
    assert len(found) > 30
    assert {(row[0], int(row[2].replace(",", ""))) for row in found} == set(whole)
    assert [int(row[2].replace(",", "")) for row in found] == [count for _, count in whole]


async def test_found_binaries_by_a_column(site: Any, db: sqlite3.Connection) -> None:
    sql = f"SELECT hash FROM binary_list WHERE tag = '{TAG}' AND package LIKE 'py-%' ORDER BY hash"
    whole = [hash_ for (hash_,) in db.execute(sql)]
    some = {"spec": " ".join(sorted({f"/{hash_}" for hash_ in whole[:20]})), "tag": TAG}
    query = "&".join(f"{name}={quote(value)}" for name, value in some.items())
    assert [row["hash"] for row in await as_csv(site, f"/find.csv?{query}&sort=hash")] == whole[:20]
    shown = await page(site, f"/find?{query}&sort=-hash")
    tables = [it for it in shown.all("table") if "Hash" in it.rows[0]]
    place = tables[0].rows[0].index("Hash")
    assert [row[place] for row in tables[0].rows[1:]] == [it[:7] for it in whole[:20][::-1]]


async def test_in_all_tags_the_newest_tag_comes_first(site: Any, db: sqlite3.Connection) -> None:
    (newest,) = db.execute(
        "SELECT tags.name FROM tags WHERE position = (SELECT max(tags.position) FROM binaries"
        " JOIN tags ON tags.id = tag_id JOIN packages ON packages.id = package_id"
        " WHERE packages.name = 'zlib-ng')"
    ).fetchone()
    rows = await as_csv(site, "/find.csv?spec=zlib-ng&tag=any")
    assert rows[0]["tag"] == newest
    order = dict(db.execute("SELECT name, position FROM tags"))
    places = [order[row["tag"]] for row in rows]
    assert places == sorted(places, reverse=True)


async def test_lists_of_a_package(site: Any, db: sqlite3.Connection) -> None:
    versions = db.execute(
        "SELECT version FROM binary_list WHERE package = 'hdf5'"
        " GROUP BY version ORDER BY max(version_key) DESC"
    ).fetchall()
    rows = await as_csv(site, "/package/hdf5.csv?list=versions")
    assert [row["version"] for row in rows] == [version for (version,) in versions]
    dependents = db.execute(
        "SELECT DISTINCT package FROM dependency_list WHERE dependency = 'hdf5'"
    ).fetchall()
    rows = await as_csv(site, "/package/hdf5.csv?list=dependents")
    assert sorted(row["package"] for row in rows) == sorted(name for (name,) in dependents)
    response = await site.client.get("/package/hdf5.csv?list=nothing")
    assert (response.status_code, response.text[:8]) == (400, "list mus")
