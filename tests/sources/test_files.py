"""Files, folders and archives from strangers: what is read, and what is refused and why."""

from __future__ import annotations

import io
import os
import random
import socket
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from etl.errors import SourceError
from etl.sources import files
from etl.sources.files import (
    LINK,
    NOT_A_FILE,
    File,
    is_archive,
    is_checksum,
    list_folder,
    read_archive,
    read_file,
    sha256_of,
)
from etl.text import printable
from etl.workers import Workers
from tests.sites import as_nobody, shuffle_folders, write_site

LIMIT = 1000


def _wanted(place: str) -> bool:
    return place.endswith("specs.md")


def _listed(folder: Path) -> tuple[list[str], list[tuple[str, str]]]:
    places, refused = list_folder(folder, _wanted)
    return places, [(error.place, error.message) for error in refused]


def _read(path: Path) -> dict[str, object]:
    """What an archive gives: by place the bytes, or why they are refused."""
    return {
        it.place: it.data if isinstance(it, File) else it.message
        for it in read_archive(path, _wanted, LIMIT)
    }


def test_many_folders_are_listed_by_all_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_FOLDERS_AT_ONCE", 2)
    monkeypatch.setattr(files, "_BATCHES_OF_FOLDERS_WORTH_PROCESSES", 2)
    for number in range(9):
        deep = tmp_path / f"tag{number}" / "package" / "deeper"
        deep.mkdir(parents=True)
        (deep.parent / "specs.md").touch()
        (deep / "specs.md").symlink_to("../specs.md")
    (tmp_path / "tag3" / "specs.md").mkdir()
    os.mkfifo(tmp_path / "tag4" / "specs.md")
    places, refused = list_folder(tmp_path, _wanted, Workers(2, "fork"))
    assert places == [f"tag{number}/package/specs.md" for number in range(9)]
    assert (places, [(it.place, it.message) for it in refused]) == _listed(tmp_path)
    assert len(refused) == 10


