"""The rows of what specs ask of a host, each kept once: libcs, needs and sets of needs."""

from __future__ import annotations

from functools import cache

from etl.hosts.distributions import libc_of
from etl.hosts.host import Libc
from etl.spack.versions import sort_key

_RUNTIMES = (("gcc", "gcc-runtime"), ("intel-oneapi-compilers", "intel-oneapi-runtime"))
"""Compilers, and what must be in a graph that has one."""

NAMES = {name: 1 << place for place, name in enumerate(it for pair in _RUNTIMES for it in pair)}
"""A bit for each of these names, so that those in a graph are one number."""

_WITHOUT_RUNTIME = tuple((NAMES[compiler], NAMES[runtime]) for compiler, runtime in _RUNTIMES)

DEV_PATH = "dev_path"
"""The variant of a spec that was built from somebody's working copy."""


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

    def of_system(self, platform: object, os: object, target: object, name: str | None) -> int:
        """The number of the need of a spec of which no graph is known, by its system's name."""
        libc = None if name is None else libc_of(name)
        return self.need(platform, os, target, libc, "os" if libc else None)

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


def own_fault(package: str, external: str | None, is_developed: bool) -> str | None:
    """Why a spec is no candidate on any host, in the order in which Spack asks."""
    if is_developed:
        return DEV_PATH
    if package == "compiler-wrapper":
        return "compiler-wrapper"
    return "external" if external is not None else None


@cache
def lacks_runtime(names: int) -> bool:
    """Whether a graph with these names has a compiler without what its programs run with."""
    return any(names & compiler and not names & runtime for compiler, runtime in _WITHOUT_RUNTIME)


def _strictness(libc: Libc) -> tuple[bool, str, str]:
    return libc.name == "glibc", sort_key(libc.version), libc.path


def both(one: Libc, other: Libc) -> Libc:
    """What a host must have for both; of two that no host has at once, one by both names."""
    newer, older = sorted((one, other), key=_strictness, reverse=True)
    if (one.name, one.path) == (other.name, other.path):
        return newer
    where = f" in {older.path}" if newer.name == older.name and older.path else ""
    return Libc(f"{older.name}@{older.version}{where} and {newer.name}", newer.version, newer.path)
