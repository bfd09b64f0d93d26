"""The one family of errors that reaches a user.

Every message names the file and the place in it, says what is wrong, and what to do.  The command
line prints the message and leaves with ``exit_code``; anything else that escapes is a bug.
"""

from __future__ import annotations


class CatalogError(Exception):
    """Something the user should read: one sentence or two, and the exit code it leads to."""

    exit_code = 3


class UsageError(CatalogError):
    """The command was called in a way that cannot work (exit code 2)."""

    exit_code = 2


class SourceError(CatalogError):
    """A source, or a part of one, was refused; what is not refused is still loaded (exit code 1).

    ``place`` is where: a path inside the source, with a line or a key where one is known.
    """

    exit_code = 1

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place = place
        self.message = message

    def __reduce__(self) -> tuple[type[SourceError], tuple[str, str]]:
        """How it comes from another process; Python would give it its text alone."""
        return type(self), (self.place, self.message)


class WriteError(CatalogError):
    """The catalog could not be written; the one before it is as it was (exit code 3)."""


class ReadError(CatalogError):
    """The catalog that a command was told to read is missing or is not a catalog (exit code 3)."""
