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
    """Show platform, target and libc of this machine, or of the profile NAME, such as rocky8/zen3.

    Other commands read the JSON with --host FILE, so that a site can publish the profile of its
    nodes.
    """
    found = find_host(name)
    if form == "json":
        click.echo(found.to_json())
        return
    rows = [("platform", found.platform), ("os", found.os), ("target", found.target)]
    rows.append(("libc", str(found.libc) if found.libc else "unknown"))
    if found.libc:
        rows.append(("libc path", found.libc.path))
    for label, value in rows:
        click.echo(f"{label:10} {value}")
