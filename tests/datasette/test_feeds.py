"""The Atom feeds: what RFC 4287 asks of them, and what they tell."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from datasette.app import Datasette

from datasette_spack.serve import datasette_for
from tests.sites import build, hash_of, item, page, place_of, rows, write_site
from tests.small_catalogs import three_tags_catalog

ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = "<b>&amp;\"'\u0001\u000b\uffff]]>é / .. %2F ?#\U0001f4a5"

SNAPSHOTS = {
    "develop-2025-01-05": {"hdf5": "1.10", "zlib": "1.2", "cmake": "3.30"},
    "develop-2025-01-12": {"hdf5": "1.14", "cmake": "3.30"},
    "develop-2025-01-19": {"hdf5": "1.12", "zlib": "1.2", "cmake": "3.31", "curl": "8.1"},
}
TAGS = {
    **SNAPSHOTS,
    "v0.21.0": {"hdf5": "1.9"},
    "releases/v0.20": {"hdf5": "1.10"},
    "develop": {"hdf5": "2.0"},
    "nightly": {"hdf5": "0.1"},
}


def catalog_of(folder: Path, tags: dict[str, dict[str, str]]) -> Path:
    """A catalog with one binary of each package in each tag, of this version."""
    numbers = {
        pair: number
        for number, pair in enumerate(
            sorted({pair for packages in TAGS.values() for pair in packages.items()})
        )
    }
    files = {
        place_of(quote(tag, safe=""), package): page(
            tag, package, [item(numbers[package, version], versions=[version])]
        )
        for tag, packages in tags.items()
        for package, version in packages.items()
    }
    target = folder / "catalog.db"
    build(target, write_site(folder / "site", files))
    return target


@pytest.fixture
def serving() -> Iterator[Callable[[Path], Any]]:
    """Makes Datasette of a catalog, and closes it in the end."""
    served: list[Any] = []

    def make(catalog: Path) -> Any:
        served.append(datasette_for(catalog))
        return served[-1]

    yield make
    for datasette in served:
        datasette.get_database("catalog").close()


@pytest.fixture
def news(tmp_path: Path, serving: Callable[[Path], Any]) -> Any:
    """Datasette with a catalog whose tags differ."""
    return serving(catalog_of(tmp_path, TAGS))


async def feed_of(site: Any, path: str, host: str = "spack.example") -> Element:
    answer = await site.client.get(path, headers={"host": host})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
    return ElementTree.fromstring(answer.content)


def text(element: Element, name: str) -> str:
    """The text of the one element of this name."""
    (found,) = element.findall(ATOM + name)
    return found.text or ""


def entries(feed: Element) -> list[Element]:
    return feed.findall(f"{ATOM}entry")


def content_of(entry: Element) -> str:
    """The HTML of an entry, if it has any."""
    return entry.findtext(f"{ATOM}content") or ""


def links(element: Element) -> dict[str, str]:
    return {it.get("rel", ""): it.get("href", "") for it in element.findall(f"{ATOM}link")}


def check_atom(feed: Element, feed_address: str) -> None:
    """What RFC 4287 says a feed must have, and this site's feeds have besides."""
    assert feed.tag == f"{ATOM}feed"
    assert text(feed, "title")
    assert feed.findtext(f"{ATOM}author/{ATOM}name")
    assert links(feed)["self"] == feed_address
    assert links(feed)["alternate"].startswith("http://")
    ids = [text(it, "id") for it in (feed, *entries(feed))]
    assert len(set(ids)) == len(ids)
    for it in ids:
        assert UUID(it).urn == it
    dates = [text(it, "updated") for it in (feed, *entries(feed))]
    for date in dates:
        assert datetime.strptime(date, "%Y-%m-%dT%H:%M:%SZ")
    assert dates[1:] == sorted(dates[1:], reverse=True)
    assert dates[0] == max(dates)
    for entry in entries(feed):
        assert text(entry, "title")
        assert text(entry, "summary")
        for link in entry.findall(f"{ATOM}link"):
            assert re.fullmatch(r"http://[\x21-\x7e]+", link.get("href", ""))
            assert not set('<>"{}|\\^`') & set(link.get("href", ""))
        alternate = [it for it in entry.findall(f"{ATOM}link") if it.get("rel") == "alternate"]
        assert len(alternate) == 1


