"""Where the indexes of build caches lie: in one mirror, below a tag, or in a whole bucket.

``<bucket>/<tag>/<stack>/`` is a mirror, and ``<bucket>/<tag>/`` is the tag's own, the stack
``root``.  Each mirror keeps its index where its layout says, and can have several: Spack 1.0 reads
layouts 3 and 2 side by side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

from etl.errors import SourceError, UsageError
from etl.page_format.names import is_name
from etl.records import Problem
from etl.sources.build_caches.naming import (
    ROOT,
    checked_view,
    is_view,
    looks_like_tag,
    owner_of,
    read_owner,
    with_views,
)
from etl.sources.build_caches.places import (
    BARE_INDEXES,
    BUCKET_LIST,
    MANIFEST_FOLDER,
    MANIFEST_NAME,
    V2_FOLDER,
    V2_INDEX,
    V3_INDEX,
    Index,
    index_at_mirror,
    join,
)
from etl.sources.decode import shown
from etl.sources.selection import Selection

_OWN_FOLDERS = frozenset({"v3", "blobs", V2_FOLDER, "_cache", "_data"})
"""Folders of a mirror, or of the site, that are no stack."""

_RELEASES = "releases"
"""A folder of the bucket in which some releases have theirs."""

_MAX_LOOKS = 2_000
"""How many folders are looked into before a folder is held to have no build cache in it."""

_MAX_VIEWS = 10_000
"""How many views of one mirror are read; more are refused."""

_DEEPEST_VIEW = 8
"""In how many folders a view may lie."""


Mirrors = tuple[str, list[Index]]
"""A mirror's place, and the indexes in it."""


def wanted(index: Index, selection: Selection) -> bool:
    """Whether the tag and the stack of an index are asked for."""
    return (not selection.tags or index.tag in selection.tags) and (
        not selection.stacks or index.stack in selection.stacks
    )


@dataclass(frozen=True, slots=True)
class Found:
    """The indexes that are asked for, and what was refused while looking for them.

    ``read`` is what was read to find them, as place and SHA-256.  ``whole`` is whether there are
    no others, views or not.
    """

    indexes: tuple[Index, ...]
    problems: tuple[Problem, ...] = ()
    read: tuple[tuple[str, str], ...] = ()
    whole: bool = False


def find_indexes(folder: Path, selection: Selection) -> Found:
    """The indexes in a folder: those of one mirror, of a tag, or of many tags.

    Raises:
        UsageError: whose they are is neither to be seen nor told by ``selection``.
        SourceError: the folder cannot be listed.
    """
    problems: list[Problem] = []
    own = indexes_of(folder, "", problems)
    children = list(_below(folder, problems))
    below = [(place, indexes) for place, indexes in children if indexes]
    deeper = [
        (place, indexes)
        for child, _ in children
        if child != _RELEASES
        for place, indexes in _inside(folder, child, problems)
        if indexes
    ]
    names = [place.removeprefix(f"{_RELEASES}/") for place, _ in below]
    if deeper or (below and not own and all(map(looks_like_tag, names))):
        found = list(_of_bucket(below, deeper))
        problems += (
            Problem(index.place, "refused", "an index beside folders of tags; its tag is unknown")
            for index in own
        )
        if selection.owner is not None:
            message = (
                f"--as {selection.owner} is for one mirror, but here are those of several tags"
            )
            problems.append(Problem(".", "refused", message))
    elif below:
        found = list(_of_tag(_tag_of(folder, selection), own, below))
    else:
        found = name_lone(own, selection, str(folder.resolve())) if own else []
    whole = selection.is_whole and not problems
    return replace(chosen(with_views(found), selection, problems), whole=whole)


def with_view_of(source: str, selection: Selection) -> tuple[str, Selection]:
    """A source without the view that it names after a ``#``, and what to read of it then.

    Raises:
        UsageError: not a valid name of a view.
    """
    source, _, view = source.partition("#")
    if view:
        views = selection.views | {checked_view(unquote(view))}
        selection = replace(selection, views=views)
    return source, selection


