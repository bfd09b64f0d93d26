"""``spack-catalog diff``."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from etl.catalog.asking import Listed
from etl.catalog.names_near import check_name
from etl.catalog.reader import READABLE, open_catalog
from etl.commands.options import readable_catalog_option, the_tag
from etl.commands.rebuilds_text import rebuilds_in_words, specs_in_words
from etl.compare.diff import Comparison, compare
from etl.compare.moments import Moment, read_moment, side_by_side
from etl.compare.past import gone_hint
from etl.compare.rebuilt import rebuilt
from etl.compare.rebuilt_files import as_json
from etl.compare.two_specs import compare_specs
from etl.csv_text import as_csv
from etl.text import printable

FORMATS = ("text", "json", "csv")
CSV_COLUMNS = ("change", "package", "old_version", "new_version", "binaries")
_SHOWN = 20
_ALL = 1_000_000_000

_HEADINGS = {
    "added_packages": ("package was added", "packages were added"),
    "removed_packages": ("package was removed", "packages were removed"),
    "upgraded": ("package was upgraded", "packages were upgraded"),
    "downgraded": ("package was downgraded", "packages were downgraded"),
    "new_versions": ("version of a package is new", "versions of packages are new"),
    "dropped_versions": ("version of a package was removed", "versions of packages were removed"),
    "rebuilt": ("version of a package was rebuilt", "versions of packages were rebuilt"),
    "stacks": ("stack changed", "stacks changed"),
}
"""What the text says of each list, of one row and of several."""

_CHANGES = {
    "added_packages": ("added", None, "newest_version"),
    "removed_packages": ("removed", "newest_version", None),
    "upgraded": ("upgraded", "old_version", "new_version"),
    "downgraded": ("downgraded", "old_version", "new_version"),
    "new_versions": ("new version", None, "version"),
    "dropped_versions": ("removed version", "version", None),
    "rebuilt": ("rebuilt", "version", "version"),
}
"""What CSV calls the rows of each list, and where they have the old and the new version."""


@click.command()
@click.argument("old", metavar="TAG_A")
@click.argument("new", metavar="TAG_B")
@readable_catalog_option
@click.option("--stack", metavar="STACK", help="Compare this stack only.")
@click.option("--package", metavar="PACKAGE", help="Compare this package only.")
@click.option("--why", is_flag=True, help="Show why binaries were rebuilt.")
@click.option(
    "--cause",
    metavar="CAUSE",
    help="List what was rebuilt because of m4, 'recipe m4', any, or unexplained; implies --why.",
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
def diff(
    old: str,
    new: str,
    catalog: Path,
    stack: str | None,
    package: str | None,
    why: bool,
    cause: str | None,
    form: str,
) -> None:
    """Show changes from TAG_A to TAG_B, or between two specs: diff /HASH /HASH.

    A tag may be newest or newest-release; FILE:TAG is a tag in another catalog, such as
    last-week.db:develop; TAG@DAY is a tag at the end of a day, such as develop@2025-11-18, in a
    catalog that update has kept up to date since then.

    Listed are packages added, removed, upgraded and downgraded; versions added and removed;
    rebuilt binaries, which differ from a removed one only in their hash; and numbers by stack.
    JSON has all lists, CSV those of packages and versions.

    --why pairs the specs of both tags that differ only in their hash, and shows the deepest
    differences among their dependencies: recipes, versions, variants, dependencies.

    Exit codes: 0 whether there are differences or not; 2 a tag, stack or package is not known;
    3 there is no catalog.
    """
    moments = _moments(old, new, catalog)
    if moments is None and old.startswith("/") and new.startswith("/"):
        if why or any(it is not None for it in (stack, package, cause)):
            raise click.UsageError("--stack, --package, --why and --cause are for two tags")
        with open_catalog(catalog) as db:
            differences = compare_specs(db, old, new)
        click.echo(specs_in_words(differences, old, new, form))
        return
    with ExitStack() as both:
        if moments is not None:
            catalog, old, new = both.enter_context(side_by_side(*moments))
        click.echo(_compared(catalog, old, new, stack, package, why, cause, form))


def _moments(old: str, new: str, catalog: Path) -> tuple[Moment, Moment] | None:
    """What to compare where a side is ``FILE:TAG``; the other is then of ``catalog``, or so too."""
    told = [read_moment(it) for it in (old, new)]
    if told == [None, None]:
        return None
    before, after = (it or Moment(catalog, text) for it, text in zip(told, (old, new), strict=True))
    return _checked(before), _checked(after)


def _checked(moment: Moment) -> Moment:
    with open_catalog(moment.catalog, READABLE) as db:
        tag = the_tag(db, moment.tag)
        check_name(db, "tag", tag)
    return Moment(moment.catalog, tag)


def _compared(
    catalog: Path,
    old: str,
    new: str,
    stack: str | None,
    package: str | None,
    why: bool,
    cause: str | None,
    form: str,
) -> str:
    if why or cause:
        with open_catalog(catalog) as db:
            old, new = _named(db, old), _named(db, new)
            causes = rebuilt(db, old, new, stack)
            whole = compare(db, old, new, stack=stack, package=package, limit=_ALL)
        because = causes.because_of(cause or "any")
        chosen = [it for it in because if package in (None, it.package)]
        of = (f" of {package}" if package else "") + (f" because of {cause}" if cause else "")
        told = {**_values(whole), **as_json(causes, chosen)}
        return rebuilds_in_words(causes, chosen, of, form, told)
    with open_catalog(catalog) as db:
        old, new = _named(db, old), _named(db, new)
        shown = _SHOWN if form == "text" else _ALL
        found = compare(db, old, new, stack=stack, package=package, limit=shown)
    return {"text": _text, "json": _json, "csv": _csv}[form](found)


def _named(db: sqlite3.Connection, text: str) -> str:
    """The tag that is meant; of one that is gone it says how what it had is compared."""
    tag = the_tag(db, text)
    if hint := gone_hint(db, tag):
        click.echo(hint, err=True)
    return tag


def _json(found: Comparison) -> str:
    return json.dumps(_values(found), indent=2)


def _values(found: Comparison) -> dict[str, Any]:
    values = {field.name: getattr(found, field.name) for field in fields(found)}
    return {name: it.rows if isinstance(it, Listed) else it for name, it in values.items()}


def _csv(found: Comparison) -> str:
    rows = []
    for name, (change, old, new) in _CHANGES.items():
        for row in getattr(found, name).rows:
            versions = (row[column] if column else None for column in (old, new))
            cells = (change, row["package"], *versions, row.get("binaries"))
            rows.append(map(_cell, cells))
    return as_csv(CSV_COLUMNS, rows).rstrip("\n")


def _text(found: Comparison) -> str:
    parts = [_summary(found)]
    for name, (one, several) in _HEADINGS.items():
        section = getattr(found, name)
        if section.rows:
            heading = f"{section.total:,} {one if section.total == 1 else several}"
            parts.append("\n".join([heading, *_table(section)]))
    return "\n\n".join(parts)


def _summary(found: Comparison) -> str:
    """The numbers of binaries, in a sentence or two."""
    before = found.binaries_removed + found.binaries_kept
    after = found.binaries_added + found.binaries_kept
    of = f" of {printable(found.package)}" if found.package else ""
    where = f" in the stack {printable(found.stack)}" if found.stack else ""
    tags = f"from {printable(found.old)} to {printable(found.new)}"
    if before == after == found.binaries_kept and not found.stacks.total:
        return f"Nothing changed {tags}: {_number(after)}{of}{where}."
    again = f" ({found.binaries_rebuilt:,} of them rebuilt)" if found.binaries_rebuilt else ""
    return (
        f"{_number(before)}{of}{where} became {after:,} {tags}:\n{found.binaries_added:,} added"
        f"{again}, {found.binaries_removed:,} removed, {found.binaries_kept:,} in both."
    )


def _number(binaries: int) -> str:
    return f"{binaries:,} {'binary' if binaries == 1 else 'binaries'}"


def _table(section: Listed) -> Iterator[str]:
    """Aligned lines, numbers to the right; lists of versions are left to JSON."""
    columns = [it for it in section.rows[0] if it not in ("old_versions", "new_versions")]
    lines = [[it.replace("_", " ") for it in columns]]
    lines += [[_cell(row[it]) for it in columns] for row in section.rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    numbers = [isinstance(section.rows[0][it], int) for it in columns]
    for line in lines:
        cells = (
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(line, widths, numbers, strict=True)
        )
        yield f"  {'  '.join(cells)}".rstrip()
    if section.total > len(section.rows):
        more = section.total - len(section.rows)
        yield f"  … and {more:,} more; --format json has all"


def _cell(value: object) -> str:
    return "" if value is None else printable(str(value))
