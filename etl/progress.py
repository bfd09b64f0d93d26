"""How far a command is: a bar on a terminal, plain lines in a pipe, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import click

from etl.records import Mirror, PackagePages, Page, Record, Source
from etl.text import printable

T = TypeVar("T")

_STEPS = 200
"""How often a bar is drawn anew."""


class Follower(Protocol):
    """Passes things on, and tells the user how far it is."""

    def __call__(self, things: Iterable[T], label: str, length: int) -> Iterable[T]:
        """The same things; ``length`` is how many there are."""


def silently(things: Iterable[T], label: str, length: int) -> Iterable[T]:
    """A follower that says nothing."""
    del label, length
    return things


class Progress:
    """Tells on standard error how far a command is."""

    def __init__(self) -> None:
        self._bytes = 0
        self._wire: Any = None

    def __call__(self, things: Iterable[T], label: str, length: int) -> Iterator[T]:
        """The same things, one by one."""
        with self._following(label, length):
            for thing in things:
                yield thing
                self._step()

    def receiving(self, came: int, announced: int) -> None:
        """Tell of bytes from the web: how many more have come, how many more are on their way."""
        self._bytes += came
        if self._wire is None and sys.stderr.isatty():
            self._wire = click.progressbar(length=0, label="receiving bytes", file=sys.stderr)
        if self._wire is not None:
            self._wire.length += announced
            self._wire.update(came)

    def reading(self, name: str, records: Iterable[Record]) -> Iterator[Record]:
        """The records of a source, followed by its pages or indexes."""
        with self._following(name, None):
            for record in records:
                if isinstance(record, Source):
                    self._begin(f"reading {record.kind} from {printable(name)}", record.parts)
                self._received()
                yield record
                if isinstance(record, PackagePages):
                    self._step(len(record.pages))
                elif isinstance(record, Page | Mirror):
                    self._step()

    def _received(self) -> None:
        """End the bar of bytes, if there is one, before anything else is drawn."""
        if self._wire is not None:
            self._wire.render_finish()
            self._wire = None

    @contextmanager
    def _following(self, label: str, length: int | None) -> Iterator[None]:
        """From the beginning to the end, or to an error, whose message then has its own line."""
        self._begin(label, length)
        try:
            yield
        except (Exception, KeyboardInterrupt):
            if self._bar:
                self._bar.render_finish()
            raise
        self._end()

    def _begin(self, label: str, length: int | None) -> None:
        self._label, self._length, self._done, self._drawn = label, length, 0, 0
        self._bar: Any = None
        if length and sys.stderr.isatty():
            self._bar = click.progressbar(length=length, label=label, file=sys.stderr)
            self._bar.render_progress()

    def _step(self, done: int = 1) -> None:
        self._done += done
        if self._bar and self._done - self._drawn >= (self._length or 0) / _STEPS:
            self._bar.update(self._done - self._drawn)
            self._drawn = self._done

    def _end(self) -> None:
        if self._bar:
            self._bar.update(self._done - self._drawn)
            self._bar.render_finish()
        else:
            received = f", {self._bytes:,} bytes received" if self._bytes else ""
            click.echo(f"{self._label}: {self._done:,}{received}", err=True)
            self._bytes = 0
