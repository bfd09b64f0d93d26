"""What every source yields: plain, frozen records that know nothing of tables.

A source is read as one stream of records.  It begins with a :class:`Source`; then come the
:class:`Tag`, :class:`Page`, :class:`Mirror` and :class:`Recipe` records found in it, and a
:class:`Problem` wherever something was refused or contradicts itself.  Many pages may come as one
:class:`PackagePages`.  The order of the records means nothing: the catalog written from them is the
same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

from etl.kept_records import Kept
from etl.page_style import PageStyle

SourceKind = Literal["pages", "build cache", "indexes", "recipes"]
ProblemKind = Literal["refused", "contradiction", "skipped"]


BOM = b"\xef\xbb\xbf"
"""What some editors write before a file's first character."""


class Dependency(NamedTuple):
    """One edge of a concrete spec: which spec it needs, and what for.

    ``deptypes`` are ``build``, ``link``, ``run`` and ``test``; ``virtuals`` are the interfaces
    (``mpi``, ``c``) that the dependency provides over this edge.
    """

    hash: str
    package: str
    deptypes: tuple[str, ...]
    virtuals: tuple[str, ...]


class Build(NamedTuple):
    """What build caches know of a spec and pages do not say.

    ``patches`` are full SHA-256 sums in the order in which they are applied; ``flags`` holds the
    compiler flags that are not empty: ``("cflags", ("-O2", "-g"))``; ``external`` is the prefix or
    the modules of what Spack did not build, ``external_details`` all else of it as JSON;
    ``build_spec`` is the hash that this was spliced from; ``format`` is Spack's spec format.
    """

    format: int
    namespace: str | None
    package_hash: str | None = None
    flags: tuple[tuple[str, tuple[str, ...]], ...] = ()
    patches: tuple[str, ...] = ()
    external: str | None = None
    build_spec: str | None = None
    dependencies: tuple[Dependency, ...] = ()
    external_details: str | None = None


class Spec(NamedTuple):
    """One concrete spec, as one source tells it.

    ``compiler`` is in today's notation (``gcc@12.2.0``, ``intel-oneapi-compilers@2024.2.1``,
    ``none``), whatever the source wrote.  ``variants`` are the strings Spack prints, in its order.
    ``size`` is the binary's size in bytes.
    """

    hash: str
    package: str
    version: str
    compiler: str
    os: str
    platform: str
    target: str
    variants: tuple[str, ...]
    size: int | None = None
    build: Build | None = None


spec_of: Callable[[tuple[Any, ...]], Spec] = partial(tuple.__new__, Spec)
"""The spec of all its fields in order; ``Spec()`` would take them apart first."""


@dataclass(frozen=True, slots=True)
class Page:
    """A cache.spack.io page: the binaries of one package in one tag.

    ``stacks[i]`` lists the stacks that hold ``specs[i]``; both are in the order of the page.
    ``style`` is how the page is written; ``text`` is the whole page where no style can say that.
    ``place`` is the page's path inside its source.
    """

    place: str
    tag: str
    package: str
    style: PageStyle
    specs: tuple[Spec, ...]
    stacks: tuple[tuple[str, ...], ...]
    text: bytes | None = None
    cache: str | None = None


class PageHead(NamedTuple):
    """A :class:`Page` but for its package and specs; ``stacks`` are the lists that are on it."""

    place: str
    tag: str
    style: PageStyle
    text: bytes | None
    cache: str | None
    stacks: tuple[int, ...]


class Words(NamedTuple):
    """What the numbers in folded specs stand for; ``machines`` begin with the compiler."""

    machines: list[tuple[str, str, str, str]]
    variants: list[tuple[str, ...]]
    stacks: list[tuple[str, ...]]


FoldedSpec = tuple[str, str, int, int, int | None, tuple[int, ...], dict[int, int] | None]
"""What several pages say of a spec: its hash, version, machine, variants and size.

Then come the pages that it is on, each by number and followed by its list of stacks there; and its
position on those that are not in the order of hashes.
"""


