"""The page of a package: versions, binaries, what they differ in, filters, and how to install."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from datasette_spack.serve import datasette_for
from datasette_spack.site.recipes import recipe_folder, recipe_links
from etl.records import Recipe
from etl.sources.pages import read_pages
from tests.html_tree import Element, main_of
from tests.sites import hash_of, item, page, place_of, write_site
from tests.small_catalogs import FIRST, RELEASE, SECOND, build, graph_catalog, history_catalog

SAMPLE_RELEASE = "v2025.07.0"


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    datasette = datasette_for(history_catalog(tmp_path_factory.mktemp("history")))
    yield datasette
    datasette.get_database("catalog").close()


async def get(site: Any, path: str, **arguments: Any) -> Element:
    query = f"?{urlencode(arguments, doseq=True)}" if arguments else ""
    response = await site.client.get(f"{path}{query}")
    assert response.status_code == 200, response.text
    return main_of(response.text)


def hashes(shown: Element) -> list[str]:
    """The hashes in the table of binaries, whole, as its links have them."""
    prefix = "/spec/"
    return [
        it.attributes["href"].removeprefix(prefix)
        for it in shown.section("binaries").all("table")[0].all("a")
        if it.attributes["href"].startswith(prefix)
    ]


def chips(shown: Element) -> dict[str, str]:
    """What is chosen, and the address that takes it back."""
    return {
        " ".join(it.text.rstrip("\u00d7").split()): it.one("a").attributes["href"]
        for chosen in shown.all("ul", class_="chips")
        for it in chosen.all("li")
    }


def asked(address: str) -> dict[str, list[str]]:
    """What an address of the package's page asks for."""
    return parse_qs(urlsplit(address).query)


async def test_what_it_is(history: Any) -> None:
    shown = await get(history, "/package/tool")
    assert shown.one("h1").text == "tool"
    facts = shown.all("dl")[0]
    pairs = facts.pairs
    assert {name: pairs[name] for name in ("Newest version", "Versions", "Specs", "Tags")} == {
        "Newest version": "develop",
        "Versions": "4",
        "Specs": "6",
        "Tags": "3",
    }
    assert facts.links[RELEASE] == "/tag/releases%2Fv0.18"
    assert facts.links[SECOND] == f"/tag/{SECOND}"
    assert shown.section("binaries").one("h2").text == f"Binaries in {SECOND}"


async def test_binaries_with_what_differs_apart_from_what_all_have(history: Any) -> None:
    section = (await get(history, "/package/tool")).section("binaries")
    common = section.one("dl").pairs
    assert common == {"Platform": "linux", "Common variants": "build_system=cmake"}
    rows = section.all("table")[0].records
    assert [(it["Version"], it["OS"], it["Target"], it["Other variants"]) for it in rows] == [
        ("develop", "ubuntu22.04", "zen4", "~ipo libs:=shared,static"),
        ("1.10", "ubuntu22.04", "x86_64_v3", "+ipo libs:=shared"),
        ("1.10", "ubuntu22.04", "x86_64_v3", "~ipo libs:=shared,static"),
        ("1.10-rc1", "rhel8", "x86_64_v3", "~ipo"),
    ]
    assert [it["Stacks"] for it in rows] == ["e4s root", "e4s root", "e4s hep root", "e4s root"]
    assert [it["Size"] for it in rows] == ["", "", "2.5 MB", ""]
    assert [it["Hash"] for it in rows] == [hash_of(number)[:7] for number in (5, 4, 3, 6)]


async def test_one_binary_has_it_all_in_common(history: Any) -> None:
    section = (await get(history, "/package/tool", os="rhel8")).section("binaries")
    assert section.one("dl").pairs == {
        "Version": "1.10-rc1",
        "Compiler": "gcc@11.4.0",
        "OS": "rhel8",
        "Platform": "linux",
        "Target": "x86_64_v3",
        "Variants": "build_system=cmake ~ipo",
        "Stacks": "e4s root",
    }
    assert section.links["e4s"] == f"/stack/e4s?tag={SECOND}"