def _refusal(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        list(read_archive(path, _wanted, LIMIT))
    return str(caught.value)


def _tar(
    path: Path, members: Mapping[str, bytes | tarfile.TarInfo], mode: Any = "w", **options: Any
) -> Path:
    with tarfile.open(path, mode, **options) as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                content.name = name
                archive.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def _zip(path: Path, members: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def _member(kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo()
    info.type, info.linkname = kind, target
    return info


MAKERS: dict[str, Callable[[Path, Mapping[str, bytes]], Path]] = {
    "site.zip": _zip,
    "stored.zip": lambda path, members: _zip(path, members, zipfile.ZIP_STORED),
    "bzip2.zip": lambda path, members: _zip(path, members, zipfile.ZIP_BZIP2),
    "site.tar": _tar,
    "pax.tar": lambda path, members: _tar(path, members, format=tarfile.PAX_FORMAT),
    "gnu.tar": lambda path, members: _tar(path, members, format=tarfile.GNU_FORMAT),
    "site.tar.gz": lambda path, members: _tar(path, members, "w:gz"),
    "with another name": _zip,
}


def test_a_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for size in (0, 1, 9, 10, 11, 1000):
        path.write_bytes(b"x" * size)
        assert read_file(path, 10) == b"x" * min(size, 11)


@pytest.mark.parametrize("name", ["missing", "folder", "missing/a", "a" * 300])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(SourceError, match=r"cannot be read: \w|not a regular file") as caught:
        read_file(tmp_path / name, 10)
    assert caught.value.place == str(tmp_path / name)


def test_pipes_sockets_and_devices_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null"), Path("/dev/zero")):
        with pytest.raises(SourceError) as caught:
            read_file(path, 10)
        assert str(caught.value) == f"{path}: {NOT_A_FILE}"
        assert not is_archive(path)


def test_what_nobody_may_read(open_folder: Path) -> None:
    write_site(open_folder, {"a/specs.md": b"", "b/specs.md": b"", "c/specs.md": b""})
    (open_folder / "a").chmod(0)
    (open_folder / "b" / "specs.md").chmod(0)
    with as_nobody():
        assert _listed(open_folder) == (
            ["b/specs.md", "c/specs.md"],
            [("a/", "cannot be listed: Permission denied")],
        )
        with pytest.raises(SourceError, match=r"b/specs.md: cannot be read: Permission denied$"):
            read_file(open_folder / "b" / "specs.md", 1)


def test_a_folder_is_listed_by_whole_paths(tmp_path: Path) -> None:
    names = [f"{folder}specs.md" for folder in ("b/", "a/", "a-b/", "a/b/", "", "a.b/c/")]
    hidden = [".git/specs.md", "a/.specs.md", ".specs.md", "a/.b/specs.md"]
    write_site(tmp_path, dict.fromkeys([*names, *hidden, "a/README.md", "b/specs.md.orig"], b""))
    assert _listed(tmp_path) == (sorted(names), [])


def test_the_order_of_the_file_system_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_site(tmp_path, {f"{a}/{b}/specs.md": b"" for a in "xyz" for b in "12-"})
    (tmp_path / "x" / "link").symlink_to(tmp_path)
    (tmp_path / "z" / "link").symlink_to(tmp_path)
    expected = _listed(tmp_path)
    shuffle_folders(monkeypatch)
    for _ in range(5):
        assert _listed(tmp_path) == expected


def test_links_are_not_followed(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"a/specs.md": b"", "b/README": b""})
    secret = write_site(tmp_path / "secret", {"specs.md": b"", "c/specs.md": b""})
    (site / "folder").symlink_to(secret)
    (site / "b" / "specs.md").symlink_to(secret / "specs.md")
    (site / "b" / "other.md").symlink_to(secret / "specs.md")
    (site / "b" / "loop").symlink_to("loop")
    (site / "b" / "up").symlink_to("..")
    (site / "b" / "broken").symlink_to("nothing")
    assert _listed(site) == (
        ["a/specs.md"],
        [("b/specs.md", LINK), ("b/up", LINK), ("folder", LINK)],
    )


def test_what_is_called_a_page_but_is_no_file(tmp_path: Path) -> None:
    write_site(tmp_path, {"specs.md/specs.md": b"", "a/specs.md": b""})
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "b" / "specs.md")
    os.mkfifo(tmp_path / "b" / "pipe")
    (tmp_path / "c").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "c" / "specs.md"))
        assert _listed(tmp_path) == (
            ["a/specs.md", "specs.md/specs.md"],
            [("b/specs.md", NOT_A_FILE), ("c/specs.md", NOT_A_FILE)],
        )


def test_a_folder_deeper_than_python_can_recurse(tmp_path: Path) -> None:
    depth = 1900
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(os.open("specs.md", os.O_CREAT, dir_fd=folder))
    os.close(folder)
    try:
        assert _listed(tmp_path) == (["d/" * depth + "specs.md"], [])
    finally:  # pytest's own clearing up is recursive
        subprocess.run(["rm", "-rf", tmp_path], check=True)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert _listed(tmp_path / "missing") == (
        [],
        [(".", "cannot be listed: No such file or directory")],
    )


