"""Spack's order of versions, as text that sorts, and version constraints as ranges of that text.

The rules are those of Spack 1.1.0 (``lib/spack/spack/version/version_types.py``).  A version is
read as runs of digits and runs of letters; what separates them does not count.  Its key is one
piece of ASCII per component, so that comparing keys byte by byte (SQLite's BINARY collation) is
comparing versions as Spack does:

* an ordinary word is ``1``, the word and ``!``;
* an integer is ``2``, the count of its digits and its digits;
* an infinity word (``develop``, ``main``, ...) is ``3`` and its rank;
* the end of the release is ``0`` and the rank of what follows it (0 alpha, 1 beta, 2 rc,
  3 nothing), then the number of a pre-release, coded as an integer;
* the reference of a git version comes last, after ``#``.

>>> sort_key("1.14.3"), sort_key("develop"), sort_key("git.main=1.14")
('200112002142001303', '3603', '2001120021403#main')
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from etl.errors import UsageError

INFINITY_WORDS = ("stable", "nightly", "trunk", "head", "master", "main", "develop")
PRE_RELEASES = ("alpha", "beta", "rc", "final")

#: The key of Spack's least version, where a range without a lower end begins.
LEAST_KEY = "00"

#: A longer version in a constraint is refused; a hash of 128 hexadecimal digits still passes.
MAX_VERSION_LENGTH = 200
MAX_PARTS = 200

_FINAL = PRE_RELEASES.index("final")
_INFINITY_RANKS = {word: str(rank) for rank, word in enumerate(INFINITY_WORDS)}
_PRE_RELEASE_RANKS = {word: rank for rank, word in enumerate(PRE_RELEASES)}

_COMPONENTS = re.compile(r"[0-9]+|[a-zA-Z]+")
_COMMIT = re.compile(r"[a-f0-9]{40}")
_VALID_VERSION = re.compile(r"[A-Za-z0-9_.-]+")
_VALID_REFERENCE = re.compile(r"[A-Za-z0-9_./-]+")


class VersionError(UsageError):
    """A version constraint cannot be read."""


class EmptyRangeError(VersionError):
    """A range of versions ends before it begins, which Spack refuses as well."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The versions with ``low <= sort_key < high``; None leaves that end open."""

    low: str | None
    high: str | None

    def includes(self, key: str) -> bool:
        """Whether the version with this sort key is in the range."""
        return (self.low is None or self.low <= key) and (self.high is None or key < self.high)

    def intersects(self, other: KeyRange) -> bool:
        """Whether a version can be in both ranges."""
        return _begins_before_end(self, other) and _begins_before_end(other, self)


