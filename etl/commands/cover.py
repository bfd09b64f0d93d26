"""``spack-catalog cover``."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from etl.catalog.reader import open_catalog
from etl.commands.options import readable_catalog_option, the_tag
from etl.cover.cover import ANY_TAG, Cover
from etl.cover.cover import cover as cover_of
from etl.cover.reasons import Reasons, reasons
from etl.cover.report import (
    COLUMNS,
    as_json,
    as_rows,
    differences_in_words,
    install_commands,
    refused,
    title,
)
from etl.csv_text import as_csv
from etl.errors import UsageError
from etl.hosts.profiles import find_host
from etl.locks.read import LOCK_FILE, MAX_BYTES, Lock, read_lock
from etl.memory import no_garbage_collection
from etl.text import counted, in_bytes, printable

_SHOWN = 20
_DIFFERENCES = 4
_CHANGES = 5
_PLACES = 6


@click.command()
@click.argument("locks", metavar="LOCK...", nargs=-1, required=True)
@readable_catalog_option
@click.option(
    "--tag",
    metavar="TAG",
    help="Look in this tag, or in any: all tags. [default: the tag with the best coverage]",
)
@click.option(
    "--host",
    "host_name",
    metavar="HOST",
    help="Show what this host can use: host (this machine), rocky8/zen3, or a file.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("table", "json", "csv", "install")),
    default="table",
    show_default=True,
)
@no_garbage_collection()
def cover(
    locks: Sequence[str], catalog: Path, tag: str | None, host_name: str | None, form: str
) -> None:
    """Show how much of an environment is in the catalog, why the rest is not, and what would help.

    LOCK is a spack.lock, the folder of an environment, the output of spack spec --json, a
    .spec.json, or - for standard input.

    Exit codes: 0 nothing has to be compiled: what is missing, if anything, are build dependencies
    that nothing needs any more; 1 some specs are missing and have to be compiled; 2 a LOCK cannot
    be read, or the tag or host is unknown; 3 there is no catalog.
    """
    host = find_host(host_name) if host_name else None
    read = [_read(it) for it in locks]
    with open_catalog(catalog) as db:
        of_tag = the_tag(db, tag) if tag and tag != ANY_TAG else tag
        covers = [cover_of(db, it, of_tag, host) for it in read]
        told = [(it, reasons(db, it)) for it in covers]
        if form == "json":
            found = [as_json(*it) for it in told]
            click.echo(json.dumps(found[0] if len(found) == 1 else found, indent=2))
        elif form == "csv":
            rows = (row for it in told for row in as_rows(*it))
            click.echo(as_csv(COLUMNS, rows).rstrip("\n"))
        elif form == "install":
            click.echo("\n".join(line for it in covers for line in install_commands(db, it)))
        else:
            click.echo("\n\n".join("\n".join(_lines(*it)) for it in told))
    raise click.exceptions.Exit(1 if any(it.to_build for it in covers) else 0)


def _read(name: str) -> Lock:
    """The lock in a file, a folder or standard input."""
    if name == "-":
        return read_lock(_decoded(sys.stdin.buffer.read(MAX_BYTES + 1), "-"), "-")
    path = Path(name)
    if path.is_dir():
        path /= LOCK_FILE
        if not path.exists():
            raise UsageError(
                f"{name}: has no spack.lock; concretize it first, with: spack -e {name} concretize"
            )
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    return read_lock(_decoded(data, str(path)), str(path))


def _decoded(data: bytes, name: str) -> str:
    if len(data) > MAX_BYTES:
        raise UsageError(f"{name}: has more than {MAX_BYTES // 1_000_000} MB; not read")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{name}: is not UTF-8 text; expected a spack.lock") from None


def _lines(cover: Cover, told: Reasons) -> Iterator[str]:
    lock = cover.lock
    where = f"in {cover.tag}" if cover.tag else "in all tags"
    yield f"{printable(lock.name)}: {counted(len(lock.specs), 'spec')}, {where}:"
    size, known = cover.download
    of = "" if known == len(cover.available) else f" for the {known:,} of known size"
    download = f", {in_bytes(size)} to download{of}" if known else ""
    yield f"  {len(cover.available):>6,} in the cache{download}"
    yield f"  {len(cover.external):>6,} external"
    yield f"  {len(cover.missing):>6,} missing"
    if cover.missing:
        spared = len(cover.missing) - len(cover.to_build)
        yield f"  {spared:>6,} of them only needed to build what is in the cache"
        yield f"  {len(cover.to_build):>6,} to compile"
    for kind, found in (("cache", cover.caches), ("stack", cover.stacks)):
        shown = [f"{name} {number:,}" for name, number in found[:_PLACES]]
        if len(found) > _PLACES:
            shown.append(f"and {len(found) - _PLACES:,} more")
        if shown:
            yield f"  in the cache, by {kind}: {', '.join(shown)}"
    if any(it.verdict for it in cover.available):
        refusals = refused(cover)
        total = sum(len(those) for _, those in refusals)
        yield f"  {total:>6,} in the cache that the host cannot use"
        for why_not, those in refusals[:_SHOWN]:
            titles = [title(it.spec) for it in those[:_DIFFERENCES]]
            if len(those) > _DIFFERENCES:
                titles.append(f"and {len(those) - _DIFFERENCES:,} more")
            yield f"          {len(those):,}: {why_not}: {', '.join(titles)}"
        yield from _more(len(refusals))
    if not cover.missing:
        return
    yield from ("", "missing, most dependents first:")
    why = {it.hash: it for it in told.explained}
    for miss in cover.missing[:_SHOWN]:
        note = "" if miss.needed else ", not needed"
        yield f"  {title(miss.spec)} ({counted(miss.dependents, 'dependent')}{note})"
        if reason := why.get(miss.spec.hash):
            words = differences_in_words(reason)
            yield from (f"      {it}" for it in words[:_DIFFERENCES])
            if len(words) > _DIFFERENCES:
                yield f"      … and {len(words) - _DIFFERENCES:,} more"
    yield from _more(len(cover.missing))
    of = counted(len(cover.missing), "miss", "misses")
    if told.common:
        yield from ("", "causes, with the number of missing specs:")
        yield from (f"  {number:,} of {of}: {it.what}" for it, number in told.common[:_SHOWN])
        yield from _more(len(told.common))
    if told.changes:
        yield from ("", "suggested changes, with the specs gained:")
    for change in told.changes[:_CHANGES]:
        yield f"  {' and '.join(change.advice)} → {change.gain:,} more"
        yield from (
            f"      and remove {' '.join(it.words)} from the spec {printable(it.spec)}"
            for it in change.asked[:_DIFFERENCES]
        )
        if len(change.asked) > _DIFFERENCES:
            yield f"      … and from {len(change.asked) - _DIFFERENCES:,} more specs"
    if len(told.changes) > _CHANGES:
        yield f"  … and {len(told.changes) - _CHANGES:,} more; --format json has all"


def _more(number: int) -> Iterator[str]:
    if number > _SHOWN:
        yield f"  … and {number - _SHOWN:,} more; --format json or csv has all"
