"""Options that several commands share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from etl.catalog.aliases import tag_named
from etl.text import printable

F = TypeVar("F", bound=Callable[..., Any])


def catalog_option(command: F) -> F:
    """``--catalog FILE``, which every command takes."""
    return click.option(
        "--catalog",
        type=click.Path(path_type=Path),
        default=Path("catalog.db"),
        show_default=True,
        metavar="FILE",
        help="The catalog.",
    )(command)


def selection_options(command: F) -> F:
    """``--tag``, ``--stack`` and ``--package``: which part of the sources is read."""
    for option, what in (("--package", "package"), ("--stack", "stack"), ("--tag", "tag")):
        command = click.option(
            option, multiple=True, metavar=what.upper(), help=f"Read only this {what}; repeatable."
        )(command)
    return command


progress_option = click.option(
    "--progress/--no-progress", default=True, show_default=True, help="Tell how far it is."
)


def the_tag(db: sqlite3.Connection, name: str) -> str:
    """The tag that ``--tag`` names; of ``newest`` and ``newest-release`` it says which that is."""
    tag = tag_named(db, name)
    if tag != name:
        click.echo(f"{name} is {printable(tag)}", err=True)
    return tag
