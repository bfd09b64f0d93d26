"""What was read: one row for each source, and where in it problems are.

Sources are numbered from 1, in the order in which they were read; those of earlier catalogs are
among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from etl.records import Source
from etl.sources.download.addresses import public_address
from etl.text import printable

_UNREADABLE = "unreadable"


class Origin(NamedTuple):
    """A source: what it is, where, what was read of it, and how it was asked for."""

    kind: str
    location: str
    sha256: str | None = None
    cache: str | None = None
    options: str = ""

    def is_again(self, other: Origin) -> bool:
        """Whether this is a later reading of another source, which it takes the place of.

        Where sources on disk lie is not known; those that the user has named are told apart.
        """
        if (self.cache, self.options) != (other.cache, other.options):
            return False
        return self.location == other.location if _is_address(self) else self.cache is not None


def _below(place: str) -> str:
    return "" if place in (".", "") else f"/{place}"


def _is_address(origin: Origin) -> bool:
    return "://" in origin.location


class Origins:
    """The sources of a build; ``numbers`` tells the number of each in the catalog."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self._origins: list[Origin] = []
        self._names: list[str] = []
        self._read_at: list[str | None] = []
        self._readings: list[int] = []
        self._kept: set[int] = set()
        self._reading = 0

    def __len__(self) -> int:
        return len(self._origins)

    def begin(self) -> None:
        """Begin with what comes of one source that the user named."""
        self._reading = len(self._origins)

    def add(self, source: Source, name: str, *, is_kept: bool) -> None:
        """Add a source; ``name`` is what the user calls it, or the catalog that it is kept in."""
        self._origins.append(
            Origin(source.kind, source.location, None, source.cache, source.options)
        )
        self._names.append(name)
        self._readings.append(self._reading)
        self._read_at.append(source.read_at)
        if is_kept:
            self._kept.add(len(self._origins))

    def add_unreadable(self, name: str, cache: str | None, options: str, *, is_kept: bool) -> None:
        """Add what the user named, if nothing came of it."""
        if len(self._origins) > self._reading:
            return
        is_address = "://" in name
        told = public_address(name) if is_address else name.rstrip("/").rsplit("/", 1)[-1]
        self._origins.append(Origin(_UNREADABLE, printable(told), None, cache, options))
        self._names.append(name)
        self._readings.append(self._reading)
        self._read_at.append(None)
        if is_kept:
            self._kept.add(len(self._origins))

    def digest(self, sha256: str) -> None:
        """Say what was read of the last source."""
        self._origins[-1] = self._origins[-1]._replace(sha256=sha256)

    def end(self, read_at: str | None) -> None:
        """End what comes of one source; ``read_at`` is when it was read, if it is not kept."""
        for place in range(self._reading, len(self._origins)):
            if place + 1 not in self._kept:
                self._read_at[place] = read_at

    def is_kept(self, number: int) -> bool:
        """Whether a source is one of an earlier catalog."""
        return number in self._kept

    def place_in_catalog(self, number: int, place: str) -> str:
        """The place of a problem as the catalog has it: without the path of a source on disk."""
        origin = self._origins[number - 1]
        return origin.location if origin.kind == _UNREADABLE else place

    def place_for_user(self, number: int, place: str) -> str:
        """The place of a problem as the user finds it: with the path of its source."""
        name = self._names[number - 1]
        if "://" in place or place.startswith(printable(name)):
            return place
        if "://" in name:
            return printable(public_address(name)).rstrip("/") + _below(place)
        if Path(name).is_dir():
            return printable(name.rstrip("/")) + _below(place)
        file, blank, rest = place.partition(" ")
        if str(Path(name).absolute()).endswith(file):
            return printable(name) + blank + rest
        return f"{printable(name)}: {place}"

    def rows(self, cache_ids: Mapping[str, int]) -> list[tuple[object, ...]]:
        """The rows of sources; what was read before and is read again unchanged is one row."""
        rows: list[tuple[Origin, str | None]] = []
        places: dict[Origin, tuple[int, int]] = {}
        for number, (origin, at, reading) in enumerate(
            zip(self._origins, self._read_at, self._readings, strict=True), start=1
        ):
            place, read_by = places.get(origin, (0, reading))
            if read_by == reading or (origin.sha256 is None and origin.kind != _UNREADABLE):
                rows.append((origin, at))
                place = len(rows)
            else:
                newest = max(filter(None, (rows[place - 1][1], at)), default=None)
                rows[place - 1] = (origin, newest)
            self.numbers[number] = place
            if number in self._kept:
                places.setdefault(origin, (place, reading))
        return [
            (it.kind, it.location, it.sha256, at, cache_ids.get(it.cache or ""), it.options)
            for it, at in rows
        ]

    def is_superseded(self, number: int) -> bool:
        """Whether the source of an earlier catalog was read again now."""
        return number in self._kept and any(
            origin.is_again(self._origins[number - 1])
            for place, origin in enumerate(self._origins, start=1)
            if place not in self._kept
        )
