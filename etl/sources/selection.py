"""Which part of a source is asked for: ``--tag``, ``--stack``, ``--package`` and ``--view``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Selection:
    """The tags, stacks, packages and views to read; an empty set means all.

    ``owner`` is ``TAG`` or ``TAG/STACK`` for a mirror that does not say whose it is.
    """

    tags: frozenset[str] = frozenset()
    stacks: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    views: frozenset[str] = frozenset()
    owner: str | None = None

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
