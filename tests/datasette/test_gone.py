"""What is gone: told and marked where it is shown, counted apart, and never offered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest
from click.testing import CliRunner

from datasette_spack.serve import datasette_for
from etl.cli import main
from tests.html_tree import main_of
from tests.sites import hash_of
from tests.weekly import FRIDAY, MONDAY, SUNDAY, mirror, three_weeks, week

OLD = "develop-2025-01-05"
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_weeks(tmp_path_factory.mktemp("weeks"))


@pytest.fixture(scope="module")
def site(catalog: Path) -> Iterator[Any]:
    datasette = datasette_for(catalog)
    yield datasette
    datasette.get_database("catalog").close()


async def said(site: Any, path: str, status: int = 200) -> str:
    """The text of a page, in one line."""
    answer = await site.client.get(path)
    assert answer.status_code == status, path
    html = answer.text.replace("</td>", " </td>").replace("</th>", " </th>")
    return " ".join(main_of(html).raw.split())


async def test_home_counts_what_is_there_and_tells_removals(site: Any) -> None:
    text = await said(site, "/")
    assert "3 packages, 3 specs and 4 binaries in 2 tags" in text
    assert "caches, 4 more are gone" in text
    assert "2025-01-12: 1 binary of tool-3 returned to develop" in text
    assert (
        "2025-01-10: 2 binaries of 2 packages removed from develop;"
        " 1 of these specs is still in develop" in text
    )
    assert (
        f"2 binaries of 2 packages removed from {OLD}, which has no binary left;"
        " all of these specs are still in develop" in text
    )
    assert "4 binaries are gone in total, with all binaries of 2 tags" in text


async def test_a_tag_with_something_gone_and_one_that_is_gone(site: Any) -> None:
    text = await said(site, "/tag/develop")
    assert "3 binaries of 3 packages, 1 more is gone" in text
    assert f"tool-1@1.0 /{hash_of(1)[:7]} develop 2025-01-06 2025-01-10" in text
    text = await said(site, f"/tag/{OLD}")
    assert "gone since 2025-01-10; it had 2 binaries." in text
    assert f"tool-2@1.0 /{hash_of(2)[:7]} {OLD} 2025-01-06 2025-01-10 develop" in text
    assert "Packages Name contains" not in text
    text = await said(site, "/tags")
    assert f"{OLD} snapshot 2025-01-05 2 2025-01-10" in text
    assert "v1 other 1 2025-01-10" in text


async def test_a_stack_a_package_and_a_spec_that_are_gone(site: Any) -> None:
    text = await said(site, "/stack/hep")
    assert "No tag in this catalog still has binaries of this stack." in text
    assert "v1 1 gone since 2025-01-10" in text
    text = await said(site, "/package/tool-5")
    assert "Gone: no build cache has a binary of tool-5 any longer." in text
    assert "spack install" not in text
    text = await said(site, f"/spec/{hash_of(5)}")
    assert "It was last in v1, last seen 2025-01-06, and is gone since 2025-01-10." in text
    assert "spack install" not in text
    text = await said(site, f"/spec/{hash_of(2)}")
    assert "First seen2025-01-06 Last seen2025-01-12" in text.replace("seen ", "seen")
    assert f"{OLD} 2025-01-05 e4s gone since 2025-01-10" in text
    assert f"spack install --cache-only tool-2/{hash_of(2)}" in text


async def test_what_was_there_is_told_where_nothing_is_found(site: Any, catalog: Path) -> None:
    text = await said(site, "/find?spec=tool-1")
    assert f"tool-1@1.0 /{hash_of(1)[:7]} gone from develop since 2025-01-10" in text
    answer = await site.client.get("/find.json?spec=tool-1")
    assert answer.json()["gone"] == [
        {
            "tag": "develop", "package": "tool-1", "version": "1.0", "hash": hash_of(1),
            "last_seen": MONDAY, "gone_since": FRIDAY, "still_in": None,
        }
    ]  # fmt: skip
    found = CliRunner().invoke(main, ["find", "tool-1", "--catalog", str(catalog)])
    assert found.exit_code == 1
    assert found.stderr.splitlines()[-2:] == [
        "1 binary that satisfied it is gone:",
        f"  tool-1@1.0 /{hash_of(1)[:7]} is gone from develop since {FRIDAY}",
    ]
    found = CliRunner().invoke(main, ["find", "tool-2", "--tag", OLD, "--catalog", str(catalog)])
    assert found.exit_code == 1
    assert f"is gone from {OLD} since {FRIDAY}; the same spec is in develop" in found.stderr


ALL_GONE = f"all of tool-5 is gone since {FRIDAY}, last in v1"


@pytest.mark.parametrize(
    "asked",
    ["tool-5", "tool-5@9", "TOOL_5", "tool-5 --tag develop", "tool-5 --tag v1", "tool-5 +x"],
)
def test_a_package_that_is_gone_as_a_whole_is_said_to_be(asked: str, catalog: Path) -> None:
    """Not that there is no such package, nor that another was meant."""
    found = CliRunner().invoke(main, ["find", *asked.split(), "--catalog", str(catalog)])
    assert found.exit_code == 1
    assert f"  {ALL_GONE}" in found.stderr.splitlines()
    assert "did you mean" not in found.stderr
    assert "no package tool-5" not in found.stderr


async def test_the_site_says_that_a_package_is_gone_as_a_whole(site: Any) -> None:
    text = await said(site, "/find?spec=tool-5")
    assert ALL_GONE in text
    assert "no package" not in text
    answer = (await site.client.get("/find.json?spec=tool-5")).json()
    assert answer["near_misses"] == [ALL_GONE]
    assert [(it["tag"], it["gone_since"]) for it in answer["gone"]] == [("v1", FRIDAY)]
    text = await said(site, "/package/tool-5")
    assert "The last was removed on 2025-01-10, from v1." in text


async def test_packages_that_are_gone_are_offered_too(site: Any, catalog: Path) -> None:
    text = await said(site, "/package/tool-55", 404)
    assert "tool-5" in text.replace("tool-55", "")
    found = CliRunner().invoke(main, ["find", "toool-5", "--catalog", str(catalog)])
    assert found.exit_code == 1
    assert "did you mean tool-5" in found.stderr
    offered = (await site.client.get("/suggest.json?q=tool")).json()
    assert {"value": "tool-5", "label": "gone"} in offered["suggestions"]
    answer = await site.client.get("/search?q=tool-5")
    assert answer.status_code == 302
    assert answer.headers["location"].endswith("/package/tool-5")


FEEDS = {
    "/feed.atom": {
        ("develop: 1 binary returned", SUNDAY, "1 binary of tool-3 returned to develop."),
        (
            "develop: 2 binaries removed",
            FRIDAY,
            f"2 binaries of 2 packages removed from develop: gone since {FRIDAY}."
            " Of 1 the same spec is in develop or another tag.",
        ),
        (
            f"{OLD}: 2 binaries removed",
            FRIDAY,
            f"2 binaries of 2 packages removed from {OLD}: gone since {FRIDAY}."
            f" {OLD} has no binary left. Of 2 the same spec is in develop or another tag.",
        ),
        (
            "v1: 1 binary removed",
            FRIDAY,
            f"1 binary of tool-5 removed from v1: gone since {FRIDAY}. v1 has no binary left.",
        ),
    },
    "/feed.atom?kind=snapshot": {
        (
            f"{OLD}: 2 binaries removed",
            FRIDAY,
            f"2 binaries of 2 packages removed from {OLD}: gone since {FRIDAY}."
            f" {OLD} has no binary left. Of 2 the same spec is in develop or another tag.",
        ),
    },
    "/stack/hep/feed.atom": {
        (
            "v1: 1 binary of stack hep removed",
            FRIDAY,
            f"1 binary of tool-5 removed from v1: gone since {FRIDAY}. v1 has no binary left.",
        ),
    },
    "/package/tool-2/feed.atom": {
        (
            f"{OLD}: 1 binary of tool-2 removed",
            FRIDAY,
            f"1 binary of tool-2 removed from {OLD}: gone since {FRIDAY}."
            f" {OLD} has no binary left. The same spec is in develop.",
        ),
    },
    "/find.atom?spec=tool-1": {
        (
            "develop: 1 binary of tool-1 removed",
            FRIDAY,
            f"1 binary of tool-1 removed from develop: gone since {FRIDAY}.",
        ),
    },
    "/find.atom?spec=tool-3&stack=e4s": {
        (
            "develop-2025-01-12: 1 binary removed (tool-3)",
            "2025-01-12T00:00:00Z",
            f"1 binary removed since {OLD}.",
        ),
        (
            "develop: 1 binary of tool-3 returned",
            SUNDAY,
            "1 binary of tool-3 returned to develop.",
        ),
        (
            "develop: 1 binary of tool-3 removed",
            FRIDAY,
            f"1 binary of tool-3 removed from develop: gone since {FRIDAY}."
            " The same spec is in develop.",
        ),
        (
            f"{OLD}: 1 binary of tool-3 removed",
            FRIDAY,
            f"1 binary of tool-3 removed from {OLD}: gone since {FRIDAY}."
            f" {OLD} has no binary left. The same spec is in develop.",
        ),
    },
    "/find.atom?spec=tool-3&stack=hep": set(),
}


@pytest.mark.parametrize("path", FEEDS)
async def test_feeds_tell_what_was_removed_and_what_returned(site: Any, path: str) -> None:
    answer = await site.client.get(path)
    feed: Element = fromstring(answer.content)
    told = {
        tuple(entry.findtext(ATOM + name, "") for name in ("title", "updated", "summary"))
        for entry in feed.findall(f"{ATOM}entry")
    }
    assert {it for it in told if "removed" in it[0] or "returned" in it[0]} == FEEDS[path]
    times = [entry.findtext(f"{ATOM}updated", "") for entry in feed.findall(f"{ATOM}entry")]
    assert times == sorted(times, reverse=True)
    assert feed.findtext(f"{ATOM}updated") == max(times, default="2025-01-12T00:00:00Z")
    ids = [entry.findtext(f"{ATOM}id") for entry in feed.findall(f"{ATOM}entry")]
    assert len(set(ids)) == len(ids)


async def test_the_feed_of_a_query_names_what_is_gone(site: Any) -> None:
    feed = fromstring((await site.client.get("/find.atom?spec=tool-1")).content)
    told = {it.findtext(f"{ATOM}title"): it for it in feed.findall(f"{ATOM}entry")}
    content = told["develop: 1 binary of tool-1 removed"].findtext(f"{ATOM}content")
    assert content == (
        f"<p>1 binary of tool-1 removed from develop: gone since {FRIDAY}.</p>\n"
        f'<p>Removed (1): <a href="http://localhost/spec/{hash_of(1)}">'
        f"tool-1@1.0 <code>/{hash_of(1)[:7]}</code></a></p>"
    )
    # What returned is no longer gone.
    feed = fromstring((await site.client.get("/find.atom?spec=tool-3")).content)
    told = {it.findtext(f"{ATOM}title"): it for it in feed.findall(f"{ATOM}entry")}
    assert told["develop: 1 binary of tool-3 removed"].find(f"{ATOM}content") is None
    assert told[f"{OLD}: 1 binary of tool-3 removed"].find(f"{ATOM}content") is not None


async def test_the_feed_of_a_version_keeps_its_date_when_its_tag_is_pruned(site: Any) -> None:
    answer = await site.client.get("/package/tool-3/feed.atom")
    (entry,) = [
        it
        for it in fromstring(answer.content).findall(f"{ATOM}entry")
        if it.findtext(f"{ATOM}title") == "tool-3 1.0"
    ]
    assert entry.findtext(f"{ATOM}updated") == "2025-01-05T00:00:00Z"
    assert entry.findtext(f"{ATOM}summary") == f"First seen in {OLD}, with 1 binary."


async def test_links_to_a_tag_that_has_it_no_more_lead_somewhere(site: Any) -> None:
    text = await said(site, f"/package/tool-2?tag={OLD}")
    assert f"Gone: {OLD} no longer has binaries of tool-2; develop-2025-01-12 is shown." in text
    text = await said(site, "/package/tool-5?tag=v1&version=1.0")
    assert "Gone: v1 no longer has binaries of tool-5." in text
    answer = await site.client.get("/package/tool-5?tag=develop")
    assert answer.status_code == 404
    text = await said(site, f"/compare/{OLD}/develop")
    assert f"{OLD} is gone since {FRIDAY} and has no binaries" in text
    assert f"{OLD}@{MONDAY} is what it had" in text
    answer = await site.client.get(f"/compare?old=develop@{MONDAY}&new=develop")
    assert answer.status_code in (200, 302)
    html = (await site.client.get("/find")).text
    assert f'value="{OLD}"' not in html
    assert '<option value="v1"' not in html


@pytest.mark.parametrize(
    "start",
    [
        "/", "/tags", f"/tag/{OLD}", "/tag/v1", "/stack/hep", "/package/tool-5",
        f"/spec/{hash_of(2)}", f"/spec/{hash_of(5)}", "/package/tool-3", "/find?spec=tool-1",
        "/feed.atom", "/package/tool-3/feed.atom", "/stack/hep/feed.atom", "/find.atom?spec=tool-3",
    ],
)  # fmt: skip
async def test_no_link_leads_to_nothing(site: Any, start: str) -> None:
    answer = await site.client.get(start)
    assert answer.status_code == 200
    found = set(re.findall(r'href="(?:http://[^"/]*)?(/[^"#]*)', answer.text))
    for path in sorted(unescape(it) for it in found):
        if path.startswith("/-/") or path.endswith(".db"):
            continue
        there = await site.client.get(path, follow_redirects=True)
        assert there.status_code == 200, path


@pytest.fixture(scope="module")
def one_stack_less(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """On Friday hep and ml left develop, which e4s still has, and v1 went as a whole."""
    folder = tmp_path_factory.mktemp("stacks")
    first = week(
        folder / "1.db",
        MONDAY,
        mirror("develop", "e4s", 1, 2),
        mirror("develop", "hep", 1),
        mirror("develop", "ml", 2, 3),
        mirror("v1", "hep", 5),
    )
    friday = (mirror("develop", "e4s", 1, 2),)
    datasette = datasette_for(week(folder / "catalog.db", FRIDAY, *friday, old=first))
    yield datasette
    datasette.get_database("catalog").close()


async def test_a_stack_that_leaves_a_tag_is_told_where_the_tag_stays(one_stack_less: Any) -> None:
    text = await said(one_stack_less, "/")
    removed = "2025-01-10: stacks hep, ml removed from develop;"
    assert f"{removed} the binaries of its other stacks are still there" in text
    assert "2025-01-10: 1 binary of tool-3 removed from develop." in text
    assert "removed from v1; the" not in text
    feed = fromstring((await one_stack_less.client.get("/feed.atom")).content)
    told = {it.findtext(f"{ATOM}title"): it for it in feed.findall(f"{ATOM}entry")}
    entry = told["develop: stacks hep, ml removed"]
    assert entry.findtext(f"{ATOM}updated") == FRIDAY
    assert entry.findtext(f"{ATOM}summary") == (
        f"Stacks hep, ml removed from develop: gone since {FRIDAY}."
        " The binaries of its other stacks are still there."
    )
    assert not [title for title in told if title and title.startswith("v1: stack")]
    titles = {
        path: {
            it.findtext(f"{ATOM}title")
            for it in fromstring((await one_stack_less.client.get(path)).content)
        }
        for path in ("/stack/hep/feed.atom", "/stack/e4s/feed.atom", "/feed.atom?kind=release")
    }
    assert "develop: stack hep removed" in titles["/stack/hep/feed.atom"]
    for path in ("/stack/e4s/feed.atom", "/feed.atom?kind=release"):
        assert not [it for it in titles[path] if it and "stack hep" in it]
    text = await said(one_stack_less, "/stack/hep")
    assert "develop 0 gone since 2025-01-10" in text
