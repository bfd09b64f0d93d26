"""Addresses that somebody cut off, or ended with a slash."""

from __future__ import annotations

from typing import Any

import pytest

from tests.html_tree import main_of


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/package", "/packages"),
        ("/package/", "/packages"),
        ("/tag", "/tags"),
        ("/stack/", "/stacks"),
        ("/spec/", "/find"),
        ("/compare/develop", "/compare?old=develop"),
        ("/compare/develop/", "/compare?old=develop"),
        ("/compare/a%26new=b.json", "/compare.json?old=a%26new%3Db"),
        ("/package/hdf5/", "/package/hdf5"),
        ("/tag/develop/", "/tag/develop"),
    ],
)
async def test_where_it_leads(site: Any, path: str, leads_to: str) -> None:
    response = await site.client.get(path, follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (302, leads_to)


async def test_the_form_has_what_was_given(site: Any) -> None:
    async def chosen(query: str) -> list[str]:
        page = main_of((await site.client.get(f"/compare{query}")).text)
        return [it.text for it in page.walk() if it.tag == "option" and "selected" in it.attributes]

    assert await chosen("?old=v0.20.1") == ["v0.20.1", "develop-2025-07-20"]
    assert await chosen("?new=v0.20.1&stack=e4s") == ["develop-2025-07-20", "v0.20.1", "e4s"]


async def test_only_what_a_package_has_is_linked_on_its_page(site: Any) -> None:
    for path, linked in (("/package/hdf5", True), ("/package/hdf5?version=99", False)):
        page = main_of((await site.client.get(path)).text)
        links = {it.attributes.get("href") for it in page.walk()}
        ids = {it.attributes.get("id") for it in page.walk()}
        assert ("#install" in links) == ("install" in ids) == linked