def chosen(indexes: Iterable[Index], selection: Selection, problems: Iterable[Problem]) -> Found:
    """Those of the indexes that are asked for; a view that is asked for and not there is told."""
    found = list(indexes)
    views = {index.view for index in found if index.view}
    missing = [
        Problem(MANIFEST_FOLDER, "refused", f"there is no view {view}; there are: {_some(views)}")
        for view in sorted(selection.views - views)
    ]
    asked = [index for index in found if not selection.views or index.view in selection.views]
    left = tuple(index for index in asked if wanted(index, selection))
    if asked and not left:
        names = {f"{index.tag}/{index.stack}" for index in asked}
        message = f"nothing is of the selected tags and stacks; there are: {_some(names)}"
        missing.append(Problem(".", "refused", message))
    return Found(left, (*problems, *missing))


def name_lone(indexes: list[Index], selection: Selection, path: str) -> list[Index]:
    """The indexes of one mirror, with its tag and its stack.

    Raises:
        UsageError: whose it is has to be told by the user.
    """
    bare = all(index.layout == "bare" for index in indexes)
    owner = owner_of(selection, path, bare=bare)
    return [replace(index, tag=owner.tag, stack=owner.stack) for index in indexes]


def _some(names: set[str]) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - 10} more" if len(listed) > 10 else ""
    return (", ".join(listed[:10]) or "none") + more


def holds_index(folder: Path) -> bool:
    """Whether a folder has a build cache in it, found by looking into few folders."""
    ignored: list[Problem] = []
    looks = 0
    try:
        if (folder / BUCKET_LIST).is_file() or indexes_of(folder, "", ignored):
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


def indexes_of(folder: Path, mirror: str, problems: list[Problem]) -> list[Index]:
    """The indexes of the mirror at ``mirror`` inside a folder, layout 3 first."""
    path = folder / mirror
    places = [V3_INDEX] if (path / V3_INDEX).is_file() else []
    views = list(islice(_views(path, MANIFEST_FOLDER, problems), _MAX_VIEWS + 1))
    if len(views) > _MAX_VIEWS:
        problems.append(Problem(MANIFEST_FOLDER, "refused", f"more than {_MAX_VIEWS:,} views"))
    places += views[:_MAX_VIEWS]
    if (path / V2_INDEX).is_file():
        places.append(V2_INDEX)
    if not places:
        places = [name for name in BARE_INDEXES if (path / name).is_file()][:1]
    return [index_at_mirror(mirror, place) for place in places]


def _views(mirror: Path, inside: str, problems: list[Problem], depth: int = 1) -> Iterator[str]:
    """The manifests of a mirror's views, which may lie in folders: ``stacks/e4s``."""
    try:
        entries = sorted(it for it in (mirror / inside).iterdir() if it.is_dir())
    except OSError:
        return
    if depth > _DEEPEST_VIEW and entries:
        problems.append(Problem(shown(inside), "refused", "folders too deep for a view; not read"))
        return
    for entry in entries:
        place = f"{inside}/{entry.name}"
        if not is_view(entry.name):
            problems.append(Problem(shown(place), "refused", "not a valid name of a view"))
            continue
        if (entry / MANIFEST_NAME).is_file():
            yield f"{place}/{MANIFEST_NAME}"
        if not entry.is_symlink():
            yield from _views(mirror, place, problems, depth + 1)


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
        found: list[Problem] = []
        indexes = indexes_of(folder, mirror, found)
        if not entry.is_symlink():
            problems += (replace(it, place=join(mirror, it.place)) for it in found)
            yield mirror, indexes
        elif indexes:
            problems.append(Problem(mirror, "refused", "a symbolic link, which is not followed"))


def _tag_of(folder: Path, selection: Selection) -> str:
    """The tag whose stacks lie in a folder: the folder's name, or what the user says."""
    if selection.owner is not None:
        return read_owner(selection.owner).tag
    name = folder.resolve().name
    if looks_like_tag(name):
        return name
    if len(selection.tags) == 1:
        (tag,) = selection.tags
        return tag
    raise UsageError(f"{folder.name}: the stacks of a tag whose name is unknown; name it with --as")


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
