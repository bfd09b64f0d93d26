"""When all rows are in: edges, indexes, summaries, views, search, and a word on the file itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from sqlite_utils import Database

from etl.catalog import indexes, schema
from etl.catalog.views import VIEWS
from etl.spack.targets import archspec_version
from etl.writer.rows import cache_of, insert

_MISSING_SPECS = """
    SELECT child, min(package) FROM shelf.edges
    WHERE NOT EXISTS (SELECT 1 FROM specs WHERE specs.hash = child)
    GROUP BY child ORDER BY 2, 1
"""
_EDGES = """
    INSERT INTO dependencies (parent_id, child_id, deptypes, virtuals, linked)
    SELECT edges.parent, specs.id, edges.deptypes, edges.virtuals,
        instr(edges.deptypes, 'link') > 0 OR instr(edges.deptypes, 'run') > 0
    FROM shelf.edges JOIN specs ON specs.hash = edges.child
    ORDER BY edges.rowid
"""
_STACK_COUNTS = (
    """
    CREATE TABLE shelf.stack_set_counts AS
    SELECT tag_id, stack_set_id, count(*) AS binaries FROM binaries GROUP BY tag_id, stack_set_id
    """,
    """
    CREATE TABLE shelf.stack_counts AS
    SELECT tag_id, stack_id, sum(binaries) AS binaries
    FROM shelf.stack_set_counts JOIN stack_set_members USING (stack_set_id)
    GROUP BY tag_id, stack_id
    """,
)
_GONE_COUNTS = (
    *(
        f"""
        UPDATE {table}s SET gone = found.gone FROM (
            SELECT {table}_id, count(*) AS gone FROM gone_binaries GROUP BY {table}_id
        ) AS found
        WHERE found.{table}_id = {table}s.id
        """
        for table in ("tag", "package")
    ),
    """
    UPDATE mirrors SET gone = found.gone FROM (
        SELECT tag_id, stack_id, sum(binaries) AS gone FROM (
            SELECT tag_id, stack_set_id, count(*) AS binaries
            FROM gone_binaries GROUP BY tag_id, stack_set_id
        ) JOIN stack_set_members USING (stack_set_id)
        GROUP BY tag_id, stack_id
    ) AS found
    WHERE found.tag_id = mirrors.tag_id AND found.stack_id = mirrors.stack_id
    """,
    # A tag is gone when all that it had is.
    """
    UPDATE tags SET gone_since = (
        SELECT max(gone_since) FROM gone_binaries WHERE tag_id = tags.id
    )
    WHERE binaries = 0 AND gone > 0
    """,
)
_COUNTS = (
    """
    UPDATE tags SET (packages, binaries) = (
        SELECT count(*), ifnull(sum(package_tags.binaries), 0)
        FROM package_tags WHERE tag_id = tags.id
    )
    """,
    """
    UPDATE tags SET described = (
        SELECT count(*) FROM binaries JOIN specs ON specs.id = binaries.spec_id
        WHERE binaries.tag_id = tags.id AND specs.format IS NOT NULL
    )
    WHERE EXISTS (SELECT 1 FROM dependencies)
    """,
    """
    INSERT INTO package_dependencies (package_id, dependency_id, specs, link)
    SELECT parents.package_id, children.package_id, count(DISTINCT parent_id), max(linked)
    FROM dependencies
    CROSS JOIN specs AS parents ON parents.id = parent_id
    CROSS JOIN specs AS children ON children.id = child_id
    GROUP BY parents.package_id, children.package_id
    ORDER BY parents.package_id, children.package_id
    """,
)

_PROVIDERS = """
    INSERT INTO virtual_providers (virtual, package_id, dependents)
    SELECT virtual_lists.virtual, counted.package_id, sum(counted.edges)
    FROM (
        SELECT dependencies.virtuals, specs.package_id, count(*) AS edges
        FROM dependencies CROSS JOIN specs ON specs.id = dependencies.child_id
        WHERE dependencies.virtuals <> ''
        GROUP BY dependencies.virtuals, specs.package_id
    ) AS counted
    JOIN virtual_lists ON virtual_lists.virtuals = counted.virtuals
    GROUP BY virtual_lists.virtual, counted.package_id
    ORDER BY virtual_lists.virtual, counted.package_id