@dataclass(frozen=True, slots=True)
class VersionList:
    """What a constraint such as ``@1.2:1.4,=1.6`` lets through: any of its parts.

    ``ranges`` are sorted and do not touch each other.  ``keys`` are the sort keys of exact
    versions (``@=1.6``, ``@git.main=1.6``).  ``references`` are git references given without a
    version (``@git.main``): Spack asks the repository which version that is, here every version
    of that reference is meant.
    """

    ranges: tuple[KeyRange, ...] = ()
    keys: tuple[str, ...] = ()
    references: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether no version is left out, as with ``@:``."""
        return self.ranges == (KeyRange(None, None),)

    def intersects(self, other: VersionList) -> bool:
        """Whether a version can satisfy both constraints."""
        return (
            self.everything
            or other.everything
            or any(it in other.references for it in self.references)
            or any(other._has(key) for key in self.keys)
            or any(self._has(key) for key in other.keys)
            or any(a.intersects(b) for a in self.ranges for b in other.ranges)
        )

    def _has(self, key: str) -> bool:
        return key in self.keys or any(part.includes(key) for part in self.ranges)

    def includes(self, version: str) -> bool:
        """Whether a concrete version satisfies the constraint."""
        key = sort_key(version)
        return self._has(key) or (
            bool(self.references and key.partition("#")[2] in self.references)
        )


def _begins_before_end(range_: KeyRange, other: KeyRange) -> bool:
    return range_.low is None or other.high is None or range_.low < other.high


def sort_key(version: str) -> str:
    """The text that sorts a version where Spack sorts it; every string has one.

    Characters that no Spack version holds separate components, as ``.`` does.  A git version
    sorts just after the version it stands for, and among its equals by its reference.  A git
    reference or commit that does not say its version cannot be compared in Spack without the
    repository; it sorts before everything and is in no range.
    """
    reference, released = _split_git(version)
    if reference is None:
        return _key(*_parse(version))
    # A lone surrogate could not be stored; the reference stays as it is otherwise.
    suffix = "#" + reference.encode("utf-8", "backslashreplace").decode()
    return suffix if released is None else _key(*_parse(released)) + suffix


def parse_versions(text: str) -> VersionList:
    """Read a version constraint, with or without its ``@``: ``@1.14``, ``1.2:1.4,=1.6``, ``@:``.

    Raises:
        EmptyRangeError: a range ends before it begins (``@1:0.5.4``).
        VersionError: anything else that is not a version constraint.
    """
    parts = text.removeprefix("@").replace(" ", "").split(",")
    if len(parts) > MAX_PARTS:
        raise VersionError(f"a version list has at most {MAX_PARTS} parts, this one {len(parts)}")
    ranges: list[KeyRange] = []
    keys: dict[str, None] = {}
    references: dict[str, None] = {}
    for part in parts:
        low, colon, high = part.partition(":")
        if colon:
            for end in filter(None, (low, high)):
                _check(end)
            ranges.append(_range(low, high))
        elif part.startswith("=") or _split_git(part)[0] is not None:
            exact = part.removeprefix("=")
            reference, released = _split_git(exact)
            if reference is not None:
                _check(reference, _VALID_REFERENCE)
            if released is None:
                references[reference or ""] = None
            else:
                _check(released)
                keys[sort_key(exact)] = None
        else:
            _check(part)
            ranges.append(_range(part, part))
    return VersionList(_merged(ranges), tuple(keys), tuple(references))


def _split_git(version: str) -> tuple[str | None, str | None]:
    """The git reference of a version, and the version it stands for; either may be missing."""
    if version.startswith("git."):
        version = version[4:]
    elif "=" not in version[1:]:
        return (version, None) if _COMMIT.fullmatch(version) else (None, version)
    reference, equals, released = version.partition("=")
    return reference, released if equals else None


def _parse(version: str) -> tuple[list[str], int, str | None]:
    """The components of the release, the rank of the pre-release, and its number if it has one."""
    parts = _COMPONENTS.findall(version)
    if len(parts) >= 3 and parts[-2] in _PRE_RELEASE_RANKS and parts[-1].isdigit():
        return parts[:-2], _PRE_RELEASE_RANKS[parts[-2]], parts[-1]
    if len(parts) >= 2 and parts[-1] in _PRE_RELEASE_RANKS:
        return parts[:-1], _PRE_RELEASE_RANKS[parts[-1]], None
    return parts, _FINAL, None


def _key(release: list[str], rank: int, number: str | None) -> str:
    end = f"0{rank}" if number is None else f"0{rank}{_integer_code(number)}"
    return "".join([_code(part) for part in release]) + end


def _code(component: str) -> str:
    if component[0] <= "9":
        return _integer_code(component)
    rank = _INFINITY_RANKS.get(component)
    return f"1{component}!" if rank is None else f"3{rank}"


def _integer_code(digits: str) -> str:
    digits = digits.lstrip("0") or "0"
    count = len(digits)
    return f"2{count:03}{digits}" if count < 999 else f"2999{count:010}{digits}"


def _next_key(version: str) -> str:
    """The key of the least version that a range ending with ``version`` leaves out."""
    release, rank, number = _parse(version)
    if rank != _FINAL:
        return _key(release, rank, "0" if number is None else str(int(number) + 1))
    if not release:
        return _key(["A"], rank, number)
    last = release[-1]
    if last.isdigit():
        code = _integer_code(str(int(last) + 1))
    elif last in _INFINITY_RANKS:
        code = f"3{int(_INFINITY_RANKS[last]) + 1}"
    else:
        code = f"1{_next_word(last)}!"
    return "".join([_code(part) for part in release[:-1]]) + code + _key([], rank, number)


def _next_word(word: str) -> str:
    """Spack's next word: of A to Z and a to z, and never an infinity word."""
    while True:
        if word.endswith("z"):
            word += "A"
        else:
            word = word[:-1] + ("a" if word[-1] == "Z" else chr(ord(word[-1]) + 1))
        if word not in _INFINITY_RANKS:
            return word


def _range(low: str, high: str) -> KeyRange:
    """The versions from ``low`` up to ``high`` and all that begins with it; "" is an open end."""
    low_key = sort_key(low) if low else LEAST_KEY
    high_key = _next_key(high) if high else None
    if high_key is not None and high_key < low_key:
        raise EmptyRangeError(f"{low}:{high} is an empty range: it ends before it begins")
    return KeyRange(low_key, high_key)


def _check(version: str, valid: re.Pattern[str] = _VALID_VERSION) -> None:
    if len(version) > MAX_VERSION_LENGTH:
        raise VersionError(f"a version is longer than {MAX_VERSION_LENGTH} characters")
    if not valid.fullmatch(version):
        raise VersionError(
            f"{version!r} is not a version, which is made of letters, digits, '.', '-' and '_'; "
            "a constraint is like 1.14, =1.14, 1.2:1.4 or git.main=1.14"
        )


def _merged(ranges: list[KeyRange]) -> tuple[KeyRange, ...]:
    """The same versions in as few ranges as possible, in order."""
    merged: list[KeyRange] = []
    for part in sorted(ranges, key=lambda part: part.low or ""):
        last = merged[-1] if merged else None
        if last is None or (last.high is not None and last.high < (part.low or "")):
            merged.append(part)
        elif last.high is not None and (part.high is None or last.high < part.high):
            merged[-1] = KeyRange(last.low, part.high)
    if merged == [KeyRange(LEAST_KEY, None)]:
        return (KeyRange(None, None),)  # git versions that have no place in the order as well
    return tuple(merged)
