"""Whether the binaries of a mirror are signed, and whether it publishes the keys.

A signed spec, or in layout 3 its manifest, is a PGP clear-signed text; in layout 2 the file is
called ``.spec.json.sig``.  ``layout.json`` names a way of signing even where nothing is signed.
Of a mirror on the web the first binaries are asked for, of one in a folder all are looked at
(:mod:`etl.sources.build_caches.sizes`).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from etl.errors import SourceError
from etl.records import Spec
from etl.sources.build_caches.manifests import (
    KEYS_MEDIA_TYPE,
    MAX_MANIFEST_BYTES,
    find_blob,
    is_signed,
)
from etl.sources.build_caches.places import V2_FOLDER, Index, join
from etl.sources.build_caches.web_sizes import manifest_address, spec_file_address
from etl.sources.decode import decode_json, unpack
from etl.sources.download.client import MissingError
from etl.sources.stores import Store, WebStore, read_bytes, read_small

KEY_INDEXES = {"v3": "v3/manifests/key/keys.manifest.json", "v2": f"{V2_FOLDER}/_pgp/index.json"}
"""Where Spack has the list of a mirror's keys; ``url_buildcache.py`` of Spack 1.1.0."""

_ASKED = 3
"""How many binaries are asked for until one is there."""

_MAX_SPEC_BYTES = 1 << 26


@dataclass(frozen=True, slots=True)
class Signing:
    """Whether binaries are signed, and keys published; None where that cannot be seen.

    ``lacking`` are those that were asked for and are not there, though the index lists them.
    """

    signed: bool | None = None
    keys: bool | None = None
    lacking: frozenset[str] = frozenset()


def ask_signing(store: WebStore, index: Index, sha256: str, specs: Iterable[Spec]) -> Signing:
    """What a mirror on the web says; kept for as long as its index stays the same (``sha256``)."""
    fetcher = store.fetcher
    name = f"{index.mirror} {sha256}"
    try:
        kept = fetcher.cache.recall_fact(name)
    except OSError:
        kept = None
    if isinstance(kept, dict):
        signed, keys, lacking = (kept.get(it) for it in ("signed", "keys", "lacking"))
        if signed in (True, False, None) and keys in (True, False, None):
            return Signing(signed, keys, frozenset(map(str, lacking or ())))
    if fetcher.offline:
        return Signing()
    signed, lacking = signed_on_web(store, index, specs)
    found = Signing(signed, has_keys(store, index), lacking)
    with suppress(OSError):  # then it is asked again the next time
        told = {"signed": found.signed, "keys": found.keys, "lacking": sorted(found.lacking)}
        fetcher.cache.remember_fact(name, told)
    return found


def has_keys(store: Store, index: Index) -> bool | None:
    """Whether a mirror publishes keys; Spack also writes lists without any."""
    place = KEY_INDEXES.get(index.layout)
    if place is None:
        return False if index.layout == "oci" else None
    place = join(index.mirror, place)
    try:
        data = read_small(store, place, MAX_MANIFEST_BYTES)
        if index.layout == "v3":
            blob = find_blob(data, place, KEYS_MEDIA_TYPE)
            place = join(index.mirror, blob.place)
            path = store.locate(place, checksum=blob.checksum, limit=MAX_MANIFEST_BYTES)
            data = unpack(read_bytes(path, place), place, MAX_MANIFEST_BYTES)
        value = decode_json(data, place)
    except MissingError:
        return False
    except SourceError:
        return None
    keys = value.get("keys") if isinstance(value, dict) else None
    return bool(keys) if isinstance(keys, dict | list) else None


def signed_on_web(
    store: Store, index: Index, specs: Iterable[Spec]
) -> tuple[bool | None, frozenset[str]]:
    """Whether the first of these binaries that a mirror has is signed; and those before it.

    These the mirror lacks.  Where none of those asked for is there, nothing is known: the mirror
    may be a copy of the indexes alone.
    """
    lacking: list[str] = []
    for spec in islice(specs, _ASKED):
        signed = _is_signed(store, index, spec)
        if isinstance(signed, bool):
            return signed, frozenset(lacking)
        if isinstance(signed, MissingError):
            lacking.append(spec.hash)
    return None, frozenset()


def _is_signed(store: Store, index: Index, spec: Spec) -> bool | SourceError | None:
    """Whether a binary is signed; else why that cannot be seen."""
    try:
        if index.layout == "v3":
            place = manifest_address(index.mirror, spec)
            return is_signed(read_small(store, place, MAX_MANIFEST_BYTES))
        if index.layout == "v2" and (stem := spec_file_address(index.mirror, spec)):
            try:
                store.locate(f"{stem}.spec.json.sig", limit=_MAX_SPEC_BYTES)
            except MissingError:
                store.locate(f"{stem}.spec.json", limit=_MAX_SPEC_BYTES)
                return False
            return True
    except SourceError as error:
        return error
    return None
