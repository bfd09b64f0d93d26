"""A new file takes the place of the old one whole, or not at all, and leaves nothing behind."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from etl.errors import WriteError
from etl.writer.swap import replacing
from tests.running import digest_of
from tests.sites import SEED, as_nobody, build, item, page, place_of, rows, write_site

CHECKOUT = Path(__file__).parents[2]


def _replace(target: Path, content: bytes = b"new") -> None:
    with replacing(target) as new:
        new.write_bytes(content)


def _refused(target: Path) -> str:
    with pytest.raises(WriteError) as caught:
        _replace(target)
    return str(caught.value)


def _litter(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.endswith(".building")]


def test_a_new_file(tmp_path: Path) -> None:
    target = tmp_path / "a.db"
    with replacing(target) as new:
        new.write_bytes(b"new")
        assert new.parent == tmp_path
        assert not target.exists()
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


def test_the_old_file_stays_until_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.db"
    target.write_bytes(b"old")
    with target.open("rb") as reading:
        with replacing(target) as new:
            new.write_bytes(b"new")
            assert target.read_bytes() == b"old"
        assert reading.read() == b"old"
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
def test_the_old_file_stays_when_something_fails(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "a.db"
    target.write_bytes(b"old")

    def fail() -> None:
        with replacing(target) as new:
            new.write_bytes(b"new")
            raise error

    with pytest.raises(error):
        fail()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o666])
def test_the_new_file_has_the_mode_of_the_old_one(tmp_path: Path, mode: int) -> None:
    target = tmp_path / "a.db"
    target.write_bytes(b"old")
    target.chmod(mode)
    _replace(target)
    assert stat.S_IMODE(target.stat().st_mode) == mode


def test_a_first_file_has_the_mode_that_the_user_wants(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        _replace(tmp_path / "a.db")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.db").stat().st_mode) == 0o640


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    target, link = tmp_path / "data" / "a.db", tmp_path / "link.db"
    link.symlink_to("data/a.db")
    for content in (b"1", b"2"):
        _replace(link, content)
        assert link.is_symlink()
        assert (target.read_bytes(), target.is_symlink()) == (content, False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "link.db"]
    assert list((tmp_path / "data").iterdir()) == [target]


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "socket"))
    assert _refused(folder) == f"{folder}: is a folder; name the file to write"
    for special in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/null"), Path("/dev/full")):
        before = special.stat()
        assert _refused(special) == f"{special}: is not a regular file; name another"
        assert special.stat().st_mode == before.st_mode
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    assert _refused(loop) == f"{loop}: cannot be written: Too many levels of symbolic links"
    missing = tmp_path / "missing" / "a.db"
    assert _refused(missing) == (
        f"{missing}: the folder {missing.parent} does not exist; make it first"
    )
    under = tmp_path / "pipe" / "a.db"
    assert _refused(under) == f"{under}: the folder {under.parent} does not exist; make it first"
    long = tmp_path / ("a" * 300)
    assert _refused(long) == f"{long}: cannot be written: File name too long"
    assert not _litter(tmp_path)


def test_a_folder_that_nobody_may_write_to(open_folder: Path) -> None:
    target = open_folder / "a.db"
    target.write_bytes(b"old")
    target.chmod(0o666)
    open_folder.chmod(0o555)
    with as_nobody():
        assert _refused(target) == f"{target}: cannot be written: Permission denied"
    assert target.read_bytes() == b"old"


def test_a_file_that_nobody_may_write_to(open_folder: Path) -> None:
    target = open_folder / "a.db"
    target.write_bytes(b"old")
    target.chmod(0o444)
    with as_nobody():
        assert _refused(target) == f"{target}: is read-only; name another file or allow writing"
    assert target.read_bytes() == b"old"


def test_a_file_system_that_takes_no_files() -> None:
    target = Path("/proc/self/a.db")
    if not target.parent.is_dir():
        pytest.skip("there is no /proc on this system")
    assert _refused(target).startswith(f"{target}: cannot be written: ")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 200 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k,mode=0777", "tmpfs", str(disk)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no small disk can be made here: {error}")
    if done.returncode:
        pytest.skip(f"no small disk can be made here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    target = small_disk / "a.db"
    target.write_bytes(b"old")
    with pytest.raises(WriteError) as caught:
        build(target, SEED)
    assert str(caught.value) == f"{target}: cannot be written: database or disk is full"
    assert target.read_bytes() == b"old"
    assert list(small_disk.iterdir()) == [target]


def test_a_read_only_disk(small_disk: Path, tmp_path: Path) -> None:
    target = small_disk / "a.db"
    target.write_bytes(b"old")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for path in (target, small_disk / "b.db"):
        with pytest.raises(WriteError, match=r"read-only|Read-only file system"):
            build(path, SEED)
    assert [path.name for path in small_disk.iterdir()] == ["a.db"]
    assert target.read_bytes() == b"old"


def test_what_a_killed_build_left_is_cleared(tmp_path: Path) -> None:
    target = tmp_path / "a[1]*.db"
    left = [
        tmp_path / ".a[1]*.db.0123456789abcdef.building",
        tmp_path / ".a[1]*.db.0123456789abcdef.building-journal",
    ]
    others = [
        tmp_path / ".a11.db.0123456789abcdef.building",
        tmp_path / ".b.db.0123456789abcdef.building",
        tmp_path / "a[1]*.db.building",
    ]
    for path in (*left, *others):
        path.write_bytes(b"litter")
    link = tmp_path / ".a[1]*.db.fedcba9876543210.building"
    link.symlink_to(others[0])
    _replace(target)
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in others)


def test_what_a_running_build_writes_is_not_cleared(tmp_path: Path) -> None:
    target = tmp_path / "a.db"
    with replacing(target) as first:
        first.write_bytes(b"first")
        with replacing(target) as second:
            assert first != second
            second.write_bytes(b"second")
        assert target.read_bytes() == b"second"
        assert first.read_bytes() == b"first"
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]


def test_a_journal_is_cleared_with_its_file_and_not_before(tmp_path: Path) -> None:
    target = tmp_path / "a.db"
    orphan = tmp_path / ".a.db.0123456789abcdef.building-wal"
    orphan.write_bytes(b"litter")
    with replacing(target) as running:
        journal = running.with_name(f"{running.name}-journal")
        journal.write_bytes(b"journal")
        with replacing(target):
            pass
        assert journal.exists()
        assert not orphan.exists()
    _replace(target)
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_was_cleared_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.flock
    cleared: list[Path] = []

    def clear_first(descriptor: int, operation: int) -> None:
        if not cleared:
            cleared.extend(tmp_path.glob(".a.db.*.building"))
            cleared[0].unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", clear_first)
    with replacing(tmp_path / "a.db") as new:
        assert new != cleared[0]
        new.write_bytes(b"new")
    assert (tmp_path / "a.db").read_bytes() == b"new"
    assert not _litter(tmp_path)


def test_an_error_at_the_very_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.db"
    target.write_bytes(b"old")

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    assert _refused(target) == f"{target}: cannot be written: Input/output error"
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


# Whole builds, in processes of their own.

_PROGRAM = """
import sys
from pathlib import Path
from etl.writer.intake import Reading
from etl.writer.build import build_catalog
from etl.sources.pages import read_pages
sys.stdin.readline()
build_catalog([Reading("x", read_pages(Path(sys.argv[2])))], Path(sys.argv[1]))
"""


class _Building:
    """A build in another process that waits until it is told to begin."""

    def __init__(self, target: Path, site: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, target, site], stdin=subprocess.PIPE, cwd=CHECKOUT
        )

    def begin(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()


def _site(folder: Path, name: str, pages: int) -> Path:
    files = {
        place_of("develop", f"{name}{number}"): page(
            "develop", f"{name}{number}", [item(number * 100 + n) for n in range(20)]
        )
        for number in range(pages)
    }
    return write_site(folder / name, files)


def _is_whole(catalog: Path) -> int:
    """The number of binaries in a catalog that is sound."""
    with closing(sqlite3.connect(f"file:{catalog}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert rows(catalog, "SELECT count(*) FROM spec_list") == rows(
        catalog, "SELECT sum(specs) FROM packages"
    )
    return int(rows(catalog, "SELECT count(*) FROM binaries")[0][0])


_STOPS = """
import os, signal, sys
from pathlib import Path
from etl.sources.pages import read_pages
from etl.writer import build, finish, intake

