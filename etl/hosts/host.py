"""A host, and what keeps it from taking a binary: the rules of Spack 1.1.0.

On Linux the name of the operating system means nothing; the libc must have the name and the path of
the one that the binary was built with, and be at least as new (``libc_is_compatible`` in
``solver/asp.py``).  Elsewhere the operating system must be the same, or, on macOS, not be older
(``solver/os_compatibility.lp``).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from etl.errors import UsageError
from etl.spack.targets import ancestors, known_targets
from etl.spack.versions import sort_key
from etl.text import brief, printable

Reason = Literal[
    "dev_path",
    "compiler-wrapper",
    "external",
    "runtime",
    "platform",
    "target",
    "libc",
    "os",
    "not-in-cache",
    "closure",
]
"""Why Spack would not take a binary, in the order in which it is asked."""

LINUX = "linux"
USUAL_PATH = "/usr"

_ONE_VERSION = re.compile(r"[\w.+-]+")

MACOS = ("catalina", "bigsur", "monterey", "ventura", "sonoma", "sequoia", "tahoe")
"""The releases of macOS, each of which takes binaries of those before it."""


@dataclass(frozen=True, slots=True)
class Libc:
    """A C library: ``glibc`` or ``musl``, its version, and the prefix that it is in.

    One whose path is empty is no part of any system: Spack built it.
    """

    name: str
    version: str
    path: str = USUAL_PATH

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def can_stand_for(self, other: Libc) -> bool:
        """Whether what was built with the other runs with this one."""
        return (
            bool(other.path)
            and (self.name, self.path) == (other.name, other.path)
            and sort_key(self.version) >= sort_key(other.version)
        )


@dataclass(frozen=True, slots=True)
class Need:
    """What a binary asks of a host; a ``libc`` of None asks for none."""

    platform: str | None
    os: str | None
    target: str | None
    libc: Libc | None = None


@dataclass(frozen=True, slots=True)
class Host:
    """A machine; ``libc`` is None where there is none that is asked about, as on macOS."""

    platform: str
    os: str
    target: str
    libc: Libc | None = None
    name: str | None = None

    def __str__(self) -> str:
        return self.name or f"{self.os or self.platform}/{self.target}"

    def to_json(self) -> str:
        """The host as ``spack-catalog host --format json`` prints it, and ``--host FILE`` reads."""
        told: dict[str, str | None] = {
            "platform": self.platform,
            "os": self.os,
            "target": self.target,
            "libc": f"{self.libc.name}@={self.libc.version}" if self.libc else None,
        }
        if self.libc and self.libc.path != USUAL_PATH:
            told["libc_path"] = self.libc.path
        return json.dumps(told, indent=1)

    def runs(self, target: str | None) -> bool:
        """Whether its CPU executes what was built for a target."""
        return target == self.target or target in ancestors(self.target)

    def refuses(self, need: Need) -> Reason | None:
        """The first reason why it cannot take what has such needs; None if it can."""
        if need.platform != self.platform:
            return "platform"
        if not self.runs(need.target):
            return "target"
        if self.platform == LINUX:
            if need.libc and not (self.libc and self.libc.can_stand_for(need.libc)):
                return "libc"
        elif not self._takes_os(need.os):
            return "os"
        return None

    def why(self, reason: Reason, need: Need) -> str:
        """The reason in words, with the names and numbers of both sides."""
        if reason == "platform":
            return f"built for {need.platform}, this host is {self.platform}"
        if reason == "target":
            unknown = "" if self.target in known_targets() else ", which archspec does not know"
            return f"built for {need.target}, this host is {self.target}{unknown}"
        if reason == "os":
            return f"built for {need.os}, this host is {self.os}"
        if reason == "libc" and need.libc:
            return f"needs {_libc_in_words(need.libc, self.libc)}"
        return WORDS.get(reason, reason)

    def _takes_os(self, os: str | None) -> bool:
        if os == self.os:
            return True
        if os in MACOS and self.os in MACOS:
            return MACOS.index(self.os) >= MACOS.index(os)
        return False


WORDS: dict[str, str] = {
    "dev_path": "built from a development folder (dev_path)",
    "compiler-wrapper": "Spack builds the compiler wrapper on each host",
    "external": "an external package: a part of the system that it was built on",
    "runtime": "has a compiler in its graph without the compiler's runtime",
    "not-in-cache": "is not in the cache",
    "closure": "a link or run dependency cannot be used",
}
"""Reasons that have no numbers."""


def _libc_in_words(needed: Libc, there: Libc | None) -> str:
    if not needed.path:
        return f"{needed} as built by Spack, not that of the host"
    if there is None:
        return f"{needed}, the libc of this host is unknown"
    if there.name != needed.name:
        return f"{needed}, this host has {there}"
    if there.path != needed.path:
        return f"{needed} in {needed.path}, this host has it in {there.path}"
    return f"{needed}, this host has {there.version}"


def read_host(text: str, name: str) -> Host:
    """A host from the JSON of a file called ``name``.

    Raises:
        UsageError: it is not that of a host.
    """
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"{name}: is not JSON; make one with: spack-catalog host") from None
    if not isinstance(told, dict):
        raise UsageError(f"{name}: is not a host; make one with: spack-catalog host")
    told = {key: printable(it) if isinstance(it, str) else it for key, it in told.items()}
    for field in ("platform", "target"):
        if not isinstance(told.get(field), str) or not told[field]:
            raise UsageError(f"{name}: {field} is {brief(told.get(field))}, and not a name")
    libc = told.get("libc")
    os = told.get("os")
    if not (os is None or isinstance(os, str)) or not (libc is None or isinstance(libc, str)):
        raise UsageError(f"{name}: os and libc are names, as in glibc@=2.28")
    path = told.get("libc_path") or USUAL_PATH
    if not isinstance(path, str):
        raise UsageError(f"{name}: libc_path is {brief(path)}, and not a path")
    platform = told["platform"].lower()
    if platform != LINUX and not os:
        raise UsageError(f"{name}: has no os, which decides on {brief(platform)}")
    # Spack's names are in lower case.
    return Host(
        platform,
        (os or "").lower(),
        told["target"].lower(),
        read_libc(libc.lower(), path.rstrip("/") or "/", name) if libc else None,
        told.get("name") if isinstance(told.get("name"), str) else None,
    )


def read_libc(text: str, path: str, name: str) -> Libc:
    """``glibc@=2.28`` as a libc.

    Raises:
        UsageError: it is none.
    """
    package, at, version = text.partition("@")
    version = version.removeprefix("=")
    if not (package and at and version) or not _ONE_VERSION.fullmatch(version):
        raise UsageError(f"{name}: libc is {text[:60]!r}; expected one as in glibc@=2.28")
    return Libc(package, version, path)
