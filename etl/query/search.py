"""Which rows a search goes through, and in which order: FROM and WHERE of its statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from etl.catalog.names_near import check_name
from etl.catalog.sql_text import Parameters, all_of, any_of, block
from etl.query.conditions import IS_THERE, Condition, NodeConditions
from etl.query.graph_conditions import GraphConditions, Knowledge
from etl.query.providers import Providers
from etl.query.scope import (
    ANYWHERE,
    Scope,
    exactly,
    lacking,
    machine_of,
    sets_with,
    stacks_of,
    tags_of,
)
from etl.query.starting_point import BY_ID, Start, Table, best_start
from etl.query.taken import INCOMPLETE_SPECS, Taken
from etl.query.unanswerable import refuse_unanswerable, unknown_range_targets
from etl.spack.tree import SpecQuery, TargetConstraint


@dataclass(frozen=True, slots=True)
class Rows:
    """FROM and WHERE of a statement; ``order`` is what they are sorted by in a result.

    ``tag`` is the column that has the tag in which a row is found.
    """

    sql: str
    order: str
    tag: str = "binaries.tag_id"

    @property
    def of_specs(self) -> bool:
        """Whether they are specs, without their binaries."""
        return self.tag == "specs.last_tag_id"

    def that(self, tests: Sequence[str]) -> Rows:
        """Those of these rows that pass the tests as well."""
        if not tests:
            return self
        joint = "\nAND " if "\nWHERE " in self.sql else "\nWHERE "
        return replace(self, sql=f"{self.sql}{joint}{all_of(tests)}")


class Search:
    """Writes which rows of one catalog satisfy a query."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._providers = Providers(db)

    def specs(self, queries: Sequence[SpecQuery], parameters: Parameters) -> Rows:
        """All specs that satisfy one of the queries, binaries or not."""
        return self._rows(queries, None, parameters, None)

    def known(
        self,
        queries: Sequence[SpecQuery],
        scope: Scope,
        parameters: Parameters,
        told_in: str | None = None,
    ) -> Rows:
        """All specs, there or gone, that satisfy one of the queries and are as the scope says.

        Of the scope only what it says of a spec itself counts: not tags, stacks, caches or hosts.
        They are looked for as in the tag ``told_in``, by what its sources tell of dependencies.
        """
        return self._known(queries, scope, parameters, None, told_in)

    def _known(
        self,
        queries: Sequence[SpecQuery],
        scope: Scope,
        parameters: Parameters,
        taken: Taken | None,
        told_in: str | None = None,
    ) -> Rows:
        self._check(scope)
        rows = self._rows(queries, None, parameters, None, taken, told_in)
        writer = GraphConditions(parameters, self._knowledge(told_in), "specs")
        tests = [it.write(False) for it in writer.node(machine_of(scope), "specs")]
        tests += exactly(scope, "specs", parameters)
        return rows.that(tests)

    def binaries(
        self,
        queries: Sequence[SpecQuery],
        scope: Scope,
        parameters: Parameters,
        limit: int | None = None,
        *,
        newest: bool = True,
    ) -> Rows:
        """All binaries in the scope that satisfy one of the queries; or any ``limit`` of them.

        Without a limit they are in no order.  In all tags, each spec comes once, with the newest
        tag that has it; or with each, if not only the ``newest`` are meant.
        """
        self._check(scope)
        return self._rows(queries, scope, parameters, limit, scope.taken, newest=newest)

    def counted(self, queries: Sequence[SpecQuery], scope: Scope, parameters: Parameters) -> Rows:
        """As many rows as there are binaries, for who wants no more of them than their number.

        In all tags each spec is one binary, so that it is enough to look at specs.
        """
        of_specs = replace(
            scope, runs_on=None, os=None, compiler=None, version=None, target=None, package=None
        )
        if replace(of_specs, taken=None) != Scope():  # a tag, a stack, a cache: about binaries
            return self.binaries(queries, scope, parameters)
        rows = self._known(queries, scope, parameters, scope.taken)
        tests = [IS_THERE]
        tests += [scope.taken.of_newest] if scope.taken else []
        return replace(rows.that(tests), tag="specs.last_tag_id")

    def wide(self, queries: Sequence[SpecQuery], scope: Scope, parameters: Parameters) -> list[str]:
        """The conditions on ``specs`` alone that a query and a machine make, all wide.

        For engines without indexes; of the scope, all but the machine is left to the caller.
        """
        self._check(scope)
        knows = self._knowledge(scope.tag)
        for query in queries:
            refuse_unanswerable(query, knows)
            self._refuse_unknown_target(query)
        return self._alone(queries, scope, knows, parameters, narrow=False)

    def older(
        self, queries: Sequence[SpecQuery], scope: Scope, taken: Taken, parameters: Parameters
    ) -> Rows:
        """The binaries that a host can use of specs that some tag has without all below them.

        They are of any tag: that of the newest may be what the host cannot use.
        """
        tests = [INCOMPLETE_SPECS, taken.of_spec]
        tests += self._alone(queries, scope, self._knowledge(None), parameters, narrow=True)
        return _joined(BY_ID, tests, replace(scope, taken=taken), parameters, newest=False)

    def _alone(
        self,
        queries: Sequence[SpecQuery],
        scope: Scope,
        knows: Knowledge,
        parameters: Parameters,
        *,
        narrow: bool,
    ) -> list[str]:
        """The conditions on ``specs`` alone that a query and a machine make."""
        writer = GraphConditions(parameters, knows, "specs")
        machine = [it.write(narrow) for it in writer.node(machine_of(scope), "specs")]
        alternatives = [
            all_of(condition.write(narrow) for condition in writer.query(query))
            for query in queries
        ]
        if len(alternatives) > 1:
            alternatives = [f"({text})" for text in alternatives]
        return [*machine, any_of(alternatives)]

    def _rows(
        self,
        queries: Sequence[SpecQuery],
        scope: Scope | None,
        parameters: Parameters,
        limit: int | None,
        taken: Taken | None = None,
        told_in: str | None = None,
        *,
        newest: bool = True,
    ) -> Rows:
        knows = self._knowledge(scope.tag if scope else told_in)
        for query in queries:
            refuse_unanswerable(query, knows)
            self._refuse_unknown_target(query)
        if len(queries) == 1:
            return self._of_one(queries[0], scope, knows, parameters, limit, taken, newest=newest)
        rows = [self._of_one(query, scope, knows, parameters, None, taken) for query in queries]
        found = "\nUNION\n".join(f"SELECT specs.id\n{one.sql}" for one in rows)
        conditions = [block("specs.id IN (", found)]
        return _joined(BY_ID, conditions, scope, parameters, newest=newest)

    def _of_one(
        self,
        query: SpecQuery,
        scope: Scope | None,
        knows: Knowledge,
        parameters: Parameters,
        limit: int | None,
        taken: Taken | None,
        *,
        newest: bool = True,
    ) -> Rows:
        usable = taken and self._on_machine(taken, query, scope)

        def conditions(values: Parameters, facts: Table) -> list[Condition]:
            writer = GraphConditions(values, knows, facts)
            host = [Condition(lambda _: usable.of_spec, "need_id")] if usable else []
            machine = writer.node(machine_of(scope), "specs") if scope else ()
            return [*host, *machine, *writer.query(query)]

        tag = scope.tag if scope else None
        start = best_start(self._db, conditions, tag, limit)
        written = [
            condition.write(position in start.narrow)
            for position, condition in enumerate(
                conditions(parameters, "specs" if tag is None else "binaries")
            )
        ]
        if start.by_id:
            written = [text.removeprefix("+") for text in written]
        return _joined(start, written, scope, parameters, newest=newest)

    def _on_machine(self, taken: Taken, query: SpecQuery, scope: Scope | None) -> Taken:
        """What a host can use, without what is built for other machines than those asked for.

        The need of a spec has its platform, system and target, too, and there are few needs.
        """
        root = query.root
        parameters = Parameters()
        writer = NodeConditions(parameters)
        nodes = [machine_of(scope)] if scope else []
        if not (root.name and root.name.text in self._virtuals):  # which could be anything else
            nodes.append(replace(ANYWHERE, platform=root.platform, os=root.os, target=root.target))
        tests = [it.write(True) for node in nodes for it in writer.node(node, "needs")]
        if not tests:
            return taken
        sql = f"SELECT id FROM needs WHERE {all_of(tests)}"
        ids = {id_ for (id_,) in self._db.execute(sql, parameters.values)}
        return replace(taken, needs=tuple(it for it in taken.needs if it in ids))

    def _knowledge(self, tag: str | None) -> Knowledge:
        """What the specs of a tag tell of their dependencies."""
        described, binaries = self._db.execute(
            "SELECT ifnull(sum(described), 0), ifnull(sum(binaries), 0) FROM tags"
            " WHERE ? IS NULL OR name = ?",
            (tag, tag),
        ).fetchone()
        return Knowledge(
            edges=described > 0,
            compilers=described < binaries or self._has_old_specs,
            virtuals=self._virtuals,
            providers=self._providers,
        )

    @cached_property
    def _has_old_specs(self) -> bool:
        told = "SELECT value FROM catalog_info WHERE key = 'oldest_spec_format'"
        if row := self._db.execute(told).fetchone():
            return row[0] != "" and int(row[0]) < 5
        old = "SELECT 1 FROM specs WHERE format < 5 LIMIT 1"  # no catalog of today's programs
        return self._db.execute(old).fetchone() is not None

    @cached_property
    def _virtuals(self) -> frozenset[str]:
        names = (
            "SELECT virtual FROM virtual_lists UNION SELECT virtual FROM provides"
            " EXCEPT SELECT name FROM packages"
        )
        return frozenset(name for (name,) in self._db.execute(names))

    def _refuse_unknown_target(self, query: SpecQuery) -> None:
        """Refuse a range of unknown targets as Spack does: when a spec is otherwise what is asked.

        Spack compares targets after names, versions, variants, platforms and systems, and the
        upper end of a range only where the lower one is met.
        """
        root = query.root.name
        if root and root.text in self._virtuals:
            return
        for low, error in unknown_range_targets(query):
            target = TargetConstraint("", (), ((low, None),), error.span) if low else None
            node = replace(query.root, target=target, flags=())
            parameters = Parameters()
            tests = [it.write(True) for it in NodeConditions(parameters).node(node, "specs")]
            sql = f"SELECT 1 FROM specs WHERE {all_of(tests)} LIMIT 1"
            if self._db.execute(sql, parameters.values).fetchone():
                raise error

    def _check(self, scope: Scope) -> None:
        for kind, name in (
            ("cache", scope.cache),
            ("tag", scope.tag),
            ("stack", scope.stack),
            ("target", scope.runs_on),
            ("operating system", scope.os),
            ("compiler", scope.compiler),
            ("target", scope.target),
            ("package", scope.package),
            ("stack", scope.also_in),
            ("cache", scope.not_in),
        ):
            check_name(self._db, kind, name)