@pytest.mark.parametrize("name", MAKERS)
def test_archives(tmp_path: Path, name: str) -> None:
    contents = {
        "_cache/v1/hdf5/specs.md": b"one",
        "README.md": b"not wanted",
        "_cache/v1/café/specs.md": b"two",
        f"{'long/' * 60}specs.md": b"three",
        "large/specs.md": b"x" * 5000,
        ".git/specs.md": b"hidden",
        "a/.b/specs.md": b"hidden",
        "./dot/specs.md": b"four",
        "a/specs.md/": b"",
    }
    path = MAKERS[name](tmp_path / name, contents)
    assert is_archive(path)
    assert _read(path) == {
        "_cache/v1/hdf5/specs.md": b"one",
        "_cache/v1/café/specs.md": b"two",
        f"{'long/' * 60}specs.md": b"three",
        "large/specs.md": b"x" * (LIMIT + 1),
        "dot/specs.md": b"four",
    }


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("../specs.md", "../specs.md"),
        ("a/../../b/specs.md", "a/../../b/specs.md"),
        ("a/..", "a/.."),
        ("..\\specs.md", "..\\specs.md"),
        ("a\n/../specs.md", "a\\n/../specs.md"),
    ],
)
def test_names_that_lead_out_of_an_archive(
    tmp_path: Path, name: str, place: str, shown: str
) -> None:
    path = MAKERS[name](tmp_path / name, {"a/specs.md": b"a", place: b"b"})
    assert _read(path) == {
        "a/specs.md": b"a",
        shown: "a path that leads out of the archive",
    }


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize(
    "place", ["/etc/specs.md", "\\a\\specs.md", "C:specs.md", "c:\\a\\specs.md"]
)
def test_absolute_names_in_an_archive(tmp_path: Path, name: str, place: str) -> None:
    path = MAKERS[name](tmp_path / name, {"a/specs.md": b"a", place: b"b"})
    assert _read(path) == {
        "a/specs.md": b"a",
        place: "an absolute path, which leads out of the archive",
    }


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_what_is_no_file_in_a_tar(tmp_path: Path, mode: str) -> None:
    path = _tar(
        tmp_path / "a",
        {
            "a/specs.md": b"a",
            "b/specs.md": _member(tarfile.SYMTYPE, "/etc/passwd"),
            "c": _member(tarfile.SYMTYPE, "/"),
            "d/specs.md": _member(tarfile.LNKTYPE, "a/specs.md"),
            "e/specs.md": _member(tarfile.FIFOTYPE),
            "f/specs.md": _member(tarfile.CHRTYPE),
            "g/specs.md": _member(tarfile.BLKTYPE),
            "h/specs.md": _member(tarfile.DIRTYPE),
            "i/pipe": _member(tarfile.FIFOTYPE),
            "z/specs.md": b"z",
        },
        mode,
    )
    assert _read(path) == {
        "a/specs.md": b"a",
        "b/specs.md": LINK,
        "c": LINK,
        "d/specs.md": LINK,
        "e/specs.md": NOT_A_FILE,
        "f/specs.md": NOT_A_FILE,
        "g/specs.md": NOT_A_FILE,
        "z/specs.md": b"z",
    }


def test_a_link_in_a_zip(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"a/specs.md": b"a"})
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("b/specs.md")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert _read(path) == {"a/specs.md": b"a", "b/specs.md": LINK}


@pytest.mark.parametrize("name", ["site.zip", "site.tar.gz"])
def test_a_file_that_unpacks_to_far_more_than_it_weighs(tmp_path: Path, name: str) -> None:
    path = MAKERS[name](tmp_path / name, {f"{n}/specs.md": bytes(2_000_000) for n in range(80)})
    size = path.stat().st_size
    assert size < 200_000
    with pytest.raises(SourceError) as caught:
        list(read_archive(path, _wanted, 16_000_000))
    assert str(caught.value) == (
        f"{name}: unpacks to more than 200 times its {size:,} bytes; not read any further"
    )


def test_what_nobody_wants_counts_in_a_tar_since_it_is_unpacked_all_the_same(
    tmp_path: Path,
) -> None:
    path = _tar(tmp_path / "a.tar.gz", {"large": bytes(80_000_000), "specs.md": b""}, "w:gz")
    assert "unpacks to more than 200 times" in _refusal(path)


def test_members_that_overlap_count_each(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"specs.md": bytes(1_000_000)})
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("specs.md")
        original = archive.fp
        assert original is not None
        original.seek(0)
        stored = original.read(archive.start_dir)
    with path.open("wb") as stream:
        stream.write(stored)
    with zipfile.ZipFile(path, "w") as archive:
        assert archive.fp is not None
        archive.fp.write(stored)
        archive.start_dir = len(stored)
        archive.filelist = [_renamed(entry, f"{n}/specs.md") for n in range(200)]
        archive._didModify = True  # type: ignore[attr-defined]
    outcome = _outcome(path, 16_000_000)
    assert "unpacks to more than 200 times" in outcome or "cannot be read" in outcome


