"""What renders the pages: a digest of the program, and one of each file that pages link to."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Final

FOLDERS: Final = tuple(Path(str(files(package))) for package in ("etl", "datasette_spack"))
"""Where the program lies."""

STATIC: Final = Path(__file__).parent / "static"
"""The folder of the style and the scripts."""

_HASH_LENGTH = 12

_LIBRARIES = ("archspec", "datasette", "jinja2")
"""Those whose version can change what a page says."""


@cache
def program_digest() -> str:
    """A digest of all that turns a catalog into pages: code, templates, style, libraries.

    Taken once: a program that runs does not change when its files do.
    """
    digest = sha256()
    for library in _LIBRARIES:
        digest.update(f"{library} {version(library)}\n".encode())
    for folder in FOLDERS:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"{path.relative_to(folder)}\n".encode())
                digest.update(sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@cache
def static_hashes() -> dict[str, str]:
    """Of each static file what ends an address of it that may be kept for ever, as in ``?1f…``."""
    return {
        str(path.relative_to(STATIC)): sha256(path.read_bytes()).hexdigest()[:_HASH_LENGTH]
        for path in sorted(STATIC.rglob("*"))
        if path.is_file()
    }
