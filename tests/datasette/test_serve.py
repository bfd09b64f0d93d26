"""``spack-catalog serve``: a real server in a process of its own."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from datasette_spack.serve import datasette_for
from etl.errors import ReadError
from tests.running import PATIENCE, digest_of
from tests.servers import COMMAND, serving
from tests.sites import as_nobody


def refused(*options: str) -> str:
    """What the command says when it cannot serve."""
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 3, done
    assert done.stdout == ""
    assert done.stderr.startswith("spack-catalog: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("spack-catalog: ").rstrip()


@pytest.mark.parametrize(
    "name", ["catalog.db", "what is #this? 100%25 & 'more' \"ü\n.db", "?mode=memory", "-x"]
)
def test_serves_under_the_same_name_whatever_the_file_is_called(
    sample_catalog: Path, tmp_path: Path, name: str
) -> None:
    shutil.copy(sample_catalog, tmp_path / name)
    with serving(tmp_path / name) as (address, _):
        found = httpx.get(f"{address}catalog/tags.json?_shape=array", timeout=PATIENCE).json()
        assert len(found) == 7
        download = httpx.get(f"{address}catalog.db", timeout=PATIENCE)
        assert digest_of(download.content) == digest_of(sample_catalog)
        assert 'filename="catalog.db"' in download.headers["content-disposition"]
        assert httpx.get(address, timeout=PATIENCE).status_code == 200
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_serves_from_a_folder_that_cannot_be_written_to(
    sample_catalog: Path, tmp_path: Path
) -> None:
    shutil.copy(sample_catalog, tmp_path)
    catalog = tmp_path / sample_catalog.name
    catalog.chmod(0o444)
    tmp_path.chmod(0o555)
    with serving(catalog) as (address, _):
        assert httpx.get(f"{address}catalog/specs.json", timeout=PATIENCE).status_code == 200
    tmp_path.chmod(0o755)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_ends_without_a_word(sample_catalog: Path, kind: signal.Signals) -> None:
    with serving(sample_catalog) as (address, process):
        httpx.get(address, timeout=PATIENCE)
        process.send_signal(kind)
        assert process.wait(timeout=PATIENCE) in (0, -kind)
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads what Linux says of it")
def test_memory_is_limited(sample_catalog: Path) -> None:
    doubled = ", ".join(f"t{n} as (select 1 from t{n - 1}, t{n - 1})" for n in range(1, 40))
    many = ", ".join(["randomblob(49000)"] * 1500)
    with serving(sample_catalog) as (address, process):
        for sql in (f"with t0 as (select 1), {doubled} select * from t39", f"select {many}"):
            response = httpx.get(f"{address}catalog.json", params={"sql": sql}, timeout=PATIENCE)
            assert response.status_code == 400
        peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
        assert peak
        assert int(peak[1]) < 600_000
        assert (
            httpx.get(f"{address}catalog/find_binaries.json", timeout=PATIENCE).status_code == 200
        )


def test_port_in_use(sample_catalog: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        message = refused("--catalog", str(sample_catalog), "--port", str(port))
    assert message == (
        f"127.0.0.1 port {port}: cannot be listened on: Address already in use;"
        " try another --port or --host"
    )


def test_no_such_host(sample_catalog: Path) -> None:
    message = refused("--catalog", str(sample_catalog), "--host", "no.such.host.invalid")
    assert message.startswith("no.such.host.invalid port 8001: cannot be listened on: ")


def test_no_catalog(tmp_path: Path) -> None:
    missing = tmp_path / "catalog.db"
    message = refused("--catalog", str(missing), "--port", "0")
    assert message.startswith(f"{missing}: there is no catalog; build one with: ")
    assert list(tmp_path.iterdir()) == []


def test_not_a_catalog(sample_catalog: Path, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("not a database " * 1000)
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE specs (id)")
    for path in (text, other, tmp_path):
        with pytest.raises(ReadError, match=re.escape(str(path))):
            datasette_for(path)
    assert "is not a catalog" in refused("--catalog", str(other), "--port", "0")


def test_a_catalog_that_is_cut_off(sample_catalog: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.db"
    content = sample_catalog.read_bytes()
    for part in (100, len(content) // 3, len(content) // 2):
        half.write_bytes(content[:part])
        with pytest.raises(ReadError, match=r"half\.db"):
            datasette_for(half)


def test_a_catalog_that_may_not_be_read(sample_catalog: Path, open_folder: Path) -> None:
    shutil.copy(sample_catalog, open_folder / "catalog.db")
    (open_folder / "catalog.db").chmod(0)
    with as_nobody(), pytest.raises(ReadError, match=r"catalog\.db"):
        datasette_for(open_folder / "catalog.db")
