"""Build caches in a container registry as a source: ``oci://registry/name``.

Spack keeps the index as the only layer of the image ``index.spack``, and each spec as the
configuration of an image of its own, ``<package>-<version>-<hash>.spack``;
``_oci_update_index`` and ``_oci_put_manifest`` of Spack 1.1.0.  Such caches have no views,
and are never signed.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote, urljoin

from etl.errors import SourceError
from etl.records import Digest, Mirror, Problem, Record, Source, Spec, Unchanged
from etl.sources.build_caches.database import read_database
from etl.sources.build_caches.indexes import IndexReader, Known
from etl.sources.build_caches.layouts import chosen, name_lone
from etl.sources.build_caches.manifests import MAX_MANIFEST_BYTES
from etl.sources.build_caches.places import Index
from etl.sources.build_caches.sizes import Sizes
from etl.sources.decode import decode_json, unpack
from etl.sources.download.client import MissingError
from etl.sources.download.fetch import Fetcher
from etl.sources.download.registry import Login
from etl.sources.files import is_checksum
from etl.sources.selection import EVERYTHING, Selection
from etl.sources.stores import WebStore, read_bytes

INDEX_TAG = "index.spack"
_SPEC_TAG = re.compile(r"[\w.-]{1,120}-[a-z2-7]{32}\.spack", re.ASCII)
_MAX_TAGS = 20_000
"""So many specs of a cache without an index are read one by one; more are refused."""
_IN_PART = 1_000
"""So many names are asked for at once; more some registries refuse."""
_MAX_PARTS = 2_000
_DEEPEST_INDEX = 3
"""So many lists of images are followed from one to the next, as Spack does."""
_MAX_TAG_LIST_BYTES = 1 << 26
_NEXT = re.compile(r"<([^<>]{1,2000})>\s*;[^,]*\brel=\"?next\"?", re.IGNORECASE)
_ADDRESS = re.compile(
    r"oci(\+https?)?://([\w.-]+(?::[0-9]{1,5})?)/([a-z0-9][a-z0-9._/-]{0,250})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Image:
    """A repository of a registry: ``address`` as Spack takes it, ``base`` where it is asked."""

    address: str
    base: str

    def manifest(self, tag: str) -> str:
        """Where the manifest of an image is."""
        return f"{self.base}manifests/{quote(tag, safe=':')}"

    def blob(self, checksum: str) -> str:
        """Where the blob with this SHA-256 is."""
        return f"{self.base}blobs/sha256:{checksum}"


def read_address(address: str) -> Image:
    """The repository that an address names; ``oci+http://`` is one without TLS.

    Raises:
        SourceError: it names none.
    """
    found = _ADDRESS.fullmatch(address.rstrip("/"))
    if found is None or ".." in found[3] or "//" in found[3]:
        raise SourceError(address[:200], "not as in oci://registry/name")
    scheme = "http" if found[1] == "+http" else "https"
    return Image(address.rstrip("/"), f"{scheme}://{found[2]}/v2/{found[3]}/")


def read_registry(
    address: str,
    *,
    fetcher: Fetcher,
    selection: Selection = EVERYTHING,
    known: Known = MappingProxyType({}),
) -> Iterator[Record]:
    """Read the build cache at ``oci://registry/name``; of a known index only that it is unchanged.

    Raises:
        SourceError: there is nothing that could be read.
    """
    image = read_address(address)
    if selection.views:
        raise SourceError(image.address, "build caches in a registry have no views")
    place = image.manifest(INDEX_TAG)
    Login(fetcher, place, image.base).log_in()
    store = WebStore(fetcher)
    try:
        checksum = _digest_of(_part(_manifest(fetcher, image, INDEX_TAG), "layers"), place)
    except MissingError:
        yield from _without_index(image, store, selection, known)
        return
    index = Index(image.blob(checksum), image.address, "oci", checksum=checksum, url=image.address)
    (named,) = name_lone([index], selection, image.address)
    reader = IndexReader(store, selection, lambda _, specs: _seen(fetcher, image, specs), known)
    yield from reader.read(chosen([named], selection, ()), image.address)


def _seen(fetcher: Fetcher, image: Image, specs: Sequence[Spec]) -> Sizes:
    """Which of the binaries that the index lists have no image."""
    sizes = Sizes(signed=False)
    try:
        there = {_hash_of(name) for name in spec_tags(fetcher, image)}
    except SourceError as error:
        sizes.refused.append(error)
        return sizes
    if there:  # some registries do not tell their tags
        sizes.lacking = {spec.hash for spec in specs if spec.hash not in there}
    return sizes


def _without_index(
    image: Image, store: WebStore, selection: Selection, known: Known
) -> Iterator[Record]:
    """A cache of which nobody has made an index: each spec is asked for."""
    fetcher = store.fetcher
    names = spec_tags(fetcher, image)
    if not names:
        raise SourceError(image.address, "no build cache there: no image is called index.spack")
    if len(names) > _MAX_TAGS:
        raise SourceError(
            image.address,
            f"has no index, and more than {_MAX_TAGS:,} specs;"
            " make one with spack buildcache update-index",
        )
    index = Index(image.base, image.address, "oci", url=image.address)
    (named,) = name_lone([index], selection, image.address)
    yield Source("build cache", image.address, parts=1)
    installs: dict[str, dict[str, object]] = {}

    def config(name: str) -> dict[str, object] | SourceError:
        try:
            return _config(fetcher, image, name)
        except SourceError as error:
            return error

    for name, found in zip(names, fetcher.map(config, names), strict=True):
        if isinstance(found, SourceError):
            yield Problem(found.place, "refused", found.message)
            continue
        spec = found.get("spec")
        nodes = spec.get("nodes") if isinstance(spec, dict) else None
        if not isinstance(nodes, list):
            yield Problem(image.manifest(name), "refused", "the image has no spec in it")
            continue
        own = _hash_of(name)
        for node in nodes:
            hash_ = str(node.get("hash")) if isinstance(node, dict) else ""
            before = installs.get(hash_, {})
            there = hash_ == own or bool(before.get("in_buildcache"))
            installs[hash_] = {"spec": node, "in_buildcache": there}
    text = json.dumps({"database": {"version": "8", "installs": installs}}, sort_keys=True)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    if known.get((named.tag, named.stack)) == (sha256, image.address, None):
        yield Unchanged(named.tag, named.stack)
        yield Digest(sha256)
        return
    database = read_database(text.encode(), image.address, selection.packages)
    yield from database.problems
    yield Mirror(
        image.address,
        named.tag,
        named.stack,
        image.address,
        database.specs,
        database.available,
        layout="oci",
        signed=False,
        keys=False,
        sha256=sha256,
    )
    yield Digest(sha256)


def _config(fetcher: Fetcher, image: Image, name: str) -> dict[str, object]:
    """The spec that an image is about, with all that it depends on.

    Raises:
        SourceError: it cannot be had.
    """
    place = image.manifest(name)
    checksum = _digest_of(_part(_manifest(fetcher, image, name), "config"), place)
    path = fetcher.download(image.blob(checksum), checksum=checksum)
    value = decode_json(unpack(read_bytes(path, place), place), place)
    if not isinstance(value, dict):
        raise SourceError(place, "not the spec of an image")
    return value


def _hash_of(name: str) -> str:
    return name.removesuffix(".spack")[-32:]


def spec_tags(fetcher: Fetcher, image: Image) -> list[str]:
    """The names of the images that are specs, sorted; registries list them in parts.

    A registry says where the next part is, or else its names are in order.

    Raises:
        SourceError: they cannot be listed.
    """
    names: set[str] = set()
    last = ""
    address = f"{image.base}tags/list?n={_IN_PART}"
    for _ in range(_MAX_PARTS):
        try:
            path = fetcher.download(address, limit=_MAX_TAG_LIST_BYTES)
        except MissingError:
            break
        value = decode_json(path.read_bytes(), image.address)
        tags = value.get("tags") if isinstance(value, dict) else None
        listed = [it for it in tags if isinstance(it, str)] if isinstance(tags, list) else []
        # A part may have fewer than were asked for; the last one has nothing that is new.
        if not set(listed) - names:
            break
        names.update(listed)
        following = _next_part(fetcher, image, address)
        if following is None:
            if max(listed) <= last:
                break
            last = max(listed)
            following = f"{image.base}tags/list?n={_IN_PART}&last={quote(last)}"
        address = following
    return sorted(name for name in names if _SPEC_TAG.fullmatch(name))


def _next_part(fetcher: Fetcher, image: Image, address: str) -> str | None:
    """Where a registry says that its list goes on (OCI distribution specification 1.1)."""
    found = _NEXT.search(fetcher.link_of(address) or "")
    if found is None:
        return None
    following: str = urljoin(address, found[1])
    if not following.startswith(f"{image.base}tags/list"):
        message = f"its list of images continues at {following:.200}, which is refused"
        raise SourceError(image.address, message)
    return following


def _manifest(fetcher: Fetcher, image: Image, tag: str) -> object:
    """The manifest of an image; of several in one, the first.

    Raises:
        SourceError: it cannot be had.
    """
    place = image.manifest(tag)
    value = decode_json(fetcher.download(place, limit=MAX_MANIFEST_BYTES).read_bytes(), place)
    for _ in range(_DEEPEST_INDEX):
        images = value.get("manifests") if isinstance(value, dict) else None
        if not isinstance(images, list):
            break
        checksum = _digest_of(images[0] if images else None, place)
        inner = image.manifest(f"sha256:{checksum}")
        path = fetcher.download(inner, checksum=checksum, limit=MAX_MANIFEST_BYTES)
        value = decode_json(path.read_bytes(), inner)
    return value


def _part(value: object, name: str) -> object:
    part = value.get(name) if isinstance(value, dict) else None
    return part[0] if isinstance(part, list) and part else part


def _digest_of(part: object, place: str) -> str:
    digest = part.get("digest") if isinstance(part, dict) else None
    if not isinstance(digest, str) or not is_checksum(digest.removeprefix("sha256:")):
        raise SourceError(place, "JSON, but not the manifest of an image")
    return digest.removeprefix("sha256:")
