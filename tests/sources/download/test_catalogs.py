"""A catalog at an address: what is asked of the server, and what is taken when."""

from __future__ import annotations

import gzip
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from click.testing import CliRunner

from etl.cli import main
from etl.errors import ReadError
from etl.sources.download.cache import DownloadCache
from etl.sources.download.catalogs import ASK_AGAIN, catalog_at
from etl.sources.download.fetch import Fetcher
from tests.small_catalogs import history_catalog
from tests.sources.conftest import Answer, Reply, ServeAnswers


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
    clock.now += ASK_AGAIN
    for broken in ((503,), (404,), (200, gzip.compress(b"x" * 99)[:20])):
        answers["/c.db"] = broken
        assert get(f"{server.url}/c.db", tmp_path, clock, told=told) == b"catalog"
    assert len(told) == 3
    assert all("the copy that was fetched before is used" in it for it in told)


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
