from __future__ import annotations

import gzip
import hashlib
import shutil
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from etl.errors import SourceError
from etl.sources.download import client as web_client
from etl.sources.download.cache import DownloadCache
from etl.sources.download.client import MAX_REDIRECTS, MissingError
from etl.sources.download.fetch import ATTEMPTS, MAX_AT_ONCE, Fetcher


def redirect(target: str) -> tuple[int, bytes, dict[str, str]]:
    return 302, b"", {"Location": target}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_a_file_is_downloaded_and_kept(serve_answers: Any, fetcher: Fetcher) -> None:
    server = serve_answers({"/a": (200, b"hello")})
    path = fetcher.download(server.url + "/a")
    assert path.read_bytes() == b"hello"
    assert path.name == sha256(b"hello")


def test_what_has_a_known_checksum_is_not_asked_for_again(
    serve_answers: Any, fetcher: Fetcher
) -> None:
    server = serve_answers({"/a": (200, b"hello")})
    for _ in range(2):
        fetcher.download(server.url + "/a", checksum=sha256(b"hello"))
    assert server.requests == ["GET /a"]


def test_what_is_damaged_in_the_cache_is_fetched_again(
    serve_answers: Any, fetcher: Fetcher
) -> None:
    server = serve_answers({"/a": (200, b"hello")})
    fetcher.download(server.url + "/a", checksum=sha256(b"hello")).write_bytes(b"HELLO")
    path = fetcher.download(server.url + "/a", checksum=sha256(b"hello"))
    assert path.read_bytes() == b"hello"
    assert server.requests == ["GET /a", "GET /a"]


@pytest.mark.parametrize(
    ("mark", "condition"),
    [("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since")],
)
def test_what_has_not_changed_is_not_sent_again(
    serve_answers: Any, fetcher: Fetcher, mark: str, condition: str
) -> None:
    asked: list[str | None] = []

    def send(handler: BaseHTTPRequestHandler) -> tuple[int, bytes, dict[str, str]]:
        asked.append(handler.headers[condition])
        if handler.headers[condition] == '"one"':
            return 304, b"", {mark: '"one"'}
        return 200, b"hello", {mark: '"one"'}

    server = serve_answers({"/a": send})
    paths = {fetcher.download(server.url + "/a") for _ in range(2)}
    assert {path.read_bytes() for path in paths} == {b"hello"}
    assert asked == [None, '"one"']


def test_offline_gives_what_was_downloaded_before(
    serve_answers: Any, fetcher: Fetcher, tmp_path: Path
) -> None:
    server = serve_answers({"/a": (200, b"hello"), "/b": (200, b"b")})
    fetcher.download(server.url + "/a")
    with Fetcher(DownloadCache(tmp_path / "cache"), offline=True) as offline:
        assert offline.download(server.url + "/a").read_bytes() == b"hello"
        with pytest.raises(MissingError, match=r"/b: not in the download cache"):
            offline.download(server.url + "/b")
    assert server.requests == ["GET /a"]


def test_a_passing_failure_is_tried_again_after_longer_and_longer_pauses(
    serve_answers: Any, fetcher: Fetcher, pauses: list[float]
) -> None:
    server = serve_answers({"/a": [(503,), (500,), (429,), (200, b"hello")]})
    assert fetcher.download(server.url + "/a").read_bytes() == b"hello"
    assert pauses == [0.5, 1.0, 2.0]


def test_a_server_that_keeps_failing_is_given_up(
    serve_answers: Any, fetcher: Fetcher, pauses: list[float]
) -> None:
    server = serve_answers({"/a": (503,)})
    with pytest.raises(SourceError) as error:
        fetcher.download(server.url + "/a")
    assert str(error.value) == (
        f"{server.url}/a: the server answers 503 Service Unavailable, 4 times; try again later,"
        " or with --offline use what was downloaded before"
    )
    assert len(server.requests) == ATTEMPTS
    assert len(pauses) == ATTEMPTS - 1


def test_a_server_that_is_down(dead_url: str, fetcher: Fetcher) -> None:
    with pytest.raises(SourceError, match=r"no connection \(.*refused\), 4 times; try again later"):
        fetcher.download(dead_url + "/a")


def test_a_connection_that_breaks(serve_answers: Any, fetcher: Fetcher) -> None:
    server = serve_answers({"/a": (200, b"hel", {"Content-Length": "5"})})
    with pytest.raises(SourceError, match=r"/a: the connection was lost \(.*\), 4 times"):
        fetcher.download(server.url + "/a")


def test_a_connection_that_breaks_once(serve_answers: Any, fetcher: Fetcher) -> None:
    cut = (200, b"hel", {"Content-Length": "5"})
    server = serve_answers({"/a": [cut, (200, b"hello")]})
    assert fetcher.download(server.url + "/a").read_bytes() == b"hello"


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_is_not_there(serve_answers: Any, fetcher: Fetcher, status: int) -> None:
    server = serve_answers({"/a": (status,)})
    with pytest.raises(MissingError, match=rf"/a: there is nothing \({status} .*check the address"):
        fetcher.download(server.url + "/a")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [204, 206, 304, 407, 418])
