"""Rows as CSV (RFC 4180), with plain line ends."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence


def as_csv(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A line of names and one for each row; a value that is None is left empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
