from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import SourceError
from etl.sources.build_caches.manifests import (
    INDEX_MEDIA_TYPE,
    TARBALL_MEDIA_TYPE,
    Blob,
    find_blob,
    unsigned,
)
from etl.sources.files import is_checksum

SUM = "1e67b4378323ca7cb1c8cc653f859f0263591f77166c05a2f1150eb94cfd1005"


def manifest(version: object = 3, **changes: object) -> bytes:
    blob = {
        "contentLength": 5435,
        "mediaType": "application/vnd.spack.install.v2.tar+gzip",
        "compression": "gzip",
        "checksumAlgorithm": "sha256",
        "checksum": SUM,
        **changes,
    }
    other = {**blob, "mediaType": "application/vnd.spack.spec.v5+json", "contentLength": 1}
    return json.dumps({"version": version, "data": [other, blob]}, indent=0).encode()


def signed(text: bytes) -> bytes:
    lines = (b"- " + line if line.startswith(b"-") else line for line in text.split(b"\n"))
    return (
        b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"
        + b"\n".join(lines)
        + b"\n-----BEGIN PGP SIGNATURE-----\n\niQEz\n-----END PGP SIGNATURE-----\n"
    )


def test_a_real_index_manifest(mirrors: Path) -> None:
    path = mirrors / "develop-2025-07-20/tutorial/v3/manifests/index/index.manifest.json"
    checksum = "fc29961d88687f4507bd86f42c592bf82ee9333d5c87c6667a0f294f6d2dce8f"
    blob = find_blob(path.read_bytes(), "x", INDEX_MEDIA_TYPE)
    assert blob == Blob("application/vnd.spack.db.v8+json", 48830, checksum)
    assert blob.place == f"blobs/sha256/fc/{checksum}"


@pytest.mark.parametrize("form", [lambda data: data, signed])
def test_the_order_of_blobs_means_nothing(form: Any) -> None:
    assert find_blob(form(manifest()), "x", TARBALL_MEDIA_TYPE).size == 5435


@given(st.text(alphabet="-a \n", max_size=30))
def test_a_signed_message_says_what_was_signed(text: str) -> None:
    assert unsigned(signed(text.encode()), "x") == text.encode() + b"\n"
    assert unsigned(signed(text.encode()).replace(b"\n", b"\r\n"), "x") == text.encode() + b"\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[]", "not a manifest"),
        (b'{"version": 3}', "not a manifest"),
        (b'{"version": 3, "data": [3]}', "names no blob of the type application/vnd.spack.inst"),
        (manifest(version=4), "a manifest of layout 4 is not supported"),
        (manifest(checksum="../../etc"), "the blob's checksum is no SHA-256: '../../etc'"),
        (manifest(checksum=SUM.upper()), "the blob's checksum is no SHA-256"),
        (manifest(checksum=None), "the blob's checksum is no SHA-256: None"),
        (
            manifest(checksumAlgorithm="md5"),
            "checksum algorithm 'md5' is not supported",
        ),
        (manifest(contentLength=-1), "the blob's contentLength is no number of bytes: -1"),
        (manifest(contentLength=2**63), "the blob's contentLength is no number of bytes"),
        (manifest(contentLength=True), "the blob's contentLength is no number of bytes: True"),
        (manifest(contentLength="1"), "the blob's contentLength is no number of bytes: '1'"),
        (signed(manifest())[:-99], "a signed message that is cut off"),
        (b"-----BEGIN PGP SIGNED MESSAGE-----\n", "a signed message that is cut off"),
        (b"<html>", "HTML or XML instead of JSON"),
    ],
)
def test_what_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(SourceError) as error:
        find_blob(data, "x", TARBALL_MEDIA_TYPE)
    assert message in str(error.value)


def test_how_a_blob_is_packed_matters_where_it_is_read() -> None:
    binary = manifest(compression="zstd", mediaType="application/vnd.spack.install.v3.tar+zstd")
    assert find_blob(binary, "x", TARBALL_MEDIA_TYPE).size == 5435
    index = manifest(compression="zstd", mediaType="application/vnd.spack.db.v8+json")
    with pytest.raises(SourceError, match="compression 'zstd' is not supported"):
        find_blob(index, "x", INDEX_MEDIA_TYPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(SUM, True), (SUM[:-1], False), (SUM[:-1] + "g", False), ("g" + SUM[1:], False), (3, False)],
)
def test_checksums(text: object, expected: bool) -> None:
    assert is_checksum(text) is expected
