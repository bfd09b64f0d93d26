"""Rebuilds and their causes, as ``spack-catalog diff`` prints them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from etl.compare.causes import Rebuild, cause_in_words
from etl.compare.rebuilt import NodeDifference, Rebuilt
from etl.text import counted, printable

_SHOWN = 20
_CSV = ("package", "version", "old", "new", "kind", "of", "before", "after")


def rebuilds_in_words(found: Rebuilt, package: str | None, form: str, told: dict[str, Any]) -> str:
    """The rebuilds as text, JSON or CSV; ``told`` is all of the JSON."""
    if form == "json":
        return json.dumps(told, indent=2)
    chosen = _chosen(found, package)
    if form == "csv":
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_CSV)
        for it in chosen:
            for cause in it.causes:
                row = (it.new.name, it.new.version, it.old.hash, it.new.hash, *cause.to_json())
                writer.writerow(["" if cell is None else cell for cell in row])
        return text.getvalue().rstrip("\n")
    return "\n".join(_lines(found, package, chosen))


def _lines(found: Rebuilt, package: str | None, chosen: Sequence[Rebuild]) -> list[str]:
    tags = f"from {printable(found.old)} to {printable(found.new)}"
    if not found.is_told:
        return [
            f"Rebuilds {tags}: unknown, a source of one of the tags does not list dependencies."
        ]
    of = f" of {package}" if package else ""
    lines = [f"{counted(len(chosen), 'spec')}{of} rebuilt {tags}."]
    if package:
        for it in chosen[:_SHOWN]:
            lines.append(f"  {it.new.title}/{it.old.hash[:7]} → /{it.new.hash[:7]}")
            lines += [f"    {cause_in_words(cause)}" for cause in it.causes]
        return lines + _more(len(chosen))
    for heading, everywhere in (("", False), ("Affecting nearly everything:", True)):
        counts = [it for it in found.by_cause if it.everywhere is everywhere]
        if counts and heading:
            lines += ["", heading]
        for count in counts[:_SHOWN]:
            alone = f" (of {count.only:,} the only cause)" if count.only else ""
            lines.append(f"  {count.rebuilds:,} because of {cause_in_words(count.cause)}{alone}")
        lines += _more(len(counts))
    if found.ambiguous:
        lines.append(
            f"{counted(found.ambiguous, 'identity', 'identities')} with several hashes on a side"
            " are not paired."
        )
    if found.unexplained:
        lines.append(
            f"{counted(len(found.unexplained), 'rebuild')} unexplained: nothing that the indexes"
            " tell differs but the hash."
        )
    return lines


def specs_in_words(found: Sequence[NodeDifference], old: str, new: str, form: str) -> str:
    """What differs between two specs, the deepest first."""
    if form == "json":
        rows = [
            {
                "package": it.package,
                "depth": it.depth,
                "old": it.old,
                "new": it.new,
                "differences": [cause.to_json() for cause in it.differences],
            }
            for it in found
        ]
        return json.dumps({"old": old, "new": new, "nodes": rows}, indent=2)
    if not found:
        return f"{old} and {new} are the same spec"
    lines = [f"{counted(len(found), 'package')} differ between {old} and {new}, the deepest first:"]
    for it in found:
        told = "; ".join(map(cause_in_words, it.differences))
        if it.old is None or it.new is None:
            told = "only in the first" if it.new is None else "only in the second"
        names = " → ".join(filter(None, (it.old, it.new)))
        lines.append(f"  {names}: {told or 'only what is below it'}")
    return "\n".join(lines)


def _chosen(found: Rebuilt, package: str | None) -> list[Rebuild]:
    return [it for it in found.rebuilds if package in (None, it.new.name)]


def _more(number: int) -> list[str]:
    return [f"  … and {number - _SHOWN:,} more; --format json has all"] if number > _SHOWN else []
