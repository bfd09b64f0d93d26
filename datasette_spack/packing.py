"""Which answers are sent as gzip, and to whom; each form of an answer has a tag of its own.

Only gzip: Python has zstd from 3.14 on, and what it saves over gzip is not worth a dependency.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

SMALLEST: Final = 500
"""Bytes of the smallest answer that is packed; a smaller one fits one packet as it is."""

_LEVEL = 5
"""It takes two thirds of the time of the usual 6, and of a page hardly a hundredth more bytes."""
_PAYS = 0.9
"""What is not made smaller than this share of itself is left as it is."""

_TEXT = re.compile(
    rb"text/|image/svg\+xml|application/(?:json|javascript|xml|(?:[\w.-]+\+)(?:xml|json))"
)
_SUFFIX = ".gzip"
_CODING = re.compile(
    r"\s*([\w!#$%&'*+.^`|~-]+)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?", re.I
)

_FOR_EACH = 3_000
"""Bytes that an answer takes besides its body, for its headers and its place."""

Send = Callable[[Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


def takes_gzip(accept_encoding: str) -> bool:
    """Whether who sends this ``Accept-Encoding`` can read gzip, and likes it no less than text.

    What cannot be read is taken for a refusal: text as it is can be read by everybody.
    """
    liked: dict[str, float] = {}
    for part in accept_encoding.split(","):
        if found := _CODING.fullmatch(part):
            liked[found[1].lower()] = float(found[2] or 1)
    packed = liked.get("gzip", liked.get("x-gzip", liked.get("*", 0.0)))
    return packed > 0 and packed >= liked.get("identity", 0.0)


def packed_tag(tag: str) -> str:
    """The ``ETag`` of the packed form of what has this tag."""
    return f'{tag[:-1]}{_SUFFIX}"'


def packed(body: bytes, headers: Headers) -> bytes | None:
    """A body as gzip, the same for the same body; None where that does not pay."""
    kind = dict(headers).get(b"content-type", b"")
    if len(body) < SMALLEST or not _TEXT.match(kind) or b"content-encoding" in dict(headers):
        return None
    content = gzip.compress(body, _LEVEL, mtime=0)
    return content if len(content) < _PAYS * len(body) else None


def unpacked(content: bytes) -> bytes:
    """What :func:`packed` was given."""
    return gzip.decompress(content)


def sized(start: Any, length: int, *, gzip: bool = False) -> Any:
    """The start of an answer whose body, in this form, has this length."""
    headers: Headers = [it for it in start["headers"] if it[0] != b"content-length"]
    if gzip:
        headers = [_with_packed_tag(it) for it in headers]
        headers.append((b"content-encoding", b"gzip"))
    return {**start, "headers": [*headers, (b"content-length", str(length).encode())]}


def _with_packed_tag(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    name, value = header
    return (name, packed_tag(value.decode()).encode()) if name == b"etag" else header


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; its body is gzip where there is a start for that."""

    body: bytes
    plain: Any
    gzip: Any | None

    @classmethod
    def of(cls, start: Any, body: bytes) -> Answer:
        """The answer that begins with these headers; packed where that pays."""
        start = {**start, "headers": [(name.lower(), value) for name, value in start["headers"]]}
        content = packed(body, start["headers"])
        plain = sized(start, len(body))
        if content is None:
            return cls(body, plain, None)
        return cls(content, plain, sized(start, len(content), gzip=True))

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        return len(self.body) + _FOR_EACH

    async def send_to(self, send: Send, *, head: bool, gzip: bool) -> None:
        """Send it, as gzip if that is kept and can be read; of a HEAD only the start."""
        await send(self.gzip if gzip and self.gzip else self.plain)
        body = b""
        if not head:
            body = self.body if gzip or not self.gzip else unpacked(self.body)
        await send({"type": "http.response.body", "body": body})
