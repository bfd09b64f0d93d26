"""Whether an answer has all that was asked, or a time limit has cut something short.

Datasette leaves out a facet or a count that takes too long, and answers with the rest.  What is
left out one time may be there the next, so such an answer must not be kept as the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from datasette.database import QueryInterrupted


@dataclass(slots=True)
class Answer:
    """An answer while it is being made."""

    complete: bool = True


_being_made: ContextVar[Answer | None] = ContextVar("_being_made", default=None)


@contextmanager
def making_answer() -> Iterator[Answer]:
    """An answer is made within this block; a page may be made of several."""
    outer, answer = _being_made.get(), Answer()
    token = _being_made.set(answer)
    try:
        yield answer
    finally:
        _being_made.reset(token)
        if outer and not answer.complete:
            outer.complete = False


def incomplete() -> None:
    """Say that the answer being made lacks something that a time limit cut short."""
    answer = _being_made.get()
    if answer:
        answer.complete = False


class NotesInterruptions:
    """For databases: an answer is incomplete when a query of it was interrupted."""

    async def execute_fn(self, fn: Callable[[Any], Any]) -> Any:
        """Call a function with a connection, as Datasette does."""
        try:
            return await super().execute_fn(fn)  # type: ignore[misc]
        except QueryInterrupted:
            incomplete()
            raise
