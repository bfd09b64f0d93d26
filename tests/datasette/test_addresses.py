"""Addresses are written as URLs have it; what anybody asks for is not kept for that."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasette_spack.serve import datasette_for
from datasette_spack.site import addresses
from datasette_spack.site.addresses import Addresses, quoted


@pytest.fixture(scope="module")
def site(sample_catalog: Path) -> Addresses:
    return Addresses(datasette_for(sample_catalog))


@pytest.mark.parametrize("letters", ["a", "+~ %&=?#/", "ü"])
@pytest.mark.parametrize("times", [1, 300])
def test_long_parts_are_written_like_short_ones(site: Addresses, letters: str, times: int) -> None:
    written = {"a": "a", "+~ %&=?#/": "%2B~+%25%26%3D%3F%23%2F", "ü": "%C3%BC"}[letters]
    assert site.find(letters * times) == f"/find?spec={written * times}"
    in_path = written.replace("+", "%20")
    assert site.package(letters * times) == f"/package/{in_path * times}"


def test_what_is_long_is_not_kept(site: Addresses) -> None:
    def kept() -> list[int]:
        caches = addresses._kept_in_query, addresses._kept_in_path
        return [it.cache_info().currsize for it in caches]

    assert (site.find("short"), site.spec("short")) == ("/find?spec=short", "/spec/short")
    before = kept()
    assert min(before) > 0
    for letter in "xy":
        assert site.find(letter * 60_000) == f"/find?spec={letter * 60_000}"
        assert site.spec(letter * 60_000) == f"/spec/{letter * 60_000}"
    assert kept() == before


@given(st.text(st.characters(max_codepoint=127)) | st.text())
def test_texts_are_quoted_as_the_library_does(text: str) -> None:
    assert quoted(text) == quote_plus(text)


def test_every_sign_is_quoted_as_the_library_does() -> None:
    signs = "".join(map(chr, range(300)))
    assert quoted(signs) == quote_plus(signs)
    assert quoted(signs[:128]) == quote_plus(signs[:128])
