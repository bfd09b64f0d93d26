"""A catalog at an address: fetched once, kept in the user's cache, asked about once an hour."""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

import platformdirs

from etl.errors import CatalogError, ReadError, SourceError
from etl.sources.download.addresses import public_address
from etl.sources.download.client import MissingError
from etl.sources.download.fetch import Fetcher
from etl.sources.files import GZIP_MAGIC

ASK_AGAIN = 3600
"""Seconds for which a copy is taken as it is; then the server is asked whether it has another."""

MAX_CATALOG_BYTES = 1 << 34
"""A catalog may have this many bytes, packed or not; one of a million binaries has half a GB."""

_BLOCK = 1 << 20
_PATIENCE = 10.0
"""Seconds without a byte after which there is no answer."""

Tell = Callable[[str], object]
Check = Callable[[Path], object]


def catalog_at(
    url: str,
    *,
    offline: bool = False,
    tell: Tell = print,
    folder: Path | None = None,
    now: Callable[[], float] = time.time,
    fetcher: Fetcher | None = None,
    check: Check = lambda path: None,
) -> Path:
    """The catalog at an address, as a file in the user's cache.

    ``<address>.gz`` is taken where the server has it.  Within an hour of the last answer nothing
    is asked, and then only whether there is another; ``offline`` asks nothing at all.  Where the
    server cannot be asked, or has what ``check`` refuses with a :class:`~etl.errors.CatalogError`,
    the copy is taken, ``tell`` is told so, and an hour passes before it is asked again.

    Raises:
        ReadError: there is no catalog at the address, or none that can be had, and no copy.
    """
    base = folder or platformdirs.user_cache_path("spack-catalog")
    kept = base / "catalogs" / hashlib.sha256(url.encode()).hexdigest()
    catalog, asked = kept / "catalog.db", kept / "asked"
    public = public_address(url)
    if offline and not catalog.is_file():
        raise ReadError(f"{public}: no copy of it is in the cache; run once without --offline")
    if offline or (catalog.is_file() and 0 <= now() - _time_of(asked) < ASK_AGAIN):
        return catalog
    try:
        with fetcher or _fetcher(has_copy=catalog.is_file()) as web:
            packed = _download(web, url)
            _unpack_new(packed, kept, catalog, public, check)
    except (SourceError, OSError) as error:
        if isinstance(error, SourceError):
            told = error.message
        else:
            told = f"cannot be kept in {kept}: {error.strerror}"
        if not catalog.is_file():
            raise ReadError(f"{public}: {told}") from None
        tell(f"{told}; the copy downloaded before is used")
    with suppress(OSError):
        asked.touch()
        os.utime(asked, (now(), now()))
    return catalog


def _fetcher(*, has_copy: bool) -> Fetcher:
    """Who waits for an answer waits less long than a build, least where there is a copy."""
    if has_copy:
        return Fetcher(attempts=1, patience=_PATIENCE, advice="")
    return Fetcher(attempts=2, patience=_PATIENCE, advice="; try again later")


def _time_of(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return float("-inf")


def _download(web: Fetcher, url: str) -> Path:
    """The file, packed where the server has it so."""
    if not url.endswith(".gz"):
        with suppress(MissingError):
            return web.download(f"{url}.gz", limit=MAX_CATALOG_BYTES)
    return web.download(url, limit=MAX_CATALOG_BYTES)


def _unpack_new(packed: Path, kept: Path, catalog: Path, public: str, check: Check) -> None:
    """Put what was downloaded in place of the copy, unless the copy is of that."""
    made_of = kept / "made-of"
    with suppress(FileNotFoundError):
        if catalog.is_file() and made_of.read_text("ascii", errors="replace") == packed.name:
            return
    kept.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=kept)
    try:
        with os.fdopen(handle, "wb") as target, packed.open("rb") as source:
            is_packed = source.read(2) == GZIP_MAGIC
            source.seek(0)
            _copy(gzip.GzipFile(fileobj=source) if is_packed else source, target, public)
        try:
            check(Path(name))
        except CatalogError as error:
            message = str(error).removeprefix(f"{name}: ").replace(name, "a copy of it")
            raise SourceError(public, message) from None
        Path(name).replace(catalog)
        made_of.write_text(packed.name)
    finally:
        Path(name).unlink(missing_ok=True)


def _copy(source: IO[bytes] | gzip.GzipFile, target: IO[bytes], public: str) -> None:
    left = MAX_CATALOG_BYTES
    try:
        while block := source.read(_BLOCK):
            left -= len(block)
            if left < 0:
                raise SourceError(public, f"unpacks to more than {MAX_CATALOG_BYTES:,} bytes")
            target.write(block)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(public, f"is damaged: {error}") from None
