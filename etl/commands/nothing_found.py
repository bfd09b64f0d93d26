"""What commands say of queries that no binary satisfies."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

import click

from etl.query.find import Scope
from etl.query.gone import gone_matches
from etl.query.near_misses import near_misses
from etl.spack.tree import SpecQuery


def tell_nothing_found(db: sqlite3.Connection, queries: Sequence[SpecQuery], scope: Scope) -> None:
    """Say on standard error that nothing was found, what came near, and what is gone."""
    tell_near_misses(db, queries, scope)
    tell_gone(db, queries, scope)


def tell_near_misses(db: sqlite3.Connection, queries: Sequence[SpecQuery], scope: Scope) -> None:
    """Say on standard error why no binary satisfies any of the queries, whatever the host."""
    for query in queries:
        click.echo(f"no binary satisfies {query.written}", err=True)
        for miss in near_misses(db, query, replace(scope, taken=None)):
            click.echo(f"  {miss}", err=True)


def tell_gone(db: sqlite3.Connection, queries: Sequence[SpecQuery], scope: Scope) -> None:
    """Say on standard error which binaries of any tag, now gone, satisfied the queries."""
    gone = gone_matches(db, queries, replace(scope, tag=None))
    for line in gone.in_words() if gone.total else ():
        click.echo(line, err=True)
