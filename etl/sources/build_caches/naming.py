"""Which tag and which stack an index is of: by where it lies, by its view, or as the user says.

The rules, in order; ``docs/formats.md`` has them for people:

1. ``--as TAG[/STACK]`` names a mirror; so do one ``--tag`` and one ``--stack``.
2. A folder with the name of a tag (``develop``, ``v0.22.1``, ``releases/v2026.10``) is the
   top-level build cache of that tag, the stack ``root``; folders in it are stacks of the tag.
3. Any other mirror has its own name as tag, and the stack ``root``; if that cannot be a tag, the
   name of its cache.
4. In the mirror ``develop`` a view ``develop-2026-10-04`` is that snapshot; in the mirror
   ``v2026.10`` a view ``v2026.10.0`` is that release, and ``v2026.10.0/e4s`` a stack of it.
5. Any other view is a stack with the name of the view: of the newest release among the views of
   the same mirror, else of the mirror's tag.  ``stacks/`` in front and accents are dropped, and
   other characters that a stack cannot have become dashes: ``a/b`` is the stack ``a-b``.
6. Two indexes never share a tag and stack because of their names.  Releases and snapshots are named
   first, then views whose name can be kept as it is.  A view whose name is taken keeps its full
   name, or has the mirror's own stack in front, or a number behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count, groupby
from unicodedata import normalize

from etl.errors import UsageError
from etl.page_format.names import is_name, is_tag
from etl.sources.build_caches.places import Index
from etl.sources.selection import Selection
from etl.spack.versions import sort_key
from etl.text import printable

ROOT = "root"
"""The stack that is a tag's own top-level build cache."""

_TAG = re.compile(r"develop|develop-\d{4}-\d\d-\d\d|v\d[\w.+-]{0,60}", re.ASCII)
_SNAPSHOT = re.compile(r"develop-\d{4}-\d\d-\d\d", re.ASCII)
_STACKS = "stacks/"
"""What the names of views of stacks may begin with."""
_ODD = re.compile(r"[^\w.+-]+", re.ASCII)
_LONGEST_VIEW = 190


@dataclass(frozen=True, slots=True)
class Owner:
    """The tag and the stack of a mirror."""

    tag: str
    stack: str = ROOT


def looks_like_tag(name: str) -> bool:
    """Whether the tags of cache.spack.io are called so: develop, a snapshot of it, or a release."""
    return _TAG.fullmatch(name) is not None


def read_owner(text: str) -> Owner:
    """The owner that ``--as TAG[/STACK]`` names.

    Raises:
        UsageError: it cannot be a tag and a stack.
    """
    tag, slash, stack = text.partition("/")
    owner = Owner(tag, stack if slash else ROOT)
    if not (is_tag(owner.tag) and is_name(owner.stack)):
        raise UsageError(f"--as {text}: expected TAG or TAG/STACK, as in --as v2026.10.0/e4s")
    return owner


def owner_of(selection: Selection, path: str, *, bare: bool = False) -> Owner:
    """Whose the mirror at a path or an address is.

    A ``bare`` index is a file that may lie anywhere, so that its folder says nothing.

    Raises:
        UsageError: the user has to say it, and does not.
    """
    if selection.owner is not None:
        return read_owner(selection.owner)
    tags, stacks = sorted(selection.tags), sorted(selection.stacks)
    if len(tags) == len(stacks) == 1:
        return Owner(tags[0], stacks[0])
    parts = [part for part in path.split("/") if part not in ("", ".")]
    name, above = parts[-1] if parts else "", parts[-2] if len(parts) > 1 else ""
    if looks_like_tag(name):
        return Owner(name)
    if looks_like_tag(above) and is_name(name):
        return Owner(above, name)
    if not bare and is_tag(name):
        return Owner(tags[0] if len(tags) == 1 else name, stacks[0] if len(stacks) == 1 else ROOT)
    if not bare and selection.called is not None:
        return Owner(selection.called)
    if bare:
        raise UsageError(
            f"{printable(path)}: an index does not name its tag and stack; name them with"
            " --as TAG/STACK (the top-level build cache of a tag is the stack root)"
        )
    raise UsageError(
        f"{printable(path)}: the name of this folder cannot be a tag; give one with --as TAG"
    )


def checked_view(name: str) -> str:
    """The name of a view that the user asks for.

    Raises:
        UsageError: not a valid name of a view.
    """
    if not is_view(name):
        raise UsageError(f"--view {printable(name)[:80]}: this cannot be the name of a view")
    return name


def is_view(name: str) -> bool:
    """Whether a view can be called so: it is a folder, or one in others (``stacks/e4s``)."""
    parts = name.split("/")
    return (
        len(name) <= _LONGEST_VIEW
        and name.isprintable()
        and "\\" not in name
        and not any(part in ("", ".", "..") for part in parts)
    )


def with_views(indexes: Iterable[Index]) -> Iterator[Index]:
    """The indexes of mirrors whose owners are known, those of views with owners of their own."""
    listed = list(indexes)
    whole = [index for index in listed if not index.view]
    yield from whole
    taken = {(index.tag, index.stack) for index in whole}
    views = sorted(
        (index for index in listed if index.view), key=lambda index: (index.mirror, index.view)
    )
    for _, group in groupby(views, key=lambda index: index.mirror):
        of_mirror = sorted(group, key=_precedence)
        releases = [it.view for it in of_mirror if _is_release_of(it.view, it.tag)]
        newest = max(releases, key=sort_key, default=None)
        for index in of_mirror:
            owners = _owners(index, newest)
            owner = next(it for it in owners if (it.tag, it.stack) not in taken)
            taken.add((owner.tag, owner.stack))
            yield replace(index, tag=owner.tag, stack=owner.stack)


def _precedence(index: Index) -> tuple[bool, bool, str]:
    """The order in which the views of a mirror get their names: the plainest come first."""
    is_part = is_part_of(index.view, index.tag)
    return not is_part, stack_of(index.view) != index.view, index.view


def _owners(index: Index, newest: str | None) -> Iterator[Owner]:
    """What a view is, and what it is called where something else is that already."""
    view, tag = index.view, index.tag
    first, _, rest = view.partition("/")
    if is_part_of(view, tag):
        yield Owner(view, index.stack)
    elif rest and is_part_of(first, tag):
        tag, view = first, rest
    else:
        tag = newest or tag
    yield Owner(tag, stack_of(view))
    whole = _as_name(view)
    yield Owner(tag, whole)
    if index.stack != ROOT:
        yield Owner(tag, _as_name(f"{index.stack}-{whole}"))
    yield from (Owner(tag, f"{whole}-{number}") for number in count(2))


def is_part_of(view: str, tag: str) -> bool:
    """Whether a view of the mirror of a tag is a tag of its own: a release or a snapshot of it."""
    return _is_release_of(view, tag) or _is_snapshot_of(view, tag)


def stack_of(view: str) -> str:
    """The name of the stack that a view is of; views may lie in folders, stacks have one name."""
    return _as_name(view.removeprefix(_STACKS))


def _as_name(view: str) -> str:
    plain = normalize("NFKD", view).encode("ascii", "ignore").decode()
    return _ODD.sub("-", plain).strip("-.+")[:_LONGEST_VIEW] or "view"


def _is_release_of(view: str, tag: str) -> bool:
    """``v2026.10.0`` is a release of ``v2026.10``, and of nothing else."""
    return bool(view) and looks_like_tag(view) and (view == tag or view.startswith(f"{tag}."))


def _is_snapshot_of(view: str, tag: str) -> bool:
    return tag == "develop" and _SNAPSHOT.fullmatch(view) is not None
