"""Build caches in folders: what comes of real ones, exactly, and of broken ones."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from etl.errors import SourceError, UsageError
from etl.records import Build, Dependency, Digest, Mirror, Problem, Record, Source, Spec
from etl.sources.build_caches.mirror import is_build_cache, kind_of, read_build_caches
from etl.sources.selection import Selection

NEW = "develop-2025-07-20"
OLD = "develop-2024-11-17"
BLOB = "blobs/sha256/fc/fc29961d88687f4507bd86f42c592bf82ee9333d5c87c6667a0f294f6d2dce8f"
ONE = Selection(frozenset({"t"}), frozenset({"s"}))


def the_mirror(records: Iterable[Record]) -> Mirror:
    (mirror,) = (record for record in records if isinstance(record, Mirror))
    return mirror


def problems(records: Iterable[Record]) -> list[Problem]:
    return [record for record in records if isinstance(record, Problem)]


@pytest.fixture
def copied(mirrors: Path, tmp_path: Path) -> Path:
    """A copy of the real mirrors that a test may spoil."""
    return Path(shutil.copytree(mirrors, tmp_path / "mirrors"))


def test_a_mirror_of_layout_3(mirrors: Path) -> None:
    records = list(read_build_caches(mirrors / NEW / "tutorial", ONE))
    assert records[0] == Source("build cache", ".", parts=1)
    mirror = the_mirror(records)
    assert (mirror.place, mirror.tag, mirror.stack, mirror.url) == (BLOB, "t", "s", None)
    assert len(mirror.specs) == 38
    assert [spec.hash for spec in mirror.specs] == sorted(spec.hash for spec in mirror.specs)
    assert [
        (spec.package, spec.version, spec.compiler, spec.size, spec.build and spec.build.external)
        for spec, there in zip(mirror.specs, mirror.available, strict=True)
        if not there
    ] == [
        ("gcc", "12.2.0", "none", None, "/usr"),
        ("perl", "5.36.0", "none", None, "/usr"),
        ("glibc", "2.36", "none", None, "/usr"),
    ]
    (hdf5,) = (spec for spec in mirror.specs if spec.hash == "t2sz3yph3s6padinnxx3s5oatvqteu3x")
    assert hdf5 == Spec(
        "t2sz3yph3s6padinnxx3s5oatvqteu3x",
        "hdf5",
        "1.14.6",
        "gcc@12.2.0",
        "ubuntu22.04",
        "linux",
        "x86_64_v3",
        (
            "api=default", "build_system=cmake", "build_type=Release", "~cxx", "~fortran",
            "generator=make", "~hl", "~ipo", "~java", "~map", "~mpi", "+shared", "~szip",
            "~threadsafe", "+tools",
        ),
        22402,
        Build(
            5,
            "builtin",
            "nktmqmsnain2xdnzpn26ekspev7hszjd2rvh2gjbtkiptvnoqhwq====",
            (("cflags", ("-O2", "-g")),),
            dependencies=(
                Dependency("eejxvxnywmjd5xgfkoymnhyfq3gdym52", "cmake", ("build",), ()),
                Dependency("rwnqblirwn5aenlmsbvsieo7mzw672ee", "compiler-wrapper", ("build",), ()),
                Dependency("no2sycaxqy24mrmhnrxthihix6f65xek", "gcc", ("build",), ("c",)),
                Dependency("xcy7goeed3nifc2h6anpjo3vph4kykmz", "gcc-runtime", ("link",), ()),
                Dependency("t2rqteqxuvxmx6y5hu3rw2rwwgkzub3l", "glibc", ("link",), ("libc",)),
                Dependency("3fndy4l7dfx2py5aopsl6fcsv4bphwdx", "gmake", ("build",), ()),
                Dependency(
                    "7f5g677kdiar4spp5fci77ejxssksyiy", "pkgconf", ("run",), ("pkgconfig",)
                ),
                Dependency(
                    "5kqyiq75onifkbjruff3j5v3t3zfjszj",
                    "zlib-ng",
                    ("build", "link"),
                    ("zlib-api",),
                ),
            ),
        ),
    )  # fmt: skip


def test_a_mirror_of_layout_2(mirrors: Path) -> None:
    mirror = the_mirror(read_build_caches(mirrors / OLD / "tutorial", ONE))
    assert mirror.place == "build_cache/index.json"
    assert (len(mirror.specs), sum(mirror.available)) == (31, 29)
    (mpich,) = (spec for spec in mirror.specs if spec.package == "mpich")
    assert mpich.compiler == "gcc@12.2.0"
    assert "patches=7326028,db4173c,de0de41" in mpich.variants
    assert mpich.size is None
    assert mpich.build is not None
    assert mpich.build.format == 4
    assert mpich.build.patches == (
        "7326028995f4c9143cfa829205ace764660e2fd3e7cec54d85b371dbca6ee03c",
        "de0de41ec42ac5f259ea02f195eea56fba84d72b0b649a44c947eab6632995ab",
        "db4173cc4f33ca80e5457273dabc06a5dfab8aa8dcf08fb99c343a4e180eb4c3",
    )


def test_folders_of_tags_and_stacks(mirrors: Path) -> None:
    for folder, tags in ((mirrors, [OLD, NEW]), (mirrors / NEW, [NEW])):
        records = list(read_build_caches(folder))
        found = [record for record in records if isinstance(record, Mirror)]
        assert [(mirror.tag, mirror.stack) for mirror in found] == [
            (tag, "tutorial") for tag in tags
        ]
        assert problems(records) == []


def test_a_bucket_with_its_list(real_data: Path) -> None:
    for path in (real_data / "mirrors", real_data / "mirrors" / "cache_spack_io_index.json"):
        found = [record for record in read_build_caches(path) if isinstance(record, Mirror)]
        assert [(mirror.tag, mirror.stack, mirror.url, len(mirror.specs)) for mirror in found] == [
            (OLD, "build_systems", f"https://binaries.spack.io/{OLD}/build_systems", 45),
            (OLD, "root", f"https://binaries.spack.io/{OLD}", 68),
            (OLD, "tutorial", f"https://binaries.spack.io/{OLD}/tutorial", 31),
            (NEW, "build_systems", f"https://binaries.spack.io/{NEW}/build_systems", 47),
            (NEW, "root", f"https://binaries.spack.io/{NEW}", 75),
            (NEW, "tutorial", f"https://binaries.spack.io/{NEW}/tutorial", 38),
        ]


def test_a_folder_of_indexes(real_data: Path) -> None:
    records = list(read_build_caches(real_data / "indexes"))
    assert records[0] == Source("indexes", ".", parts=11)
    found = [record for record in records if isinstance(record, Mirror)]
    assert [(mirror.tag, mirror.stack, len(mirror.specs)) for mirror in found] == [
        ("v2025.07.0", "build_systems", 72),
        ("v2025.07.0", "developer-tools-aarch64-linux-gnu", 182),
        ("v2025.07.0", "developer-tools-x86_64_v3-linux-gnu", 182),
        ("v2025.07.0", "e4s", 574),
        ("v2025.07.0", "e4s-neoverse-v2", 574),
        ("v2025.07.0", "ml-linux-aarch64-cpu", 328),
        ("v2025.07.0", "ml-linux-x86_64-cpu", 328),
        ("v2025.07.0", "radiuss", 202),
        ("v2025.07.0", "radiuss-aws-aarch64", 202),
        ("v2025.07.0", "root", 2536),
        ("v2025.07.0", "tutorial", 64),
    ]


@pytest.mark.parametrize("place", ["", BLOB, "v3/manifests/index/index.manifest.json"])
def test_every_way_to_name_a_mirror(mirrors: Path, place: str) -> None:
    root = mirrors / NEW / "tutorial"
    assert is_build_cache(root / place)
    mirror = the_mirror(read_build_caches(root / place, ONE))
    assert mirror == the_mirror(read_build_caches(root, ONE))


def test_an_index_by_another_name(mirrors: Path, tmp_path: Path) -> None:
    for name, form in (("mine.json", bytes), ("mine.json.gz", gzip.compress), ("x", bytes)):
        path = tmp_path / name
        path.write_bytes(form((mirrors / OLD / "tutorial/build_cache/index.json").read_bytes()))
        assert is_build_cache(path)
        records = list(read_build_caches(path, ONE))
        assert records[0] == Source("indexes", name, parts=1)
        assert (the_mirror(records).place, len(the_mirror(records).specs)) == (name, 31)


@pytest.mark.parametrize(
    "content",
    [b"", b"---\ntitle: hdf5\n", b"[]", b"{}", b"\x1f\x8b", b"PK\x03\x04", b"<html>", b'{"a": 1}'],
)
def test_files_that_are_no_build_cache(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert not is_build_cache(path)


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("x", b'{"database": {}}', "index"),
        ("x", gzip.compress(b'\n {"database": {}}', mtime=0), "index"),
        ("x", b'[{"label": "a", "url": "b"}]', None),
        ("x", b'{"t": [{"label": "a", "url": "b"}]}', "list"),
        ("x", b'{"label": "a"}', None),
        ("index.json", b"", "index"),
        ("cache_spack_io_index.json", b"", "list"),
    ],
)
def test_files_are_told_apart_by_their_names_and_beginnings(
    tmp_path: Path, name: str, content: bytes, kind: str | None
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert kind_of(path) == kind


def test_what_is_no_file_is_no_build_cache(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not is_build_cache(tmp_path / "pipe")
    assert not is_build_cache(tmp_path / "absent")


def test_a_mirror_is_named_by_its_folder(mirrors: Path) -> None:
    for place in ("", "build_cache/index.json"):
        records = read_build_caches(mirrors / OLD / "tutorial" / place)
        (mirror,) = (it for it in records if isinstance(it, Mirror))
        assert (mirror.tag, mirror.stack) == (OLD, "tutorial")


def test_a_lone_index_has_to_be_named(mirrors: Path, tmp_path: Path) -> None:
    index = tmp_path / "any.json"
    index.write_bytes((mirrors / OLD / "tutorial" / "build_cache" / "index.json").read_bytes())
    with pytest.raises(UsageError, match="an index does not name its tag"):
        list(read_build_caches(index))


def test_a_folder_without_an_index(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no index of a build cache in this folder"):
        list(read_build_caches(tmp_path))


def test_only_the_packages_asked_for(mirrors: Path) -> None:
    selection = Selection(ONE.tags, ONE.stacks, frozenset({"mpich"}))
    mirror = the_mirror(read_build_caches(mirrors / NEW / "tutorial", selection))
    assert [(spec.package, spec.compiler, spec.size) for spec in mirror.specs] == [
        ("mpich", "gcc@12.2.0", 17182)
    ]
    assert mirror.available == (True,)


def test_the_digest_is_of_what_was_read(copied: Path) -> None:
    root = copied / OLD / "tutorial"
    index = (root / "build_cache/index.json").read_bytes()
    line = f"{hashlib.sha256(index).hexdigest()}  build_cache/index.json\n"
    *_, digest = read_build_caches(root, ONE)
    assert digest == Digest(hashlib.sha256(line.encode()).hexdigest())
    (root / "build_cache" / "notes.txt").write_text("not read")
    assert list(read_build_caches(root, ONE))[-1] == digest
    (root / "build_cache/index.json").write_bytes(index + b"\n")
    assert list(read_build_caches(root, ONE))[-1] != digest


def test_one_broken_stack_does_not_spoil_the_rest(copied: Path) -> None:
    (copied / OLD / "tutorial/build_cache/index.json").write_bytes(b'{"database": {')
    records = list(read_build_caches(copied))
    assert the_mirror(records).tag == NEW
    assert problems(records) == [
        Problem(
            f"{OLD}/tutorial/build_cache/index.json",
            "refused",
            "not JSON: Expecting a key at character 14, where it is cut off; fetch it again",
        )
    ]


def test_a_damaged_blob(copied: Path) -> None:
    blob = copied / NEW / "tutorial" / BLOB
    blob.write_bytes(blob.read_bytes() + b" ")
    (problem,) = problems(read_build_caches(copied / NEW / "tutorial", ONE))
    assert problem.place == BLOB
    assert problem.message.startswith("its SHA-256 is ")
    assert problem.message.endswith("and should be fc29961d8868…; it is damaged")


def test_a_blob_that_is_not_there(copied: Path) -> None:
    (copied / NEW / "tutorial" / BLOB).unlink()
    assert problems(read_build_caches(copied / NEW / "tutorial", ONE)) == [
        Problem(BLOB, "refused", "the index that index.manifest.json names is not there")
    ]


def test_a_blob_that_is_packed(copied: Path) -> None:
    """The manifest says so, and the checksum is of the packed bytes."""
    root = copied / NEW / "tutorial"
    packed = gzip.compress((root / BLOB).read_bytes())
    checksum = hashlib.sha256(packed).hexdigest()
    place = f"blobs/sha256/{checksum[:2]}/{checksum}"
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).write_bytes(packed)
    path = root / "v3/manifests/index/index.manifest.json"
    manifest = json.loads(path.read_text())
    manifest["data"][0] |= {"checksum": checksum, "compression": "gzip"}
    path.write_text(json.dumps(manifest))
    mirror = the_mirror(read_build_caches(root, ONE))
    assert (mirror.place, len(mirror.specs)) == (place, 38)


def test_a_checksum_of_layout_2_that_is_out_of_date(copied: Path) -> None:
    (copied / OLD / "tutorial/build_cache/index.json.hash").write_text("0" * 64)
    records = list(read_build_caches(copied / OLD / "tutorial", ONE))
    assert len(the_mirror(records).specs) == 31
    assert problems(records) == [
        Problem(
            "build_cache/index.json", "contradiction", "its SHA-256 is not that in index.json.hash"
        )
    ]


def test_a_checksum_of_layout_2_that_is_no_text(copied: Path) -> None:
    (copied / OLD / "tutorial/build_cache/index.json.hash").write_bytes(b"\xff" * 64)
    records = list(read_build_caches(copied / OLD / "tutorial", ONE))
    assert len(the_mirror(records).specs) == 31
    assert problems(records) == []


def test_a_link_that_leads_out_is_not_followed(copied: Path, tmp_path: Path) -> None:
    index = copied / OLD / "tutorial/build_cache/index.json"
    index.rename(tmp_path / "index.json")
    index.symlink_to(tmp_path / "index.json")
    assert problems(read_build_caches(copied / OLD / "tutorial", ONE)) == [
        Problem("build_cache/index.json", "refused", "leads out of the folder, and is not followed")
    ]


def test_a_link_that_stays_inside_is_followed(copied: Path) -> None:
    index = copied / OLD / "tutorial/build_cache/index.json"
    index.rename(index.with_name("index-1.json"))
    index.symlink_to("index-1.json")
    assert len(the_mirror(read_build_caches(copied / OLD / "tutorial", ONE)).specs) == 31


def test_an_index_that_is_too_large(copied: Path) -> None:
    with (copied / OLD / "tutorial/build_cache/index.json").open("r+b") as stream:
        stream.truncate(1 << 30)
    (problem,) = problems(read_build_caches(copied / OLD / "tutorial", ONE))
    assert problem.message == "has 1,073,741,824 bytes, more than 536,870,912; not read"


def test_a_list_in_a_folder_that_lacks_a_mirror(copied: Path) -> None:
    entries = {
        NEW: [{"label": "tutorial", "url": f"s3://spack-binaries/{NEW}/tutorial/{BLOB}"}],
        "v1": [{"label": "e4s", "url": "s3://spack-binaries/v1/e4s/build_cache/index.json"}],
    }
    (copied / "cache_spack_io_index.json").write_text(json.dumps(entries))
    records = list(read_build_caches(copied))
    assert the_mirror(records).stack == "tutorial"
    assert problems(records) == [
        Problem("v1/e4s/build_cache/index.json", "refused", "there is no such file")
    ]


def test_sizes_of_tarballs_and_of_spec_files(copied: Path) -> None:
    root = copied / OLD / "tutorial/build_cache"
    arch = "linux-ubuntu22.04-x86_64_v3"
    mpich, hdf5 = "t62sda65astvuhwutl73rlof2wfpgipm", "3xsugsry35ptxtijcfjebdrtbhg26ibc"
    tarball = (
        root / arch / "gcc-12.2.0/mpich-3.4.3" / f"{arch}-gcc-12.2.0-mpich-3.4.3-{mpich}.spack"
    )
    tarball.parent.mkdir(parents=True)
    tarball.write_bytes(b"x" * 1234)
    spec_file = root / f"{arch}-gcc-12.2.0-hdf5-1.14.5-{hdf5}.spec.json"
    spec_file.write_text(json.dumps({"spec": {}, "archive_size": 5678}))
    mirror = the_mirror(read_build_caches(copied / OLD / "tutorial", ONE))
    assert {spec.hash: spec.size for spec in mirror.specs if spec.size} == {
        mpich: 1234,
        hdf5: 5678,
    }


def test_a_damaged_manifest_is_one_size_less(copied: Path) -> None:
    root = copied / NEW / "tutorial"
    place = (
        "v3/manifests/spec/mpich/mpich-3.4.3-yh4vztshxijs5rypgvkcbivdnxjbs5xn.spec.manifest.json"
    )
    (root / place).write_text("{")
    records = list(read_build_caches(root, ONE))
    mirror = the_mirror(records)
    assert [spec.package for spec in mirror.specs if spec.size is None] == [
        "gcc", "perl", "glibc", "mpich",
    ]  # fmt: skip
    (problem,) = problems(records)
    assert problem.place == place
    assert problem.message.startswith("not JSON: ")


def test_the_same_folder_elsewhere_gives_the_same_records(mirrors: Path, copied: Path) -> None:
    assert list(read_build_caches(copied)) == list(read_build_caches(mirrors))
