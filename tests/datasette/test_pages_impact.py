"""What contains a package or some versions of it: page, JSON, CSV and feed, and the command."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from datasette.database import QueryInterrupted

from datasette_spack.serve import datasette_for
from datasette_spack.site import remembered as remembered_facts
from datasette_spack.site.impact import make_ready
from etl.browse import lists
from etl.catalog.reader import open_catalog
from etl.compare.impact import CLOSURES, Impact, impact
from etl.compare.impact_rows import impact_rows
from etl.compare.tag_graph import graph_of_tag
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.pages import read_pages
from etl.spack.syntax import parse_spec
from tests.html_tree import Element, main_of
from tests.running import Run
from tests.sites import hash_of, item, page, place_of, write_site
from tests.small_catalogs import (
    DEVELOP,
    FIRST,
    RELEASE,
    SECOND,
    THIRD,
    build,
    node,
    record,
    write_indexes,
)

Spec = tuple[str, dict[str, Any]]

ATOM = "{http://www.w3.org/2005/Atom}"


def spec(
    number: int, name: str, version: str, *needs: tuple[Spec, str], there: bool = True
) -> Spec:
    """A spec in an index, which needs others, each for what is told."""
    below = [(it["spec"]["name"], hash_, purpose) for (hash_, it), purpose in needs]
    return hash_of(number), record(node(name, version, needs=below), there=there)


LIBC = spec(1, "libc", "2.35", there=False)
BAD = spec(2, "lib", "5.6.0", (LIBC, "link"))
WORSE = spec(3, "lib", "5.6.1", (LIBC, "link"))
GOOD = spec(4, "lib", "5.8.1", (LIBC, "link"))
APP = spec(5, "app", "1.9", (BAD, "build link"))
NEWER_APP = spec(6, "app", "1.10", (WORSE, "link"), (LIBC, "link"))
GOOD_APP = spec(7, "app", "1.10", (GOOD, "link"))
OVER = spec(8, "over", "1.0", (APP, "link"))
TOOL = spec(9, "tool", "1.0", (OVER, "run"))
DOC = spec(10, "doc", "1.0", (TOOL, "build"))

INDEXES = {
    (FIRST, "e4s"): dict([LIBC, BAD, APP]),
    (SECOND, "e4s"): dict([LIBC, BAD, GOOD, APP, OVER, TOOL]),
    (SECOND, "hep"): dict([LIBC, BAD, WORSE, APP, NEWER_APP, GOOD, GOOD_APP, OVER, TOOL, DOC]),
    (THIRD, "e4s"): dict([LIBC, GOOD, GOOD_APP]),
    (DEVELOP, "e4s"): dict([LIBC, BAD, APP]),
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three snapshots, a tag without a date, and a release of which pages tell no dependencies."""
    folder = tmp_path_factory.mktemp("impact")
    release = {place_of("releases%2Fv0.18", "app"): page(RELEASE, "app", [item(90)])}
    return build(
        folder / "catalog.db",
        read_build_caches(write_indexes(folder / "indexes", INDEXES)),
        read_pages(write_site(folder / "site", release)),
    )


@pytest.fixture(scope="module")
def served(catalog: Path) -> Iterator[Any]:
    datasette = datasette_for(catalog)
    yield datasette
    datasette.get_database("catalog").close()


async def shown(served: Any, path: str) -> Element:
    response = await served.client.get(path)
    assert response.status_code == 200, response.text
    return main_of(response.text)


def table(shown: Element) -> list[tuple[str, ...]]:
    """How, package, version and stacks of each binary."""
    rows = shown.section("binaries").one("table").records
    return [(it["How"], it["Package"], it["Version"], it["Stacks"]) for it in rows]


ALL = [
    ("itself", "lib", "5.8.1", "e4s hep"),
    ("itself", "lib", "5.6.1", "hep"),
    ("itself", "lib", "5.6.0", "e4s hep"),
    ("link", "app", "1.10", "hep"),
    ("link", "app", "1.10", "hep"),
    ("link", "app", "1.9", "e4s hep"),
    ("link", "over", "1.0", "e4s hep"),
    ("run", "tool", "1.0", "e4s hep"),
    ("build", "doc", "1.0", "hep"),
]


