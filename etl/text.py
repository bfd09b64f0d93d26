"""Text from strangers, made fit to be shown."""

from __future__ import annotations

from reprlib import Repr

_BRIEF = Repr()
_BRIEF.maxlist = _BRIEF.maxdict = 8
_BRIEF.maxlevel = 3
_BRIEF.maxstring = _BRIEF.maxother = 60


def brief(value: object) -> str:
    """A value as a message shows it, however long or deep it is."""
    return _BRIEF.repr(value)


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number of things: ``1 tag``, ``2 tags``, ``1,000 binaries``."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def in_bytes(size: int) -> str:
    """A size for people: ``999 bytes``, ``1.2 kB``, ``3.4 GB``."""
    number = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:,.0f} {unit}" if unit == "bytes" else f"{number:,.1f} {unit}"
        number /= 1000
    return f"{number:,.1f} TB"


def printable(name: str) -> str:
    """A name that any terminal and any file can hold: line feeds and the like are escaped."""
    if name.isprintable():
        return name
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in name
    )


def more_gone(number: int) -> str:
    """How many more there were, to follow how many there are: ``, 37 more are gone``."""
    return f", {number:,} more {'is' if number == 1 else 'are'} gone" if number else ""
