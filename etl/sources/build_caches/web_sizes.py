"""How large the binaries of a mirror on the web are, asked for one by one.

The address of each follows from its spec.  What was asked once is kept in the download cache, so
that a build that was interrupted goes on where it was, and the next one asks for what is new; the
hash of a spec stands for its binary.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from etl.errors import SourceError
from etl.records import Spec
from etl.sources.build_caches.manifests import MAX_MANIFEST_BYTES, TARBALL_MEDIA_TYPE, find_blob
from etl.sources.build_caches.places import V2_FOLDER, Index
from etl.sources.build_caches.sizes import (
    MANIFEST_ENDING,
    SPEC_FILE_ENDINGS,
    SPEC_MANIFESTS,
    TARBALL_ENDING,
    Sizes,
)
from etl.sources.download.client import MissingError
from etl.sources.download.fetch import Fetcher
from etl.sources.stores import http_date, reason_of
from etl.spack.compilers import NO_COMPILER, old_name

_NOT_POLITE = re.compile(r"[^A-Za-z0-9_+.-]")


def sizes_on_web(fetcher: Fetcher, index: Index, specs: Iterable[Spec]) -> Sizes:
    """The sizes of these binaries of a mirror, and when each was put there (``Last-Modified``).

    When the mirror fails, the rest is not asked for.
    """
    sizes = Sizes()
    if index.layout == "bare":
        return sizes
    try:
        known = fetcher.cache.sizes(index.mirror)
        wanted = {spec.hash: spec for spec in specs}
        sizes.by_hash = {hash_: known[hash_][0] for hash_ in wanted if hash_ in known}
        sizes.put = {hash_: put for hash_ in sizes.by_hash if (put := known[hash_][1]) is not None}
        unknown = [spec for hash_, spec in sorted(wanted.items()) if hash_ not in known]
        if unknown and not fetcher.offline:
            _ask(fetcher, index, unknown, sizes)
    except OSError as error:
        sizes.refused.append(
            SourceError("", f"sizes cannot be kept in the download cache: {reason_of(error)}")
        )
    sizes.read = [(hash_, str(size)) for hash_, size in sorted(sizes.by_hash.items())]
    return sizes


def _ask(fetcher: Fetcher, index: Index, specs: Sequence[Spec], sizes: Sizes) -> None:
    """Ask for the size of each binary, and keep it."""
    given_up = threading.Event()

    def without_tarball(spec: Spec, error: MissingError) -> SourceError | None:
        """What a mirror of layout 2 without a tarball says; None if it has the spec."""
        stem = spec_file_address(index.mirror, spec)
        try:
            there = any(fetcher.exists(f"{stem}{ending}") for ending in SPEC_FILE_ENDINGS)
        except SourceError as failed:
            given_up.set()
            return failed
        return None if there else error

    def ask(spec: Spec) -> tuple[int | None, str | None] | SourceError | None:
        if given_up.is_set():
            return None
        try:
            if index.layout == "v2":
                address = tarball_address(index.mirror, spec)
                return None if address is None else fetcher.size_of(address)
            place = manifest_address(index.mirror, spec)
            manifest, date = fetcher.read_dated(place, MAX_MANIFEST_BYTES)
        except MissingError as error:
            return error if index.layout == "v3" else without_tarball(spec, error)
        except SourceError as error:
            given_up.set()
            return error
        try:
            return find_blob(manifest, place, TARBALL_MEDIA_TYPE).size, date
        except SourceError as error:  # says nothing of the other manifests
            return error

    with fetcher.cache.add_sizes(index.mirror) as lines:
        for spec, answer in zip(specs, fetcher.map(ask, specs), strict=True):
            if isinstance(answer, tuple):
                size, put = answer[0], http_date(answer[1])
                if put is not None:
                    sizes.put[spec.hash] = put
                if size is not None:
                    sizes.by_hash[spec.hash] = size
                    lines.write(f"{spec.hash} {size} {put or ''}\n")
            elif isinstance(answer, MissingError):
                sizes.lacking.add(spec.hash)
            elif answer is not None:
                sizes.refused.append(answer)


def manifest_address(mirror: str, spec: Spec) -> str:
    """Where layout 3 has the manifest of a binary; ``url_buildcache.py`` in Spack 1.1.0."""
    name = f"{_polite(f'{spec.package}-{spec.version}-{spec.hash}')}{MANIFEST_ENDING}"
    return f"{mirror}/{SPEC_MANIFESTS}/{quote(spec.package)}/{quote(name)}"


def tarball_address(mirror: str, spec: Spec) -> str | None:
    """Where layout 2 has a binary; None for a spec without a compiler, as no such mirror has one.

    ``tarball_path_name`` in ``binary_distribution.py`` of Spack 0.23.1 has the rule.
    """
    if spec.compiler == NO_COMPILER:
        return None
    arch = _polite(f"{spec.platform}-{spec.os}-{spec.target}")
    compiler = _polite(old_name(spec.compiler).replace("@=", "-"))
    package = _polite(f"{spec.package}-{spec.version}")
    name = f"{arch}-{compiler}-{package}-{spec.hash}{TARBALL_ENDING}"
    return "/".join((mirror, V2_FOLDER, *map(quote, (arch, compiler, package, name))))


def spec_file_address(mirror: str, spec: Spec) -> str | None:
    """Where layout 2 has a spec, without the ending: beside the folders of the tarballs."""
    tarball = tarball_address(mirror, spec)
    if tarball is None:
        return None
    return f"{mirror}/{V2_FOLDER}/{tarball.rpartition('/')[2].removesuffix(TARBALL_ENDING)}"


def _polite(name: str) -> str:
    """A name as Spack writes it in paths (``polite_filename``)."""
    return _NOT_POLITE.sub("_", name)
