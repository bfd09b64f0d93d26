"""The command line: which commands there are, and how their errors reach the user."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

import click

from etl.errors import CatalogError

COMMANDS = (
    "build",
    "check",
    "cover",
    "diff",
    "export",
    "find",
    "host",
    "impact",
    "serve",
    "update",
    "why",
)
"""Each is a function of its name in the module of its name in :mod:`etl.commands`."""


class Group(click.Group):
    """Commands that are loaded when they are called, and whose errors are one message.

    An error gives its exit code, and never a traceback.
    """

    def list_commands(self, context: click.Context) -> list[str]:
        """The names of all commands."""
        del context
        return sorted(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of this name, from the module of this name."""
        del context
        if name not in COMMANDS:
            return None
        command = getattr(import_module(f"etl.commands.{name}"), name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, context: click.Context) -> Any:
        """Run the command; a :class:`CatalogError` is printed and gives the exit code."""
        try:
            return super().invoke(context)
        except CatalogError as error:
            message, code = str(error), error.exit_code
        except OSError as error:
            if error.errno == errno.EPIPE:  # click leaves quietly when nobody reads on
                raise
            message, code = f"{error.filename or 'output'}: {error.strerror}", 3
            if error.filename is None:
                _give_up_output()
        except KeyboardInterrupt:
            message, code = "interrupted", 3
        click.echo(f"spack-catalog: {message}", err=True)
        raise click.exceptions.Exit(code)


def _give_up_output() -> None:
    """Send to nowhere what is still to be written, which Python would try, and fail at, again."""
    with suppress(OSError, ValueError):  # it is no file, in tests
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="spack-catalog")
def main() -> None:
    """Which Spack binaries exist: build a catalog of them, check it, serve it."""
