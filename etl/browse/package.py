"""The page of a package: its versions over tags, and its binaries in one of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from etl.browse.caches import caches_of_package
from etl.browse.facets import FACETS, count_values, count_variants, values_of
from etl.browse.hosts import Needed, needed_by_package
from etl.browse.newest import newest_of
from etl.browse.removals import gone_of_package, is_gone, seen_of_package
from etl.browse.spec_text import askable
from etl.catalog.asking import Listed, NotHereError, Row, ask, ask_one, listed, near_names
from etl.catalog.names_near import check_name
from etl.catalog.sql_text import inline
from etl.query.find import ALL, COLUMNS, Finder, Scope
from etl.query.found import Found, set_apart
from etl.query.install import by_use, install_commands
from etl.spack.syntax import parse_spec

MAX_BINARIES = 5_000
"""Binaries of one package and tag that are looked at; more are said to be more."""

MAX_VERSIONS = 300
"""Versions that are listed, the newest first."""

MAX_NEIGHBOURS = 60
"""Dependencies and dependents that are listed."""

_PACKAGE = """
    SELECT packages.name AS package, packages.description, packages.homepage, packages.licenses,
        packages.versions, packages.specs, packages.binaries, packages.tags, packages.sized,
        packages.size, packages.gone, newest.version AS newest_version, first.name AS first_tag,
        last.name AS last_tag
    FROM packages
    LEFT JOIN versions AS newest ON newest.id = packages.newest_version_id
    LEFT JOIN tags AS first ON first.id = packages.first_tag_id
    LEFT JOIN tags AS last ON last.id = packages.last_tag_id
    WHERE packages.name = :package_1
"""
_TAGS = """
    SELECT tags.name AS tag, tags.date, package_tags.binaries, package_tags.versions,
        package_tags.sized, package_tags.size, versions.version AS newest_version
    FROM package_tags
    CROSS JOIN tags ON tags.id = package_tags.tag_id
    CROSS JOIN versions ON versions.id = package_tags.newest_version_id
    WHERE package_tags.package_id = (SELECT id FROM packages WHERE name = :package_1)
    ORDER BY tags.position DESC
"""
_HISTORY = """\
SELECT versions.version, tags.name AS tag, tags.position, counted.binaries, tags.kind
FROM (
    SELECT version_id, tag_id, count(*) AS binaries FROM binaries
    WHERE package_id = (SELECT id FROM packages WHERE name = :package_1)
    GROUP BY tag_id, version_id
) AS counted
CROSS JOIN versions ON versions.id = counted.version_id
CROSS JOIN tags ON tags.id = counted.tag_id
ORDER BY counted.version_id DESC, tags.position DESC"""
_VERSIONS = """\
SELECT versions.version, first.name AS first_tag, last.name AS last_tag, counted.tags,
    counted.binaries
FROM (
    SELECT version_id, min(tag_id) AS first_id, max(tag_id) AS last_id, count(*) AS tags,
        sum(binaries) AS binaries
    FROM (
        SELECT version_id, tag_id, count(*) AS binaries FROM binaries
        WHERE package_id = (SELECT id FROM packages WHERE name = :package_1)
        GROUP BY tag_id, version_id
    )
    GROUP BY version_id
) AS counted
CROSS JOIN versions ON versions.id = counted.version_id
CROSS JOIN tags AS first ON first.id = counted.first_id
CROSS JOIN tags AS last ON last.id = counted.last_id
ORDER BY counted.version_id DESC"""
_DESCRIBED = "SELECT 1 FROM tags WHERE name = :tag_1 AND described > 0"
_DEPENDENCIES = """\
SELECT packages.name AS package, package_dependencies.specs, package_dependencies.link
FROM package_dependencies
CROSS JOIN packages ON packages.id = package_dependencies.dependency_id
WHERE package_dependencies.package_id = (SELECT id FROM packages WHERE name = :package_1)
ORDER BY package_dependencies.specs DESC, packages.name"""
_DEPENDENTS = """\
SELECT packages.name AS package, package_dependencies.specs, package_dependencies.link
FROM package_dependencies
CROSS JOIN packages ON packages.id = package_dependencies.package_id
WHERE package_dependencies.dependency_id = (SELECT id FROM packages WHERE name = :package_1)
ORDER BY package_dependencies.specs DESC, packages.name"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which of a package's binaries are wanted: those with all that is given."""

    tag: str | None = None
    version: str | None = None
    compiler: str | None = None
    os: str | None = None
    target: str | None = None
    runs_on: str | None = None
    stacks: str | None = None
    variants: tuple[str, ...] = ()
    host: str | None = None

    def spec(self, package: str) -> str:
        """The same in Spack's words, as far as a spec can say it."""
        words = [f"{package}@={self.version}" if self.version else package]
        words += [askable(variant) for variant in self.variants]
        words += [f"os={self.os}"] if self.os else []
        words += [f"target={self.target}"] if self.target else []
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class PackageFacts:
    """What a package's page says.

    ``history`` counts binaries by version and tag; ``versions`` says since when each version is
    there.  ``found`` are those chosen in ``tag``, which
    is None for a package that is known only as a dependency; ``choices`` are the values they have
    of each facet, ``all_choices`` those of all of the tag.  ``variants`` are their variants by
    name.  ``described`` is whether a source of the tag tells dependencies.  ``install`` are the
    commands for the first of them; ``needed`` is what their closures need of a host;
    ``caches`` are the named ones that have any of the package.  ``gone`` are
    binaries that tags had and have no more, ``gone_from`` is the tag that was chosen if that has
    none any more; ``first_seen`` and ``last_seen`` are by date, where
    that was recorded.
    """

    package: Row
    tag: str | None
    tags: tuple[Row, ...]
    history: Listed
    versions: Listed
    spec: str
    found: Found
    more: bool
    choices: dict[str, list[tuple[str, int]]]
    all_choices: dict[str, list[str]]
    variants: dict[str, list[tuple[str, int]]]
    install: tuple[str, ...]
    dependencies: Listed
    dependents: Listed
    described: bool
    sql: str
    needed: Needed | None
    gone: Listed
    gone_from: str | None
    first_seen: str | None
    last_seen: str | None
    caches: tuple[Row, ...] = ()


