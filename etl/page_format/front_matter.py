"""The front matter of a page: bytes become the values of its keys.

A generated page has one-line JSON in ``meta`` and ``spec_details``, which is read with the JSON
decoder; everything else that is YAML is read as YAML.  Both give the same values: numbers are the
text that stands there, so that the version 1.10 is not 1.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from etl.page_format.yaml_text import PageError, load_yaml
from etl.records import BOM

MAX_PAGE_BYTES = 16 * 1024 * 1024
"""No page is larger; real ones are below 1 MB."""

# Looked for in the text, for YAML readers do not take the keys of these pages: whole specs.
_OLD_FORMAT = re.compile(r"category:\s*package\b|spec_(?:names|files):")

_PLAIN_CATEGORIES = re.compile(r"\[package, ([\w][\w.+/-]*)\]", re.ASCII)
_PLAIN_TITLE = re.compile(r'"([\w][\w.+-]*)"', re.ASCII)


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What a page says: package and tag where it names them, and the two long values.

    ``meta_text`` and ``details_text`` are the JSON as it stands on the page, or None on a page
    that writes these values in another way; ``meta`` is decoded by :meth:`decode_meta` only when
    asked for.
    """

    package: str | None
    tag: str | None
    details: object
    meta: object = None
    meta_text: str | None = None
    details_text: str | None = None

    def decode_meta(self) -> object:
        """The value of ``meta``; None where the page has none.

        Raises:
            PageError: it is neither JSON nor YAML.
        """
        if self.meta_text is None:
            return self.meta
        try:
            return _json(self.meta_text)
        except (ValueError, RecursionError):
            pass
        try:
            return load_yaml(self.meta_text)
        except PageError as error:
            raise PageError(f"meta: {error}") from None


def read_front_matter(page: bytes) -> FrontMatter:
    """Take a page apart.

    Raises:
        PageError: the page is too large, not text, has no front matter, is not YAML, or is of
            the format of 2021.
    """
    if len(page) > MAX_PAGE_BYTES:
        raise PageError(
            f"{len(page):,} bytes are more than a page can have ({MAX_PAGE_BYTES:,}); not read"
        )
    lines = _front_lines(_text(page))
    return _read_generated(lines) or _read_yaml(lines)


def _text(page: bytes) -> str:
    try:
        return page.removeprefix(BOM).decode()
    except UnicodeDecodeError as error:
        raise PageError(f"not UTF-8 text: byte {error.start} is {page[error.start]:#04x}") from None


def _front_lines(text: str) -> list[str]:
    """The lines between the first ``---`` and the next."""
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != "---":
        raise PageError("no front matter: a page begins with a line ---")
    for number, line in enumerate(lines[1:], start=1):
        if line.rstrip() == "---":
            return lines[1:number]
    raise PageError("the front matter has no end: a second line --- is missing")


def _read_generated(lines: list[str]) -> FrontMatter | None:
    """The values of a page written by the site's generator; None for any other page."""
    if len(lines) != 5:
        return None
    values = {}
    for line in lines:
        key, _, value = line.partition(": ")
        values[key] = value
    title = _PLAIN_TITLE.fullmatch(values.get("title", ""))
    categories = _PLAIN_CATEGORIES.fullmatch(values.get("categories", ""))
    meta, details = values.get("meta", ""), values.get("spec_details", "")
    if not (title and categories and "layout" in values):
        return None
    if not (meta.startswith("{") and details.startswith("[")):
        return None
    try:
        decoded = _json(details)
    except (ValueError, RecursionError):
        return None
    return FrontMatter(title[1], categories[1], decoded, None, meta, details)


def _read_yaml(lines: list[str]) -> FrontMatter:
    """The values of any page; those which are JSON on one line are read as that."""
    if any(map(_OLD_FORMAT.match, lines)):
        raise PageError(
            "a page of the site's 2021 format (category: package, spec_names), which lists no"
            " binaries; build from the pages below _cache/<tag>/ instead"
        )
    decoded, rest = _take_json(lines)
    values = load_yaml("\n".join(rest), first_line=2)
    if isinstance(values, Mapping) and any(values.get(key) != _TAKEN for key in decoded):
        decoded = {}  # the line was part of something else
        values = load_yaml("\n".join(lines), first_line=2)
    if not isinstance(values, Mapping):
        raise PageError("the front matter is not a mapping of keys to values")
    values = {**values, **decoded}
    if "spec_details" not in values:
        raise PageError("no spec_details: this is not a page of binaries")
    title = values.get("title")
    return FrontMatter(
        package=title if isinstance(title, str) else None,
        tag=_tag(values.get("categories")),
        details=_list_or_text(values["spec_details"], "spec_details"),
        meta=_list_or_text(values.get("meta"), "meta"),
    )


_TAKEN = "taken"


def _take_json(lines: list[str]) -> tuple[dict[str, object], list[str]]:
    """The long values that are JSON on one line, and the lines with ``_TAKEN`` in their place."""
    decoded: dict[str, object] = {}
    rest = list(lines)
    for number, line in enumerate(lines):
        key, _, value = line.partition(": ")
        if key in ("meta", "spec_details"):
            with suppress(ValueError, RecursionError):
                decoded[key] = _json(value)
                rest[number] = f"{key}: {_TAKEN}"
    return decoded, rest


def _tag(categories: object) -> str | None:
    """The tag in ``categories: [package, <tag>]``."""
    if isinstance(categories, list) and len(categories) == 2 and categories[0] == "package":
        return categories[1] if isinstance(categories[1], str) else None
    return None


def _list_or_text(value: object, key: str) -> object:
    """The value; a text, as a quoted or block scalar gives it, is decoded as JSON."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return _json(value)
        except ValueError as error:
            raise PageError(f"{key} is not JSON: {error}") from None
        except RecursionError:
            raise PageError(f"{key} is nested too deeply") from None
    return value


# Numbers stay the text that stands there, as they do when they are read as YAML.
_json = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).decode
