"""What differs between two tags, as SQL: one statement for each list of a comparison.

In these statements ``old`` and ``new`` are the two tags, each cut down to one stack or one package
where that is asked for, or as it was at a time.  What lies on the way to a list
(``removed_binaries``, ``kept_sets``) has its name in a WITH, so that a statement can be read from
the top, and changed by people.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal

from etl.catalog.sql_text import Parameters, all_of, block
from etl.compare.past import TagAt, there
from etl.query.find import Statement

Side = Literal["old", "new"]

VERSION_SECTIONS = (
    "added_packages",
    "removed_packages",
    "upgraded",
    "downgraded",
    "new_versions",
    "dropped_versions",
)
"""The lists that tell of packages and versions."""

SECTIONS = (*VERSION_SECTIONS, "rebuilt", "stacks")
"""The lists of a comparison; each has its statement."""

_BUILD = "version_id, variant_set_id, compiler_id, os_id, platform_id, target_id"
"""What two binaries have in common that differ in nothing that people see but their hashes."""


def _sides(old: TagAt, new: TagAt) -> Iterator[tuple[Side, TagAt]]:
    yield "old", old
    yield "new", new


class Sides:
    """Writes statements on the two sides of a comparison.

    ``smaller`` is the tag with fewer binaries: where those of both are joined, it comes first.
    """

    def __init__(
        self, old: TagAt, new: TagAt, stack: str | None, package: str | None, smaller: Side
    ) -> None:
        self._parameters = Parameters()
        add = self._parameters.add
        self._tags = {"old": add("tag", old.tag), "new": add("tag", new.tag)}
        self._past: dict[Side, str] = {
            side: there(it, self._parameters) for side, it in _sides(old, new) if it.at is not None
        }
        self._stack = None if stack is None else add("stack", stack)
        self._package = None if package is None else add("package", package)
        self._smaller = smaller

    def statement(self, section: str) -> Statement:
        """The statement that gives all rows of one of the ``SECTIONS``."""
        lists: dict[str, Callable[[], str]] = {
            "added_packages": lambda: self._packages_only("new", "old"),
            "removed_packages": lambda: self._packages_only("old", "new"),
            "upgraded": lambda: self._moved(">"),
            "downgraded": lambda: self._moved("<"),
            "new_versions": lambda: self._versions_only("new", "old"),
            "dropped_versions": lambda: self._versions_only("old", "new"),
            "rebuilt": self._rebuilt,
            "stacks": self._stacks,
        }
        return self._finished(lists[section]())

    def versions(self) -> Statement:
        """The statement that counts the binaries of each version on both sides, newest first."""
        sql = f"""\
WITH {self._versions("old")},
{self._versions("new")},
counts AS (
    SELECT version_id, binaries AS old, 0 AS new FROM old_versions
    UNION ALL
    SELECT version_id, 0, binaries FROM new_versions
)
SELECT packages.name AS package, versions.version, versions.id, sum(old) AS old, sum(new) AS new
FROM counts
CROSS JOIN versions ON versions.id = counts.version_id
CROSS JOIN packages ON packages.id = versions.package_id
GROUP BY versions.id
ORDER BY packages.name, versions.id DESC"""
        return self._finished(sql)

    def kept(self) -> Statement:
        """The statement that counts the binaries that both sides have."""
        return self._finished(f"SELECT count(*) AS kept\n{self._in_both()}")

    def _finished(self, sql: str) -> Statement:
        """The statement, after the binaries of a tag as it was at a time, where it reads them."""
        past = [
            block(f"{self._table(side)} AS MATERIALIZED (", text)
            for side, text in self._past.items()
            if re.search(rf"\b{self._table(side)}\b", sql)
        ]
        if past:
            rest = sql.removeprefix("WITH ")
            comma = "," if rest != sql else ""
            sql = "WITH " + ",\n".join(past) + f"{comma}\n{rest}"
        return Statement(sql, self._parameters.values)

    def _table(self, side: Side) -> str:
        """Where the binaries of a side are."""
        return f"{side}_binaries" if side in self._past else "binaries"

    # The lists.

    def _packages_only(self, here: Side, there: Side) -> str:
        return f"""\
