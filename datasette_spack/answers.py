"""What a server has answered, kept while its catalog is the one that is served.

The answer to an address does not change before the catalog is replaced, and then nothing of this is
left but the addresses that were asked for most, which the next one can make ready.  An answer that
packs well is kept as gzip alone, and unpacked for the few who cannot read that.  What is kept is
bounded in bytes, and what was asked for longest ago goes first.  An address that many ask for at
once is answered once: the others wait for that answer.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from datasette_spack.packing import Answer, Send
from datasette_spack.shared import SharedAnswers

MOST_BYTES: Final = 64_000_000
"""Bytes of answers that are kept, in the form in which they are."""

LARGEST: Final = 2_000_000
"""Bytes of the largest answer that is kept; larger ones are sent as they are made."""

AHEAD: Final = "spack_catalog.ahead"
"""The part of a request that says that nobody waits for the answer yet."""

Make = Callable[[Send], Awaitable[None]]
Use = Literal["keep", "share"]
"""For all who ask from now on, or only for those who ask while the answer is being made."""


class Answers:
    """Answers by a key that tells all they depend on."""

    def __init__(
        self,
        most_bytes: int = MOST_BYTES,
        largest: int = LARGEST,
        shared: SharedAnswers | None = None,
    ) -> None:
        self._shared = shared
        self._most_bytes = most_bytes
        self._largest = largest
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._being_made: dict[str, asyncio.Future[Answer | None]] = {}
        self._asked: dict[str, _Asked] = {}
        self.bytes = 0
        """Bytes that are kept."""

    async def give(
        self,
        key: str,
        make: Make,
        send: Send,
        *,
        head: bool = False,
        gzip: bool = False,
        address: Any = None,
        ahead: bool = False,
    ) -> None:
        """Send the answer for a key; ``make`` sends it where it is not kept.

        ``address`` is how to ask for it elsewhere; it is remembered as long as the answer is kept.
        What ``make`` marks in the start of its answer, and what is not too large, is kept or
        shared; whoever waited for one that is neither has it made anew.  With ``ahead`` nobody
        waits for it yet: what another worker makes now is left to that one.
        """
        answer = self._kept.get(key)
        if answer:
            self._kept.move_to_end(key)
            self._asked[key].again += 1
        elif running := self._being_made.get(key):
            answer = await asyncio.shield(running)
        elif self._shared and (answer := self._shared.get(key)):
            self._keep(key, answer, address)
        elif ahead and self._shared and self._shared.is_claimed(key):
            return
        if not answer:
            onward = _without_body(send) if head else send
            answer = await self._make(key, make, onward, address)
        if answer:
            await answer.send_to(send, head=head, gzip=gzip)

    def popular(self, most: int) -> list[Any]:
        """The addresses that were asked for again, the most often first, and at most so many."""
        again = [it for it in self._asked.values() if it.again]
        return [it.address for it in sorted(again, key=lambda it: -it.again)[:most]]

    async def _make(self, key: str, make: Make, send: Send, address: Any) -> Answer | None:
        """The answer that is made; None where it has been sent, because it is for one only."""
        shared = self._shared
        gathered = _Gathered(send, self._largest, lambda: shared.release(key) if shared else None)
        if key in self._being_made:  # whoever else waited for what is not shared
            await make(gathered.send)
            return await gathered.end()
        done: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._being_made[key] = done
        answer = None
        try:
            if shared and (answer := await shared.claim(key)):
                self._keep(key, answer, address)
                return answer
            try:
                await make(gathered.send)
                answer = await gathered.end()
                if answer and gathered.use == "keep":
                    self._keep(key, answer, address)
                    if shared and key in self._kept:
                        shared.put(key, answer)
            finally:
                gathered.not_for_others()
        finally:
            del self._being_made[key]
            done.set_result(answer)
        return answer

    def _keep(self, key: str, answer: Answer, address: Any) -> None:
        self._kept[key] = answer
        self._asked[key] = _Asked(address)
        self.bytes += answer.size
        while self.bytes > self._most_bytes:
            oldest, dropped = self._kept.popitem(last=False)
            del self._asked[oldest]
            if self._shared:
                self._shared.drop(oldest)
            self.bytes -= dropped.size

    def clear(self) -> None:
        """Forget all that is kept; what is still being made is kept no more."""
        self._most_bytes = 0
        self._kept.clear()
        self._asked.clear()
        self.bytes = 0
        if self._shared:
            self._shared.clear()


@dataclass(slots=True)
class _Asked:
    """How to ask for an answer elsewhere, and how often it was asked for again."""

    address: Any
    again: int = 0


@dataclass(slots=True)
class _Gathered:
    """Gathers an answer that is for several; passes on what is not, as it is made, and says so."""

    onward: Send
    largest: int
    not_for_others: Callable[[], None]
    use: Use | None = None
    start: Any = None
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    whole: bool = False

    async def send(self, message: Any) -> None:
        """Take a message of the answer."""
        if message["type"] == "http.response.start":
            self.use, message = _without_mark(message)
            if self.use:
                self.start = message
                return
            self.not_for_others()
        elif self.use:
            self.parts.append(message.get("body", b""))
            self.size += len(self.parts[-1])
            self.whole = not message.get("more_body", False)
            if self.size > self.largest:
                await self._pass_on()
            return
        await self.onward(message)

    async def end(self) -> Answer | None:
        """The answer, if it is for several and whole; in a thread it is packed."""
        if self.use and self.whole:
            return await asyncio.to_thread(Answer.of, self.start, b"".join(self.parts))
        if self.use:
            await self._pass_on()
        return None

    async def _pass_on(self) -> None:
        self.use = None
        self.not_for_others()
        await self.onward(self.start)
        body, self.parts = b"".join(self.parts), []
        more = not self.whole
        await self.onward({"type": "http.response.body", "body": body, "more_body": more})


_MARK = "spack_catalog.use"


def marked(start: Any, use: Use) -> Any:
    """The start of an answer that is for several."""
    return {**start, _MARK: use}


def _without_mark(message: Any) -> tuple[Use | None, Any]:
    use = message.get(_MARK)
    return use, {name: value for name, value in message.items() if name != _MARK}


def _without_body(send: Send) -> Send:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return sending
