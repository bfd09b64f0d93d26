"""Build caches on the web: a server over real mirrors, and one that breaks in every way."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from etl.errors import SourceError
from etl.records import Digest, Listing, Mirror, Problem, Record, Source
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.build_caches.web import read_url
from etl.sources.download.cache import DownloadCache
from etl.sources.download.fetch import Fetcher
from etl.sources.selection import Selection

NEW = "develop-2025-07-20"
OLD = "develop-2024-11-17"
V3_BLOB = "blobs/sha256/fc/fc29961d88687f4507bd86f42c592bf82ee9333d5c87c6667a0f294f6d2dce8f"
THIS_ONE = Selection(frozenset({NEW}), frozenset({"tutorial"}))


def mirrors_of(records: Iterable[Record]) -> list[Mirror]:
    return [record for record in records if isinstance(record, Mirror)]


def test_a_whole_bucket(real_data: Path, serve_folder: Any, fetcher: Fetcher) -> None:
    server = serve_folder(real_data / "mirrors")
    records = list(read_url(server.url, fetcher=fetcher))
    assert records[0] == Source("build cache", server.url, parts=6)
    assert isinstance(records[-1], Digest)
    blobs = {
        "build_systems": "27/27988e7ff045ba363b37bd6a27627d0c51799e4ef20c72a0b56e27fbf1ae60f2",
        "root": "d0/d0674c9544cc518f59e12d29646e6f809e24d34539b0f57ab4fd221794b7a382",
        "tutorial": "fc/fc29961d88687f4507bd86f42c592bf82ee9333d5c87c6667a0f294f6d2dce8f",
    }
    expected = [
        (OLD, "build_systems", "/build_systems", "/build_cache/index.json", 45, 44),
        (OLD, "root", "", "/build_cache/index.json", 68, 66),
        (OLD, "tutorial", "/tutorial", "/build_cache/index.json", 31, 29),
        (NEW, "build_systems", "/build_systems", f"/blobs/sha256/{blobs['build_systems']}", 47, 45),
        (NEW, "root", "", f"/blobs/sha256/{blobs['root']}", 75, 72),
        (NEW, "tutorial", "/tutorial", f"/blobs/sha256/{blobs['tutorial']}", 38, 35),
    ]
    assert [
        (m.tag, m.stack, m.url, m.place, len(m.specs), sum(m.available))
        for m in mirrors_of(records)
    ] == [
        (tag, stack, f"{server.url}/{tag}{at}", f"{server.url}/{tag}{at}{index}", specs, there)
        for tag, stack, at, index, specs, there in expected
    ]
    assert sum(isinstance(it, Listing) for it in records) == 1
    assert len(records) == 9


def test_the_web_and_the_folder_tell_the_same(
    real_data: Path, serve_folder: Any, fetcher: Fetcher
) -> None:
    folder = real_data / "mirrors"
    server = serve_folder(folder)
    on_web = mirrors_of(read_url(server.url + "/", fetcher=fetcher, sizes=True))
    in_folder = mirrors_of(read_build_caches(folder))
    assert [(m.tag, m.stack, m.specs, m.available) for m in on_web] == [
        (m.tag, m.stack, m.specs, m.available) for m in in_folder
    ]


def test_what_is_not_asked_for_is_not_fetched(
    real_data: Path, serve_folder: Any, fetcher: Fetcher
) -> None:
    server = serve_folder(real_data / "mirrors")
    selection = Selection(frozenset({NEW}), frozenset({"tutorial"}), frozenset({"hdf5"}))
    (mirror,) = mirrors_of(read_url(server.url, fetcher=fetcher, selection=selection))
    assert [spec.hash for spec in mirror.specs] == [
        "t2sz3yph3s6padinnxx3s5oatvqteu3x",
        "ta6pedvdixmtsxl6zzxbsro4hfbn3wej",
    ]
    assert [spec.compiler for spec in mirror.specs] == ["gcc@12.2.0"] * 2
    assert server.requests == [
        "GET /cache_spack_io_index.json 200",
        f"GET /{NEW}/tutorial/{V3_BLOB} 200",
        # Whether it is signed, and publishes keys.
        f"GET /{NEW}/tutorial/v3/manifests/spec/hdf5/hdf5-1.14.6-t2sz3yph3s6padinnxx3s5oatvqteu3x"
        ".spec.manifest.json 200",
        f"GET /{NEW}/tutorial/v3/manifests/key/keys.manifest.json 404",
    ]


def test_a_second_build_fetches_nothing_again(
    real_data: Path, serve_folder: Any, fetcher: Fetcher, tmp_path: Path
) -> None:
    server = serve_folder(real_data / "mirrors")
    first = list(read_url(server.url, fetcher=fetcher))
    server.requests.clear()
    assert list(read_url(server.url, fetcher=fetcher)) == first
    # Of layout 2 the checksums are asked for, which this server has not changed either.
    hashes = [
        f"/{OLD}{at}/build_cache/index.json.hash" for at in ("", "/build_systems", "/tutorial")
    ]
    releases = [
        f"HEAD /releases/{branch}/v3/manifests/index/{branch}.0/index.manifest.json 404"
        for branch in ("v2026.03", "v2026.06", "v2026.10")
    ]
    assert sorted(server.requests) == sorted(
        [*releases, *(f"GET {path} 304" for path in ("/cache_spack_io_index.json", *hashes))]
    )
    server.requests.clear()
    with Fetcher(DownloadCache(tmp_path / "cache"), offline=True) as offline:
        assert list(read_url(server.url, fetcher=offline)) == first
    assert server.requests == []


@pytest.mark.parametrize(
    "path", ["", "/", "/v3/manifests/index/index.manifest.json", f"/{V3_BLOB}"]
)
def test_a_mirror_of_layout_3(
    mirrors: Path, serve_folder: Any, fetcher: Fetcher, path: str
) -> None:
    server = serve_folder(mirrors)
    at = f"{server.url}/{NEW}/tutorial"
    (mirror,) = mirrors_of(read_url(at + path, fetcher=fetcher, selection=THIS_ONE))
    (same,) = mirrors_of(read_build_caches(mirrors / NEW / "tutorial", THIS_ONE))
    assert (mirror.tag, mirror.stack, mirror.url) == (NEW, "tutorial", at)
    assert mirror.place == f"{at}/{V3_BLOB}"
    assert [spec.hash for spec in mirror.specs] == [spec.hash for spec in same.specs]


@pytest.mark.parametrize("path", ["", "/build_cache/index.json"])
def test_a_mirror_of_layout_2(
    mirrors: Path, serve_folder: Any, fetcher: Fetcher, path: str
) -> None:
    server = serve_folder(mirrors)
    at = f"{server.url}/{OLD}/tutorial"
    (mirror,) = mirrors_of(read_url(at + path, fetcher=fetcher, selection=THIS_ONE))
    (same,) = mirrors_of(read_build_caches(mirrors / OLD / "tutorial", THIS_ONE))
    assert (mirror.url, mirror.specs, mirror.available) == (at, same.specs, same.available)


def test_a_bare_index(real_data: Path, serve_folder: Any, fetcher: Fetcher) -> None:
    server = serve_folder(real_data / "indexes" / "v2025.07.0")
    for path in ("/tutorial", "/tutorial/index.json.gz"):
        (mirror,) = mirrors_of(
            read_url(server.url + path, fetcher=fetcher, selection=THIS_ONE, sizes=True)
        )
        assert (mirror.url, len(mirror.specs), sum(mirror.available)) == (None, 64, 62)


def test_a_mirror_is_named_by_its_address(
    mirrors: Path, serve_folder: Any, fetcher: Fetcher
) -> None:
    server = serve_folder(mirrors)
    (mirror,) = mirrors_of(read_url(f"{server.url}/{NEW}/tutorial", fetcher=fetcher))
    assert (mirror.tag, mirror.stack) == (NEW, "tutorial")


def test_an_address_without_a_build_cache(serve_answers: Any, fetcher: Fetcher) -> None:
    server = serve_answers({})
    with pytest.raises(SourceError) as error:
        list(read_url(server.url + "/x", fetcher=fetcher, selection=THIS_ONE))
    assert str(error.value) == (
        f"{server.url}/x: no build cache there: no cache_spack_io_index.json,"
        " v3/manifests/index/index.manifest.json, build_cache/index.json or index.json"
    )


def test_a_server_that_is_down(dead_url: str, fetcher: Fetcher) -> None:
    with pytest.raises(SourceError, match=r"/cache_spack_io_index.json: no connection"):
        list(read_url(dead_url, fetcher=fetcher))


def test_a_web_site_that_is_no_bucket(serve_answers: Any, fetcher: Fetcher) -> None:
    page = (200, b"\n<!doctype html><title>Welcome</title>")
    server = serve_answers({"/cache_spack_io_index.json": page})
    with pytest.raises(SourceError, match=r"index.json: HTML or XML instead of JSON"):
        list(read_url(server.url, fetcher=fetcher))


def test_offline_without_a_cache(dead_url: str, tmp_path: Path) -> None:
    with (
        Fetcher(DownloadCache(tmp_path), offline=True) as fetcher,
        pytest.raises(SourceError, match="not in the download cache; build once without"),
    ):
        list(read_url(dead_url, fetcher=fetcher, selection=THIS_ONE))


def test_a_password_in_the_address_stays_a_secret(
    mirrors: Path, serve_folder: Any, fetcher: Fetcher
) -> None:
    server = serve_folder(mirrors)
    address = server.url.replace("//", "//me:secret@") + f"/{NEW}/tutorial"
    records = list(read_url(address, fetcher=fetcher, selection=THIS_ONE, sizes=True))
    assert mirrors_of(records)[0].url == f"{server.url}/{NEW}/tutorial"
    assert "secret" not in repr(records)


def test_every_way_to_break(
    mirrors: Path, serve_answers: Any, serve_folder: Any, fetcher: Fetcher, dead_url: str
) -> None:
    """Each broken stack is one line; the good one is read."""
    good = (mirrors / OLD / "tutorial" / "build_cache" / "index.json").read_bytes()
    newer = good.replace(b'"version":"7"', b'"version":"9"', 1)
    bomb = gzip.compress(b" " * (80 << 20))
    name = hashlib.sha256(good + b" ").hexdigest()
    blob = f"/blobs/sha256/{name[:2]}/{name}"
    index = "/build_cache/index.json"
    stacks: dict[str, tuple[str, tuple[Any, ...] | None, str]] = {
        "good": (index, (200, good), ""),
        "absent": (index, None, "there is nothing (404 Not Found)"),
        "failing": (index, (502,), "the server answers 502 Bad Gateway, 4 times"),
        "cut": (index, (200, good[:-9]), "not JSON: Expecting"),
        "short": (index, (200, good[:99], {"Content-Length": "999"}), "the connection was lost"),
        "wrong": (blob, (200, good + b"\n"), "its SHA-256 is "),
        "page": (index, (200, b"<html>Sign in</html>"), "HTML or XML instead of JSON"),
        "bomb": (index, (200, bomb), "unpack to more than"),
        "packed": (index, (200, gzip.compress(good)[:-9]), "cut off: the gzip data ends too"),
        "newer": (index, (200, newer), "database version 9"),
        "other": (index, (200, b'{"database": 3}'), "not the index of a build cache"),
        "file": (index, (302, b"", {"Location": "file:///etc/passwd"}), "not http or https"),
        "ftp": (index, (301, b"", {"Location": "ftp://x/y"}), "not http or https"),
        "loop": (index, (302, b"", {"Location": "/loop" + index}), "redirected more than 5"),
    }
    elsewhere = {
        "dead": dead_url + index,
        "plain": serve_answers({}).url.replace("http:", "https:") + index,
        "local": "file:///etc/passwd",
        "s3": "s3://another-bucket/build_cache/index.json",
        "up": "s3://spack-binaries/../etc/build_cache/index.json",
        "login": f"https://me:secret@example.org{index}",
        "odd": "s3://spack-binaries/odd/index.html",
    }
    listed = {
        "t": [
            *(
                {"label": stack, "url": f"s3://spack-binaries/{stack}{path}"}
                for stack, (path, _, _) in stacks.items()
            ),
            *({"label": stack, "url": url} for stack, url in elsewhere.items()),
        ]
    }
    answers = {f"/{stack}{path}": send for stack, (path, send, _) in stacks.items() if send}
    answers["/cache_spack_io_index.json"] = (200, json.dumps(listed).encode())
    server = serve_answers(answers)

    records = list(read_url(server.url, fetcher=fetcher))

    assert [(mirror.stack, len(mirror.specs)) for mirror in mirrors_of(records)] == [("good", 31)]
    problems = {
        problem.place: problem.message for problem in records if isinstance(problem, Problem)
    }
    list_place = f"{server.url}/cache_spack_io_index.json t"
    expected = {
        f"{server.url}/{stack}{path}": message
        for stack, (path, _, message) in stacks.items()
        if message
    }
    expected[dead_url + index] = "no connection"
    expected[elsewhere["plain"]] = "no secure connection (TLS)"
    first = len(stacks) + 2
    expected |= {
        f"{list_place}[{first}]": "file:///etc/passwd: refused: a list may only lead to http",
        f"{list_place}[{first + 1}]": "s3://another-bucket/build_cache/index.json: refused: a list",
        f"{list_place}[{first + 2}]": "leads out of the bucket",
        f"{list_place}[{first + 3}]": "refused: an address in a list may not contain a login",
        f"{list_place}[{first + 4}]": "not where a build cache has its index",
    }
    assert {
        place: expected[place] for place, message in problems.items() if expected[place] in message
    } == expected
    assert all("\n" not in message and len(message) < 300 for message in problems.values())
    assert all(p.kind == "refused" for p in records if isinstance(p, Problem))


def test_a_damaged_index_of_layout_3(mirrors: Path, serve_answers: Any, fetcher: Fetcher) -> None:
    manifest = (mirrors / NEW / "tutorial/v3/manifests/index/index.manifest.json").read_bytes()
    damaged = (mirrors / NEW / "tutorial" / V3_BLOB).read_bytes()[:-1] + b"]"
    server = serve_answers(
        {
            "/v3/manifests/index/index.manifest.json": (200, manifest),
            f"/{V3_BLOB}": (200, damaged),
        }
    )
    records = list(read_url(server.url, fetcher=fetcher, selection=THIS_ONE))
    (problem,) = (record for record in records if isinstance(record, Problem))
    assert problem.place == f"{server.url}/{V3_BLOB}"
    assert problem.message.startswith("its SHA-256 is ")
    assert mirrors_of(records) == []


def test_an_index_of_layout_2_that_is_newer_than_its_checksum(
    mirrors: Path, serve_answers: Any, fetcher: Fetcher
) -> None:
    index = (mirrors / OLD / "tutorial/build_cache/index.json").read_bytes()
    server = serve_answers(
        {
            "/build_cache/index.json": (200, index),
            "/build_cache/index.json.hash": (200, b"0" * 64),
        }
    )
    records = list(read_url(server.url, fetcher=fetcher, selection=THIS_ONE))
    assert records[1] == Problem(
        f"{server.url}/build_cache/index.json",
        "contradiction",
        "its SHA-256 is not that in index.json.hash",
    )
    assert len(mirrors_of(records)) == 1


def test_an_index_of_layout_2_is_known_by_its_checksum(
    mirrors: Path, serve_answers: Any, fetcher: Fetcher
) -> None:
    index = (mirrors / OLD / "tutorial/build_cache/index.json").read_bytes()
    server = serve_answers(
        {
            "/build_cache/index.json": (200, index),
            "/build_cache/index.json.hash": (200, hashlib.sha256(index).hexdigest().encode()),
        }
    )
    first = list(read_url(server.url, fetcher=fetcher, selection=THIS_ONE))
    server.requests.clear()
    assert list(read_url(server.url, fetcher=fetcher, selection=THIS_ONE)) == first
    assert "GET /build_cache/index.json" not in server.requests


def test_sizes_are_asked_for_once(
    mirrors: Path, serve_folder: Any, fetcher: Fetcher, tmp_path: Path
) -> None:
    server = serve_folder(mirrors)
    at = f"{server.url}/{NEW}/tutorial"

    def sizes(with_fetcher: Fetcher) -> dict[str, int | None]:
        records = read_url(at, fetcher=with_fetcher, selection=THIS_ONE, sizes=True)
        (mirror,) = mirrors_of(records)
        return {spec.hash: spec.size for spec in mirror.specs if spec.package in ("hdf5", "gcc")}

    expected = {
        "no2sycaxqy24mrmhnrxthihix6f65xek": None,
        "t2sz3yph3s6padinnxx3s5oatvqteu3x": 22402,
        "ta6pedvdixmtsxl6zzxbsro4hfbn3wej": 24835,
    }
    assert sizes(fetcher) == expected
    # One more than there are binaries: whether they are signed.
    assert sum("spec.manifest.json" in request for request in server.requests) == 36
    server.requests.clear()
    assert sizes(fetcher) == expected
    assert sum("spec.manifest.json" in request for request in server.requests) == 0
    with Fetcher(DownloadCache(tmp_path / "cache"), offline=True) as offline:
        assert sizes(offline) == expected


def test_sizes_that_were_interrupted_go_on(
    mirrors: Path, serve_folder: Any, fetcher: Fetcher
) -> None:
    server = serve_folder(mirrors)
    at = f"{server.url}/{NEW}/tutorial"
    list(read_url(at, fetcher=fetcher, selection=THIS_ONE, sizes=True))
    known = fetcher.cache.sizes(at)
    (log,) = (Path(fetcher.cache.path("0" * 64)).parents[2] / "sizes").iterdir()
    log.write_text(log.read_text()[: 10 * 40 + 20])  # cut off in the middle of a line
    server.requests.clear()
    list(read_url(at, fetcher=fetcher, selection=THIS_ONE, sizes=True))
    assert fetcher.cache.sizes(at) == known
    assert 0 < sum("spec.manifest.json" in request for request in server.requests) < 35


def test_sizes_of_a_mirror_that_fails(mirrors: Path, serve_answers: Any, fetcher: Fetcher) -> None:
    manifest = (mirrors / NEW / "tutorial/v3/manifests/index/index.manifest.json").read_bytes()
    index = (mirrors / NEW / "tutorial" / V3_BLOB).read_bytes()
    answers: dict[str, tuple[Any, ...]] = {
        "/v3/manifests/index/index.manifest.json": (200, manifest),
        f"/{V3_BLOB}": (200, index),
    }
    for path in (mirrors / NEW / "tutorial/v3/manifests/spec").rglob("*.json"):
        answers["/" + path.relative_to(mirrors / NEW / "tutorial").as_posix()] = (500,)
    server = serve_answers(answers)
    records = list(read_url(server.url, fetcher=fetcher, selection=THIS_ONE, sizes=True))
    (problem,) = (record for record in records if isinstance(record, Problem))
    assert problem.message.endswith(
        "try again later, or with --offline use what was downloaded before"
    )
    assert "the server answers 500 Internal Server Error, 4 times" in problem.message
    (mirror,) = mirrors_of(records)
    assert {spec.size for spec in mirror.specs} == {None}
    assert sum("spec.manifest" in request for request in server.requests) < 35 * 4


def test_a_damaged_manifest_is_one_size_less(
    mirrors: Path, serve_answers: Any, fetcher: Fetcher
) -> None:
    root = mirrors / NEW / "tutorial"
    answers = {
        "/" + path.relative_to(root).as_posix(): (200, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file()
    }
    spec = (
        "/v3/manifests/spec/mpich/mpich-3.4.3-yh4vztshxijs5rypgvkcbivdnxjbs5xn.spec.manifest.json"
    )
    answers[spec] = (200, b'{"version": 3, "data": []}')
    server = serve_answers(answers)
    records = list(read_url(server.url, fetcher=fetcher, selection=THIS_ONE, sizes=True))
    assert records[1] == Problem(
        server.url + spec,
        "refused",
        "the manifest names no blob of the type application/vnd.spack.install",
    )
    (mirror,) = mirrors_of(records)
    assert [spec.package for spec in mirror.specs if spec.size is None] == [
        "gcc", "perl", "glibc", "mpich",
    ]  # fmt: skip


def test_sizes_of_layout_2(mirrors: Path, serve_answers: Any, fetcher: Fetcher) -> None:
    index = (mirrors / OLD / "tutorial/build_cache/index.json").read_bytes()
    arch, compiler = "linux-ubuntu22.04-x86_64_v3", "gcc-12.2.0"
    hash_ = "hcyaajxchlaqgsltbo42fnieduysphbv"
    tarball = (
        f"/build_cache/{arch}/{compiler}/hdf5-1.14.5/{arch}-{compiler}-hdf5-1.14.5-{hash_}.spack"
    )
    server = serve_answers(
        {
            "/build_cache/index.json": (200, index),
            tarball: (200, b"", {"Content-Length": "4321"}),
        }
    )
    (mirror,) = mirrors_of(read_url(server.url, fetcher=fetcher, selection=THIS_ONE, sizes=True))
    assert {spec.hash: spec.size for spec in mirror.specs if spec.size} == {hash_: 4321}
    assert f"HEAD {tarball}" in server.requests
