"""``spack-catalog serve``."""

from __future__ import annotations

from pathlib import Path

import click

from datasette_spack import serve as site
from datasette_spack.workers import MOST_WORKERS
from etl.commands.options import catalog_option


@click.command()
@catalog_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8001, show_default=True, type=click.IntRange(0, 65535), help="The port."
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, MOST_WORKERS),
    help="Number of server processes.",
)
def serve(catalog: Path, host: str, port: int, workers: int) -> None:
    """Serve the catalog as a website, with Datasette.

    When a build replaces the catalog, the server switches to the new one by itself; requests under
    way are not interrupted.
    """
    site.serve(catalog, host, port, workers=workers)
