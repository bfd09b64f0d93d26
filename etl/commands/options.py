"""Options that several commands share."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from etl.catalog.aliases import tag_named
from etl.catalog.reader import check_whole
from etl.sources.build_caches.naming import checked_view, read_owner
from etl.sources.selection import Selection
from etl.text import printable
from etl.workers import Workers, available_cores

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


def readable_catalog_option(command: F) -> F:
    """``--catalog FILE_OR_ADDRESS`` and ``--offline``, for commands that only read the catalog."""
    command = click.option(
        "--offline",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_note_offline,
        help="Download nothing; use the last copy of a catalog at an address.",
    )(command)
    return click.option(
        "--catalog",
        default="catalog.db",
        show_default=True,
        metavar="FILE",
        callback=_located,
        help="The catalog, or its address; its copy is checked for changes once an hour.",
    )(command)


_OFFLINE = "offline"


def _note_offline(context: click.Context, option: click.Parameter, offline: bool) -> None:
    context.meta[_OFFLINE] = offline


def _located(context: click.Context, option: click.Parameter, name: str) -> Path:
    """The catalog as a file; one at an address is fetched first."""
    if "://" not in name:
        return Path(name)
    return downloaded_catalog(name, check_whole, offline=context.meta.get(_OFFLINE, False))


def downloaded_catalog(address: str, check: Callable[[Path], object], *, offline: bool) -> Path:
    """The catalog at an address, as a file that ``check`` does not refuse.

    Raises:
        ReadError: there is none, and no copy of one that there was.
    """
    # What speaks HTTP takes longer to load than most queries take.
    from etl.sources.download.catalogs import catalog_at

    def tell(message: str) -> None:
        click.echo(f"{printable(address)}: {message}", err=True)

    return catalog_at(address, offline=offline, tell=tell, check=check)


def selection_options(command: F) -> F:
    """``--tag``, ``--stack``, ``--package``, ``--view``, ``--as``: what of the sources is read.

    They give the command its ``selection``.
    """

    @wraps(command)
    def selecting(
        tag: tuple[str, ...],
        stack: tuple[str, ...],
        package: tuple[str, ...],
        view: tuple[str, ...],
        owner: str | None,
        **others: Any,
    ) -> Any:
        if owner is not None:
            read_owner(owner)  # which refuses what cannot be one
        views = frozenset(map(checked_view, view))
        selection = Selection(frozenset(tag), frozenset(stack), frozenset(package), views, owner)
        return command(selection=selection, **others)

    selecting = click.option(
        "--as",
        "owner",
        metavar="TAG[/STACK]",
        help="Tag and stack of a mirror that does not name them. [default: the name of its folder]",
    )(selecting)
    for name in ("view", "package", "stack", "tag"):
        metavar = "NAME" if name == "view" else name.upper()
        selecting = click.option(
            f"--{name}", multiple=True, metavar=metavar, help=f"Read only this {name}; repeatable."
        )(selecting)
    return cast("F", selecting)


progress_option = click.option(
    "--progress/--no-progress", default=True, show_default=True, help="Show progress."
)


def workers_option(command: F) -> F:
    """``--processes N``: how many processes work; it gives the command its ``workers``."""
    return click.option(
        "--processes",
        "workers",
        type=click.IntRange(1, 256),
        envvar="SPACK_CATALOG_PROCESSES",
        callback=lambda context, option, number: Workers(number or available_cores()),
        metavar="N",
        help="Number of processes. [default: one for each core]",
    )(command)


def the_tag(db: sqlite3.Connection, name: str, cache: str | None = None) -> str:
    """The tag that ``--tag`` names; of ``newest`` and ``newest-release`` it says which that is.

    With ``cache`` these are the newest of that named cache.
    """
    tag = tag_named(db, name, cache)
    if tag != name:
        click.echo(f"{name} is {printable(tag)}", err=True)
    return tag
