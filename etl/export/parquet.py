"""A catalog as Parquet files, for DuckDB, Spark, Trino, pandas and others of their kind.

The same catalog gives the same bytes, so a second export leaves alone what has not changed: each
file says by what rows it was made.  Each is written beside its place and renamed into it, and an
export that was interrupted goes on where it was.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Final

from etl.catalog.schema import SCHEMA_VERSION
from etl.errors import CatalogError, WriteError
from etl.export.datasets import Column, Datasets, Part, Row
from etl.export.folder import METADATA, alone_in, changing, earlier_files, remove, unfinished
from etl.progress import Follower
from etl.sources.files import sha256_from

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ImportError:  # pragma: no cover - told to whoever asks for an export
    pa = pq = None

FORMAT: Final = "1"
"""Part of what a file is made by: a change here makes every file anew."""

_MADE_BY: Final = b"spack_catalog.rows"
_GROUP: Final = 65_536
"""Rows of a row group; also how many are held in memory at once."""

_TOLD: Final = 4_096
"""Rows that are digested at once, as one text."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did: files in all, files written, files removed, rows and bytes in all."""

    files: int
    written: int
    removed: int
    rows: int
    size: int


def export_parquet(
    db: sqlite3.Connection, catalog: Path, folder: Path, follow: Follower
) -> Exported:
    """Write a catalog that is open, and whose file is ``catalog``, to a folder.

    Files of an earlier export that the catalog does not have any more are removed; others in the
    folder are left alone.

    Raises:
        CatalogError: the library that writes Parquet is not installed.
        ReadError: the folder holds something else.
        WriteError: the folder cannot be written, or another export is writing to it.
    """
    if pq is None:
        raise CatalogError(
            "writing Parquet needs pyarrow; install it with: pip install 'spack-catalog[parquet]'"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Opened now: until the end another catalog may have taken the place of this one.
        with catalog.open("rb") as file, alone_in(folder):
            before = earlier_files(folder, lambda path: _made_by(path) is not None)
            datasets = Datasets(db)
            parts = list(datasets.parts())
            files: dict[str, dict[str, Any]] = {}
            written = 0
            for part in follow(parts, "writing Parquet files", len(parts)):
                made = _write_part(datasets, part, folder)
                written += made.is_new
                files[part.path] = {"dataset": part.dataset, "rows": made.rows, "bytes": made.size}
            removed = remove(folder, before - files.keys())
            _write_metadata(folder, sha256_from(file), parts, files)
    except OSError as error:
        raise WriteError(
            f"{error.filename or folder}: cannot be written: {error.strerror}"
        ) from None
    return Exported(
        len(files),
        written,
        removed,
        sum(it["rows"] for it in files.values()),
        sum(it["bytes"] for it in files.values()),
    )


@dataclass(frozen=True, slots=True)
class _Made:
    rows: int
    size: int
    is_new: bool


def _write_part(datasets: Datasets, part: Part, folder: Path) -> _Made:
    """Write one file, unless the one that is there was made of the same rows."""
    path = folder / part.path
    before = _made_by(path)
    if before is not None:
        seen = _Seen(part)
        rows = sum(map(len, seen.batches(datasets.rows(part))))
        if before == seen.digest():
            return _Made(rows, path.stat().st_size, is_new=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema([pa.field(column.name, _arrow_type(column)) for column in part.columns])
    by = [name for name in ("package",) if part.is_by_package and name in schema.names]
    new = unfinished(path)
    seen, rows = _Seen(part), 0
    try:
        with pq.ParquetWriter(
            new,
            schema,
            compression="zstd",
            use_dictionary=True,
            write_statistics=True,
            write_page_index=True,
            store_schema=False,
            sorting_columns=pq.SortingColumn.from_ordering(
                schema, [(it, "ascending") for it in by]
            ),
        ) as writer:
            for batch in seen.batches(datasets.rows(part)):
                rows += len(batch)
                columns = [
                    pa.array(datasets.values(column, batch), _arrow_type(column))
                    for column in part.columns
                ]
                writer.write_table(pa.table(columns, schema=schema), row_group_size=_GROUP)
            writer.add_key_value_metadata({_MADE_BY.decode(): seen.digest().decode()})
        changing(folder)
        _settle(new, path)
    finally:
        new.unlink(missing_ok=True)
    return _Made(rows, path.stat().st_size, is_new=True)


class _Seen:
    """A digest of all that the bytes of a file follow from, made as its rows pass."""

    def __init__(self, part: Part) -> None:
        self._digest = sha256(repr((FORMAT, pa.__version__, part.columns)).encode())

    def batches(self, rows: Iterator[Row]) -> Iterator[list[Row]]:
        """The rows, as many at once as a row group has."""
        while batch := list(islice(rows, _GROUP)):
            for at in range(0, len(batch), _TOLD):
                self._digest.update(repr(batch[at : at + _TOLD]).encode())
            yield batch

    def digest(self) -> bytes:
        """The digest of what has passed so far."""
        return self._digest.hexdigest().encode()


def _made_by(path: Path) -> bytes | None:
    """What the file says it was made of; None if there is none, or none that is whole."""
    with suppress(OSError, pa.ArrowException):
        if path.is_file():  # a pipe would have to be waited for
            metadata = pq.read_metadata(path).metadata or {}
            return metadata.get(_MADE_BY)
    return None


def _arrow_type(column: Column) -> Any:
    return {
        "integer": pa.int64(),
        "real": pa.float64(),
        "text": pa.string(),
        "list": pa.list_(pa.string()),
        "map": pa.map_(pa.string(), pa.string()),
    }[column.kind]


def _write_metadata(
    folder: Path, catalog_sha256: str, parts: list[Part], files: dict[str, dict[str, Any]]
) -> None:
    """Say what the folder holds: written last, so that it is there only when all is."""
    rows = Counter[str]()
    for it in files.values():
        rows[it["dataset"]] += it["rows"]
    datasets = {
        part.dataset: {
            "rows": rows[part.dataset],
            "columns": {column.name: str(_arrow_type(column)) for column in part.columns},
        }
        for part in parts
    }
    content = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "catalog_sha256": catalog_sha256,
        "datasets": datasets,
        "files": files,
    }
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    path = folder / METADATA
    if path.exists() and path.read_text("utf-8") == text:
        return
    new = unfinished(path)
    new.write_text(text, "utf-8")
    _settle(new, path)


def _settle(new: Path, path: Path) -> None:
    """Put a file that is whole into its place."""
    with new.open("rb") as file:
        os.fsync(file.fileno())
    new.replace(path)
