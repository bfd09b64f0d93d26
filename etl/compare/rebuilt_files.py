"""Rebuilds and their causes as JSON and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from etl.compare.pairing import Rebuild
from etl.compare.rebuilt import Rebuilt
from etl.csv_text import as_csv


def as_json(found: Rebuilt, chosen: Sequence[Rebuild] | None = None) -> dict[str, Any]:
    """The rebuilds, all or those chosen, with their causes, and how many each cause has of all."""
    listed = found.rebuilds if chosen is None else chosen
    return {
        "rebuilt": [rebuild_as_json(it) for it in listed],
        "causes": [
            {
                "cause": it.cause.to_json(),
                "rebuilds": it.rebuilds,
                "only_cause_of": it.only,
                "only_other_cause_of": it.alone,
                "everywhere": it.everywhere,
                "deptypes": list(it.purposes),
            }
            for it in found.by_cause
        ],
        "one_cause": found.with_one,
        "several_causes": found.with_several,
        "unexplained": len(found.unexplained),
        "ambiguous": found.ambiguous,
        "dependencies_told": found.is_told,
        "build_dependencies_told": found.tells_builds,
    }


def rebuild_as_json(it: Rebuild) -> dict[str, Any]:
    """A rebuild, with the reason why it is unexplained if it is."""
    told = {
        "package": it.package,
        "version": it.version,
        "old": it.old,
        "new": it.new,
        "causes": [cause.to_json() for cause in it.causes],
    }
    return {**told, "unexplained": it.unexplained} if it.unexplained else told


CSV_COLUMNS = ("package", "version", "old", "new", "kind", "of", "before", "after")
"""The columns of rebuilds as CSV, a row for each cause."""


def rebuilds_as_csv(chosen: Sequence[Rebuild]) -> str:
    """The rebuilds as CSV, a row for each cause of each."""
    rows = (
        (it.package, it.version, it.old, it.new, *cause.to_json())
        for it in chosen
        for cause in it.causes
    )
    return as_csv(CSV_COLUMNS, rows)
