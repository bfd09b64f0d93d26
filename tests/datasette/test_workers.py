"""``serve --workers``: several processes on one socket, none of which is missed."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from datasette_spack.current import CurrentCatalog
from datasette_spack.serve import datasette_for
from tests.datasette.test_serve import refused
from tests.running import PATIENCE, start
from tests.servers import errors, said, serving, serving_and_looking
from tests.sites import build, item, page, place_of, write_site

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="reads what Linux says of processes"
)

TAGS = ("develop-2025-01-05", "develop-2025-02-02")


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two catalogs, each with a tag of its own."""
    built = []
    for tag in TAGS:
        folder = tmp_path_factory.mktemp(tag)
        text = page(tag, "hdf5", [item(1)])
        build(folder / "catalog.db", write_site(folder, {place_of(tag, "hdf5"): text}))
        built.append(folder / "catalog.db")
    return built


@pytest.fixture
def catalog(tmp_path: Path, catalogs: list[Path]) -> Path:
    """The first of the two, to be replaced."""
    return Path(shutil.copy(catalogs[0], tmp_path))


def put(catalog: Path, target: Path) -> None:
    """Put a copy of a catalog in the place of another, at once."""
    copy = target.with_suffix(".copy")
    shutil.copy(catalog, copy)
    copy.replace(target)


def workers_of(process: subprocess.Popen[str]) -> set[int]:
    """The processes that a server has started to answer."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return {int(pid) for pid in children if b"spawn_main" in command_line(pid)}


def command_line(pid: str) -> bytes:
    """How a process was started; nothing if it has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def has_open(pid: int, catalog: Path) -> bool:
    try:
        return any(it.readlink() == catalog for it in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def ready(process: subprocess.Popen[str], catalog: Path, number: int = 2) -> set[int]:
    """The workers that have opened the catalog, when they are so many."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        opened = {pid for pid in workers_of(process) if has_open(pid, catalog)}
        if len(opened) == number:
            return opened
        time.sleep(0.02)
    raise AssertionError(workers_of(process))


def is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until_ended(pids: set[int]) -> None:
    deadline = time.monotonic() + PATIENCE
    while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in pids if is_running(pid)] == []


def tags_of(address: str) -> list[str]:
    """Its tags, over a connection of its own, which any worker may take."""
    found = httpx.get(f"{address}catalog/tags.json?_shape=array", timeout=PATIENCE).json()
    return [it["name"] for it in found]


def pids_in(lines: list[str], pattern: str) -> set[int]:
    found = [re.fullmatch(rf"spack-catalog\[(\d+)\]: {pattern}\n", line) for line in lines]
    assert all(found), lines
    return {int(match[1]) for match in found if match}


def test_each_worker_takes_up_a_new_catalog(catalog: Path, catalogs: list[Path]) -> None:
    served = f"{re.escape(str(catalog))}: the new catalog is being served"
    with serving_and_looking(catalog, workers=2) as (address, process):
        both = ready(process, catalog)
        assert tags_of(address) == [TAGS[0]]
        put(catalogs[1], catalog)
        assert pids_in([said(process), said(process)], served) == both
        assert [tags_of(address) for _ in range(8)] == [[TAGS[1]]] * 8


def test_a_hangup_has_each_worker_look_at_once(catalog: Path, catalogs: list[Path]) -> None:
    served = f"{re.escape(str(catalog))}: the new catalog is being served"
    with serving_and_looking(catalog, look_every=3600, workers=2) as (address, process):
        both = ready(process, catalog)
        assert [tags_of(address) for _ in range(8)] == [[TAGS[0]]] * 8
        put(catalogs[1], catalog)
        process.send_signal(signal.SIGHUP)
        assert pids_in([said(process), said(process)], served) == both
        assert tags_of(address) == [TAGS[1]]


def test_one_that_dies_is_replaced(catalog: Path) -> None:
    with serving_and_looking(catalog, workers=2) as (address, process):
        before = ready(process, catalog)
        assert tags_of(address) == [TAGS[0]]
        victim = min(before)
        subprocess.run(["kill", "-KILL", str(victim)], check=True)
        line = said(process)
        told = re.fullmatch(
            rf"spack-catalog: worker {victim} has ended \(SIGKILL\); (\d+) takes its place\n", line
        )
        assert told, line
        assert ready(process, catalog) == before - {victim} | {int(told[1])}
        assert [tags_of(address) for _ in range(4)] == [[TAGS[0]]] * 4


def test_one_that_dies_while_there_is_no_catalog(catalog: Path, catalogs: list[Path]) -> None:
    with serving_and_looking(catalog, look_every=3600, workers=2) as (address, process):
        assert tags_of(address) == [TAGS[0]]
        before = ready(process, catalog)
        catalog.unlink()
        victim = min(before)
        subprocess.run(["kill", "-KILL", str(victim)], check=True)
        lines = [said(process)]
        while "trying again" not in lines[-1]:
            lines.append(said(process))
        assert re.search(r": there is no catalog; .*; trying again$", lines[-1].rstrip())
        assert "Traceback" not in "".join(lines)
        assert tags_of(address) == [TAGS[0]]
        put(catalogs[1], catalog)
        assert not ready(process, catalog, 1) & before


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_all_end_without_a_word(catalog: Path, kind: signal.Signals) -> None:
    with serving(catalog, "--workers", "2") as (address, process):
        assert tags_of(address) == [TAGS[0]]
        both = ready(process, catalog)
        process.send_signal(kind)
        assert process.wait(timeout=PATIENCE) == 0
        until_ended(both)
        assert errors(process).read() == ""


NOWHERE = """
import tempfile
class NoFolder:
    def __init__(self, **_):
        raise FileNotFoundError("no usable temporary directory")
tempfile.TemporaryDirectory = NoFolder
"""


def test_where_nothing_can_be_written_nothing_is_shared(catalog: Path) -> None:
    with serving_and_looking(catalog, before=NOWHERE, workers=2) as (address, process):
        assert len(ready(process, catalog)) == 2
        assert [tags_of(address) for _ in range(4)] == [[TAGS[0]]] * 4


def test_none_is_left_when_the_first_is_killed(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    with serving(catalog, "--workers", "2") as (address, process):
        assert tags_of(address) == [TAGS[0]]
        both = ready(process, catalog)
        assert len(list(folder.iterdir())) == 1
        process.kill()
        process.wait()
        until_ended(both)
    assert list(folder.iterdir()) == []


def test_what_is_wrong_is_told_once(tmp_path: Path) -> None:
    message = refused("--catalog", str(tmp_path / "catalog.db"), "--port", "0", "--workers", "3")
    assert message.startswith(f"{tmp_path / 'catalog.db'}: there is no catalog; build one with: ")


@pytest.mark.parametrize("number", ["0", "-1", "65", "two", "1.5", ""])
def test_a_number_of_workers_that_is_none(catalog: Path, number: str) -> None:
    done = start("serve", "--catalog", catalog, "--workers", number)
    assert done.returncode == 2
    assert b"Invalid value for '--workers'" in done.stderr


def test_all_workers_sign_alike(catalog: Path) -> None:
    made: list[Any] = []

    def make(path: Path, secret: str) -> Any:
        made.append(datasette_for(path, secret))
        return made[-1]

    for _ in range(2):
        CurrentCatalog(catalog, make, 3600, secret="shared")
    one, other = made
    assert other.unsign(one.sign({"a": 1})) == {"a": 1}
    for datasette in made:
        datasette.get_database("catalog").close()