async def test_what_atom_asks_of_a_feed(site: Any) -> None:
    feed = await feed_of(site, "/feed.atom")
    check_atom(feed, "http://spack.example/feed.atom")
    assert text(feed, "updated") == "2025-07-20T00:00:00Z"
    assert [text(it, "title") for it in entries(feed)] == [
        "Tag develop-2025-07-20",
        "Tag v2025.07.0",
        "Tag develop-2025-03-30",
        "Tag develop-2025-03-23",
        "Tag develop-2024-11-17",
        "Tag v0.20.1",
    ]


async def test_what_atom_asks_of_the_feed_of_a_package(site: Any) -> None:
    feed = await feed_of(site, "/package/hdf5/feed.atom")
    check_atom(feed, "http://spack.example/package/hdf5/feed.atom")
    assert links(feed)["alternate"] == "http://spack.example/package/hdf5"


async def test_what_changed_in_each_tag(news: Any) -> None:
    feed = await feed_of(news, "/feed.atom")
    check_atom(feed, "http://spack.example/feed.atom")
    assert [(text(it, "title"), text(it, "summary")) for it in entries(feed)] == [
        (
            "Tag develop-2025-01-19",
            "4 binaries of 4 packages. Since develop-2025-01-12:"
            " packages added: 2, packages removed: 0, newer versions: 1.",
        ),
        (
            "Tag develop-2025-01-12",
            "2 binaries of 2 packages. Since develop-2025-01-05:"
            " packages added: 0, packages removed: 1, newer versions: 1.",
        ),
        ("Tag develop-2025-01-05", "3 binaries of 3 packages."),
        (
            "Tag v0.21.0",
            "1 binary of 1 package. Since releases/v0.20:"
            " packages added: 0, packages removed: 0, newer versions: 0.",
        ),
        ("Tag releases/v0.20", "1 binary of 1 package."),
    ]
    newest, before = entries(feed)[:2]
    assert text(newest, "content") == (
        "<p>4 binaries of 4 packages.</p>\n"
        "<p>Packages added (2): curl, zlib</p>\n"
        "<p>Newer versions (1): cmake 3.30 → 3.31</p>\n"
        '<p><a href="http://spack.example/tag/develop-2025-01-19">develop-2025-01-19</a>,'
        ' <a href="http://spack.example/compare/develop-2025-01-12/develop-2025-01-19">'
        "all changes since develop-2025-01-12</a></p>"
    )
    assert "<p>Packages removed (1): zlib</p>" in text(before, "content")
    assert links(entries(feed)[3]) == {
        "alternate": "http://spack.example/tag/v0.21.0",
        "related": "http://spack.example/compare/releases%2Fv0.20/v0.21.0",
    }


async def test_long_lists_name_the_first(tmp_path: Path, serving: Callable[[Path], Any]) -> None:
    many = {f"package-{number:02}": "1.0" for number in range(32)}
    files = {
        place_of(tag, package): page(tag, package, [item(number, versions=[version])])
        for tag, packages in (
            ("develop-2025-01-05", {"hdf5": "1"}),
            ("develop-2025-01-12", {"hdf5": "1", **many}),
        )
        for number, (package, version) in enumerate(packages.items())
    }
    target = tmp_path / "catalog.db"
    build(target, write_site(tmp_path / "site", files))
    feed = await feed_of(serving(target), "/feed.atom")
    names = ", ".join(list(many)[:30])
    assert f"<p>Packages added (32): {names} and 2 more</p>" in text(entries(feed)[0], "content")