"""
_SORTED_KIB = 4_000
_HAS_SIZES = "SELECT EXISTS (SELECT 1 FROM specs WHERE size IS NOT NULL)"
_SIZES = (
    """
    UPDATE packages SET (sized, size) = (
        SELECT count(size), sum(size) FROM specs
        WHERE specs.package_id = packages.id AND specs.tags > 0
    )
    """,
    """
    UPDATE package_tags SET (sized, size) = (
        SELECT count(specs.size), sum(specs.size)
        FROM binaries CROSS JOIN specs ON specs.id = binaries.spec_id
        WHERE binaries.package_id = package_tags.package_id
            AND binaries.tag_id = package_tags.tag_id
    )
    """,
    """
    UPDATE tags SET (sized, size) = (
        SELECT ifnull(sum(package_tags.sized), 0), sum(package_tags.size)
        FROM package_tags WHERE tag_id = tags.id
    )
    """,
    """
    CREATE TABLE shelf.stack_set_sizes AS
    SELECT binaries.tag_id, stack_set_id, count(specs.size) AS sized, sum(specs.size) AS size
    FROM binaries NOT INDEXED CROSS JOIN specs ON specs.id = binaries.spec_id
    GROUP BY binaries.tag_id, stack_set_id
    """,
    """
    CREATE TABLE shelf.stack_sizes AS
    SELECT tag_id, stack_id, sum(sized) AS sized, sum(size) AS size
    FROM shelf.stack_set_sizes JOIN stack_set_members USING (stack_set_id)
    GROUP BY tag_id, stack_id
    """,
    """
    UPDATE mirrors SET sized = found.sized, size = found.size
    FROM shelf.stack_sizes AS found
    WHERE found.tag_id = mirrors.tag_id AND found.stack_id = mirrors.stack_id
    """,
)
"""How many bytes there are, where a source tells sizes, and of how many binaries that is.

