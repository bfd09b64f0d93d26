"""Causes of rebuilds in words, for the terminal and the pages."""

from __future__ import annotations

from collections.abc import Iterable

from etl.compare.graph import Cause


def cause_in_words(cause: Cause, purposes: Iterable[str] = ()) -> str:
    """A cause as a phrase: ``cmake 3.31.6 → 3.31.8 (build)``, ``the recipe of m4``."""
    what = ", ".join(purposes)
    return f"{_phrase(cause)} ({what})" if what else _phrase(cause)


def _phrase(cause: Cause) -> str:
    old, new = (_shown(cause, it) for it in (cause.old, cause.new))
    if cause.kind == "recipe":
        return f"the recipe of {cause.package}"
    if cause.kind == "patches":
        return f"the order of the patches of {cause.package}"
    if cause.kind == "unknown":
        return f"{cause.package}, of which only the hash differs"
    if cause.kind == "added":
        return f"{cause.package} {new} as a new dependency".replace("  ", " ")
    if cause.kind == "removed":
        return f"{cause.package} {old}, no longer a dependency".replace(" ,", ",")
    if cause.kind == "edge":
        return f"{cause.package} for {old} → {new}"
    kinds = {"version": "", "replaced": "provider of "}
    word = kinds.get(cause.kind, f"{cause.kind} of ")
    return f"{word}{cause.package} {old or 'none'} → {new or 'none'}"


def _shown(cause: Cause, text: str | None) -> str:
    """A side of a cause; sums of patches are cut, as Spack prints them."""
    if cause.kind == "variants" and text and "patches" in text:
        return " ".join(
            f"patches:={','.join(sum_[:7] for sum_ in it.removeprefix('patches:=').split(','))}"
            if it.startswith("patches:=")
            else it
            for it in text.split(" ")
        )
    return text or ""