async def test_what_happened_to_a_package(news: Any) -> None:
    feed = await feed_of(news, "/package/hdf5/feed.atom")
    assert [
        (text(it, "title"), text(it, "updated")[:10], text(it, "summary")) for it in entries(feed)
    ] == [
        ("hdf5 1.12", "2025-01-19", "First seen in develop-2025-01-19, with 1 binary."),
        ("hdf5 1.14", "2025-01-12", "First seen in develop-2025-01-12, with 1 binary."),
        ("hdf5 1.9", "2023-11-11", "First seen in v0.21.0, with 1 binary."),
        ("hdf5 1.10", "2023-05-21", "First seen in releases/v0.20, with 1 binary."),
    ]
    assert links(entries(feed)[0]) == {
        "alternate": "http://spack.example/package/hdf5?tag=develop-2025-01-19&version=1.12"
    }


async def test_a_package_that_goes_and_comes_back(news: Any) -> None:
    feed = await feed_of(news, "/package/zlib/feed.atom")
    check_atom(feed, "http://spack.example/package/zlib/feed.atom")
    assert [(text(it, "title"), text(it, "summary")) for it in entries(feed)] == [
        ("zlib is back", "develop-2025-01-19 has zlib again, with 1 binary."),
        ("zlib was removed", "develop-2025-01-12 no longer has binaries of zlib."),
        ("zlib 1.2", "First seen in develop-2025-01-05, with 1 binary."),
    ]


async def test_ids_stay_in_a_catalog_with_more_tags(
    news: Any, tmp_path: Path, serving: Callable[[Path], Any]
) -> None:
    fewer = {tag: TAGS[tag] for tag in ("develop-2025-01-05", "develop-2025-01-12", "nightly")}
    other = serving(catalog_of(tmp_path / "fewer", fewer))
    for path in ("/feed.atom", "/package/hdf5/feed.atom", "/package/zlib/feed.atom"):
        before = await feed_of(other, path, "elsewhere.example:8001")
        after = await feed_of(news, path)
        assert text(before, "id") == text(after, "id")
        old, new = (
            {text(it, "title"): text(it, "id") for it in entries(feed)} for feed in (before, after)
        )
        assert old
        assert {title: new[title] for title in old} == old


async def test_ids_are_what_they_have_always_been(news: Any) -> None:
    feed = await feed_of(news, "/feed.atom")
    package = await feed_of(news, "/package/zlib/feed.atom")
    assert [text(it, "id") for it in (feed, entries(feed)[0], package, *entries(package))] == [
        "urn:uuid:1d2d5a3c-dc4a-598c-894d-c66c230a2055",
        "urn:uuid:9290529f-79a4-5633-9852-a3b0352f1396",
        "urn:uuid:5eeb143a-25f5-5c93-9f03-4431bc261516",
        "urn:uuid:32892dca-3342-5413-b388-1c0f747117bb",
        "urn:uuid:0337bc44-149f-506b-a246-ce913c3292a5",
        "urn:uuid:843cc4ac-171e-56f9-8cb3-855523359fee",
    ]


async def test_the_same_catalog_gives_the_same_bytes(
    sample_catalog: Path, serving: Callable[[Path], Any]
) -> None:
    for path in ("/feed.atom", "/package/hdf5/feed.atom"):
        answers = [(await serving(sample_catalog).client.get(path)).content for _ in range(2)]
        assert answers[0] == answers[1]


