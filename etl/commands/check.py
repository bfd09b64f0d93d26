"""``spack-catalog check``."""

from __future__ import annotations

from pathlib import Path

import click

from etl.catalog.check import check_catalog, check_pages, count_incomplete
from etl.catalog.reader import open_catalog
from etl.commands.options import progress_option, readable_catalog_option
from etl.errors import CatalogError
from etl.progress import Progress, silently
from etl.text import counted, printable


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@readable_catalog_option
@progress_option
def check(sources: tuple[str, ...], catalog: Path, progress: bool) -> None:
    """Check the catalog: integrity, foreign keys and counts.

    With SOURCEs, also check that every page in them can be written again byte for byte.
    """
    follow = Progress() if progress else silently
    with open_catalog(catalog) as db:
        faults = list(check_catalog(db))
        incomplete = count_incomplete(db)
        for name in sources:
            faults += check_pages(db, Path(name), follow)
    for fault in faults:
        click.echo(fault)
    if faults:
        raise CatalogError(
            f"{catalog}: {counted(len(faults), 'fault')}; build it again from its sources, or"
            " download it again"
        )
    click.echo(f"{printable(str(catalog))}: no faults")
    if incomplete:
        told = counted(incomplete, "binary", "binaries")
        click.echo(f"{told} cannot be installed from the cache alone (binaries.complete = 0)")