async def test_all_that_contains_a_package(served: Any) -> None:
    found = await shown(served, f"/package/lib/impact?tag={SECOND}")
    assert found.one("h1").text == "What contains lib"
    assert table(found) == ALL
    assert found.one("p", class_="lead").text == (
        f"A change would rebuild 9 binaries of {SECOND}, in 2 stacks: 3 of its own, 4 that link to"
        " it, 1 that need it to run, and 1 that were only built with it, or with something that"
        " was."
    )
    ranked = found.section("ranked")
    assert ranked.by_id("ranked").text == "All dependents: 5 packages"
    assert [it.text for it in ranked.all("li")] == [
        *("app 3", "lib 3", "doc 1", "over 1", "tool 1"),
        *("hep 9", "e4s 5"),
    ]


async def test_the_link_closure_of_some_versions(served: Any) -> None:
    """Who names versions asks what links to them, in the newest tag that has them."""
    found = await shown(served, "/package/lib/impact?version=5.6.0:5.6.1")
    assert found.one("h1").text == "What contains lib @5.6.0:5.6.1"
    assert found.fields == {"tag": SECOND, "version": "5.6.0:5.6.1", "closure": "link"}
    affected = [ALL[1], ALL[2], ALL[3], ALL[5], ALL[6]]
    assert table(found) == affected
    run = await shown(served, "/package/lib/impact?version=5.6.0:5.6.1&closure=run")
    assert table(run) == [*affected, ALL[7]]
    build = await shown(served, "/package/lib/impact?version=@5.6&closure=build")
    assert table(build) == [*affected, *ALL[7:]]
    none = await shown(served, f"/package/lib/impact?version=5.6&tag={THIRD}")
    assert f"No binary of {THIRD} contains lib@5.6." in none.text
    only = await shown(served, f"/package/tool/impact?version=1.0&tag={SECOND}")
    assert table(only) == [("itself", "tool", "1.0", "e4s hep")]


@pytest.mark.parametrize("closure", [*CLOSURES])
@pytest.mark.parametrize("spec", ["lib", "libc", "lib@5.6", "app@1.9", "doc"])
@pytest.mark.parametrize("tag", [FIRST, SECOND, THIRD])
def test_what_many_need_is_found_in_the_graph_of_the_tag(
    catalog: Path, monkeypatch: pytest.MonkeyPatch, spec: str, tag: str, closure: str
) -> None:
    with open_catalog(catalog) as db:
        few = impact(db, parse_spec(spec), tag, closure)
        monkeypatch.setattr("etl.compare.impact.graph_over", lambda *_: None)
        many = impact(db, parse_spec(spec), tag, closure)
        assert many.to_json() == few.to_json()
        assert impact_rows(db, many) == impact_rows(db, few)


async def test_what_has_binaries_nowhere(served: Any) -> None:
    """As the libc of a system: then it is the newest tag that is shown."""
    found = await shown(served, "/package/libc/impact")
    assert found.fields["tag"] == THIRD
    assert table(found) == [("link", "app", "1.10", "e4s"), ("link", "lib", "5.8.1", "e4s")]


@pytest.mark.parametrize(
    ("sort", "first", "last"),
    [
        ("how", ALL[0], ALL[-1]),
        ("-how", ALL[-1], ALL[2]),
        ("package", ALL[3], ALL[7]),
        ("-version", ALL[0], ALL[-2]),
        ("stacks", ALL[5], ALL[1]),
        ("-stacks", ALL[3], ALL[7]),
    ],
)
async def test_sorted(
    served: Any, sort: str, first: tuple[str, ...], last: tuple[str, ...]
) -> None:
    rows = table(await shown(served, f"/package/lib/impact?tag={SECOND}&sort={sort}"))
    assert (rows[0], rows[-1], sorted(rows)) == (first, last, sorted(ALL))