async def test_hostile_names(tmp_path: Path, serving: Callable[[Path], Any]) -> None:
    catalog = catalog_of(tmp_path, SNAPSHOTS)
    with closing(sqlite3.connect(catalog)) as db:
        db.execute("UPDATE packages SET name = ? WHERE name = 'hdf5'", (HOSTILE,))
        db.execute("UPDATE versions SET version = ? WHERE version = '1.14'", (HOSTILE,))
        db.execute("UPDATE tags SET name = ? WHERE name = 'develop-2025-01-12'", (HOSTILE,))
        db.commit()
    site = serving(catalog)
    shown = "<b>&amp;\"'\ufffd\ufffd\ufffd]]>é / .. %2F ?#\U0001f4a5"
    escaped = "&lt;b&gt;&amp;amp;&#34;&#39;\ufffd\ufffd\ufffd]]&gt;é / .. %2F ?#\U0001f4a5"
    feed = await feed_of(site, "/feed.atom")
    check_atom(feed, "http://spack.example/feed.atom")
    entry = entries(feed)[1]
    assert text(entry, "title") == f"Tag {shown}"
    assert f"{escaped} 1.10 → {escaped}" in text(entry, "content")
    assert "<b>" not in text(entry, "content")
    address = f"/package/{quote(HOSTILE, safe='')}"
    feed = await feed_of(site, f"{address}/feed.atom")
    check_atom(feed, f"http://spack.example{address}/feed.atom")
    assert text(entries(feed)[1], "title") == f"{shown} {shown}"


async def test_a_hostile_host(site: Any) -> None:
    answer = await site.client.get("/feed.atom", headers={"host": 'x"><script>&'})
    feed = ElementTree.fromstring(answer.content)
    assert links(feed)["self"] == "http://x%22%3E%3Cscript%3E&/feed.atom"
    assert (await site.client.get("/feed.atom", headers={"host": "["})).status_code == 400


async def test_below_another_path(sample_catalog: Path, serving: Callable[[Path], Any]) -> None:
    site = serving(sample_catalog)
    site._settings["base_url"] = "/spack/"
    feed = await feed_of(site, "/package/hdf5/feed.atom")
    check_atom(feed, "http://spack.example/spack/package/hdf5/feed.atom")
    assert links(feed)["alternate"] == "http://spack.example/spack/package/hdf5"


async def test_no_dated_tag(tmp_path: Path, serving: Callable[[Path], Any]) -> None:
    site = serving(catalog_of(tmp_path, {"develop": TAGS["develop"]}))
    for path in ("/feed.atom", "/package/hdf5/feed.atom"):
        feed = await feed_of(site, path)
        assert text(feed, "updated") == "1970-01-01T00:00:00Z"
        assert entries(feed) == []