WITH {self._packages("old")},
{self._packages("new")}
SELECT packages.name AS package, versions.version AS newest_version, {here}_packages.binaries
FROM {here}_packages
CROSS JOIN packages ON packages.id = {here}_packages.package_id
CROSS JOIN versions ON versions.id = {here}_packages.newest_version_id
WHERE packages.id NOT IN (SELECT package_id FROM {there}_packages)
ORDER BY packages.name"""

    def _moved(self, sign: Literal["<", ">"]) -> str:
        # Within a package the ids of versions are in Spack's order.
        return f"""\
WITH {self._packages("old")},
{self._packages("new")}
SELECT packages.name AS package, old_newest.version AS old_version,
    new_newest.version AS new_version,
{self._list_of_versions("old")} AS old_versions,
{self._list_of_versions("new")} AS new_versions
FROM old_packages
CROSS JOIN new_packages ON new_packages.package_id = old_packages.package_id
CROSS JOIN packages ON packages.id = old_packages.package_id
CROSS JOIN versions AS old_newest ON old_newest.id = old_packages.newest_version_id
CROSS JOIN versions AS new_newest ON new_newest.id = new_packages.newest_version_id
WHERE new_newest.id {sign} old_newest.id
ORDER BY packages.name"""

    def _versions_only(self, here: Side, there: Side) -> str:
        return f"""\
WITH {self._versions("old")},
{self._versions("new")},
{self._packages(there)}
SELECT packages.name AS package, versions.version, {here}_versions.binaries
FROM {here}_versions
CROSS JOIN versions ON versions.id = {here}_versions.version_id
CROSS JOIN packages ON packages.id = versions.package_id
WHERE versions.id NOT IN (SELECT version_id FROM {there}_versions)
    AND packages.id IN (SELECT package_id FROM {there}_packages)
ORDER BY packages.name, versions.id DESC"""

    def _rebuilt(self) -> str:
        gone = f"SELECT {_BUILD}\n{self._only('old', 'new')}"
        rebuilt = (
            f"SELECT version_id, count(*) AS binaries\n{self._only('new', 'old')}\n"
            f"AND ({_BUILD}) IN (\n    SELECT {_BUILD}\n    FROM removed_binaries\n)\n"
            "GROUP BY version_id"
        )
        return f"""\
WITH {block("removed_binaries AS (", gone)},
{block("rebuilt_versions AS (", rebuilt)}
SELECT packages.name AS package, versions.version, rebuilt_versions.binaries
FROM rebuilt_versions
CROSS JOIN versions ON versions.id = rebuilt_versions.version_id
CROSS JOIN packages ON packages.id = versions.package_id
ORDER BY packages.name, versions.id DESC"""

    def _stacks(self) -> str:
        # The sign: SQLite would read the tag list by list, to spare itself the grouping.
        kept = (
            "SELECT old.stack_set_id AS old_set_id, new.stack_set_id AS new_set_id,"
            f" count(*) AS binaries\n{self._in_both()}\n"
            "GROUP BY +old.stack_set_id, new.stack_set_id"
        )
        only = "" if self._stack is None else f"\nWHERE stacks.name = {self._stack}"
        return f"""\
WITH {self._stack_sets("old")},
{self._stack_sets("new")},
{block("kept_sets AS (", kept)},
counts AS (
    SELECT stack_id, binaries AS old, 0 AS new, 0 AS kept
    FROM old_sets CROSS JOIN stack_set_members USING (stack_set_id)
    UNION ALL
    SELECT stack_id, 0, binaries, 0
    FROM new_sets CROSS JOIN stack_set_members USING (stack_set_id)
    UNION ALL
    SELECT before.stack_id, 0, 0, binaries
    FROM kept_sets
    CROSS JOIN stack_set_members AS before ON before.stack_set_id = old_set_id
    CROSS JOIN stack_set_members AS after
        ON after.stack_set_id = new_set_id AND after.stack_id = before.stack_id
)
SELECT stacks.name AS stack, sum(old) AS old_binaries, sum(new) AS new_binaries,
    sum(new) - sum(old) AS difference, sum(new) - sum(kept) AS added,
    sum(old) - sum(kept) AS removed
