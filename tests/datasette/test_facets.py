"""Facets and filters by name: right counts, on every page, with links that lead to as many rows."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from datasette.app import Datasette

from datasette_spack import facets
from datasette_spack.facet_kinds import KINDS
from datasette_spack.packaged import packaged_json
from tests.answers import answer_of

PATHS = [
    "/catalog/binaries",
    "/catalog/binaries?_next=400",
    "/catalog/binaries?tag=v2025.07.0&_next=300",
    "/catalog/binaries?stack=e4s&variant=%2Bmpi",
    "/catalog/specs",
    "/catalog/specs?_next=400",
    "/catalog/specs?tag=v2025.07.0&runs_on=zen4",
    "/catalog/specs?stack=radiuss&_sort=hash&_next=m,300",
]
ALL_KINDS = "&".join(f"_facet_by={title}" for title in KINDS)


async def facets_of(site: Any, path: str) -> Any:
    return (await answer_of(site, path))["facet_results"]


def counts(facet: Any) -> dict[str, int]:
    return {value["label"]: value["count"] for value in facet["results"]}


def as_json(path: str, more: str = "") -> str:
    table, _, query = path.partition("?")
    return f"{table}.json?{query}&{more}"


async def test_the_whole_table_by_tag_and_target(site: Any) -> None:
    found = await facets_of(site, "/catalog/binaries.json")
    assert list(found) == ["tag", "package", "compiler", "os", "target", "stack"]
    assert counts(found["tag"]) == {
        "v2025.07.0": 532,
        "develop-2025-07-20": 72,
        "develop-2024-11-17": 66,
        "develop-2025-03-30": 33,
        "v0.20.1": 7,
        "develop-2025-03-23": 4,
        "develop": 2,
    }
    assert counts(found["target"]) == {
        "x86_64_v3": 428,
        "aarch64": 175,
        "neoverse_v2": 110,
        "neoverse_n1": 1,
        "ppc64le": 1,
        "x86_64": 1,
    }
    assert list(counts(found["package"]).items())[:2] == [
        ("py-pyproject-metadata", 31),
        ("py-cython", 22),
    ]
    assert found["package"]["truncated"]
    assert not found["tag"]["truncated"]


async def test_one_package_by_everything(site: Any) -> None:
    path = f"/catalog/specs.json?package=zlib-ng&variant=%2Bshared&{ALL_KINDS}"
    found = await facets_of(site, path)
    assert counts(found["version"]) == {"zlib-ng@2.2.4": 9, "zlib-ng@2.0.7": 2, "zlib-ng@2.2.1": 1}
    assert counts(found["platform"]) == {"linux": 12}
    assert counts(found["os"]) == {
        "ubuntu22.04": 6,
        "ubuntu24.04": 3,
        "amzn2": 2,
        "debian12": 1,
    }
    assert counts(found["tag"]) == {
        "v2025.07.0": 9,
        "develop-2024-11-17": 2,
        "develop-2025-07-20": 2,
    }
    stacks = counts(found["stack"])
    assert (stacks["root"], stacks["tutorial"], stacks["radiuss"], stacks["e4s"]) == (12, 3, 2, 1)
    assert counts(found["variant"]) == dict.fromkeys(
        ("build_system", "compat", "new_strategies", "opt", "pic", "shared"), 12
    )


@pytest.mark.parametrize("path", PATHS)
async def test_every_value_leads_to_as_many_rows_as_it_says(site: Any, path: str) -> None:
    found = await facets_of(site, as_json(path, f"{ALL_KINDS}&_facet_size=4"))
    assert set(found) == set(KINDS)
    for facet in found.values():
        for value in facet["results"]:
            link = urlsplit(value["toggle_url"])
            query = link.query.replace("_extra=facet_results%2Ccount", "")
            answer = await answer_of(site, f"{link.path}?{query}&_nofacet=1")
            rows = answer["filtered_table_rows_count"]
            expected = rows if value["selected"] else value["count"]
            assert rows == expected, value
            assert "_next" not in link.query


@pytest.mark.parametrize("path", PATHS)
async def test_counts_are_the_same_on_every_page(site: Any, path: str) -> None:
    first = path.split("&_next")[0].split("?_next")[0]
    pages = [
        {name: counts(facet) for name, facet in (await facets_of(site, as_json(page))).items()}
        for page in (first, path)
    ]
    assert pages[0] == pages[1]


async def test_counts_of_the_whole_table_are_those_that_were_counted_in_advance(
    site: Any, sample_catalog: Path
) -> None:
    with closing(sqlite3.connect(sample_catalog)) as db:
        for table in ("specs", "binaries"):
            stored = await facets_of(site, f"/catalog/{table}.json?{ALL_KINDS}&_facet_size=max")
            # A condition that is always true makes them be counted now.
            now = await facets_of(
                site, f"/catalog/{table}.json?{ALL_KINDS}&_facet_size=max&_where=1"
            )
            for title in KINDS:
                assert counts(stored[title]) == counts(now[title]), (table, title)
            (rows,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
            assert sum(counts(now["os"]).values()) == rows


async def test_facet_by_a_column(site: Any) -> None:
    found = await facets_of(site, "/catalog/binaries.json?_facet=tag_id&_facet=package_id&tag_id=7")
    # Both are shown already, by name, because the metadata asks for them.
    assert list(found) == ["tag", "package", "compiler", "os", "target", "stack"]
    assert found["tag"]["results"][0]["selected"]
    other = await facets_of(site, "/catalog/tags.json?_facet=kind&_next=10,1&_sort_desc=position")
    assert counts(other["kind"]) == {"snapshot": 4, "release": 2, "develop": 1}
    assert other["kind"]["hideable"]
    labelled = await facets_of(site, "/catalog/mirrors.json?_facet=tag_id&stack_id__gt=0&_next=20")
    assert counts(labelled["tag_id"])["v2025.07.0"] == 11


async def test_choosing_a_value_and_taking_it_back(site: Any) -> None:
    path = "/catalog/binaries.json?_facet_by=platform&_package=zlib-ng&_next=1"
    (value,) = (await facets_of(site, path))["package"]["results"]
    assert value["selected"]
    assert urlsplit(value["toggle_url"]).query == "_facet_by=platform"
    facet = (await facets_of(site, path))["platform"]
    assert facet["toggle_url"] == "/catalog/binaries.json?_package=zlib-ng"
    assert urlsplit(facet["results"][0]["toggle_url"]).query == (
        "_facet_by=platform&_package=zlib-ng&_platform=linux"
    )


@pytest.mark.filterwarnings("ignore:coroutine")  # Datasette forgets those of other facets
@pytest.mark.parametrize(
    "query", ["_facet_by=nonsense", "_facet_by=size", "_facet=nonsense", "_facet=%7B%7D"]
)
async def test_no_such_facet(site: Any, query: str) -> None:
    response = await site.client.get(f"/catalog/specs.json?{query}")
    assert response.status_code == 400
    assert "specs has no facet" in response.text


async def test_a_facet_that_takes_too_long_says_so(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facets, "_BUDGET", 0)
    path = "/catalog/binaries?_package=zlib-ng&_facet=position"
    found = await facets_of(site, as_json(path))
    assert {facet["timed_out"] for facet in found.values()} == {True}
    page = (await site.client.get(path)).text
    assert page.count("Counting took too long; add a filter.") == 7


async def test_values_are_escaped(tmp_path: Path, sample_catalog: Path, site: Any) -> None:
    page = (await site.client.get("/catalog/specs?package=%3Cscript%3E&stack=%22%3E%3Cb%3E")).text
    assert "<script>&" not in page
    assert "package is &lt;script&gt;" in page
    assert "in stack &#34;&gt;&lt;b&gt;" in page


FILTERS = [
    ("binaries", "package=zlib-ng", 15),
    ("binaries", "version=2.2.4", 11),
    ("binaries", "version=zlib-ng@2.2.4", 11),
    ("binaries", "version=hdf5@2.2.4", 0),
    ("binaries", "compiler=intel-oneapi-compilers", 2),
    ("binaries", "compiler=intel-oneapi-compilers@2024.2.1", 1),
    ("binaries", "compiler=gcc@12", 0),
    ("binaries", "os=debian12", 42),
    ("binaries", "platform=darwin", 4),
    ("binaries", "target=neoverse_v2", 110),
    ("binaries", "runs_on=neoverse_v2", 286),
    ("binaries", "runs_on=aarch64", 175),
    ("binaries", "runs_on=nonsense", 0),
    ("binaries", "tag=develop", 2),
    ("binaries", "stack=e4s-oneapi", 6),
    ("binaries", "stack=e4s&stack=tutorial", 28),
    ("binaries", "tag=v2025.07.0&package=hdf5&variant=%2Bmpi", 14),
    ("binaries", "package=zlib-ng&variant=+shared", 13),
    ("binaries", "package=zlib-ng&variant=-shared", 2),
    ("binaries", "package=zlib-ng&variant=~shared", 2),
    ("binaries", "package=zlib-ng&variant=shared", 15),
    ("binaries", "package=zlib-ng&variant=shared&variant=mpi", 0),
    ("binaries", "package=zlib-ng&variant=%2Bshared+~new_strategies", 2),
    ("binaries", "package=curl&variant=libs=shared,static", 18),
    ("binaries", "package=curl&variant=libs:=shared", 18),
    ("binaries", "package=curl&variant=libs=nonsense", 0),
    ("specs", "tag=develop", 2),
    ("specs", "stack=e4s-oneapi", 6),
    ("specs", "tag=v2025.07.0&package=hdf5&variant=%2Bmpi", 14),
    ("specs", "package=zlib-ng&variant=~shared", 2),
]


@pytest.mark.parametrize(("table", "query", "rows"), FILTERS)
@pytest.mark.parametrize("few", [0, 100_000])
async def test_filters(
    site: Any, monkeypatch: pytest.MonkeyPatch, table: str, query: str, rows: int, few: int
) -> None:
    monkeypatch.setattr("datasette_spack.filters._FEW", few)
    found = await answer_of(site, f"/catalog/{table}.json?{query}")
    assert found["filtered_table_rows_count"] == rows
    long_form = query.replace("&", "&_")
    same = await answer_of(site, f"/catalog/{table}.json?_{long_form}")
    assert same["rows"] == found["rows"]


async def test_filters_are_described_and_can_be_removed(site: Any) -> None:
    page = (
        await site.client.get(
            "/catalog/specs?package=zlib-ng&variant=+shared&runs_on=zen4&tags__gt=0&_where=1"
        )
    ).text
    assert "where package is zlib-ng, runs on zen4, with +shared and tags &gt; 0" in page
    assert "<code>variant=+shared</code>" in page
    assert 'href="/catalog/specs?_package=zlib-ng&amp;_variant=+shared&amp;tags__gt=0' in page
    assert "<code>1</code>" in page


@pytest.mark.parametrize("query", ["variant=", "_variant="])
async def test_an_empty_variant_is_refused(site: Any, query: str) -> None:
    response = await site.client.get(f"/catalog/specs.json?{query}")
    assert response.status_code == 400
    assert "_variant must be a variant" in response.text


@pytest.mark.parametrize(
    "query",
    ["&".join(["package=a"] * 21), "variant=a=" + ",".join("x" * 21), "&".join(["os="] * 99)],
)
async def test_too_many_filters_are_refused(site: Any, query: str) -> None:
    response = await site.client.get(f"/catalog/binaries.json?{query}")
    assert response.status_code == 400
    assert "more than 20 filters" in response.text


async def test_other_databases_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "catalog.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE specs (id INTEGER PRIMARY KEY, stack TEXT)")
        db.executemany("INSERT INTO specs (stack) VALUES (?)", [("a",), ("a",), ("b",)])
        db.commit()
    datasette = Datasette([], immutables=[str(other)])
    found = await answer_of(datasette, "/catalog/specs.json?stack=a&_facet=stack")
    assert found["filtered_table_rows_count"] == 2
    assert counts(found["facet_results"]["stack"]) == {"a": 2}
    assert "timed_out" not in found["facet_results"]["stack"]
    assert (await datasette.client.get("/catalog.db")).content == other.read_bytes()
    assert (await datasette.client.get("/catalog")).status_code == 200
    datasette.get_database("catalog").close()


async def test_plain_datasette_with_the_metadata_serves_a_catalog_too(
    sample_catalog: Path, site: Any
) -> None:
    datasette = Datasette(
        [],
        immutables=[str(sample_catalog)],
        metadata=packaged_json("metadata.json"),
        settings=site._settings,
    )
    path = "/catalog/binaries.json?stack=e4s&variant=%2Bmpi"
    plain, ours = await answer_of(datasette, path), await answer_of(site, path)
    assert plain["rows"] == ours["rows"]
    assert plain["facet_results"] == ours["facet_results"]
    datasette.get_database("catalog").close()


@pytest.mark.parametrize("facet", ["{", '{"a"', "{" * 5000])
async def test_a_facet_that_is_no_json(site: Any, facet: str) -> None:
    answer = await site.client.get("/catalog/binaries.json", params={"_facet": facet})
    assert answer.status_code == 400
    assert "is not JSON" in answer.json()["error"]


async def test_values_that_a_view_computes_lead_to_as_many_rows(site: Any) -> None:
    path = "/catalog/dependency_list.json?_facet=available"
    found = (await facets_of(site, path))["available"]["results"]
    assert {value["value"] for value in found} == {0, 1}
    for value in found:
        link = urlsplit(value["toggle_url"])
        answer = await answer_of(site, f"{link.path}?{link.query}")
        assert answer["filtered_table_rows_count"] == value["count"] > 0
