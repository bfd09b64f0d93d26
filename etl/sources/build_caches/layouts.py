"""Where the indexes of build caches lie: in one mirror, below a tag, or in a whole bucket.

``<bucket>/<tag>/<stack>/`` is a mirror, and ``<bucket>/<tag>/`` is the tag's own, the stack
``root``.  Each mirror keeps its index where its layout says, and can have several: Spack 1.0 reads
layouts 3 and 2 side by side.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from etl.errors import SourceError, UsageError
from etl.page_format.names import is_name
from etl.records import Problem
from etl.sources.selection import Selection

Layout = Literal["v3", "v2", "bare"]

ROOT = "root"

MANIFEST_FOLDER = "v3/manifests/index"
MANIFEST_NAME = "index.manifest.json"
V3_INDEX = f"{MANIFEST_FOLDER}/{MANIFEST_NAME}"
V2_FOLDER = "build_cache"
V2_INDEX = f"{V2_FOLDER}/index.json"
BARE_INDEXES = ("index.json", "index.json.gz")
BUCKET_LIST = "cache_spack_io_index.json"

_OWN_FOLDERS = frozenset({"v3", "blobs", V2_FOLDER, "_cache", "_data"})
"""Folders of a mirror, or of the site, that are no stack."""

_RELEASES = "releases"
"""A folder of the bucket in which some releases have theirs."""

_TAG = re.compile(r"develop|develop-\d{4}-\d\d-\d\d|v\d[\w.+-]{0,60}", re.ASCII)
_BLOB = re.compile(r"(?:(.*)/)?blobs/sha256/([0-9a-f]{2})/([0-9a-f]{64})", re.DOTALL)

_MAX_LOOKS = 2_000
"""How many folders are looked into before a folder is held to have no build cache in it."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index to be read.

    ``place`` is its path or address, or that of the manifest that names it; ``mirror`` is that of
    the mirror, ``""`` where the mirror is the source itself; ``checksum`` is the SHA-256 that the
    place implies.
    """

    place: str
    mirror: str
    layout: Layout
    tag: str = ""
    stack: str = ""
    url: str | None = None
    checksum: str | None = None


Mirrors = tuple[str, list[Index]]
"""A mirror's place, and the indexes in it."""


def index_at(place: str) -> Index:
    """The index at a place that ends as the layouts have it.

    Raises:
        SourceError: it ends otherwise.
    """
    blob = _BLOB.fullmatch(place)
    if blob and blob[3].startswith(blob[2]):
        return Index(place, blob[1] or "", "v3", checksum=blob[3])
    for ending, layout in ((V3_INDEX, "v3"), (V2_INDEX, "v2")):
        if place == ending or place.endswith("/" + ending):
            return Index(place, place.removesuffix(ending).rstrip("/"), layout)  # type: ignore[arg-type]
    if place.rpartition("/")[2] in BARE_INDEXES:
        return Index(place, place.rpartition("/")[0], "bare")
    raise SourceError(place, f"not where a build cache has its index, such as …/{V2_INDEX}")


def join(folder: str, place: str) -> str:
    """A place inside a folder; the folder ``""`` is the source itself."""
    return f"{folder}/{place}" if folder else place


def looks_like_tag(name: str) -> bool:
    """Whether the tags of cache.spack.io are called so: develop, a snapshot of it, or a release."""
    return _TAG.fullmatch(name) is not None


def name_lone(indexes: list[Index], selection: Selection, source: str) -> list[Index]:
    """The indexes of one mirror, with the tag and the stack that the user names.

    Raises:
        UsageError: the user names none, or several.
    """
    if len(selection.tags) != 1 or len(selection.stacks) != 1:
        raise UsageError(
            f"{source}: an index does not say whose it is; name its tag and its stack with one"
            " --tag and one --stack (the top-level build cache of a tag is the stack root)"
        )
    (tag,), (stack,) = selection.tags, selection.stacks
    return [replace(index, tag=tag, stack=stack) for index in indexes]


def wanted(index: Index, selection: Selection) -> bool:
    """Whether the tag and the stack of an index are asked for."""
    return (not selection.tags or index.tag in selection.tags) and (
        not selection.stacks or index.stack in selection.stacks
    )


@dataclass(frozen=True, slots=True)
class Found:
    """The indexes that are asked for, and what was refused while looking for them.

    ``read`` is what was read to find them, as place and SHA-256.
    """

    indexes: tuple[Index, ...]
    problems: tuple[Problem, ...] = ()
    read: tuple[tuple[str, str], ...] = ()


