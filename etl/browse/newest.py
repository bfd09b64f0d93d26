"""As of when the catalog is, and what a page shows where no tag is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from etl.catalog.aliases import newest_tag as newest_tag_name
from etl.catalog.asking import Row

__all__ = ["newest_of", "newest_tag_name"]


def newest_of(tags: Sequence[Row]) -> str | None:
    """The newest of some tags that come newest first: of those with a date, if there are any.

    ``develop`` has none, since its binaries change from day to day.
    """
    rows = [row for row in tags if row["date"]] or tags
    return rows[0]["tag"] if rows else None
