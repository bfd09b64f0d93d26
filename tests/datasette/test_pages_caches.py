"""A catalog of three named caches: where can I get it; what has one that another lacks?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from datasette_spack.serve import datasette_for
from etl.cli import main
from tests.three_caches import CODEC, PUT, three_caches, views_of


@pytest.fixture(scope="module")
def views(real_data: Path) -> dict[str, dict[str, set[str]]]:
    return views_of(real_data)


@pytest.fixture(scope="module")
def catalog(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_caches(real_data, tmp_path_factory.mktemp("caches") / "catalog.db")


@pytest.fixture(scope="module")
def site(catalog: Path) -> Iterator[Any]:
    datasette = datasette_for(catalog)
    yield datasette
    datasette.get_database("catalog").close()


async def page(site: Any, path: str) -> str:
    answer = await site.client.get(path)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def run(catalog: Path, *arguments: str) -> str:
    done = CliRunner().invoke(main, [*arguments, "--catalog", str(catalog)])
    assert done.exit_code == 0, done.output
    return str(done.stdout)


async def test_the_home_page_lists_the_caches(site: Any) -> None:
    text = await page(site, "/")
    assert '<a href="#caches">3 named caches</a>' in text
    assert "<code>https://binaries.spack.io</code>" in text
    assert "<code>s3://cache.e4s.io</code>" in text
    facts = (await site.client.get("/home.json")).json()
    assert [(it["cache"], it["kind"]) for it in facts["caches"]] == [
        ("e4s", "s3"), ("public", "https"), ("site", "folder"),
    ]  # fmt: skip


async def test_where_can_i_get_it(site: Any, catalog: Path, views: Any) -> None:
    answer = (await site.client.get(f"/find.json?spec={CODEC}")).json()
    counts = {it["cache"]: it["specs"] for it in answer["caches"]}
    text = await page(site, f"/find?spec={CODEC}")
    for cache, number in counts.items():
        rows = json.loads(
            run(catalog, "find", CODEC, "--cache", cache, "--tag", "any", "--format", "json")
        )
        assert len(rows) == number
        assert {row["cache"] for row in rows} == {cache}
        assert f"&amp;cache={cache}" in text
    assert set(counts) == {"e4s", "public", "site"}
    told = CliRunner().invoke(main, ["find", CODEC, "--catalog", str(catalog)]).stderr
    assert [line.partition(":")[0] for line in told.splitlines()] == [
        f"in the cache {it['cache']}" for it in answer["caches"]
    ]


async def test_what_one_has_and_another_lacks(site: Any, catalog: Path, views: Any) -> None:
    public = set[str]().union(*views["bucket"].values())
    lacking = views["default-and-views"]["(default)"] - public
    assert lacking
    hashes = run(
        catalog, "find", "*", "--cache", "site", "--not-in", "public", "--format", "hashes"
    )
    assert set(hashes.split()) == lacking
    answer = (await site.client.get("/find.json?cache=site&not_in=public")).json()
    assert {row["hash"] for row in answer["binaries"]} == lacking
    assert [(it["cache"], it["specs"]) for it in answer["caches"] if it["cache"] == "site"] == [
        ("site", len(lacking))
    ]
    text = await page(site, "/find?cache=site&not_in=public")
    assert f"{len(lacking)} spec" in text
    compared = await page(site, "/compare/public:v2026.10.0/site:mirror")
    assert "in site, not in public" in compared
    assert "<strong>public</strong>, <code>https://binaries.spack.io</code>" in compared
    told = json.loads(run(catalog, "diff", "public:v2026.10.0", "site:mirror", "--format", "json"))
    only = views["default-and-views"]["(default)"] - views["bucket"]["v2026.10.0"]
    assert told["binaries_added"] == len(only)


async def test_a_cache_that_is_not_there_is_told(site: Any, catalog: Path) -> None:
    done = CliRunner().invoke(main, ["find", "*", "--not-in", "sight", "--catalog", str(catalog)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no cache sight in this catalog; did you mean site?" in done.stderr
    answer = await site.client.get("/find?spec=zlib-ng&not_in=sight")
    assert answer.status_code == 400
    assert "no cache sight in this catalog; did you mean site?" in answer.text


async def test_pages_name_the_cache(site: Any, catalog: Path) -> None:
    tag = await page(site, "/tag/e4s:v2026.10.0")
    assert "<code>s3://cache.e4s.io</code>" in tag
    package = await page(site, f"/package/{CODEC}")
    for cache in ("e4s", "public", "site"):
        assert f">{cache}</a> <span" in package
    (row, *_) = json.loads(run(catalog, "find", CODEC, "--cache", "e4s", "--format", "json"))
    spec = await page(site, f"/spec/{row['hash']}")
    assert '<th scope="col">Cache</th>' in spec
    assert "<td>e4s</td>" in spec
    facets = (await site.client.get("/catalog/binary_list.json?_facet=cache&_size=0")).json()
    counts = {it["value"]: it["count"] for it in facets["facet_results"]["cache"]["results"]}
    assert set(counts) == {"e4s", "public", "site"}


async def test_a_tag_is_compared_with_the_one_before_it_of_its_cache(site: Any) -> None:
    tag = (await site.client.get("/tag/public:develop-2026-10-04.json")).json()
    assert tag["previous"] == "public:develop-2026-10-01"
    assert (await site.client.get("/tag/e4s:v2026.10.0.json")).json()["previous"] is None


async def test_when_a_binary_was_put_there(site: Any, catalog: Path) -> None:
    rows = json.loads(
        run(catalog, "find", "*", "--cache", "site", "--tag", "mirror", "--format", "json")
    )
    assert {row["published"] for row in rows if row["package"] == CODEC} == {PUT}
    assert {row["published"] for row in rows if row["package"] != CODEC} == {None}
    table = run(catalog, "find", f"{CODEC} libs=static", "--cache", "site", "--tag", "mirror")
    assert f"published: {PUT}" in table
    csv = run(catalog, "find", CODEC, "--cache", "site", "--tag", "mirror", "--format", "csv")
    assert csv.splitlines()[0].endswith(",size,published,cache")
    day = f'<time datetime="{PUT}" title="{PUT}">2026-10-16</time>'
    assert day in await page(site, f"/package/{CODEC}?tag=site:mirror")
    assert day in await page(site, f"/find?spec={CODEC}&tag=site:mirror")
    (first, *_) = [row for row in rows if row["package"] == CODEC]
    assert day in await page(site, f"/spec/{first['hash']}")
    sorted_ = (await site.client.get("/find.json?tag=site:mirror&sort=-published")).json()
    packages = [row["package"] for row in sorted_["binaries"]]
    number = packages.count(CODEC)
    assert packages[:number] == [CODEC] * number


async def test_the_newest_tag_is_that_of_the_cache_that_is_asked(site: Any, catalog: Path) -> None:
    newest = {"e4s": "e4s:v2026.10.0", "public": "public:v2026.10.0", "site": "site:mirror"}
    for cache, tag in newest.items():
        told = run(catalog, "find", "*", "--cache", cache, "--tag", "newest", "--format", "json")
        assert {row["tag"] for row in json.loads(told)} == {tag}
        answer = (await site.client.get(f"/find.json?cache={cache}&tag=newest")).json()
        assert (answer["tag"], answer["total"]) == (tag, len(json.loads(told)))
    text = await page(site, "/find?cache=public&tag=newest-release")
    assert ">public:v2026.10.0</a>" in text
    for name, missing in (("site", "tag newest-release"), ("sight", "cache sight")):
        wrong = ["find", "*", "--cache", name, "--tag", "newest-release"]
        done = CliRunner().invoke(main, [*wrong, "--catalog", str(catalog)])
        assert (done.exit_code, done.stdout) == (2, "")
        assert f"no {missing} in this catalog" in done.stderr
