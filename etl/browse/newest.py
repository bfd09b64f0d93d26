"""As of when the catalog is."""

from __future__ import annotations

from etl.catalog.aliases import newest_tag as newest_tag_name

__all__ = ["newest_tag_name"]
