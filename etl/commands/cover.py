"""``spack-catalog cover``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from etl.catalog.reader import open_catalog
from etl.commands.options import readable_catalog_option, the_tag
from etl.compare.cover import Cover
from etl.compare.cover import cover as cover_of
from etl.errors import SourceError
from etl.locks.lock import LARGEST, Lock, LockedSpec, read_lock, together
from etl.text import in_bytes, printable


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@readable_catalog_option
@click.option("--tag", metavar="TAG", help="Of this tag, or any. [default: the one that has most]")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table")
def cover(files: tuple[str, ...], catalog: Path, tag: str | None, form: str) -> None:
    """Say how much of an environment is in the build caches, and what must be compiled.

    FILE is a spack.lock, the folder of an environment, what spack spec --json prints, or - for
    standard input.

    Exit codes: 0 all is there; 1 some is missing, or FILE is refused; 3 there is no catalog.
    """
    lock = together(_read(file) for file in files)
    with open_catalog(catalog) as db:
        of_tag = the_tag(db, tag) if tag and tag != "any" else None
        found = cover_of(db, lock, of_tag, tag == "any")
    click.echo(json.dumps(_as_json(found), indent=2) if form == "json" else _text(found))
    raise click.exceptions.Exit(1 if found.missing else 0)


def _read(file: str) -> Lock:
    if file == "-":
        return read_lock(_decoded(sys.stdin.buffer.read(LARGEST + 1), "-"), "-")
    path = Path(file)
    path = path / "spack.lock" if path.is_dir() else path
    if not path.is_file():
        raise SourceError(str(path), "is not there; run `spack concretize` in the environment")
    with path.open("rb") as stream:
        return read_lock(_decoded(stream.read(LARGEST + 1), str(path)), str(path))


def _decoded(data: bytes, place: str) -> str:
    if len(data) > LARGEST:
        raise SourceError(place, f"is larger than {LARGEST // 1_000_000} MB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise SourceError(place, "is not UTF-8 text; give a spack.lock") from None


def _as_json(found: Cover) -> dict[str, Any]:
    def told(specs: tuple[LockedSpec, ...]) -> list[dict[str, Any]]:
        return [
            {
                "hash": spec.hash,
                "name": spec.name,
                "version": spec.version,
                "dependents": found.dependents[spec.hash],
            }
            for spec in specs
        ]

    return {
        "tag": found.tag,
        "specs": found.specs,
        "size": found.size,
        "external": told(found.external),
        "available": told(found.available),
        "missing": told(found.missing),
        "missing_build_only": told(found.missing_build_only),
    }


def _text(found: Cover) -> str:
    lines = [
        f"Of {found.specs} specs, {len(found.available)} are in {found.tag or 'any tag'}"
        f" ({in_bytes(found.size)} to download), {len(found.external)} are external,"
        f" {len(found.missing)} are missing"
        f" ({len(found.missing_build_only)} of these only for building).",
    ]
    for spec in found.missing:
        what = printable(f"{spec.name}@{spec.version}/{spec.hash[:7]}")
        lines.append(f"  {what}  needed by {found.dependents[spec.hash]}")
    return "\n".join(lines)
