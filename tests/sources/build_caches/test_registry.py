"""Build caches in a container registry: Debian's, with what Spack 1.1.0 pushed to one."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from etl.errors import SourceError
from etl.records import Mirror, Problem
from etl.sources.build_caches.registry import read_address, read_registry
from etl.sources.download.fetch import Fetcher
from etl.sources.recognise import read_source
from etl.sources.selection import Selection

REGISTRY = shutil.which("docker-registry")
DATA = Path(__file__).parents[2] / "data" / "registry" / "registry.tar.xz"
HASHES = {
    "hello-data": "zyklpecjd6vlhgxlglndlw5jbn6a3rfy",
    "hello-tool": "io5qqcw4lobmt5v6sikvfdlt2j7cwgwm",
}
MINE = Selection(owner="t/s")
PASSWORDS = "me:$2y$04$CPjpan/8/K1JfqSBE2RCSOvmV9J55yZ/QsE4vYp7/mBqj7DRb8Yju\n"  # secret

with_registry = pytest.mark.skipif(
    not REGISTRY, reason="docker-registry is not installed (apt-get install docker-registry)"
)

Serve = Callable[..., str]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Serve]:
    """Starts a registry; gives its address without a scheme."""
    running: list[subprocess.Popen[bytes]] = []

    def start(more: str = "") -> str:
        with tarfile.open(DATA) as archive:
            archive.extractall(tmp_path / "registry", filter="data")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        configuration = tmp_path / "registry.yml"
        configuration.write_text(
            f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {tmp_path}/registry\n"
            f"http:\n  addr: {address}\n{more}"
        )
        log = (tmp_path / "registry.log").open("wb")
        running.append(
            subprocess.Popen([str(REGISTRY), "serve", str(configuration)], stdout=log, stderr=log)
        )
        transport = httpx.HTTPTransport(retries=10)
        with httpx.Client(transport=transport) as client:
            assert client.get(f"http://{address}/v2/").status_code in (200, 401)
        return address

    yield start
    for process in running:
        process.terminate()
        process.wait()


def found(records: Any) -> dict[str, str]:
    """The packages that are there, and their hashes."""
    (mirror,) = (it for it in records if isinstance(it, Mirror))
    assert (mirror.tag, mirror.stack, mirror.layout, mirror.signed) == ("t", "s", "oci", False)
    there = zip(mirror.specs, mirror.available, strict=True)
    return {spec.package: spec.hash for spec, available in there if available}


@with_registry
def test_what_spack_pushed_is_read(registry: Serve, fetcher: Fetcher) -> None:
    address = f"oci+http://{registry()}/tiny/cache"
    records = list(read_source(address, MINE, fetcher))
    assert found(records) == HASHES
    (mirror,) = (it for it in records if isinstance(it, Mirror))
    assert mirror.url == address


@with_registry
def test_without_an_index_each_spec_is_read(
    registry: Serve, fetcher: Fetcher, tmp_path: Path
) -> None:
    address = registry()
    tags = tmp_path.glob("registry/docker/registry/v2/repositories/tiny/cache/_manifests/tags")
    shutil.rmtree(next(tags) / "index.spack")
    assert (
        found(read_registry(f"oci+http://{address}/tiny/cache", fetcher=fetcher, selection=MINE))
        == HASHES
    )


@with_registry
def test_a_blob_that_is_damaged(registry: Serve, fetcher: Fetcher, tmp_path: Path) -> None:
    address = registry()
    folder = tmp_path / "registry/docker/registry/v2/blobs/sha256"
    (index,) = (it for it in folder.rglob("data") if b'"installs"' in it.read_bytes())
    index.write_bytes(index.read_bytes().replace(b"hello", b"hullo", 1))
    records = list(
        read_registry(f"oci+http://{address}/tiny/cache", fetcher=fetcher, selection=MINE)
    )
    assert not any(isinstance(it, Mirror) for it in records)
    (problem,) = (it for it in records if isinstance(it, Problem))
    assert "it is damaged" in problem.message


@with_registry
def test_nothing_of_that_name(registry: Serve, fetcher: Fetcher) -> None:
    with pytest.raises(SourceError, match=r"no image is called index\.spack"):
        list(read_registry(f"oci+http://{registry()}/no/such", fetcher=fetcher, selection=MINE))


@with_registry
def test_a_login_as_docker_leaves_it(
    registry: Serve, fetcher: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "passwords").write_text(PASSWORDS)
    address = registry(f"auth:\n  htpasswd:\n    realm: r\n    path: {tmp_path}/passwords\n")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    source = f"oci+http://{address}/tiny/cache"
    with pytest.raises(SourceError, match="wants a login; log in there with docker login"):
        list(read_registry(source, fetcher=fetcher, selection=MINE))
    (tmp_path / "docker").mkdir()
    for password in ("wrong", "secret"):
        login = base64.b64encode(f"me:{password}".encode()).decode()
        config = {"auths": {address: {"auth": login}}}
        (tmp_path / "docker" / "config.json").write_text(json.dumps(config))
        if password == "wrong":
            with pytest.raises(SourceError, match="refuses the login"):
                list(read_registry(source, fetcher=fetcher, selection=MINE))
    records = list(read_registry(source, fetcher=fetcher, selection=MINE))
    assert found(records) == HASHES
    assert login not in repr(records)


def test_a_registry_that_answers_with_a_page(serve_answers: Any, fetcher: Fetcher) -> None:
    page = (200, b"<html>hello</html>", {"Content-Type": "text/html"})
    server = serve_answers({"/v2/a/b/manifests/index.spack": page})
    source = server.url.replace("http://", "oci+http://") + "/a/b"
    with pytest.raises(SourceError, match="JSON"):
        list(read_registry(source, fetcher=fetcher, selection=MINE))


def test_a_registry_that_does_not_answer(dead_url: str, fetcher: Fetcher) -> None:
    source = dead_url.replace("http://", "oci+http://").rstrip("/") + "/a/b"
    with pytest.raises(SourceError, match="no connection"):
        list(read_registry(source, fetcher=fetcher, selection=MINE))


@pytest.mark.parametrize(
    "address", ["oci://", "oci://host", "oci://host/../x", "oci://me:pw@host/x", "oci://h/X Y"]
)
def test_what_names_no_repository(address: str) -> None:
    with pytest.raises(SourceError, match="not as in oci://registry/name"):
        read_address(address)
