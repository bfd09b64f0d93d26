"""What a server has answered, kept while its catalog is the one that is served.

The answer to an address does not change before the catalog is replaced, and then nothing of this is
left.  What is kept is bounded in bytes, and what was asked for longest ago goes first.  An address
that many ask for at once is answered once: the others wait for that answer.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

MOST_BYTES: Final = 64_000_000
"""Bytes of answers that are kept."""

LARGEST: Final = 2_000_000
"""Bytes of the largest answer that is kept; larger ones are sent as they are made."""

_FOR_EACH = 1_000
"""Bytes that an answer takes besides its body, for its headers and its place."""

Send = Callable[[Any], Awaitable[None]]
Make = Callable[[Send], Awaitable[None]]


@dataclass(slots=True)
class Answer:
    """The messages of an answer that is whole."""

    start: Any
    body: bytes

    async def send_to(self, send: Send, *, head: bool = False) -> None:
        """Send it; of a HEAD only what comes before the body."""
        await send(self.start)
        await send({"type": "http.response.body", "body": b"" if head else self.body})


class Answers:
    """Answers by a key that tells all they depend on."""

    def __init__(self, most_bytes: int = MOST_BYTES, largest: int = LARGEST) -> None:
        self._most_bytes = most_bytes
        self._largest = largest
        self._bytes = 0
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._being_made: dict[str, asyncio.Future[None]] = {}

    async def give(self, key: str, method: str, make: Make, send: Send) -> None:
        """Send the answer for a key; ``make`` sends it where it is not kept.

        Only what ``make`` marks with ``keep`` in the start of its answer, and what is not too
        large, is kept; whoever waited for one that is not has it made anew.
        """
        if running := self._being_made.get(key):
            await asyncio.shield(running)
        if found := self._kept.get(key):
            self._kept.move_to_end(key)
            await found.send_to(send, head=method == "HEAD")
        elif method == "HEAD" or key in self._being_made:
            await make(_unmarked(send))
        else:
            await self._make(key, make, send)

    async def _make(self, key: str, make: Make, send: Send) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._being_made[key] = done
        gathered = _Gathered(send, self._largest)
        try:
            await make(gathered.send)
            if answer := gathered.answer:
                self._keep(key, answer)
        finally:
            del self._being_made[key]
            done.set_result(None)

    def _keep(self, key: str, answer: Answer) -> None:
        self._kept[key] = answer
        self._bytes += len(answer.body) + _FOR_EACH
        while self._bytes > self._most_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped.body) + _FOR_EACH


@dataclass(slots=True)
class _Gathered:
    """Passes an answer on, and gathers what of it is to be kept."""

    onward: Send
    largest: int
    start: Any = None
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    whole: bool = False

    async def send(self, message: Any) -> None:
        """Pass a message on."""
        message, keep = _without_mark(message)
        if message["type"] == "http.response.start" and keep:
            self.start = message
        elif message["type"] == "http.response.body" and self.start:
            self.parts.append(message.get("body", b""))
            self.size += len(self.parts[-1])
            self.whole = not message.get("more_body", False)
            if self.size > self.largest:
                self.start = None
                self.parts.clear()
        await self.onward(message)

    @property
    def answer(self) -> Answer | None:
        """The answer, if it is to be kept and is whole."""
        return Answer(self.start, b"".join(self.parts)) if self.start and self.whole else None


_MARK = "spack_catalog.keep"


def marked(start: Any) -> Any:
    """The start of an answer that is to be kept."""
    return {**start, _MARK: True}


def _without_mark(message: Any) -> tuple[Any, bool]:
    if _MARK not in message:
        return message, False
    return {name: value for name, value in message.items() if name != _MARK}, True


def _unmarked(send: Send) -> Send:
    async def sending(message: Any) -> None:
        await send(_without_mark(message)[0])

    return sending
