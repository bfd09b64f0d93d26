"""What each worker of a server would have to find out: one does, and tells the others by a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

PATIENCE: Final = 20.0
"""Seconds that one waits for what another is finding out; then he finds it out himself."""

_LOOK_EVERY = 0.02


def found_once(
    folder: Path | None, name: str, find: Callable[[], str], patience: float = PATIENCE
) -> str:
    """What ``find`` finds, or has found for another process with the same folder and name.

    Without a folder, or without room in it, each finds it out.  Whatever ``find`` raises is raised.
    """
    if folder is None:
        return find()
    place, claim = folder / name, folder / f"{name}.claim"
    end = time.monotonic() + patience
    while (told := _read(place)) is None:
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            if time.monotonic() > end:
                return find()
            time.sleep(_LOOK_EVERY)
        except OSError:
            return find()
        else:
            try:
                return _read(place) or _found(place, find)
            finally:
                claim.unlink(missing_ok=True)
    return told


def _found(place: Path, find: Callable[[], str]) -> str:
    found = find()
    writing = place.with_name(f"{place.name}.writing")
    with suppress(OSError):
        writing.write_text(found, "utf-8")
        writing.replace(place)
    return found


def _read(place: Path) -> str | None:
    try:
        return place.read_text("utf-8")
    except OSError:
        return None
