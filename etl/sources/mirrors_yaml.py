"""``mirrors.yaml`` of Spack as a source: each mirror in it is a named cache.

``mirrors: {name: url}``, or ``{name: {url, fetch: {url, view}, view, signed, binary}}``; what is
fetched is what counts.  ``binary: false`` is a mirror of sources, which holds no build cache.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote

from etl.errors import UsageError
from etl.page_format.names import is_name
from etl.page_format.yaml_text import PageError, load_yaml
from etl.sources.build_caches.naming import is_view
from etl.sources.named import Asked
from etl.text import printable

_MAX_BYTES = 1 << 20
_VARIABLE = re.compile(r"\$\{?(\w+)\}?")


def is_mirrors_yaml(path: Path) -> bool:
    """Whether a file is called like Spack's list of mirrors."""
    return path.name == "mirrors.yaml" and path.is_file()


def read_mirrors_yaml(path: Path) -> list[Asked]:
    """The caches that a ``mirrors.yaml`` names, in its order; one that is wrong has a ``fault``.

    Raises:
        UsageError: it cannot be read, or is no list of mirrors.
    """
    place = printable(str(path))
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(f"{place}: has more than {_MAX_BYTES:,} bytes; not read")
        value = load_yaml(path.read_bytes().decode())
    except OSError as error:
        raise UsageError(f"{place}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{place}: not UTF-8 text") from None
    except PageError as error:
        raise UsageError(f"{place}: {printable(str(error))}") from None
    mirrors = None
    if isinstance(value, dict):
        # "mirrors::" hides what other files of Spack's configuration have.
        mirrors = value.get("mirrors", value.get("mirrors:"))
    if not isinstance(mirrors, dict):
        raise UsageError(f"{place}: has no mirrors in it, as in mirrors: {{name: address}}")
    found: list[Asked] = []
    for name, entry in mirrors.items():
        try:
            asked = _mirror(name, entry, path.parent)
        except UsageError as error:
            asked = Asked(str(path), fault=str(error))
        found += [asked] if asked else []
    return found


def _mirror(name: object, entry: object, folder: Path) -> Asked | None:
    where = f"mirror {printable(str(name))[:80]}"
    if not is_name(name):
        raise UsageError(f"{where}: this cannot be the name of a cache")
    if isinstance(entry, str):
        return Asked(_address(entry, folder), str(name))
    if not isinstance(entry, dict):
        raise UsageError(f"{where}: expected an address, or url and the like")
    if entry.get("binary") is False:
        return None
    fetch = entry.get("fetch")
    inner = {"url": fetch} if isinstance(fetch, str) else fetch if isinstance(fetch, dict) else {}
    told = {**entry, **inner}
    url, view, signed = told.get("url"), told.get("view"), told.get("signed")
    if not isinstance(url, str) or not url:
        raise UsageError(f"{where}: has no url")
    if view is not None and (not isinstance(view, str) or not is_view(view)):
        raise UsageError(f"{where}: {view!r:.80} cannot be the name of a view")
    is_signed = signed if isinstance(signed, bool) else None
    return Asked(_address(url, folder), str(name), view, is_signed)


def _address(url: str, folder: Path) -> str:
    """An address, or the path of a folder; variables as Spack fills them in."""
    known = {name.lower(): text for name, text in os.environ.items()}
    filled = _VARIABLE.sub(lambda found: known.get(found[1].lower(), found[0]), url)
    if filled.startswith("file://"):
        return unquote(filled.removeprefix("file://"))
    if "://" in filled:
        return filled
    return str(folder / Path(filled).expanduser())
