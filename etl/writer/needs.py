"""The rows of what specs ask of a host, each kept once: libcs, needs and sets of needs."""

from __future__ import annotations

from etl.hosts.host import Libc
from etl.spack.versions import sort_key


class Needs:
    """The rows of ``libcs``, ``needs`` and the sets of needs, each kept once."""

    def __init__(self) -> None:
        self.libcs: dict[Libc, int] = {}
        self.needs: dict[tuple[object, ...], int] = {}
        self.sets: dict[frozenset[int], int] = {}
        self._members: list[frozenset[int]] = []
        self._unions: dict[tuple[int, int, int], int] = {}
        self.libc_of_need: list[Libc | None] = []

    def libc(self, libc: Libc | None) -> int | None:
        """The number of a libc."""
        return None if libc is None else self.libcs.setdefault(libc, len(self.libcs) + 1)

    def need(
        self, platform: object, os: object, target: object, libc: Libc | None, by: str | None
    ) -> int:
        """The number of a need."""
        key = (platform, os, target, self.libc(libc), by)
        if key not in self.needs:
            self.needs[key] = len(self.needs) + 1
            self.libc_of_need.append(libc)
        return self.needs[key]

    def never(self) -> int:
        """The number of the need that no host meets."""
        return self.need(None, None, None, None, None)

    def union(self, set_: int, need: int, other: int) -> int:
        """The set with one need more, and with all of another set; the set 0 is empty."""
        key = (set_, need, other)
        if key not in self._unions:
            members = self.members(set_) | {need} | self.members(other)
            number = self.sets.setdefault(members, len(self.sets) + 1)
            if number > len(self._members):
                self._members.append(members)
            self._unions[key] = number
        return self._unions[key]

    def members(self, set_: int) -> frozenset[int]:
        """The needs in a set."""
        return self._members[set_ - 1] if set_ else frozenset()

    def strictest(self, need: int, set_: int) -> Libc | None:
        """The newest libc that any of the needs asks for; that of glibc before any other."""
        libcs = [self.libc_of_need[it - 1] for it in {need, *self.members(set_)}]
        return max(filter(None, libcs), key=_strictness, default=None)


def _strictness(libc: Libc) -> tuple[bool, str, str]:
    return libc.name == "glibc", sort_key(libc.version), libc.path


def both(one: Libc, other: Libc) -> Libc:
    """What a host must have for both; of two that no host has at once, one by both names."""
    newer, older = sorted((one, other), key=_strictness, reverse=True)
    if (one.name, one.path) == (other.name, other.path):
        return newer
    where = f" in {older.path}" if newer.name == older.name and older.path else ""
    return Libc(f"{older.name}@{older.version}{where} and {newer.name}", newer.version, newer.path)
