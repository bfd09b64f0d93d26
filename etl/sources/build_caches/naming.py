"""Which tag and which stack an index is of: by where it lies, by its view, or as the user says.

The rules, in order; ``docs/formats.md`` has them for people:

1. ``--as TAG[/STACK]`` names a mirror; so do one ``--tag`` and one ``--stack``.
2. A folder called like a tag (``develop``, ``v0.22.1``, ``releases/v2026.10``) is that tag's own
   build cache, the stack ``root``; folders in it are its stacks.
3. Any other mirror is the tag of its own name, the stack ``root``.
4. In the mirror of ``develop`` a view ``develop-2026-10-04`` is that snapshot; in the mirror of
   ``v2026.10`` a view ``v2026.10.0`` is that release.
5. Any other view is the stack of its name: of the newest release that is a view of the same mirror,
   else of the mirror's tag.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from etl.errors import UsageError
from etl.page_format.names import is_name, is_tag
from etl.sources.build_caches.places import Index
from etl.sources.selection import Selection
from etl.spack.versions import sort_key

ROOT = "root"
"""The stack that is a tag's own top-level build cache."""

_TAG = re.compile(r"develop|develop-\d{4}-\d\d-\d\d|v\d[\w.+-]{0,60}", re.ASCII)
_SNAPSHOT = re.compile(r"develop-\d{4}-\d\d-\d\d", re.ASCII)
_STACKS = "stacks/"
"""What the names of views of stacks may begin with."""


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
    raise UsageError(
        f"{path}: an index does not say whose it is; name its tag and its stack with"
        " --as TAG/STACK (the top-level build cache of a tag is the stack root)"
    )


def with_views(indexes: Iterable[Index]) -> Iterator[Index]:
    """The indexes of mirrors whose owners are known, those of views with owners of their own."""
    for _, group in groupby(indexes, key=lambda index: index.mirror):
        of_mirror = list(group)
        releases = [it.view for it in of_mirror if _is_release_of(it.view, it.tag)]
        newest = max(releases, key=sort_key, default=None)
        for index in of_mirror:
            if not index.view:
                yield index
            elif index.view in releases or _is_snapshot_of(index.view, index.tag):
                yield replace(index, tag=index.view)
            else:
                yield replace(index, tag=newest or index.tag, stack=stack_of(index.view))


def stack_of(view: str) -> str:
    """The name of the stack that a view is of; views may lie in folders, stacks have one name."""
    return view.removeprefix(_STACKS).replace("/", "-")


def _is_release_of(view: str, tag: str) -> bool:
    """``v2026.10.0`` is a release of ``v2026.10``, and of nothing else."""
    return bool(view) and looks_like_tag(view) and (view == tag or view.startswith(f"{tag}."))


def _is_snapshot_of(view: str, tag: str) -> bool:
    return tag == "develop" and _SNAPSHOT.fullmatch(view) is not None
