"""What only a catalog tells when it is a source: what it remembers, as records.

They are told beside those of :mod:`etl.records`, which other sources tell, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from etl.page_style import PageStyle


@dataclass(frozen=True, slots=True)
class KeptNames:
    """The names that an earlier catalog has, whether anything is of them or not."""

    tags: tuple[str, ...]
    stacks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeptMirror:
    """A build cache as an earlier catalog has it; times are None where none was recorded."""

    tag: str
    stack: str
    url: str | None
    view: str | None = None
    first_seen: str | None = None
    last_seen: str | None = None
    gone_since: str | None = None
    cache: str | None = None
    layout: str | None = None
    signed: bool | None = None
    keys: bool | None = None
    published: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class KeptWords:
    """What the numbers stand for in the rows that an earlier catalog hands over.

    ``stacks`` are lists of stacks; those in an order of their own have numbers below zero.
    ``patches`` are the full sums of the patches in a list of variants, ``patch_orders`` the lists
    of variants with other orders of them.
    """

    tags: Mapping[int, str]
    versions: Mapping[int, str]
    compilers: Mapping[int, str]
    systems: Mapping[int, str]
    platforms: Mapping[int, str]
    targets: Mapping[int, str]
    variants: Mapping[int, tuple[str, ...]]
    patches: Mapping[int, tuple[str, ...]]
    patch_orders: frozenset[tuple[int, str]]
    stacks: Mapping[int, tuple[str, ...]]
    styles: Mapping[int, PageStyle]


KeptSpec = tuple[int, str, int, int, int, int, int, int, int | None]
"""Its number and hash; version, compiler, system, platform, target and variants; its size."""

KeptBinary = tuple[int, int, int, int | None, str | None]
"""Its tag, spec and stacks; its place on the page where that is not by hash; when first seen."""

KeptGone = tuple[int, int, int, int | None, str | None, str | None, str]
"""As a :data:`KeptBinary`, and when it was last seen and since when it is gone."""

KeptPage = tuple[int, int, int, bytes | None]
"""Its tag, its source, counted from 1, its style, and the whole page where no style says that."""

KeptEdge = tuple[str, str, str, str]
"""A :class:`Dependency` with blank-separated words."""

KeptBuild = tuple[
    int,
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
    str | None,
    tuple[tuple[str, tuple[str, ...]], ...],
    tuple[KeptEdge, ...],
]
"""A :class:`Build`: format, namespace, package hash, external, the spec it was spliced from,
details of an external, order of patches where it is not by their sums, flags, dependencies."""


@dataclass(frozen=True, slots=True)
class KeptPackage:
    """All that an earlier catalog has of a package but what its recipe says.

    These are rows as they lie there, in numbers that :class:`KeptWords` explains: records for
    each would take half as long as reading the pages again.  ``builds`` are by number of the spec.
    """

    package: str
    specs: list[KeptSpec]
    binaries: list[KeptBinary]
    gone: list[KeptGone]
    pages: list[KeptPage]
    builds: dict[int, KeptBuild]


@dataclass(frozen=True, slots=True)
class KeptPackages:
    """The packages of an earlier catalog, the only record that is not all of what it tells.

    A catalog lies package by package, just as the next is written, so it is read when that is:
    ``about`` gives what it has of a package.  Who takes this record calls ``close`` in the end.
    """

    names: tuple[str, ...]
    about: Callable[[str], KeptPackage]
    close: Callable[[], None]


@dataclass(frozen=True, slots=True)
class KeptDates:
    """When binaries were put into a build cache: the tag, the hash, and when."""

    dates: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """That a spec was ``removed`` from a tag or ``returned`` to it, and when that was observed."""

    at: str
    event: str
    tag: str
    hash: str


Kept = KeptNames | KeptMirror | KeptWords | KeptPackages | KeptDates | KeptEvent
"""What only a catalog tells: everything that it knows, to be carried on."""
