"""Build caches in a folder as a source: one mirror, the mirrors of a tag, or a whole bucket."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from etl.errors import SourceError
from etl.records import Record
from etl.sources.build_caches.bucket import MAX_LIST_BYTES, read_bucket_list
from etl.sources.build_caches.indexes import IndexReader
from etl.sources.build_caches.layouts import Found, chosen, find_indexes, holds_index, name_lone
from etl.sources.build_caches.manifests import INDEX_MEDIA_TYPE
from etl.sources.build_caches.naming import with_views
from etl.sources.build_caches.places import BARE_INDEXES, BUCKET_LIST, Index, index_at
from etl.sources.build_caches.sizes import sizes_in_folder
from etl.sources.decode import GZIP_MAGIC, shown
from etl.sources.selection import EVERYTHING, Selection
from etl.sources.stores import FolderStore, read_small
from etl.workers import ALONE, Workers

_HEAD = 4096


def is_build_cache(path: Path) -> bool:
    """Whether a folder or a file holds build caches; looks at few of its files, and reads none."""
    return holds_index(path) if path.is_dir() else kind_of(path) is not None


def read_build_caches(
    path: Path, selection: Selection = EVERYTHING, workers: Workers = ALONE
) -> Iterator[Record]:
    """Read the build caches at ``path``; what cannot be read is a ``Problem``, the rest comes.

    ``path`` is a folder, an index, or a bucket's list of indexes.  Where an index does not say its
    tag and its stack, those of ``selection`` are their names.  ``workers`` decode indexes.

    Raises:
        SourceError: there is nothing at ``path`` that could be read.
        UsageError: ``selection`` has to name a tag or a stack, and does not.
    """
    if path.is_dir():
        if (path / BUCKET_LIST).is_file():
            yield from _read_bucket(path, BUCKET_LIST, ".", selection, workers)
        elif holds_index(path):
            yield from _read(path, find_indexes(path, selection), ".", selection, workers)
        else:
            raise SourceError(path.name, "no index of a build cache in this folder")
    elif kind_of(path) == "list":
        yield from _read_bucket(path.parent, path.name, shown(path.name), selection, workers)
    else:
        folder, index = _lone_index(path)
        where = str(folder.resolve()) if index.layout != "bare" else path.name
        found = chosen(with_views(name_lone([index], selection, where)), selection, ())
        yield from _read(folder, found, shown(path.name), selection, workers)


def _read_bucket(
    folder: Path, list_place: str, location: str, selection: Selection, workers: Workers
) -> Iterator[Record]:
    data = read_small(FolderStore(folder), list_place, MAX_LIST_BYTES)
    found = read_bucket_list(data, list_place, selection, None)
    yield from _read(folder, found, location, selection, workers)


def _read(
    folder: Path, found: Found, location: str, selection: Selection, workers: Workers
) -> Iterator[Record]:
    store = FolderStore(folder)
    reader = IndexReader(
        store,
        selection,
        lambda index, specs: sizes_in_folder(store, index, {spec.hash for spec in specs}),
        workers=workers,
    )
    yield from reader.read(found, location)


def _lone_index(path: Path) -> tuple[Path, Index]:
    """The folder of the mirror that an index file is in, and the index in there."""
    whole = path.absolute().as_posix()
    try:
        index = index_at(whole)
    except SourceError:  # an index by any other name
        return path.parent, Index(path.name, "", "bare")
    place = whole.removeprefix(index.mirror).lstrip("/")
    return Path(index.mirror), replace(index, place=place, mirror="")


def kind_of(path: Path) -> Literal["index", "list"] | None:
    """What a file is, by its name or by how it begins; None if it is nothing of a build cache."""
    if path.name == BUCKET_LIST:
        return "list"
    if path.name in BARE_INDEXES:
        return "index"
    try:
        if not path.is_file():  # a pipe would have to be waited for
            return None
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
        if head[:2] == GZIP_MAGIC:
            head = zlib.decompressobj(wbits=31).decompress(head, _HEAD)
    except (OSError, zlib.error):
        return None
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return None
    if b'"database"' in head or INDEX_MEDIA_TYPE.encode() in head:
        return "index"
    return "list" if b'"label"' in head and b'"url"' in head else None
