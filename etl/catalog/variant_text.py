"""A list of variants as one text, blank-separated as Spack prints it, and back."""

from __future__ import annotations

from collections.abc import Iterable


def join_variants(variants: Iterable[str]) -> str:
    """The variants as one text."""
    return " ".join(variants)


def split_variants(text: str) -> tuple[str, ...]:
    """The variants in such a text; blanks inside quotes do not separate.

    This undoes :func:`join_variants` for all that Spack prints.  A list for which it does not,
    such as one with a lone quote in a value, has to be kept in another way.
    """
    if "'" not in text and '"' not in text:
        return tuple(text.split(" ")) if text else ()
    variants: list[str] = []
    start, quote, escaped = 0, "", False
    for place, letter in enumerate(text):
        if escaped:
            escaped = False
        elif quote:
            escaped = letter == "\\"
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter == " ":
            variants.append(text[start:place])
            start = place + 1
    return (*variants, text[start:])