def test_another_status(serve_answers: Any, fetcher: Fetcher, status: int) -> None:
    server = serve_answers({"/a": (status,)})
    with pytest.raises(SourceError, match=f"the server answers {status}"):
        fetcher.download(server.url + "/a")


def test_a_wrong_checksum(serve_answers: Any, fetcher: Fetcher) -> None:
    server = serve_answers({"/a": (200, b"jello")})
    with pytest.raises(SourceError) as error:
        fetcher.download(server.url + "/a", checksum=sha256(b"hello"))
    assert str(error.value) == (
        f"{server.url}/a: its SHA-256 is {sha256(b'jello')[:12]}… and should be"
        f" {sha256(b'hello')[:12]}…; it is damaged, or was replaced while its name was read"
    )
    assert fetcher.cache.find(sha256(b"jello")) is None


def test_content_that_the_server_packed(serve_answers: Any, fetcher: Fetcher) -> None:
    packed = (200, gzip.compress(b"hello"), {"Content-Encoding": "gzip"})
    server = serve_answers({"/a": packed})
    assert fetcher.download(server.url + "/a").read_bytes() == b"hello"


def test_packed_content_that_is_cut_off(serve_answers: Any, fetcher: Fetcher) -> None:
    server = serve_answers(
        {"/a": (200, gzip.compress(b"hello" * 99)[:-9], {"Content-Encoding": "gzip"})}
    )
    with pytest.raises(SourceError, match="cut off"):
        fetcher.download(server.url + "/a")


def test_a_gzip_bomb(serve_answers: Any, fetcher: Fetcher, tmp_path: Path) -> None:
    bomb = gzip.compress(b"\0" * (80 << 20))
    server = serve_answers({"/a": (200, bomb, {"Content-Encoding": "gzip"})})
    with pytest.raises(SourceError, match=r"/a: .* bytes unpack to more than .*not read any"):
        fetcher.download(server.url + "/a")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_content_that_is_packed_in_another_way(serve_answers: Any, fetcher: Fetcher) -> None:
    server = serve_answers({"/a": (200, b"hello", {"Content-Encoding": "br"})})
    with pytest.raises(SourceError, match="packed as 'br', which was not requested"):
        fetcher.download(server.url + "/a")


def test_a_file_that_is_too_large(serve_answers: Any, fetcher: Fetcher) -> None:
    server = serve_answers({"/a": (200, b"hello!")})
    assert fetcher.download(server.url + "/a", limit=6).read_bytes() == b"hello!"
    with pytest.raises(SourceError, match="/a: has 6 bytes, and 5 are the most"):
        fetcher.download(server.url + "/a", limit=5)
    server = serve_answers({"/a": (200, b"hello!", {"Content-Length": ""})})
    with pytest.raises(SourceError, match=r"/a: has more than 5 bytes; not read any further"):
        fetcher.download(server.url + "/a", limit=5)


def test_a_file_that_comes_too_slowly(
    serve_answers: Any, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_client, "PATIENCE", -1)
    monkeypatch.setattr(web_client, "SLOWEST", 1e12)
    server = serve_answers({"/a": (200, b"hello")})
    with pytest.raises(SourceError, match="only 5 bytes received in 0 seconds, 4 times"):
        fetcher.download(server.url + "/a")


def test_redirects_on_the_web_are_followed(serve_answers: Any, fetcher: Fetcher) -> None:
    there = serve_answers({"/b": (200, b"hello")})
    here = serve_answers({"/a": redirect("/c"), "/c": redirect(there.url + "/b")})
    assert fetcher.download(here.url + "/a").read_bytes() == b"hello"


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://example.org/a", "s3://bucket/a", "data:,x"]
)
def test_other_redirects_are_refused(serve_answers: Any, fetcher: Fetcher, target: str) -> None:
    server = serve_answers({"/a": redirect(target)})
    with pytest.raises(SourceError, match=r"/a: (is redirected to .*refused|not an address)"):
        fetcher.download(server.url + "/a")
    assert len(server.requests) == 1


def test_redirects_come_to_an_end(serve_answers: Any, fetcher: Fetcher) -> None:
    server = serve_answers({"/a": redirect("/a")})
    with pytest.raises(SourceError, match="is redirected more than 5 times"):
        fetcher.download(server.url + "/a")
    assert len(server.requests) == MAX_REDIRECTS + 1


