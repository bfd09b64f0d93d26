"""A catalog opened for reading, and only for reading."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etl.catalog.schema import SCHEMA_VERSION
from etl.errors import ReadError

APPLICATION_ID = 0x53706B43
"""In the header of every catalog (``SpkC``), so that a command can tell it from other files."""


READABLE = ("1", SCHEMA_VERSION)
"""The schemas from which a catalog can be built again; commands read only the last of them."""


def is_catalog_file(path: Path) -> bool:
    """Whether a file says of itself that it is a catalog."""
    try:
        if not path.is_file():  # a pipe would have to be waited for
            return False
        with path.open("rb") as stream:
            head = stream.read(100)
    except OSError:
        return False
    return head.startswith(b"SQLite format 3\0") and head[68:72] == APPLICATION_ID.to_bytes(
        4, "big"
    )


@contextmanager
def open_catalog(
    path: Path, schemas: tuple[str, ...] = (SCHEMA_VERSION,)
) -> Iterator[sqlite3.Connection]:
    """A connection that cannot change the catalog at ``path``.

    Raises:
        ReadError: there is none, it is not a catalog, it is damaged, or another version wrote it.
    """
    if not path.is_file():
        raise ReadError(
            f"{path}: there is no catalog; build one with: spack-catalog build SOURCE"
            f" --catalog {path}"
        )
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        # Memory that is mapped need not be copied.
        db.execute("PRAGMA mmap_size = 0x7fff0000")
    except sqlite3.Error as error:
        raise ReadError(f"{path}: cannot be opened: {error}") from None
    try:
        _check_kind(db, path, schemas)
        yield db
    except sqlite3.DatabaseError as error:
        # What another version wrote may lack what this one asks for.
        hint = "; build it again" if str(error).startswith("no such ") else ""
        raise ReadError(f"{path}: cannot be read as a catalog: {error}{hint}") from None
    finally:
        db.close()


def refuse_cut_off(db: sqlite3.Connection) -> None:
    """Refuse a file that is shorter than it says.

    Raises:
        ValueError: it is.
    """
    (told,) = db.execute("PRAGMA page_count").fetchone()
    (size,) = db.execute("PRAGMA page_size").fetchone()
    (file,) = (it[2] for it in db.execute("PRAGMA database_list") if it[1] == "main")
    if Path(file).stat().st_size < told * size:
        raise ValueError("it is cut off")


def check_whole(path: Path, schemas: tuple[str, ...] = (SCHEMA_VERSION,)) -> None:
    """Make sure that a file is a catalog, of one of these schemas, and not cut off.

    Raises:
        ReadError: it is not.
    """
    with open_catalog(path, schemas) as db:
        try:
            refuse_cut_off(db)
        except ValueError as error:
            raise ReadError(f"{path}: is damaged: {error}") from None


def _check_kind(db: sqlite3.Connection, path: Path, schemas: tuple[str, ...]) -> None:
    (application,) = db.execute("PRAGMA application_id").fetchone()
    if application != APPLICATION_ID:
        raise ReadError(f"{path}: is not a catalog that spack-catalog built")
    row = db.execute("SELECT value FROM catalog_info WHERE key = 'schema_version'").fetchone()
    version = row[0] if row else ""
    if str(version).isdecimal() and int(version) > int(SCHEMA_VERSION):
        raise ReadError(
            f"{path}: was built by a newer version of spack-catalog (schema {version}, this one"
            f" reads {SCHEMA_VERSION}); update spack-catalog"
        )
    if version not in schemas:
        raise ReadError(
            f"{path}: was built by another version of spack-catalog; build it again, from its"
            f" sources or with: spack-catalog build {path}"
        )
