"""The list of all build caches in a bucket, as binaries.spack.io publishes it.

``cache_spack_io_index.json`` is ``{"<tag>": [{"label": "<stack>", "url": "<index>"}]}``.  Its
addresses may lead into the bucket that it came from (``s3://spack-binaries/``) or anywhere over
http and https, and nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote, unquote, urlsplit

from etl.errors import SourceError
from etl.page_format.names import is_name, is_tag
from etl.records import Problem
from etl.sources.build_caches.layouts import Found, wanted
from etl.sources.build_caches.places import Index, index_at
from etl.sources.decode import decode_json, shown
from etl.sources.download.addresses import public_address
from etl.sources.selection import Selection

MAX_LIST_BYTES = 1 << 26
"""A list may have this many bytes; that of 110 tags has about 1 MB."""

S3_ADDRESS = "s3://spack-binaries/"
PUBLIC_ADDRESS = "https://binaries.spack.io/"
"""Two names of one bucket."""


def read_bucket_list(data: bytes, place: str, selection: Selection, base: str | None) -> Found:
    """The indexes that a list names and that are asked for, sorted by tag and stack.

    ``base`` is the address of the bucket that the list came from, which then stands for
    ``s3://spack-binaries/``.  Without it the bucket is the folder that the list lies in: places
    are paths in there, and ``url`` is the public address of the mirror.

    Raises:
        SourceError: this is no such list.
    """
    value = decode_json(data, place)
    if not isinstance(value, dict) or not all(isinstance(item, list) for item in value.values()):
        raise SourceError(place, "JSON, but not a list of build caches by tag")
    indexes: list[Index] = []
    problems: list[Problem] = []
    for tag, position, entry in _entries(value):
        if selection.tags and tag not in selection.tags:
            continue
        try:
            index = _read_entry(tag, entry, base)
        except SourceError as error:
            where = f"{place} {shown(tag)}[{position}]"
            problems.append(Problem(where, "refused", error.message))
            continue
        if wanted(index, selection):
            indexes.append(index)
    return Found(
        tuple(sorted(indexes, key=lambda index: (index.tag, index.stack, index.place))),
        tuple(problems),
        ((place, hashlib.sha256(data).hexdigest()),),
    )


def _entries(value: dict[str, list[object]]) -> Iterator[tuple[str, int, object]]:
    for tag, entries in sorted(value.items()):
        for position, entry in enumerate(entries):
            yield tag, position, entry


def _read_entry(tag: str, entry: object, base: str | None) -> Index:
    if not isinstance(entry, dict):
        raise SourceError("", "not an object with label and url")
    label, url = entry.get("label"), entry.get("url")
    if not is_tag(tag):
        raise SourceError("", f"{tag!r:.80} cannot be the name of a tag")
    if not is_name(label):
        raise SourceError("", f"{label!r:.80} cannot be the name of a stack")
    if not isinstance(url, str) or len(url) > 2_000 or not url.isprintable():
        raise SourceError("", f"{url!r:.80} is not an address")
    try:
        path = _path_inside(url, base)
        index = _elsewhere(url, base) if path is None else _in_bucket(path, base)
    except (SourceError, ValueError) as error:  # urllib's errors are of the latter kind
        reason = error.message if isinstance(error, SourceError) else "not an address"
        raise SourceError("", f"{url:.200}: {reason}") from None
    return replace(index, tag=tag, stack=str(label))


def _path_inside(url: str, base: str | None) -> str | None:
    """The path of an address inside the bucket; None if it leads elsewhere."""
    # A folder stands for the bucket itself; a bucket elsewhere is another one.
    names = (S3_ADDRESS, PUBLIC_ADDRESS) if base is None else (S3_ADDRESS,)
    for name in names:
        if url.startswith(name):
            return unquote(url.removeprefix(name))
    return None


def _in_bucket(path: str, base: str | None) -> Index:
    if any(part in ("", ".", "..") for part in path.split("/")) or "\\" in path:
        raise SourceError("", "leads out of the bucket")
    if not path.isprintable():
        raise SourceError("", "has control characters in it")
    index = index_at(path)
    if base is None:
        return replace(index, url=_mirror_address(PUBLIC_ADDRESS, index))
    bucket = base.rstrip("/") + "/"
    return replace(
        index,
        place=bucket + quote(index.place),
        mirror=(bucket + quote(index.mirror)).rstrip("/"),
        url=_mirror_address(public_address(bucket), index),
    )


def _elsewhere(url: str, base: str | None) -> Index:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SourceError("", f"refused: a list may only lead to http, https and {S3_ADDRESS}")
    if parts.username is not None:
        raise SourceError("", "refused: an address in a list may not contain a login")
    if base is None:
        raise SourceError("", "not in this folder; name it as a source of its own")
    index = index_at(url)
    return replace(index, url=None if index.layout == "bare" else index.mirror)


def _mirror_address(bucket: str, index: Index) -> str | None:
    return (bucket + quote(index.mirror)).rstrip("/") if index.layout != "bare" else None
