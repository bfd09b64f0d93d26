"""Who is sent gzip, and which form of an answer he is told that he has."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasette_spack.packing import packed, packed_tag, takes_gzip, unpacked
from tests.running import PATIENCE
from tests.servers import serving

PAGES = [
    "/",
    "/package/zlib-ng",
    "/catalog/binaries.json",
    "/catalog/specs.csv",
    "/find.json?spec=zlib-ng",
]
HTML = [(b"content-type", b"text/html; charset=utf-8")]


@pytest.mark.parametrize(
    ("accept", "takes"),
    [
        ("gzip", True),
        ("GZIP ; q=0.5", True),
        ("x-gzip", True),
        ("br, zstd;q=0.9, gzip;q=0.001", True),
        ("*", True),
        ("gzip;q=0.5, identity;q=0.5", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*;q=0", False),
        ("gzip;q=0.5, identity", False),
        ("gzip;q=2", False),
        ("gzip;level=1", False),
        ("not gzip", False),
    ],
)
def test_who_takes_gzip(accept: str, takes: bool) -> None:
    assert takes_gzip(accept) == takes


@given(st.text(max_size=60))
def test_any_header_is_read(accept: str) -> None:
    assert takes_gzip(accept) in (True, False)


@given(st.binary(max_size=3000))
def test_what_is_packed_comes_back(body: bytes) -> None:
    content = packed(body * 2, HTML)
    assert content is None or (unpacked(content) == body * 2 and len(content) < len(body) * 2)


@pytest.mark.parametrize(
    ("kind", "packs"),
    [
        ("text/html; charset=utf-8", True),
        ("text/csv", True),
        ("application/json", True),
        ("application/ld+json", True),
        ("application/atom+xml;charset=utf-8", True),
        ("image/svg+xml", True),
        ("image/png", False),
        ("application/vnd.sqlite3", False),
        ("application/zip", False),
    ],
)
def test_only_text_is_packed(kind: str, packs: bool) -> None:
    assert (packed(b"a" * 5000, [(b"content-type", kind.encode())]) is not None) == packs
    assert packed(b"a" * 5000, []) is None
    encoded = [*HTML, (b"content-encoding", b"br")]
    assert packed(b"a" * 5000, encoded) is None


def test_the_same_is_packed_to_the_same_bytes() -> None:
    assert packed(b"a" * 5000, HTML) == packed(b"a" * 5000, HTML)


@pytest.fixture(scope="module")
def served(sample_catalog: Path) -> Iterator[httpx.Client]:
    with (
        serving(sample_catalog) as (address, _),
        httpx.Client(base_url=address, timeout=PATIENCE) as client,
    ):
        yield client


def raw(
    client: httpx.Client, path: str, method: str = "GET", **headers: str
) -> tuple[httpx.Response, bytes]:
    """An answer with its body as it is sent."""
    given = {"accept-encoding": "identity", **{k.replace("_", "-"): v for k, v in headers.items()}}
    with client.stream(method, path, headers=given) as response:
        return response, b"".join(response.iter_raw())


@pytest.mark.parametrize("path", PAGES)
def test_both_forms_of_a_page(served: httpx.Client, path: str) -> None:
    for _ in range(2):  # when it is made, and when it is kept
        as_gzip, content = raw(served, path, accept_encoding="gzip")
        plain, text = raw(served, path)
        assert gzip.decompress(content) == text
        assert as_gzip.headers["content-encoding"] == "gzip"
        assert "content-encoding" not in plain.headers
        for response, body in ((as_gzip, content), (plain, text)):
            assert response.headers["content-length"] == str(len(body))
            assert response.headers["vary"] == "Accept-Encoding, Cookie, Authorization"
        assert as_gzip.headers["etag"] == packed_tag(plain.headers["etag"])
        for accept, full in (("gzip", as_gzip), ("identity", plain)):
            head, nothing = raw(served, path, "HEAD", accept_encoding=accept)
            assert nothing == b""
            same = {k: v for k, v in full.headers.items() if k != "date"}
            assert {k: v for k, v in head.headers.items() if k != "date"} == same


def test_a_head_comes_first(served: httpx.Client) -> None:
    path = "/stacks"
    head, _ = raw(served, path, "HEAD", accept_encoding="gzip")
    whole, content = raw(served, path, accept_encoding="gzip")
    assert head.headers["content-length"] == str(len(content))
    assert head.headers["etag"] == whole.headers["etag"]


@pytest.mark.parametrize("accept", ["gzip", "identity"])
def test_who_has_a_form_is_not_sent_it_again(served: httpx.Client, accept: str) -> None:
    plain = raw(served, "/tags")[0].headers["etag"]
    as_gzip = packed_tag(plain)
    mine = as_gzip if accept == "gzip" else plain
    for known in (mine, mine.removeprefix("W/"), f"{plain}, {as_gzip}"):
        response, body = raw(served, "/tags", accept_encoding=accept, if_none_match=known)
        assert (response.status_code, body, response.headers["etag"]) == (304, b"", mine)
        assert response.headers["vary"] == "Accept-Encoding, Cookie, Authorization"
        assert "content-encoding" not in response.headers


def test_a_form_that_cannot_be_read_is_not_had(served: httpx.Client) -> None:
    response, text = raw(served, "/tags")
    other = packed_tag(response.headers["etag"])
    again, body = raw(served, "/tags", if_none_match=other)
    assert (again.status_code, body) == (200, text)
    kept, _ = raw(served, "/tags", accept_encoding="gzip", if_none_match=response.headers["etag"])
    assert kept.headers["etag"] == response.headers["etag"]  # text can be read by everybody
    assert kept.status_code == 304


def test_a_part_of_the_file_is_a_part_of_the_file(
    served: httpx.Client, sample_catalog: Path
) -> None:
    response, body = raw(served, "/catalog.db", accept_encoding="gzip", range="bytes=10-99")
    assert (response.status_code, body) == (206, sample_catalog.read_bytes()[10:100])
    assert "content-encoding" not in response.headers
    page, _ = raw(served, "/tags", range="bytes=10-99")
    assert page.status_code == 200


def test_style_is_packed_too(served: httpx.Client) -> None:
    page = raw(served, "/")[1].decode()
    style = next(
        part.split('"')[0] for part in page.split('href="') if ".css?" in part.split('"')[0]
    )
    for _ in range(2):
        response, content = raw(served, style, accept_encoding="gzip")
        assert response.headers["vary"] == "Accept-Encoding"
        assert "immutable" in response.headers["cache-control"]
        assert gzip.decompress(content) == raw(served, style)[1]
