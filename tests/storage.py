"""Where build caches are stored beside folders: a real S3 server, and a real container registry."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from moto.server import ThreadedMotoServer

from tests.running import PATIENCE

REGISTRY = shutil.which("docker-registry")
PUSHED = Path(__file__).parent / "data" / "registry" / "registry.tar.xz"
"""What Spack 1.1.0 pushed to a registry, as ``tiny/cache``."""

with_registry = pytest.mark.skipif(
    not REGISTRY, reason="docker-registry is not installed (apt-get install docker-registry)"
)


@contextmanager
def s3_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an S3 server with an empty bucket that all may read, spack-binaries."""
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    address = f"http://{host}:{port}"
    httpx.post(f"{address}/moto-api/reset", timeout=PATIENCE).raise_for_status()
    everyone = {"x-amz-acl": "public-read"}
    httpx.put(f"{address}/spack-binaries", headers=everyone, timeout=PATIENCE).raise_for_status()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
    yield address
    moto.stop()


def upload(server: str, folder: Path, prefix: str = "") -> None:
    """Put the files of a folder into the bucket."""
    with httpx.Client(timeout=PATIENCE) as client:
        for file in sorted(it for it in folder.rglob("*") if it.is_file()):
            place = quote(prefix + file.relative_to(folder).as_posix())
            client.put(
                f"{server}/spack-binaries/{place}",
                content=file.read_bytes(),
                headers={"x-amz-acl": "public-read"},
            ).raise_for_status()


class Registries:
    """Starts registries with what Spack pushed; to be stopped."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def __call__(self, more: str = "") -> str:
        """The address of another one, without a scheme; ``more`` is added to its configuration."""
        with tarfile.open(PUSHED) as archive:
            archive.extractall(self._folder / "registry", filter="data")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        configuration = self._folder / "registry.yml"
        configuration.write_text(
            "version: 0.1\nstorage:\n  filesystem:\n"
            f"    rootdirectory: {self._folder}/registry\nhttp:\n  addr: {address}\n{more}"
        )
        log = (self._folder / "registry.log").open("wb")
        self._running.append(
            subprocess.Popen([str(REGISTRY), "serve", str(configuration)], stdout=log, stderr=log)
        )
        transport = httpx.HTTPTransport(retries=10)
        with httpx.Client(transport=transport, timeout=PATIENCE) as client:
            assert client.get(f"http://{address}/v2/").status_code in (200, 401)
        return address

    def stop(self) -> None:
        """Stop them all."""
        for process in self._running:
            process.terminate()
            process.wait()
