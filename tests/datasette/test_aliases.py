"""``newest`` and ``newest-release`` in the place of a tag in an address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datasette_spack.serve import datasette_for
from etl.sources.selection import Selection
from tests.html_tree import main_of, parse
from tests.sites import SEED, build

# Of the sample: the newest tag with a date, and the newest release.
NEWEST = "develop-2025-07-20"
RELEASE = "v2025.07.0"


@pytest.mark.parametrize(
    ("alias", "same"),
    [
        ("/tag/newest.json", f"/tag/{NEWEST}.json"),
        ("/tag/newest-release.json", f"/tag/{RELEASE}.json"),
        ("/tag/newest-release.csv", f"/tag/{RELEASE}.csv"),
        ("/stack/e4s.json?tag=newest-release", f"/stack/e4s.json?tag={RELEASE}"),
        ("/package/hdf5.json?tag=newest", f"/package/hdf5.json?tag={NEWEST}"),
        ("/find.json?spec=hdf5&tag=newest-release", f"/find.json?spec=hdf5&tag={RELEASE}"),
        ("/find.csv?spec=hdf5+%2Bmpi&tag=newest", f"/find.csv?spec=hdf5+%2Bmpi&tag={NEWEST}"),
        ("/badge/hdf5.svg?tag=newest-release", f"/badge/hdf5.svg?tag={RELEASE}"),
        ("/compare/newest-release/newest.json", f"/compare/{RELEASE}/{NEWEST}.json"),
        ("/catalog/binaries.csv?_tag=newest-release", f"/catalog/binaries.csv?_tag={RELEASE}"),
    ],
)
async def test_an_alias_answers_as_its_tag(site: Any, alias: str, same: str) -> None:
    response = await site.client.get(alias)
    assert response.status_code == 200
    assert response.content == (await site.client.get(same)).content


@pytest.mark.parametrize(
    ("question", "same"),
    [
        ("most_built?tag=newest-release", f"most_built?tag={RELEASE}"),
        ("newest_versions?package=hdf5&tag=newest", f"newest_versions?package=hdf5&tag={NEWEST}"),
        ("changed_packages?old_tag=newest-release&new_tag=newest",
         f"changed_packages?old_tag={RELEASE}&new_tag={NEWEST}"),
    ],
)  # fmt: skip
async def test_an_alias_in_a_question(site: Any, question: str, same: str) -> None:
    path, query = (it.split("?") for it in (f"/catalog/{question}", same))
    for form in (".csv", ".json", ".json?_shape=array"):
        asked = await site.client.get(f"{path[0]}{form}{'&' if '?' in form else '?'}{path[1]}")
        told = await site.client.get(
            f"/catalog/{query[0]}{form}{'&' if '?' in form else '?'}{query[1]}"
        )
        assert asked.status_code == 200
        assert asked.content == told.content
    page = parse((await site.client.get(f"/catalog/{question}")).text)
    own = parse((await site.client.get(f"/catalog/{same}")).text)
    assert page.one("table").rows == own.one("table").rows
    assert len(own.one("table").rows) > 1
    messages = [it.text for it in page.all("p", class_="message")]
    assert (
        f"newest-release is currently {RELEASE}." in messages
        or f"newest is currently {NEWEST}." in messages
    )
    assert page.links.get(RELEASE, page.links.get(NEWEST, "")).startswith("/tag/")


async def test_a_question_gives_the_link_that_lasts(site: Any) -> None:
    page = parse((await site.client.get(f"/catalog/most_built?tag={RELEASE}")).text)
    assert page.links["newest-release"] == "/catalog/most_built?tag=newest-release"


@pytest.mark.parametrize("path", ["/tag/newest-release", "/find?spec=hdf5&tag=newest-release"])
async def test_a_page_says_what_an_alias_stands_for(site: Any, path: str) -> None:
    page = parse((await site.client.get(path)).text)
    messages = [it.text for it in page.all("p", class_="message")]
    assert messages == [f"newest-release is currently {RELEASE}."]
    assert page.links[RELEASE] == f"/tag/{RELEASE}"


@pytest.mark.parametrize(
    ("path", "alias", "lasting"),
    [
        (f"/tag/{RELEASE}", "newest-release", "/tag/newest-release"),
        (f"/tag/{NEWEST}", "newest", "/tag/newest"),
        (
            f"/find?spec=hdf5+%2Bmpi&tag={RELEASE}",
            "newest-release",
            "/find?spec=hdf5+%2Bmpi&tag=newest-release",
        ),
    ],
)
async def test_a_page_of_the_newest_tag_gives_the_link_that_lasts(
    site: Any, path: str, alias: str, lasting: str
) -> None:
    links = parse((await site.client.get(path)).text).links
    assert links[alias] == lasting
    assert (await site.client.get(lasting)).status_code == 200


async def test_a_page_of_another_tag_gives_none(site: Any) -> None:
    page = (await site.client.get("/tag/develop-2024-11-17")).text
    assert "that follow the newest tag" not in page


async def test_what_stands_for_nothing_is_not_there(tmp_path: Path) -> None:
    only = Selection(tags=frozenset({"develop-2025-03-30"}))
    build(tmp_path / "catalog.db", SEED, selection=only)
    datasette = datasette_for(tmp_path / "catalog.db")
    response = await datasette.client.get("/tag/newest-release")
    assert response.status_code == 404
    assert "no tag called newest-release" in response.text
    assert (await datasette.client.get("/tag/newest")).status_code == 200


async def test_the_newest_release_can_be_chosen(site: Any) -> None:
    page = main_of((await site.client.get("/find?spec=hdf5")).text)
    (form,) = [it for it in page.all("form") if it.attributes.get("class") == "find"]
    assert form.options("tag")[:3] == ["", "any", "newest-release"]
    chosen = main_of((await site.client.get("/find?spec=hdf5&tag=newest-release")).text)
    assert chosen.one("h2").text.endswith(f" in {RELEASE}")
