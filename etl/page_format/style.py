"""The ways in which cache.spack.io's generator has written pages over the years.

A page is its facts plus a style.  The three eras below are described, with the dates at which
they changed, in ``docs/formats.md``; a style also holds what a checkout may do to a page, such as
the line endings that git writes on Windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

from etl.page_style import ListOperator, PageStyle
from etl.records import BOM

META_KEYS = (
    "versions", "compilers", "oss", "platforms", "targets", "stacks",
    "num_specs", "num_specs_by_stack",
)  # fmt: skip
ITEM_KEYS = (
    "hash", "compiler", "versions", "os", "platform", "target", "variants", "stacks",
    "size", "tarball",
)  # fmt: skip


SORTED_META_KEYS = tuple(sorted(META_KEYS))
SORTED_ITEM_KEYS = tuple(sorted(set(ITEM_KEYS) - {"tarball"}))

WITH_TARBALLS = PageStyle(META_KEYS, ITEM_KEYS, True, "=", counts_as_they_come=True)
EXACT_COMPILERS = PageStyle(SORTED_META_KEYS, SORTED_ITEM_KEYS, True, "=")
TODAY = PageStyle(SORTED_META_KEYS, SORTED_ITEM_KEYS, False, ":=")


def guess_style(items: Sequence[Mapping[str, object]], text: str) -> PageStyle:
    """The style that a page with these items most likely has; cheap, and sometimes wrong.

    ``text`` is the page's ``spec_details`` as it stands there.  The guess is proved by rendering
    the page in that style; :func:`read_style` is for pages that come out otherwise.
    """
    first = items[0] if items else {}
    sizes = first.get("size", "-") != "-"
    if "tarball" in first:
        return _with_tarballs(_tarball_mirror(first), sizes)
    return _plain(_is_exact(first), ":=" if ":=" in text else "=", sizes)


@lru_cache
def _with_tarballs(mirror: str | None, sizes: bool) -> PageStyle:
    return replace(WITH_TARBALLS, mirror=mirror, sizes=sizes)


@lru_cache
def _plain(exact_compilers: bool, list_operator: ListOperator, sizes: bool) -> PageStyle:
    return replace(TODAY, exact_compilers=exact_compilers, list_operator=list_operator, sizes=sizes)


def read_style(
    meta: Mapping[str, object], items: Sequence[Mapping[str, object]], page: bytes, guess: PageStyle
) -> PageStyle:
    """The style of a page, looked up in all of it instead of guessed."""
    counts = meta.get("num_specs_by_stack")
    body, mark, end = page.rpartition(b"---")
    return replace(
        guess,
        meta_keys=tuple(meta),
        item_keys=tuple(items[0]) if items else guess.item_keys,
        exact_compilers=any(map(_is_exact, items)),
        counts_as_they_come=isinstance(counts, Mapping) and list(counts) != sorted(counts),
        sizes=any(item.get("size", "-") != "-" for item in items),
        newline="\r\n" if b"\r\n" in body else "\n",
        bom=page.startswith(BOM),
        end=end.decode() if mark and end in (b"\n", b"\r\n") else "",
    )


def _is_exact(item: Mapping[str, object]) -> bool:
    """Whether the item's compiler has the notation ``gcc@=11.4.0``."""
    compiler = item.get("compiler")
    return isinstance(compiler, str) and "@=" in compiler


def _tarball_mirror(item: Mapping[str, object]) -> str | None:
    """The address before ``/build_cache/`` in the item's ``tarball``."""
    tarball = item["tarball"]
    address, separator, _ = (tarball if isinstance(tarball, str) else "").partition("/build_cache/")
    return address if separator else None