@pytest.mark.parametrize("url", ["http://[::1/a", "http://a b/", "http://\n/"])
def test_what_is_no_address(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(SourceError):
        fetcher.download(url)


def test_a_server_without_tls(serve_answers: Any, fetcher: Fetcher, pauses: list[float]) -> None:
    server = serve_answers({})
    with pytest.raises(SourceError, match=r"/a: no secure connection \(TLS\): "):
        fetcher.download(server.url.replace("http:", "https:") + "/a")
    assert pauses == []


def test_a_certificate_that_nobody_signed(
    serve_answers: Any, fetcher: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    command = f"req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout {key} -out {certificate}"
    subprocess.run([openssl, *command.split(" ")], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setattr(
        "http.server.ThreadingHTTPServer.get_request",
        lambda self: (lambda pair: (context.wrap_socket(pair[0], server_side=True), pair[1]))(
            self.socket.accept()
        ),
    )
    server = serve_answers({"/a": (200, b"hello")})
    with pytest.raises(SourceError, match=r"\(TLS\): its certificate is refused: self.signed"):
        fetcher.download(server.url.replace("http:", "https:") + "/a")


def test_a_user_and_a_password_are_not_shown(serve_answers: Any, fetcher: Fetcher) -> None:
    server = serve_answers({})
    with pytest.raises(SourceError) as error:
        fetcher.download(server.url.replace("//", "//me:secret@") + "/a?token=secret")
    assert "secret" not in str(error.value)


def test_progress_is_told_in_bytes(serve_answers: Any, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    server = serve_answers({"/a": (200, b"hello")})
    cache = DownloadCache(tmp_path)
    with Fetcher(cache, progress=lambda came, more: told.append((came, more))) as fetcher:
        fetcher.download(server.url + "/a")
    assert told == [(0, 5), (5, 0)]


def test_a_cache_that_cannot_be_written(serve_answers: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    server = serve_answers({"/a": (200, b"hello")})
    with (
        Fetcher(DownloadCache(tmp_path / "file")) as fetcher,
        pytest.raises(SourceError, match="cannot be kept in the download cache: "),
    ):
        fetcher.download(server.url + "/a")


def test_only_so_many_at_once(serve_answers: Any, fetcher: Fetcher) -> None:
    now: list[int] = []
    most: list[int] = []
    gate = threading.Event()

    def slowly(handler: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        now.append(1)
        most.append(len(now))
        if len(now) == MAX_AT_ONCE:
            gate.set()
        gate.wait(5)
        now.pop()
        return 200, handler.path.encode()

    paths = [f"/{number}" for number in range(3 * MAX_AT_ONCE)]
    server = serve_answers(dict.fromkeys(paths, slowly))
    found = list(fetcher.map(lambda path: fetcher.read(server.url + path, 9).decode(), paths))
    assert found == paths
    assert max(most) == MAX_AT_ONCE


def test_whether_something_exists_and_how_long_it_is(
    serve_answers: Any, fetcher: Fetcher, tmp_path: Path
) -> None:
    server = serve_answers({"/a": (200, b"hello"), "/b": (200, b"", {"Content-Length": ""})})
    assert fetcher.exists(server.url + "/a")
    assert fetcher.exists(server.url + "/b")
    assert not fetcher.exists(server.url + "/c")
    assert fetcher.size_of(server.url + "/a") == (5, None)
    assert fetcher.size_of(server.url + "/b") == (None, None)
    with pytest.raises(MissingError):
        fetcher.size_of(server.url + "/c")
    with Fetcher(DownloadCache(tmp_path / "cache"), offline=True) as offline:
        assert not offline.exists(server.url + "/a")
        with pytest.raises(MissingError, match="build once without --offline"):
            offline.read(server.url + "/a", 9)


@pytest.mark.parametrize(
    ("told", "length"), [("9" * 18, 10**18 - 1), ("9" * 19, None), ("1" + "0" * 18, None)]
)
def test_lengths_of_more_than_eighteen_digits_are_not_known(
    serve_answers: Any, fetcher: Fetcher, told: str, length: int | None
) -> None:
    server = serve_answers({"/a": (200, b"", {"Content-Length": told})})
    assert fetcher.size_of(server.url + "/a") == (length, None)


def test_a_login_that_expired_is_renewed_once_for_all(
    serve_answers: Any, fetcher: Fetcher, pauses: list[float]
) -> None:
    def page(handler: Any) -> Any:
        return (200, b"hello") if handler.headers.get("Authorization") == "new" else (401,)

    paths = [f"/in/{number}" for number in range(8)]
    server = serve_answers(dict.fromkeys([*paths, "/out"], page))
    renewed: list[int] = []

    def renew() -> None:
        renewed.append(1)
        fetcher.add_headers(f"{server.url}/in/", {"Authorization": "new"}, renew=renew)

    fetcher.add_headers(f"{server.url}/in/", {"Authorization": "old"}, renew=renew)
    found = list(fetcher.map(lambda path: fetcher.read(server.url + path, 9), paths))
    assert (found, renewed, pauses) == ([b"hello"] * 8, [1], [])
    with pytest.raises(SourceError, match=r"the server requires a login \(401\)"):
        fetcher.read(f"{server.url}/out", 9)


def test_a_login_that_cannot_be_renewed(serve_answers: Any, fetcher: Fetcher) -> None:
    server = serve_answers({"/a": (401,)})

    def renew() -> None:
        fetcher.read(f"{server.url}/a", 9)

    fetcher.add_headers(server.url, {}, renew=renew)
    with pytest.raises(SourceError, match=r"the server requires a login \(401\)"):
        fetcher.read(f"{server.url}/a", 9)
    assert len(server.requests) == 2