Binaries are read as they lie, beside their specs: by an index of them, specs would be looked up all
over the file, which takes four times as long.
"""


def add_edges(db: sqlite3.Connection) -> None:
    """Join parents and children, now that the hashes have their index.

    A dependency that no source describes gets a spec of which only hash and package are known.
    """
    missing = db.execute(_MISSING_SPECS).fetchall()
    db.executemany(
        "INSERT INTO packages (name) SELECT ? WHERE ? NOT IN (SELECT name FROM packages)",
        [(name, name) for name in sorted({package for _, package in missing})],
    )
    db.executemany(
        "INSERT INTO specs (hash, package_id) SELECT ?, id FROM packages WHERE name = ?", missing
    )
    db.execute(_EDGES)
    lists = [text for (text,) in db.execute("SELECT DISTINCT virtuals FROM shelf.edges")]
    insert(
        db,
        "virtual_lists",
        "virtual, virtuals",
        sorted((virtual, text) for text in lists for virtual in set(text.split())),
    )


def count_stacks(db: sqlite3.Connection) -> None:
    """Count the binaries of each stack in each tag, into ``shelf.stack_counts``."""
    for statement in _STACK_COUNTS:
        db.execute(statement)


def create_indexes(db: sqlite3.Connection) -> None:
    """Create all indexes but that of the hashes, which :func:`index_hashes` makes."""
    with _sorting(db):
        for unique, listed in (("UNIQUE ", indexes.UNIQUE_INDEXES), ("", indexes.INDEXES)):
            for table, columns in listed:
                if (table, columns) != indexes.HASHES:
                    name = indexes.index_name(table, columns)
                    db.execute(f"CREATE {unique}INDEX {name} ON {table} ({columns})")
        name, table, columns, test = indexes.INCOMPLETE
        db.execute(f"CREATE INDEX {name} ON {table} ({columns}) WHERE {test}")


@contextmanager
def _sorting(db: sqlite3.Connection) -> Iterator[None]:
    """While indexes are made.

    SQLite sorts as many rows at a time as its cache holds.  Parts that the processor's own cache
    holds are sorted in three quarters of the time, and by a thread beside the one that reads rows.
    """
    with cache_of(db, _SORTED_KIB):
        db.execute("PRAGMA threads = 1")
        try:
            yield
        finally:
            db.execute("PRAGMA threads = 0")


def analyze(db: sqlite3.Connection) -> None:
    """Tell the query planner how much there is of what.

    A sample of most indexes is enough, in a fiftieth of the time; see
    :data:`~etl.catalog.indexes.OF_FEW_VALUES` for the others.
    """
    db.execute("PRAGMA analysis_limit = 1000")
    db.execute("ANALYZE")
    db.execute("PRAGMA analysis_limit = 0")
    for columns in indexes.OF_FEW_VALUES.values():
        db.execute(f"ANALYZE {indexes.index_name('binaries', columns)}")


def index_hashes(db: sqlite3.Connection) -> dict[str, int]:
    """Index the hashes; returns, for each that several packages claim, the id of its package.

    The package of the newest tag has it; of two in the same tag the first by name.
    """
    table, columns = indexes.HASHES
    try:
        with _sorting(db):
            name = indexes.index_name(table, columns)
            db.execute(f"CREATE UNIQUE INDEX {name} ON {table} ({columns})")
    except sqlite3.IntegrityError:
        rows = db.execute(
            """
            SELECT hash, package_id FROM specs
            WHERE hash IN (SELECT hash FROM specs GROUP BY hash HAVING count(*) > 1)
            ORDER BY last_tag_id NULLS FIRST, package_id DESC
            """
        )
        return dict(rows.fetchall())
    return {}


def date_binaries(db: sqlite3.Connection) -> None:
    """Fill in when binaries were put into their build cache, where a source tells."""
    for table in ("binaries", "gone_binaries"):
        db.execute(
            f"""
            UPDATE {table} SET published = dates.published FROM (
                SELECT tags.id AS tag_id, specs.id AS spec_id, max(dates.published) AS published
                FROM shelf.dates JOIN tags ON tags.name = dates.tag
                JOIN specs ON specs.hash = dates.hash
                GROUP BY tags.id, specs.id
            ) AS dates
            WHERE {table}.tag_id = dates.tag_id AND {table}.spec_id = dates.spec_id
            """
        )


def count(db: sqlite3.Connection) -> None:
    """Fill in the summaries that pages and facets need at once."""
    for statement in (*_COUNTS, *_GONE_COUNTS):
        db.execute(statement)
    (has_sizes,) = db.execute(_HAS_SIZES).fetchone()
    for statement in _SIZES if has_sizes else ():
        db.execute(statement)
    db.execute(_PROVIDERS)
    add = "INSERT INTO facet_counts (table_name, facet, value, count) "
    for column in schema.FACET_COLUMNS:
        db.execute(
            f"{add} SELECT 'specs', ?, {column}, count(*) FROM specs"
            f" WHERE {column} IS NOT NULL GROUP BY {column} ORDER BY 4 DESC, 3",
            (column,),
        )
        db.execute(
            f"{add} SELECT 'binaries', ?, {column}, count(*) FROM binaries"
            f" GROUP BY {column} ORDER BY 4 DESC, 3",
            (column,),
        )
    for table in ("specs", "binaries"):
        db.execute(
            f"{add} SELECT ?, 'tag_id', id, binaries FROM tags"
            " WHERE binaries > 0 ORDER BY 4 DESC, 3",
            (table,),
        )
    db.execute(
        f"{add} SELECT 'binaries', 'stack_id', stack_id, sum(binaries) FROM shelf.stack_counts"
        " GROUP BY stack_id ORDER BY 4 DESC, 3"
    )


def add_views_and_search(db: sqlite3.Connection) -> None:
    """Create the public views and the full-text searches."""
    database = Database(db)
    for name, select in VIEWS.items():
        database.create_view(name, select)
    for table, columns in schema.FULL_TEXT.items():
        database.table(table).enable_fts(columns, tokenize=schema.TOKENIZERS[table])


def describe(db: sqlite3.Connection) -> None:
    """Record what wrote the catalog and by whose knowledge of targets; nothing that varies.

    The oldest format of a spec is there since it would take a look at all specs to find it.
    """
    (oldest,) = db.execute("SELECT min(format) FROM specs").fetchone()
    insert(
        db,
        "catalog_info",
        "key, value",
        [
            ("archspec_version", archspec_version()),
            ("oldest_spec_format", str(oldest or "")),
            ("program_version", version("spack-catalog")),
            ("schema_version", schema.SCHEMA_VERSION),
        ],
    )