def package_facts(
    db: sqlite3.Connection, name: str, chosen: Chosen, sort: str = "", most: int = MAX_BINARIES
) -> PackageFacts:
    """The facts of a package, with ``most`` binaries sorted by a column of the list.

    Raises:
        NotHereError: there is no such package, or it is not in the tag.
        CatalogError: something that is chosen is not in this catalog, or is no variant.
        UsageError: ``sort`` is no column of the list.
    """
    package = ask_one(db, _PACKAGE, package_1=name)
    if package is None:
        raise NotHereError("package", name, near_names(db, "packages", name))
    tags = ask(db, _TAGS, package_1=name)
    tag = chosen.tag or (newest_of(tags) if package["binaries"] else None)
    gone_from = None
    if tag and tag not in {it["tag"] for it in tags} and is_gone(db, name, tag):
        gone_from, tag = tag, newest_of(tags) if package["binaries"] else None
    if tag is not None and tag not in {row["tag"] for row in tags}:
        raise NotHereError(f"{name} in the tag", tag, tuple(row["tag"] for row in tags[:5]))
    chosen = replace(chosen, tag=tag)
    rows, sql = _binaries(db, name, chosen, sort, most)
    is_all = replace(chosen, host=None) == Chosen(tag)
    every = rows if is_all else _binaries(db, name, Chosen(tag), "", most)[0]
    found = set_apart(rows[:most])
    return PackageFacts(
        package=package,
        tag=tag,
        tags=tags,
        history=package_history(db, name),
        versions=listed(db, _VERSIONS, MAX_VERSIONS, package_1=name),
        spec=chosen.spec(name),
        found=found,
        more=len(rows) > most,
        choices={facet: count_values(found.rows, facet) for facet in FACETS},
        all_choices=_all_choices(every),
        variants=count_variants(found.rows),
        install=tuple(
            install_commands(db, by_use(db, found.rows, chosen.runs_on)[:1], labelled=True)
        ),
        dependencies=listed(db, _DEPENDENCIES, MAX_NEIGHBOURS, package_1=name),
        dependents=listed(db, _DEPENDENTS, MAX_NEIGHBOURS, package_1=name),
        described=bool(ask(db, _DESCRIBED, tag_1=tag)),
        sql=sql,
        needed=needed_by_package(db, name, tag) if tag else None,
        caches=caches_of_package(db, name),
        gone=gone_of_package(db, name),
        gone_from=gone_from,
        **seen_of_package(db, name),
    )


def is_package(db: sqlite3.Connection, name: str) -> bool:
    """Whether the catalog has a package of this name, with binaries or as a dependency."""
    return db.execute("SELECT 1 FROM packages WHERE name = ?", (name,)).fetchone() is not None


def package_history(db: sqlite3.Connection, name: str) -> Listed:
    """Binaries by version and tag: newest versions first, and of each the newest tags first."""
    rows = ask(db, _HISTORY, package_1=name)
    return Listed(rows, inline(_HISTORY, {"package_1": name}), len(rows))


def _binaries(
    db: sqlite3.Connection, name: str, chosen: Chosen, sort: str, most: int
) -> tuple[list[tuple[Any, ...]], str]:
    """The chosen binaries of a tag, ``most`` and one more, and the SQL that lists all of them."""
    if chosen.tag is None:  # the package is only known as a dependency of others
        return [], ""
    check_name(db, "operating system", chosen.os)
    if chosen.target and not {":", ","} & set(chosen.target):  # else a range of them, or several
        check_name(db, "target", chosen.target)
    finder = Finder(db)
    scope = Scope(chosen.tag, chosen.stacks, chosen.runs_on, compiler=chosen.compiler)
    queries = [parse_spec(chosen.spec(name))]
    statement = finder.binaries(queries, scope, most + 1, sort=sort)
    return finder.rows(statement), finder.binaries(queries, scope, ALL, sort=sort).text


def _all_choices(rows: Sequence[Sequence[Any]]) -> dict[str, list[str]]:
    """Every value of each facet, in an order in which it is easily found."""
    found = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    choices = {
        facet: list(dict.fromkeys(value for row in found for value in values_of(row, facet)))
        for facet in FACETS
    }
    return {
        # Versions are listed the newest first already.
        facet: values if facet == "version" else sorted(values)
        for facet, values in choices.items()
    }
