"""An index of a build cache, and the places where layouts keep theirs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from etl.errors import SourceError

Layout = Literal["v3", "v2", "oci", "bare"]

MANIFEST_FOLDER = "v3/manifests/index"
MANIFEST_NAME = "index.manifest.json"
V3_INDEX = f"{MANIFEST_FOLDER}/{MANIFEST_NAME}"
V2_FOLDER = "build_cache"
V2_INDEX = f"{V2_FOLDER}/index.json"
BARE_INDEXES = ("index.json", "index.json.gz")
BUCKET_LIST = "cache_spack_io_index.json"

_BLOB = re.compile(r"(?:(.*)/)?blobs/sha256/([0-9a-f]{2})/([0-9a-f]{64})", re.DOTALL)
_VIEW = re.compile(rf"{MANIFEST_FOLDER}/(.+)/{MANIFEST_NAME}", re.DOTALL)
_VIEW_AT = re.compile(rf"(?:(.*)/)?{MANIFEST_FOLDER}/(.+)/{MANIFEST_NAME}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Index:
    """An index to be read.

    ``place`` is its path or address, or that of the manifest that names it; ``mirror`` is that of
    the mirror, ``""`` where the mirror is the source itself; ``checksum`` is the SHA-256 that the
    place implies; ``view`` is the name of the part of the mirror that it is of, if not of all.
    """

    place: str
    mirror: str
    layout: Layout
    tag: str = ""
    stack: str = ""
    url: str | None = None
    checksum: str | None = None
    view: str = ""


def index_at(place: str) -> Index:
    """The index at a place that ends as the layouts have it.

    Raises:
        SourceError: it ends otherwise.
    """
    blob = _BLOB.fullmatch(place)
    if blob and blob[3].startswith(blob[2]):
        return Index(place, blob[1] or "", "v3", checksum=blob[3])
    view = _VIEW_AT.fullmatch(place)
    if view:
        return Index(place, view[1] or "", "v3", view=view[2])
    for ending, layout in ((V3_INDEX, "v3"), (V2_INDEX, "v2")):
        if place == ending or place.endswith("/" + ending):
            return Index(place, place.removesuffix(ending).rstrip("/"), layout)  # type: ignore[arg-type]
    if place.rpartition("/")[2] in BARE_INDEXES:
        return Index(place, place.rpartition("/")[0], "bare")
    raise SourceError(place, f"not where a build cache has its index, such as …/{V2_INDEX}")


def is_index(place: str) -> bool:
    """Whether a file can only be an index of a build cache, or the list of a bucket."""
    return (
        place.rpartition("/")[2] == BUCKET_LIST
        or f"/{place}".endswith((f"/{V2_INDEX}", f"/{V3_INDEX}"))
        or _VIEW_AT.fullmatch(place) is not None
    )


def join(folder: str, place: str) -> str:
    """A place inside a folder; the folder ``""`` is the source itself."""
    return f"{folder}/{place}" if folder else place


def index_at_mirror(mirror: str, place: str) -> Index:
    """The index at a place of a mirror; ``place`` is one of those in this module, or a view's."""
    layout: Layout = "v3" if place.startswith("v3/") else "v2" if place == V2_INDEX else "bare"
    view = _VIEW.fullmatch(place)
    return Index(join(mirror, place), mirror, layout, view=view[1] if view else "")


def view_place(view: str) -> str:
    """Where a mirror has the manifest of a view."""
    return f"{MANIFEST_FOLDER}/{view}/{MANIFEST_NAME}"
