"""Manifests of the third build cache layout: which blobs a build cache entry consists of.

A manifest is ``{"version": 3, "data": [{"mediaType": ..., "contentLength": ..., "checksum": ...,
"checksumAlgorithm": "sha256", "compression": "none"}]}``, plain or clear-signed with PGP.  The
signature is not checked: the catalog only reports, and who installs has Spack check it.
"""

from __future__ import annotations

from dataclasses import dataclass

from etl.errors import SourceError
from etl.sources.decode import decode_json
from etl.sources.files import is_checksum

MAX_MANIFEST_BYTES = 1 << 20
"""A manifest has about 600 bytes."""

INDEX_MEDIA_TYPE = "application/vnd.spack.db"
TARBALL_MEDIA_TYPE = "application/vnd.spack.install"
KEYS_MEDIA_TYPE = "application/vnd.spack.keyindex"

_LAYOUT_VERSION = 3
_COMPRESSIONS = ("none", "gzip")

_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"


@dataclass(frozen=True, slots=True)
class Blob:
    """One blob of an entry: ``size`` bytes as it is stored, with the SHA-256 ``checksum``."""

    media_type: str
    size: int
    checksum: str

    @property
    def place(self) -> str:
        """Where the blob lies in its mirror."""
        return blob_place(self.checksum)


def blob_place(checksum: str) -> str:
    """Where the blob with this SHA-256 lies in a mirror."""
    return f"blobs/sha256/{checksum[:2]}/{checksum}"


def find_blob(manifest: bytes, place: str, media_type: str) -> Blob:
    """The first blob whose media type begins with ``media_type``.

    The rest of the media type is a version; what the blob holds tells whether it can be read.  How
    it is packed matters of indexes alone: nothing else is unpacked here.

    Raises:
        SourceError: this is no manifest, or it has no such blob.
    """
    value = decode_json(unsigned(manifest, place), place)
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise SourceError(place, "JSON, but not a manifest (no data in it)")
    version = value.get("version")
    if version != _LAYOUT_VERSION:
        raise SourceError(
            place,
            f"a manifest of layout {version!r:.20} is not supported ({_LAYOUT_VERSION} is);"
            " a newer spack-catalog may read it",
        )
    for item in value["data"]:
        if isinstance(item, dict) and str(item.get("mediaType")).startswith(media_type):
            return _read_blob(item, place, is_read=media_type != TARBALL_MEDIA_TYPE)
    raise SourceError(place, f"the manifest names no blob of the type {media_type}")


def is_signed(data: bytes) -> bool:
    """Whether this is a PGP clear-signed message."""
    return data.startswith(_SIGNED)


def unsigned(data: bytes, place: str) -> bytes:
    """What a PGP clear-signed message says; other data comes back as it is.

    Raises:
        SourceError: the message has no end.
    """
    if not is_signed(data):
        return data
    # The lines after the first are headers such as "Hash: SHA512", up to an empty one.
    headers, blank, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    text, signature, _ = body.partition(_SIGNATURE)
    if not blank or not signature or headers.count(b"\n") > 10:
        raise SourceError(place, "a signed message that is cut off; fetch it again")
    # A line that begins with a dash is written with "- " before it (RFC 9580, section 7.2).
    lines = (line.removeprefix(b"- ") for line in text.split(b"\n"))
    return b"\n".join(lines)


def _read_blob(item: dict[str, object], place: str, *, is_read: bool) -> Blob:
    size, checksum = item.get("contentLength"), item.get("checksum")
    algorithm, compression = item.get("checksumAlgorithm"), item.get("compression")
    if algorithm != "sha256":
        raise SourceError(
            place, f"checksum algorithm {algorithm!r:.30} is not supported (sha256 is)"
        )
    if not is_checksum(checksum):
        raise SourceError(place, f"the blob's checksum is no SHA-256: {checksum!r:.80}")
    if type(size) is not int or not 0 <= size < 2**63:
        raise SourceError(place, f"the blob's contentLength is no number of bytes: {size!r:.30}")
    if is_read and compression not in _COMPRESSIONS:
        raise SourceError(
            place,
            f"compression {compression!r:.30} is not supported (gzip and none are)",
        )
    return Blob(str(item["mediaType"]), size, str(checksum))
