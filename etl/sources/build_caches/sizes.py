"""How large the binaries of a mirror in a folder are, and which of them are not there at all.

Layout 3 says so in the manifest of each; in layout 2 it is the size of the ``.spack`` file, or
what the spec file records of it.  A folder into which only indexes were copied says nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from etl.errors import SourceError
from etl.page_format.names import is_hash
from etl.records import Problem
from etl.sources.build_caches.manifests import (
    MAX_MANIFEST_BYTES,
    TARBALL_MEDIA_TYPE,
    find_blob,
    is_signed,
    unsigned,
)
from etl.sources.build_caches.places import V2_FOLDER, Index, join
from etl.sources.decode import decode_json
from etl.sources.stores import FolderStore, reason_of

SPEC_MANIFESTS = "v3/manifests/spec"
MANIFEST_ENDING = ".spec.manifest.json"
TARBALL_ENDING = ".spack"
SIGNED_ENDING = ".spec.json.sig"
SPEC_FILE_ENDINGS = (".spec.json", SIGNED_ENDING)

MAX_SPEC_FILE_BYTES = 1 << 26
"""A spec file of layout 2 may have this many bytes; it holds a spec with all it depends on."""

_HASH_LENGTH = 32
_ARCHIVE_SIZE = "archive_size"


@dataclass(slots=True)
class Sizes:
    """Sizes by hash, what they were read from as places and checksums, and what was refused.

    Beside that, what was seen on the way: ``signed`` is whether the binaries are, None where that
    was not seen; ``put`` is when each was put there, as ISO text in UTC; ``lacking`` are those
    that the mirror does not have.
    """

    by_hash: dict[str, int] = field(default_factory=dict)
    read: list[tuple[str, str]] = field(default_factory=list)
    refused: list[SourceError] = field(default_factory=list)
    signed: bool | None = None
    put: dict[str, str] = field(default_factory=dict)
    lacking: set[str] = field(default_factory=set)

    def saw(self, *, signed: bool) -> None:
        """Note a binary that is signed or not; a single one that is not makes all unsigned."""
        self.signed = signed if self.signed is None else self.signed and signed

    def problems(self, mirror: str) -> Iterator[Problem]:
        """One problem for all that was refused."""
        if self.refused:
            first = min(self.refused, key=lambda error: error.place)
            count = f"{len(self.refused):,} sizes are not known; " if self.refused[1:] else ""
            yield Problem(first.place or mirror, "refused", count + first.message)


def sizes_in_folder(store: FolderStore, index: Index, hashes: Collection[str]) -> Sizes:
    """The sizes of the binaries with these hashes, from the files of a mirror in a folder."""
    sizes = Sizes()
    there: set[str] = set()
    if index.layout == "v3":
        folder = join(index.mirror, SPEC_MANIFESTS)
        for found in _files(store, folder, (MANIFEST_ENDING,)):
            there.add(found.hash)
            if found.hash in hashes:
                _read_manifest(found, sizes)
    elif index.layout == "v2":
        folder = join(index.mirror, V2_FOLDER)
        for found in _files(store, folder, (TARBALL_ENDING,)):
            there.add(found.hash)
            if found.hash in hashes:
                sizes.by_hash[found.hash] = found.size
                sizes.read.append((found.place, str(found.size)))
        rest = {hash_ for hash_ in hashes if hash_ not in sizes.by_hash}
        for found in _files(store, folder, SPEC_FILE_ENDINGS):
            there.add(found.hash)
            if found.hash in hashes:
                sizes.saw(signed=found.place.endswith(SIGNED_ENDING))
            if found.hash in rest:
                _read_spec_file(found, sizes)
    sizes.lacking = set(hashes) - there if there else set()
    return sizes


@dataclass(frozen=True, slots=True)
class _File:
    """A file whose name tells the hash that it is about."""

    hash: str
    place: str
    path: Path
    size: int

    def read(self, limit: int) -> bytes:
        """All bytes of the file.

        Raises:
            SourceError: it is too large, or cannot be read.
        """
        if self.size > limit:
            raise SourceError(self.place, f"has {self.size:,} bytes, more than {limit:,}")
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise SourceError(self.place, f"cannot be read: {reason_of(error)}") from None


def _files(store: FolderStore, folder: str, endings: tuple[str, ...]) -> Iterator[_File]:
    """The files ``…-<hash><ending>`` below a folder; links are not followed."""
    try:
        path = store.inside(folder)
    except SourceError:
        return  # a mirror does not need to have it
    for parent, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            ending = next((ending for ending in endings if name.endswith(ending)), None)
            if ending is None:
                continue
            hash_ = name.removesuffix(ending)[-_HASH_LENGTH:]
            file = Path(parent, name)
            place = join(folder, file.relative_to(path).as_posix())
            # Spack writes plain names; others are not its own.
            if is_hash(hash_) and place.isascii() and place.isprintable() and _is_file(file):
                yield _File(hash_, place, file, file.stat().st_size)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _read_manifest(file: _File, sizes: Sizes) -> None:
    try:
        data = file.read(MAX_MANIFEST_BYTES)
        sizes.by_hash[file.hash] = find_blob(data, file.place, TARBALL_MEDIA_TYPE).size
        sizes.saw(signed=is_signed(data))
        sizes.read.append((file.place, hashlib.sha256(data).hexdigest()))
    except SourceError as error:
        sizes.refused.append(error)


def _read_spec_file(file: _File, sizes: Sizes) -> None:
    """The size that a spec file records, if it does; most do not."""
    try:
        data = file.read(MAX_SPEC_FILE_BYTES)
        if _ARCHIVE_SIZE.encode() not in data:
            return
        value = decode_json(unsigned(data, file.place), file.place)
    except SourceError as error:
        sizes.refused.append(error)
        return
    size = value.get(_ARCHIVE_SIZE) if isinstance(value, dict) else None
    if type(size) is int and 0 <= size < 2**63:
        sizes.by_hash[file.hash] = size
        sizes.read.append((file.place, hashlib.sha256(data).hexdigest()))
