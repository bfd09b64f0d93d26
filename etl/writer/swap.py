"""Build whole, swap once: a new file beside the old one, renamed into its place when it is done."""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from etl.errors import WriteError

_SUFFIX = ".building"


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """The path of a new file, which takes the place of ``target`` when the block ends well.

    When the block fails the new file goes and ``target`` stays as it was.  What a killed build
    left behind is cleared first; a build that is still running keeps its file, since it holds a
    lock on it, and the last of two builds to end is the one that stays.  Where ``target`` is a
    link, the file that it points to is replaced, and the new file has the mode of the old one.

    Raises:
        WriteError: ``target`` is no file, or cannot be written.
    """
    with _write_errors(target):
        old = Path(os.path.realpath(target))
        mode = _mode(target, old)
        _clear_litter(old)
        new, lock = _create_locked(old)
    try:
        yield new
        with _write_errors(target):
            if mode is not None:
                os.fchmod(lock, mode)
            os.fsync(lock)
            new.replace(old)
    finally:
        os.close(lock)
        with suppress(OSError):
            new.unlink()


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Nobody else updates ``target`` meanwhile; the lock goes with the process, however it ends.

    Raises:
        WriteError: somebody else does, or the lock cannot be made.
    """
    with _write_errors(target):
        old = Path(os.path.realpath(target))
        _mode(target, old)
        path = old.with_name(f".{old.name}.lock")
        lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise WriteError(f"{target}: is being updated already; nothing was done") from None
    try:
        yield
    finally:
        os.close(lock)


@contextmanager
def _write_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(f"{target}: cannot be written: {error.strerror}") from None


def _mode(target: Path, old: Path) -> int | None:
    """The mode of the file that is to be replaced; None if there is none yet.

    A rename would replace anything: folders, devices and files that nobody should write.
    """
    if not old.parent.is_dir():
        raise WriteError(f"{target}: the folder {old.parent} does not exist; make it first")
    try:
        mode = old.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise WriteError(f"{target}: is a folder; name the file to write")
    if not stat.S_ISREG(mode):
        raise WriteError(f"{target}: is not a regular file; name another")
    if not os.access(old, os.W_OK):
        raise WriteError(f"{target}: is read-only; name another file or allow writing")
    return stat.S_IMODE(mode)


def _create_locked(old: Path) -> tuple[Path, int]:
    """A new file beside the old one, and the descriptor that holds the lock on it."""
    while True:
        new = old.with_name(f".{old.name}.{secrets.token_hex(8)}{_SUFFIX}")
        lock = os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fstat(lock).st_nlink:
            return new, lock
        os.close(lock)  # another build took it for litter before it was locked


def _clear_litter(target: Path) -> None:
    """Remove what builds that were killed have left beside the target."""
    pattern = f".{_glob_escape(target.name)}.*{_SUFFIX}"
    with suppress(OSError):
        for left in target.parent.glob(pattern):
            with suppress(OSError):
                _remove_unless_locked(left)
        for beside in target.parent.glob(f"{pattern}-*"):
            # SQLite's journal belongs to a running build as long as its file is there.
            if not beside.with_name(beside.name.rpartition("-")[0]).exists():
                with suppress(OSError):
                    beside.unlink()


def _remove_unless_locked(left: Path) -> None:
    descriptor = os.open(left, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        left.unlink()
    finally:
        os.close(descriptor)


def _glob_escape(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
