"""Which part of a source is asked for: ``--tag``, ``--stack``, ``--package`` and ``--view``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Selection:
    """The tags, stacks, packages and views to read; an empty set means all.

    ``owner`` is ``TAG`` or ``TAG/STACK`` for a mirror that does not say whose it is; ``called`` is
    the name of its cache, which stands for that where the mirror itself has none.
    """

    tags: frozenset[str] = frozenset()
    stacks: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    views: frozenset[str] = frozenset()
    owner: str | None = None
    called: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of a source is asked for, whatever it is read as."""
        return not (self.tags or self.stacks or self.packages or self.views)

    def options(self) -> Iterator[str]:
        """The words of the command line that ask for it: ``--view``, ``py``."""
        for option, values in (
            ("--tag", self.tags),
            ("--stack", self.stacks),
            ("--package", self.packages),
            ("--view", self.views),
            ("--as", {self.owner} - {None}),
        ):
            for value in sorted(map(str, values)):
                yield from (option, value)

    @classmethod
    def of_options(cls, words: Iterable[str]) -> Selection:
        """What such words ask for."""
        found: dict[str, set[str]] = {}
        pairs = iter(words)
        for option, value in zip(pairs, pairs, strict=False):
            found.setdefault(option, set()).add(value)
        tags, stacks, packages, views = (
            frozenset(found.get(it, ())) for it in ("--tag", "--stack", "--package", "--view")
        )
        return cls(tags, stacks, packages, views, next(iter(found.get("--as", ())), None))

    def wants(self, tag: str, package: str) -> bool:
        """Whether the binaries of this package in this tag are asked for."""
        return (not self.tags or tag in self.tags) and (
            not self.packages or package in self.packages
        )

    def wants_place(self, place: str) -> bool:
        """Whether a file may hold something asked for, as far as its path tells."""
        parts = place.rsplit("/", 3)
        if len(parts) < 4 or not (parts[0] == "_cache" or parts[0].endswith("/_cache")):
            return True
        return self.wants(parts[1], parts[2])


EVERYTHING = Selection()
