"""The configuration in ``deploy/`` with a real nginx in front of a real server."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.running import PATIENCE, digest_of
from tests.servers import serving, serving_and_looking

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed (apt-get install nginx)")

KEPT_FOR_A_SECOND = """
import datasette_spack.serve as module
packaged = module.packaged_json
def packaged_json(name):
    return {**packaged(name), **({"default_cache_ttl": 1} if name == "settings.json" else {})}
module.packaged_json = packaged_json
"""
"""Has a server say that its answers may be kept for a second only."""


@dataclass(frozen=True)
class Front:
    """An nginx that runs, and the server behind it."""

    client: httpx.Client
    upstream: str
    server: subprocess.Popen[str]
    log: Path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def adapted(folder: Path, port: int, upstream: str, extra: str) -> str:
    """The configuration with the paths and ports of a test, each of which it must name."""
    text = CONFIGURATION.read_text()
    temporary = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    for old, new in (
        ("worker_processes auto;", "worker_processes 1; daemon off;"),
        ("/run/spack-catalog-nginx.pid", f"{folder}/nginx.pid"),
        ("/var/log/nginx/spack-catalog", f"{folder}/log"),
        ("/var/cache/nginx/spack-catalog", f"{folder}/cache"),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("server 127.0.0.1:8001;", f"server {upstream};"),
        ("http {\n", f"http {{\n{temporary}{extra}"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextmanager
def front(
    folder: Path, address: str, server: subprocess.Popen[str], extra: str = ""
) -> Iterator[Front]:
    assert NGINX
    folder.chmod(0o755)
    port = free_port()
    upstream = address.removeprefix("http://").rstrip("/")
    configuration = folder / "nginx.conf"
    configuration.write_text(adapted(folder, port, upstream, extra))
    # As root, nginx has its workers run as nobody, who may not enter the folder of a test.
    user = ["-g", "user root;"] if os.geteuid() == 0 else []
    command = [NGINX, "-c", str(configuration), "-p", str(folder), "-e", f"{folder}/errors", *user]
    tried = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr
    with subprocess.Popen(command) as nginx:
        try:
            transport = httpx.HTTPTransport(retries=8)  # until it listens
            with httpx.Client(
                base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=PATIENCE
            ) as client:
                yield Front(client, address, server, folder / "log.access.log")
        finally:
            nginx.terminate()


@pytest.fixture
def site(sample_catalog: Path, tmp_path: Path) -> Iterator[Front]:
    with ExitStack() as stack:
        address, server = stack.enter_context(serving(sample_catalog))
        yield stack.enter_context(front(tmp_path, address, server))


@pytest.fixture
def brief_site(sample_catalog: Path, tmp_path: Path) -> Iterator[Front]:
    """Where what was kept is old after a second; requests that nginx itself makes are logged."""
    with ExitStack() as stack:
        started = serving_and_looking(sample_catalog, 3600, KEPT_FOR_A_SECOND)
        address, server = stack.enter_context(started)
        extra = "    log_subrequest on;\n"
        yield stack.enter_context(front(tmp_path, address, server, extra))


def status(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return str(response.headers["x-cache-status"])


@pytest.mark.parametrize("path", ["/", "/find?spec=zlib-ng", "/catalog/tags.json", "/catalog"])
def test_what_was_answered_once_is_kept(site: Front, path: str) -> None:
    first, second = site.client.get(path), site.client.get(path)
    assert [status(first), status(second)] == ["MISS", "HIT"]
    assert first.content == second.content
    other = site.client.get(path, headers={"Cookie": "of=another site", "Authorization": "x"})
    assert status(other) == "HIT"
    for name in ("content-security-policy", "x-content-type-options", "referrer-policy"):
        assert second.headers.get_list(name) == first.headers.get_list(name) != []


def test_who_has_an_answer_is_not_sent_it(site: Front) -> None:
    first = site.client.get("/catalog/tags.json")
    for _ in range(2):
        headers = {"If-None-Match": first.headers["etag"]}
        again = site.client.get("/catalog/tags.json", headers=headers)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["cache-control"] == first.headers["cache-control"]


def test_answers_are_compressed(site: Front) -> None:
    with site.client.stream("GET", "/catalog/specs.json") as response:
        assert response.headers["content-encoding"] == "gzip"
        packed = b"".join(response.iter_raw())
        assert response.headers["etag"].startswith("W/")
    plain = site.client.get("/catalog/specs.json", headers={"Accept-Encoding": "identity"})
    assert gzip.decompress(packed) == plain.content


@pytest.mark.parametrize(
    "path",
    [
        "/tag/releases%2Fv0.18",
        "/tag/releases~2Fv0~2E18",
        "/find.json?spec=hdf5%20%2Bmpi",
        "/find.json?spec=zlib-ng%20~shared%20build_system%3Dautotools",
        "/catalog/binary_list.json?_shape=array&package=zlib-ng&variants__contains=%2Bpic",
    ],
)
def test_addresses_are_passed_on_as_they_were_written(site: Front, path: str) -> None:
    through = site.client.get(path)
    # Pages name their own address, which is that of nginx.
    headers = {"Host": through.request.headers["host"]}
    straight = httpx.get(site.upstream.rstrip("/") + path, headers=headers, timeout=PATIENCE)
    assert through.status_code == straight.status_code
    assert through.headers.get("location") == straight.headers.get("location")
    assert through.headers.get("etag") == straight.headers.get("etag")
    assert through.content == straight.content


@pytest.mark.parametrize(
    "path", ["/nothing", "/catalog/nothing.json", "/catalog.json?sql=nothing", "/find?spec=@@"]
)
def test_errors_are_not_kept(site: Front, path: str) -> None:
    answers = [site.client.get(path) for _ in range(3)]
    assert {answer.status_code for answer in answers} <= {400, 404}
    assert [answer.headers["x-cache-status"] for answer in answers] == ["MISS"] * 3


def test_a_download_goes_past_the_cache_and_can_be_resumed(
    site: Front, sample_catalog: Path
) -> None:
    whole = site.client.get("/catalog.db")
    assert digest_of(whole.content) == digest_of(sample_catalog)
    assert "x-cache-status" not in whole.headers
    headers = {"Range": "bytes=1000-1999", "If-Range": whole.headers["etag"]}
    part = site.client.get("/catalog.db", headers=headers)
    assert (part.status_code, part.content) == (206, whole.content[1000:2000])


def test_who_asks_too_much_is_told_so(site: Front) -> None:
    answers = [site.client.get(f"/find.json?spec=zlib-ng@{it}").status_code for it in range(60)]
    assert set(answers) == {200, 429}
    assert answers[:20] == [200] * 20
    assert site.client.get("/catalog/tags.json").status_code == 200


def wait_until_old(site: Front, path: str) -> httpx.Response:
    """Ask until the answer that was kept is too old to be given without a look at the server."""
    for _ in range(100_000):
        answer = site.client.get(path)
        if status(answer) != "HIT":
            return answer
    raise AssertionError("the answer does not get old")


def test_what_is_old_is_given_while_the_server_is_asked(brief_site: Front) -> None:
    path = "/catalog/tags.json"
    first = brief_site.client.get(path)
    old = wait_until_old(brief_site, path)
    assert status(old) in ("STALE", "UPDATING")
    assert old.content == first.content
    for _ in range(100_000):
        brief_site.client.get(path)
        asked = [line.split('"')[2].split() for line in brief_site.log.read_text().splitlines()]
        states = {(state, upstream) for _, _, state, upstream, _ in asked}
        if ("REVALIDATED", "304") in states:
            break
    assert ("REVALIDATED", "304") in states, states


def test_pages_are_there_while_the_server_is_not(brief_site: Front) -> None:
    path = "/find?spec=zlib-ng"
    kept = brief_site.client.get("/catalog/tags.json")
    first = brief_site.client.get(path)
    brief_site.server.kill()
    brief_site.server.wait()
    wait_until_old(brief_site, "/catalog/tags.json")
    for _ in range(3):
        answer = brief_site.client.get("/catalog/tags.json")
        assert status(answer) in ("STALE", "UPDATING")
        assert answer.content == kept.content
    answer = brief_site.client.get(path)
    assert status(answer) in ("HIT", "STALE", "UPDATING")
    assert answer.content == first.content
    assert brief_site.client.get("/catalog/stacks.json").status_code == 502
