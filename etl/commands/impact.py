"""``spack-catalog impact``."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

import click

from etl.catalog.reader import open_catalog
from etl.commands.nothing_found import tell_nothing_found
from etl.commands.options import readable_catalog_option, the_tag
from etl.compare.impact import Impact, Part
from etl.compare.impact import impact as impact_of
from etl.query.find import Finder, Scope
from etl.spack.syntax import parse_spec
from etl.text import counted, in_bytes

_SHOWN = 20


@click.command()
@click.argument("spec", metavar="SPEC")
@readable_catalog_option
@click.option(
    "--tag",
    metavar="TAG",
    help="Of this tag, or newest-release. [default: the newest that has SPEC]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "csv")),
    default="text",
    show_default=True,
)
def impact(spec: str, catalog: Path, tag: str | None, form: str) -> None:
    """Say which binaries contain SPEC, and so would be rebuilt if it changed.

    SPEC is a package (zlib-ng), or one with more (xz@5.6.0:5.6.1).  Those that link to it, that
    need it to run, and that were only built with it are told apart.

    Exit codes: 0 something contains it; 1 nothing does; 2 SPEC cannot be read; 3 there is no
    catalog.
    """
    query = parse_spec(spec)
    with open_catalog(catalog) as db:
        tag = the_tag(db, tag) if tag else Finder(db).newest_tag([query], Scope())
        if tag is None:
            tell_nothing_found(db, [query], Scope())
            raise click.exceptions.Exit(1)
        found = impact_of(db, query, tag)
    if form == "json":
        click.echo(json.dumps({**asdict(found), "total": asdict(found.total)}, indent=2))
    elif form == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("package", "binaries"))
        writer.writerows(found.packages)
        click.echo(text.getvalue().rstrip("\n"))
    else:
        click.echo(_text(found))
    raise click.exceptions.Exit(0 if found.total.binaries else 1)


def _text(found: Impact) -> str:
    total = found.total
    stacks = counted(len(found.stacks), "stack")
    lines = [
        f"changing {found.what} rebuilds {_in_words(total)}, in {stacks} of {found.tag}:",
        f"  {_in_words(found.itself)} of its own",
        f"  {_in_words(found.links)} that link to it",
        f"  {_in_words(found.runs)} that need it to run, or what links to it",
        f"  {_in_words(found.builds)} that were only built with it, or with what was",
        "",
    ]
    shown = found.packages[:_SHOWN]
    width = max((len(name) for name, _ in shown), default=0)
    lines += [f"  {name.ljust(width)}  {number:>6,}" for name, number in shown]
    if len(found.packages) > _SHOWN:
        lines.append(f"  … and {len(found.packages) - _SHOWN:,} more; --format json or csv has all")
    return "\n".join(lines)


def _in_words(part: Part) -> str:
    told = counted(part.binaries, "binary", "binaries")
    if not part.sizes_known:
        return told
    of = "" if part.sizes_known == part.binaries else f" in the {part.sizes_known:,} of known size"
    return f"{told} ({in_bytes(part.size)}{of})"
