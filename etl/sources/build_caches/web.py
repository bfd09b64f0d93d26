"""Build caches on the web as a source: one mirror, or all that a bucket lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from urllib.parse import quote, unquote

from etl.errors import SourceError
from etl.records import Problem, Record
from etl.sources.build_caches.bucket import MAX_LIST_BYTES, read_bucket_list
from etl.sources.build_caches.indexes import IndexReader, Known
from etl.sources.build_caches.layouts import Found, chosen, name_lone, wanted, with_view_of
from etl.sources.build_caches.naming import ROOT, with_views
from etl.sources.build_caches.places import (
    BARE_INDEXES,
    BUCKET_LIST,
    V2_INDEX,
    V3_INDEX,
    Index,
    index_at,
    index_at_mirror,
    join,
    view_place,
)
from etl.sources.build_caches.web_sizes import sizes_on_web
from etl.sources.download.addresses import public_address
from etl.sources.download.client import MissingError
from etl.sources.download.fetch import Fetcher
from etl.sources.selection import EVERYTHING, Selection
from etl.sources.stores import WebStore, read_small, reason_of
from etl.spack.tags import RELEASE_BRANCHES
from etl.workers import ALONE, Workers


def read_url(
    url: str,
    *,
    fetcher: Fetcher,
    selection: Selection = EVERYTHING,
    sizes: bool = False,
    known: Known = MappingProxyType({}),
    workers: Workers = ALONE,
) -> Iterator[Record]:
    """Read the build caches at an address; what cannot be read is a ``Problem``, the rest comes.

    The address is that of a bucket with a list of its indexes, of a mirror, or of an index or a
    list itself.  ``sizes`` has the size of each binary asked for; of
    the indexes in ``known`` it is only said that they are unchanged.  ``workers`` decode the rest.

    Raises:
        SourceError: there is nothing at the address that could be read.
        UsageError: ``selection`` has to name the tag and the stack of a mirror, and does not.
    """
    store = WebStore(fetcher)
    try:
        found = _find(store, url, selection)
    except OSError as error:
        raise SourceError(
            public_address(url), f"the download cache cannot be used: {reason_of(error)}"
        ) from None
    find_sizes = partial(sizes_on_web, fetcher) if sizes else None
    # With its view, so that an update reads the same again.
    location = public_address(url) + "".join(url.partition("#")[1:])
    reader = IndexReader(store, selection, find_sizes, known, workers)
    yield from reader.read(found, location)


def _find(store: WebStore, url: str, selection: Selection) -> Found:
    """The indexes at an address; what comes after a ``#`` in it is the name of a view."""
    url, selection = with_view_of(url, selection)
    public = public_address(url)
    if public.endswith("/" + BUCKET_LIST):
        return _in_list(store, url, url.rpartition(BUCKET_LIST)[0], selection)
    try:
        index = index_at(public)
    except SourceError:
        return probe(store, url.rstrip("/"), selection)
    index = replace(index, place=url, view=unquote(index.view))
    named = name_lone([index], selection, index.mirror if index.mirror else public)
    return chosen(map(_with_address, with_views(named)), selection, ())


def probe(store: WebStore, base: str, selection: Selection) -> Found:
    """The indexes of a bucket or of a mirror, looked for where layouts have them.

    Raises:
        SourceError: there are none.
        UsageError: ``selection`` has to name the tag and the stack of a mirror, and does not.
    """
    try:
        return _in_list(store, join(base, BUCKET_LIST), base, selection)
    except MissingError as error:
        no_list = error
    exists = store.fetcher.exists
    # What a view is called depends on the releases beside it, also where they are not asked for.
    views = sorted({*selection.views, *_ruled_views(store, base)})
    looked_for = (V3_INDEX, *map(view_place, map(quote, views)), V2_INDEX)
    places = [it for it in looked_for if exists(join(base, it))]
    if not places:
        places = [place for place in BARE_INDEXES if exists(join(base, place))][:1]
    if not places and store.fetcher.offline:
        raise no_list
    if not places:
        names = ", ".join((BUCKET_LIST, *looked_for))
        raise SourceError(public_address(base), f"no build cache there: no {names} or index.json")
    indexes = [
        replace(index, view=unquote(index.view))
        for index in (index_at_mirror(base, place) for place in places)
    ]
    named = with_views(name_lone(indexes, selection, public_address(base)))
    return chosen(map(_with_address, named), selection, ())


_MAX_PATCHES = 20


def _ruled_views(store: WebStore, base: str) -> list[str]:
    """Views that a mirror of the public bucket has by rule: the releases of ``v2026.10``.

    Others cannot be listed over HTTP; the user names them.
    """
    branch = _BRANCH.fullmatch(public_address(base).rstrip("/").rpartition("/")[2])
    views: list[str] = []
    for patch in range(_MAX_PATCHES if branch else 0):
        view = f"{branch[0] if branch else ''}.{patch}"
        if not store.fetcher.exists(join(base, view_place(view))):
            break
        views.append(view)
    return views


_BRANCH = re.compile(r"v[0-9]{1,4}\.[0-9]{1,4}")


def _in_list(store: WebStore, place: str, base: str, selection: Selection) -> Found:
    data = read_small(store, place, MAX_LIST_BYTES)
    found = read_bucket_list(data, public_address(place), selection, base)
    if selection.views:
        message = "the list of a bucket has no views; name the mirror that has them"
        problem = Problem(public_address(place), "refused", message)
        return replace(found, problems=(*found.problems, problem))
    releases = [it for it in _releases(store, base.rstrip("/"), selection) if wanted(it, selection)]
    listed = {(it.tag, it.stack) for it in found.indexes}
    more = (it for it in releases if (it.tag, it.stack) not in listed)
    return replace(found, indexes=(*found.indexes, *more))


def _releases(store: WebStore, bucket: str, selection: Selection) -> Iterator[Index]:
    """The releases that are views by the rules of the public bucket, whose list has no views.

    Those of the release branches are tried whose releases have dates here.
    """
    for branch in RELEASE_BRANCHES:
        if selection.tags and not any(it.startswith(f"v{branch}.") for it in selection.tags):
            continue
        mirror = f"{bucket}/releases/v{branch}"
        for view in _ruled_views(store, mirror):
            index = index_at_mirror(mirror, view_place(view))
            yield replace(_with_address(index), tag=view, stack=ROOT)


def _with_address(index: Index) -> Index:
    """An index of a mirror that the user named; the mirror's address may be published."""
    return index if index.layout == "bare" else replace(index, url=public_address(index.mirror))