def _renamed(entry: zipfile.ZipInfo, name: str) -> zipfile.ZipInfo:
    other = zipfile.ZipInfo("specs.md")
    for attribute in ("compress_type", "CRC", "compress_size", "file_size", "header_offset"):
        setattr(other, attribute, getattr(entry, attribute))
    other.filename = name
    return other


def _outcome(path: Path, limit: int = LIMIT) -> str:
    try:
        return str([str(it) for it in read_archive(path, _wanted, limit)])
    except SourceError as error:
        return str(error)


@pytest.mark.parametrize("kind", ["old", "pax"])
def test_sparse_files_are_not_unfolded(tmp_path: Path, kind: str) -> None:
    sparse = tarfile.TarInfo("a/specs.md")
    if kind == "pax":
        sparse.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(10**12)}
        path = _tar(tmp_path / "a.tar", {"a/specs.md": sparse}, format=tarfile.PAX_FORMAT)
    else:
        header = bytearray(_tar_header(b"S", "a/specs.md"))
        header[483:495] = b"\x80\0\0\0" + (10**12).to_bytes(8, "big")
        path = tmp_path / "a.tar"
        path.write_bytes(_with_checksum(header) + bytes(1024))
    assert _read(path) == {"a/specs.md": NOT_A_FILE}


def _tar_header(kind: bytes, name: str, size: int = 0) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def _with_checksum(header: bytearray) -> bytes:
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize("kind", [b"L", b"x"])
def test_headers_about_headers_without_end(tmp_path: Path, kind: bytes) -> None:
    body = {b"L": b"aaaa\0", b"x": b"11 path=ab\n"}[kind]
    one = _tar_header(kind, "x", len(body)) + body.ljust(512, b"\0")
    path = tmp_path / "a.tar"
    path.write_bytes(one * 5000 + _tar_header(b"0", "specs.md") + bytes(1024))
    assert _outcome(path).startswith("a.tar: damaged archive: ") or "specs.md" in _outcome(path)


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_MEMBERS", 10)
    for name in ("site.zip", "site.tar"):
        path = MAKERS[name](tmp_path / name, {f"{n}/specs.md": b"" for n in range(11)})
        assert _refusal(path) == f"{name}: has more than 10 members; not read any further"


@pytest.mark.parametrize("name", MAKERS)
def test_an_archive_that_is_cut_off_is_never_read_as_if_it_were_whole(
    tmp_path: Path, name: str
) -> None:
    contents = {f"{n}/specs.md": os.urandom(700) for n in range(12)}
    path = MAKERS[name](tmp_path / name, contents)
    data = path.read_bytes()
    end = len(data.rstrip(b"\0")) if "tar" in name else len(data) - 1
    for length in range(1, end, 331):
        path.write_bytes(data[:length])
        if is_archive(path):
            assert _outcome(path).startswith(f"{name}: damaged archive: ")


def test_a_damaged_header_is_not_the_end_of_a_tar(tmp_path: Path) -> None:
    path = _tar(tmp_path / "a.tar", {f"{n}/specs.md": b"x" for n in range(3)})
    data = bytearray(path.read_bytes())
    data[1024] ^= 1
    path.write_bytes(data)
    found = []
    with pytest.raises(SourceError, match="damaged archive: at byte 1,024: bad checksum"):
        found += list(read_archive(path, _wanted, LIMIT))


def test_one_damaged_member_of_a_zip_does_not_hide_the_others(tmp_path: Path) -> None:
    contents = {f"{n}/specs.md": b"%d" % n * 50 for n in range(3)}
    path = _zip(tmp_path / "a.zip", contents, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"1" * 50, b"7" * 50))
    assert _read(path) == {
        "0/specs.md": b"0" * 50,
        "1/specs.md": "cannot be read: Bad CRC-32 for file '1/specs.md'",
        "2/specs.md": b"2" * 50,
    }


