"""``spack-catalog host``."""

from __future__ import annotations

import click

from etl.hosts.profiles import THIS_MACHINE, find_host


@click.command()
@click.argument("name", default=THIS_MACHINE, metavar="[NAME]")
@click.option(
    "--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True
)
def host(name: str, form: str) -> None:
    """Say what this machine is to a binary, or what the profile NAME is, as in rocky8/zen3.

    The JSON is what --host FILE reads: so a site can hand out the profile of its nodes.
    """
    found = find_host(name)
    if form == "json":
        click.echo(found.to_json())
        return
    rows = [("platform", found.platform), ("os", found.os), ("target", found.target)]
    rows.append(("libc", str(found.libc) if found.libc else "none that is known"))
    if found.libc:
        rows.append(("libc path", found.libc.path))
    for label, value in rows:
        click.echo(f"{label:10} {value}")
