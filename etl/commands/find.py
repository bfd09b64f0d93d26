"""``spack-catalog find``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from etl.catalog.aliases import ALIASES
from etl.catalog.reader import open_catalog
from etl.commands.nothing_found import tell_gone, tell_near_misses
from etl.commands.options import readable_catalog_option, the_tag
from etl.csv_text import as_csv
from etl.hosts.host import Host
from etl.hosts.profiles import THIS_MACHINE, find_host
from etl.query.dialects import DIALECTS, Dialect, statement_for
from etl.query.explain import explain
from etl.query.find import COLUMNS, Finder, Scope
from etl.query.found import Found, Row, set_apart
from etl.query.host_misses import host_misses
from etl.query.install import by_use, install_commands
from etl.query.meant import what_is_meant
from etl.query.reuse import Reuse, Verdict
from etl.query.spelling import as_spelled
from etl.query.where import MOST, InCache, where
from etl.query.without_effect import without_effect
from etl.spack.syntax import parse_arguments
from etl.spack.tree import SpecQuery
from etl.text import counted

FORMATS = ("table", "json", "csv", "install", "hashes")
ANY_TAG = "any"
_SHOWN = 50
_ALL = 1_000_000


@click.command()
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@readable_catalog_option
@click.option(
    "--tag",
    metavar="TAG",
    help="Search this tag, newest, newest-release, or any. [default: the newest with a match]",
)
@click.option("--stack", metavar="STACK", help="Search this stack only.")
@click.option("--cache", metavar="NAME", help="Search this named cache only.")
@click.option(
    "--not-in", metavar="NAME", help="List only binaries that are not in this named cache."
)
@click.option(
    "--runs-on",
    metavar="CPU",
    help="List only what this CPU can run; host is this machine's. See --host for libc and OS.",
)
@click.option(
    "--host",
    "host_name",
    metavar="HOST",
    help="Show what this host can use: host (this machine), rocky8/zen3, or a file.",
)
@click.option("--reusable", is_flag=True, help="List only what the host can use.")
@click.option(
    "--explain", "explained", is_flag=True, help="Show the matches after each constraint."
)
@click.option("--sql", is_flag=True, help="Print the SQL of the query, and do not run it.")
@click.option(
    "--dialect",
    type=click.Choice(DIALECTS),
    default="sqlite",
    show_default=True,
    help="With --sql: for the catalog, or for its Parquet export.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="table", show_default=True)
def find(
    specs: tuple[str, ...],
    catalog: Path,
    tag: str | None,
    stack: str | None,
    cache: str | None,
    not_in: str | None,
    runs_on: str | None,
    host_name: str | None,
    reusable: bool,
    explained: bool,
    sql: bool,
    dialect: Dialect,
    form: str,
) -> None:
    """Find the binaries that satisfy a SPEC, in Spack's syntax; of several SPECs, any.

    Without --tag, the newest tag with a match is searched.

    Exit codes: 0 found; 1 nothing found, near misses are printed; 2 a SPEC cannot be read; 3 there
    is no catalog.
    """
    if dialect != "sqlite" and not sql:
        raise click.UsageError("--dialect needs --sql")
    if sum((explained, sql, form != FORMATS[0])) > 1:
        raise click.UsageError("--explain, --sql and --format exclude each other")
    queries = parse_arguments(specs, _this_machine)
    if not queries:
        raise click.UsageError("expected a spec; '*' is any")
    host = find_host(host_name or THIS_MACHINE) if host_name or reusable else None
    with open_catalog(catalog) as db:
        queries, lines = as_spelled(db, queries)
        for line in (*lines, *without_effect(queries)):
            click.echo(line, err=True)
        is_meant_otherwise = _tell_what_is_meant(db, queries)
        finder = Finder(db)
        tag = the_tag(db, tag, cache) if tag else None
        reuse = Reuse(db, host) if host else None
        if cache and tag not in (None, ANY_TAG, *ALIASES) and ":" not in str(tag):
            tag = f"{cache}:{tag}"
        scope = replace(_scope(tag, stack, runs_on), cache=cache, not_in=not_in)
        if reuse and reusable:
            scope = replace(scope, taken=reuse.taken)
        is_there = True
        if tag is None and not not_in:  # what a cache lacks is asked of whole caches
            scope = replace(scope, tag=finder.newest_tag(queries, scope))
            is_there = scope.tag is not None  # in which case all have been looked at
        if explained:
            for query in queries:
                click.echo(explain(db, query, scope))
                if len(queries) > 1:
                    tell_near_misses(db, _without(finder, (query,), scope), scope)
            return
        if dialect != "sqlite":
            click.echo(statement_for(dialect, db, queries, scope))
            return
        statement = finder.binaries(queries, scope, _ALL)
        if sql:
            click.echo(statement.text)
            return
        rows = finder.rows(statement) if is_there else []
        if not rows:
            if not (reuse and _tell_host_misses(db, queries, scope, reuse, any_tag=tag is None)):
                tell_near_misses(db, queries, scope)
            tell_gone(db, queries, scope)
            raise click.exceptions.Exit(1)
        if form == "table":
            _tell_caches(where(finder, queries, scope))
        if len(queries) > 1 and not is_meant_otherwise:
            without_host = replace(scope, taken=None)
            tell_near_misses(db, _without(finder, queries, without_host), scope)
        found = set_apart(rows)
        verdicts = _verdicts(reuse, found.rows) if reuse else ()
        if reuse and not any(it.reusable for it in verdicts):
            _tell_host_misses(db, queries, scope, reuse, any_tag=tag is None)
        click.echo(_formatted(db, found, form, scope, verdicts, host))


def _this_machine(field: str) -> str:
    """What ``os=be`` or ``target=fe`` stand for here, as for Spack."""
    from etl.spack.host import host_os
    from etl.spack.targets import host_target

    return host_os() if field == "os" else host_target()


def _scope(tag: str | None, stack: str | None, runs_on: str | None) -> Scope:
    """Where to look; ``host`` as a CPU is that of this machine."""
    if runs_on == THIS_MACHINE:
        from etl.spack.targets import host_target

        runs_on = host_target()
    return Scope(None if tag == ANY_TAG else tag, stack, runs_on)


def _verdicts(reuse: Reuse, rows: Sequence[Row]) -> tuple[Verdict, ...]:
    """What the host can use of the rows, and why not the others."""
    found = reuse.verdicts((row["hash"], row["tag"]) for row in rows)
    return tuple(it or Verdict("not-in-cache") for it in found)


def _tell_host_misses(
    db: sqlite3.Connection,
    queries: tuple[SpecQuery, ...],
    scope: Scope,
    reuse: Reuse,
    *,
    any_tag: bool,
) -> bool:
    """Say what keeps the host from what is there, and what it could use; False if nothing is."""
    found = host_misses(db, queries, scope, reuse, any_tag=any_tag)
    for line in found.lines() if found else ():
        click.echo(line, err=True)
    return found is not None


def _without(finder: Finder, queries: tuple[SpecQuery, ...], scope: Scope) -> tuple[SpecQuery, ...]:
    """The queries that no binary satisfies."""
    return tuple(query for query in queries if not finder.count([query], scope, 1))


def _tell_caches(caches: Sequence[InCache]) -> None:
    """Say which of several caches have any of it."""
    for it in caches:
        what = counted(it.specs, "spec") if it.specs < MOST else f"{MOST:,} specs or more"
        click.echo(f"in the cache {it.cache}: {what}, newest in {it.newest_tag}", err=True)


def _tell_what_is_meant(db: sqlite3.Connection, queries: tuple[SpecQuery, ...]) -> bool:
    """Say what was probably meant instead of what was looked for; False if nothing else was."""
    meanings = what_is_meant(db, queries)
    for meant in meanings:
        if len(queries) > 1:
            specs = ", ".join(str(query) for query in queries)
            click.echo(f"any of {len(queries)} specs was looked for: {specs}", err=True)
        click.echo(str(meant), err=True)
    return bool(meanings)


def _formatted(
    db: sqlite3.Connection,
    found: Found,
    form: str,
    scope: Scope,
    verdicts: Sequence[Verdict] = (),
    host: Host | None = None,
) -> str:
    if form in ("json", "csv"):
        rows: Sequence[Row] = found.rows
        columns: tuple[str, ...] = COLUMNS
        if verdicts:
            columns = (*COLUMNS, "reusable", "reason", "why")
            rows = [
                {**row, "reusable": it.reusable, "reason": it.reason, "why": it.why}
                for row, it in zip(rows, verdicts, strict=True)
            ]
        return json.dumps(rows, indent=2) if form == "json" else _csv(columns, rows)
    if form == "hashes":
        return "\n".join(dict.fromkeys(row["hash"] for row in found.rows))
    if form == "install":
        taken = [it.reusable for it in verdicts] if verdicts else None
        machine = (host.target, host.os) if host else (scope.runs_on, scope.os)
        rows = by_use(db, found.rows, *machine, taken)
        return "\n".join(install_commands(db, rows, labelled=True))
    return _table(found, verdicts, in_all_tags=scope.tag is None)


def _csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    return as_csv(columns, ([row[it] for it in columns] for row in rows)).rstrip("\n")


def _table(found: Found, verdicts: Sequence[Verdict], *, in_all_tags: bool) -> str:
    """What all have, then a line for each; the widest column, the variants, comes last."""
    number = len(found.rows)
    head = f"{number:,} {'binary' if number == 1 else 'binaries'}"
    if in_all_tags:
        specs = "spec" if number == 1 else "specs"
        head = f"{number:,} {specs} in all tags, each with the newest tag that has it"
    if verdicts:
        head += f"; the host can use {sum(it.reusable for it in verdicts):,}"
    lines = [head, *(f"  {name}: {value}" for name, value in found.common.items() if value)]
    columns = [name for name in found.columns if name not in ("variants", "stacks")]
    columns += [name for name in ("stacks", "variants") if name in found.columns]
    shown = [
        [found.differing[place] if name == "variants" else _text(row[name]) for name in columns]
        for place, row in enumerate(found.rows[:_SHOWN])
    ]
    if verdicts:
        columns.insert(0, "host")
        shown = [[_mark(verdict), *cells] for cells, verdict in zip(shown, verdicts, strict=False)]
    if columns:
        widths = [max(map(len, values)) for values in zip(columns, *shown, strict=True)]
        lines.append("")
        for values in [columns, *shown]:
            cells = (text.ljust(width) for text, width in zip(values, widths, strict=True))
            lines.append("  ".join(cells).rstrip())
    if number > _SHOWN:
        lines.append(f"… and {number - _SHOWN:,} more; --format csv or json has all")
    return "\n".join(lines)


def _mark(verdict: Verdict) -> str:
    return "yes" if verdict.reusable else f"no: {verdict.why}"


def _text(value: object) -> str:
    return "" if value is None else str(value)
