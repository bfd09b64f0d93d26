"""What was downloaded, on disk, so that it is not downloaded again.

``blobs/<first two>/<SHA-256>`` is content by its checksum; ``addresses/`` tells the checksum of
what was last found at an address, and by what its server knows it again; ``sizes/`` has a file for
each mirror with the sizes of its binaries, one ``<hash> <size> [<when put there>]`` a line;
``facts/`` is what else was found out about a mirror.  Files appear under their names when they are
whole, so that a build that is killed leaves nothing half behind.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import platformdirs

from etl.page_format.names import is_hash
from etl.sources.download.addresses import public_address
from etl.sources.files import is_checksum, sha256_of

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was last found at an address: its SHA-256, and the server's marks of that version.

    ``link`` is where the server says that it goes on (the header ``Link``).
    """

    sha256: str
    etag: str | None = None
    last_modified: str | None = None
    link: str | None = None


class Incoming:
    """A file that is being downloaded; ``sha256`` is of what has been written so far."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Add to the file."""
        self._stream.write(data)
        self._digest.update(data)

    @property
    def sha256(self) -> str:
        """The SHA-256 of the file, as hexadecimal digits."""
        return self._digest.hexdigest()


class DownloadCache:
    """The cache in a folder, by default the user's own; every method may raise ``OSError``."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or platformdirs.user_cache_path("spack-catalog")

    def find(self, sha256: str) -> Path | None:
        """The file with this checksum; one that is damaged is thrown away."""
        path = self._blob(sha256)
        if not path.is_file():
            return None
        if sha256_of(path) != sha256:
            path.unlink(missing_ok=True)
            return None
        return path

    @contextmanager
    def receive(self) -> Iterator[Incoming]:
        """A file to write to, which is kept under its checksum if nothing is raised meanwhile."""
        folder = self._folder / "incoming"
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=folder)
        try:
            with os.fdopen(handle, "wb") as stream:
                incoming = Incoming(stream)
                yield incoming
            path = self._blob(incoming.sha256)
            path.parent.mkdir(parents=True, exist_ok=True)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the file with this checksum is, after it was received."""
        return self._blob(sha256)

    def recall(self, url: str) -> Remembered | None:
        """What was last found at an address."""
        try:
            fields = json.loads(self._address(url).read_bytes())
            marks = (fields["sha256"], fields["etag"], fields["last_modified"])
            remembered = Remembered(*marks, fields.get("link"))
        except (FileNotFoundError, ValueError, LookupError, TypeError):
            return None
        return remembered if is_checksum(remembered.sha256) else None

    def remember(self, url: str, found: Remembered) -> None:
        """Keep what was found at an address."""
        self._write(self._address(url), {"url": public_address(url), **asdict(found)})

    def recall_fact(self, name: str) -> object:
        """What was kept under a name; None if nothing was."""
        try:
            return json.loads(self._fact(name).read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def remember_fact(self, name: str, value: object) -> None:
        """Keep a small value, as JSON, under a name."""
        self._write(self._fact(name), value)

    def sizes(self, mirror: str) -> dict[str, tuple[int, str | None]]:
        """The sizes of a mirror's binaries that are known, and when each was put there, by hash."""
        known: dict[str, tuple[int, str | None]] = {}
        with contextlib.suppress(FileNotFoundError):
            for line in self._sizes(mirror).read_text("ascii", errors="replace").splitlines():
                hash_, size, put, *_ = (*line.split(" "), "", "")
                if is_hash(hash_) and size.isdecimal() and len(size) < 19:
                    known[hash_] = int(size), put if _TIME.fullmatch(put) else None
        return known

    @contextmanager
    def add_sizes(self, mirror: str) -> Iterator[IO[str]]:
        """A stream for more lines of a mirror's sizes."""
        path = self._sizes(mirror)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A line that a kill cut short must not swallow the next one.
        with path.open("a", encoding="ascii", buffering=1) as stream:
            if stream.tell():
                stream.write("\n")
            yield stream

    def _blob(self, sha256: str) -> Path:
        if not is_checksum(sha256):
            raise ValueError(f"not a SHA-256: {sha256!r:.80}")
        return self._folder / "blobs" / sha256[:2] / sha256

    def _write(self, path: Path, value: object) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(value, stream)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)

    def _fact(self, name: str) -> Path:
        return self._folder / "facts" / f"{hashlib.sha256(name.encode()).hexdigest()}.json"

    def _address(self, url: str) -> Path:
        name = hashlib.sha256(url.encode()).hexdigest()
        return self._folder / "addresses" / name[:2] / f"{name}.json"

    def _sizes(self, mirror: str) -> Path:
        return self._folder / "sizes" / f"{hashlib.sha256(mirror.encode()).hexdigest()}.txt"
