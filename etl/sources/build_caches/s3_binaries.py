"""What a listing of an S3 bucket tells of the binaries of a mirror: when each was put there.

Also which of those that an index lists are not there at all.  The files of a mirror are listed once
for all of its views, 1,000 with each request, and only while they are few enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from etl.errors import SourceError
from etl.page_format.names import is_hash
from etl.records import Problem, Spec
from etl.sources.build_caches.places import V2_FOLDER, Index, join
from etl.sources.build_caches.sizes import (
    MANIFEST_ENDING,
    SPEC_FILE_ENDINGS,
    SPEC_MANIFESTS,
    Sizes,
)
from etl.sources.build_caches.web_sizes import sizes_on_web
from etl.sources.download.fetch import Fetcher
from etl.sources.download.s3 import MOST_ANSWERS, Bucket, Listing, TooManyFilesError

MAX_MIRRORS = 100
"""Of a bucket with more mirrors the files are not listed, unless sizes are asked for."""

MAX_ANSWERS = 50
"""So many answers of 1,000 files are read for one mirror, unless sizes are asked for."""


@dataclass(frozen=True, slots=True)
class _Files:
    """When each binary of a mirror was put there, by hash; None where there are too many."""

    put: dict[str, str | None] | None


class Binaries:
    """Tells of the binaries of the mirrors in a bucket."""

    def __init__(
        self,
        fetcher: Fetcher,
        listing: Listing,
        bucket: Bucket,
        indexes: Sequence[Index],
        *,
        sizes: bool,
    ) -> None:
        self._fetcher = fetcher
        self._listing = listing
        self._bucket = bucket
        self._sizes = sizes
        self._asks = sizes or len({index.mirror for index in indexes}) <= MAX_MIRRORS
        self._skipped: set[str] = set()
        self._files = cache(self._list)

    def about(self, index: Index, specs: Sequence[Spec]) -> Sizes:
        """What is known of these binaries of the mirror that an index is of."""
        sizes = sizes_on_web(self._fetcher, index, specs) if self._sizes else Sizes()
        place = str(index.url).removeprefix(self._bucket.address).strip("/")
        if index.layout not in ("v2", "v3"):
            return sizes
        try:
            found = self._files(place, index.layout).put if self._asks else None
        except SourceError as error:
            sizes.refused.append(error)
            return sizes
        if found is None:
            self._skipped.add(index.mirror)
            return sizes
        wanted = {spec.hash for spec in specs}
        sizes.put |= {hash_: put for hash_, put in found.items() if put and hash_ in wanted}
        if found:  # else only the indexes were copied there
            sizes.lacking |= wanted - found.keys()
        return sizes

    def skipped(self) -> Iterator[Problem]:
        """That some mirrors were not asked when their binaries were put there."""
        if self._skipped:
            what = "a mirror" if len(self._skipped) == 1 else f"{len(self._skipped):,} mirrors"
            yield Problem(
                self._bucket.address,
                "skipped",
                f"the publication times of the binaries of {what} were not requested, because"
                " there are too many files; --sizes requests them",
            )

    def _list(self, place: str, layout: str) -> _Files:
        most = MOST_ANSWERS if self._sizes else MAX_ANSWERS
        is_new = layout == "v3"
        folder = join(place, SPEC_MANIFESTS if is_new else V2_FOLDER)
        endings = (MANIFEST_ENDING,) if is_new else SPEC_FILE_ENDINGS
        put: dict[str, str | None] = {}
        try:
            for key in self._listing.below(folder, most):
                ending = next((it for it in endings if key.place.endswith(it)), None)
                hash_ = key.place.removesuffix(ending or "")[-32:]
                if ending and is_hash(hash_):
                    put[hash_] = key.published
        except TooManyFilesError:
            if self._sizes:
                raise
            return _Files(None)
        return _Files(put)
