"""``spack-catalog build``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from etl.catalog.kept import read_catalog
from etl.catalog.known import newest_reading
from etl.catalog.reader import is_catalog_file
from etl.commands.options import catalog_option, progress_option, selection_options, workers_option
from etl.errors import UsageError
from etl.progress import Progress, silently
from etl.records import Problem
from etl.sources.build_caches.naming import checked_view, read_owner
from etl.sources.download.fetch import Fetcher
from etl.sources.files import sha256_of
from etl.sources.mirrors_yaml import is_mirrors_yaml, read_mirrors_yaml
from etl.sources.named import read_asked, refuse_twice, with_name
from etl.sources.recognise import read_recipe_folder, read_source
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
@click.option("--view", multiple=True, metavar="NAME", help="Read only this view; repeatable.")
@click.option(
    "--as",
    "owner",
    metavar="TAG[/STACK]",
    help="What a mirror is that does not say whose it is. [default: the name of its folder]",
)
@click.option("--strict", is_flag=True, help="Write nothing if any input is refused.")
@click.option("--offline", is_flag=True, help="Read addresses from the download cache alone.")
@click.option("--sizes", is_flag=True, help="Ask build caches on the web for each binary's size.")
@click.option(
    "--recipes",
    metavar="FOLDER",
    help="A checkout of spack-packages: what packages are, their licences, which virtual"
    " packages they provide.",
)
@click.option(
    "--at",
    metavar="TIME",
    help="When the sources are read, as 2025-03-30 or 2025-03-30T06:00:00Z; it is recorded."
    " [default: when each index was published, where a server tells that]",
)
@workers_option
@progress_option
def build(
    sources: tuple[str, ...],
    catalog: Path,
    tag: tuple[str, ...],
    stack: tuple[str, ...],
    package: tuple[str, ...],
    view: tuple[str, ...],
    owner: str | None,
    strict: bool,
    offline: bool,
    sizes: bool,
    recipes: str | None,
    at: str | None,
    workers: Workers,
    progress: bool,
) -> None:
    """Build the catalog from SOURCEs, whole, and put it in the place of the old one.

    NAME=SOURCE names a cache, so that several stand side by side: e4s=https://cache.e4s.io has
    its tags as e4s:v2025.11.0.

    Besides what follows, a SOURCE may be s3://bucket/prefix, all indexes and views in a bucket, or
    oci://registry/name, a build cache in a container registry; or Spack's own mirrors.yaml,
    each mirror of which is a named cache.

    A SOURCE is a page of cache.spack.io (specs.md), a folder of any depth with such pages, for
    example a clone of the site, or a .zip, .tar or .tar.gz of one; or a build cache: its folder,
    its index.json, a folder TAG/STACK/index.json, or the address of a build cache or of a whole
    bucket such as https://binaries.spack.io.  It is recognised by what it contains.

    A SOURCE may also be a catalog: then the new one knows all that it knows.  What the other
    sources have of a tag and stack replaces what the catalog had of it; what they no longer have
    is kept, marked as gone.  A catalog is always taken whole.

    Exit codes: 0 all well; 1 some input was refused, the rest is in the catalog; 2 wrong usage;
    3 nothing was written.
    """
    started = time.monotonic()
    if owner is not None:
        read_owner(owner)  # which refuses what cannot be one
    selection = Selection(
        frozenset(tag),
        frozenset(stack),
        frozenset(package),
        frozenset(map(checked_view, view)),
        owner,
    )
    asked = [
        it
        for name in sources
        for it in (
            read_mirrors_yaml(Path(name)) if is_mirrors_yaml(Path(name)) else [read_asked(name)]
        )
    ]
    refuse_twice(asked)
    follow = Progress() if progress else None
    with Fetcher(offline=offline, progress=follow.receiving if follow else None) as fetcher:
        catalogs, others = sort_out_catalogs([it.address for it in asked if it.name is None])
        named = {it.address for it in asked if it.name} | set(others)
        streams = [
            (
                it.address,
                with_name(
                    it,
                    read_source(
                        it.address, it.within(selection), fetcher, sizes=sizes, workers=workers
                    ),
                ),
            )
            for it in asked
            if it.address in named
        ]
        if recipes is not None:
            streams.append((recipes, read_recipe_folder(recipes)))
        readings = [
            Reading(str(path), read_catalog(path), is_catalog=True) for path in catalogs
        ] + [
            Reading(
                name,
                follow.reading(name, records) if follow else records,
                selection.packages,
                selection.stacks,
            )
            for name, records in streams
        ]
        summary = build_catalog(
            readings, catalog, strict=strict, follow=follow or silently, at=time_of(at)
        )
    _print_summary(summary, catalog, time.monotonic() - started)
    click.get_current_context().exit(1 if summary.refused else 0)


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
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--at {printable(text)}: not a time such as 2025-03-30 or 2025-03-30T06:00:00Z"
        ) from None
    in_utc = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return in_utc.strftime("%Y-%m-%dT%H:%M:%SZ")


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
