"""What a user names as a source is recognised by what it contains."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

from etl.errors import SourceError
from etl.records import Listing, Record, Source
from etl.sources.build_caches.indexes import Known
from etl.sources.build_caches.layouts import with_view_of
from etl.sources.build_caches.mirror import is_build_cache, read_build_caches
from etl.sources.build_caches.registry import read_registry
from etl.sources.build_caches.s3 import read_bucket
from etl.sources.build_caches.web import read_url
from etl.sources.download.fetch import Fetcher
from etl.sources.named import local_path
from etl.sources.pages import holds_page, read_pages
from etl.sources.recipes import read_recipes
from etl.sources.selection import Selection
from etl.text import printable
from etl.workers import ALONE, Workers


def is_address(name: str) -> bool:
    """Whether a source is somewhere on the web, and not on this machine."""
    return "://" in name and not name.lower().startswith("file:")


def read_source(
    name: str,
    selection: Selection,
    fetcher: Fetcher,
    *,
    sizes: bool = False,
    known: Known = MappingProxyType({}),
    workers: Workers = ALONE,
) -> Iterator[Record]:
    """The records of a source: pages, or build caches; a path, or an address on the web.

    ``sizes`` asks build caches on the web for the size of each binary; of the indexes on the web
    that are ``known`` it is only said that they are unchanged.  ``workers`` read pages and indexes.

    Raises:
        SourceError: there is nothing at ``name``, or nothing that can be read.
        UsageError: ``selection`` has to name a tag or a stack, and does not.
    """
    if name.startswith(("oci://", "oci+http://", "oci+https://")):
        yield from read_registry(name, fetcher=fetcher, selection=selection, known=known)
    elif name.startswith("s3://"):
        yield from read_bucket(
            name, fetcher=fetcher, selection=selection, sizes=sizes, known=known, workers=workers
        )
    elif is_address(name):
        yield from read_url(
            name, fetcher=fetcher, selection=selection, sizes=sizes, known=known, workers=workers
        )
    else:
        yield from _read_local(name, selection, workers)


def _read_local(name: str, selection: Selection, workers: Workers) -> Iterator[Record]:
    """What lies at a path, or at a ``file://`` address; after a ``#`` comes the name of a view."""
    name, view = local_path(name)
    if view:
        _, selection = with_view_of(f"#{view}", selection)
    if not os.path.exists(name):  # noqa: PTH110 - has no error for a name that cannot be one
        raise SourceError(printable(name), "there is no such file or folder")
    elif is_build_cache(Path(name)):
        yield from read_build_caches(Path(name), selection, workers)
    else:
        yield from _read_folder(Path(name), selection, workers)


def _read_folder(path: Path, selection: Selection, workers: Workers) -> Iterator[Record]:
    """Pages at any depth, and the build caches in folders beside them."""
    try:
        inner = sorted(it for it in path.iterdir() if it.is_dir()) if path.is_dir() else []
    except OSError:
        inner = []  # what is in the way, reading the pages will tell
    caches = [it for it in inner if is_build_cache(it)]
    if not caches:
        yield from read_pages(path, selection, workers)
        return
    if holds_page(path):
        yield from read_pages(path, selection, workers)
    for folder in caches:
        # What is not in one folder is in the next; none of them is all that there is.
        records = read_build_caches(folder, selection, workers)
        yield from (record for record in records if not isinstance(record, Listing))


def read_recipe_folder(name: str) -> Iterator[Record]:
    """What the recipes of the package repository in a folder say; nothing of it is executed.

    Raises:
        SourceError: there is no repository, or it cannot be read.
    """
    yield Source("recipes", ".")
    yield from read_recipes(Path(name))
