"""What a search found, as people want to see it: what all of it has, and in what it differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from etl.catalog.variant_text import split_variants
from etl.query.find import COLUMNS
from etl.query.tally import Tally

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """Binaries, by the columns of ``binary_list``.

    ``common`` is what all of them have, in the order of the columns; of their variants those that
    all share.  ``columns`` are the others, and ``differing[i]`` the variants of ``rows[i]`` that
    not all share.
    """

    rows: tuple[Row, ...]
    common: dict[str, str]
    columns: tuple[str, ...]
    differing: tuple[str, ...]


def set_apart(rows: Sequence[Sequence[Any]], of_all: Tally | None = None) -> Found:
    """Set what all rows have apart from what they differ in; a lone row has it all in common.

    Where the rows are only some of what was found, ``of_all`` tells what all of it has.
    """
    found = tuple(dict(zip(COLUMNS, row, strict=True)) for row in rows)
    if not found:
        return Found((), {}, COLUMNS, ())
    first = found[0]
    lists = {row["variants"]: split_variants(row["variants"]) for row in found}
    is_part = of_all is not None and of_all.total > len(found)
    if of_all and is_part:
        shared = set(of_all.shared("variants"))
    else:
        shared = set.intersection(*map(set, lists.values()))
    common: dict[str, str] = {}
    for column in COLUMNS:
        if column == "variants":
            common[column] = " ".join(v for v in lists[first[column]] if v in shared)
        elif of_all and is_part:
            values = of_all.values.get(column, ())
            if len(values) == 1 and values[0][1] == of_all.total:
                common[column] = values[0][0]
        elif all(row[column] == first[column] for row in found):
            common[column] = "" if first[column] is None else str(first[column])
    differing = tuple(
        " ".join(v for v in lists[row["variants"]] if v not in shared) for row in found
    )
    columns = tuple(
        column
        for column in COLUMNS
        if (column not in common and any(row[column] is not None for row in found))
        or (column == "variants" and any(differing))
    )
    return Found(found, common, columns, differing)
