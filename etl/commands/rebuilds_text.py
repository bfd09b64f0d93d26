"""Rebuilds and their causes, as ``spack-catalog diff`` prints them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from etl.compare.cause_words import cause_in_words
from etl.compare.pairing import Rebuild
from etl.compare.rebuilt import Rebuilt
from etl.compare.rebuilt_files import rebuilds_as_csv
from etl.compare.two_specs import NodeDifference
from etl.csv_text import as_csv
from etl.text import counted, printable

_SHOWN = 20


def rebuilds_in_words(
    found: Rebuilt, chosen: Sequence[Rebuild], of: str, form: str, told: dict[str, Any]
) -> str:
    """The rebuilds as text, JSON or CSV; ``told`` is all of the JSON.

    ``chosen`` are those to list, and ``of`` says in words which; all of them if it is empty.
    """
    if form == "json":
        return json.dumps(told, indent=2)
    if form == "csv":
        return rebuilds_as_csv(chosen).rstrip("\n")
    return "\n".join(_lines(found, chosen, of))


def _lines(found: Rebuilt, chosen: Sequence[Rebuild], of: str) -> list[str]:
    tags = f"from {printable(found.old)} to {printable(found.new)}"
    if not found.is_told:
        return [
            f"Rebuilds {tags}: unknown, a source of one of the tags does not list dependencies."
        ]
    lines = [f"{counted(len(chosen), 'spec')}{of} rebuilt {tags}."]
    if of:
        for it in chosen[:_SHOWN]:
            lines.append(f"  {it.title}/{it.old[:7]} → /{it.new[:7]}")
            lines += [f"    {cause_in_words(cause)}" for cause in it.causes]
        return lines + _more(len(chosen))
    if not found.rebuilds:
        return lines + _not_paired(found)
    lines.append(
        f"{found.with_one:,} with one cause, {found.with_several:,} with several,"
        f" {len(found.unexplained):,} unexplained."
    )
    for heading, everywhere in (("", False), ("In nearly every rebuild:", True)):
        counts = [it for it in found.by_cause if it.everywhere is everywhere]
        if counts and heading:
            lines += ["", heading]
        for count in counts[:_SHOWN]:
            number = count.only if everywhere or not found.has_everywhere else count.alone
            kind = "the only cause" if everywhere or not found.has_everywhere else "the only other"
            alone = f"; of {number:,} {kind}" if number else ""
            words = cause_in_words(count.cause, count.purposes)
            lines.append(f"  {count.rebuilds:,} because of {words}{alone}")
        lines += _more(len(counts))
    return lines + _not_paired(found)


def _not_paired(found: Rebuilt) -> list[str]:
    lines = []
    if found.ambiguous:
        lines.append(f"{found.ambiguous:,} more cannot be paired, because several hashes match.")
    for reason, number in found.reasons:
        lines.append(f"{counted(number, 'rebuild')} unexplained: {reason}.")
    if found.rebuilds and not found.tells_builds:
        lines.append(
            "The source does not list build dependencies; only link and run dependencies are"
            " compared."
        )
    return lines


def specs_in_words(found: Sequence[NodeDifference], old: str, new: str, form: str) -> str:
    """What differs between two specs, the deepest first."""
    if form == "json":
        told = {"old": old, "new": new, "nodes": [it.to_json() for it in found]}
        return json.dumps(told, indent=2)
    if form == "csv":
        return _specs_as_csv(found)
    if not found:
        return f"{old} and {new} are the same spec"
    nodes = f"{counted(len(found), 'node')} {'differs' if len(found) == 1 else 'differ'}"
    lines = [f"{nodes} between {old} and {new}, the deepest first:"]
    for it in found:
        row = it.to_json()
        names = " → ".join(filter(None, (row["old"], row["new"])))
        purposes = f" ({', '.join(it.purposes)})" if it.purposes else ""
        lines.append(f"  {names}{purposes}: {it.in_words}")
    return "\n".join(lines)


def _specs_as_csv(found: Sequence[NodeDifference]) -> str:
    columns = ("package", "depth", "deptypes", "old", "new", "kind", "of", "before", "after")
    rows = []
    for it in found:
        hashes = [node.hash if node else "" for node in (it.old, it.new)]
        for cause in it.differences or (None,):
            told = cause.to_json() if cause else [None] * 4
            rows.append((it.package, it.depth, " ".join(it.purposes), *hashes, *told))
    return as_csv(columns, rows).rstrip("\n")


def _more(number: int) -> list[str]:
    return [f"  … and {number - _SHOWN:,} more; --format json has all"] if number > _SHOWN else []
