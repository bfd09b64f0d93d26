"""The CPU targets that archspec knows, and which of them can run another's binaries.

archspec is the library Spack itself uses for this.  It adds the machine's own name to its targets
when it does not know it; that one is left out here, so that every machine sees the same targets.
archspec is loaded on first use: most commands never need it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Target:
    """A microarchitecture: ``zen4`` of the family ``x86_64`` by ``AuthenticAMD``.

    ``ancestors`` are the targets whose binaries it runs besides its own, nearest first.
    """

    name: str
    family: str
    vendor: str
    ancestors: tuple[str, ...]


@lru_cache(maxsize=1)
def known_targets() -> Mapping[str, Target]:
    """The targets in archspec's data, by name and in the order of their names."""
    from archspec.cpu import TARGETS
    from archspec.cpu.schema import TARGETS_JSON

    return MappingProxyType(
        {
            name: Target(
                name,
                TARGETS[name].family.name,
                TARGETS[name].vendor,
                tuple(ancestor.name for ancestor in TARGETS[name].ancestors),
            )
            for name in sorted(TARGETS_JSON["microarchitectures"])
        }
    )


def ancestors(name: str) -> tuple[str, ...]:
    """The ancestors of a target, nearest first; none for a target that archspec does not know."""
    target = known_targets().get(name)
    return target.ancestors if target else ()


def archspec_version() -> str:
    """The version of archspec, which the catalog records because the targets depend on it."""
    import archspec

    return str(archspec.__version__)


def host_target() -> str:
    """The target of the machine this runs on, as Spack would call it."""
    from archspec.cpu import host

    return str(host().name)
