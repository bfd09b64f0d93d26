"""Build caches in an S3 bucket as a source: all indexes and views, found by listing it.

The places of indexes are laid out as empty files in a folder of its own, so that the rules by which
a folder's are found and named (:mod:`etl.sources.build_caches.layouts`) hold for buckets, too.

What is asked: one listing for each folder that may be a mirror, and one for the views of each that
is, or its index of layout 2; never all files of the bucket.  A bucket that has a list of its build
caches is not searched for those again.  When each binary was put there takes a listing of the files
of its mirror (:mod:`etl.sources.build_caches.s3_binaries`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote, unquote

from etl.errors import SourceError
from etl.page_format.names import is_name
from etl.records import Problem, Record
from etl.sources.build_caches.bucket import MAX_LIST_BYTES, read_bucket_list
from etl.sources.build_caches.indexes import IndexReader, Known
from etl.sources.build_caches.layouts import Found, find_indexes, with_view_of
from etl.sources.build_caches.naming import ROOT, is_view
from etl.sources.build_caches.places import (
    BARE_INDEXES,
    BUCKET_LIST,
    MANIFEST_FOLDER,
    MANIFEST_NAME,
    V2_FOLDER,
    V2_INDEX,
    V3_INDEX,
    Index,
    join,
)
from etl.sources.build_caches.s3_binaries import Binaries
from etl.sources.build_caches.web import probe
from etl.sources.build_caches.web_sizes import sizes_on_web
from etl.sources.decode import shown
from etl.sources.download.client import ForbiddenError, MissingError
from etl.sources.download.fetch import Fetcher
from etl.sources.download.s3 import Bucket, Folder, Listing, read_address
from etl.sources.selection import EVERYTHING, Selection
from etl.sources.stores import WebStore, read_small
from etl.workers import ALONE, Workers

_OWN_FOLDERS = frozenset({"v3", "blobs", V2_FOLDER})
_MAX_FOLDERS = 20_000
_DEPTH = 3
"""So deep lie mirrors: ``releases/v2026.10/e4s``."""


@dataclass
class _Places:
    """The places of indexes in a bucket; ``read`` is what was read to find them."""

    indexes: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    read: tuple[tuple[str, str], ...] = ()


def read_bucket(
    address: str,
    *,
    fetcher: Fetcher,
    selection: Selection = EVERYTHING,
    sizes: bool = False,
    known: Known = MappingProxyType({}),
    workers: Workers = ALONE,
) -> Iterator[Record]:
    """Read the build caches in ``s3://bucket/prefix``; after a ``#`` comes the name of a view.

    ``sizes`` has the size of each binary asked for, and when it was put there, however many
    there are; of the indexes in ``known`` it is only said that they are unchanged.  ``workers``
    decode the rest.

    Raises:
        SourceError: the bucket cannot be listed, or has no build cache in it.
        UsageError: ``selection`` has to name a tag or a stack, and does not.
    """
    address, selection = with_view_of(address, selection)
    bucket = read_address(address)
    listing = Listing(fetcher, bucket)
    store = WebStore(fetcher)
    try:
        places = _find(store, listing, bucket)
    except MissingError as error:
        if not (isinstance(error, ForbiddenError) or fetcher.offline):
            raise
        found = _without_listing(store, bucket, selection)
        find_sizes = partial(sizes_on_web, fetcher) if sizes else None
        yield from IndexReader(store, selection, find_sizes, known).read(found, bucket.address)
        return
    if not places.indexes:
        raise SourceError(bucket.address, "no index of a build cache in this bucket or folder")
    found = _named(bucket, places, selection)
    binaries = Binaries(fetcher, listing, bucket, found.indexes, sizes=sizes)
    reader = IndexReader(store, selection, binaries.about, known, workers)
    yield from reader.read(found, bucket.address)
    yield from binaries.skipped()


def _without_listing(store: WebStore, bucket: Bucket, selection: Selection) -> Found:
    """The indexes of a bucket that may not be listed, looked for as those of a mirror over HTTP.

    Raises:
        SourceError: there are none.
    """
    why = "the server does not list this bucket without a login"
    try:
        found = probe(store, bucket.url, selection)
    except SourceError as error:
        message = f"{why}, and no build cache was found without a list: {error.message}"
        raise SourceError(bucket.address, message) from None
    how = "indexes were looked for by their usual names; views are read with --view NAME"
    skipped = Problem(bucket.address, "skipped", f"{why}: {how}")
    indexes = (
        replace(it, url=bucket.address + unquote(it.url.removeprefix(bucket.url)))
        if it.url is not None and it.url.startswith(bucket.url)
        else it
        for it in found.indexes
    )
    return replace(found, indexes=tuple(indexes), problems=(*found.problems, skipped))


def _find(store: WebStore, listing: Listing, bucket: Bucket) -> _Places:
    """The places of all indexes, one level of folders after the other."""
    places = _Places()
    level, looked = [""], 0
    top: Folder | None = None
    listed: set[str] = set()
    for depth in range(_DEPTH + 1):
        if looked + len(level) > _MAX_FOLDERS:
            message = f"has more than {_MAX_FOLDERS:,} folders; the rest was not looked into"
            places.problems.append(Problem(bucket.address, "refused", message))
            level = level[: _MAX_FOLDERS - looked]
        looked += len(level)
        folders = dict(zip(level, store.map(listing.folder, level), strict=True))
        if top is None:
            top = folders[""]
            if any(key.place == BUCKET_LIST for key in top.files):
                listed = _read_list(store, bucket, places)
        mirrors = [(it, folders[it]) for it in level if _may_be_mirror(folders[it])]
        for found in store.map(partial(_of_mirror, listing), mirrors):
            places.indexes |= found.indexes
            places.problems += found.problems
        level = [
            join(folder, name)
            for folder in level
            for name in folders[folder].folders
            if name not in _OWN_FOLDERS and is_name(name) and join(folder, name) not in listed
        ]
        if depth == _DEPTH or not level:
            break
    return places


def _read_list(store: WebStore, bucket: Bucket, places: _Places) -> set[str]:
    """Add what the bucket's own list names; the stacks in it, which need not be looked for.

    The top-level mirrors of tags are looked into all the same, since a list knows no views.
    """
    data = read_small(store, f"{bucket.url}/{BUCKET_LIST}", MAX_LIST_BYTES)
    found = read_bucket_list(data, BUCKET_LIST, EVERYTHING, None)
    places.read = found.read
    places.problems += found.problems
    for index in found.indexes:
        by_layout = {"v2": V2_INDEX, "v3": V3_INDEX}
        # A list may name the blob itself; its manifest says which is the newest.
        place = by_layout.get(index.layout)
        places.indexes.add(join(index.mirror, place) if place else index.place)
    return {index.mirror for index in found.indexes if index.stack != ROOT}


def _may_be_mirror(folder: Folder) -> bool:
    return bool({"v3", V2_FOLDER} & {*folder.folders}) or any(
        key.place.rpartition("/")[2] in BARE_INDEXES for key in folder.files
    )


def _of_mirror(listing: Listing, named: tuple[str, Folder]) -> _Places:
    """The indexes of a mirror, by its place and its folder: its own, and those of its views."""
    mirror, folder = named
    found = _Places()
    if "v3" in folder.folders:
        inside = join(mirror, MANIFEST_FOLDER)
        for key in listing.below(inside):
            view, slash, name = key.place.removeprefix(f"{inside}/").rpartition("/")
            if name != MANIFEST_NAME:
                continue
            if slash and not is_view(view):
                place = shown(key.place)
                found.problems.append(Problem(place, "refused", "not a valid name of a view"))
            else:
                found.indexes.add(key.place)
    if V2_FOLDER in folder.folders and listing.has(join(mirror, V2_INDEX)):
        found.indexes.add(join(mirror, V2_INDEX))
    if not found.indexes and not folder.folders:
        names = {key.place.rpartition("/")[2]: key.place for key in folder.files}
        found.indexes |= {names[name] for name in [it for it in BARE_INDEXES if it in names][:1]}
    return found


def _named(bucket: Bucket, places: _Places, selection: Selection) -> Found:
    """The indexes at these places, named as those of a folder are."""
    problems = list(places.problems)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, *(part for part in bucket.address[5:].split("/") if is_name(part)))
        folder.mkdir(parents=True, exist_ok=True)
        for place in sorted(places.indexes):
            file = folder / place
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
            except OSError as error:
                problems.append(Problem(shown(place), "refused", f"{error.strerror}"))
        found = find_indexes(folder, selection)
    return Found(
        tuple(_on_web(bucket, index) for index in found.indexes),
        (*problems, *found.problems),
        places.read,
        found.whole and not problems,
    )


def _on_web(bucket: Bucket, index: Index) -> Index:
    mirror = f"{bucket.url}/{quote(index.mirror)}" if index.mirror else bucket.url
    return replace(
        index,
        place=f"{bucket.url}/{quote(index.place)}",
        mirror=mirror,
        url=join(bucket.address, index.mirror) if index.mirror else bucket.address,
    )