async def test_variants_and_how_often_there_are_which(history: Any) -> None:
    shown = (await get(history, "/package/tool")).section("variants")
    table = shown.all("table")[-1]
    assert table.rows[1:] == [
        ["ipo", "~ipo 3, +ipo 1"],
        ["libs", "libs:=shared,static 2, libs:=shared 1"],
    ]
    only = await get(history, "/package/tool", variant="+ipo")
    assert hashes(only) == [hash_of(4)]
    link = table.links["~ipo"]
    assert hashes(await get(history, link)) == [hash_of(5), hash_of(3), hash_of(6)]
    link = table.links["libs:=shared,static"]
    assert hashes(await get(history, link)) == [hash_of(5), hash_of(3)]


async def test_a_link_to_a_variant_leads_to_as_many_binaries_as_it_says(site: Any) -> None:
    path = f"/package/hdf5?tag={SAMPLE_RELEASE}&os=ubuntu24.04"
    facts = (await site.client.get(path.replace("?", ".json?"))).json()
    table = (await get(site, path)).section("variants").all("table")[-1]
    links = table.links
    for forms in facts["variants"].values():
        for text, number in forms:
            if number == len(facts["found"]["rows"]):
                assert text not in links
                continue
            assert asked(links[text]) == {
                "tag": [SAMPLE_RELEASE],
                "os": ["ubuntu24.04"],
                "variant": [text],
            }
            assert len(hashes(await get(site, links[text]))) == number, text


COMBINED: dict[str, Any] = {
    "tag": SAMPLE_RELEASE,
    "version": "1.14.6",
    "os": "ubuntu22.04",
    "target": "x86_64_v3",
    "runs_on": "zen4",
    "compiler": "gcc@12.2.0",
    "stacks": "tutorial",
    "variant": ["+mpi", "~fortran"],
}
LEFT = ["7m7jondcsnu5aywasgsqaw5otej7zbxa", "5zedjaclftuyvmyam66rnrsn5hepy27z"]


async def test_all_filters_together(site: Any) -> None:
    shown = await get(site, "/package/hdf5", **COMBINED)
    assert hashes(shown) == LEFT
    assert [*chips(shown)] == [
        "version 1.14.6",
        "compiler gcc@12.2.0",
        "os ubuntu22.04",
        "target x86_64_v3",
        "runs on zen4",
        "stacks tutorial",
        "variant +mpi",
        "variant ~fortran",
    ]
    only = await get(site, "/package/hdf5", **{**COMBINED, "variant": ["+mpi", "~fortran ~hl"]})
    assert [it["Hash"] for it in only.section("binaries").all("table")[0].records] == [LEFT[0][:7]]


async def test_what_is_chosen_is_in_the_form_again(site: Any) -> None:
    (form,) = (await get(site, "/package/hdf5", **COMBINED)).all("form", class_="filters")
    assert form.fields == {**COMBINED, "variant": "+mpi ~fortran", "host": ""}
    assert form.attributes["action"].split("#")[0] == "/package/hdf5"
    assert hashes(await get(site, "/package/hdf5", **form.fields)) == LEFT
    assert form.options("tag") == [
        SAMPLE_RELEASE, "develop-2025-07-20", "develop-2024-11-17",
    ]  # fmt: skip
    assert form.options("version") == ["", "1.14.6", "1.8.23"]
    assert form.options("os") == ["", "amzn2", "ubuntu22.04", "ubuntu24.04"]


async def test_each_choice_can_be_taken_back(site: Any) -> None:
    shown = await get(site, "/package/hdf5", **COMBINED)
    given = {**{name: [value] for name, value in COMBINED.items()}, "variant": ["+mpi ~fortran"]}
    for chip, address in chips(shown).items():
        kind, _, value = chip.rpartition(" ")
        expected = dict(given)
        if kind == "variant":
            expected["variant"] = ["~fortran" if value == "+mpi" else "+mpi"]
        else:
            expected.pop(kind.replace(" ", "_"))
        assert asked(address) == expected
        assert set(LEFT) <= set(hashes(await get(site, address)))
    without = chips(shown)["variant ~fortran"]
    assert hashes(await get(site, without)) == LEFT
    alone = await get(site, "/package/hdf5", variant="+mpi")
    assert urlsplit(chips(alone)["variant +mpi"]).query == ""