def find_indexes(folder: Path, selection: Selection) -> Found:
    """The indexes in a folder: those of one mirror, of a tag, or of many tags.

    Raises:
        UsageError: whose they are is neither to be seen nor told by ``selection``.
        SourceError: the folder cannot be listed.
    """
    own = indexes_of(folder, "")
    problems: list[Problem] = []
    children = list(_below(folder, problems))
    below = [(place, indexes) for place, indexes in children if indexes]
    deeper = [
        (place, indexes)
        for child, _ in children
        if child != _RELEASES
        for place, indexes in _inside(folder, child, problems)
        if indexes
    ]
    if deeper or (below and not own and all(looks_like_tag(name) for name, _ in below)):
        found = list(_of_bucket(below, deeper))
        problems += (
            Problem(index.place, "refused", "an index beside folders of tags; whose is it?")
            for index in own
        )
    elif below:
        found = list(_of_tag(_tag_of(folder, selection), own, below))
    else:
        found = name_lone(own, selection, folder.name) if own else []
    return Found(tuple(index for index in found if wanted(index, selection)), tuple(problems))


def holds_index(folder: Path) -> bool:
    """Whether a folder has a build cache in it, found by looking into few folders."""
    ignored: list[Problem] = []
    looks = 0
    try:
        if (folder / BUCKET_LIST).is_file() or indexes_of(folder, ""):
            return True
        for child, indexes in _below(folder, ignored):
            if indexes:
                return True
            for _, inner in _inside(folder, child, ignored):
                looks += 1
                if inner or looks > _MAX_LOOKS:
                    return bool(inner)
    except (SourceError, OSError):
        return False  # whoever reads the folder will say why it cannot be read
    return False


def indexes_of(folder: Path, mirror: str) -> list[Index]:
    """The indexes of the mirror at ``mirror`` inside a folder, layout 3 first."""
    path = folder / mirror
    places = [V3_INDEX] if (path / V3_INDEX).is_file() else _views(path)
    if (path / V2_INDEX).is_file():
        places.append(V2_INDEX)
    if not places:
        places = [name for name in BARE_INDEXES if (path / name).is_file()][:1]
    return [index_at_mirror(mirror, place) for place in places]


def index_at_mirror(mirror: str, place: str) -> Index:
    """The index at a place of a mirror; ``place`` is one of those in this module, or a view's."""
    layout: Layout = "v3" if place.startswith("v3/") else "v2" if place == V2_INDEX else "bare"
    return Index(join(mirror, place), mirror, layout)


def _views(path: Path) -> list[str]:
    """The manifests of a mirror's views: indexes of a part of it, which newer Spacks can write."""
    try:
        names = sorted(view.name for view in (path / MANIFEST_FOLDER).iterdir())
    except OSError:
        return []
    places = (f"{MANIFEST_FOLDER}/{name}/{MANIFEST_NAME}" for name in names)
    return [place for place in places if (path / place).is_file()]


def _below(folder: Path, problems: list[Problem]) -> Iterator[Mirrors]:
    """The subfolders of a folder, and of ``releases`` in it, each with its indexes."""
    for place, indexes in _inside(folder, "", problems):
        yield place, indexes
        if place == _RELEASES:
            yield from _inside(folder, place, problems)


def _inside(folder: Path, place: str, problems: list[Problem]) -> Iterator[Mirrors]:
    """The subfolders of a place that may be mirrors, each with its indexes; links are none."""
    try:
        entries = sorted((folder / place).iterdir())
    except OSError as error:
        if not place:
            raise SourceError(folder.name, f"cannot be listed: {error.strerror}") from None
        problems.append(Problem(place, "refused", f"cannot be listed: {error.strerror}"))
        return
    for entry in entries:
        if not is_name(entry.name) or entry.name in _OWN_FOLDERS or not entry.is_dir():
            continue
        mirror = join(place, entry.name)
        indexes = indexes_of(folder, mirror)
        if not entry.is_symlink():
            yield mirror, indexes
        elif indexes:
            problems.append(Problem(mirror, "refused", "a link, which is not followed"))


def _tag_of(folder: Path, selection: Selection) -> str:
    """The tag whose stacks lie in a folder: the folder's name, or what the user says."""
    name = folder.resolve().name
    if looks_like_tag(name):
        return name
    if len(selection.tags) == 1:
        (tag,) = selection.tags
        return tag
    raise UsageError(
        f"{folder.name}: the stacks of one tag, and which one is not to be seen; name it with --tag"
    )


def _of_tag(tag: str, own: list[Index], below: list[Mirrors]) -> Iterator[Index]:
    yield from (replace(index, tag=tag, stack=ROOT) for index in own)
    for stack, indexes in below:
        yield from (replace(index, tag=tag, stack=stack) for index in indexes)


def _of_bucket(below: list[Mirrors], deeper: list[Mirrors]) -> Iterator[Index]:
    for place, indexes in below:
        tag = place.removeprefix(_RELEASES + "/")
        yield from (replace(index, tag=tag, stack=ROOT) for index in indexes)
    for place, indexes in deeper:
        folder, _, stack = place.rpartition("/")
        tag = folder.removeprefix(_RELEASES + "/")
        yield from (replace(index, tag=tag, stack=stack) for index in indexes)
