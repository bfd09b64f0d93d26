"""Bytes from strangers become JSON values: unpacked within bounds, and never a traceback."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from etl.errors import SourceError
from etl.sources.files import MAX_UNPACKED_FREE, MAX_UNPACKED_RATIO
from etl.text import printable

MAX_INDEX_BYTES = 1 << 29
"""An index may have this many bytes, unpacked; the largest, of 60,000 specs, has a fifth of it."""

GZIP_MAGIC = b"\x1f\x8b"

_BLOCK = 1 << 20


def shown(text: str, length: int = 80) -> str:
    """A stranger's text as part of a message: short, on one line, and fit for UTF-8."""
    return printable(text[:length])


def decode_json(data: bytes, place: str) -> object:
    """The value of a JSON text in UTF-8.

    Raises:
        SourceError: it is something else, such as the HTML of an error page, or ends too early.
    """
    text = decode_text(data, place)
    with json_errors(place):
        return json.loads(text)


def decode_text(data: bytes, place: str) -> str:
    """What should be a JSON text, as text.

    Raises:
        SourceError: it is not UTF-8, or it is HTML.
    """
    if data[:1024].lstrip()[:1] == b"<":
        raise SourceError(
            place, "HTML or XML instead of JSON; the address is that of a web page, or an error"
        )
    if not data.strip():
        raise SourceError(place, "not JSON: the file is empty; fetch it again")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(place, f"not JSON: byte {error.start:,} is not UTF-8") from None


@contextmanager
def json_errors(place: str) -> Iterator[None]:
    """What Python's JSON decoder raises inside becomes a ``SourceError`` at ``place``."""
    try:
        yield
    except json.JSONDecodeError as error:
        cut = ", where it is cut off" if error.pos >= len(error.doc.rstrip()) - 1 else ""
        raise SourceError(
            place, f"not JSON: {error.msg} at character {error.pos:,}{cut}; fetch it again"
        ) from None
    except RecursionError:
        raise SourceError(place, "not read: its values are nested too deeply") from None
    except ValueError:  # Python does not convert integers of more than 4,300 digits
        raise SourceError(place, "not read: it holds a number of thousands of digits") from None


def unpack(data: bytes, place: str, limit: int = MAX_INDEX_BYTES) -> bytes:
    """The content of a gzip file; what is not gzip comes back as it is.

    Raises:
        SourceError: it is damaged, cut off, or unpacks to more than it should.
    """
    if data[:2] != GZIP_MAGIC:
        return data
    gunzip = Gunzip(place, limit)
    blocks = [gunzip.feed(data[start : start + _BLOCK]) for start in range(0, len(data), _BLOCK)]
    gunzip.close()
    return b"".join(blocks)


class Gunzip:
    """Unpacks gzip as it comes, and stops where it unpacks to far more than it weighs."""

    def __init__(self, place: str, limit: int) -> None:
        self._place = place
        self._limit = limit
        self._packed = 0
        self._unpacked = 0
        self._member = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> bytes:
        """What these bytes unpack to, after those that were fed before.

        Raises:
            SourceError: they are no gzip, or unpack to too much.
        """
        blocks: list[bytes] = []
        self._packed += len(data)
        while data:
            if self._member.eof:  # a gzip file may consist of several, one after the other
                self._member = zlib.decompressobj(wbits=31)
            try:
                block = self._member.decompress(data, _BLOCK)
            except zlib.error:
                raise SourceError(self._place, "damaged: not valid gzip; fetch it again") from None
            self._unpacked += len(block)
            self._check()
            blocks.append(block)
            data = self._member.unconsumed_tail or self._member.unused_data
        return b"".join(blocks)

    def close(self) -> None:
        """Say that no more comes.

        Raises:
            SourceError: more should have come.
        """
        if not self._member.eof:
            raise SourceError(self._place, "cut off: the gzip data ends too early; fetch it again")

    def _check(self) -> None:
        ratio_limit = max(MAX_UNPACKED_FREE, self._packed * MAX_UNPACKED_RATIO)
        if self._unpacked > min(self._limit, ratio_limit):
            raise SourceError(
                self._place,
                f"{self._packed:,} bytes unpack to more than {self._unpacked - 1:,};"
                " not read any further",
            )
