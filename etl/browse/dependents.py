"""What depends on a package in one tag: directly, or through others; to run, or only to build."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from etl.browse.lists import described_tags
from etl.browse.newest import newest_of
from etl.catalog.asking import Listed, NotHereError, Row, ask, known, near_names
from etl.catalog.sql_text import Parameters, inline
from etl.query.search import Search
from etl.spack.syntax import parse_spec

MOST = 200_000
"""Specs above a package that are looked at, in all tags; where there are more, not all are told."""

_WANTED = """\
WITH RECURSIVE wanted(id, linked) AS MATERIALIZED (
    SELECT specs.id, 1
{specs}
)"""
_IN_TAG = """\
CROSS JOIN binaries ON binaries.spec_id = parents.id
    AND binaries.tag_id = (SELECT id FROM tags WHERE name = {tag})
CROSS JOIN packages ON packages.id = binaries.package_id
GROUP BY packages.id"""
# ``linked`` goes along and is compared with that of the edge: compared with 1, SQLite would first
# make an index of all edges.
_DIRECT = """\
{wanted}, parents(id, runs) AS MATERIALIZED (
    SELECT dependencies.parent_id, max(dependencies.linked)
    FROM wanted CROSS JOIN dependencies ON dependencies.child_id = wanted.id
    GROUP BY dependencies.parent_id
)
SELECT packages.name AS package, sum(parents.runs) AS to_run,
    count(*) - sum(parents.runs) AS to_build
FROM parents
{in_tag}
ORDER BY sum(parents.runs) = 0, packages.name"""
_ABOVE = """\
{wanted}, parents(id, linked) AS (
    SELECT dependencies.parent_id, 1
    FROM wanted CROSS JOIN dependencies
        ON dependencies.child_id = wanted.id AND dependencies.linked = wanted.linked
    UNION
    SELECT dependencies.parent_id, 1
    FROM parents CROSS JOIN dependencies
        ON dependencies.child_id = parents.id AND dependencies.linked = parents.linked
    LIMIT {most}
)"""
_ALL = """\
{above}
SELECT packages.name AS package, count(*) AS binaries
FROM parents
{in_tag}
ORDER BY packages.name"""


@dataclass(frozen=True, slots=True)
class Dependents:
    """What depends on a package, or on the versions of it that are asked for, in ``tag``.

    ``direct`` has package, and how many of its binaries need it ``to_run`` (they link to it or run
    with it) and only ``to_build``; ``all`` has package and binaries of all that link to it or run
    with it, however far above.  ``complete`` is false where there are too many to look at all.
    """

    package: str
    version: str | None
    tag: str | None
    tags: tuple[Row, ...]
    direct: Listed
    all: Listed
    complete: bool


def dependents(
    db: sqlite3.Connection, package: str, tag: str | None = None, version: str | None = None
) -> Dependents:
    """The dependents of a package in a tag; in the newest that tells dependencies if none is given.

    ``version`` is what may come after an ``@`` in a spec.

    Raises:
        NotHereError: there is no such package or tag.
        SpecSyntaxError: the version cannot be read.
    """
    if db.execute("SELECT 1 FROM packages WHERE name = ?", (package,)).fetchone() is None:
        raise NotHereError("package", package, near_names(db, "packages", package))
    tags = described_tags(db)
    if tag:
        known(db, "tags", "tag", tag)
    else:
        tag = newest_of(tags)
    query = parse_spec(f"{package}@{version}" if version else package)
    parameters = Parameters()
    specs = Search(db).specs([query], parameters)
    place = parameters.add("tag", tag)
    wanted = _WANTED.format(specs=specs.sql)
    in_tag = _IN_TAG.format(tag=place)
    above = _ABOVE.format(wanted=wanted, most=MOST)
    direct = _listed(db, _DIRECT.format(wanted=wanted, in_tag=in_tag), parameters)
    every = _listed(db, _ALL.format(above=above, in_tag=in_tag), parameters)
    counting = f"{above}\nSELECT count(*) FROM parents"
    (looked_at,) = db.execute(counting, parameters.values).fetchone()
    return Dependents(package, version, tag, tags, direct, every, looked_at < MOST)


def _listed(db: sqlite3.Connection, sql: str, parameters: Parameters) -> Listed:
    rows = ask(db, sql, **parameters.values)
    return Listed(rows, inline(sql, parameters.values), len(rows))
