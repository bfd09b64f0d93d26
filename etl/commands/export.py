"""``spack-catalog export``."""

from __future__ import annotations

from pathlib import Path

import click

from etl.catalog.pages import PageWriter, export_pages
from etl.catalog.reader import open_catalog
from etl.commands.options import progress_option, readable_catalog_option
from etl.progress import Progress, silently
from etl.text import printable


@click.group()
def export() -> None:
    """Write the catalog in other formats."""


@export.command("pages")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER")
@readable_catalog_option
@progress_option
def pages(folder: Path, catalog: Path, progress: bool) -> None:
    """Write cache.spack.io's pages, byte for byte, to FOLDER/_cache/TAG/PACKAGE/specs.md."""
    follow = Progress() if progress else silently
    with open_catalog(catalog) as db:
        number = len(PageWriter(db))
        written = sum(1 for _ in follow(export_pages(db, folder), "writing pages", number))
    click.echo(f"{printable(str(folder))}: {written:,} pages")


@export.command("parquet")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER")
@readable_catalog_option
@progress_option
def parquet(folder: Path, catalog: Path, progress: bool) -> None:
    """Write Parquet files for DuckDB, Spark and the like; see docs/engines.md.

    In the folder of an earlier export, only files that have changed are written.
    """
    from etl.export.parquet import export_parquet

    with open_catalog(catalog) as db:
        done = export_parquet(db, catalog, folder, Progress() if progress else silently)
    click.echo(
        f"{printable(str(folder))}: {done.files:,} files, {done.written:,} written,"
        f" {done.removed:,} removed, {done.rows:,} rows, {done.size:,} bytes"
    )
