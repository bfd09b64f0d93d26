"""The indexes of a catalog, and which page or query needs each of them.

They are a third of a catalog's bytes and a fifth of a build, so none is there without a need.  All
of them are used: ``pytest -p tests.index_use tests/datasette tests/query tests/compare`` asks
SQLite for the plan of every statement that the tests run, and lists those that no plan uses.
"""

from __future__ import annotations

from typing import NamedTuple

HASHES = ("specs", "hash")
"""The index by which one hash is one spec; it is made first, since edges are joined by it."""

UNIQUE_INDEXES: tuple[tuple[str, str], ...] = (
    # Specs by hash or its beginning: /spec/HASH, `find /HASH`, diff, cover.
    HASHES,
    # `@1.10`, and versions by their names in questions.
    ("versions", "package_id, version"),
    # In which tags a spec is: its page, `--tag any`, diff of two tags.
    ("binaries", "spec_id, tag_id"),
    ("gone_binaries", "spec_id, tag_id"),
    # A package's page by tag, and packages that two tags have in common.
    ("package_tags", "package_id, tag_id"),
    # What provides mpi: /virtual/mpi, `^mpi`.
    ("virtual_providers", "virtual, package_id"),
    # The machines that a tag is built for, and what a host could use of it.
    ("tag_machines", "tag_id, os_id, platform_id, target_id"),
    # Which packages need a package: /package/X/dependents, and what a package needs.
    ("package_dependencies", "package_id, dependency_id"),
    # `export pages` and `check` go by tag and package.
    ("pages", "tag_id, package_id"),
)

OF_FEW_VALUES = {
    column: f"{column}, tag_id"
    for column in ("compiler_id", "os_id", "platform_id", "target_id", "stack_set_id")
}
"""Indexes of ``binaries`` that serve all tags and each tag, by the column whose values they have.

SQLite goes from value to value to count those of a tag, if it knows how few values there are: these
are analyzed as a whole, where a sample does for all others.
"""

INDEXES: tuple[tuple[str, str], ...] = (
    # Versions in Spack's order: newest first, `@1.10:1.12`; of all packages in compare.
    ("versions", "package_id, sort_key"),
    ("versions", "sort_key"),
    # `+mpi`: the variant, then the lists that have it, then their specs.
    ("variants", "name, value"),
    ("variant_set_members", "variant_id, variant_set_id"),
    ("specs", "variant_set_id"),
    # `--stack e4s`: the lists that have it.
    ("stack_set_members", "stack_id, stack_set_id"),
    # `target=:zen4` and --runs-on; hosts.
    ("target_ancestors", "ancestor_id, target_id"),
    ("need_set_members", "need_id, need_set"),
    # Specs of a package by version, which `find` starts from; and by their newest tag, on its page.
    ("specs", "package_id, version_id"),
    ("specs", "package_id, last_tag_id"),
    # spec_list filtered and faceted by a column, and the links from one row to its specs.
    ("specs", "last_tag_id"),
    ("specs", "version_id"),
    ("specs", "compiler_id"),
    ("specs", "os_id"),
    ("specs", "platform_id"),
    ("specs", "target_id"),
    # What a host can use, and in which tag last, told in the index alone: `find --reusable`.
    ("specs", "need_id, need_set, fault, last_tag_id"),
    # A tag is faceted by each of these; without an index a facet of a tag times out.
    ("binaries", "tag_id, package_id"),
    # With the stacks, so that the versions of a tag or a stack are compared in the index alone.
    ("binaries", "tag_id, version_id, stack_set_id"),
    ("binaries", "tag_id, variant_set_id"),
    *(("binaries", columns) for columns in OF_FEW_VALUES.values()),
    # With the version, so that a package's versions by tag are counted in the index alone.
    ("binaries", "package_id, tag_id, version_id"),
    # What is gone of a tag, a package, a stack, a version.
    ("gone_binaries", "tag_id, package_id"),
    ("gone_binaries", "package_id, tag_id, version_id"),
    ("gone_binaries", "stack_set_id"),
    ("gone_binaries", "version_id"),
    # `find --cache`, and the pages of caches.
    ("tags", "cache_id"),
    ("mirrors", "cache_id"),
    # When a package was seen last; whether any build cache was seen at a time that is told.
    ("mirrors", "last_seen"),
    # binary_list filtered by a column in all tags, and the links from one row to its binaries.
    ("binaries", "version_id"),
    ("binaries", "variant_set_id"),
    # `cflags=-O3`, and the flags on a spec's page.
    ("spec_flags", "spec_id"),
    ("spec_flags", "name, flag, spec_id"),
    # The graph downwards and upwards, with what is linked told apart in the index alone.
    ("dependencies", "parent_id, linked, child_id"),
    ("dependencies", "child_id, linked, parent_id"),
    # `^mpi`: edges over which it is provided, where few of them start from a package.
    ("dependencies", "virtuals"),
    # The packages of a tag; a package's dependents, and what it provides by its recipe.
    ("package_tags", "tag_id"),
    ("package_dependencies", "dependency_id"),
    ("provides", "package_id"),
    ("virtual_providers", "package_id"),
    ("provides", "virtual"),
    # Facets of whole tables, counted in advance.
    ("facet_counts", "table_name, facet"),
    # The links from a source to its problems.
    ("problems", "source_id"),
    # What was removed and returned: feeds of a tag, the spec's page, the news of the catalog.
    ("events", "tag_id, at"),
    ("events", "spec_id, tag_id"),
    ("events", "at, event, tag_id"),
)


class PartialIndex(NamedTuple):
    """An index of the few rows that pass a test."""

    name: str
    table: str
    columns: str
    test: str


INCOMPLETE = PartialIndex("idx_binaries_incomplete", "binaries", "spec_id, tag_id", "complete = 0")
"""What cannot be installed from its mirror alone: `find --reusable`, tags, stacks and `check`."""


def index_name(table: str, columns: str) -> str:
    """The name of the index on these columns, as sqlite-utils would call it."""
    return f"idx_{table}_{columns.replace(', ', '_')}"
