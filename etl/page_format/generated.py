"""Pages exactly as the generator writes them today, taken apart by one pattern.

Nearly all pages are such.  What the pattern finds is put back into the form that it was made from:
if that gives the text of the page, and each value is written as JSON writes it, the page is known
to be in its style byte for byte, without being decoded and rendered.  Every other page, and every
page with something odd on it, is left to the readers of JSON and YAML, which also say what is
wrong with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from itertools import repeat
from typing import Generic, NamedTuple, TypeVar

from etl.page_format.front_matter import MAX_PAGE_BYTES
from etl.page_format.names import is_name, is_tag
from etl.page_format.render import render_meta
from etl.page_format.style import guess_style
from etl.page_style import PageStyle
from etl.records import Spec, spec_of
from etl.spack.compilers import modern_name, old_name

T = TypeVar("T")

_PAGE = re.compile(
    r'---\ntitle: "(.*)"\nlayout: cache\ncategories: \[package, (.*)\]\n'
    r"meta: (\{.*\})\nspec_details: \[(.*)\]\n---"
)
_FORM = (
    '{"compiler": "%s", "hash": "%s", "os": "%s", "platform": "%s", "size": %s, "stacks": [%s],'
    ' "target": "%s", "variants": [%s], "versions": ["%s"]}'
)
_TEXT, _LIST = r'([^"]*)', r"([^\]]*)"
_VALUES = (_TEXT, "([a-z2-7]{32})", _TEXT, _TEXT, '("-"|[0-9]+)', _LIST, _TEXT, _LIST, _TEXT)
_ITEM = re.compile(re.escape(_FORM) % _VALUES)
_STEP = len(_VALUES) + 1
"""What lies between two items when they are split: the values of one, and what is between them."""

_NO_SIZE = '"-"'


class GeneratedPage(NamedTuple):
    """What such a page says; the fields are those of :class:`~etl.records.Page`."""

    tag: str
    package: str
    style: PageStyle
    specs: tuple[Spec, ...]
    stacks: tuple[tuple[str, ...], ...]


class _OddError(Exception):
    """Something that the generator does not write."""


class _Known(dict[str, T], Generic[T]):
    """Values by the JSON that stands for them on pages; each is checked, and kept, once."""

    def __init__(self, read: Callable[[str], T]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, written: str) -> T:
        value = self[written] = self._read(written)
        return value


class GeneratedPages:
    """Reads such pages; values that recur on many of them are kept once."""

    def __init__(self) -> None:
        self._texts = _Known(_text)
        self._variants = _Known(_texts)
        self._stacks = _Known(_stacks)
        self._of_style = cache(_OfStyle)

    def read(self, data: bytes) -> GeneratedPage | None:
        """The page; None where it is not exactly as the generator writes it."""
        try:
            return self._read(data)
        except (_OddError, UnicodeDecodeError):
            return None

    def _read(self, data: bytes) -> GeneratedPage | None:
        if len(data) > MAX_PAGE_BYTES:
            return None
        found = _PAGE.fullmatch(data.decode("ascii"))
        if found is None:
            return None
        package, tag, meta, details = found.groups()
        # Split, so that values come by column: none is looked at one by one in Python.
        parts = _ITEM.split(details)
        between = parts[::_STEP]
        if between != ["", *[", "] * (len(between) - 2), ""]:
            return None
        if not is_name(package) or not is_tag(tag):
            return None
        compilers, hashes, oss, platforms, sizes, in_stacks, targets, variants, versions = (
            parts[column::_STEP] for column in range(1, _STEP)
        )
        if len(set(hashes)) < len(hashes):
            return None
        first = {"compiler": compilers[0], "size": sizes[0].strip('"')}
        style = guess_style([first], details)
        known, texts = self._of_style(style), self._texts
        # Lists need no other notation: where any has the operator := the style is that of today.
        rows = zip(
            hashes,
            repeat(package),
            map(texts.__getitem__, versions),
            map(known.compilers.__getitem__, compilers),
            map(texts.__getitem__, oss),
            map(texts.__getitem__, platforms),
            map(texts.__getitem__, targets),
            map(self._variants.__getitem__, variants),
            map(known.sizes.__getitem__, sizes),
            repeat(None),
        )
        specs = tuple(map(spec_of, rows))
        stacks = tuple(map(self._stacks.__getitem__, in_stacks))
        if meta != render_meta(
            style,
            stacks,
            versions=versions,
            compilers=compilers,
            oss=oss,
            platforms=platforms,
            targets=targets,
        ):
            return None
        return GeneratedPage(tag, package, style, specs, stacks)


class _OfStyle:
    """The values whose notation depends on the style of the page."""

    def __init__(self, style: PageStyle) -> None:
        self._style = style
        self.compilers = _Known(self._compiler)
        self.sizes = _Known(self._size)

    def _compiler(self, written: str) -> str:
        name = modern_name(_text(written))
        if (old_name(name) if self._style.exact_compilers else name) != written:
            raise _OddError
        return name

    def _size(self, written: str) -> int | None:
        if written == _NO_SIZE:
            return None
        size = int(written) if len(written) < 20 else 2**63
        if not self._style.sizes or size >= 2**63 or str(size) != written:
            raise _OddError
        return size


def _text(written: str) -> str:
    """A text that stands on the page as it is: ASCII, of which JSON escapes nothing."""
    if not written or "\\" in written or not written.isprintable():
        raise _OddError
    return written


def _texts(written: str) -> tuple[str, ...]:
    """A list of texts; they may be escaped, if as the generator does it."""
    if written[:1] == '"' == written[-1:] and "\\" not in written and written.isprintable():
        plain = written[1:-1].split('", "')
        if all(plain) and not any('"' in it for it in plain):
            return tuple(plain)
    try:
        values = json.loads(f"[{written}]")
    except ValueError:
        raise _OddError from None
    if not all(isinstance(it, str) and it and it.isprintable() for it in values):
        raise _OddError
    if json.dumps(values) != f"[{written}]":
        raise _OddError
    return tuple(values)


def _stacks(written: str) -> tuple[str, ...]:
    """A list of different names."""
    stacks = _texts(written)
    if not all(map(is_name, stacks)) or len(set(stacks)) < len(stacks):
        raise _OddError
    return stacks
