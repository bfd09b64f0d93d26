"""Names in the place of the numbers of a spec, for statements that people may read."""

from __future__ import annotations

# From the left, as in the views: SQLite then looks up names for the specs that are found.
SPEC_NAMES = """\
LEFT JOIN packages ON packages.id = specs.package_id
LEFT JOIN versions ON versions.id = specs.version_id
LEFT JOIN compilers ON compilers.id = specs.compiler_id
LEFT JOIN operating_systems ON operating_systems.id = specs.os_id
LEFT JOIN platforms ON platforms.id = specs.platform_id
LEFT JOIN targets ON targets.id = specs.target_id
LEFT JOIN variant_sets ON variant_sets.id = specs.variant_set_id
LEFT JOIN tags AS first ON first.id = specs.first_tag_id
LEFT JOIN tags AS last ON last.id = specs.last_tag_id"""
"""All that a row of ``specs`` refers to, by name."""
