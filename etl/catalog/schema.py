"""The tables and full-text searches of a catalog, declared as data.

Read this file to know the catalog.  Tables hold integer keys and each fact once; the views in
:mod:`etl.catalog.views` give names for people, and :mod:`etl.catalog.indexes` says what is looked
up by what.  What every table and column means, in words, is
in ``metadata.json``, and a test keeps the two together.
"""

from __future__ import annotations

SCHEMA_VERSION = "2"
"""Recorded in ``catalog_info``; it changes when a table changes in a way that readers notice."""

TABLES: dict[str, str] = {
    # What there is.
    "packages": """
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        versions INTEGER NOT NULL DEFAULT 0,
        specs INTEGER NOT NULL DEFAULT 0,
        binaries INTEGER NOT NULL DEFAULT 0,
        tags INTEGER NOT NULL DEFAULT 0,
        newest_version_id INTEGER REFERENCES versions(id),
        first_tag_id INTEGER REFERENCES tags(id),
        last_tag_id INTEGER REFERENCES tags(id),
        description TEXT,
        homepage TEXT,
        licenses TEXT,
        sized INTEGER NOT NULL DEFAULT 0,
        size INTEGER,
        gone INTEGER NOT NULL DEFAULT 0
    """,
    "versions": """
        id INTEGER PRIMARY KEY,
        package_id INTEGER NOT NULL REFERENCES packages(id),
        version TEXT NOT NULL,
        sort_key TEXT NOT NULL
    """,
    "compilers": """
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        compiler TEXT NOT NULL,
        version TEXT,
        sort_key TEXT
    """,
    "operating_systems": "id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE",
    "platforms": "id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE",
    "targets": """
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        family TEXT,
        vendor TEXT
    """,
    "target_ancestors": """
        target_id INTEGER NOT NULL REFERENCES targets(id),
        ancestor_id INTEGER NOT NULL REFERENCES targets(id),
        PRIMARY KEY (target_id, ancestor_id)
    """,
    "libcs": """
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        sort_key TEXT NOT NULL,
        path TEXT NOT NULL
    """,
    "needs": """
        id INTEGER PRIMARY KEY,
        platform_id INTEGER REFERENCES platforms(id),
        os_id INTEGER REFERENCES operating_systems(id),
        target_id INTEGER REFERENCES targets(id),
        libc_id INTEGER REFERENCES libcs(id),
        libc_by TEXT
    """,
    "need_set_members": """
        need_set INTEGER NOT NULL,
        need_id INTEGER NOT NULL REFERENCES needs(id),
        PRIMARY KEY (need_set, need_id)
    """,
    "caches": """
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        address TEXT NOT NULL,
        kind TEXT NOT NULL,
        signed INTEGER,
        tags INTEGER NOT NULL DEFAULT 0,
        binaries INTEGER NOT NULL DEFAULT 0
    """,
    "tags": """
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        date TEXT,
        position INTEGER NOT NULL UNIQUE,
        packages INTEGER NOT NULL DEFAULT 0,
        binaries INTEGER NOT NULL DEFAULT 0,
        described INTEGER NOT NULL DEFAULT 0,
        sized INTEGER NOT NULL DEFAULT 0,
        size INTEGER,
        cache_id INTEGER REFERENCES caches(id),
        gone INTEGER NOT NULL DEFAULT 0,
        gone_since TEXT
    """,
    "stacks": "id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE",
    "mirrors": """
        id INTEGER PRIMARY KEY,
        tag_id INTEGER NOT NULL REFERENCES tags(id),
        stack_id INTEGER NOT NULL REFERENCES stacks(id),
        url TEXT,
        view TEXT,
        binaries INTEGER NOT NULL DEFAULT 0,
        sized INTEGER NOT NULL DEFAULT 0,
        size INTEGER,
        first_seen TEXT,
        last_seen TEXT,
        gone_since TEXT,
        cache_id INTEGER REFERENCES caches(id),
        layout TEXT,
        signed INTEGER,
        keys INTEGER,
        published TEXT,
        sha256 TEXT,
        gone INTEGER NOT NULL DEFAULT 0,
        UNIQUE (tag_id, stack_id)
    """,
    # Lists that many specs share, each kept once.
    "variants": """
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        sha256 TEXT
    """,
    "variant_sets": "id INTEGER PRIMARY KEY, variants TEXT NOT NULL, parts TEXT",
    "variant_set_members": """
        variant_set_id INTEGER NOT NULL REFERENCES variant_sets(id),
        variant_id INTEGER NOT NULL REFERENCES variants(id),
        PRIMARY KEY (variant_set_id, variant_id)
    """,
    "stack_sets": "id INTEGER PRIMARY KEY, stacks TEXT NOT NULL UNIQUE",
    "stack_set_members": """
        stack_set_id INTEGER NOT NULL REFERENCES stack_sets(id),
        stack_id INTEGER NOT NULL REFERENCES stacks(id),
        PRIMARY KEY (stack_set_id, stack_id)
    """,
    "stack_orders": """
        id INTEGER PRIMARY KEY,
        stack_set_id INTEGER NOT NULL REFERENCES stack_sets(id),
        stacks TEXT NOT NULL UNIQUE
    """,
    # The facts.
    "specs": """
        id INTEGER PRIMARY KEY,
        hash TEXT NOT NULL COLLATE NOCASE,
        package_id INTEGER NOT NULL REFERENCES packages(id),
        version_id INTEGER REFERENCES versions(id),
        compiler_id INTEGER REFERENCES compilers(id),
        os_id INTEGER REFERENCES operating_systems(id),
        platform_id INTEGER REFERENCES platforms(id),
        target_id INTEGER REFERENCES targets(id),
        variant_set_id INTEGER REFERENCES variant_sets(id),
        size INTEGER,
        tags INTEGER NOT NULL DEFAULT 0,
        first_tag_id INTEGER REFERENCES tags(id),
        last_tag_id INTEGER REFERENCES tags(id),
        format INTEGER,
        namespace TEXT,
        package_hash TEXT,
        external TEXT,
        build_spec TEXT,
        external_details TEXT,
        patch_order TEXT,
        libc_id INTEGER REFERENCES libcs(id),
        need_id INTEGER REFERENCES needs(id),
        need_set INTEGER,
        fault TEXT
    """,
    "binaries": """
        id INTEGER PRIMARY KEY,
        tag_id INTEGER NOT NULL REFERENCES tags(id),
        spec_id INTEGER NOT NULL REFERENCES specs(id),
        stack_set_id INTEGER NOT NULL REFERENCES stack_sets(id),
        package_id INTEGER NOT NULL REFERENCES packages(id),
        version_id INTEGER NOT NULL REFERENCES versions(id),
        compiler_id INTEGER NOT NULL REFERENCES compilers(id),
        os_id INTEGER NOT NULL REFERENCES operating_systems(id),
        platform_id INTEGER NOT NULL REFERENCES platforms(id),
        target_id INTEGER NOT NULL REFERENCES targets(id),
        variant_set_id INTEGER NOT NULL REFERENCES variant_sets(id),
        position INTEGER,
        stack_order_id INTEGER REFERENCES stack_orders(id),
        complete INTEGER,
        first_seen TEXT,
        published TEXT
    """,
    # What earlier catalogs had and the build caches have no more; nothing of it is in binaries.
    "gone_binaries": """
        id INTEGER PRIMARY KEY,
        tag_id INTEGER NOT NULL REFERENCES tags(id),
        spec_id INTEGER NOT NULL REFERENCES specs(id),
        stack_set_id INTEGER NOT NULL REFERENCES stack_sets(id),
        package_id INTEGER NOT NULL REFERENCES packages(id),
        version_id INTEGER NOT NULL REFERENCES versions(id),
        position INTEGER,
        stack_order_id INTEGER REFERENCES stack_orders(id),
        first_seen TEXT,
        last_seen TEXT,
        gone_since TEXT NOT NULL,
        published TEXT
    """,
    "spec_flags": """
        id INTEGER PRIMARY KEY,
        spec_id INTEGER NOT NULL REFERENCES specs(id),
        name TEXT NOT NULL,
        flag TEXT NOT NULL
    """,
    "dependencies": """
        id INTEGER PRIMARY KEY,
        parent_id INTEGER NOT NULL REFERENCES specs(id),
        child_id INTEGER NOT NULL REFERENCES specs(id),
        deptypes TEXT NOT NULL,
        virtuals TEXT NOT NULL,
        linked INTEGER NOT NULL
    """,
    "package_dependencies": """
        id INTEGER PRIMARY KEY,
        package_id INTEGER NOT NULL REFERENCES packages(id),
        dependency_id INTEGER NOT NULL REFERENCES packages(id),
        specs INTEGER NOT NULL,
        link INTEGER NOT NULL
    """,
    "provides": """
        id INTEGER PRIMARY KEY,
        package_id INTEGER NOT NULL REFERENCES packages(id),
        virtual TEXT NOT NULL,
        versions TEXT,
        condition TEXT NOT NULL
    """,
    "virtual_providers": """
        id INTEGER PRIMARY KEY,
        virtual TEXT NOT NULL,
        package_id INTEGER NOT NULL REFERENCES packages(id),
        dependents INTEGER NOT NULL
    """,
    "virtual_lists": """
        virtual TEXT NOT NULL,
        virtuals TEXT NOT NULL,
        PRIMARY KEY (virtual, virtuals)
    """,
    # Summaries that pages and queries need at once.
    "package_tags": """
        id INTEGER PRIMARY KEY,
        package_id INTEGER NOT NULL REFERENCES packages(id),
        tag_id INTEGER NOT NULL REFERENCES tags(id),
        binaries INTEGER NOT NULL,
        versions INTEGER NOT NULL,
        newest_version_id INTEGER NOT NULL REFERENCES versions(id),
        sized INTEGER NOT NULL DEFAULT 0,
        size INTEGER
    """,
    "tag_machines": """
        id INTEGER PRIMARY KEY,
        tag_id INTEGER NOT NULL REFERENCES tags(id),
        os_id INTEGER NOT NULL REFERENCES operating_systems(id),
        platform_id INTEGER NOT NULL REFERENCES platforms(id),
        target_id INTEGER NOT NULL REFERENCES targets(id),
        binaries INTEGER NOT NULL
    """,
    "facet_counts": """
        id INTEGER PRIMARY KEY,
        table_name TEXT NOT NULL,
        facet TEXT NOT NULL,
        value INTEGER,
        count INTEGER NOT NULL
    """,
    # Where it all comes from.
    "sources": """
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,
        location TEXT NOT NULL,
        sha256 TEXT,
        read_at TEXT,
        cache_id INTEGER REFERENCES caches(id),
        options TEXT NOT NULL DEFAULT ''
    """,
    "events": """
        id INTEGER PRIMARY KEY,
        at TEXT NOT NULL,
        event TEXT NOT NULL,
        tag_id INTEGER NOT NULL REFERENCES tags(id),
        spec_id INTEGER NOT NULL REFERENCES specs(id)
    """,
    "problems": """
        id INTEGER PRIMARY KEY,
        source_id INTEGER NOT NULL REFERENCES sources(id),
        place TEXT NOT NULL,
        kind TEXT NOT NULL,
        message TEXT NOT NULL
    """,
    "page_styles": "id INTEGER PRIMARY KEY, style TEXT NOT NULL UNIQUE",
    "pages": """
        id INTEGER PRIMARY KEY,
        tag_id INTEGER NOT NULL REFERENCES tags(id),
        package_id INTEGER NOT NULL REFERENCES packages(id),
        source_id INTEGER NOT NULL REFERENCES sources(id),
        style_id INTEGER NOT NULL REFERENCES page_styles(id),
        text BLOB
    """,
    "catalog_info": "key TEXT PRIMARY KEY, value TEXT NOT NULL",
}

FACET_COLUMNS = ("package_id", "version_id", "compiler_id", "os_id", "platform_id", "target_id")
"""Columns of ``specs`` and of ``binaries`` that whole-table facets are counted for in advance."""

FULL_TEXT: dict[str, tuple[str, ...]] = {
    "packages": ("name", "description"),
    "variant_sets": ("variants",),
}
"""Full-text search tables (``<table>_fts``) and the columns they search."""

TOKENIZERS = {
    "packages": "unicode61",
    # A variant is one word, sign and all: +mpi, cuda_arch:=80.
    "variant_sets": "unicode61 tokenchars '+~-_.:='",
}
