"""Web servers for the tests of sources: one over a folder, and one that fails as it is told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from etl.sources.download.cache import DownloadCache
from etl.sources.download.fetch import Fetcher

MIRRORS = Path(__file__).parents[1] / "data" / "mirrors"


@dataclass
class WebServer:
    """A server that is running: its address, and what was asked of it as ``GET /path 200``."""

    url: str
    requests: list[str] = field(default_factory=list)


Reply = tuple[int] | tuple[int, bytes] | tuple[int, bytes, dict[str, str]]
Answer = Reply | list[Reply] | Callable[[BaseHTTPRequestHandler], Reply]
"""A status, a body and headers; several, one after the other; or what makes them of a request."""

ServeFolder = Callable[[Path], WebServer]
ServeAnswers = Callable[[dict[str, Answer]], WebServer]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 50
    requests: list[str]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is part of the tests."""


class _FolderHandler(SimpleHTTPRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        assert isinstance(self.server, _Server)
        self.server.requests.append(f"{self.command} {self.path} {int(code)}")

    def log_message(self, *arguments: object) -> None:
        pass


class _AnswerHandler(BaseHTTPRequestHandler):
    answers: dict[str, Answer]

    def do_GET(self) -> None:
        assert isinstance(self.server, _Server)
        self.server.requests.append(f"{self.command} {self.path}")
        answer = self.answers.get(self.path, (404,))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        self._reply(*(answer(self) if callable(answer) else answer))

    def _reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[..., WebServer]]:
    """Starts servers on a port of this machine, and stops them after the test."""
    servers: list[_Server] = []

    def start(handler: Callable[..., BaseHTTPRequestHandler]) -> WebServer:
        server = _Server(("127.0.0.1", 0), handler)
        server.requests = []
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return WebServer(f"http://127.0.0.1:{server.server_port}", server.requests)

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def serve_folder(serve: Callable[..., WebServer]) -> ServeFolder:
    """A server over a folder."""
    return lambda folder: serve(partial(_FolderHandler, directory=str(folder)))


@pytest.fixture
def serve_answers(serve: Callable[..., WebServer]) -> ServeAnswers:
    """A server that answers each path as it is told, and nothing else."""

    def start(answers: dict[str, Answer]) -> WebServer:
        return serve(type("Handler", (_AnswerHandler,), {"answers": answers}))

    return start


@pytest.fixture
def dead_url() -> str:
    """An address at which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}"


@pytest.fixture
def pauses() -> list[float]:
    """How long the fetcher would have waited between attempts."""
    return []


@pytest.fixture
def fetcher(tmp_path: Path, pauses: list[float]) -> Iterator[Fetcher]:
    """A fetcher with an empty cache that does not wait."""
    with Fetcher(DownloadCache(tmp_path / "cache"), pause=pauses.append) as fetcher:
        yield fetcher


@pytest.fixture
def mirrors() -> Path:
    """Two real stacks, one of layout 2 and one of layout 3, laid out as the bucket is."""
    return MIRRORS