async def test_at_most_so_many_entries(news: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl.browse.news.MAX_TAGS", 2)
    monkeypatch.setattr("etl.browse.news.MAX_EVENTS", 3)
    assert [text(it, "title") for it in entries(await feed_of(news, "/feed.atom"))] == [
        "Tag develop-2025-01-19",
        "Tag develop-2025-01-12",
    ]
    package = await feed_of(news, "/package/hdf5/feed.atom")
    assert [text(it, "title") for it in entries(package)] == ["hdf5 1.12", "hdf5 1.14", "hdf5 1.9"]


async def test_a_package_that_is_only_a_dependency(site: Any, sample_catalog: Path) -> None:
    found = rows(sample_catalog, "SELECT name FROM packages WHERE binaries = 0")
    assert found
    feed = await feed_of(site, f"/package/{found[0][0]}/feed.atom")
    assert (text(feed, "updated"), entries(feed)) == ("2025-07-20T00:00:00Z", [])


async def test_a_catalog_that_changes_is_read_again(tmp_path: Path) -> None:
    catalog = catalog_of(tmp_path, SNAPSHOTS)
    site = Datasette([str(catalog)])
    before = await feed_of(site, "/feed.atom")
    with closing(sqlite3.connect(catalog)) as db:
        db.execute("UPDATE tags SET name = 'other' WHERE name = 'develop-2025-01-12'")
        db.commit()
    after = await feed_of(site, "/feed.atom")
    site.get_database("catalog").close()
    assert text(entries(before)[1], "title") == "Tag develop-2025-01-12"
    assert text(entries(after)[1], "title") == "Tag other"


async def test_a_package_that_is_not_here_yet_has_a_feed_without_entries(site: Any) -> None:
    feed = await feed_of(site, "/package/gromacs/feed.atom")
    check_atom(feed, "http://spack.example/package/gromacs/feed.atom")
    assert (text(feed, "title"), entries(feed)) == ("gromacs: new versions", [])
    assert text(feed, "updated") == "2025-07-20T00:00:00Z"
    answer = await site.client.get("/package/gromacs")
    assert answer.status_code == 404
    assert 'href="/package/gromacs/feed.atom"' in answer.text


async def test_what_no_package_can_be_called_has_no_feed(site: Any) -> None:
    answer = await site.client.get("/package/No%20Name/feed.atom")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "This catalog has no package called No Name." in answer.text


async def test_feeds_of_a_kind_of_tags(news: Any) -> None:
    feed = await feed_of(news, "/feed.atom?kind=release")
    check_atom(feed, "http://spack.example/feed.atom?kind=release")
    assert [text(it, "title") for it in entries(feed)] == ["Tag v0.21.0", "Tag releases/v0.20"]
    snapshots = await feed_of(news, "/feed.atom?kind=snapshot")
    assert [text(it, "title") for it in entries(snapshots)] == [
        f"Tag {tag}" for tag in sorted(SNAPSHOTS, reverse=True)
    ]
    every = {text(it, "title"): text(it, "id") for it in entries(await feed_of(news, "/feed.atom"))}
    for it in (*entries(feed), *entries(snapshots)):  # who reads two sees no entry twice
        assert every[text(it, "title")] == text(it, "id")
    assert (await news.client.get("/feed.atom?kind=%3Cb%3E")).status_code == 400


async def test_the_feed_of_a_stack(news: Any) -> None:
    feed = await feed_of(news, "/stack/e4s/feed.atom")
    check_atom(feed, "http://spack.example/stack/e4s/feed.atom")
    told = {text(it, "title"): text(it, "summary") for it in entries(feed)}
    assert told["Stack e4s in develop-2025-01-19"] == (
        "4 binaries of 4 packages. Since develop-2025-01-12:"
        " packages added: 2, packages removed: 0, newer versions: 1."
    )
    assert told["Stack e4s in develop-2025-01-05"] == "3 binaries of 3 packages."
    first = entries(feed)[0]
    assert links(first)["related"].endswith(
        "/compare/develop-2025-01-12/develop-2025-01-19?stack=e4s"
    )
    assert (await news.client.get("/stack/nothing/feed.atom")).status_code == 404


async def test_the_feed_of_a_query(news: Any) -> None:
    feed = await feed_of(news, "/find.atom?spec=hdf5%401.10%3A")
    check_atom(feed, "http://spack.example/find.atom?spec=hdf5%401.10%3A")
    assert [(text(it, "title"), text(it, "updated")[:10]) for it in entries(feed)] == [
        ("hdf5 1.12", "2025-01-19"),
        ("develop-2025-01-19: 1 binary added, 1 removed (hdf5@1.10:)", "2025-01-19"),
        ("hdf5 1.14", "2025-01-12"),
        ("develop-2025-01-12: 1 binary added, 1 removed (hdf5@1.10:)", "2025-01-12"),
        ("v0.21.0: 1 binary removed (hdf5@1.10:)", "2023-11-11"),
        ("hdf5 1.10", "2023-05-21"),
    ]
    assert text(entries(feed)[5], "summary") == "First seen in releases/v0.20, with 1 binary."


@pytest.fixture
def three(tmp_path: Path, serving: Callable[[Path], Any]) -> Any:
    """Datasette with a catalog of three snapshots."""
    return serving(three_tags_catalog(tmp_path))


def tag_entries(feed: Element) -> list[Element]:
    """Those entries that tell of what changed from tag to tag."""
    return [it for it in entries(feed) if text(it, "title").startswith("develop-")]


def link(number: int, spec: str) -> str:
    """A link to a spec, as it is in the text of an entry."""
    hash_ = hash_of(number)
    address = f"http://spack.example/spec/{hash_}"
    return f'<a href="{address}">{spec} <code>/{hash_[:7]}</code></a>'


async def test_a_query_is_told_what_came_and_went_from_tag_to_tag(three: Any) -> None:
    feed = await feed_of(three, "/find.atom?spec=tool&stack=root&tag=develop&sort=size")
    check_atom(feed, "http://spack.example/find.atom?spec=tool&tag=develop&stack=root&sort=size")
    assert text(feed, "title") == "tool: added and removed"
    newest, before = tag_entries(feed)
    assert [text(newest, it) for it in ("title", "updated", "summary")] == [
        "develop-2025-01-19: 2 binaries added, 1 removed (tool)",
        "2025-01-19T00:00:00Z",
        "2 binaries added, 1 removed since develop-2025-01-12.",
    ]
    find = "http://spack.example/find?spec=tool&amp;tag=develop-2025-01-19&amp;stack=root"
    compare = "http://spack.example/compare/develop-2025-01-12/develop-2025-01-19?stack=root"
    assert text(newest, "content") == (
        "<p>2 binaries added, 1 removed since develop-2025-01-12.</p>\n"
        f"<p>Added (2): {link(4, 'tool@2.0')}, {link(5, 'tool@2.0')}</p>\n"
        f"<p>Removed (1): {link(2, 'tool@1.10')}</p>\n"
        f'<p><a href="{find}">tool in develop-2025-01-19</a>,'
        f' <a href="{compare}">all changes since develop-2025-01-12</a></p>'
    )
    assert links(newest) == {"alternate": unescape(find), "related": compare}
    assert [text(before, it) for it in ("title", "updated", "summary")] == [
        "develop-2025-01-12: 1 binary rebuilt (tool)",
        "2025-01-12T00:00:00Z",
        "1 binary rebuilt since develop-2025-01-05.",
    ]
    assert f"\n<p>Rebuilt (1): {link(3, 'tool@1.9')}</p>\n" in text(before, "content")


async def test_long_lists_of_a_query_lead_to_the_rest(
    three: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etl.browse.query_tags.MAX_SPECS", 1)
    newest, _ = tag_entries(await feed_of(three, "/find.atom?spec=tool"))
    more = "http://spack.example/find?spec=tool&amp;tag=develop-2025-01-19"
    assert (f'<p>Added (2): {link(4, "tool@2.0")} and <a href="{more}">1 more</a></p>') in text(
        newest, "content"
    )
    assert f"<p>Removed (1): {link(2, 'tool@1.10')}</p>" in text(newest, "content")


async def test_no_link_of_the_feed_of_a_query_leads_to_nothing(three: Any) -> None:
    for entry in entries(await feed_of(three, "/find.atom?spec=tool+os%3Drhel8", "localhost")):
        told = [*links(entry).values(), *re.findall('href="([^"]*)"', content_of(entry))]
        for address in told:
            path = unescape(address).removeprefix("http://localhost")
            assert (await three.client.get(path)).status_code == 200, path


async def test_ids_of_a_query_are_what_they_have_always_been(three: Any) -> None:
    feed = await feed_of(three, "/find.atom?spec=lib")
    other = await feed_of(three, "/find.atom?spec=lib&tag=any&sort=size", "elsewhere.example")
    ids = [[text(it, "id") for it in (found, *entries(found))] for found in (feed, other)]
    assert ids[0] == ids[1]
    assert text(tag_entries(feed)[0], "id") == "urn:uuid:400da863-bf0f-54a0-816b-efe02120bdfe"
    narrower = await feed_of(three, "/find.atom?spec=lib&os=ubuntu22.04")
    assert not {text(it, "id") for it in entries(narrower)} & set(ids[0])


async def test_a_query_for_a_host_tells_what_the_host_can_use(three: Any) -> None:
    told = {}
    for more in ("", "&host=ubuntu22.04/x86_64_v3&reusable=1", "&host=ubuntu22.04/x86_64_v3"):
        feed = await feed_of(three, f"/find.atom?spec=tool{more}")
        told[more] = [text(it, "summary").partition(" since")[0] for it in tag_entries(feed)]
    every = ["2 binaries added, 1 removed", "1 binary rebuilt"]
    assert told == {
        "": every,
        "&host=ubuntu22.04/x86_64_v3": every,
        "&host=ubuntu22.04/x86_64_v3&reusable=1": ["1 binary added, 1 removed", every[1]],
    }
    assert (await three.client.get("/find.atom?spec=tool&host=nowhere")).status_code == 400


async def test_what_is_asked_may_be_hostile(tmp_path: Path, serving: Callable[[Path], Any]) -> None:
    catalog = three_tags_catalog(tmp_path)
    with closing(sqlite3.connect(catalog)) as db:
        db.execute("UPDATE versions SET version = ? WHERE version = '2.0'", (HOSTILE,))
        db.execute("UPDATE packages SET name = ? WHERE name = 'tool'", (HOSTILE,))
        db.execute("UPDATE tags SET name = ? WHERE name = 'develop-2025-01-12'", (HOSTILE,))
        db.commit()
    site = serving(catalog)
    feed = await feed_of(site, "/find.atom?spec=note%3D%22%3Cb%3E%26%22")
    check_atom(feed, "http://spack.example/find.atom?spec=note%3D%22%3Cb%3E%26%22")
    feed = await feed_of(site, "/find.atom")
    check_atom(feed, "http://spack.example/find.atom?")
    newest = next(it for it in tag_entries(feed))
    assert "<b>" not in content_of(newest)
    assert "Added (2): <a href=" in content_of(newest)
    assert "&lt;b&gt;&amp;amp;" in content_of(newest)


async def test_a_search_can_be_followed(three: Any) -> None:
    for query in ("spec=tool", "spec=nothing"):
        answer = await three.client.get(f"/find?{query}&stack=e4s&tag=develop")
        address = f"/find.atom?{query}&amp;stack=e4s"
        assert f'<a href="{address}" rel="nofollow">Follow this search</a>' in answer.text
        assert f'type="application/atom+xml" title="{query[5:]} · Find binaries"' in answer.text
        feed = await feed_of(three, unescape(address))
        assert len(tag_entries(feed)) == (2 if query == "spec=tool" else 0)
    for path in ("/find", "/find?spec=tool%40%40"):
        assert "find.atom" not in (await three.client.get(path)).text


async def test_the_feed_of_a_query_that_nothing_satisfies_yet(news: Any) -> None:
    feed = await feed_of(news, "/find.atom?spec=gromacs+%2Bcuda&tag=develop")
    check_atom(feed, "http://spack.example/find.atom?spec=gromacs+%2Bcuda&tag=develop")
    assert entries(feed) == []
    page = await news.client.get("/find?spec=gromacs+%2Bcuda")
    assert 'href="/find.atom?spec=gromacs+%2Bcuda"' in page.text


@pytest.mark.parametrize("query", ["spec=hdf5%40%40", "spec=hdf5&stack=nowhere", "runs_on=x"])
async def test_a_query_that_cannot_be_answered_has_no_feed(news: Any, query: str) -> None:
    answer = await news.client.get(f"/find.atom?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


async def test_no_catalog() -> None:
    site = Datasette([], memory=True)
    for path in ("/feed.atom", "/package/hdf5/feed.atom"):
        answer = await site.client.get(path)
        assert answer.status_code == 503
        assert "No catalog yet" in answer.text


async def test_a_catalog_that_takes_too_long(news: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(db: sqlite3.Connection, kind: str) -> None:
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT 1 FROM n)"
        db.execute(f"{numbers} SELECT max(i) FROM n").fetchall()

    monkeypatch.setattr("datasette_spack.site.feeds.tag_news", endless)
    news._settings["sql_time_limit_ms"] = 20
    answer = await news.client.get("/feed.atom")
    assert answer.status_code == 503
    assert "Request timed out" in answer.text
