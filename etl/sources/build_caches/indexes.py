"""Indexes, wherever they lie, become records."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, tee
from pathlib import Path
from types import MappingProxyType

from etl.errors import SourceError
from etl.records import Digest, Listing, Mirror, Problem, Record, Source, Spec, Unchanged
from etl.sources.build_caches.database import Database
from etl.sources.build_caches.index_files import IndexFile, ReadIndex, read_indexes
from etl.sources.build_caches.layouts import Found
from etl.sources.build_caches.manifests import INDEX_MEDIA_TYPE, MAX_MANIFEST_BYTES, find_blob
from etl.sources.build_caches.places import MANIFEST_NAME, Index, join
from etl.sources.build_caches.signing import Signing, ask_signing, has_keys
from etl.sources.build_caches.sizes import Sizes
from etl.sources.download.client import MissingError
from etl.sources.files import is_checksum
from etl.sources.selection import Selection
from etl.sources.stores import Store, WebStore, read_small
from etl.spack.tags import parse_tag
from etl.text import counted
from etl.workers import ALONE, Workers

_LACKING_SHOWN = 3

MAX_ASKED = 200
"""Mirrors on the web of one source that are asked whether they are signed and publish keys.

It takes two to five requests for each; what is not asked is unknown.
"""

FindSizes = Callable[[Index, Sequence[Spec]], Sizes]
"""Tells the sizes of these binaries of the mirror that an index belongs to."""

Known = Mapping[tuple[str, str], tuple[str, str | None, str | None]]
"""The SHA-256 of indexes that were read before, address and view, by tag and stack."""


@dataclass(frozen=True, slots=True)
class _Located:
    """The file that holds an index.

    ``checksum`` is the SHA-256 that it must have; ``announced`` is one that it may no longer have.
    """

    place: str
    path: Path
    checksum: str | None = None
    announced: str | None = None
    published: str | None = None


class IndexReader:
    """Reads indexes from a store; ``find_sizes`` is None where sizes are not asked for.

    ``workers`` decode them.
    """

    def __init__(
        self,
        store: Store,
        selection: Selection,
        find_sizes: FindSizes | None,
        known: Known = MappingProxyType({}),
        workers: Workers = ALONE,
    ) -> None:
        self._store = store
        # Threads that download are not copied into other processes.
        self._workers = workers.beside_threads if isinstance(store, WebStore) else workers
        self._selection = selection
        self._find_sizes = find_sizes
        self._known = known
        self._read: list[tuple[str, str]] = []
        self._asked: frozenset[Index] = frozenset()

    def read(self, found: Found, location: str) -> Iterator[Record]:
        """All records of a source with these indexes, from its ``Source`` to its ``Digest``."""
        bare = all(index.layout == "bare" for index in found.indexes) and found.indexes
        yield Source("indexes" if bare else "build cache", location, parts=len(found.indexes))
        yield from found.problems
        self._read += found.read
        places = Counter((index.tag, index.stack) for index in found.indexes)
        if find_twice := {key for key, times in places.items() if times > 1}:
            self._known = {key: it for key, it in self._known.items() if key not in find_twice}
        is_whole = self._selection.is_whole and self._selection.owner is None
        if found.whole or (is_whole and _is_bucket(found, location)):
            mirrors = frozenset((it.tag, it.stack) for it in found.indexes)
            tags = None if self._selection.owner is None else frozenset(it for it, _ in mirrors)
            yield Listing(location, mirrors, views=found.whole, tags=tags)
        self._asked = _to_be_asked(found.indexes)
        located, to_read = tee(self._store.map(self._locate, found.indexes))
        files = map(self._file, found.indexes, to_read)
        for index, where, read in zip(
            found.indexes, located, read_indexes(files, self._workers), strict=True
        ):
            try:
                yield from self._read_index(index, where, read)
            except SourceError as error:
                about = f"the view {index.view}: " if index.view else ""
                yield Problem(error.place, "refused", about + error.message)
        # The sum of the lines that `sha256sum` prints for what was read, sorted.
        lines = sorted(f"{checksum}  {place}\n" for place, checksum in self._read)
        yield Digest(hashlib.sha256("".join(lines).encode()).hexdigest())

    def _locate(self, index: Index) -> _Located | SourceError:
        """Find an index in the store, or download it; what goes wrong is the result, too."""
        store = self._store
        try:
            if index.place.endswith(MANIFEST_NAME):
                manifest = read_small(store, index.place, MAX_MANIFEST_BYTES)
                blob = find_blob(manifest, index.place, INDEX_MEDIA_TYPE)
                place = join(index.mirror, blob.place)
                try:
                    path = store.locate(place, checksum=blob.checksum)
                except MissingError:
                    named = f"the index that {MANIFEST_NAME} names is not there"
                    return SourceError(store.name(place), named)
                published = store.published(index.place)
                return _Located(place, path, checksum=blob.checksum, published=published)
            if index.layout == "v2":
                announced = self._announced(index)
                path = (store.has(announced) if announced else None) or store.locate(index.place)
                published = store.published(index.place)
                return _Located(index.place, path, announced=announced, published=published)
            path = store.locate(index.place, checksum=index.checksum)
            published = store.published(index.place)
            return _Located(index.place, path, checksum=index.checksum, published=published)
        except SourceError as error:
            return error

    def _announced(self, index: Index) -> str | None:
        """The SHA-256 in ``index.json.hash``, which layout 2 has beside the index.

        Nothing depends on it; what is wrong with the mirror, its index will show.
        """
        try:
            text = read_small(self._store, f"{index.place}.hash", 100).decode("ascii").strip()
        except (SourceError, UnicodeDecodeError):
            return None
        return text if is_checksum(text) else None

    def _file(self, index: Index, located: _Located | SourceError) -> IndexFile | SourceError:
        """What is to be read of an index that was located."""
        if isinstance(located, SourceError):
            return located
        return IndexFile(
            self._store.name(located.place),
            located.path,
            located.checksum,
            self._known_as(index),
            self._selection.packages,
        )

    def _known_as(self, index: Index) -> str | None:
        """The SHA-256 that an index had when it was last read, from the same place."""
        checksum, *where = self._known.get((index.tag, index.stack), (None, None, None))
        return checksum if where == [index.url, index.view or None] else None

    def _read_index(
        self, index: Index, located: _Located | SourceError, read: ReadIndex
    ) -> Iterator[Record]:
        if isinstance(located, SourceError):
            raise located
        place, checksum, database = self._store.name(located.place), read.checksum, read.database
        if checksum is not None:
            self._read.append((place, checksum))
        if read.error is not None:
            raise read.error
        if database is None or checksum is None:
            yield Unchanged(index.tag, index.stack)
            return
        if located.announced not in (None, checksum):
            # The two are written one after the other, so that Spack, too, takes the index.
            yield Problem(place, "contradiction", "its SHA-256 is not that in index.json.hash")
        yield from database.problems
        sizes = Sizes()
        if self._find_sizes:
            sizes = self._find_sizes(index, _binaries(database))
            yield from sizes.problems(self._store.name(index.mirror))
            self._read += sizes.read
        signing = Signing(sizes.signed)
        if not isinstance(self._store, WebStore):
            signing = Signing(sizes.signed, has_keys(self._store, index))
        elif index in self._asked and index.layout != "oci":
            signing = ask_signing(self._store, index, checksum, _binaries(database))
            sizes.lacking |= signing.lacking
        specs, available = database.specs, database.available
        if sizes.lacking:
            yield _lacking(self._store.name(index.place), _binaries(database), sizes.lacking)
            available = tuple(
                there and spec.hash not in sizes.lacking
                for spec, there in zip(specs, available, strict=True)
            )
        yield Mirror(
            place,
            index.tag,
            index.stack,
            index.url,
            tuple(_with_size(spec, sizes.by_hash.get(spec.hash)) for spec in specs),
            available,
            index.view or None,
            folder="" if isinstance(self._store, WebStore) else index.mirror,
            layout=index.layout,
            published=located.published,
            put=tuple(sorted(sizes.put.items())),
            signed=False if index.layout == "oci" else signing.signed,
            keys=False if index.layout == "oci" else signing.keys,
            sha256=checksum,
        )


def _to_be_asked(indexes: Sequence[Index]) -> frozenset[Index]:
    """The indexes of which it is asked on the web whether they are signed: the newest."""
    newest = sorted(indexes, key=lambda it: (parse_tag(it.tag).order, it.stack), reverse=True)
    return frozenset(newest[:MAX_ASKED])


def _is_bucket(found: Found, location: str) -> bool:
    """Whether the indexes are of mirrors below an address, and not of the one that is there."""
    base = location.rstrip("/")
    return "://" in location and all(
        index.url is None or index.url.rstrip("/") != base for index in found.indexes
    )


def _binaries(database: Database) -> list[Spec]:
    """The specs that are in the build cache."""
    return list(compress(database.specs, database.available))


def _lacking(place: str, binaries: Sequence[Spec], lacking: Collection[str]) -> Problem:
    """What is told of binaries that an index lists and its cache does not have."""
    names = [f"{spec.package}/{spec.hash[:7]}" for spec in binaries if spec.hash in lacking]
    some = ", ".join(names[:_LACKING_SHOWN])
    more = f" and {len(names) - _LACKING_SHOWN:,} more" if len(names) > _LACKING_SHOWN else ""
    what = counted(len(names), "binary", "binaries")
    return Problem(
        place, "refused", f"lists {what} that the cache does not have; left out: {some}{more}"
    )


def _with_size(spec: Spec, size: int | None) -> Spec:
    return spec if size is None else spec._replace(size=size)
