"""The addresses of the site's pages.  They are made of names alone, and outlive any rebuild."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, quote_plus

from datasette.utils.asgi import BadRequest

from datasette_spack.which import USUAL, catalog_name

_KEPT: Final = 4_000
"""Parts of addresses that are kept as they are written: a page names the same ones many times."""

_LONGEST_KEPT: Final = 100
"""Characters of the longest such part: what anybody asks for may be long, and is not kept."""

# All that may be in an address; the rest becomes %XX.
_OF_ADDRESSES = "!#$%&'()*+,-./:;=?@[]_~"


# The signs that replace others come first.
_WRITTEN: Final = {
    character: written
    for character in ("%", "+", *map(chr, range(128)))
    if (written := quote_plus(character)) != character
}


class Addresses:
    """Makes addresses, below the path under which Datasette serves."""

    def __init__(self, datasette: Any) -> None:
        self._base = datasette.setting("base_url")
        self._catalog = catalog_name(datasette) or USUAL

    def package(self, name: str, **chosen: str | None) -> str:
        """The page of a package, with the binaries chosen that are asked for."""
        return self._path("package", name, **chosen)

    def virtual(self, name: str) -> str:
        """The page of a virtual package."""
        return self._path("virtual", name)

    def dependents(self, package: str, **chosen: str | None) -> str:
        """What depends on a package, in the tag that is asked for."""
        return self._path("package", package, "dependents", **chosen)

    def impact(self, package: str, **chosen: str | None) -> str:
        """What contains a package, in the tag and the closure that are asked for."""
        return self._path("package", package, "impact", **chosen)

    def spec(self, hash_: str) -> str:
        """The page of a spec."""
        return self._path("spec", hash_)

    def tag(self, name: str) -> str:
        """The page of a tag."""
        return self._path("tag", name)

    def stack(self, name: str, **chosen: str | None) -> str:
        """The page of a stack, in the tag that is asked for."""
        return self._path("stack", name, **chosen)

    def compare(self, old: str, new: str, **chosen: str | None) -> str:
        """The page on what differs between two tags."""
        return self._path("compare", old, new, **chosen)

    def compare_specs(self, old: str, new: str) -> str:
        """The page on what differs between two specs."""
        return self._path("compare", "spec", old, new)

    def compare_csv(self, old: str, new: str, **chosen: str | None) -> str:
        """One list of that page as CSV."""
        return self._path("compare", old, f"{new}.csv", **chosen)

    def file(self, name: str, **chosen: str | None) -> str:
        """A list of the site as a file: ``packages.csv``."""
        return self._path(*name.split("/"), **chosen)

    def badge(self, package: str, **chosen: str | None) -> str:
        """The badge of a package, of the tag that is asked for."""
        return self._path("badge", f"{package}.svg", **chosen)

    def find(self, spec: str, **scope: str | None) -> str:
        """The search for a spec."""
        return self._path("find", spec=spec, **scope)

    def binaries(self, tag: str, **chosen: str) -> str:
        """The binaries of a tag as a table, those that have what is asked for."""
        names = {f"_{name}": value for name, value in {"tag": tag, **chosen}.items()}
        return self._path(self._catalog, "binaries", **names)

    def sql(self, text: str) -> str:
        """A statement in the SQL editor."""
        return self._path(self._catalog, sql=text)

    def _path(self, *parts: str, **arguments: str | None) -> str:
        path = self._base + "/".join([_in_path(part) for part in parts])
        given = [f"{name}={_in_query(value)}" for name, value in arguments.items() if value]
        return f"{path}?{'&'.join(given)}" if given else path


def _in_path(name: str) -> str:
    return _kept_in_path(name) if len(name) <= _LONGEST_KEPT else quote(name, safe="")


def _in_query(value: str) -> str:
    return _kept_in_query(value) if len(value) <= _LONGEST_KEPT else quoted(value)


@lru_cache(_KEPT)
def _kept_in_path(name: str) -> str:
    return quote(name, safe="")


@lru_cache(_KEPT)
def _kept_in_query(value: str) -> str:
    return quote_plus(value)


def quoted(text: str) -> str:
    """A text as a value of a query, as ``quote_plus`` writes it; pages have many long statements.

    That looks at each character, which takes six times as long for a statement.
    """
    if not text.isascii():
        return quote_plus(text)
    for character, written in _WRITTEN.items():
        if character in text:
            text = text.replace(character, written)
    return text


def origin(datasette: Any, request: Any) -> str:
    """What comes before the path in every address of this site, as the reader of a page calls it.

    Raises:
        BadRequest: the request names a host that cannot be one.
    """
    try:
        address = datasette.absolute_url(request, "/")
    except ValueError:
        raise BadRequest("the Host header of this request is not a host name") from None
    return quote(address, safe=_OF_ADDRESSES).removesuffix("/")
