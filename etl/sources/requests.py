"""A source as the user asks for it: where it is, what it is called, and what to read of it.

A catalog remembers how it was asked, as options of the command line, so that an update reads the
same again.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from etl.errors import SourceError
from etl.records import Record
from etl.sources.build_caches.indexes import Known
from etl.sources.build_caches.layouts import with_view_of
from etl.sources.download.fetch import Fetcher
from etl.sources.mirrors_yaml import is_mirrors_yaml, read_mirrors_yaml
from etl.sources.named import Asked, local_path, read_asked, refuse_twice, with_name
from etl.sources.recognise import is_address, read_source
from etl.sources.selection import EVERYTHING, Selection
from etl.workers import ALONE, Workers

_SIZES = "--sizes"


@dataclass(frozen=True, slots=True)
class Request:
    """A source, and what to read of it; ``sizes`` as for :func:`read_source`."""

    asked: Asked
    selection: Selection = EVERYTHING
    sizes: bool = False

    @property
    def options(self) -> str:
        """The options of the command line that ask for this part of it."""
        words = [*self.selection.options(), *([_SIZES] if self.sizes else [])]
        return shlex.join(words)

    @property
    def on_web(self) -> bool:
        """Whether the source is somewhere on the web, and not on this machine."""
        return is_address(self.asked.address)

    def read(
        self, fetcher: Fetcher, *, known: Known = MappingProxyType({}), workers: Workers = ALONE
    ) -> Iterator[Record]:
        """The records of the source; ``known`` are indexes of all sources that were read before.

        Raises:
            SourceError, UsageError: as :func:`read_source`.
        """
        if self.asked.fault is not None:
            raise SourceError(self.asked.address, self.asked.fault)
        prefix = f"{self.asked.name}:" if self.asked.name else ""
        mine = {
            (tag.removeprefix(prefix), stack): index
            for (tag, stack), index in known.items()
            if tag.startswith(prefix)
        }
        records = read_source(
            self.asked.address,
            replace(self.selection, called=self.asked.name),
            fetcher,
            sizes=self.sizes,
            known=mine,
            workers=workers,
        )
        yield from with_name(self.asked, records)


def read_requests(
    sources: Iterable[str], selection: Selection = EVERYTHING, *, sizes: bool = False
) -> list[Request]:
    """What the user asks for: each source, and of a ``mirrors.yaml`` each mirror in it.

    Raises:
        UsageError: a ``mirrors.yaml`` cannot be read, or two caches have one name.
    """
    asked: list[Asked] = []
    for name in sources:
        path = Path(name)
        asked += read_mirrors_yaml(path) if is_mirrors_yaml(path) else [read_asked(name)]
    refuse_twice(asked)
    return [Request(it, _within(it, selection), sizes) for it in asked]


def _within(asked: Asked, selection: Selection) -> Selection:
    """What to read of a source that names a view: in ``mirrors.yaml``, or after a ``#``."""
    if asked.view is not None:
        return replace(selection, views=frozenset({asked.view}))
    if is_address(asked.address):
        return with_view_of(asked.address, selection)[1]
    _, view = local_path(asked.address)
    return with_view_of(f"#{view}", selection)[1]


def remembered(address: str, name: str | None, options: str) -> Request:
    """The request that a catalog remembers."""
    words = shlex.split(options)
    sizes = _SIZES in words
    selection = Selection.of_options(word for word in words if word != _SIZES)
    return Request(Asked(address, name), selection, sizes)
