"""``spack-catalog build``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from types import MappingProxyType

import click

from etl.catalog.kept import read_catalog
from etl.catalog.known import newest_reading
from etl.catalog.reader import READABLE, check_whole, is_catalog_file
from etl.commands.options import (
    catalog_option,
    downloaded_catalog,
    progress_option,
    selection_options,
    workers_option,
)
from etl.errors import UsageError
from etl.progress import Progress, silently
from etl.records import Problem, Record
from etl.sources.build_caches.indexes import Known
from etl.sources.download.fetch import Fetcher
from etl.sources.files import sha256_of
from etl.sources.recognise import read_recipe_folder
from etl.sources.requests import Request, read_requests
from etl.sources.selection import Selection
from etl.text import counted, more_gone, printable
from etl.workers import Workers
from etl.writer.build import Summary, build_catalog
from etl.writer.intake import Reading

_PROBLEMS_SHOWN = 20


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@catalog_option
@selection_options
@click.option("--strict", is_flag=True, help="Write nothing if any input is refused.")
@click.option(
    "--offline", is_flag=True, help="Download nothing; read addresses from the download cache."
)
@click.option(
    "--sizes", is_flag=True, help="Request the size of each binary from build caches on the web."
)
@click.option(
    "--recipes",
    metavar="FOLDER",
    help="A checkout of spack-packages, for the descriptions and licences of packages and the"
    " virtual packages that they provide.",
)
@click.option(
    "--at",
    metavar="TIME",
    help="Record this as the time when the sources were read: 2025-03-30 or 2025-03-30T06:00:00Z."
    " [default: when each index was published, if its server says so]",
)
@workers_option
@progress_option
def build(
    sources: tuple[str, ...],
    catalog: Path,
    selection: Selection,
    strict: bool,
    offline: bool,
    sizes: bool,
    recipes: str | None,
    at: str | None,
    workers: Workers,
    progress: bool,
) -> None:
    """Build the catalog from SOURCEs, and replace the old one.

    A SOURCE is a page of cache.spack.io (specs.md), a folder of any depth with such pages, for
    example a clone of the site, or a .zip, .tar or .tar.gz of one; or a build cache: its folder,
    its index.json, a folder TAG/STACK/index.json, or the address of a build cache or of a whole
    bucket such as https://binaries.spack.io.  It is recognised by its content.

    A SOURCE may also be s3://bucket/prefix, for all indexes and views in a bucket;
    oci://registry/name, for a build cache in a container registry; or Spack's mirrors.yaml, each
    mirror in which is a named cache.

    NAME=SOURCE names a cache, so that one catalog can have several: the tags of
    e4s=https://cache.e4s.io are called e4s:v2025.11.0.

    A SOURCE may also be a catalog, or the address of one such as https://example.org/catalog.db,
    which is read whole.  What other SOURCEs have of a tag and stack replaces what the catalog has
    of it; binaries that they no longer have are kept, and marked as gone.

    Exit codes: 0 all well; 1 some input was refused, the rest is in the catalog; 2 wrong usage;
    3 nothing was written.
    """
    started = time.monotonic()
    requests = read_requests(sources, selection, sizes=sizes)
    follow = Progress() if progress else None
    with Fetcher(offline=offline, progress=follow.receiving if follow else None) as fetcher:
        names = [it.asked.address for it in requests if it.asked.name is None]
        catalogs, others = sort_out_catalogs(_at_hand(it, offline=offline) for it in names)
        readings = [Reading(str(path), read_catalog(path), is_catalog=True) for path in catalogs]
        readings += [
            reading_of(it, fetcher, workers, follow=follow)
            for it in requests
            if it.asked.name or it.asked.address in others
        ]
        if recipes is not None:
            readings.append(
                Reading(recipes, _followed(read_recipe_folder(recipes), recipes, follow))
            )
        summary = build_catalog(
            readings,
            catalog,
            strict=strict,
            follow=follow or silently,
            at=time_of(at),
            workers=workers,
        )
    _print_summary(summary, catalog, time.monotonic() - started)
    click.get_current_context().exit(1 if summary.refused else 0)


def reading_of(
    request: Request,
    fetcher: Fetcher,
    workers: Workers,
    *,
    known: Known = MappingProxyType({}),
    follow: Progress | None = None,
) -> Reading:
    """What the writer takes of a source that is asked for."""
    asked, selection = request.asked, request.selection
    records = request.read(fetcher, known=known, workers=workers)
    return Reading(
        asked.address,
        _followed(records, asked.address, follow),
        selection.packages,
        selection.stacks,
        cache=asked.name,
        options=request.options,
    )


def _followed(records: Iterable[Record], name: str, follow: Progress | None) -> Iterable[Record]:
    return follow.reading(name, records) if follow else records


def is_catalog_address(source: str) -> bool:
    """Whether a source is taken for a catalog at an address."""
    return source.startswith(("https://", "http://")) and source.endswith((".db", ".db.gz"))


def _at_hand(source: str, *, offline: bool) -> str:
    """The source, or the copy of it if it is a catalog at an address.

    Raises:
        ReadError: it is one that cannot be had or read.
    """
    if not is_catalog_address(source):
        return source
    check = partial(check_whole, schemas=READABLE)
    return str(downloaded_catalog(source, check, offline=offline))


def sort_out_catalogs(sources: Iterable[str]) -> tuple[list[Path], list[str]]:
    """The catalogs among the sources, each once and by the time they were read; and the others.

    Raises:
        ReadError: a catalog cannot be read.
    """
    sources = list(sources)
    others = [name for name in sources if not is_catalog_file(Path(name))]
    catalogs = {
        (newest_reading(Path(name)), sha256_of(Path(name))): Path(name)
        for name in sources
        if is_catalog_file(Path(name))
    }
    return [path for _, path in sorted(catalogs.items())], others


def time_of(text: str | None) -> str | None:
    """A time as catalogs record it: in UTC, to the second.

    Raises:
        UsageError: it is not a time.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
    except ValueError:
        raise UsageError(
            f"--at {printable(text)}: not a time such as 2025-03-30 or 2025-03-30T06:00:00Z"
        ) from None
    in_utc = (
        found.replace(tzinfo=timezone.utc)
        if found.tzinfo is None
        else found.astimezone(timezone.utc)
    )
    return recorded(in_utc)