number = int(sys.argv[3])
passed = -1

def stopping(place, name, after=False):
    real = getattr(place, name)
    def call(*args, **kwargs):
        global passed
        result = real(*args, **kwargs) if after else None
        passed += 1
        if passed == number:
            print(name, flush=True)
            signal.pause()
        return result if after else real(*args, **kwargs)
    setattr(place, name, call)

stopping(intake.Intake, "read")
stopping(build, "_write_packages")
for name in ("index_hashes", "add_edges", "create_indexes", "count", "describe"):
    stopping(finish, name)
stopping(finish, "add_views_and_search")
stopping(os, "fsync")
stopping(Path, "replace")
stopping(Path, "replace", after=True)
build.build_catalog([intake.Reading("x", read_pages(Path(sys.argv[2])))], Path(sys.argv[1]))
"""
_STOPPED_AT = (
    "read", "_write_packages", "index_hashes", "add_edges", "create_indexes", "count", "describe",
    "add_views_and_search", "fsync", "replace", "replace",
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(_STOPPED_AT)))
def test_a_kill_at_any_moment(tmp_path: Path, number: int) -> None:
    target = tmp_path / "out" / "a.db"
    target.parent.mkdir()
    old, new = _site(tmp_path, "old", 2), _site(tmp_path, "new", 3)
    build(target, old)
    process = subprocess.Popen(
        [sys.executable, "-c", _STOPS, target, new, str(number)],
        stdout=subprocess.PIPE, cwd=CHECKOUT, text=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{_STOPPED_AT[number]}\n"
        process.kill()
    is_replaced = number == len(_STOPPED_AT) - 1
    assert _is_whole(target) == (60 if is_replaced else 40)
    assert bool(_litter(target.parent)) is not is_replaced
    build(target, old)
    assert _is_whole(target) == 40
    assert list(target.parent.iterdir()) == [target]


def test_two_builds_at_once(tmp_path: Path) -> None:
    target = tmp_path / "out" / "a.db"
    target.parent.mkdir()
    sites = {100: _site(tmp_path, "small", 5), 800: _site(tmp_path, "large", 40)}
    for _ in range(2):
        builds = [_Building(target, site) for site in sites.values() for _ in range(2)]
        for running in builds:
            running.begin()
        assert [running.process.wait(60) for running in builds] == [0, 0, 0, 0]
        assert _is_whole(target) in sites
        assert list(target.parent.iterdir()) == [target]


_LIMITED = """
import resource, signal, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
from etl.cli import main
main(["build", sys.argv[2], "--catalog", sys.argv[1], "--no-progress"])
"""


@pytest.mark.parametrize("limit", [0, 1, 4096, 100_000, 300_000])
def test_a_file_that_may_not_grow(tmp_path: Path, limit: int) -> None:
    target = tmp_path / "out" / "a.db"
    target.parent.mkdir()
    build(target, SEED)
    before = digest_of(target)
    site = _site(tmp_path, "new", 40)
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, target, site, str(limit)],
        capture_output=True, text=True, check=False, cwd=CHECKOUT,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"spack-catalog: {target}: cannot be written: ")
    assert done.stderr.count("\n") == 1
    assert digest_of(target) == before
    assert list(target.parent.iterdir()) == [target]
