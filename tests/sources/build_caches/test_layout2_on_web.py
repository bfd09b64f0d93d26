"""What a server tells of mirrors of layout 2: sizes, what is lacking, and whether it is signed."""

from __future__ import annotations

from typing import Any

import pytest

from etl.records import Spec
from etl.sources.build_caches.places import Index
from etl.sources.build_caches.signing import signed_on_web
from etl.sources.build_caches.web_sizes import sizes_on_web, spec_file_address, tarball_address
from etl.sources.download.fetch import Fetcher
from etl.sources.stores import WebStore
from tests.sites import hash_of


def spec(number: int, compiler: str = "gcc@=12.2.0") -> Spec:
    return Spec(hash_of(number), "tool", "1.0", compiler, "rhel8", "linux", "zen4", ())


def path_of(number: int, ending: str) -> str:
    """The path of the tarball, or of the spec, of a binary."""
    if ending == ".spack":
        return str(tarball_address("", spec(number)))
    return f"{spec_file_address('', spec(number))}{ending}"


def index_of(url: str) -> Index:
    return Index(f"{url}/build_cache/index.json", url, "v2", "v1", "e4s", url)


def test_where_things_are() -> None:
    folder = f"linux-rhel8-zen4-gcc-12.2.0-tool-1.0-{hash_of(1)}"
    assert path_of(1, ".spack") == (
        f"/build_cache/linux-rhel8-zen4/gcc-12.2.0/tool-1.0/{folder}.spack"
    )
    assert path_of(1, ".spec.json") == f"/build_cache/{folder}.spec.json"
    assert tarball_address("", spec(1, "none")) is None
    assert spec_file_address("", spec(1, "none")) is None


def test_sizes_and_what_is_lacking(serve_answers: Any, fetcher: Fetcher) -> None:
    dated = {"Last-Modified": "Fri, 16 Oct 2026 10:00:00 GMT"}
    server = serve_answers(
        {
            path_of(1, ".spack"): (200, b"12345", dated),
            path_of(2, ".spec.json"): (200, b"{}"),  # its size is not known, but it is there
            path_of(3, ".spec.json.sig"): (200, b"{}"),
        }
    )
    specs = [*(spec(number) for number in (1, 2, 3, 4)), spec(5, "none")]
    found = sizes_on_web(fetcher, index_of(server.url), specs)
    assert found.by_hash == {hash_of(1): 5}
    assert found.put == {hash_of(1): "2026-10-16T10:00:00Z"}
    assert found.lacking == {hash_of(4)}
    assert found.refused == []
    asked = len(server.requests)
    again = sizes_on_web(fetcher, index_of(server.url), specs[:1])  # from the download cache
    assert (again.by_hash, again.put) == (found.by_hash, found.put)
    assert len(server.requests) == asked


def test_a_mirror_that_fails_is_not_asked_for_the_rest(
    serve_answers: Any, fetcher: Fetcher
) -> None:
    server = serve_answers({path_of(1, ".spack"): (200, b"1"), path_of(2, ".spec.json"): (500,)})
    found = sizes_on_web(fetcher, index_of(server.url), [spec(1), spec(2)])
    assert found.lacking == set()
    assert [error.place for error in found.refused] == [f"{server.url}{path_of(2, '.spec.json')}"]


def test_a_lone_index_has_no_binaries(fetcher: Fetcher, dead_url: str) -> None:
    found = sizes_on_web(fetcher, Index(f"{dead_url}/i.json", dead_url, "bare"), [spec(1)])
    assert (found.by_hash, found.lacking, found.refused) == ({}, set(), [])


@pytest.mark.parametrize(
    ("ending", "signed"), [(".spec.json.sig", True), (".spec.json", False), (".spack", None)]
)
def test_the_first_that_is_there_tells_whether_it_is_signed(
    serve_answers: Any, fetcher: Fetcher, ending: str, signed: bool | None
) -> None:
    server = serve_answers({path_of(2, ending): (200, b"{}")})
    told = signed_on_web(WebStore(fetcher), index_of(server.url), [spec(1), spec(2)])
    assert told == (signed, frozenset() if signed is None else {hash_of(1)})