def recorded(time: datetime) -> str:
    """A time in UTC as catalogs record it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _print_summary(summary: Summary, catalog: Path, seconds: float) -> None:
    """What was read and written, and what was not."""
    contradictions = len(summary.problems) - len(summary.refused) - len(summary.skipped)
    click.echo(
        f"{printable(str(catalog))}: {counted(summary.sources, 'source')},"
        f" {counted(summary.tags, 'tag')}, {counted(summary.packages, 'package')},"
        f" {counted(summary.specs, 'spec')}, {counted(summary.binaries, 'binary', 'binaries')}"
        f"{more_gone(summary.gone)},"
        f" {counted(len(summary.problems), 'problem')}, {seconds:.1f} seconds"
    )
    print_refused(summary.refused)
    for problem in summary.skipped[:_PROBLEMS_SHOWN]:
        click.echo(f"skipped: {problem.place}: {problem.message}", err=True)
    if contradictions:
        are = "is" if contradictions == 1 else "are"
        told = counted(contradictions, "contradiction")
        click.echo(f"{told} {are} in the table problems", err=True)


def print_refused(refused: Sequence[Problem]) -> None:
    """Tell on the error output what was refused, or the first of it."""
    for problem in refused[:_PROBLEMS_SHOWN]:
        click.echo(f"refused: {problem.place}: {problem.message}", err=True)
    if len(refused) > _PROBLEMS_SHOWN:
        more = len(refused) - _PROBLEMS_SHOWN
        click.echo(f"refused: {more:,} more, all in the table problems", err=True)
