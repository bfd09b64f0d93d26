"""The public views: names for people.  They are a contract, and their columns do not change."""

from __future__ import annotations

# The names are joined from the left, though there always is one: in that order SQLite looks up each
# row's names, and where a name is asked for it starts there.  Left to choose among ten tables it
# begins with products of the small ones, which takes seconds at full scale.
# In binary_list, what nobody starts from is looked up only where it is wanted: a join is made for
# every row, wanted or not, and to count by tag and system would take three times as long.
VIEWS: dict[str, str] = {
    "spec_list": """
        SELECT specs.hash, packages.name AS package, versions.version,
            versions.sort_key AS version_key, compilers.name AS compiler,
            operating_systems.name AS os, platforms.name AS platform, targets.name AS target,
            variant_sets.variants, specs.size, first_tags.name AS first_tag,
            last_tags.name AS last_tag, specs.tags, (
                SELECT min(first_seen) FROM (
                    SELECT min(first_seen) AS first_seen FROM binaries WHERE spec_id = specs.id
                    UNION ALL
                    SELECT min(first_seen) FROM gone_binaries WHERE spec_id = specs.id
                )
            ) AS first_seen, (
                SELECT max(mirrors.last_seen) FROM binaries
                JOIN stack_set_members USING (stack_set_id)
                JOIN mirrors ON mirrors.tag_id = binaries.tag_id
                    AND mirrors.stack_id = stack_set_members.stack_id
                WHERE binaries.spec_id = specs.id
            ) AS last_seen
        FROM specs
        LEFT JOIN packages ON packages.id = specs.package_id
        LEFT JOIN versions ON versions.id = specs.version_id
        LEFT JOIN compilers ON compilers.id = specs.compiler_id
        LEFT JOIN operating_systems ON operating_systems.id = specs.os_id
        LEFT JOIN platforms ON platforms.id = specs.platform_id
        LEFT JOIN targets ON targets.id = specs.target_id
        LEFT JOIN variant_sets ON variant_sets.id = specs.variant_set_id
        LEFT JOIN tags AS first_tags ON first_tags.id = specs.first_tag_id
        LEFT JOIN tags AS last_tags ON last_tags.id = specs.last_tag_id
        WHERE specs.tags > 0
    """,
    "binary_list": """
        SELECT tags.name AS tag, packages.name AS package, (
                SELECT version FROM versions WHERE versions.id = binaries.version_id
            ) AS version, (
                SELECT sort_key FROM versions WHERE versions.id = binaries.version_id
            ) AS version_key, specs.hash, compilers.name AS compiler,
            operating_systems.name AS os, platforms.name AS platform, targets.name AS target, (
                SELECT variants FROM variant_sets WHERE variant_sets.id = specs.variant_set_id
            ) AS variants, (
                SELECT stacks FROM stack_sets WHERE stack_sets.id = binaries.stack_set_id
            ) AS stacks, specs.size, binaries.first_seen, binaries.published, (
                SELECT name FROM caches WHERE caches.id = tags.cache_id
            ) AS cache
        FROM binaries
        LEFT JOIN tags ON tags.id = binaries.tag_id
        LEFT JOIN specs ON specs.id = binaries.spec_id
        LEFT JOIN packages ON packages.id = binaries.package_id
        LEFT JOIN compilers ON compilers.id = binaries.compiler_id
        LEFT JOIN operating_systems ON operating_systems.id = binaries.os_id
        LEFT JOIN platforms ON platforms.id = binaries.platform_id
        LEFT JOIN targets ON targets.id = binaries.target_id
    """,
    "spec_variants": """
        SELECT specs.hash, packages.name AS package, variants.name, variants.value
        FROM specs
        JOIN packages ON packages.id = specs.package_id
        JOIN variant_set_members
            ON variant_set_members.variant_set_id = specs.variant_set_id
        JOIN variants ON variants.id = variant_set_members.variant_id
        WHERE specs.tags > 0
    """,
    "binary_stacks": """
        SELECT tags.name AS tag, specs.hash, packages.name AS package, stacks.name AS stack
        FROM binaries
        JOIN tags ON tags.id = binaries.tag_id
        JOIN specs ON specs.id = binaries.spec_id
        JOIN packages ON packages.id = binaries.package_id
        JOIN stack_set_members ON stack_set_members.stack_set_id = binaries.stack_set_id
        JOIN stacks ON stacks.id = stack_set_members.stack_id
    """,
    "dependency_list": """
        SELECT parents.hash, packages.name AS package, versions.version,
            children.hash AS dependency_hash, child_packages.name AS dependency,
            child_versions.version AS dependency_version, dependencies.deptypes,
            dependencies.virtuals, CAST(children.tags > 0 AS INTEGER) AS available
        FROM dependencies
        JOIN specs AS parents ON parents.id = dependencies.parent_id
        JOIN packages ON packages.id = parents.package_id
        LEFT JOIN versions ON versions.id = parents.version_id
        JOIN specs AS children ON children.id = dependencies.child_id
        JOIN packages AS child_packages ON child_packages.id = children.package_id
        LEFT JOIN versions AS child_versions ON child_versions.id = children.version_id
    """,
    "binary_needs": """
        SELECT tags.name AS tag, packages.name AS package, versions.version, specs.hash,
            platforms.name AS platform, operating_systems.name AS os, targets.name AS target,
            libcs.name AS libc, libcs.version AS libc_version, libcs.sort_key AS libc_key,
            libcs.path AS libc_path, needs.libc_by, specs.fault, binaries.complete
        FROM binaries
        LEFT JOIN tags ON tags.id = binaries.tag_id
        LEFT JOIN specs ON specs.id = binaries.spec_id
        LEFT JOIN packages ON packages.id = binaries.package_id
        LEFT JOIN versions ON versions.id = binaries.version_id
        LEFT JOIN platforms ON platforms.id = binaries.platform_id
        LEFT JOIN operating_systems ON operating_systems.id = binaries.os_id
        LEFT JOIN targets ON targets.id = binaries.target_id
        LEFT JOIN libcs ON libcs.id = specs.libc_id
        LEFT JOIN needs ON needs.id = specs.need_id
    """,
    "gone_list": """
        SELECT tags.name AS tag, packages.name AS package, versions.version,
            versions.sort_key AS version_key, specs.hash, compilers.name AS compiler,
            operating_systems.name AS os, platforms.name AS platform, targets.name AS target, (
                SELECT variants FROM variant_sets WHERE variant_sets.id = specs.variant_set_id
            ) AS variants, (
                SELECT stacks FROM stack_sets WHERE stack_sets.id = gone_binaries.stack_set_id
            ) AS stacks, specs.size, gone_binaries.first_seen, gone_binaries.last_seen,
            gone_binaries.gone_since,
            CASE WHEN specs.tags > 0 THEN still.name END AS still_in
        FROM gone_binaries
        LEFT JOIN tags ON tags.id = gone_binaries.tag_id
        LEFT JOIN specs ON specs.id = gone_binaries.spec_id
        LEFT JOIN packages ON packages.id = gone_binaries.package_id
        LEFT JOIN versions ON versions.id = gone_binaries.version_id
        LEFT JOIN compilers ON compilers.id = specs.compiler_id
        LEFT JOIN operating_systems ON operating_systems.id = specs.os_id
        LEFT JOIN platforms ON platforms.id = specs.platform_id
        LEFT JOIN targets ON targets.id = specs.target_id
        LEFT JOIN tags AS still ON still.id = specs.last_tag_id
    """,
    "event_list": """
        SELECT events.at, events.event, tags.name AS tag, packages.name AS package,
            versions.version, specs.hash,
            CASE WHEN specs.tags > 0 THEN still.name END AS still_in
        FROM events
        LEFT JOIN tags ON tags.id = events.tag_id
        LEFT JOIN specs ON specs.id = events.spec_id
        LEFT JOIN packages ON packages.id = specs.package_id
        LEFT JOIN versions ON versions.id = specs.version_id
        LEFT JOIN tags AS still ON still.id = specs.last_tag_id
    """,
    "machine_list": """
        SELECT tags.name AS tag, tags.kind, tags.date, operating_systems.name AS os,
            platforms.name AS platform, targets.name AS target, tag_machines.binaries
        FROM tag_machines
        JOIN tags ON tags.id = tag_machines.tag_id
        JOIN operating_systems ON operating_systems.id = tag_machines.os_id
        JOIN platforms ON platforms.id = tag_machines.platform_id
        JOIN targets ON targets.id = tag_machines.target_id
    """,
    "package_list": """
        SELECT packages.name AS package, packages.versions, versions.version AS newest_version,
            packages.specs, packages.tags, first_tags.name AS first_tag,
            last_tags.name AS last_tag
        FROM packages
        JOIN versions ON versions.id = packages.newest_version_id
        JOIN tags AS first_tags ON first_tags.id = packages.first_tag_id
        JOIN tags AS last_tags ON last_tags.id = packages.last_tag_id
    """,
}