FROM counts
CROSS JOIN stacks ON stacks.id = counts.stack_id{only}
GROUP BY stacks.id
HAVING sum(new) > sum(kept) OR sum(old) > sum(kept)
ORDER BY stacks.name"""

    # What they are made of.

    def _packages(self, side: Side) -> str:
        """Packages with their newest versions; of a whole tag they are counted already."""
        if self._stack is None and side not in self._past:
            select = (
                "SELECT package_id, newest_version_id, binaries FROM package_tags\n"
                f"WHERE {self._are(side)}"
            )
        else:
            select = (
                "SELECT package_id, max(version_id) AS newest_version_id, count(*) AS binaries\n"
                f"FROM {self._table(side)}\nWHERE {self._are(side)}\nGROUP BY package_id"
            )
        return block(f"{side}_packages AS (", select)

    def _versions(self, side: Side) -> str:
        select = (
            f"SELECT version_id, count(*) AS binaries FROM {self._table(side)}\n"
            f"WHERE {self._are(side)}\nGROUP BY version_id"
        )
        return block(f"{side}_versions AS (", select)

    def _stack_sets(self, side: Side) -> str:
        select = (
            f"SELECT stack_set_id, count(*) AS binaries FROM {self._table(side)}\n"
            f"WHERE {self._are(side)}\nGROUP BY stack_set_id"
        )
        return block(f"{side}_sets AS (", select)

    def _list_of_versions(self, side: Side) -> str:
        """All versions of a package on one side as text, newest first."""
        here = (
            f"SELECT 1 FROM {self._table(side)} AS had\nWHERE had.version_id = versions.id\n"
            f"AND {self._are(side)}"
        )
        versions = (
            "SELECT versions.version FROM versions\nWHERE versions.package_id = packages.id\n"
            f"{block('AND EXISTS (', here)}\nORDER BY versions.id DESC"
        )
        return block("(", block("SELECT group_concat(version, ' ') FROM (", versions))

    def _only(self, here: Side, there: Side) -> str:
        """FROM and WHERE: the binaries of one side that the other has not, but their versions."""
        versions = f"SELECT version_id FROM {self._table(there)}\nWHERE {self._are(there)}"
        same = (
            f"SELECT 1 FROM {self._table(there)} AS {there}\n"
            f"WHERE {there}.spec_id = {here}.spec_id\n"
            f"AND {self._are(there, there)}"
        )
        return "\n".join(
            (
                f"FROM {self._table(here)} AS {here}",
                f"WHERE {self._are(here, here)}",
                block(f"AND {here}.version_id IN (", versions),
                block("AND NOT EXISTS (", same),
            )
        )

    def _in_both(self) -> str:
        """FROM and WHERE: the binaries that both sides have."""
        smaller: Side
        larger: Side
        smaller, larger = ("old", "new") if self._smaller == "old" else ("new", "old")
        return (
            f"FROM {self._table(smaller)} AS {smaller}\n"
            f"CROSS JOIN {self._table(larger)} AS {larger}"
            f" ON {larger}.spec_id = {smaller}.spec_id\n"
            f"WHERE {self._are('old', 'old')}\nAND {self._are('new', 'new')}"
        )

    def _are(self, side: Side, table: str = "") -> str:
        """The condition that rows are of this side."""
        dot = f"{table}." if table else ""
        conditions = [f"{dot}tag_id = (SELECT id FROM tags WHERE name = {self._tags[side]})"]
        if self._package is not None:
            package = f"(SELECT id FROM packages WHERE name = {self._package})"
            conditions.append(f"{dot}package_id = {package}")
        if self._stack is not None:
            sets = (
                "SELECT stack_set_id FROM stack_set_members\n"
                f"WHERE stack_id = (SELECT id FROM stacks WHERE name = {self._stack})"
            )
            # The sign: reading a tag list by list, back and forth through the file, takes longer
            # than reading it from front to back, unless the stack is a small one.
            conditions.append(block(f"+{dot}stack_set_id IN (", sets))
        return all_of(conditions)
