"""A catalog at an address: what is asked of the server, and what is taken when."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
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
    assert get(url, tmp_path, clock) == b"first"
    assert server.requests == asked
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
    assert all("the copy that was fetched before is used" in it for it in told)
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
    assert "the copy that was fetched before is used" in second.stderr
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
