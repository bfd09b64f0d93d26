"""Caches that the user names: ``e4s=https://cache.e4s.io`` makes the tags ``e4s:v2025.11.0``.

A tag belongs to one cache, so that two caches with the same release stand side by side.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from etl.errors import UsageError
from etl.records import Cache, Listing, Mirror, PackagePages, Page, Record, Tag, Unchanged
from etl.sources.download.addresses import public_address
from etl.text import printable

_NAMED = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,99})=(.+)", re.DOTALL)
_SCHEMES = ("http", "https", "s3", "oci", "oci+http", "file")


@dataclass(frozen=True, slots=True)
class Asked:
    """A source as the user asks for it: where it is, what it is called, and what else is told.

    ``view`` is the view of a mirror of ``mirrors.yaml``; ``signed`` is what that says of it, and
    ``fault`` why it cannot be read.
    """

    address: str
    name: str | None = None
    view: str | None = None
    signed: bool | None = None
    fault: str | None = None


def read_asked(text: str) -> Asked:
    """``NAME=SOURCE``, or a source alone; what is there under the whole text is a source.

    Raises:
        UsageError: no cache can be called so.
    """
    named = _NAMED.fullmatch(text)
    if named is not None and not _is_there(text):
        return Asked(named[2], named[1])
    name, _, rest = text.partition("=")
    if rest and "://" not in name and ("://" in rest or _is_there(rest)) and not _is_there(text):
        raise UsageError(
            f"{printable(name)!r:.80}: not a valid name for a cache; use letters of"
            " ASCII, digits, _ . and -, as in e4s=https://cache.e4s.io"
        )
    return Asked(text)


def refuse_twice(asked: Iterable[Asked]) -> None:
    """Refuse two caches of one name.

    Raises:
        UsageError: two sources have the same name.
    """
    counts = Counter(it.name for it in asked if it.name)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        raise UsageError(f"two caches are called {twice[0]}; each needs a name of its own")


def with_name(asked: Asked, records: Iterable[Record]) -> Iterator[Record]:
    """The records of a source; those of a named cache with its tags called ``name:tag``."""
    name = asked.name
    if name is None:
        yield from records
        return
    address = public_address(address_of(asked.address))
    yield Cache(name, address, kind_of(asked.address))
    for record in records:
        if isinstance(record, Mirror):
            url = record.url or _url_inside(address, record)
            tag = f"{name}:{record.tag}"
            signed = asked.signed if record.signed is None else record.signed
            yield replace(record, tag=tag, cache=name, url=url, signed=signed)
        elif isinstance(record, Page):
            yield replace(record, tag=f"{name}:{record.tag}", cache=name)
        elif isinstance(record, PackagePages):
            heads = [it._replace(tag=f"{name}:{it.tag}", cache=name) for it in record.pages]
            yield replace(record, pages=tuple(heads))
        elif isinstance(record, Tag):
            yield replace(record, name=f"{name}:{record.name}", cache=name)
        elif isinstance(record, Unchanged):
            yield replace(record, tag=f"{name}:{record.tag}")
        elif isinstance(record, Listing):
            listed = frozenset((f"{name}:{tag}", stack) for tag, stack in record.mirrors)
            at = record.address if "://" in record.address else address
            tags = None if record.tags is None else frozenset(f"{name}:{it}" for it in record.tags)
            yield replace(record, address=at, mirrors=listed, cache=name, tags=tags)
        else:
            yield record


def local_path(source: str) -> tuple[str, str]:
    """The path of a source on this machine, and the view that it names after a ``#``, or "".

    ``file://`` addresses are paths, too.  A name that is there as a whole has no view in it.
    """
    name = source
    if source.lower().startswith("file:"):
        parts = urlsplit(source)
        name = unquote(parts.path) or "/"
        if parts.fragment:
            return name, unquote(parts.fragment)
    elif "#" in source and not _is_there(source):
        path, _, view = source.partition("#")
        if view and _is_there(path):
            return path, view
    return name, ""


def address_of(source: str) -> str:
    """Where a named source is, as Spack takes it: an address, ``file://`` for a folder."""
    if "://" in source and not source.lower().startswith("file:"):
        return source.partition("#")[0].rstrip("/")
    return Path(local_path(source)[0]).resolve().as_uri()


def kind_of(source: str) -> str:
    """What kind of place a source is: ``folder``, ``https``, ``s3`` or ``oci``."""
    scheme = source.partition("://")[0].lower() if "://" in source else "file"
    if scheme not in _SCHEMES:
        return printable(scheme)
    return {"file": "folder", "http": "https", "oci+http": "oci"}.get(scheme, scheme)


def _url_inside(address: str, mirror: Mirror) -> str | None:
    """The address of a mirror in a folder that is named; None for an index that lies alone."""
    if not address.startswith("file://") or mirror.layout == "bare":
        return None
    return f"{address}/{mirror.folder}".rstrip("/") if mirror.folder else address


def _is_there(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False