def _joined(
    start: Start,
    conditions: list[str],
    scope: Scope | None,
    parameters: Parameters,
    *,
    newest: bool = True,
) -> Rows:
    """FROM and WHERE, with ``binaries`` and the conditions on them where there is a scope.

    In all tags, only ``newest`` binaries of each spec are meant, or all.
    """
    add = parameters.add
    sql = f"FROM {start.table} {start.entry}"
    if scope and start.table == "specs":
        sql += "\nCROSS JOIN binaries ON binaries.spec_id = specs.id"
    elif scope:
        sql += "\nCROSS JOIN specs ON specs.id = binaries.spec_id"
    if scope and scope.tag:
        tag = f"binaries.tag_id = (SELECT id FROM tags WHERE name = {add('tag', scope.tag)})"
        conditions = [tag, *conditions]
    sets = [sets_with(stack, add) for stack in stacks_of(scope)]
    conditions += [f"binaries.stack_set_id IN {it}" for it in sets]
    if scope:
        conditions += [f"binaries.tag_id IN {tags_of(scope.cache, add)}"] if scope.cache else []
        conditions += [lacking(scope.not_in, add)] if scope.not_in else []
        conditions += [scope.taken.of_binary] if scope.taken else []
        conditions += exactly(scope, "binaries", parameters)
    if scope and not scope.tag and newest:
        last = "specs.last_tag_id"
        if sets or scope.cache:
            inside = "".join(f" AND same.stack_set_id IN {it}" for it in sets)
            if scope.cache:
                # With an index of what IN finds SQLite (3.40) takes the first for the greatest.
                inside += f" AND +same.tag_id IN {tags_of(scope.cache, add)}"
            same = f"FROM binaries AS same WHERE same.spec_id = specs.id{inside}"
            last = f"(SELECT max(same.tag_id) {same})"
        conditions.append(f"binaries.tag_id = {last}")
    where = f"\nWHERE {all_of(conditions)}" if conditions else ""
    # In all tags the newest tags come first, so that what is offered first is still there.
    newest_first = "binaries.tag_id DESC, " if scope and not scope.tag else ""
    versions = f"{start.table}.version_id DESC, specs.id DESC"
    order = f"{start.table}.package_id, {newest_first}{versions}"
    return Rows(sql + where, order)