@dataclass(frozen=True, slots=True)
class PackagePages:
    """Pages of one package in different tags that agree about each spec, as one record.

    ``specs`` is a list of :data:`FoldedSpec` as :mod:`marshal` writes it, in Spack's order of
    versions, then by hash; many records share their ``words``.
    """

    package: str
    pages: tuple[PageHead, ...]
    words: Words
    specs: bytes


@dataclass(frozen=True, slots=True)
class Mirror:
    """The build cache of one stack under one tag, as its index lists it.

    ``available[i]`` says whether ``specs[i]`` is in the build cache, or only mentioned there as
    a dependency; ``view`` is the part of the build cache at ``url`` that it is, if not all of it.
    ``folder`` is where the mirror lies in its source, ``layout`` is ``v2``, ``v3``, ``oci`` or
    ``bare``; ``signed`` is whether its binaries are, ``keys`` whether it publishes any, both None
    where that cannot be seen; ``published`` is when the index was, as ISO text in UTC;
    ``put`` has the same of binaries, by hash.  ``cache`` is what the user calls it.
    ``sha256`` is of the index as it was read.
    """

    place: str
    tag: str
    stack: str
    url: str | None
    specs: tuple[Spec, ...]
    available: tuple[bool, ...]
    view: str | None = None
    folder: str = ""
    layout: str | None = None
    signed: bool | None = None
    keys: bool | None = None
    published: str | None = None
    put: tuple[tuple[str, str], ...] = ()
    cache: str | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A build cache whose index is what an earlier catalog has already read."""

    tag: str
    stack: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag and its stacks, as the site's ``_data/tags.yaml`` lists them."""

    name: str
    stacks: tuple[str, ...]
    cache: str | None = None


@dataclass(frozen=True, slots=True)
class Cache:
    """A build cache, or many in one place, that the user has named.

    ``kind`` is ``folder``, ``https``, ``s3`` or ``oci``.
    """

    name: str
    address: str
    kind: str


@dataclass(frozen=True, slots=True)
class Provision:
    """A virtual package that a package provides.

    ``versions`` is as after ``@``, "" for any, and None where the recipe computes them or when;
    ``conditions`` are specs, all of which must be met.
    """

    virtual: str
    versions: str | None
    conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a package's recipe says about it.

    ``licenses`` are SPDX expressions; any of several may hold for some versions only.
    ``provides`` are the virtual packages that it can stand for.
    """

    package: str
    description: str | None
    homepage: str | None
    licenses: tuple[str, ...]
    provides: tuple[Provision, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """All build caches that there are at an address or below it, as (tag, stack).

    Only a source that was read whole tells it: what an earlier catalog has there, in the same named
    ``cache`` if any, and is not listed any more is gone.  Where views are not listed (``views``),
    that is said of none but releases, which are looked for by their names.  With ``tags`` it is
    said of these alone: who reads something as a tag says nothing of what else it may be.
    """

    address: str
    mirrors: frozenset[tuple[str, str]]
    views: bool = False
    cache: str | None = None
    tags: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """What was read.  ``location`` is an address, or a path inside what the user named.

    ``location`` holds no path of the machine that built the catalog: the same input gives the
    same catalog wherever it lies.  ``parts`` is how many pages or indexes are about to come, where
    that is known.  Of a source that an earlier catalog read, ``read_at`` is when, ``cache`` what
    the user called it, and ``options`` are those of the command line that say what to read of it.
    """

    kind: SourceKind
    location: str
    parts: int | None = None
    read_at: str | None = None
    cache: str | None = None
    options: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that was refused, or that contradicts itself and was read all the same.

    What was ``skipped`` was left out on purpose, since it would have taken too many requests.
    """

    place: str
    kind: ProblemKind
    message: str


@dataclass(frozen=True, slots=True)
class Digest:
    """The end of a source: the SHA-256 of all that was read from it."""

    sha256: str


Record = (
    Source
    | Cache
    | Tag
    | Page
    | PackagePages
    | Mirror
    | Unchanged
    | Listing
    | Recipe
    | Problem
    | Digest
    | Kept
)
