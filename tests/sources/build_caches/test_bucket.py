from __future__ import annotations

import json
from pathlib import Path

import pytest

from etl.errors import SourceError
from etl.records import Problem
from etl.sources.build_caches.bucket import read_bucket_list
from etl.sources.build_caches.places import Index
from etl.sources.selection import EVERYTHING, Selection

BASE = "http://127.0.0.1:8000/bucket"
SUM = "fc29961d88687f4507bd86f42c592bf82ee9333d5c87c6667a0f294f6d2dce8f"


def listed(**tags: object) -> bytes:
    return json.dumps(tags).encode()


def entry(url: object, label: object = "e4s") -> dict[str, object]:
    return {"label": label, "url": url}


def test_indexes_of_both_layouts_in_a_folder() -> None:
    data = listed(
        v2=[entry("s3://spack-binaries/v2/e4s/build_cache/index.json")],
        v1=[
            entry(f"s3://spack-binaries/v1/blobs/sha256/fc/{SUM}", "root"),
            entry(f"https://binaries.spack.io/v1/e4s/blobs/sha256/fc/{SUM}"),
        ],
    )
    here = "https://binaries.spack.io"
    assert read_bucket_list(data, "list.json", EVERYTHING, None).indexes == (
        Index(f"v1/e4s/blobs/sha256/fc/{SUM}", "v1/e4s", "v3", "v1", "e4s", f"{here}/v1/e4s", SUM),
        Index(f"v1/blobs/sha256/fc/{SUM}", "v1", "v3", "v1", "root", f"{here}/v1", SUM),
        Index("v2/e4s/build_cache/index.json", "v2/e4s", "v2", "v2", "e4s", f"{here}/v2/e4s"),
    )


def test_the_bucket_is_where_the_list_came_from() -> None:
    data = listed(
        t=[
            entry("s3://spack-binaries/t/e4s/build_cache/index.json"),
            entry("https://binaries.spack.io/t/hep/build_cache/index.json", "hep"),
            entry("s3://spack-binaries/releases/t/build_cache/index.json", "root"),
        ]
    )
    assert read_bucket_list(data, f"{BASE}/list.json", EVERYTHING, BASE).indexes == (
        Index(
            f"{BASE}/t/e4s/build_cache/index.json",
            f"{BASE}/t/e4s",
            "v2",
            "t",
            "e4s",
            f"{BASE}/t/e4s",
        ),
        Index(
            "https://binaries.spack.io/t/hep/build_cache/index.json",
            "https://binaries.spack.io/t/hep",
            "v2",
            "t",
            "hep",
            "https://binaries.spack.io/t/hep",
        ),
        Index(
            f"{BASE}/releases/t/build_cache/index.json",
            f"{BASE}/releases/t",
            "v2",
            "t",
            "root",
            f"{BASE}/releases/t",
        ),
    )


def test_only_what_is_asked_for(real_data: Path) -> None:
    data = (real_data / "mirrors" / "cache_spack_io_index.json").read_bytes()
    selection = Selection(frozenset({"develop-2024-11-17"}), frozenset({"root", "tutorial"}))
    found = read_bucket_list(data, "list.json", selection, None)
    assert [(index.tag, index.stack) for index in found.indexes] == [
        ("develop-2024-11-17", "root"),
        ("develop-2024-11-17", "tutorial"),
    ]


def test_entries_that_are_not_asked_for_are_no_problem() -> None:
    data = listed(old=[3], new=[entry("s3://spack-binaries/new/build_cache/index.json", "root")])
    found = read_bucket_list(data, "list.json", Selection(frozenset({"new"})), None)
    assert (len(found.indexes), found.problems) == (1, ())


INDEX = "build_cache/index.json"


@pytest.mark.parametrize(
    ("bad", "base", "message"),
    [
        (3, None, "not an object with label and url"),
        (entry(None), None, "None is not an address"),
        (entry(f"s3://spack-binaries/{'x' * 2000}"), None, "is not an address"),
        (entry("s3://spack-binaries/\n"), None, "is not an address"),
        (entry(f"s3://spack-binaries/a/{INDEX}", ".."), None, "'..' cannot be the name of a stack"),
        (entry(f"s3://spack-binaries/a/{INDEX}", 3), None, "3 cannot be the name of a stack"),
        (entry(f"s3://spack-binaries/../{INDEX}"), None, "leads out of the bucket"),
        (entry(f"s3://spack-binaries/%2e%2e/{INDEX}"), None, "leads out of the bucket"),
        (entry(f"s3://spack-binaries//etc/{INDEX}"), None, "leads out of the bucket"),
        (entry(f"s3://spack-binaries/a\\..\\b/{INDEX}"), None, "leads out of the bucket"),
        (entry(f"s3://spack-binaries/a%0ab/{INDEX}"), None, "has control characters in it"),
        (entry("s3://spack-binaries/a.html"), None, "not where a build cache has its index"),
        (entry(f"s3://other/{INDEX}"), BASE, "refused: a list may only lead to http, https and"),
        (entry(f"file:///etc/{INDEX}"), BASE, "refused: a list may only lead to http, https and"),
        (entry(f"ftp://example.org/{INDEX}"), BASE, "refused: a list may only lead to http, http"),
        (entry(f"//example.org/{INDEX}"), BASE, "refused: a list may only lead to http, https and"),
        (entry(f"http:///{INDEX}"), BASE, "refused: a list may only lead to http, https and"),
        (entry(f"http://[::1/{INDEX}"), BASE, "not an address"),
        (
            entry(f"http://me:pw@example.org/{INDEX}"),
            BASE,
            "an address in a list may not contain a login",
        ),
        (entry(f"https://example.org/{INDEX}"), None, "not in this folder; name it as a source"),
    ],
)
def test_bad_entries_are_refused_and_the_rest_is_read(
    bad: object, base: str | None, message: str
) -> None:
    good = entry(f"s3://spack-binaries/t/{INDEX}", "root")
    found = read_bucket_list(listed(t=[good, bad]), "list.json", EVERYTHING, base)
    assert [index.stack for index in found.indexes] == ["root"]
    (problem,) = found.problems
    assert (problem.place, problem.kind) == ("list.json t[1]", "refused")
    assert message in problem.message


def test_tags_that_cannot_be() -> None:
    data = json.dumps({"../x": [entry(f"s3://spack-binaries/t/{INDEX}")]}).encode()
    assert read_bucket_list(data, "list.json", EVERYTHING, None).problems == (
        Problem("list.json ../x[0]", "refused", "'../x' cannot be the name of a tag"),
    )


@pytest.mark.parametrize("data", [b"[]", b'{"t": 3}', b'{"t": {}}', b"3"])
def test_what_is_no_list(data: bytes) -> None:
    with pytest.raises(SourceError, match=r"list\.json: JSON, but not a list of build caches"):
        read_bucket_list(data, "list.json", EVERYTHING, None)


@pytest.mark.parametrize(
    ("url", "mirror"),
    [
        ("https://example.org/v1/e4s/build_cache/index.json", "https://example.org/v1/e4s"),
        (f"https://example.org/v1/e4s/blobs/sha256/fc/{SUM}", "https://example.org/v1/e4s"),
        ("https://example.org/v1/e4s/index.json", None),
    ],
)
def test_indexes_that_lie_elsewhere(url: str, mirror: str | None) -> None:
    (index,) = read_bucket_list(listed(v1=[entry(url)]), "list.json", EVERYTHING, BASE).indexes
    assert (index.place, index.url) == (url, mirror)
