"""What all pages of the site have: title, description, address, JSON beside them, SQL that runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from datasette_spack.serve import datasette_for
from tests.html_tree import Element, parse
from tests.sites import hash_of
from tests.small_catalogs import DEVELOP, FIRST, SECOND, history_catalog

MPI = "ta6pedvdixmtsxl6zzxbsro4hfbn3wej"
SLASH = "releases%2Fv0.18"

TITLES = {
    "/": "spack-catalog",
    "/packages": "Packages",
    "/packages?q=lib&order=binaries": "Packages",
    "/package/tool": "tool",
    f"/package/tool?tag={FIRST}&variant=~ipo&stacks=e4s": "tool",
    "/package/tool?os=rhel8&target=zen4": "tool",
    f"/spec/{hash_of(3)}": f"tool@1.10 /{hash_of(3)[:7]}",
    "/spec/hhh": "13 hashes begin with hhh",
    "/tags": "Tags",
    f"/tag/{SECOND}": SECOND,
    f"/tag/{SECOND}?q=lib": SECOND,
    f"/tag/{SLASH}": "releases/v0.18",
    "/tag/releases/v0.18": "releases/v0.18",
    "/stacks": "Stacks",
    "/stack/e4s": "Stack e4s",
    f"/stack/e4s?tag={SECOND}&without=hep": "Stack e4s",
    "/compare": "Compare two tags",
    f"/compare/{FIRST}/{SECOND}": f"{FIRST} → {SECOND}",
    f"/compare/{SECOND}/{FIRST}?stack=e4s": f"{SECOND} → {FIRST}",
    f"/compare/{SLASH}/{DEVELOP}": f"releases/v0.18 → {DEVELOP}",
}
"""Addresses of every kind of page, and what the page there is called."""

ON_THE_SAMPLE = [
    "/package/hdf5",
    "/package/hdf5?tag=v2025.07.0&runs_on=zen4&variant=%2Bmpi",
    "/package/glibc",
    f"/spec/{MPI}",
    "/spec/5hvskep35ebjvo4hhqbbx5v7n6tz4wcf",
    "/spec/t2rqteqxuvxmx6y5hu3rw2rwwgkzub3l",
    "/spec/a",
    "/tag/v2025.07.0",
    "/stack/tutorial",
    "/compare/develop-2024-11-17/develop-2025-07-20",
    "/compare/v2025.07.0/develop-2025-07-20?stack=tutorial",
    "/packages",
]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return history_catalog(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="module")
def history(catalog: Path) -> Iterator[Any]:
    datasette = datasette_for(catalog)
    yield datasette
    datasette.get_database("catalog").close()


def beside(path: str) -> str:
    """Where the JSON of a page is."""
    path, question, query = path.partition("?")
    return f"{path if path != '/' else '/home'}.json{question}{query}"


def shown_sql(page: Element) -> list[Element]:
    """Where a page shows SQL."""
    return [it for it in page.all("details") if it.all("summary")[0].text.startswith("SQL of ")]


def statements(page: Element) -> list[str]:
    """The SQL that a page shows."""
    return [it.one("code").raw for it in shown_sql(page)]


def lists(facts: Any) -> Iterator[tuple[str, list[Any], int | None]]:
    """The SQL in some facts, each with its rows, and their number where it is told."""
    if isinstance(facts, list):
        for it in facts:
            yield from lists(it)
    elif isinstance(facts, dict):
        for it in facts.values():
            yield from lists(it)
        if facts.get("sql"):
            found = facts.get("found")
            rows = found["rows"] if found else next(
                facts[name] for name in ("rows", "parts", "packages", "specs", "stacks", "tags")
                if name in facts
            )  # fmt: skip
            yield facts["sql"], rows, None if "parts" in facts else facts.get("total")


@pytest.mark.parametrize("path", TITLES)
async def test_what_a_page_says_of_itself(history: Any, path: str) -> None:
    response = await history.client.get(path)
    assert response.status_code == 200
    page = parse(response.text)
    title = TITLES[path]
    site = "" if title == "spack-catalog" else " · spack-catalog"
    assert page.one("head").one("title").text == f"{title}{site}"
    (description,) = [it.attributes["content"] for it in page.all("meta", name="description")]
    assert 10 < len(description) < 1_000
    # What is asked makes another page only of these.
    asked = path.startswith(("/find", "/compare"))
    address = f"http://localhost{path if asked else path.split('?')[0]}"
    graph = {
        it.attributes["property"]: it.attributes["content"]
        for it in page.all("meta")
        if it.attributes.get("property", "").startswith("og:")
    }
    assert graph == {
        "og:type": "website",
        "og:site_name": "spack-catalog",
        "og:title": title,
        "og:description": description,
        "og:url": address,
    }
    assert page.one("link", rel="canonical").attributes["href"] == address
    (json_link,) = page.all("link", rel="alternate", type="application/json")
    assert json_link.attributes["href"] == beside(path)
    assert len(page.all("h1")) == 1
    ids = [it.attributes["id"] for it in page.walk() if "id" in it.attributes]
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize(
    ("path", "kept_away"),
    [
        ("/", False),
        ("/packages", False),
        ("/packages?q=lib", True),
        ("/package/tool", False),
        ("/package/tool?os=rhel8", True),
        (f"/spec/{hash_of(3)}", True),
        ("/spec/hhh", True),
        (f"/tag/{SECOND}", False),
        (f"/tag/{SECOND}?page=2", True),
        ("/stack/e4s", False),
        (f"/stack/e4s?tag={SECOND}", True),
        (f"/compare/{FIRST}/{SECOND}", True),
    ],
)
async def test_crawlers_are_kept_off_what_has_no_end(
    history: Any, path: str, kept_away: bool
) -> None:
    page = parse((await history.client.get(path)).text)
    robots = [it.attributes["content"] for it in page.all("meta", name="robots")]
    assert robots == (["noindex, nofollow"] if kept_away else [])


@pytest.mark.parametrize("path", TITLES)
async def test_every_page_has_json_beside_it(history: Any, path: str) -> None:
    response = await history.client.get(beside(path))
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/json")
    assert response.headers["access-control-allow-origin"] == "*"
    facts = response.json()
    assert facts["ok"] is True
    assert len(facts) > 1


@pytest.mark.parametrize(
    ("path", "facts"),
    [
        (
            "/home.json",
            {
                "counts": {
                    "tags": 4,
                    "packages": 4,
                    "specs": 13,
                    "binaries": 15,
                    "gone": 0,
                    "gone_tags": 0,
                }
            },
        ),
        ("/package/tool.json?os=rhel8", {"tag": SECOND, "spec": "tool os=rhel8"}),
        (f"/spec/{hash_of(3)}.json", {"described": False}),
        ("/spec/hhh.json", {"prefix": "hhh", "total": 13}),
        (f"/tag/{SLASH}.json", {"previous": None, "changes": None}),
        ("/tag/releases/v0.18.json", {"previous": None, "changes": None}),
        (f"/stack/hep.json?tag={SECOND}&without=e4s", {"tag": SECOND, "other": "e4s"}),
        (f"/compare/{FIRST}/{SECOND}.json", {"old": FIRST, "new": SECOND, "binaries_added": 7}),
        ("/packages.json?q=new", {"total": 1}),
        ("/tags.json", {}),
        ("/stacks.json", {}),
        ("/compare.json", {}),
    ],
)
async def test_the_facts_as_json(history: Any, path: str, facts: dict[str, Any]) -> None:
    found = (await history.client.get(path)).json()
    assert {"ok": True, **facts}.items() <= found.items()


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/package/nope", 404, "no package nope in this catalog"),
        ("/package/tool?stacks=e4", 400, "no stack e4 in this catalog; did you mean e4s?"),
        ("/spec/22", 404, "no spec with a hash that begins with 22 in this catalog"),
        ("/tag/nope", 404, "no tag nope in this catalog"),
        ("/stack/nope", 404, "no stack nope in this catalog"),
        (f"/compare/nope/{SECOND}", 404, "no tag nope in this catalog"),
    ],
)
async def test_errors_are_json_too(history: Any, path: str, status: int, error: str) -> None:
    response = await history.client.get(beside(path))
    assert response.status_code == status
    found = response.json()
    assert (found["ok"], found["error"]) == (False, error)
    assert response.headers["access-control-allow-origin"] == "*"
    page = parse((await history.client.get(path)).text)
    assert page.all("link", rel="alternate", type="application/json") == []


async def _check_statements(datasette: Any, catalog: Path, path: str) -> int:
    facts = (await datasette.client.get(beside(path))).json()
    shown = statements(parse((await datasette.client.get(path)).text))
    known = {sql: (rows, total) for sql, rows, total in lists(facts)}
    if "tags_sql" in facts:
        known[facts["tags_sql"]] = (facts["tags"], len(facts["tags"]))
    assert set(shown) <= known.keys()
    with closing(sqlite3.connect(catalog)) as db:
        db.row_factory = sqlite3.Row
        for sql, (rows, total) in known.items():
            found = [dict(row) for row in db.execute(sql)]
            assert found[: len(rows)] == rows, sql
            assert total in (None, len(found))
    return len(shown)


@pytest.mark.parametrize("path", TITLES)
async def test_sql_that_is_shown_gives_what_is_shown(
    history: Any, catalog: Path, path: str
) -> None:
    shown = await _check_statements(history, catalog, path)
    assert bool(shown) == (path.split("?")[0] not in ("/", "/compare"))


@pytest.mark.parametrize("path", ON_THE_SAMPLE)
async def test_sql_that_is_shown_gives_what_is_shown_of_the_sample(
    site: Any, sample_catalog: Path, path: str
) -> None:
    assert await _check_statements(site, sample_catalog, path) > 0


@pytest.mark.parametrize("path", ["/package/hdf5", f"/spec/{MPI}", "/packages"])
async def test_sql_can_be_edited_and_run_here(site: Any, path: str) -> None:
    page = parse((await site.client.get(path)).text)
    for it in shown_sql(page):
        (link,) = it.all("a")
        response = await site.client.get(link.attributes["href"])
        assert response.status_code == 200
        assert it.one("code").raw.strip() in parse(response.text).one("textarea").raw


@pytest.mark.parametrize("path", [*ON_THE_SAMPLE, "/", "/tags", "/stacks"])
async def test_every_link_on_a_page_leads_to_a_page(site: Any, path: str) -> None:
    page = parse((await site.client.get(path)).text).one("main")
    ids = {it.attributes["id"] for it in page.walk() if "id" in it.attributes}
    by_kind: dict[str, list[str]] = {}
    for it in page.all("a"):
        href = it.attributes.get("href", "")
        if href.startswith("#"):
            assert href[1:] in ids
        elif href.startswith("/"):
            by_kind.setdefault(href.split("?")[0].split("/")[1], []).append(href)
    assert by_kind
    for links in by_kind.values():
        for href in {links[0], links[-1]}:
            response = await site.client.get(href)
            assert response.status_code == 200, href
            fragment = href.partition("#")[2]
            assert not fragment or f'id="{fragment}"' in response.text


async def test_json_is_valid_to_the_letter(site: Any) -> None:
    text = (await site.client.get("/package/hdf5.json?tag=v2025.07.0")).text

    def no_constant(name: str) -> None:
        raise AssertionError(name)

    facts = json.loads(text, parse_constant=no_constant)
    assert len(facts["found"]["rows"]) == 16


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/tag/develop", "2 binaries of 1 package in Spack's build caches of develop."),
        (
            "/package/python-venv",
            "python-venv: 19 specs of 1 version up to 1.0, in 3 tags, last in develop-2025-07-20.",
        ),
        ("/packages?q=hdf5", "1 package with binaries in Spack's build caches."),
        (
            "/compare/develop/v0.20.1",
            "From develop to v0.20.1: 7 binaries added, 2 removed; 1 new package, 0 upgraded.",
        ),
    ],
)
async def test_one_is_not_many(site: Any, path: str, says: str) -> None:
    page = parse((await site.client.get(path)).text)
    found = [it for it in page.walk() if it.attributes.get("name") == "description"]
    assert found[0].attributes["content"].startswith(says)