@pytest.mark.parametrize("sort", ["", "how", "-how", "-version"])
async def test_page_by_page(served: Any, sort: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"/package/lib/impact?tag={SECOND}&sort={sort}"
    every = table(await shown(served, path))
    for place in ("etl.browse.lists.PAGE", "datasette_spack.site.impact.PAGE"):
        monkeypatch.setattr(place, 2)
    assert lists.PAGE == 2
    pages = [await shown(served, f"{path}&page={number}") for number in range(1, 6)]
    assert [row for it in pages for row in table(it)] == every
    assert "Page 1 of 5" in pages[0].text
    assert "Nothing on page 9." in (await shown(served, f"{path}&page=9")).text


@pytest.mark.parametrize(
    ("query", "spec", "options"),
    [
        (f"tag={SECOND}", "lib", ("--tag", SECOND)),
        ("version=5.6.0:5.6.1", "lib@5.6.0:5.6.1", ()),
        ("version=5.6.0:5.6.1&closure=run", "lib@5.6.0:5.6.1", ("--closure", "run")),
        ("", "libc", ()),
        ("version=9", "lib@9", ()),
    ],
)
async def test_the_command_gives_the_same(
    served: Any, catalog: Path, run: Run, query: str, spec: str, options: tuple[str, ...]
) -> None:
    name = spec.partition("@")[0]
    given = ("impact", spec, *options, "--catalog", catalog, "--format")
    text = (await served.client.get(f"/package/{name}/impact.csv?{query}")).text
    assert run(*given, "csv").out == text
    told = json.loads(run(*given, "json").out)
    facts = (await served.client.get(f"/package/{name}/impact.json?{query}")).json()
    for only in ("ok", "package", "version"):
        del facts[only]
    assert told == facts
    assert list(csv.DictReader(io.StringIO(text))) == [
        {column: "" if value is None else str(value) for column, value in row.items()}
        for row in facts["binaries"]
    ]
    ranked = (await served.client.get(f"/package/{name}/impact.csv?list=packages&{query}")).text
    assert run(*given, "csv", "--list", "packages").out == ranked
    assert [[*row.values()] for row in csv.DictReader(io.StringIO(ranked))] == [
        [it["package"], str(it["binaries"]), ""] for it in facts["packages"]
    ]


async def test_the_feed(served: Any) -> None:
    path = "/package/lib/impact.atom?version=5.6.0%3A5.6.1"
    response = await served.client.get(path)
    assert response.headers["content-type"] == "application/atom+xml; charset=utf-8"
    feed = ElementTree.fromstring(response.content)
    assert feed.findtext(f"{ATOM}title") == "What contains lib@5.6.0:5.6.1"
    assert feed.findtext(f"{ATOM}updated") == "2025-01-19T00:00:00Z"
    entries = feed.findall(f"{ATOM}entry")
    assert [it.findtext(f"{ATOM}title") for it in entries] == [
        f"{THIRD}: no binary contains lib@5.6.0:5.6.1",
        f"{SECOND}: 5 binaries contain lib@5.6.0:5.6.1",
        f"{FIRST}: 2 binaries contain lib@5.6.0:5.6.1",
    ]
    second = entries[1]
    assert second.findtext(f"{ATOM}summary") == (
        "5 binaries of 3 packages in 2 stacks: link dependents."
    )
    content = main_of(f"<main>{second.findtext(f'{ATOM}content')}</main>")
    assert content.all("p")[1].text == "app (2), lib (2), over (1)"
    link = second.find(f"{ATOM}link")
    assert link is not None
    listed = await shown(served, link.attrib["href"].removeprefix("http://localhost"))
    assert len(table(listed)) == 5
    page = await served.client.get("/package/lib/impact?version=5.6.0:5.6.1")
    assert f'href="{path}"' in page.text
    good = ElementTree.fromstring(
        (await served.client.get("/package/lib/impact.atom?version=5.8.1")).content
    )
    assert [it.findtext(f"{ATOM}title") for it in good.findall(f"{ATOM}entry")] == [
        f"{THIRD}: 2 binaries contain lib@5.8.1",
        f"{SECOND}: 2 binaries contain lib@5.8.1",
    ]
    none = ElementTree.fromstring(
        (await served.client.get("/package/lib/impact.atom?version=9")).content
    )
    assert none.findall(f"{ATOM}entry") == []


async def test_the_feed_reads_each_tag_once(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of large catalogs a feed may be cut short; the next try goes on where that one stopped."""
    read = []

    def impact_of(db: Any, query: Any, tag: str, *rest: Any) -> Impact:
        read.append(tag)
        if len(read) == 2:
            raise QueryInterrupted(sqlite3.OperationalError("interrupted"), "", {})
        return impact(db, query, tag, *rest)

    monkeypatch.setattr("datasette_spack.site.impact.impact_of", impact_of)
    datasette = datasette_for(catalog)
    try:
        first = await datasette.client.get("/package/lib/impact.atom")
        second = await datasette.client.get("/package/lib/impact.atom")
    finally:
        datasette.get_database("catalog").close()
    assert (first.status_code, second.status_code) == (503, 200)
    assert read == [THIRD, SECOND, SECOND, FIRST]


async def test_the_package_leads_there(served: Any) -> None:
    package = await shown(served, f"/package/lib?tag={SECOND}")
    link = package.section("impact").links["All binaries that contain lib"]
    assert link == f"/package/lib/impact?tag={SECOND}"
    assert table(await shown(served, link)) == ALL


async def test_what_is_in_a_system_leads_there(served: Any) -> None:
    package = await shown(served, "/package/libc")
    assert package.links["Binaries that contain it"] == "/package/libc/impact"


async def test_the_graph_of_the_newest_tag_is_ready(catalog: Path) -> None:
    datasette = datasette_for(catalog)
    await make_ready(datasette)
    database = datasette.get_database("catalog")
    about = {it for it in remembered_facts._answers[database] if it[0] is graph_of_tag}
    assert about == {(graph_of_tag, (THIRD,))}
    for tag in (FIRST, THIRD, SECOND):  # of the others none is kept
        await datasette.client.get(f"/package/lib/impact?tag={tag}")
    about = {it for it in remembered_facts._answers[database] if it[0] is graph_of_tag}
    assert about == {(graph_of_tag, (THIRD,))}
    database.close()


async def test_pages_tell_no_dependencies(served: Any, catalog: Path, run: Run) -> None:
    told = await shown(served, "/package/app/impact?tag=releases%2Fv0.18")
    assert "Unknown: the sources of releases/v0.18 do not list dependencies" in told.text
    done = run("impact", "app", "--tag", RELEASE, "--catalog", catalog)
    assert (done.code, done.out) == (1, "")
    assert done.err == "unknown: the sources of releases/v0.18 do not list dependencies\n"


async def test_some_tell_no_dependencies(tmp_path: Path, run: Run) -> None:
    site = write_site(tmp_path / "site", {place_of(FIRST, "app"): page(FIRST, "app", [item(90)])})
    indexes = write_indexes(tmp_path / "indexes", INDEXES)
    catalog = build(tmp_path / "catalog.db", read_pages(site), read_build_caches(indexes))
    said = f"he dependencies of 1 binary in {FIRST} are unknown"
    assert said in run("impact", "lib", "--tag", FIRST, "--catalog", catalog).out
    assert said not in run("impact", "lib", "--tag", SECOND, "--catalog", catalog).out
    datasette = datasette_for(catalog)
    assert said in (await shown(datasette, f"/package/lib/impact?tag={FIRST}")).text
    datasette.get_database("catalog").close()


async def test_a_catalog_of_pages(tmp_path: Path, run: Run) -> None:
    site = write_site(tmp_path / "site", {place_of(SECOND, "app"): page(SECOND, "app", [item(5)])})
    catalog = build(tmp_path / "catalog.db", read_pages(site))
    done = run("impact", "app", "--catalog", catalog)
    assert (done.code, done.err) == (
        1,
        "unknown: the sources of this catalog do not list dependencies\n",
    )
    datasette = datasette_for(catalog)
    found = await shown(datasette, "/package/app/impact")
    assert "Unknown: pages of cache.spack.io do not list dependencies" in found.text
    assert (await datasette.client.get("/package/app/impact.csv")).text.count("\n") == 1
    assert "<entry>" not in (await datasette.client.get("/package/app/impact.atom")).text
    datasette.get_database("catalog").close()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/package/nothing/impact", 404),
        ("/package/nothing/impact.csv", 404),
        ("/package/nothing/impact.atom", 404),
        ("/package/lib/impact?tag=v9", 404),
        ("/package/lib/impact?version=%40%40", 400),
        ("/package/lib/impact.atom?version=%40%40", 400),
        ("/package/lib/impact?version=5+%2Bshared", 400),
        ("/package/lib/impact?version=5+%5Elibc", 400),
        ("/package/lib/impact?closure=all", 400),
        ("/package/lib/impact.csv?sort=tag", 400),
        ("/package/lib/impact.csv?list=x", 400),
    ],
)
async def test_what_is_not_there(served: Any, path: str, status: int) -> None:
    assert (await served.client.get(path)).status_code == status
