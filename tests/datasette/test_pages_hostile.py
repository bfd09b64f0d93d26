"""A catalog full of what strangers may put in build caches: no page runs it or breaks at it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest

from datasette_spack.serve import datasette_for
from tests.html_tree import Element, parse
from tests.sites import hash_of
from tests.small_catalogs import HOSTILE_TEXTS, LONG_NAME, LONG_TAG, SECOND, hostile_catalog

PATHS = [
    "/",
    "/packages",
    "/package/evil",
    f"/package/evil?tag={LONG_TAG}",
    f"/package/evil?stacks={LONG_NAME}",
    "/package/evil-needs",
    "/package/evil-system",
    "/package/evil-system/impact",
    f"/package/evil/impact?tag={LONG_TAG}",
    f"/package/{LONG_NAME}",
    *(f"/spec/{hash_of(number)}" for number in range(1, len(HOSTILE_TEXTS) + 1)),
    f"/spec/{hash_of(100)}",
    f"/spec/{hash_of(101)}",
    "/spec/hhh",
    "/tags",
    f"/tag/{SECOND}",
    f"/tag/{LONG_TAG}",
    "/stacks",
    f"/stack/{LONG_NAME}",
    f"/stack/root?without={LONG_NAME}",
    "/compare",
    f"/compare/{LONG_TAG}/{SECOND}",
    f"/compare/{SECOND}/{LONG_TAG}?stack={LONG_NAME}",
]

OWN_SCRIPT = re.compile(r"/-/static-plugins/spack-catalog/site\.js\?[0-9a-f]+")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_catalog(tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def hostile(catalog: Path) -> Iterator[Any]:
    datasette = datasette_for(catalog)
    yield datasette
    datasette.get_database("catalog").close()


def is_harmless(page: Element) -> bool:
    """Nothing runs but the site's own script, and no link leads anywhere but to a page."""
    elements = list(page.walk())
    scripts = [it for it in elements if it.tag == "script"]
    data = [it for it in scripts if it.attributes.get("type") == "application/ld+json"]
    for it in data:  # not run, whatever is in it
        assert json.loads(it.raw)["@type"] == "SoftwareApplication"
        assert not set("<>&") & set(it.raw)
    scripts = [it for it in scripts if it not in data]
    assert [it for it in scripts if it.raw.strip()] == []
    for it in scripts:
        assert OWN_SCRIPT.fullmatch(it.attributes["src"])
    pictures = [it for it in elements if it.tag == "img"]
    assert [it for it in pictures if not it.attributes["src"].startswith("/badge/")] == []
    assert [it for it in elements if it.tag in ("iframe", "object", "embed", "base")] == []
    for it in elements:
        assert [name for name in it.attributes if name.startswith("on") or name == "style"] == []
        for name in ("href", "xlink:href", "src", "action", "formaction"):
            where = it.attributes.get(name, "/")
            assert where.startswith(("/", "#", "http://", "https://")), where
    return True


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_of_it_is_markup(hostile: Any, path: str) -> None:
    response = await hostile.client.get(path)
    assert response.status_code == 200
    assert "<script>alert" not in response.text
    assert "<img src=x" not in response.text
    assert "49{" not in response.text  # nobody computes {{ 7 * 7 }}
    assert is_harmless(parse(response.text))
    beside = path.partition("?")
    facts = await hostile.client.get(f"{beside[0] if path != '/' else '/home'}.json?{beside[2]}")
    assert facts.json()["ok"] is True
    assert facts.headers["content-type"].startswith("application/json")


async def test_it_is_shown_as_it_is(hostile: Any) -> None:
    for number, text in enumerate(HOSTILE_TEXTS, start=1):
        page = parse((await hostile.client.get(f"/spec/{hash_of(number)}")).text).one("main")
        raw = page.raw
        assert text in raw
        facts = page.all("dl")[0].pairs
        read = " ".join(text.split())
        assert {name: facts[name] for name in ("Compiler", "OS", "Platform", "Target")} == {
            "Compiler": read,
            "OS": read,
            "Platform": read,
            "Target": read,
        }


async def test_what_a_recipe_says_is_text(hostile: Any) -> None:
    page = parse((await hostile.client.get("/package/evil")).text)
    (description,) = page.all("meta", name="description")
    said = f"{HOSTILE_TEXTS[0]} {HOSTILE_TEXTS[1]}"
    assert description.attributes["content"].endswith(said)
    assert said in page.one("main").text
    assert "Homepage" not in page.one("main").all("dl")[0].pairs
    page = parse((await hostile.client.get(f"/package/{LONG_NAME}")).text).one("main")
    homepage = f"https://example.org/{HOSTILE_TEXTS[1]}"
    assert page.links[homepage] == homepage
    assert page.all("dl")[0].pairs["Licence"] == HOSTILE_TEXTS[0]


@pytest.mark.parametrize("text", [*HOSTILE_TEXTS, "'", '"', "\x00", "\n", "a" * 10_000])
@pytest.mark.parametrize(
    "name", ["tag", "version", "compiler", "os", "target", "runs_on", "stacks", "variant"]
)
async def test_any_text_can_be_asked_for(hostile: Any, name: str, text: str) -> None:
    response = await hostile.client.get(f"/package/evil?{urlencode({name: text})}")
    assert response.status_code in (200, 400, 404)
    assert is_harmless(parse(response.text))
    assert len(response.text) < 300_000


@pytest.mark.parametrize("text", [*HOSTILE_TEXTS, "'", "\x00", "\U0001f4a5" * 100, "%" * 10_000])
@pytest.mark.parametrize(
    "path",
    ["/packages?q=", f"/tag/{SECOND}?q=", "/stack/root?q=", "/stack/root?without=",
     "/stack/root?tag=", f"/compare/{SECOND}/{LONG_TAG}?stack=", "/package/evil/impact?tag=",
     "/package/evil/impact?version=", "/package/evil/impact?closure="],
)  # fmt: skip
async def test_any_text_can_be_looked_for(hostile: Any, path: str, text: str) -> None:
    address, _, name = path.partition("?")
    response = await hostile.client.get(f"{address}?{urlencode({name.rstrip('='): text})}")
    refused = (400,) if address.endswith("/impact") else ()  # no version, no closure
    assert response.status_code in (200, 404, *refused)
    assert is_harmless(parse(response.text))


async def test_what_contains_something_hostile(hostile: Any) -> None:
    response = await hostile.client.get("/package/evil-system/impact")
    page = parse(response.text)
    assert is_harmless(page)
    assert [row["Package"] for row in page.section("binaries").one("table").records] == [
        "evil-needs"
    ]
    feed = await hostile.client.get("/package/evil-system/impact.atom")
    assert len(ElementTree.fromstring(feed.content).findall("{*}entry")) == 1


@pytest.mark.parametrize("text", [*HOSTILE_TEXTS, "\x00", "~2F", "x" * 10_000])
@pytest.mark.parametrize("path", ["package", "tag", "stack", "spec", f"compare/{SECOND}"])
async def test_any_text_can_be_a_name(hostile: Any, path: str, text: str) -> None:
    quoted = urlencode({"": text})[1:].replace("+", "%20")
    response = await hostile.client.get(f"/{path}/{quoted}")
    assert response.status_code == 404
    page = parse(response.text)
    assert is_harmless(page)
    assert page.one("main").one("h1").text.startswith("No ")