async def test_a_value_with_blanks_in_quotes_is_one(tmp_path: Path) -> None:
    items = [item(1, variants=["note='a b'", "+x"]), item(2, variants=["note='a c'", "+x"])]
    files = {place_of(FIRST, "tool"): page(FIRST, "tool", items)}
    catalog = build(tmp_path / "catalog.db", read_pages(write_site(tmp_path / "site", files)))
    datasette = datasette_for(catalog)
    shown = await get(datasette, "/package/tool", variant="note='a b' +x")
    assert [*chips(shown)] == ["variant note='a b'", "variant +x"]
    assert hashes(shown) == [hash_of(1)]
    left = await get(datasette, chips(shown)["variant +x"])
    assert hashes(left) == [hash_of(1)]
    both = await get(datasette, "/package/tool")
    link = both.section("variants").all("table")[-1].links["note='a c'"]
    assert hashes(await get(datasette, link)) == [hash_of(2)]
    datasette.get_database("catalog").close()


async def test_nothing_has_all_that_is_chosen(site: Any) -> None:
    shown = await get(site, "/package/hdf5", version="1.8.23", variant="+java")
    section = shown.section("binaries")
    assert "No binary of hdf5 in develop-2025-07-20 matches these filters." in section.text
    assert section.all("table") == []
    near = urlsplit(section.links["Show the nearest matches"])
    assert near.path == "/find"
    assert parse_qs(near.query) == {
        "spec": ["hdf5@=1.8.23 +java"],
        "tag": ["develop-2025-07-20"],
    }
    assert [*chips(shown)] == ["version 1.8.23", "variant +java"]
    assert section.one("form").fields["version"] == "1.8.23"


async def test_the_same_as_a_spec(site: Any) -> None:
    shown = await get(site, "/package/hdf5", **COMBINED)
    spec = "hdf5@=1.14.6 +mpi ~fortran os=ubuntu22.04 target=x86_64_v3"
    link = shown.section("binaries").links[spec]
    assert asked(link) == {
        "spec": [spec],
        "tag": [SAMPLE_RELEASE],
        "stack": ["tutorial"],
        "runs_on": ["zen4"],
    }
    found = (await site.client.get(link.replace("/find?", "/find.json?"))).json()
    assert [row["hash"] for row in found["binaries"]] == LEFT


async def test_commands_to_install_the_first(site: Any) -> None:
    shown = await get(site, "/package/hdf5", **COMBINED)
    (commands,) = [it for it in shown.all("pre") if "spack install" in it.raw]
    assert commands.raw.splitlines() == [
        f"spack mirror add {SAMPLE_RELEASE} https://binaries.spack.io/{SAMPLE_RELEASE}",
        "spack buildcache keys --install --trust",
        "# hdf5@1.14.6 for linux-ubuntu22.04-x86_64_v3, gcc@12.2.0",
        f"spack install --cache-only hdf5/{LEFT[0]}",
    ]
    copied = [it.attributes.get("data-copy") for it in shown.all("button")]
    assert f"#{commands.attributes['id']}" in copied


async def test_its_tags(history: Any) -> None:
    (tags,) = [
        it
        for it in (await get(history, "/package/tool")).section("history").all("table")
        if it.rows[0][0] == "Tag"
    ]
    assert tags.rows[1:] == [
        [SECOND, "2025-01-12", "develop", "3", "4"],
        [FIRST, "2025-01-05", "1.10", "2", "2"],
        [RELEASE, "2022-05-28", "1.9", "1", "1"],
    ]
    link = tags.links[RELEASE]
    older = await get(history, link)
    assert older.section("binaries").one("h2").text == f"Binaries in {RELEASE}"
    assert hashes(older) == [hash_of(1)]


