"""The command line on a terminal, in a pipe, and interrupted: in processes of its own."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import CHECKOUT, SEED_SUMMARY, START, digest_of, start, without_seconds
from tests.sites import SEED, build, item, page, rows, write_site


def test_plain_lines_in_a_pipe(tmp_path: Path) -> None:
    done = start("build", SEED, "--catalog", tmp_path / "a.db")
    assert done.returncode == 0
    assert done.stderr.decode() == f"reading pages from {SEED}: 6\nwriting packages: 5\n"
    assert without_seconds(done.stdout.decode()) == f"{tmp_path / 'a.db'}: {SEED_SUMMARY}\n"


def _on_a_terminal(*arguments: object) -> tuple[int, str]:
    """The exit code of a command, and what it shows on a terminal."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*START, *map(str, arguments)],
        stdout=follower, stderr=follower, stdin=follower, cwd=CHECKOUT,
    )  # fmt: skip
    os.close(follower)
    shown = b""
    while True:
        try:
            block = os.read(leader, 10_000)
        except OSError:  # how Linux tells that the other side is closed
            break
        if not block:
            break
        shown += block
    os.close(leader)
    return process.wait(60), shown.decode()


def test_a_bar_on_a_terminal(tmp_path: Path) -> None:
    code, shown = _on_a_terminal("build", SEED, "--catalog", tmp_path / "a.db")
    assert code == 0
    assert re.search(r"reading pages from \S+  \[#+\]  100%", shown)
    assert re.search(r"writing packages  \[#+\]  100%", shown)
    assert "reading pages from" not in shown.replace("\r\n", "\n").splitlines()[-1]
    assert without_seconds(shown).splitlines()[-1].endswith(SEED_SUMMARY)


def test_nothing_but_the_summary_on_a_terminal_without_progress(tmp_path: Path) -> None:
    code, shown = _on_a_terminal("build", SEED, "--catalog", tmp_path / "a.db", "--no-progress")
    assert (code, without_seconds(shown)) == (0, f"{tmp_path / 'a.db'}: {SEED_SUMMARY}\r\n")


def test_an_error_has_a_line_of_its_own_on_a_terminal(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"specs.md": b""})
    _, shown = _on_a_terminal("build", site, SEED, "--catalog", tmp_path / "a.db")
    assert (
        f"\r\nrefused: {site}/specs.md: no front matter: a page begins with a line ---\r\n" in shown
    )


def test_names_that_are_no_text(tmp_path: Path) -> None:
    catalog = os.fsdecode(bytes(tmp_path) + b"/\xff.db")
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
    shown = os.fsencode(tmp_path) + rb"/\udcff.db: "
    for arguments, what in (
        (("build", SEED), b"1 source"),
        (("check",), b"no faults"),
    ):
        done = start(*arguments, "--catalog", catalog, "--no-progress", env=environment)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.startswith(shown + what)
    done = start("build", catalog + "x", "--catalog", catalog, env=environment)
    assert done.returncode == 3
    assert b"there is no such file or folder" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_nobody_takes(tmp_path: Path, unbuffered: str) -> None:
    arguments = ("build", SEED, "--catalog", tmp_path / "a.db", "--no-progress")
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("wb") as full:
        done = start(
            *arguments, capture_output=False, stdout=full, stderr=subprocess.PIPE, env=environment
        )
    assert (done.returncode, done.stderr) == (
        3,
        b"spack-catalog: output: No space left on device\n",
    )
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM binaries") == [(46,)]


_STOPS_HALF_WAY = """
import sys
from etl.cli import main
from etl.writer import finish
def stop(db):
    print("half-way", flush=True)
    sys.stdin.read()
finish.add_edges = stop
main(prog_name="spack-catalog")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    catalog = folder / "a.db"
    build(catalog, SEED)
    before = digest_of(catalog)
    site = write_site(tmp_path / "site", {"1/specs.md": page("v1", "a", [item(1)])})
    process = subprocess.Popen(
        [sys.executable, "-c", _STOPS_HALF_WAY, "build", site, "--catalog", catalog],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=CHECKOUT,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"half-way\n"
    assert len(list(folder.iterdir())) > 1, "nothing is being written"
    process.send_signal(number)
    _, errors = process.communicate()
    assert digest_of(catalog) == before
    assert b"Traceback" not in errors
    if number == signal.SIGINT:
        assert process.returncode == 3
        assert errors.endswith(b"spack-catalog: interrupted\n")
    else:
        assert process.returncode == -number
    build(catalog, SEED)
    assert list(folder.iterdir()) == [catalog]


def test_the_installed_command() -> None:
    command = Path(sys.executable).with_name("spack-catalog")
    if not command.exists():
        pytest.skip("the project is not installed beside this Python")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"spack-catalog, version \d+\.\d+\.\d+\n", done.stdout)
