"""Home, and the pages of tags, stacks, packages and what differs between two tags."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from datasette_spack.serve import datasette_for
from tests.html_tree import Element, main_of
from tests.small_catalogs import DEVELOP, FIRST, RELEASE, SECOND, history_catalog

SLASH = "releases%2Fv0.18"
TAGS = [
    [DEVELOP, "develop", "", "1", "1", ""],
    [SECOND, "snapshot", "2025-01-12", "3", "8", "2.5 MB (1 known)"],
    [FIRST, "snapshot", "2025-01-05", "3", "5", "2.5 MB (1 known)"],
    [RELEASE, "release", "2022-05-28", "1", "1"],
]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    datasette = datasette_for(history_catalog(tmp_path_factory.mktemp("history")))
    yield datasette
    datasette.get_database("catalog").close()


async def get(site: Any, path: str, status: int = 200) -> Element:
    response = await site.client.get(path)
    assert response.status_code == status, response.text
    return main_of(response.text)


def form_to(shown: Element, path: str) -> Element:
    (found,) = [it for it in shown.all("form") if it.attributes["action"].split("#")[0] == path]
    return found


async def test_home_says_what_is_here(history: Any) -> None:
    shown = await get(history, "/")
    assert "4 packages, 13 specs and 15 binaries in 4 tags" in shown.text
    assert f"as of {DEVELOP}" in shown.text
    assert shown.links["4 packages"] == "/packages"
    assert shown.links["4 tags"] == "/tags"
    form = form_to(shown, "/search")
    assert form.fields == {"q": "", "host": ""}
    fields = [it.attributes["id"] for it in form.all("input")]
    assert [it.attributes["for"] for it in form.all("label")] == fields


async def test_home_says_what_is_new(history: Any) -> None:
    releases, snapshots = (await get(history, "/")).section("new").all("table")
    assert [row["Tag"] for row in releases.records] == [RELEASE]
    assert releases.links[RELEASE] == f"/tag/{SLASH}"
    table = snapshots
    assert table.records == [
        {
            "Tag": DEVELOP,
            "Date": "",
            "Packages": "1",
            "Binaries": "1",
            "What changed": f"2 packages removed since {SECOND}: tool, lib",
        },
        {
            "Tag": SECOND,
            "Date": "2025-01-12",
            "Packages": "3",
            "Binaries": "8",
            "What changed": f"1 new package, 1 package removed, 1 upgraded since {FIRST}:"
            " tool, new-lib, old-lib",
        },
        {
            "Tag": FIRST,
            "Date": "2025-01-05",
            "Packages": "3",
            "Binaries": "5",
            "What changed": "the first snapshot in this catalog",
        },
    ]
    assert (
        table.links["1 new package, 1 package removed, 1 upgraded"] == f"/compare/{FIRST}/{SECOND}"
    )
    assert table.links["new-lib"] == "/package/new-lib"


async def test_home_leads_to_stacks_and_data(history: Any) -> None:
    shown = await get(history, "/")
    assert [it.text for it in shown.section("stacks").all("li")] == ["e4s 7", "hep 2", "root 8"]
    assert shown.section("stacks").links["hep"] == "/stack/hep"
    data = shown.section("data").links
    assert {"/catalog.db", "/catalog", "/home.json"} <= set(data.values())


async def test_tags(history: Any) -> None:
    shown = await get(history, "/tags")
    assert shown.section("kind-release").one("table").rows[1:] == TAGS[3:]
    assert shown.section("kind-snapshot").one("table").rows[1:] == TAGS[:3]
    assert shown.section("kind-release").links[RELEASE] == f"/tag/{SLASH}"
    assert shown.section("kind-release").links["feed"] == "/feed.atom?kind=release"


async def test_stacks(history: Any) -> None:
    table = (await get(history, "/stacks")).one("table")
    assert table.rows[1:] == [
        ["e4s", SECOND, "7", "2.5 MB (1 known)", "3"],
        ["hep", SECOND, "2", "2.5 MB (1 known)", "1"],
        ["root", SECOND, "8", "2.5 MB (1 known)", "4"],
    ]
    assert (table.links["e4s"], table.links[SECOND]) == ("/stack/e4s", f"/tag/{SECOND}")


async def test_a_tag(history: Any) -> None:
    shown = await get(history, f"/tag/{SECOND}")
    assert shown.one("h1").text == SECOND
    counted = "8 binaries of 3 packages, 2.5 MB (size known for 1 of 8 binaries)."
    assert f"2025-01-12: {counted}" in shown.text
    assert f"1 new package, 1 package removed, 1 upgraded since {FIRST}" in shown.text
    assert form_to(shown, "/compare").fields == {"new": SECOND, "old": FIRST}
    where = f"https://binaries.spack.io/{SECOND}"
    stacks = shown.section("stacks").one("table")
    assert stacks.rows[1:] == [
        ["root", "8", "2.5 MB", where],
        ["e4s", "7", "2.5 MB", f"{where}/e4s"],
        ["hep", "2", "2.5 MB", f"{where}/hep"],
    ]
    assert stacks.links["hep"] == f"/stack/hep?tag={SECOND}"
    packages = shown.section("packages").one("table")
    assert packages.records == [
        {"Package": "lib", "Newest version": "2.0", "Binaries": "2", "Size": ""},
        {"Package": "new-lib", "Newest version": "1.0", "Binaries": "2", "Size": ""},
        {"Package": "tool", "Newest version": "develop", "Binaries": "4", "Size": "2.5 MB"},
    ]
    assert packages.links["tool"] == f"/package/tool?tag={SECOND}"


@pytest.mark.parametrize("path", [f"/tag/{SLASH}", "/tag/releases/v0.18"])
async def test_a_tag_with_a_slash_in_its_name(history: Any, path: str) -> None:
    shown = await get(history, path)
    assert shown.one("h1").text == RELEASE
    assert shown.section("packages").one("table").rows[1:] == [["tool", "1.9", "1"]]
    link = shown.section("packages").one("table").links["tool"]
    assert link == f"/package/tool?{urlencode({'tag': RELEASE})}"
    section = (await get(history, link)).section("binaries")
    assert section.one("h2").text == f"Binaries in {RELEASE}"
    assert form_to(shown, f"/tag/{SLASH}").fields == {"q": ""}


async def test_what_a_tag_is_built_for(history: Any) -> None:
    section = (await get(history, f"/tag/{SECOND}")).section("shares")
    titles = [it.one("figcaption").text for it in section.all("figure")]
    assert titles == ["Operating systems", "Targets", "Compilers"]
    drawn = [it.raw for it in section.all("figure")]
    for picture, values in zip(
        drawn,
        (("ubuntu22.04", "rhel8"), ("x86_64_v3", "zen4"), ("gcc@11.4.0", "intel-oneapi")),
        strict=True,
    ):
        assert all(value in picture for value in values)


@pytest.mark.parametrize("path", [f"/tag/{SECOND}", f"/stack/root?tag={SECOND}"])
async def test_packages_by_a_part_of_the_name(history: Any, path: str) -> None:
    more = "&" if "?" in path else "?"
    section = (await get(history, f"{path}{more}q=LIB")).section("packages")
    assert [row[0] for row in section.all("table")[0].rows[1:]] == ["lib", "new-lib"]
    (form,) = [it for it in section.all("form") if it.all("input", type="search")]
    assert form.fields["q"] == "LIB"
    section = (await get(history, f"{path}{more}q=%25")).section("packages")
    assert section.all("table") == []
    assert "No package with “%” in its name." in section.text


@pytest.mark.parametrize("number", ["-1", "0", "x", "1.5", "", "%00", "²", "1" * 5_000, "1e3"])
@pytest.mark.parametrize("path", ["/packages", f"/tag/{SECOND}", "/stack/root"])
async def test_what_is_no_number_of_a_page_is_the_first(
    history: Any, path: str, number: str
) -> None:
    section = (await get(history, f"{path}?page={number}")).text
    assert "tool" in section or "new-lib" in section


@pytest.mark.parametrize("path", ["/packages", f"/tag/{SECOND}", "/stack/root"])
async def test_a_page_after_the_last(history: Any, path: str) -> None:
    shown = await get(history, f"{path}?page=99999")
    assert "No package on page 99999." in shown.text
    facts = (await history.client.get(f"{path}.json?page=99999")).json()
    assert facts.get("packages") == [] or facts["packages"]["rows"] == []


async def test_a_stack(history: Any) -> None:
    shown = await get(history, f"/stack/e4s?tag={SECOND}")
    assert shown.one("h1").text == "Stack e4s"
    section = shown.section("packages")
    assert section.one("h2").text == f"Packages in {SECOND}"
    assert section.one("table").rows[1:] == [
        ["lib", "2.0", "2", ""],
        ["new-lib", "1.0", "1", ""],
        ["tool", "develop", "4", "2.5 MB"],
    ]
    chosen = urlencode({"tag": SECOND, "stacks": "e4s"})
    assert section.one("table").links["lib"] == f"/package/lib?{chosen}"
    forms = {name for it in section.all("form") for name in it.fields}
    assert forms == {"tag", "without", "q"}
    tags = shown.section("tags").one("table")
    assert [row[:3] for row in tags.rows[1:]] == [
        [DEVELOP, "", "1"],
        [SECOND, "2025-01-12", "7"],
        [FIRST, "2025-01-05", "5"],
    ]
    assert tags.links[FIRST] == f"/stack/e4s?tag={FIRST}"


async def test_what_a_stack_has_and_another_has_not(history: Any) -> None:
    shown = await get(history, f"/stack/e4s?tag={SECOND}&without=hep")
    section = shown.section("packages")
    assert section.one("h2").text == f"Packages in {SECOND} that are not in hep"
    assert section.one("table").rows[1:] == [["lib", "2.0", "2"]]
    form = section.one("form")
    assert form.fields == {"tag": SECOND, "without": "hep", "q": ""}
    assert form.options("without") == ["", "hep", "root"]


async def test_the_cache_of_a_whole_tag(history: Any) -> None:
    assert "all its stacks" in (await get(history, "/stack/root")).text


async def test_packages(history: Any) -> None:
    shown = await get(history, "/packages")
    assert "4 packages. Download all as CSV or JSON." in shown.text
    assert shown.one("table").rows[1:] == [
        ["lib", "2.0", "2", "4", "4", "", "2", SECOND],
        ["new-lib", "1.0", "1", "2", "3", "", "2", DEVELOP],
        ["old-lib", "1.0", "1", "1", "1", "", "1", FIRST],
        ["tool", "develop", "4", "6", "7", "2.5 MB", "3", SECOND],
    ]
    assert shown.one("table").links["old-lib"] == "/package/old-lib"
    ordered = await get(history, "/packages?order=binaries&q=l")
    assert [row[0] for row in ordered.one("table").rows[1:]] == [
        "tool", "lib", "new-lib", "old-lib",
    ]  # fmt: skip
    assert form_to(ordered, "/packages").fields == {"q": "l", "sort": "-binaries"}
    none = await get(history, "/packages?q=zzz")
    assert (none.all("table"), "0 packages. Download" in none.text) == ([], True)


async def test_long_lists_have_pages(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("etl.browse.lists", "datasette_spack.site.packages"):
        monkeypatch.setattr(f"{module}.PAGE", 30)
    names: list[str] = []
    path = "/packages?q=l"
    for number in (1, 2):
        shown = await get(site, path)
        names += [row[0] for row in shown.one("table").rows[1:]]
        (pager,) = shown.all("nav")
        assert f"Page {number} of 2" in pager.text
        assert [*pager.links] == (["Next"] if number == 1 else ["Previous"])
        path = pager.links.get("Next", "")
    assert len(names) > 30
    assert names == sorted(names)
    every = (await site.client.get("/catalog/package_list.json?_size=max&_shape=objects")).json()
    assert names == [it["package"] for it in every["rows"] if "l" in it["package"]]


async def test_two_tags_compared(history: Any) -> None:
    shown = await get(history, f"/compare/{FIRST}/{SECOND}")
    assert shown.one("h1").text == f"{FIRST} → {SECOND}"
    lead = "7 binaries added, 4 removed, 1 in both. Of those added, 2 are rebuilds: they"
    assert lead in shown.text
    form = form_to(shown, "/compare")
    assert form.fields == {"old": FIRST, "new": SECOND, "stack": ""}
    assert form.options("old") == [RELEASE, DEVELOP, SECOND, FIRST]
    groups = [it.attributes["label"] for it in form.one("select", name="old").all("optgroup")]
    assert groups == ["Releases", "Snapshots of develop"]

    def table(section: str) -> list[list[str]]:
        return shown.section(section).one("table").rows[1:]

    assert table("added_packages") == [["new-lib", "1.0", "2"]]
    assert table("removed_packages") == [["old-lib", "1.0", "1"]]
    assert table("upgraded") == [["tool", "1.10", "develop", "1.10 1.9", "develop 1.10 1.10-rc1"]]
    assert table("new_versions") == [["tool", "develop", "1"], ["tool", "1.10-rc1", "1"]]
    assert table("dropped_versions") == [["tool", "1.9", "1"]]
    assert table("rebuilt") == [["lib", "2.0", "1"], ["lib", "1.0", "1"]]
    assert [row[:3] for row in table("stacks")] == [
        ["e4s", "5", "7"],
        ["hep", "0", "2"],
        ["root", "5", "8"],
    ]
    assert "downgraded" not in {it.attributes.get("id") for it in shown.walk()}
    links = shown.links
    assert links["Compare in reverse"] == f"/compare/{SECOND}/{FIRST}"
    assert links["new-lib"] == f"/package/new-lib?tag={SECOND}"
    assert links["old-lib"] == f"/package/old-lib?tag={FIRST}"
    assert f"spack-catalog diff {FIRST} {SECOND}" in shown.text


async def test_the_other_way_round(history: Any) -> None:
    shown = await get(history, f"/compare/{SECOND}/{FIRST}")
    assert "4 binaries added, 7 removed, 1 in both." in shown.text
    assert [row[:3] for row in shown.section("downgraded").one("table").rows[1:]] == [
        ["tool", "develop", "1.10"]
    ]


async def test_two_tags_compared_in_one_stack(history: Any) -> None:
    shown = await get(history, f"/compare/{FIRST}/{SECOND}?stack=hep")
    assert shown.one("h1").text == f"{FIRST} → {SECOND}, stack hep"
    assert "2 binaries added, 0 removed, 0 in both." in shown.text
    assert form_to(shown, "/compare").fields["stack"] == "hep"
    assert shown.links["Compare in reverse"] == f"/compare/{SECOND}/{FIRST}?stack=hep"


async def test_a_tag_with_a_slash_compared(history: Any) -> None:
    shown = await get(history, f"/compare/{SLASH}/{FIRST}")
    assert shown.one("h1").text == f"{RELEASE} → {FIRST}"
    assert shown.links["Compare in reverse"] == f"/compare/{FIRST}/{SLASH}"


async def test_a_tag_compared_with_itself(history: Any) -> None:
    shown = await get(history, f"/compare/{SECOND}/{SECOND}")
    assert "Both have the same binaries." in shown.text
    assert shown.all("table") == []


async def test_which_two_tags_to_compare(history: Any) -> None:
    shown = await get(history, "/compare")
    form = form_to(shown, "/compare")
    assert form.fields == {"old": FIRST, "new": SECOND, "stack": ""}
    assert form.options("new") == [RELEASE, DEVELOP, SECOND, FIRST]
    assert form.options("stack") == ["", "e4s", "hep", "root"]


@pytest.mark.parametrize(
    ("given", "location"),
    [
        ({"old": FIRST, "new": SECOND, "stack": ""}, f"/compare/{FIRST}/{SECOND}"),
        ({"old": RELEASE, "new": SECOND, "stack": "e4s"}, f"/compare/{SLASH}/{SECOND}?stack=e4s"),
        ({"old": "//evil.example", "new": "x"}, "/compare/%2F%2Fevil.example/x"),
        ({"old": "a\r\nb: c", "new": "?#"}, "/compare/a%0D%0Ab%3A%20c/%3F%23"),
    ],
)
async def test_two_tags_that_are_chosen_have_an_address(
    history: Any, given: dict[str, str], location: str
) -> None:
    response = await history.client.get(f"/compare?{urlencode(given)}")
    assert (response.status_code, response.headers["location"]) == (302, location)


@pytest.mark.parametrize(
    ("path", "title", "near"),
    [
        ("/tag/v0.18", "No tag v0.18", {RELEASE: f"/tag/{SLASH}"}),
        ("/tag/Develop-2025", "No tag Develop-2025", {SECOND: f"/tag/{SECOND}"}),
        ("/tag/zzz", "No tag zzz", {}),
        ("/stack/e4", "No stack e4", {"e4s": "/stack/e4s"}),
        ("/stack/e4s?without=hip", "No stack hip", {"hep": "/stack/hep"}),
        (f"/stack/hep?tag={FIRST}", f"No stack hep in the tag {FIRST}", {}),
        (f"/compare/{FIRST}/develp", "No tag develp", {DEVELOP: f"/tag/{DEVELOP}"}),
        (f"/compare/developp/{FIRST}", "No tag developp", {DEVELOP: f"/tag/{DEVELOP}"}),
        (f"/compare/{FIRST}/{SECOND}?stack=e5s", "No stack e5s", {"e4s": "/stack/e4s"}),
    ],
)
async def test_what_is_not_there(history: Any, path: str, title: str, near: dict[str, str]) -> None:
    shown = await get(history, path, 404)
    assert shown.one("h1").text == title
    assert near.items() <= shown.links.items()
    assert {"/packages", "/tags", "/stacks"} <= set(shown.links.values())


async def test_a_comparison_is_whole_as_json_and_csv(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasette_spack.site.compare.MAX_ROWS", 3)
    path = "/compare/develop-2025-07-20/v2025.07.0"
    facts = (await site.client.get(f"{path}.json")).json()
    section = facts["added_packages"]
    assert len(section["rows"]) == section["total"] > 3
    text = (await site.client.get(f"{path}.csv?list=added_packages")).text
    listed = [row["package"] for row in csv.DictReader(io.StringIO(text))]
    assert listed == [row["package"] for row in section["rows"]]
    page = (await site.client.get(f"{path}?stack=")).text
    assert f"here are the first 3 of {section['total']}" in page
    wrong = await site.client.get(f"{path}.csv?list=nosuch")
    assert (wrong.status_code, wrong.text[:5]) == (400, "list ")
    gone = await site.client.get("/compare/develop-2025-07-20/nosuch.csv?list=stacks")
    assert gone.status_code == 404


async def test_all_pages_show_the_same_tag_where_none_is_asked(history: Any) -> None:
    packages = (await history.client.get("/packages.json")).json()["packages"]
    shown, found = {}, {}
    for name in (it["package"] for it in packages):
        shown[name] = (await history.client.get(f"/package/{name}.json")).json()["tag"]
        found[name] = (await history.client.get(f"/find.json?spec={name}")).json()["tag"]
    assert shown == found == {"lib": SECOND, "new-lib": SECOND, "old-lib": FIRST, "tool": SECOND}