def test_an_encrypted_member(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"a/specs.md": b"a", "b/specs.md": b"b"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\3\4") + 6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    assert _read(path) == {"a/specs.md": "encrypted, and cannot be read", "b/specs.md": b"b"}


def test_an_unknown_compression(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"a/specs.md": b"a"})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\3\4") + 8] = 99
    data[data.index(b"PK\1\2") + 10] = 99
    path.write_bytes(data)
    assert _read(path) == {"a/specs.md": "cannot be read: That compression method is not supported"}


@pytest.mark.parametrize(
    ("head", "yes"),
    [
        (b"PK\3\4", True),
        (b"PK\5\6", True),
        (b"\x1f\x8b", True),
        (bytes(257) + b"ustar", True),
        (b"---\ntitle", False),
        (b"", False),
        (b"PK", False),
    ],
)
def test_archives_are_known_by_their_first_bytes(tmp_path: Path, head: bytes, yes: bool) -> None:
    path = tmp_path / "a"
    path.write_bytes(head)
    assert is_archive(path) is yes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\3\4 and no more", "a: damaged archive: File is not a zip file"),
        (b"\x1f\x8b and no more", "a: damaged archive: Unknown compression method"),
        (b"\x1f\x8b", "a: damaged archive: "),
        (bytes(257) + b"ustar" + bytes(300), "a: damaged archive: at byte 0: bad checksum"),
    ],
)
def test_what_only_begins_as_an_archive(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    assert _refusal(path).startswith(message)


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = _zip(tmp_path / "inner.zip", {"b/specs.md": b"b"}).read_bytes()
    path = _tar(tmp_path / "a.tar", {"a/specs.md": b"a", "z.zip": inner})
    assert zipfile.is_zipfile(path)
    assert _read(path) == {"a/specs.md": b"a"}


def test_archives_damaged_at_random_are_read_or_refused(tmp_path: Path) -> None:
    generator = random.Random(1)
    contents = {f"_cache/t{n}/é/specs.md": b"---\nx\n---" * (n * 50 + 1) for n in range(4)}
    whole = [MAKERS[name](tmp_path / name, contents).read_bytes() for name in MAKERS]
    path = tmp_path / "damaged"
    for _ in range(800):
        data = bytearray(generator.choice(whole))
        for _ in range(generator.choice([1, 3, 20])):
            place = generator.randrange(len(data))
            data[place] = generator.randrange(256)
            if generator.random() < 0.2:
                data[place : place + 4] = b"\xff" * 4
        path.write_bytes(data)
        if is_archive(path):
            assert _outcome(path).isprintable()


def test_names_that_no_terminal_should_see(tmp_path: Path) -> None:
    assert printable("a/specs.md") == "a/specs.md"
    assert printable("é 日本") == "é 日本"
    assert printable("a\n\x1b[31m\udcff\u202e") == r"a\n\x1b[31m\udcff\u202e"
    path = _tar(tmp_path / "a\n.tar", {"a\n/specs.md": b"a", "/\x1b/specs.md": b""})
    assert _read(path) == {
        r"a\n/specs.md": b"a",
        r"/\x1b/specs.md": "an absolute path, which leads out of the archive",
    }
    path.write_bytes(b"PK\3\4")
    assert _refusal(path) == r"a\n.tar: damaged archive: File is not a zip file"


def test_the_sum_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert sha256_of(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("0123456789abcdef" * 4, True),
        ("0123456789abcdef" * 3 + "0123456789abcde", False),
        ("0123456789abcdef" * 4 + "0", False),
        ("0123456789ABCDEF" * 4, False),
        ("0123456789abcdex" * 4, False),
        ("0" * 32 + "x" + "0" * 31, False),
        (b"0" * 64, False),
    ],
)
def test_what_is_a_checksum(text: object, yes: bool) -> None:
    assert is_checksum(text) is yes


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("0123456789abcdef" * 4, True),
        ("0" * 63 + "f", True),
        ("0" * 63, False),
        ("0" * 65, False),
        *((letter + "0" * 63, False) for letter in "gxzAF -/"),
        (None, False),
        (0, False),
    ],
)
def test_what_a_checksum_is(text: object, is_one: bool) -> None:
    assert is_checksum(text) is is_one
