"""The sizes of binaries in the folder of a mirror."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from etl.sources.build_caches.places import Index
from etl.sources.build_caches.sizes import Sizes, sizes_in_folder
from etl.sources.stores import FolderStore
from tests.sites import hash_of

V2 = Index("build_cache/index.json", "", "v2")


def sizes(folder: Path, *numbers: int) -> Sizes:
    return sizes_in_folder(FolderStore(folder), V2, {hash_of(number) for number in numbers})


def test_tarballs_of_layout_2(tmp_path: Path) -> None:
    below = tmp_path / "build_cache" / "linux" / "gcc"
    below.mkdir(parents=True)
    (below / f"zlib-1.3-{hash_of(1)}.spack").write_bytes(b"12345")
    (below / f"zlib-1.3-{hash_of(2)}.spack").write_bytes(b"not asked for")
    (below / f"zlib-1.3-{hash_of(3)}.tar").write_bytes(b"no tarball of Spack's")
    found = sizes(tmp_path, 1, 3)
    assert found.by_hash == {hash_of(1): 5}
    assert found.read == [(f"build_cache/linux/gcc/zlib-1.3-{hash_of(1)}.spack", "5")]
    assert found.refused == []


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ('{"archive_size": 0}', 0),
        ('{"archive_size": 9223372036854775807}', 2**63 - 1),
        ('{"archive_size": 9223372036854775808}', None),
        ('{"archive_size": -1}', None),
        ('{"archive_size": true}', None),
        ('{"archive_size": "5"}', None),
        ('["archive_size"]', None),
        ('{"other": 5}', None),
    ],
)
def test_sizes_that_spec_files_record(tmp_path: Path, text: str, size: int | None) -> None:
    place = tmp_path / "build_cache" / f"zlib-{hash_of(1)}.spec.json"
    place.parent.mkdir()
    place.write_text(text)
    found = sizes(tmp_path, 1)
    assert found.by_hash == ({} if size is None else {hash_of(1): size})
    checksum = hashlib.sha256(text.encode()).hexdigest()
    name = f"build_cache/zlib-{hash_of(1)}.spec.json"
    assert found.read == ([] if size is None else [(name, checksum)])
    assert found.refused == []


def test_spec_files_that_cannot_be_read(tmp_path: Path) -> None:
    place = tmp_path / "build_cache" / f"zlib-{hash_of(1)}.spec.json"
    place.parent.mkdir()
    place.write_text('{"archive_size": ')
    found = sizes(tmp_path, 1)
    assert (found.by_hash, found.read) == ({}, [])
    assert [error.place for error in found.refused] == [f"build_cache/zlib-{hash_of(1)}.spec.json"]
