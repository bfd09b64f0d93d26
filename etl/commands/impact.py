"""``spack-catalog impact``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from etl.catalog.reader import open_catalog
from etl.commands.nothing_found import tell_nothing_found
from etl.commands.options import readable_catalog_option, the_tag
from etl.compare.impact import CLOSURES, Impact, Part, closure_for, impact_tag
from etl.compare.impact import impact as impact_of
from etl.compare.impact_rows import IMPACT_COLUMNS, PACKAGE_COLUMNS, impact_rows, rows_as_csv
from etl.query.find import Scope
from etl.spack.syntax import parse_spec
from etl.text import counted, in_bytes, printable

_SHOWN = 20
_NOT_TOLD = "unknown: the sources of {} do not list dependencies"


@click.command()
@click.argument("spec", metavar="SPEC")
@readable_catalog_option
@click.option(
    "--tag",
    metavar="TAG",
    help="Search this tag, newest or newest-release. [default: the newest with a match]",
)
@click.option(
    "--closure",
    type=click.Choice([*CLOSURES]),
    help="List binaries that have SPEC in their link closure, in their link and run closure, or"
    " that were built with it, too. [default: link if SPEC has a version, else build]",
)
@click.option(
    "--list",
    "listed",
    type=click.Choice(("binaries", "packages")),
    default="binaries",
    show_default=True,
    help="What CSV lists: the binaries, or their packages, those with most binaries first.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "csv")),
    default="text",
    show_default=True,
    help="JSON and CSV have all binaries; text has the packages with most binaries.",
)
def impact(
    spec: str, catalog: Path, tag: str | None, closure: str | None, listed: str, form: str
) -> None:
    """Show which binaries contain SPEC, and would be rebuilt if it changed.

    SPEC is a package (zlib-ng), or a package with constraints (xz@5.6.0:5.6.1).  Binaries that
    link to it, that need it to run, and that were only built with it are counted separately.

    Exit codes: 0 something contains it; 1 nothing does, or dependencies are unknown; 2 SPEC cannot
    be read; 3 there is no catalog.
    """
    query = parse_spec(spec)
    with open_catalog(catalog) as db:
        asked = the_tag(db, tag) if tag else None
        tag = asked or impact_tag(db, query)
        if tag is None:
            click.echo(_NOT_TOLD.format("this catalog"), err=True)
            raise click.exceptions.Exit(1)
        found = impact_of(db, query, tag, closure or closure_for(query))
        rows = impact_rows(db, found) if form != "text" else []
        if not found.is_told:
            click.echo(_NOT_TOLD.format(printable(tag)), err=True)
        elif not found.total.binaries:
            tell_nothing_found(db, [query], Scope(tag=asked))
    if form == "json":
        click.echo(json.dumps({**found.to_json(), "binaries": rows}, indent=2))
    elif form == "csv":
        csv = (found.packages, PACKAGE_COLUMNS) if listed == "packages" else (rows, IMPACT_COLUMNS)
        click.echo(rows_as_csv(*csv), nl=False)
    elif found.total.binaries:
        click.echo(_text(found))
    raise click.exceptions.Exit(0 if found.total.binaries else 1)


def _text(found: Impact) -> str:
    total = found.total
    stacks = counted(found.in_stacks, "stack")
    lines = [
        f"changing {found.what} rebuilds {_in_words(total)}, in {stacks} of {found.tag}:",
        f"  {_in_words(found.itself)} of its own",
        f"  {_in_words(found.links)} that link to it",
        f"  {_in_words(found.runs)} that need it, or something that links to it, to run",
        f"  {_in_words(found.builds)} that were only built with it, or with something that was",
        "",
    ]
    shown = found.packages[:_SHOWN]
    width = max((len(row["package"]) for row in shown), default=0)
    if found.closure != "build":
        listed = counted(found.listed, "binary", "binaries")
        those = counted(len(found.stacks), "stack")
        lines.append(f"{CLOSURES[found.closure]}, {listed} in {those}:")
    lines += [f"  {row['package'].ljust(width)}  {row['binaries']:>6,}" for row in shown]
    if len(found.packages) > _SHOWN:
        lines.append(f"  … and {len(found.packages) - _SHOWN:,} more; --format json or csv has all")
    if found.untold:
        untold = counted(found.untold, "binary", "binaries")
        lines.append(f"the dependencies of {untold} in {found.tag} are unknown")
    return "\n".join(lines)


def _in_words(part: Part) -> str:
    told = counted(part.binaries, "binary", "binaries")
    if not part.sizes_known:
        return told
    of = "" if part.sizes_known == part.binaries else f", size known for {part.sizes_known:,}"
    return f"{told} ({in_bytes(part.size)}{of})"
