"""``spack-catalog update``."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import click

from etl.catalog.kept import read_catalog
from etl.catalog.known import (
    changes_at,
    known_digests,
    known_indexes,
    known_mirrors,
    known_sources,
    newest_reading,
)
from etl.catalog.reader import is_catalog_file
from etl.commands.build import is_catalog_address, print_refused, reading_of, recorded, time_of
from etl.commands.options import (
    catalog_option,
    progress_option,
    selection_options,
    workers_option,
)
from etl.errors import SourceError, UsageError
from etl.kept_records import KeptMirror
from etl.progress import Progress, silently
from etl.records import Digest, Listing, Mirror, PackagePages, Page, Problem, Source
from etl.sources.build_caches.indexes import Known
from etl.sources.download.fetch import Fetcher
from etl.sources.requests import Request, read_requests, remembered
from etl.sources.selection import EVERYTHING, Selection
from etl.text import counted, more_gone, printable
from etl.workers import Workers
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from etl.writer.merging import lacks
from etl.writer.swap import alone


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@catalog_option
@selection_options
@click.option(
    "--sizes", is_flag=True, help="Request the size of each binary from build caches on the web."
)
@click.option(
    "--at",
    metavar="TIME",
    help="Record this as the time when the sources were read. [default: now]",
)
@click.option(
    "--format", "form", type=click.Choice(("text", "json")), default="text", show_default=True
)
@workers_option
@progress_option
def update(
    sources: tuple[str, ...],
    catalog: Path,
    selection: Selection,
    sizes: bool,
    at: str | None,
    form: str,
    workers: Workers,
    progress: bool,
) -> None:
    """Update the catalog, and show what changed.

    SOURCEs are read as by build, with the same options; by default the addresses and named caches
    that the catalog was built from, each with the options it was read with.  Of build caches on
    the web, only changes are downloaded.  Binaries that they no longer have are kept, and marked
    as gone.  The new catalog is checked before it replaces the old one; if nothing changed,
    nothing is written.  Two updates of a catalog never run at once.

    Exit codes: 0 all well, changed or not; 1 some input was refused, the rest is in the catalog;
    2 wrong usage; 3 nothing was written.
    """
    follow = Progress() if progress else None
    with alone(catalog), Fetcher(progress=follow.receiving if follow else None) as fetcher:
        newest = newest_reading(catalog) if catalog.exists() else ""
        moment = _moment(at, newest)
        known = known_indexes(catalog) if catalog.exists() else {}
        requests = _requests(sources, catalog, selection, sizes=sizes)
        news = _news(catalog, requests, fetcher, known, workers)
        if isinstance(news, list):
            report: dict[str, Any] = {"changed": False, "at": moment}
            refused = tuple(news)
        else:
            readings = [reading_of(it, fetcher, workers, known=known) for it in requests]
            if catalog.exists():
                if at is not None and moment < newest:
                    raise UsageError(
                        f"--at {moment}: {printable(str(catalog))} was last read at {newest};"
                        " name a later time"
                    )
                old = Reading(str(catalog), read_catalog(catalog), is_catalog=True)
                readings.insert(0, old)
            summary = build_catalog(
                readings,
                catalog,
                follow=follow or silently,
                at=moment,
                check=True,
                workers=workers,
            )
            report = {"changed": True, "at": moment} | changes_at(catalog, moment)
            refused = summary.refused
    report["refused"] = [f"{it.place}: {it.message}" for it in refused]
    click.echo(json.dumps(report, indent=2) if form == "json" else _text(report, catalog))
    print_refused(refused)
    click.get_current_context().exit(1 if refused else 0)


def _moment(at: str | None, newest: str) -> str:
    """When the sources are read: as the user says, or now; ``newest`` is when they were last.

    What changed is told by its time, so that no two readings can have the same: one of the same
    minute, or of the same day where the user names a day, is at least a second after the last.
    """
    moment = time_of(at) or recorded(datetime.now(timezone.utc))
    if not newest:
        return moment
    last, said = (datetime.fromisoformat(it.rstrip("Z")) for it in (newest, moment))
    is_of_that_day = at is not None and len(at) == len("2025-03-30") and newest.startswith(at)
    if is_of_that_day or timedelta(0) <= last - said < timedelta(minutes=1):
        return recorded(last + timedelta(seconds=1))
    return moment


def _requests(
    sources: tuple[str, ...], catalog: Path, selection: Selection, *, sizes: bool
) -> list[Request]:
    """What is asked for: by the user, else what the catalog remembers of how it was built.

    Raises:
        UsageError: there is nothing to ask for.
    """
    if sources:
        requests = read_requests(sources, selection, sizes=sizes)
        for it in requests:
            address = it.asked.address
            if is_catalog_address(address) or is_catalog_file(Path(address)):
                name = printable(address)
                raise UsageError(
                    f"{name} is a catalog, and update reads build caches and pages; merge it with:"
                    f" spack-catalog build {printable(str(catalog))} {name}"
                )
        return requests
    if selection != EVERYTHING or sizes:
        raise UsageError(
            "name the SOURCE that the options are about; without one, each source"
            " is read with the options of the build"
        )
    known = known_sources(catalog) if catalog.exists() else []
    if not known:
        raise UsageError("name a SOURCE: the catalog was not built from any address")
    return [remembered(*it) for it in known]


def _news(
    catalog: Path, requests: list[Request], fetcher: Fetcher, known: Known, workers: Workers
) -> list[Problem] | None:
    """What was refused, if there is nothing else that is new; None as soon as there is."""
    if not catalog.exists():
        return None
    mirrors = [it for it in known_mirrors(catalog) if it.gone_since is None]
    read_before = known_digests(catalog)
    refused: list[Problem] = []
    for request in requests:
        how = request.asked.name, request.options
        location, is_told = "", False
        try:
            for record in request.read(fetcher, known=known, workers=workers):
                if isinstance(record, Source):
                    location, is_told = record.location, False
                elif isinstance(record, Mirror | Page | PackagePages):
                    is_told = True
                elif isinstance(record, Digest):
                    # What is unchanged is not told again, and has the same digest.
                    if is_told and (*how, location, record.sha256) not in read_before:
                        return None
                elif isinstance(record, Listing):
                    if _lacks_any(record, mirrors):
                        return None
                elif isinstance(record, Problem) and record.kind == "refused":
                    refused.append(record)
        except SourceError as error:
            refused.append(Problem(error.place, "refused", error.message))
    return refused


def _lacks_any(listing: Listing, mirrors: list[KeptMirror]) -> bool:
    """Whether a build cache of the catalog is not listed any more."""
    return any(lacks(listing, it) for it in mirrors)


def _text(report: dict[str, Any], catalog: Path) -> str:
    """The report as a paragraph."""
    name = printable(str(catalog))
    if not report["changed"]:
        return f"{name}: nothing changed; nothing was written."
    parts = [
        f"{counted(report['binaries_added'], 'binary', 'binaries')} added,"
        f" {report['binaries_removed']:,} removed, {report['binaries_returned']:,} returned;"
        f" now {counted(report['binaries'], 'binary', 'binaries')}{more_gone(report['gone'])}."
    ]
    for key, what in (("mirrors_added", "New"), ("mirrors_gone", "Gone")):
        if listed := report[key]:
            told = counted(len(listed), "build cache")
            parts.append(f"{what}: {told} ({printable(', '.join(listed[:5]))}{_more(listed)}).")
    return f"{name}: {' '.join(parts)}"


def _more(listed: list[str]) -> str:
    return f" and {len(listed) - 5:,} more" if len(listed) > 5 else ""