async def test_since_when_there_is_each_version(history: Any) -> None:
    (versions,) = [
        it
        for it in (await get(history, "/package/tool")).section("history").all("table")
        if it.rows[0][0] == "Version"
    ]
    assert versions.rows[1:] == [
        ["develop", SECOND, SECOND, "1", "1"],
        ["1.10", FIRST, SECOND, "2", "3"],
        ["1.10-rc1", SECOND, SECOND, "1", "1"],
        ["1.9", RELEASE, FIRST, "2", "2"],
    ]
    assert asked(versions.links["1.9"]) == {"tag": [FIRST], "version": ["1.9"]}


async def test_the_picture_has_versions_in_the_order_of_spack(history: Any) -> None:
    pictures = (await get(history, "/package/tool")).section("history").all("figure")
    found = []
    for picture in pictures:
        links = dict.fromkeys(it.attributes["href"] for it in picture.all("a"))
        versions = [asked(it)["version"][0] for it in links if [*asked(it)] == ["version"]]
        found.append((versions, [asked(it)["tag"][0] for it in links if [*asked(it)] == ["tag"]]))
    # Releases stand apart, or they would be lost among snapshots.
    assert found == [
        (["1.9"], [RELEASE]),
        (["develop", "1.10", "1.10-rc1", "1.9"], [SECOND, FIRST]),
    ]


async def test_dependencies_and_dependents(site: Any) -> None:
    section = (await get(site, "/package/zlib-ng")).section("needs")
    facts = (await site.client.get("/package/zlib-ng.json")).json()
    for name in ("dependencies", "dependents"):
        assert facts[name]["rows"]
        for row in facts[name]["rows"]:
            assert section.links[row["package"]] == f"/package/{row['package']}"


async def test_pages_alone_do_not_tell_what_it_depends_on(history: Any) -> None:
    shown = await get(history, "/package/tool")
    assert "Dependencies unknown: cache.spack.io pages do not list them." in shown.text
    assert not [it for it in shown.walk() if it.attributes.get("id") == "needs"]


async def test_a_package_without_a_binary(site: Any) -> None:
    shown = await get(site, "/package/glibc")
    assert "No build cache in this catalog has a binary of glibc" in shown.text
    assert "hdf5" in shown.section("needs").links
    assert shown.all("form") == shown.all("table") == []


async def test_what_its_recipe_says(tmp_path: Path) -> None:
    files = {place_of(FIRST, "tool"): page(FIRST, "tool", [item(1)])}
    recipe = Recipe("tool", "A tool & more.", "https://example.org/?a=1&b=2", ("MIT", "Apache-2.0"))
    site = read_pages(write_site(tmp_path / "site", files))
    datasette = datasette_for(build(tmp_path / "catalog.db", site, [recipe]))
    response = await datasette.client.get("/package/tool")
    shown = main_of(response.text)
    assert "A tool & more." in [it.text for it in shown.all("p")]
    assert shown.all("dl")[0].pairs["Licence"] == "MIT, Apache-2.0"
    link = "https://example.org/?a=1&b=2"
    assert shown.links[link] == link
    facts = (await datasette.client.get("/package/tool.json")).json()["package"]
    assert facts["homepage"] == link
    datasette.get_database("catalog").close()


@pytest.mark.parametrize(
    ("package", "folder"),
    [
        ("hdf5", "hdf5"),
        ("zlib-ng", "zlib_ng"),
        ("py-a-b", "py_a_b"),
        ("7zip", "_7zip"),
        ("3proxy-x", "_3proxy_x"),
        ("pass", "_pass"),
        ("import", "_import"),
        ("lambda-x", "lambda_x"),
        ("match", "match"),
        ("r", "r"),
    ],
)
def test_the_folder_of_a_recipe(package: str, folder: str) -> None:
    assert recipe_folder(package) == folder
    assert recipe_links(package)["package.py"].endswith(f"/builtin/packages/{folder}/package.py")


