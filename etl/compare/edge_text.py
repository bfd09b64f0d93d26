"""The edges of a spec as one value, which SQLite hands over in half the time that rows take."""

from __future__ import annotations

MOST_IN_TEXT = 500
"""Edges that are one value, at most: a site allows values of 50,000 bytes."""


def edges_in_text(parent: str, edge: str) -> str:
    """The expression that gives the edges below a spec, with commas between them.

    ``parent`` is where its id is, and ``edge`` what is wanted of each of its ``dependencies``.  It
    gives nothing where there are none, or so many that they have to be read one by one.
    """
    return f"""CASE WHEN NOT EXISTS (
            SELECT 1 FROM dependencies WHERE parent_id = {parent} LIMIT 1 OFFSET {MOST_IN_TEXT:d}
        ) THEN (
            SELECT group_concat({edge}) FROM dependencies WHERE parent_id = {parent}
        ) END"""
