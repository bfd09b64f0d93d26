"""The page of a spec, what a part of its hash leads to, and how dependencies are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from datasette_spack.serve import datasette_for
from etl.catalog.reader import open_catalog
from etl.query.find import Finder
from etl.sources.build_caches.mirror import read_build_caches
from etl.spack.syntax import parse_spec
from tests.html_tree import Element, main_of
from tests.sites import hash_of
from tests.small_catalogs import (
    FIRST,
    SECOND,
    build,
    graph_catalog,
    history_catalog,
    node,
    record,
    spec_hash,
    write_indexes,
)

MPI = "ta6pedvdixmtsxl6zzxbsro4hfbn3wej"
NO_MPI = "t2sz3yph3s6padinnxx3s5oatvqteu3x"
ZLIB = "5hvskep35ebjvo4hhqbbx5v7n6tz4wcf"
GLIBC = "t2rqteqxuvxmx6y5hu3rw2rwwgkzub3l"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    datasette = datasette_for(history_catalog(tmp_path_factory.mktemp("history")))
    yield datasette
    datasette.get_database("catalog").close()


async def get(site: Any, path: str) -> Element:
    response = await site.client.get(path)
    assert response.status_code == 200, response.text
    return main_of(response.text)


def has(shown: Element, id_: str) -> bool:
    return any(it.attributes.get("id") == id_ for it in shown.walk())


async def test_what_it_is(site: Any) -> None:
    shown = await get(site, f"/spec/{MPI}")
    assert shown.one("h1").text == f"hdf5@1.14.6 /{MPI[:7]}"
    assert shown.one("h1").links == {"hdf5": "/package/hdf5"}
    facts = shown.all("dl")[0]
    assert facts.pairs["Hash"] == MPI
    assert {name: facts.pairs[name] for name in ("Compiler", "OS", "Platform", "Target")} == {
        "Compiler": "gcc@12.2.0",
        "OS": "ubuntu22.04",
        "Platform": "linux",
        "Target": "x86_64_v3",
    }
    assert facts.pairs["First in"] == "develop-2025-07-20, 2025-07-20"
    assert facts.links["package.py"].endswith("/packages/hdf5/package.py")


async def test_the_whole_spec_can_be_copied(site: Any) -> None:
    facts = (await site.client.get(f"/spec/{MPI}.json")).json()
    shown = await get(site, f"/spec/{MPI}")
    whole = shown.by_id("spec").raw
    for word in facts["text"].split():
        assert word in whole
    assert MPI in whole


async def test_what_is_copied_is_this_spec(site: Any, sample_catalog: Path) -> None:
    whole = (await get(site, f"/spec/{MPI}")).by_id("spec").raw
    with open_catalog(sample_catalog) as db:
        finder = Finder(db)
        assert finder.rows(finder.specs([parse_spec(whole)])) == [(MPI,)]


async def test_commands_to_install_it(site: Any) -> None:
    section = (await get(site, f"/spec/{MPI}")).section("install")
    assert section.one("pre").raw.splitlines() == [
        "spack mirror add develop-2025-07-20 https://binaries.spack.io/develop-2025-07-20",
        "spack buildcache keys --install --trust",
        f"spack install --cache-only hdf5/{MPI}",
    ]
    assert section.one("button").attributes["data-copy"] == (
        f"#{section.one('pre').attributes['id']}"
    )


async def test_where_it_is(site: Any) -> None:
    table = (await get(site, f"/spec/{ZLIB}")).section("where").one("table")
    assert table.rows[1:] == [
        ["develop-2025-07-20", "2025-07-20", "build_systems root"],
        ["v2025.07.0", "2025-07-18", "build_systems e4s root tutorial"],
    ]
    assert table.links["v2025.07.0"] == "/tag/v2025.07.0"
    assert table.links["e4s"] == "/stack/e4s?tag=v2025.07.0"


async def test_variants_as_a_table(history: Any) -> None:
    table = (await get(history, f"/spec/{hash_of(3)}")).section("variants").one("table")
    assert table.rows[1:] == [
        ["build_system", "cmake", "build_system=cmake"],
        ["ipo", "false", "~ipo"],
        ["libs", "shared,static", "libs:=shared,static"],
    ]
    assert parse_qs(urlsplit(table.links["~ipo"]).query) == {"spec": ["tool ~ipo"]}


async def test_a_variant_leads_to_specs_that_have_it(site: Any, sample_catalog: Path) -> None:
    with open_catalog(sample_catalog) as db:
        query = "SELECT hash FROM spec_list WHERE package = 'ncurses' ORDER BY hash LIMIT 1"
        ((hash_,),) = db.execute(query)
    table = (await get(site, f"/spec/{hash_}")).section("variants").one("table")
    assert any("patches" in text for text in table.links)
    for link in table.links.values():
        answer = (await site.client.get(link.replace("/find?", "/find.json?") + "&tag=any")).json()
        assert hash_ in [row["hash"] for row in answer["binaries"]], link


async def test_flags_of_the_compiler(tmp_path: Path) -> None:
    flags = {"cflags": ["-O2", "-g"]}
    specs = {hash_of(1): record(node("app", "1.0", parameters=flags))}
    indexes = write_indexes(tmp_path / "indexes", {(FIRST, "e4s"): specs})
    datasette = datasette_for(build(tmp_path / "catalog.db", read_build_caches(indexes)))
    shown = await get(datasette, f"/spec/{hash_of(1)}")
    assert "app@1.0 cflags='-O2 -g' " in shown.by_id("spec").raw
    assert ["cflags", "-O2 -g"] in [it[:2] for it in shown.section("variants").one("table").rows]
    datasette.get_database("catalog").close()


async def test_what_is_like_it_and_in_what_it_differs(history: Any) -> None:
    table = (await get(history, f"/spec/{hash_of(3)}")).section("similar").one("table")
    assert table.rows[1:] == [
        [f"tool@1.9 /{hash_of(2)[:7]}", "version 1.9 not 1.10", FIRST],
        [
            f"tool@1.10 /{hash_of(4)[:7]}",
            "+ipo not ~ipo; libs:=shared not libs:=shared,static",
            SECOND,
        ],
        [
            f"tool@1.9 /{hash_of(1)[:7]}",
            "version 1.9 not 1.10; os rhel8 not ubuntu22.04",
            "releases/v0.18",
        ],
        [
            f"tool@develop /{hash_of(5)[:7]}",
            "version develop not 1.10; compiler intel-oneapi-compilers@2024.2.1 not gcc@11.4.0;"
            " target zen4 not x86_64_v3",
            SECOND,
        ],
        [
            f"tool@1.10-rc1 /{hash_of(6)[:7]}",
            "version 1.10-rc1 not 1.10; os rhel8 not ubuntu22.04; no libs:=shared,static",
            SECOND,
        ],
    ]
    assert table.links[f"tool@1.9 /{hash_of(2)[:7]}"] == f"/spec/{hash_of(2)}"


async def test_dependencies_as_a_tree_and_as_a_list(site: Any) -> None:
    facts = (await site.client.get(f"/spec/{MPI}.json")).json()["needed"]
    section = (await get(site, f"/spec/{MPI}")).section("needs")
    expected = {f"/spec/{it['hash']}": f"{it['package']}@{it['version']}" for it in facts["specs"]}
    assert f"{facts['direct']} direct dependencies, {len(expected)} in total." in section.text
    tree, list_ = section.all("details")
    assert {it.attributes["href"]: it.text for it in list_.all("a")} == expected
    told = [it for it in tree.all("a") if "@" in it.text]
    assert {it.attributes["href"]: it.text for it in told} == expected
    assert len(told) == len(expected)
    assert len([it for it in list_.all("li") if "direct" in it.text]) == facts["direct"]


async def test_a_small_tree(tmp_path: Path) -> None:
    needs = {"app": ["lib-b", "lib-c"], "lib-b": ["base"], "lib-c": ["base"], "base": ["sys"]}
    needs["sys"] = []
    datasette = datasette_for(graph_catalog(tmp_path, needs, "sys"))

    def shape(list_: Element) -> list[Any]:
        items = [it for it in list_.inside if isinstance(it, Element)]
        return [
            (it.all("a")[0].text, *(shape(below) for below in it.inside
                                    if isinstance(below, Element) and below.tag == "ul"))
            for it in items
        ]  # fmt: skip

    shown = await get(datasette, f"/spec/{spec_hash(needs, 'app')}")
    tree = shown.section("needs").all("ul")[0]
    assert shape(tree) == [
        ("lib-b@1.0", [("base@1.0", [("sys@1.0",)])]),
        ("lib-c@1.0", [("base",)]),
    ]
    assert "no binary" in tree.all("li")[2].text
    below = await get(datasette, f"/spec/{spec_hash(needs, 'base')}")
    assert below.section("dependents").links == {
        "lib-b@1.0": f"/spec/{spec_hash(needs, 'lib-b')}",
        "lib-c@1.0": f"/spec/{spec_hash(needs, 'lib-c')}",
        "Edit and run it": below.section("dependents").links["Edit and run it"],
    }
    absent = await get(datasette, f"/spec/{spec_hash(needs, 'sys')}")
    assert "No build cache in this catalog has a binary of it" in absent.text
    assert "None." in absent.section("needs").text
    assert not has(absent, "install")
    assert not has(absent, "where")
    datasette.get_database("catalog").close()


async def test_pages_alone_do_not_tell_what_it_needs(history: Any) -> None:
    shown = await get(history, f"/spec/{hash_of(3)}")
    assert (
        "Unknown: pages of cache.spack.io do not list dependencies" in shown.section("needs").text
    )
    assert not has(shown, "dependents")
    assert shown.all("dl")[0].pairs["Size"] == "2.5 MB"


async def test_a_part_of_the_system(site: Any) -> None:
    shown = await get(site, f"/spec/{GLIBC}")
    assert shown.one("h1").text.startswith("glibc@")
    assert "An external package" in shown.text
    assert shown.section("dependents").links


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/spec/ta6", f"/spec/{MPI}"),
        (f"/spec/{MPI[:7]}", f"/spec/{MPI}"),
        (f"/spec/{MPI.upper()}", f"/spec/{MPI}"),
        (f"/spec/%2F{MPI[:7]}", f"/spec/{MPI}"),
        ("/spec/ta6.json", f"/spec/{MPI}.json"),
    ],
)
async def test_the_beginning_of_a_hash_leads_to_the_spec(
    site: Any, path: str, location: str
) -> None:
    response = await site.client.get(path)
    assert (response.status_code, response.headers["location"]) == (302, location)


async def test_a_beginning_that_several_have(site: Any) -> None:
    shown = await get(site, "/spec/t")
    facts = (await site.client.get("/spec/t.json")).json()
    assert shown.one("h1").text == f"{facts['total']} hashes begin with t"
    rows = shown.one("table").rows[1:]
    assert [it[0] for it in rows] == [it["hash"] for it in facts["specs"]]
    hdf5 = ["hdf5", "1.14.6", "gcc@12.2.0", "ubuntu22.04", "x86_64_v3", "develop-2025-07-20"]
    assert [it for it in rows if it[1] == "hdf5"] == [[NO_MPI, *hdf5], [MPI, *hdf5]]
    assert shown.links[MPI] == f"/spec/{MPI}"
    assert shown.links["hdf5"] == "/package/hdf5"


@pytest.mark.parametrize(
    "hash_",
    [
        "%",
        "_",
        "t%",
        "1",
        "ta6!",
        "\u0130",
        "\U0001f4a5",
        "'; DROP TABLE specs",
        "<script>alert(1)</script>",
        "\x00",
        "\n",
        "\udcff".encode("utf-8", "surrogateescape"),
        MPI + "a",
        "a" * 33,
        "z" * 10_000,
        "<" * 10_000,
    ],
)
async def test_what_begins_no_hash(site: Any, hash_: str | bytes) -> None:
    response = await site.client.get(f"/spec/{quote(hash_, safe='')}")
    assert response.status_code == 404
    assert len(response.text) < 100_000
    shown = main_of(response.text)
    assert shown.one("h1").text.startswith("No spec with a hash that begins with")
    assert shown.all("script") == []
    beside = await site.client.get(f"/spec/{quote(hash_, safe='')}.json")
    assert (beside.status_code, beside.json()["ok"]) == (404, False)


async def test_an_unknown_hash_is_said(site: Any) -> None:
    shown = main_of((await site.client.get("/spec/zzzz")).text)
    assert "This catalog has no spec with a hash that begins with zzzz." in shown.text
