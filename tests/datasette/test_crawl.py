"""Every link of the site leads somewhere: what can be reached from the home page, kind by kind."""

from __future__ import annotations

from typing import Any

import pytest

from tests.crawl import crawl, kind_of


async def test_no_link_is_broken(site: Any) -> None:
    await site.invoke_startup()
    found = await crawl(site.client, most=1, depth=1)
    assert found.wrong == []
    kinds = {kind.partition("?")[0] for kind in found.asked}
    pages = {
        "/",
        "/package/…",
        "/spec/…",
        "/tag/…",
        "/stack/…",
        "/compare/…/…",
        "/find",
        "/catalog",
    }
    assert pages <= kinds
    assert found.links > 1_000


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("/", "/?"),
        ("/package/hdf5", "/package/…?"),
        ("/package/hdf5.csv?list=versions", "/package/….csv?list"),
        ("/package/zlib-ng/dependents?tag=x", "/package/…/dependents?tag"),
        ("/compare/a/b.json?tag=&stack=e4s", "/compare/…/….json?stack&tag"),
        ("/catalog/packages/1", "/catalog/packages/…?"),
        ("/catalog/specs.json?_sort=hash", "/catalog/….json?_sort"),
    ],
)
def test_kinds_of_pages(address: str, kind: str) -> None:
    assert kind_of(address) == kind
