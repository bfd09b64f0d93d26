"""Answers that the workers of a server share: what one has made, the others need not make.

They lie as files in a folder that only the server's user may enter.  Whoever wrote one removes it
when it keeps the answer no more, so that all of them together are bounded as what is kept is.
While one makes an answer, it has claimed it, and the others may wait for it.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from datasette_spack.packing import Answer

CLAIM_SECONDS: Final = 2.0
"""So long one waits for an answer that another worker makes; then he makes it, too."""

_LOOK_EVERY = 0.01


class SharedAnswers:
    """The answers in a folder, by keys that tell all that they depend on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mine: set[str] = set()

    def get(self, key: str) -> Answer | None:
        """The answer for a key, if one of the workers has it."""
        try:
            head, _, body = self._place(key).read_bytes().partition(b"\n")
        except OSError:
            return None
        plain, gzip = json.loads(head)
        return Answer(body, _start(plain), _start(gzip) if gzip else None)

    async def claim(self, key: str, patience: float = CLAIM_SECONDS) -> Answer | None:
        """Wait for the answer while another worker makes it; None if this one is to make it.

        Whoever is given None calls :meth:`release` when he has made it, or has not.
        """
        end = time.monotonic() + patience
        claim = self._claim(key)
        while True:
            try:
                claim.touch(exist_ok=False)
                return None
            except FileExistsError:
                pass
            except OSError:  # no room, or no folder: each makes its own
                return None
            if time.monotonic() > end:
                return None
            await asyncio.sleep(_LOOK_EVERY)
            if answer := self.get(key):
                return answer

    def is_claimed(self, key: str) -> bool:
        """Whether a worker makes the answer now."""
        return self._claim(key).exists()

    def release(self, key: str) -> None:
        """Say that this worker makes the answer no more."""
        with suppress(OSError):
            self._claim(key).unlink()

    def put(self, key: str, answer: Answer) -> None:
        """Let the others have an answer; where there is no room for it, they have to make it."""
        head = json.dumps([_text(answer.plain), _text(answer.gzip) if answer.gzip else None])
        place = self._place(key)
        writing = place.with_suffix(f".{id(self)}")
        with suppress(OSError):
            writing.write_bytes(head.encode() + b"\n" + answer.body)
            writing.replace(place)
            self._mine.add(key)

    def drop(self, key: str) -> None:
        """Take back an answer that this worker has put there."""
        if key in self._mine:
            self._mine.discard(key)
            with suppress(OSError):
                self._place(key).unlink()

    def clear(self) -> None:
        """Take back all that this worker has put there."""
        for key in [*self._mine]:
            self.drop(key)

    def _claim(self, key: str) -> Path:
        return self._place(key).with_suffix(".claim")

    def _place(self, key: str) -> Path:
        return self._folder / sha256(key.encode()).hexdigest()


def _text(start: Any) -> Any:
    headers = [[part.decode("latin-1") for part in header] for header in start["headers"]]
    return {**start, "headers": headers}


def _start(text: Any) -> Any:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in text["headers"]]
    return {**text, "headers": headers}
