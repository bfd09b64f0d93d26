"""Build caches in a bucket of a real S3 server (moto's), found by listing it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from etl.errors import SourceError
from etl.records import Mirror, Problem
from etl.sources.download.fetch import Fetcher
from etl.sources.download.s3 import Key, Listing, TooManyFilesError, read_address
from etl.sources.recognise import read_source
from etl.sources.selection import Selection
from tests.storage import s3_server, upload


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """See :func:`s3_server`."""
    with s3_server(monkeypatch) as address:
        yield address


def binaries(records: list[Any]) -> dict[tuple[str, str], set[str]]:
    """The hashes in each tag and stack."""
    assert [it for it in records if isinstance(it, Problem)] == []
    return {
        (it.tag, it.stack): {
            spec.hash for spec, there in zip(it.specs, it.available, strict=True) if there
        }
        for it in records
        if isinstance(it, Mirror)
    }


def test_all_views_of_a_bucket_are_found(server: str, real_data: Path, fetcher: Fetcher) -> None:
    upload(server, real_data / "views" / "bucket")
    records = list(read_source("s3://spack-binaries", Selection(), fetcher))
    told = json.loads((real_data / "views" / "expected.json").read_text())["bucket"]["mirrors"]
    develop, release = told["develop"], told["releases/v2026.10"]
    assert binaries(records) == {
        ("develop-2026-10-01", "root"): set(develop["develop-2026-10-01"]["in_buildcache"]),
        ("develop-2026-10-04", "root"): set(develop["develop-2026-10-04"]["in_buildcache"]),
        ("v2026.10.0", "root"): set(release["v2026.10.0"]["in_buildcache"]),
        ("v2026.10.0", "e4s"): set(release["e4s"]["in_buildcache"]),
    }
    mirrors = [it for it in records if isinstance(it, Mirror)]
    assert {it.url for it in mirrors} == {
        "s3://spack-binaries/develop",
        "s3://spack-binaries/releases/v2026.10",
    }
    for mirror in mirrors:
        assert mirror.published
        assert mirror.signed is False
        hashes = binaries(records)[mirror.tag, mirror.stack]
        assert hashes <= dict(mirror.put).keys()


@pytest.mark.parametrize("way", ["#py", "--view"])
def test_one_view_of_a_folder_of_a_bucket(
    way: str, server: str, real_data: Path, fetcher: Fetcher
) -> None:
    upload(server, real_data / "views" / "views-only", "a/mine/")
    views = frozenset({"py"}) if way == "--view" else frozenset[str]()
    source = "s3://spack-binaries/a/mine" + ("" if views else way)
    records = list(read_source(source, Selection(views=views), fetcher))
    told = json.loads((real_data / "views" / "expected.json").read_text())["views-only"]
    assert binaries(records) == {("mine", "py"): set(told["mirrors"]["."]["py"]["in_buildcache"])}


def test_layout_two(server: str, mirrors: Path, fetcher: Fetcher) -> None:
    (folder,) = (it.parent.parent for it in mirrors.glob("*/*/build_cache/index.json"))
    upload(server, folder, "develop/tutorial/")
    records = list(read_source("s3://spack-binaries/develop", Selection(), fetcher))
    ((owner, hashes),) = binaries(records).items()
    assert owner == ("develop", "tutorial")
    assert len(hashes) == 29


def test_a_bucket_without_a_build_cache(server: str, fetcher: Fetcher) -> None:
    with pytest.raises(SourceError, match="no index of a build cache in this bucket"):
        list(read_source("s3://spack-binaries/x", Selection(), fetcher))


def test_a_bucket_that_is_not_there(server: str, fetcher: Fetcher) -> None:
    with pytest.raises(SourceError, match="there is nothing"):
        list(read_source("s3://no-such-bucket", Selection(), fetcher))


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (b"<html></html>", "list of files"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>", "answers with a page"),
        (b"", "list of files"),
        ("<!DOCTYPE x [<!ENTITY a 'b'>]><x>&a;</x>".encode("utf-16"), "list of files"),
        (b"<?xml version='1.0' encoding='utf-7'?><x/>", "list of files"),
    ],
)
def test_a_server_that_answers_otherwise(
    page: bytes,
    message: str,
    serve_answers: Any,
    fetcher: Fetcher,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    query = "list-type=2&prefix=&delimiter=%2F"
    server = serve_answers({f"/bucket/?{query}": (200, page), "/bucket/": (200, page)})
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    with pytest.raises(SourceError, match=message):
        list(read_source("s3://bucket", Selection(), fetcher))


@pytest.mark.parametrize(
    ("address", "region", "url"),
    [
        ("s3://spack-binaries/a b/", None, "https://spack-binaries.s3.amazonaws.com/a%20b"),
        ("s3://b.c.d", "eu-west-1", "https://s3.eu-west-1.amazonaws.com/b.c.d"),
        ("s3://bcd/x", "eu-west-1", "https://bcd.s3.eu-west-1.amazonaws.com/x"),
    ],
)
def test_where_a_bucket_is(
    address: str, region: str | None, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "S3_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    if region:
        monkeypatch.setenv("AWS_REGION", region)
    else:
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    assert read_address(address).url == url


@pytest.mark.parametrize("address", ["s3://", "s3://A B", "s3://x/\n"])
def test_what_names_no_bucket(address: str) -> None:
    with pytest.raises(SourceError, match="not as in s3://bucket/prefix"):
        read_address(address)


def requests_for(fetcher: Fetcher, source: str, **options: Any) -> tuple[list[Any], list[str]]:
    """The records of a source, and the listings that were asked for."""
    asked: list[str] = []
    download = fetcher.download

    def noted(url: str, **more: Any) -> Path:
        if "list-type" in url:
            asked.append(unquote(url.partition("prefix=")[2].replace("+", " ")))
        return download(url, **more)

    fetcher.download = noted  # type: ignore[method-assign]
    records = list(read_source(source, Selection(), fetcher, **options))
    return records, sorted(asked)


def test_only_indexes_are_listed_and_the_files_of_few_mirrors(
    server: str, real_data: Path, fetcher: Fetcher
) -> None:
    upload(server, real_data / "views" / "bucket")
    records, asked = requests_for(fetcher, "s3://spack-binaries")
    assert asked == [
        "&delimiter=/",
        "develop/&delimiter=/",
        "develop/v3/manifests/index/",
        "develop/v3/manifests/spec/",
        "releases/&delimiter=/",
        "releases/v2026.10/&delimiter=/",
        "releases/v2026.10/v3/manifests/index/",
        "releases/v2026.10/v3/manifests/spec/",
    ]
    assert len([it for it in records if isinstance(it, Mirror)]) == 4


def test_a_bucket_that_lists_its_caches_is_not_searched_for_their_stacks(
    server: str, real_data: Path, fetcher: Fetcher
) -> None:
    upload(server, real_data / "mirrors")
    upload(server, real_data / "views" / "bucket")
    records, asked = requests_for(fetcher, "s3://spack-binaries")
    listed = json.loads((real_data / "mirrors" / "cache_spack_io_index.json").read_text())
    stacks = {f"{tag}/{it['label']}" for tag, entries in listed.items() for it in entries}
    found = {f"{it.tag}/{it.stack}" for it in records if isinstance(it, Mirror)}
    assert stacks < found
    assert found - stacks == {
        "develop-2026-10-01/root", "develop-2026-10-04/root", "v2026.10.0/e4s", "v2026.10.0/root",
    }  # fmt: skip
    looked_into = [it.removesuffix("/&delimiter=/") for it in asked if "delimiter" in it]
    assert not {it for it in stacks if not it.endswith("/root")} & {*looked_into}


def test_too_many_files_are_not_listed_without_being_asked(
    server: str, real_data: Path, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(server, real_data / "views" / "bucket")
    monkeypatch.setattr("etl.sources.build_caches.s3_binaries.MAX_MIRRORS", 1)
    records, asked = requests_for(fetcher, "s3://spack-binaries")
    assert not [it for it in asked if it.endswith("/spec/")]
    assert {it.put for it in records if isinstance(it, Mirror)} == {()}
    assert [it for it in records if isinstance(it, Problem)] == [
        Problem(
            "s3://spack-binaries",
            "skipped",
            "the publication times of the binaries of 2 mirrors were not requested, because"
            " there are too many files; --sizes requests them",
        )
    ]


def test_sizes_and_dates_are_asked_for_however_many_there_are(
    server: str, real_data: Path, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(server, real_data / "views" / "views-only")
    monkeypatch.setattr("etl.sources.build_caches.s3_binaries.MAX_ANSWERS", 0)
    selection = Selection(owner="v1")
    records = list(read_source("s3://spack-binaries", selection, fetcher))
    assert [it.kind for it in records if isinstance(it, Problem)] == ["skipped"]
    records = list(read_source("s3://spack-binaries", selection, fetcher, sizes=True))
    assert not [it for it in records if isinstance(it, Problem)]
    for mirror in (it for it in records if isinstance(it, Mirror)):
        there = zip(mirror.specs, mirror.available, strict=True)
        hashes = {spec.hash: spec.size for spec, available in there if available}
        assert dict(mirror.put).keys() == hashes.keys()
        assert None not in hashes.values()


def test_binaries_that_a_bucket_lacks(
    server: str, real_data: Path, fetcher: Fetcher, tmp_path: Path
) -> None:
    folder = tmp_path / "mirror"
    shutil.copytree(real_data / "views" / "views-only", folder)
    shutil.rmtree(folder / "v3" / "manifests" / "spec" / "gmake")
    upload(server, folder)
    records = list(read_source("s3://spack-binaries", Selection(owner="v1"), fetcher))
    assert [it.message for it in records if isinstance(it, Problem)] == [
        "lists 1 binary that the cache does not have; left out: gmake/3fndy4l"
    ] * 2


def test_views_of_a_bucket_of_any_name(
    server: str, real_data: Path, fetcher: Fetcher, tmp_path: Path
) -> None:
    folder = tmp_path / "mirror"
    shutil.copytree(real_data / "views" / "views-only", folder)
    indexes = folder / "v3" / "manifests" / "index"
    (indexes / "stacks").mkdir()
    (indexes / "small").rename(indexes / "stacks" / "my view")
    upload(server, folder)
    records = list(read_source("s3://spack-binaries", Selection(owner="v1"), fetcher))
    told = json.loads((real_data / "views" / "expected.json").read_text())["views-only"]
    mirror = told["mirrors"]["."]
    assert binaries(records) == {
        ("v1", "my-view"): set(mirror["small"]["in_buildcache"]),
        ("v1", "py"): set(mirror["py"]["in_buildcache"]),
    }
    assert {it.view for it in records if isinstance(it, Mirror)} == {"stacks/my view", "py"}


def test_an_index_of_a_bucket_that_is_not_there(
    server: str, real_data: Path, fetcher: Fetcher, tmp_path: Path
) -> None:
    folder = tmp_path / "mirror"
    shutil.copytree(real_data / "views" / "views-only", folder)
    for view, change in (("py", None), ("small", b"?")):
        manifest = folder / "v3" / "manifests" / "index" / view / "index.manifest.json"
        checksum = json.loads(manifest.read_text())["data"][0]["checksum"]
        blob = folder / "blobs" / "sha256" / checksum[:2] / checksum
        blob.chmod(0o644)
        blob.unlink() if change is None else blob.write_bytes(change)
    upload(server, folder)
    records = list(read_source("s3://spack-binaries", Selection(owner="v1"), fetcher))
    messages = [it.message for it in records if isinstance(it, Problem)]
    assert messages[0] == "the view py: the index that index.manifest.json names is not there"
    assert messages[1].startswith("the view small: its SHA-256 is ")
    assert not [it for it in records if isinstance(it, Mirror)]


def test_a_listing_in_several_answers(
    serve_answers: Any, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(key: str, more: str) -> tuple[int, bytes]:
        return 200, f"<ListBucketResult><Contents><Key>{key}</Key></Contents>{more}".encode() + (
            b"</ListBucketResult>"
        )

    query = "/bucket/?list-type=2&prefix="
    goes_on = "<IsTruncated>true</IsTruncated><NextContinuationToken>{}</NextContinuationToken>"
    end = "<IsTruncated>false</IsTruncated><NextContinuationToken>z</NextContinuationToken>"
    server = serve_answers({
        query: answer("a", goes_on.format("x/1")),
        f"{query}&continuation-token=x%2F1": answer("b", goes_on.format("y")),
        f"{query}&continuation-token=y": answer("c", end),
    })  # fmt: skip
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    listing = Listing(fetcher, read_address("s3://bucket"))
    assert list(listing.below("", most=3)) == [Key("a", None), Key("b", None), Key("c", None)]
    with pytest.raises(TooManyFilesError, match="has more than 2,000 files"):
        list(listing.below("", most=2))


def test_a_listing_that_says_there_is_more_and_not_where(
    serve_answers: Any, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"
    server = serve_answers({"/bucket/?list-type=2&prefix=": (200, page)})
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    with pytest.raises(SourceError, match="does not say how to continue its list of files"):
        list(Listing(fetcher, read_address("s3://bucket")).below(""))
    assert len(server.requests) == 1


def test_a_listing_that_goes_in_circles(
    serve_answers: Any, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (
        b"<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a</Key></Contents>"
        b"<NextContinuationToken>t</NextContinuationToken></ListBucketResult>"
    )
    query = "/bucket/?list-type=2&prefix="
    server = serve_answers(dict.fromkeys((query, f"{query}&continuation-token=t"), (200, page)))
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    with pytest.raises(SourceError, match="does not say how to continue its list of files"):
        list(Listing(fetcher, read_address("s3://bucket")).below(""))
    assert len(server.requests) == 2


BUCKET = "/bucket/?list-type=2&prefix=&delimiter=%2F"


def test_a_bucket_in_another_region(
    serve_answers: Any, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve_answers({BUCKET: (301, b"", {"x-amz-bucket-region": "eu-west-1"})})
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    with pytest.raises(SourceError, match="is in the region 'eu-west-1'; set AWS_REGION to that"):
        list(read_source("s3://bucket", Selection(), fetcher))


def denying(folder: Path) -> dict[str, Any]:
    """The files of a folder as those of a bucket that may be read and not listed."""
    files = sorted(it for it in folder.rglob("*") if it.is_file())
    answers = {f"/bucket/{it.relative_to(folder)}": (200, it.read_bytes()) for it in files}
    prefixes = ("", "mirror%2F")
    denied = {BUCKET.replace("prefix=", f"prefix={it}"): (403,) for it in prefixes}
    return {**answers, **denied}


@pytest.mark.parametrize("named", [(), ("codecs",), ("codecs", "nope")])
def test_a_bucket_that_may_not_be_listed(
    named: tuple[str, ...],
    real_data: Path,
    serve_answers: Any,
    fetcher: Fetcher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(real_data / "views" / "default-and-views", tmp_path / "b" / "mirror")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", serve_answers(denying(tmp_path / "b")).url)
    selection = Selection(views=frozenset(named))
    records = list(read_source("s3://bucket/mirror", selection, fetcher))
    told = json.loads((real_data / "views" / "expected.json").read_text())["default-and-views"]
    view = "codecs" if named else "(default)"
    hashes = set(told["mirrors"]["."][view]["in_buildcache"])
    (mirror,) = (it for it in records if isinstance(it, Mirror))
    assert binaries([mirror]) == {("mirror", "codecs" if named else "root"): hashes}
    assert (mirror.url, mirror.view) == ("s3://bucket/mirror", named[0] if named else None)
    skipped = (
        "the server does not list this bucket without a login: indexes were looked for by their"
        " usual names; views are read with --view NAME"
    )
    missing = [
        Problem("v3/manifests/index", "refused", "there is no view nope; there are: codecs")
    ] * ("nope" in named)
    assert [it for it in records if isinstance(it, Problem)] == [
        *missing,
        Problem("s3://bucket/mirror", "skipped", skipped),
    ]


def test_a_bucket_that_may_not_be_listed_and_has_nothing_by_the_usual_names(
    serve_answers: Any, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", serve_answers({BUCKET: (403,)}).url)
    message = "does not list this bucket without a login, and no build cache was found without"
    with pytest.raises(SourceError, match=message) as error:
        list(read_source("s3://bucket", Selection(), fetcher))
    assert error.value.place == "s3://bucket"
