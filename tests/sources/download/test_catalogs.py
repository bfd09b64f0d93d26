"""A catalog at an address: what is asked of the server, and what is taken when."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from click.testing import CliRunner

from etl.cli import main
from etl.errors import ReadError
from etl.sources.download.cache import DownloadCache
from etl.sources.download.catalogs import ASK_AGAIN, catalog_at
from etl.sources.download.fetch import Fetcher
from tests.small_catalogs import graph_catalog, history_catalog, spec_hash
from tests.sources.conftest import Answer, Reply, ServeAnswers

LOCK = {
    "_meta": {"file-type": "spack-lockfile", "lockfile-version": 6, "specfile-version": 5},
    "roots": [{"hash": "a" * 32, "spec": "zlib"}],
    "concrete_specs": {
        "a" * 32: {
            "name": "zlib",
            "version": "1.3",
            "hash": "a" * 32,
            "arch": {
                "platform": "linux",
                "platform_os": "ubuntu22.04",
                "target": "x86_64_v3",
            },
            "namespace": "builtin",
            "parameters": {},
        }
    },
}


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def get(
    url: str, folder: Path, clock: Clock, *, offline: bool = False, told: list[str] | None = None
) -> bytes:
    fetcher = Fetcher(DownloadCache(folder), pause=lambda _: None)
    path = catalog_at(
        url,
        offline=offline,
        tell=(told if told is not None else []).append,
        folder=folder,
        now=clock,
        fetcher=fetcher,
    )
    return path.read_bytes()


def with_etag(body: bytes) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> Reply:
        tag = f'"{len(body)}"'
        if request.headers.get("If-None-Match") == tag:
            return 304, b"", {"ETag": tag}
        return 200, body, {"ETag": tag}

    return answer


def test_it_is_fetched_once_and_asked_about_once_an_hour(
    serve_answers: ServeAnswers, tmp_path: Path
) -> None:
    answers = {"/catalog.db": with_etag(b"first")}
    server, clock = serve_answers(answers), Clock()
    url = f"{server.url}/catalog.db"
    asked = ["GET /catalog.db.gz", "GET /catalog.db"]
    told: list[str] = []
    assert get(url, tmp_path, clock, told=told) == b"first"
    assert (server.requests, told) == (asked, [])
    clock.now += ASK_AGAIN - 1
    assert get(url, tmp_path, clock) == b"first"
    assert server.requests == asked
    clock.now += 1
    answers["/catalog.db"] = with_etag(b"second one")
    assert get(url, tmp_path, clock, offline=True) == b"first"
    assert server.requests == asked
    assert get(url, tmp_path, clock) == b"second one"
    assert server.requests == asked * 2


def test_it_is_taken_packed_where_the_server_has_it_so(
    serve_answers: ServeAnswers, tmp_path: Path
) -> None:
    server = serve_answers({"/c.db.gz": (200, gzip.compress(b"catalog"))})
    assert get(f"{server.url}/c.db", tmp_path, Clock()) == b"catalog"
    assert server.requests == ["GET /c.db.gz"]


def test_a_server_that_fails_leaves_the_copy(serve_answers: ServeAnswers, tmp_path: Path) -> None:
    answers: dict[str, Answer] = {"/c.db": (200, b"catalog")}
    server, clock, told = serve_answers(answers), Clock(), list[str]()
    get(f"{server.url}/c.db", tmp_path, clock)
    for broken in ((503,), (404,), (200, gzip.compress(b"x" * 99)[:20])):
        answers["/c.db"] = broken
        clock.now += ASK_AGAIN
        assert get(f"{server.url}/c.db", tmp_path, clock, told=told) == b"catalog"
    assert len(told) == 3
    assert all("the copy downloaded before is used" in it for it in told)
    # A server that cannot be asked is left alone for an hour, too.
    asked = list(server.requests)
    assert get(f"{server.url}/c.db", tmp_path, clock, told=told) == b"catalog"
    assert (server.requests, len(told)) == (asked, 3)


@pytest.mark.parametrize("what", ["a page", "cut off", "other schema", "empty"])
def test_what_is_no_whole_catalog_leaves_the_copy(
    what: str, serve_answers: ServeAnswers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = history_catalog(tmp_path)
    body = path.read_bytes()
    answers: dict[str, Answer] = {"/catalog.db": (200, body)}
    server = serve_answers(answers)
    arguments = ["find", "tool", "--tag", "any", "--format", "json"]
    arguments += ["--catalog", f"{server.url}/catalog.db"]
    first = CliRunner().invoke(main, arguments)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE catalog_info SET value = '99' WHERE key = 'schema_version'")
    broken = {"a page": b"<html>", "cut off": body[:-4096], "empty": b""}
    answers["/catalog.db"] = (200, broken.get(what, path.read_bytes()))
    (asked,) = (tmp_path / "cache").glob("**/asked")
    os.utime(asked, (0, 0))
    second = CliRunner().invoke(main, arguments)
    assert (second.exit_code, second.stdout) == (0, first.stdout)
    assert "the copy downloaded before is used" in second.stderr
    assert str(tmp_path) not in second.stderr


def test_every_command_that_reads_takes_an_address(
    serve_answers: ServeAnswers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    needs = {"root": ["leaf"], "leaf": []}
    body = graph_catalog(tmp_path, needs).read_bytes()
    server = serve_answers({"/c.db.gz": (200, gzip.compress(body))})
    lock = tmp_path / "spack.lock"
    lock.write_text(json.dumps(LOCK))
    catalog = ["--catalog", f"{server.url}/c.db"]
    for command in (
        ["find", "root"],
        ["why", "root", "--host", "rocky8/zen3"],
        ["cover", str(lock)],
        ["diff", f"/{spec_hash(needs, 'root')}", f"/{spec_hash(needs, 'leaf')}"],
        ["impact", "leaf"],
        ["check", "--no-progress"],
    ):
        outcomes = [
            CliRunner().invoke(main, [*command, *given])
            for given in (catalog, ["--catalog", str(tmp_path / "catalog.db")])
        ]
        # check says which file it is.
        online, local = (
            (it.exit_code, it.stdout.rpartition(": ")[2] if command[0] == "check" else it.stdout)
            for it in outcomes
        )
        assert online == local, command
        assert online[0] < 2, (command, outcomes[0].output)
    assert server.requests == ["GET /c.db.gz"]


@pytest.mark.parametrize("offline", [True, False])
def test_without_a_copy_it_is_an_error(
    offline: bool, serve_answers: ServeAnswers, tmp_path: Path
) -> None:
    url = f"{serve_answers({}).url}/c.db"
    with pytest.raises(ReadError, match="--offline" if offline else "there is nothing"):
        get(url, tmp_path, Clock(), offline=offline)


def test_commands_take_an_address(
    serve_answers: ServeAnswers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    body = history_catalog(tmp_path).read_bytes()
    server = serve_answers({"/catalog.db": (200, body)})
    arguments = ["find", "tool", "--tag", "any", "--format", "json", "--catalog"]
    online = CliRunner().invoke(main, [*arguments, f"{server.url}/catalog.db"])
    local = CliRunner().invoke(main, [*arguments, str(tmp_path / "catalog.db")])
    offline = CliRunner().invoke(main, [*arguments, f"{server.url}/catalog.db", "--offline"])
    assert online.exit_code == 0, online.output
    assert json.loads(online.stdout)
    assert online.stdout == local.stdout == offline.stdout
    assert server.requests == ["GET /catalog.db.gz", "GET /catalog.db"]
    diff = ["diff", "develop-2025-01-05", "develop-2025-01-12", "--offline", "--catalog"]
    assert CliRunner().invoke(main, [*diff, f"{server.url}/catalog.db"]).exit_code == 0


def test_what_is_no_catalog_is_refused(
    serve_answers: ServeAnswers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    server = serve_answers({"/catalog.db": (200, b"<html>")})
    arguments = ["find", "tool", "--catalog", f"{server.url}/catalog.db"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 3
    assert "cannot be read as a catalog" in result.stderr


def _short(request: BaseHTTPRequestHandler) -> Reply:
    """Less than the server said would come."""
    return 200, b"SQLite format 3\0", {"Content-Length": "99999"}


def _flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :]


FAULTS = {
    "HTML": "cannot be read as a catalog: file is not a database",
    "empty": "is not a catalog that spack-catalog built",
    "another database": "is not a catalog that spack-catalog built",
    "cut off": "cannot be read as a catalog: database disk image is malformed",
    "cut off, packed": "is damaged: Compressed file ended before the end-of-stream marker",
    "damaged, packed": "is damaged: ",
    "newer": "was built by a newer version of spack-catalog",
    "older": "was built by another version of spack-catalog; build it again",
    "not there": "there is nothing (404 Not Found); check the address",
    "login": "the server requires a login (401)",
    "broken": "the server answers 503 Service Unavailable, 2 times; try again later",
    "too large": "has 99,999,999,999 bytes, and 17,179,869,184 are the most",
    "shorter than it says": "the connection was lost",
    "elsewhere": "is redirected to 'file:///etc/passwd', which is refused: not http or https",
    "in a circle": "is redirected more than 5 times",
    "offline": "no copy of it is in the cache; run once without --offline",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_with_an_address_is_one_sentence(
    fault: str, serve_answers: ServeAnswers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("etl.sources.download.fetch.FIRST_PAUSE", 0)
    catalog = history_catalog(tmp_path)
    whole = catalog.read_bytes()
    if fault in ("newer", "older"):
        with closing(sqlite3.connect(catalog)) as db, db:
            version = "99" if fault == "newer" else "1"
            db.execute("UPDATE catalog_info SET value = ?", (version,))
    elif fault == "another database":
        catalog = tmp_path / "other.db"
        with closing(sqlite3.connect(catalog)) as db, db:
            db.execute("CREATE TABLE binaries (id)")
    packed = gzip.compress(whole)
    answers: dict[str, dict[str, Answer]] = {
        "HTML": {"/c.db": (200, b"<!DOCTYPE html><title>Sign in</title>")},
        "empty": {"/c.db": (200, b"")},
        "cut off": {"/c.db": (200, whole[: len(whole) // 2])},
        "cut off, packed": {"/c.db.gz": (200, packed[: len(packed) // 2])},
        "damaged, packed": {"/c.db.gz": (200, _flipped(packed))},
        "not there": {},
        "login": {"/c.db": (401, b"")},
        "broken": {"/c.db": (503, b"")},
        "too large": {"/c.db": (200, b"", {"Content-Length": "99999999999"})},
        "shorter than it says": {"/c.db": _short},
        "elsewhere": {"/c.db": (302, b"", {"Location": "file:///etc/passwd"})},
        "in a circle": {"/c.db": (302, b"", {"Location": "/c.db"})},
    }
    server = serve_answers(answers.get(fault, {"/c.db": (200, catalog.read_bytes())}))
    address = f"{server.url}/c.db"
    options = ["--offline"] if fault == "offline" else []
    result = CliRunner().invoke(main, ["find", "tool", "--catalog", address, *options])
    assert (result.exit_code, result.stdout) == (3, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"spack-catalog: {address}: {FAULTS[fault]}")
    assert str(tmp_path) not in line
    assert not list((tmp_path / "cache").glob("**/catalogs/*/*"))


def test_a_server_that_never_answers_is_waited_for_once_where_there_is_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve_answers: ServeAnswers
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("etl.sources.download.catalogs._PATIENCE", 0.05)
    monkeypatch.setattr("etl.sources.download.fetch.FIRST_PAUSE", 0)
    body = history_catalog(tmp_path).read_bytes()
    silent = False
    asked = []
    over = threading.Event()

    def answer(request: BaseHTTPRequestHandler) -> Reply:
        asked.append(request.path)
        if silent:
            over.wait(60)
        return 200, body, {}

    server = serve_answers({"/c.db.gz": (404, b""), "/c.db": answer})
    arguments = ["find", "tool", "--catalog", f"{server.url}/c.db"]
    first = CliRunner().invoke(main, arguments)
    assert (first.exit_code, len(asked)) == (0, 1)
    silent = True
    (mark,) = (tmp_path / "cache").glob("**/asked")
    os.utime(mark, (0, 0))
    second = CliRunner().invoke(main, arguments)
    assert (second.exit_code, second.stdout, len(asked)) == (0, first.stdout, 2)
    assert second.stderr == (
        f"{server.url}/c.db: no answer in time; the copy downloaded before is used\n"
    )
    shutil.rmtree(tmp_path / "cache")
    third = CliRunner().invoke(main, arguments)
    over.set()
    assert (third.exit_code, len(asked)) == (3, 4)
    assert third.stderr == (
        f"spack-catalog: {server.url}/c.db: no answer in time, 2 times; try again later\n"
    )


def test_a_catalog_at_an_address_is_a_source(
    serve_answers: ServeAnswers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "theirs").mkdir()
    theirs = history_catalog(tmp_path / "theirs")
    answers: dict[str, Answer] = {"/all.db": (200, theirs.read_bytes())}
    server, target = serve_answers(answers), tmp_path / "catalog.db"
    arguments = ["build", f"{server.url}/all.db", "--no-progress", "--catalog", str(target)]
    built = CliRunner().invoke(main, arguments)
    assert built.exit_code == 0, built.output
    assert target.read_bytes() == theirs.read_bytes()
    # Another version's, which commands do not read, is a source as well.
    with closing(sqlite3.connect(theirs)) as db, db:
        db.execute("UPDATE catalog_info SET value = '1' WHERE key = 'schema_version'")
    answers["/old.db"] = (200, theirs.read_bytes())
    before = target.read_bytes()
    built = CliRunner().invoke(main, [it.replace("/all.db", "/old.db") for it in arguments])
    assert (built.exit_code, target.read_bytes()) == (0, before)
    for name in ("not-there.db", "page.db"):
        answers["/page.db"] = (200, b"<html>")
        failed = CliRunner().invoke(main, [it.replace("all.db", name) for it in arguments])
        assert failed.exit_code == 3
        assert failed.stderr.startswith(f"spack-catalog: {server.url}/{name}: ")
        assert target.read_bytes() == before
    answers.clear()
    offline = CliRunner().invoke(main, [*arguments, "--offline"])
    assert (offline.exit_code, target.read_bytes()) == (0, before)
