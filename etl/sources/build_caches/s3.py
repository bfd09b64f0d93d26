"""Build caches in an S3 bucket as a source: all indexes and views, found by listing it.

The places of indexes are laid out as empty files in a folder of its own, so that the rules by which
a folder's are found and named (:mod:`etl.sources.build_caches.layouts`) hold for buckets, too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from etl.errors import SourceError
from etl.page_format.names import is_hash, is_name
from etl.records import Mirror, Problem, Record
from etl.sources.build_caches.indexes import IndexReader
from etl.sources.build_caches.layouts import Found, find_indexes, with_view_of
from etl.sources.build_caches.places import (
    BARE_INDEXES,
    MANIFEST_FOLDER,
    MANIFEST_NAME,
    V2_FOLDER,
    V2_INDEX,
    Index,
    join,
)
from etl.sources.build_caches.sizes import MANIFEST_ENDING, SPEC_FILE_ENDINGS, SPEC_MANIFESTS
from etl.sources.download.fetch import Fetcher
from etl.sources.download.s3 import Bucket, Key, Listing, read_address
from etl.sources.selection import EVERYTHING, Selection
from etl.sources.stores import WebStore

_OWN_FOLDERS = frozenset({"v3", "blobs", V2_FOLDER})
_MAX_FOLDERS = 20_000
_DEPTH = 3
"""So deep lie mirrors: ``releases/v2026.10/e4s``."""


def read_bucket(
    address: str, *, fetcher: Fetcher, selection: Selection = EVERYTHING
) -> Iterator[Record]:
    """Read the build caches in ``s3://bucket/prefix``; after a ``#`` comes the name of a view.

    Raises:
        SourceError: the bucket cannot be listed, or has no build cache in it.
        UsageError: ``selection`` has to name a tag or a stack, and does not.
    """
    address, selection = with_view_of(address, selection)
    bucket = read_address(address)
    listing = Listing(fetcher, bucket)
    places = list(_places(listing))
    if not places:
        raise SourceError(bucket.address, "no index of a build cache in this bucket or folder")
    found = _found(bucket, places, selection)
    reader = IndexReader(WebStore(fetcher), selection, None)
    for record in reader.read(found, bucket.address):
        if isinstance(record, Mirror) and record.url is not None:
            try:
                yield replace(record, put=tuple(_dates(listing, bucket, record)))
            except SourceError as error:
                yield record
                yield Problem(error.place, "refused", error.message)
        else:
            yield record


def _places(listing: Listing) -> Iterator[str]:
    """The places of all indexes."""
    waiting = [("", 0)]
    for looked in range(_MAX_FOLDERS):
        if looked == len(waiting):
            return
        mirror, depth = waiting[looked]
        folders = listing.folders(mirror)
        names = {
            key.place.rpartition("/")[2]: key.place for key in listing.files(mirror, deep=False)
        }
        found: list[str] = []
        if "v3" in folders:
            found += [
                key.place
                for key in listing.files(join(mirror, MANIFEST_FOLDER))
                if key.place.endswith(f"/{MANIFEST_NAME}")
            ]
        if V2_FOLDER in folders:
            index = join(mirror, V2_INDEX)
            files = listing.files(join(mirror, V2_FOLDER), deep=False)
            found += [key.place for key in files if key.place == index]
        if not found and not folders:
            found += [names[name] for name in BARE_INDEXES if name in names][:1]
        yield from (place for place in found if all(map(is_name, place.split("/"))))
        if depth < _DEPTH:
            inner = [name for name in folders if name not in _OWN_FOLDERS and is_name(name)]
            waiting += [(join(mirror, name), depth + 1) for name in inner]


def _found(bucket: Bucket, places: list[str], selection: Selection) -> Found:
    """The indexes at these places, named as those of a folder are."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, *(part for part in bucket.address[5:].split("/") if is_name(part)))
        for place in places:
            file = folder / place
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        found = find_indexes(folder, selection)
    return replace(found, indexes=tuple(_on_web(bucket, index) for index in found.indexes))


def _on_web(bucket: Bucket, index: Index) -> Index:
    mirror = f"{bucket.url}/{quote(index.mirror)}" if index.mirror else bucket.url
    return replace(
        index,
        place=f"{bucket.url}/{quote(index.place)}",
        mirror=mirror,
        url=join(bucket.address, index.mirror) if index.mirror else bucket.address,
    )


def _dates(listing: Listing, bucket: Bucket, mirror: Mirror) -> Iterator[tuple[str, str]]:
    """When each binary of a mirror was put there, by hash."""
    place = str(mirror.url).removeprefix(bucket.address).strip("/")
    keys: list[Key] = []
    endings: tuple[str, ...] = (MANIFEST_ENDING,)
    if mirror.layout == "v3":
        keys = listing.files(join(place, SPEC_MANIFESTS))
    elif mirror.layout == "v2":
        keys, endings = listing.files(join(place, V2_FOLDER), deep=False), SPEC_FILE_ENDINGS
    for key in keys:
        ending = next((it for it in endings if key.place.endswith(it)), None)
        hash_ = key.place.removesuffix(ending or "")[-32:]
        if ending and key.published and is_hash(hash_):
            yield hash_, key.published
