"""``spack-catalog find``."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path

import click

from etl.catalog.reader import open_catalog
from etl.commands.options import catalog_option
from etl.query.dialects import DIALECTS, Dialect, statement_for
from etl.query.explain import explain
from etl.query.find import COLUMNS, Finder, Scope
from etl.query.found import Found, set_apart
from etl.query.install import install_commands
from etl.query.meant import what_is_meant
from etl.query.near_misses import near_misses
from etl.spack.syntax import parse_specs
from etl.spack.tree import SpecQuery

FORMATS = ("table", "json", "csv", "install", "hashes")
ANY_TAG = "any"
HOST = "host"
_SHOWN = 50
_ALL = 1_000_000


@click.command()
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@catalog_option
@click.option("--tag", metavar="TAG", help="Look in this tag, or in any. [default: the newest]")
@click.option("--stack", metavar="STACK", help="Look in this stack only.")
@click.option("--runs-on", metavar="CPU", help="What this CPU can execute; host is this machine.")
@click.option("--explain", "explained", is_flag=True, help="Say what each constraint leaves.")
@click.option("--sql", is_flag=True, help="Print the SQL that finds it, and do not run it.")
@click.option(
    "--dialect",
    type=click.Choice(DIALECTS),
    default="sqlite",
    show_default=True,
    help="With --sql: for the catalog, or for the Parquet export of it.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
def find(
    specs: tuple[str, ...],
    catalog: Path,
    tag: str | None,
    stack: str | None,
    runs_on: str | None,
    explained: bool,
    sql: bool,
    dialect: Dialect,
    form: str,
) -> None:
    """Find the binaries that satisfy a SPEC, in Spack's own syntax; of several SPECs, any.

    Without --tag they are looked for in the newest tag that has any of them.

    Exit codes: 0 found; 1 none, and what is near is told; 2 a SPEC cannot be read; 3 there is no
    catalog.
    """
    if dialect != "sqlite" and not sql:
        raise click.UsageError("--dialect is about what --sql prints; give --sql too")
    queries = tuple(query for text in specs for query in parse_specs(text, _this_machine))
    if not queries:
        raise click.UsageError("expected a spec; '*' is any")
    with open_catalog(catalog) as db:
        _tell_what_is_meant(db, queries)
        finder = Finder(db)
        scope = _scope(tag, stack, runs_on)
        if tag is None:
            newest = finder.newest_tag(queries, scope)
            scope = Scope(newest, scope.stack, scope.runs_on, scope.os)
        if explained:
            for query in queries:
                click.echo(explain(db, query, scope))
            return
        if dialect != "sqlite":
            click.echo(statement_for(dialect, db, queries, scope))
            return
        statement = finder.binaries(queries, scope, _ALL)
        if sql:
            click.echo(statement.text)
            return
        rows = finder.rows(statement)
        if not rows:
            _tell_near_misses(db, queries, scope)
            raise click.exceptions.Exit(1)
        click.echo(_formatted(db, set_apart(rows), form, in_all_tags=scope.tag is None))


def _this_machine(field: str) -> str:
    """What ``os=be`` or ``target=fe`` stand for here, as for Spack."""
    from etl.spack.host import host_os
    from etl.spack.targets import host_target

    return host_os() if field == "os" else host_target()


def _scope(tag: str | None, stack: str | None, runs_on: str | None) -> Scope:
    """Where to look; the host runs what is built for its CPU and its operating system."""
    chosen = None if tag == ANY_TAG else tag
    if runs_on != HOST:
        return Scope(chosen, stack, runs_on)
    from etl.spack.host import host_os
    from etl.spack.targets import host_target

    return Scope(chosen, stack, host_target(), host_os())


def _tell_near_misses(db: sqlite3.Connection, queries: tuple[SpecQuery, ...], scope: Scope) -> None:
    for query in queries:
        click.echo(f"no binary satisfies {query.source}", err=True)
        for miss in near_misses(db, query, scope):
            click.echo(f"  {miss}", err=True)


def _tell_what_is_meant(db: sqlite3.Connection, queries: tuple[SpecQuery, ...]) -> None:
    """Say that several specs were looked for, or another name, where one was probably meant."""
    for meant in what_is_meant(db, queries):
        if len(queries) > 1:
            specs = ", ".join(str(query) for query in queries)
            click.echo(f"any of {len(queries)} specs was looked for: {specs}", err=True)
        click.echo(str(meant), err=True)


def _formatted(
    db: sqlite3.Connection, found: Found, form: str, *, in_all_tags: bool = False
) -> str:
    if form == "json":
        return json.dumps(found.rows, indent=2)
    if form == "csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found.rows)
        return text.getvalue().rstrip("\n")
    if form == "hashes":
        return "\n".join(dict.fromkeys(row["hash"] for row in found.rows))
    if form == "install":
        return "\n".join(install_commands(db, found.rows))
    return _table(found, in_all_tags)


def _table(found: Found, in_all_tags: bool) -> str:
    """What all have, then a line for each; the widest column, the variants, comes last."""
    number = len(found.rows)
    head = f"{number:,} {'binary' if number == 1 else 'binaries'}"
    if in_all_tags:
        specs = "spec" if number == 1 else "specs"
        head = f"{number:,} {specs} with a binary in any tag, each with the newest that has it"
    lines = [head, *(f"  {name}: {value}" for name, value in found.common.items() if value)]
    columns = [name for name in found.columns if name not in ("variants", "stacks")]
    columns += [name for name in ("stacks", "variants") if name in found.columns]
    shown = [
        [found.differing[place] if name == "variants" else _text(row[name]) for name in columns]
        for place, row in enumerate(found.rows[:_SHOWN])
    ]
    if columns:
        widths = [max(map(len, values)) for values in zip(columns, *shown, strict=True)]
        lines.append("")
        for values in [columns, *shown]:
            cells = (text.ljust(width) for text, width in zip(values, widths, strict=True))
            lines.append("  ".join(cells).rstrip())
    if number > _SHOWN:
        lines.append(f"… and {number - _SHOWN:,} more; --format csv or json has all")
    return "\n".join(lines)


def _text(value: object) -> str:
    return "" if value is None else str(value)