def test_a_name_that_means_something_in_an_address() -> None:
    assert recipe_links("gtk+a")["packages.spack.io"].endswith("?name=gtk%2Ba")
    assert "gtk%2Ba/package.py" in recipe_links("gtk+a")["package.py"]


async def test_links_to_the_recipe(site: Any) -> None:
    links = (await get(site, "/package/zlib-ng")).all("dl")[0].links
    assert links["package.py"].endswith("/packages/zlib_ng/package.py")
    assert links["packages.spack.io"] == "https://packages.spack.io/package.html?name=zlib-ng"


@pytest.mark.parametrize(
    ("path", "title", "near"),
    [
        ("/package/hdf", "No package hdf", {"hdf5": "/package/hdf5"}),
        ("/package/HDF5", "No package HDF5", {"hdf5": "/package/hdf5"}),
        ("/package/zlib_ng", "No package zlib_ng", {"zlib-ng": "/package/zlib-ng"}),
        ("/package/xxxxxxxx", "No package xxxxxxxx", {}),
    ],
)
async def test_no_such_package(site: Any, path: str, title: str, near: dict[str, str]) -> None:
    response = await site.client.get(path)
    assert response.status_code == 404
    shown = main_of(response.text)
    assert shown.one("h1").text == title
    assert near.items() <= shown.links.items()
    assert ("Did you mean" in shown.text) == bool(near)
    assert shown.one("form").fields == {"q": path.rpartition("/")[2]}
    assert {"/packages", "/tags", "/stacks"} <= set(shown.links.values())


async def test_a_package_is_not_in_the_tag(site: Any) -> None:
    response = await site.client.get("/package/hdf5?tag=develop")
    assert response.status_code == 404
    shown = main_of(response.text)
    assert shown.one("h1").text == "No hdf5 in the tag develop"
    assert "This catalog has no hdf5 in the tag develop." in shown.text
    for tag in ("develop-2025-07-20", SAMPLE_RELEASE, "develop-2024-11-17"):
        assert tag in shown.text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"os": "ubuntu22.4"}, "no operating system ubuntu22.4 in this catalog; did you mean"),
        ({"target": "zen44"}, "no target zen44 in this catalog; did you mean zen4"),
        ({"runs_on": "zen44"}, "no target zen44 in this catalog; did you mean zen4"),
        ({"compiler": "gcc@12.2"}, "no compiler gcc@12.2 in this catalog; did you mean gcc@12.2.0"),
        ({"stacks": "e4"}, "no stack e4 in this catalog; did you mean e4s?"),
        ({"variant": "mpi"}, "“hdf5 mpi”: expected a single spec; a second one begins here."),
        ({"variant": ["+mpi", "~mpi"]}, "“hdf5 +mpi ~mpi”: variant mpi is given twice."),
        ({"variant": "'"}, "“hdf5 '”"),
        ({"version": "1 2"}, "“hdf5@=1 2”: expected a single spec"),
        ({"variant": "+" * 10_000}, "“hdf5 " + "+" * 195 + "…”"),
    ],
)  # fmt: skip
async def test_what_cannot_be_chosen_is_said(site: Any, arguments: Any, says: str) -> None:
    response = await site.client.get(f"/package/hdf5?{urlencode(arguments, doseq=True)}")
    assert response.status_code == 400
    shown = main_of(response.text)
    assert says in shown.text
    assert "/packages" in shown.links.values()


async def test_the_same_variant_twice_is_one(site: Any) -> None:
    shown = await get(site, "/package/hdf5", variant=["+mpi", "+mpi", "", "  +mpi "])
    assert [*chips(shown)] == ["variant +mpi"]


async def test_a_package_that_needs_nothing(tmp_path: Path) -> None:
    datasette = datasette_for(graph_catalog(tmp_path, {"lone": []}))
    facts = (await datasette.client.get("/package/lone.json")).json()
    assert (facts["dependencies"]["total"], facts["dependents"]["total"]) == (0, 0)
    datasette.get_database("catalog").close()
