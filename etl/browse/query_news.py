"""What is new for a spec query: the versions that satisfy it, by the tag that had them first.

What was added and removed from tag to tag: :mod:`etl.browse.query_tags`.

As in other news, only tags with a date count.  What was removed from a tag, or returned to it, is
told of all tags, by the time at which that was observed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from etl.browse.news import MAX_EVENTS
from etl.browse.removals import Change, changes_of_specs, in_stacks
from etl.catalog.asking import Row
from etl.catalog.sql_text import Parameters
from etl.query.scope import Scope, of_specs, sets_with, stacks_of, tags_of
from etl.query.search import Search
from etl.spack.tree import SpecQuery

_NAMES = ("package", "version", "tag", "date", "binaries")

# Tags are numbered in time; of a version the binaries of its first tag are counted.
_FIRST_SEEN = """\
WITH found AS MATERIALIZED (
SELECT specs.id AS id, specs.version_id AS of_version, specs.first_tag_id AS first_tag_id
{specs}
), places AS (
{places}
), seen AS (
    SELECT version_id, tag_id, count(*) AS binaries FROM places
    WHERE tag_id IN (SELECT id FROM tags WHERE date IS NOT NULL{cache}){stack}
    GROUP BY version_id, tag_id
)
SELECT packages.name, versions.version, tags.name, tags.date, seen.binaries
FROM (SELECT version_id, min(tag_id) AS tag_id, binaries FROM seen GROUP BY version_id) AS seen
CROSS JOIN versions ON versions.id = seen.version_id
CROSS JOIN packages ON packages.id = versions.package_id
CROSS JOIN tags ON tags.id = seen.tag_id
ORDER BY tags.position DESC, packages.name, versions.id DESC
LIMIT {limit}"""
_PLACES = """\
    SELECT version_id, tag_id, stack_set_id
    FROM found CROSS JOIN binaries ON binaries.spec_id = found.id{which}
    UNION ALL
    SELECT version_id, tag_id, stack_set_id
    FROM found CROSS JOIN gone_binaries ON gone_binaries.spec_id = found.id{which}"""
_ALL_PLACES = _PLACES.format(which="")
# What the first tag of a version has of it, or had, are the specs that have the same first tag.  Of
# those whose first tag is without a date, all are looked at.
_UNDATED = "\n    WHERE first_tag_id IN (SELECT id FROM tags WHERE date IS NULL)"
_FIRST_PLACES = f"""\
    SELECT of_version AS version_id, first_tag_id AS tag_id, NULL AS stack_set_id
    FROM found WHERE first_tag_id IN (SELECT id FROM tags WHERE date IS NOT NULL)
    UNION ALL
{_PLACES.format(which=_UNDATED)}"""


def query_news(
    db: sqlite3.Connection, queries: Sequence[SpecQuery], scope: Scope
) -> tuple[Row, ...]:
    """The last versions that were added: package, version, tag, date, and binaries in that tag.

    Raises:
        UnanswerableError: the catalog cannot answer a query as Spack would.
        UsageError: the scope names what is not there.
    """
    parameters = Parameters()
    specs = Search(db).known(queries, scope, parameters).that(of_specs(scope, parameters.add))
    stack = "".join(
        f"\n    AND stack_set_id IN {sets_with(it, parameters.add)}" for it in stacks_of(scope)
    )
    cache = ""
    if scope.cache:
        place = parameters.add("cache", scope.cache)
        cache = f" AND cache_id = (SELECT id FROM caches WHERE name = {place})"
    places = _ALL_PLACES if stack or cache else _FIRST_PLACES
    sql = _FIRST_SEEN.format(
        specs=specs.sql, places=places, stack=stack, cache=cache, limit=MAX_EVENTS
    )
    rows = db.execute(sql, parameters.values).fetchall()
    return tuple(dict(zip(_NAMES, row, strict=True)) for row in rows)


def query_changes(
    db: sqlite3.Connection, queries: Sequence[SpecQuery], scope: Scope
) -> tuple[Change, ...]:
    """What satisfies the queries and was removed from a tag, or returned to it, newest first.

    Raises:
        UnanswerableError: the catalog cannot answer a query as Spack would.
        UsageError: the scope names what is not there.
    """
    if db.execute("SELECT NOT EXISTS (SELECT 1 FROM events)").fetchone()[0]:
        return ()
    parameters = Parameters()
    specs = Search(db).known(queries, scope, parameters).that(of_specs(scope, parameters.add))
    places = [in_stacks(sets_with(it, parameters.add)) for it in stacks_of(scope)]
    if scope.cache:
        places.append(f"events.tag_id IN {tags_of(scope.cache, parameters.add)}")
    where = " AND ".join(places) or "1"
    found = f"SELECT specs.id {specs.sql}"
    return changes_of_specs(db, found, where, parameters.values, MAX_EVENTS)
