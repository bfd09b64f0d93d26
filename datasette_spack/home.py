"""What the home page says of the catalog: how much there is, and the newest tags."""

from __future__ import annotations

from typing import Any

from datasette_spack.database import is_catalog

_COUNTS = """
    SELECT (SELECT count(*) FROM tags WHERE binaries > 0) AS tags,
        (SELECT count(*) FROM packages WHERE binaries > 0) AS packages,
        (SELECT sum(specs) FROM packages) AS specs,
        (SELECT sum(binaries) FROM tags) AS binaries
"""
_NEWEST_TAGS = """
    SELECT name, kind, date, packages, binaries FROM tags
    WHERE binaries > 0 ORDER BY position DESC LIMIT 5
"""


async def home_facts(datasette: Any) -> dict[str, Any]:
    """The variables ``catalog_counts`` and ``newest_tags`` of the templates."""
    if "catalog" not in datasette.databases:
        return {}
    database = datasette.get_database("catalog")
    if not await is_catalog(database):
        return {}
    counts = await database.execute(_COUNTS)
    tags = await database.execute(_NEWEST_TAGS)
    return {
        "catalog_counts": dict(counts.first()),
        "newest_tags": [dict(row) for row in tags.rows],
    }
