"""Which of the databases that Datasette serves is the catalog, whatever it is called."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from datasette_spack.database import CatalogDatabase
from etl.catalog.reader import APPLICATION_ID

USUAL: Final = "catalog"
"""What ``spack-catalog serve`` calls it."""

_AT: Final = 68
"""Where the header of an SQLite file has the id of the application."""


def catalog_name(datasette: Any) -> str | None:
    """The name of the database that is a catalog; of several the usual one, else the first."""
    names = [name for name, it in datasette.databases.items() if is_catalog_file(it)]
    return USUAL if USUAL in names else next(iter(names), None)


def is_alone(datasette: Any) -> bool:
    """Whether the catalog is all that is served: then the site is ours, its home page too."""
    names = [name for name in datasette.databases if name not in ("_internal", "_memory")]
    return len(names) <= 1 and all(
        name == USUAL or is_catalog_file(datasette.databases[name]) for name in names
    )


def is_catalog_file(database: Any) -> bool:
    """Whether a database is in a file that ``spack-catalog build`` made."""
    if isinstance(database, CatalogDatabase):
        return True
    path = getattr(database, "path", None)
    if not path:
        return False
    try:
        status = Path(path).stat()
        return _has_mark(str(path), status.st_mtime_ns, status.st_size)
    except OSError:
        return False


@lru_cache(64)
def _has_mark(path: str, changed: int, size: int) -> bool:
    del changed, size  # another file under the same path is looked at again
    with Path(path).open("rb") as file:
        file.seek(_AT)
        return file.read(4) == APPLICATION_ID.to_bytes(4, "big")
