"""The words of a spec, and the error that points at one of them.

The words are those of Spack 1.1.0 (``SpecTokens`` in ``spec_parser.py``), tried in the same order
at each place.  Every pattern reads its word in time linear in what it looks at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from etl.errors import UsageError

#: A longer text, or one of more words and list items, is refused before it can cost anything.
MAX_LENGTH = 10_000
MAX_WORDS = 500

Span = tuple[int, int]

_SHOWN = 76

_ID = r"[A-Za-z0-9_][A-Za-z0-9_\-]*"
_DOTTED = rf"{_ID}(?:\.{_ID})*"
_NAME = r"[A-Za-z0-9_][A-Za-z0-9_\-.]*"
_ASSIGNMENT = rf"{_ID}(?:,{_ID})*={_DOTTED}"
_VERSION = r"=?[A-Za-z0-9_][A-Za-z0-9_\-.]*\b"
_UPPER_END = rf":(?:{_VERSION}(?!\s*=))?"
_VERSIONS = rf"(?:{_VERSION}(?:{_UPPER_END})?|{_UPPER_END})"
_SINGLE_QUOTED = r"'(?:[^'\\]|\\'|\\(?!'))*'"
_DOUBLE_QUOTED = r'"(?:[^"\\]|\\"|\\(?!"))*"'
_VALUE = rf"[A-Za-z0-9_\-+*.,:=%^~/\\]+|{_SINGLE_QUOTED}|{_DOUBLE_QUOTED}"

_TOKENS = {
    "edge_open": r"(?:\^|%%?)\[",
    "edge_close": rf"\](?:\s*{_ASSIGNMENT})?",
    "edge": rf"(?:\^|%%?)(?:\s*{_ASSIGNMENT})?",
    "git_version": rf"@(?:git\.[A-Za-z0-9_][A-Za-z0-9_\-./]*|[A-Fa-f0-9]{{40}})(?:={_VERSION})?",
    "version": rf"@\s*{_VERSIONS}(?:\s*,\s*{_VERSIONS})*",
    "boolean": rf"(?P<sigil>\+\+|~~|--|[+~\-])\s*(?P<flag>{_NAME})",
    "pair": rf"(?P<key>{_NAME})(?P<operator>:?==?)(?P<value>{_VALUE})",
    "name": rf"{_DOTTED}|\*",
    "hash": r"/[A-Za-z0-9_]+",
    "blank": r"\s+",
}
_TOKEN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _TOKENS.items()))

_END = re.compile("")
_IDENTIFIER = re.compile(_ID)
_FILE_RUN = re.compile(r"[A-Za-z0-9_\-./]*")
_FILE_START = re.compile(r"\.|[A-Za-z0-9_\-]*/")
_QUOTE = re.compile(rf":?==?(?={_SINGLE_QUOTED}|{_DOUBLE_QUOTED}|(?P<open>['\"]))")


class SpecSyntaxError(UsageError):
    """A spec that cannot be read, or that asks for what a catalog cannot answer.

    ``span`` is the place in ``source``; printed, the error shows the source with the place
    underlined.
    """

    def __init__(self, message: str, source: str, span: Span) -> None:
        super().__init__(message)
        self.message = message
        self.source = source
        self.span = span

    def __str__(self) -> str:
        start, end = self.span
        left = max(0, min(start - _SHOWN // 2, len(self.source) - _SHOWN))
        right = left + _SHOWN
        text = "".join(c if c.isprintable() else " " for c in self.source[left:right])
        before = "..." if left else ""
        after = "..." if right < len(self.source) else ""
        marks = "~" * (min(end, right) - start - 1) + "^"
        indent = " " * (len(before) + start - left)
        return f"{self.message}\n    {before}{text}{after}\n    {indent}{marks}"


class Token(NamedTuple):
    """One word: what kind it is, its text, where it begins, and its match for the parts of it."""

    kind: str
    text: str
    start: int
    match: re.Match[str]

    @property
    def span(self) -> Span:
        """Where the word is in the source."""
        return self.start, self.start + len(self.text)


def is_identifier(text: str) -> bool:
    """Whether a text can name a package or a virtual."""
    return _IDENTIFIER.fullmatch(text) is not None


def tokenize(source: str) -> list[Token]:
    """Split a text of specs into words, without the blanks between them; the last is an ``end``.

    Raises:
        SpecSyntaxError: the text is too long, or something in it is no word of a spec.
    """
    if len(source) > MAX_LENGTH:
        raise SpecSyntaxError(
            f"a spec has at most {MAX_LENGTH} characters, this text {len(source)}",
            source,
            (MAX_LENGTH, len(source)),
        )
    tokens = list(islice(_tokens(source), MAX_WORDS + 1))
    if len(tokens) + source.count(",") > MAX_WORDS:
        raise SpecSyntaxError(
            f"a text of specs has at most {MAX_WORDS} words and list items",
            source,
            (0, len(source)),
        )
    end = _END.match(source, len(source))
    assert end
    return [*tokens, Token("end", "", len(source), end)]


def _tokens(source: str) -> Iterator[Token]:
    position = run_end = 0
    maybe_file = ".json" in source or ".yaml" in source
    while position < len(source):
        match = _TOKEN.match(source, position)
        kind = match.lastgroup if match else None
        if maybe_file and kind in ("name", "hash", None):
            if position >= run_end:
                run_end = _FILE_RUN.match(source, position).end()  # type: ignore[union-attr]
            _refuse_file(source, position, run_end)
        if match is None or kind is None:
            raise _unexpected(source, position)
        if kind != "blank":
            yield Token(kind, match.group(), position, match)
        position = match.end()


def _refuse_file(source: str, start: int, run_end: int) -> None:
    """Spack reads a spec from a file where a path ends in ``.json`` or ``.yaml``; we do not."""
    prefix = _FILE_START.match(source, start)
    if prefix is None:
        return
    end = max(source.rfind(suffix, prefix.end(), run_end) for suffix in (".json", ".yaml"))
    if end != -1:
        raise SpecSyntaxError(
            "a file name cannot stand for a spec here; give its /hash", source, (start, end + 5)
        )


def _unexpected(source: str, position: int) -> SpecSyntaxError:
    """The error for a character that begins no word."""
    character = source[position]
    end = position + 1
    if character == "@":
        message = "expected a version after '@', as in @1.14, @1.2:1.4 or @=1.14"
    elif character in "+~-":
        message = f"expected the name of a variant after '{character}'"
    elif character == "/":
        message = "expected a hash after '/'"
    elif character in "'\"":
        message = "a quoted value must follow a name and '=', as in cflags='-O2 -g'"
    elif character in "=:":
        quote = _QUOTE.match(source, position)
        if quote and quote["open"]:
            return SpecSyntaxError("the quote is not closed", source, (quote.end(), len(source)))
        message = f"expected a name before '{character}' and a value after it"
    else:
        message = f"unexpected {character!r}"
    return SpecSyntaxError(message, source, (position, end))
