"""Walks through a large JSON text and decodes one value at a time.

Decoded whole, an index of 100 MB takes 600 MB of memory; walked through, little more than itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_BLANK = re.compile(r"[ \t\n\r]*")


class JsonCursor:
    """A place in a JSON text; every method moves it on, and raises ``json.JSONDecodeError``.

    The one who walks through :meth:`members` takes each value, or walks through it, before asking
    for the next.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._decode = json.JSONDecoder().raw_decode
        self._skip_blanks()

    def value(self) -> object:
        """Decode the value that begins here."""
        value, self._at = self._decode(self._text, self._at)
        self._skip_blanks()
        return value

    def at_object(self) -> bool:
        """Whether an object begins here, so that one can walk through its :meth:`members`."""
        return self._text.startswith("{", self._at)

    def members(self) -> Iterator[str]:
        """The keys of the object that begins here; each leaves the cursor at its value."""
        self._take("{")
        if self._takes("}"):
            return
        while True:
            if not self._text.startswith('"', self._at):
                raise json.JSONDecodeError("Expecting a key", self._text, self._at)
            key, self._at = self._decode(self._text, self._at)
            self._skip_blanks()
            self._take(":")
            yield key
            if not self._takes(","):
                break
        self._take("}")

    def end(self) -> None:
        """See that nothing comes any more."""
        if self._at < len(self._text):
            raise json.JSONDecodeError("Extra data", self._text, self._at)

    def _take(self, character: str) -> None:
        if not self._takes(character):
            raise json.JSONDecodeError(f"Expecting {character!r}", self._text, self._at)

    def _takes(self, character: str) -> bool:
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        self._skip_blanks()
        return True

    def _skip_blanks(self) -> None:
        # Spack writes none, so that looking at one character is mostly enough.
        if self._text[self._at : self._at + 1] in (" ", "\n", "\t", "\r"):
            self._at = _BLANK.match(self._text, self._at).end()  # type: ignore[union-attr]
