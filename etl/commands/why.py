"""``spack-catalog why``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from etl.catalog.reader import open_catalog
from etl.commands.nothing_found import tell_nothing_found
from etl.commands.options import readable_catalog_option, the_tag
from etl.hosts.profiles import THIS_MACHINE, find_host
from etl.query.find import ALL, COLUMNS, Finder, Scope
from etl.query.reuse import Reuse
from etl.spack.syntax import parse_specs
from etl.text import counted

_SHOWN = 100


@click.command()
@click.argument("spec", metavar="SPEC_OR_HASH")
@readable_catalog_option
@click.option(
    "--host",
    "host_name",
    default=THIS_MACHINE,
    show_default=True,
    metavar="HOST",
    help="host (this machine), a distribution with a CPU (rocky8/zen3), or a file.",
)
@click.option(
    "--tag",
    metavar="TAG",
    help="Search this tag, newest or newest-release. [default: the newest with a match]",
)
@click.option(
    "--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True
)
def why(spec: str, catalog: Path, host_name: str, tag: str | None, form: str) -> None:
    """Show whether a host can use each binary that satisfies a spec or has a hash, or why not.

    Exit codes: 0 the host can use one; 1 it can use none, or there is none; 2 the spec cannot be
    read, or the host is not known; 3 there is no catalog.
    """
    host = find_host(host_name)
    text = spec if spec.startswith("/") or not _is_hash(spec) else f"/{spec}"
    queries = parse_specs(text)
    if not queries:
        raise click.UsageError("expected a spec or a hash")
    with open_catalog(catalog) as db:
        finder, reuse = Finder(db), Reuse(db, host)
        tag = the_tag(db, tag) if tag else finder.newest_tag(queries, Scope())
        rows = finder.rows(finder.binaries(queries, Scope(tag), ALL))
        if not rows:
            tell_nothing_found(db, queries, Scope(tag))
            raise click.exceptions.Exit(1)
        binaries = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
        verdicts = reuse.verdicts((str(it["hash"]), str(it["tag"])) for it in binaries)
    told = [
        {**it, "reusable": verdict.reusable, "reason": verdict.reason, "why": verdict.why}
        for it, verdict in zip(binaries, verdicts, strict=True)
        if verdict is not None
    ]
    if form == "json":
        click.echo(json.dumps(told, indent=2))
    else:
        taken = sum(bool(it["reusable"]) for it in told)
        of = counted(len(told), "binary", "binaries")
        click.echo(f"{host} can use {taken:,} of {of} in {tag}")
        for it in told[:_SHOWN]:
            mark = "yes" if it["reusable"] else "no "
            name = f"{it['package']}@{it['version']}/{str(it['hash'])[:7]}"
            click.echo(f"  {mark}  {name}{'  ' + str(it['why']) if it['why'] else ''}")
        if len(told) > _SHOWN:
            click.echo(f"  … and {len(told) - _SHOWN:,} more; --format json has all")
    raise click.exceptions.Exit(0 if any(it["reusable"] for it in told) else 1)


def _is_hash(text: str) -> bool:
    return len(text) == 32 and text.isalnum() and text == text.lower()
