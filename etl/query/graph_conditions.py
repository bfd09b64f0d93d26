"""The dependencies of a spec query become SQL conditions on a row of ``specs``.

Spack's rules: ``%`` is a direct edge of any kind; ``^`` is an edge among what the root links to
and runs with, all the way down, or one of the root's own build dependencies.  A spec of a format
before 5, or from a page, only names its compiler, and ``%`` sees nothing but that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from etl.catalog.sql_text import Parameters, all_of, any_of, block
from etl.query import graph_sql
from etl.query.conditions import Condition, NodeConditions
from etl.query.dependencies import Dependency, dependencies_of, only_names_a_compiler
from etl.query.providers import Provider, Providers
from etl.spack.tree import Node, SpecQuery, VariantConstraint, Word

Tests = Callable[[str, str, bool], list[str]]
"""Writes conditions on an edge and on the node it leads to, given their names; narrow or wide."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What the specs that are asked tell: some have edges, some only name their compiler.

    ``virtuals`` are the interfaces that some edge or recipe provides, ``providers`` what recipes
    say about them.
    """

    edges: bool
    compilers: bool
    virtuals: frozenset[str]
    providers: Providers


class GraphConditions(NodeConditions):
    """Writes the conditions of whole queries."""

    def __init__(self, parameters: Parameters, knowledge: Knowledge, facts: str = "specs") -> None:
        super().__init__(parameters, facts)
        self._knows = knowledge

    def query(self, query: SpecQuery) -> Iterator[Condition]:
        """All conditions of a query on the row called ``specs``."""
        root = query.root
        if root.name and root.name.text in self._knows.virtuals:
            yield from self._provider(root, root.name.text, "specs")
            return
        # What costs more to look into comes later.
        yield from super().node(root, "specs")
        dependencies = dependencies_of(query)
        for dependency in dependencies:
            if dependency.direct:
                yield self._asked_when(dependency.when, self._direct(dependency, "specs"))
        for dependency in dependencies:
            if not dependency.direct:
                for condition in self._below(dependency, "specs"):
                    yield self._asked_when(dependency.when, condition)
        yield from self._all_propagated(root, "specs")

    def _provider(self, node: Node, virtual: str, spec: str) -> Iterator[Condition]:
        """The conditions that a spec provides a virtual package.

        Spack asks the recipe of the spec: of the query only the hash, and whether the versions of
        the virtual package can be the same, count; the virtual package could be anything else.
        """
        wanted = node.version.versions if node.version else None
        providers = [it for it in self._knows.providers.of(virtual) or () if it.provides(wanted)]
        facts = self.facts(spec)
        if node.hash:
            prefix = node.hash.text
            yield Condition(lambda _: self.hash_prefix(prefix, spec), "hash")
        packages = sorted({it.package for it in providers})
        yield Condition(lambda _: self._one_of(packages, facts), "package_id")
        if any(it.conditions for it in providers):
            yield Condition(
                lambda narrow: any_of(self._provides_when(it, spec, narrow) for it in providers)
            )

    def _one_of(self, packages: list[str], facts: str) -> str:
        names = self._add_all("package", packages)
        return f"{facts}.package_id IN (SELECT id FROM packages WHERE name IN ({names}))"

    def _provides_when(self, provider: Provider, spec: str, narrow: bool) -> str:
        """The condition that a spec is of the package, and provides by this rule of its recipe."""
        name = Word(provider.package, (0, 0))
        nodes = [replace(it, name=name) for it in provider.conditions]
        tests = [self._package(provider.package, self.facts(spec))]
        tests += [test for node in nodes for test in super(GraphConditions, self).node(node, spec)]
        return block("(", all_of(dict.fromkeys(it.write(narrow) for it in tests)))

    def _asked_when(self, when: SpecQuery | None, condition: Condition) -> Condition:
        """The condition, which only those specs have to meet that satisfy ``when``."""
        if when is None:
            return condition

        def write(narrow: bool) -> str:
            asked = all_of(it.write(narrow) for it in self.query(when))
            return f"(NOT {block('(', asked)} OR {condition.write(narrow).removeprefix('+')})"

        return Condition(write, deep=True)

    def node(self, node: Node, spec: str) -> Iterator[Condition]:
        """The conditions on a node, and on all below it that a propagated variant is about."""
        yield from super().node(node, spec)
        yield from self._all_propagated(node, spec)

    def _all_propagated(self, node: Node, spec: str) -> Iterator[Condition]:
        for variant in node.variants:
            if variant.propagated:
                yield self._propagated(variant, spec)

    def _propagated(self, variant: VariantConstraint, spec: str) -> Condition:
        """The condition that no node of the whole graph contradicts the variant."""

        def write(narrow: bool) -> str:
            graph, node = self._names("graph", "node")
            wrong = self.contradicts(variant, node)
            if narrow:
                return graph_sql.no_node_below(spec, graph, node, wrong)
            return graph_sql.not_above(spec, graph, node, wrong)

        return Condition(write, deep=True)

    def _direct(self, dependency: Dependency, spec: str) -> Condition:
        """The condition that a ``%`` dependency is there."""
        if not self._knows.edges:
            facts = self.facts(spec)
            return Condition(lambda _: self._compiler(dependency, facts), "compiler_id")

        def write(narrow: bool) -> str:
            if narrow:
                edge = block("EXISTS (", self._parents(dependency, spec))
                if not self._knows.compilers:
                    return edge
                compiler = self._compiler(dependency, spec)
                return f"CASE WHEN {spec}.format >= 5 THEN {edge}\nELSE {compiler} END"
            parents = self._parents(dependency, None)
            if self._knows.compilers:
                (old,) = self._names("old")
                parents += (
                    "\nUNION ALL\n"
                    f"SELECT {old}.id FROM specs AS {old}\n"
                    f"WHERE {self._compiler(dependency, old)}\n"
                    f"AND ifnull({old}.format, 0) < 5"
                )
            return block(f"+{spec}.id IN (", parents)

        return Condition(write, "id", deep=True, gathers=True)

    def _parents(self, dependency: Dependency, spec: str | None) -> str:
        """The specs that have the direct dependency; ``spec`` is the one to look at, if not all."""
        edge, node, parent = self._names("edge", "node", "parent")
        joined, tests = "", []
        if spec:
            tests.append(f"{edge}.parent_id = {spec}.id")
        elif self._knows.compilers:
            joined = f"\nJOIN specs AS {parent} ON {parent}.id = {edge}.parent_id"
            tests.append(f"{parent}.format >= 5")
        tests += self._is(dependency, node, narrow=spec is not None)
        virtuals = dependency.virtuals
        if dependency.name is not None and self._is_virtual(dependency):
            virtuals = tuple(dict.fromkeys([*virtuals, dependency.name]))
            if len(virtuals) > 1:  # over this edge it may provide only one of the others
                tests.append(self._can_provide(node, dependency.name))
        if virtuals:
            tests.append(any_of(self._provides(edge, virtual) for virtual in virtuals))
        for kind in dependency.deptypes:
            tests.append(f"instr({edge}.deptypes, {self._add('deptype', kind)}) > 0")
        return (
            f"SELECT {edge}.parent_id FROM dependencies AS {edge}\n"
            f"JOIN specs AS {node} ON {node}.id = {edge}.child_id{joined}\n"
            f"WHERE {all_of(tests)}"
        )

    def _compiler(self, dependency: Dependency, spec: str) -> str:
        """The condition that the compiler a spec names is this; it is known by name and version."""
        tests = []
        for node in dependency.nodes:
            if not only_names_a_compiler(node):
                return "FALSE"
            if node.name:
                tests.append(f"compilers.compiler = {self._add('compiler', node.name.text)}")
            if node.version and not node.version.versions.everything:
                tests.append(self.in_versions(node.version.versions, "compilers.sort_key"))
        tests.append("compilers.version IS NOT NULL")
        body = f"SELECT compilers.id FROM compilers WHERE {all_of(tests)}"
        return block(f"{spec}.compiler_id IN (", body)

    def _below(self, dependency: Dependency, spec: str) -> Iterator[Condition]:
        """The conditions that a ``^`` dependency is there, and provides each of its virtuals."""

        def such(edge: str, node: str, narrow: bool) -> list[str]:
            return self._called(dependency, edge, node) + self._is(dependency, node, narrow=narrow)

        def providing(virtual: str) -> Tests:
            return lambda edge, node, _: [
                *self._called(dependency, edge, node),
                self._provides(edge, virtual),
            ]

        yield self._somewhere(such, spec)
        for virtual in dependency.virtuals:
            yield self._somewhere(providing(virtual), spec)
        if dependency.below:
            yield self._first(dependency, spec)

    def _somewhere(self, tests: Tests, spec: str) -> Condition:
        """The condition that an edge below the spec passes the tests."""

        def write(narrow: bool) -> str:
            edge, node, above = self._names("edge", "node", "above")
            written = tests(edge, node, narrow)
            if narrow:
                return graph_sql.somewhere_below(spec, edge, node, written)
            body = graph_sql.everything_above(above, edge, node, written)
            return block(f"+{spec}.id IN (", body)

        return Condition(write, "id", deep=True, gathers=True)

    def _first(self, dependency: Dependency, spec: str) -> Condition:
        """The condition that of several such nodes, the one that Spack finds first has its ``%``.

        That is the node for which Spack checks the ``%`` of ``^a %b``; there is seldom a second.
        """

        def first(narrow: bool) -> str:
            edge, node, chosen = self._names("edge", "node", "first")
            called = self._called(dependency, edge, node)
            found = graph_sql.first_below(spec, edge, node, called)
            tests = [self._direct(below, chosen).write(narrow) for below in dependency.below]
            return block(
                "EXISTS (",
                f"SELECT 1 FROM specs AS {chosen}\n"
                f"WHERE {chosen}.id = {found}\n"
                f"AND {all_of(tests)}",
            )

        def above(right: bool) -> str:
            edge, node, roots = self._names("edge", "node", "above")
            tests = all_of(self._direct(below, node).write(False) for below in dependency.below)
            written = self._called(dependency, edge, node)
            written.append(tests if right else "NOT " + block("(", tests))
            kinds = ("build", "test")
            return graph_sql.everything_above(roots, edge, node, written, kinds)

        def write(narrow: bool) -> str:
            if narrow:
                return first(narrow)
            only = block(f"({spec}.id NOT IN (", above(right=False))
            return block(f"+{spec}.id IN (", above(right=True)) + f"\nAND {only}\nOR {first(True)})"

        return Condition(write, "id", deep=True)

    def _is(self, dependency: Dependency, node: str, *, narrow: bool) -> list[str]:
        """The conditions on the node of a dependency."""
        if not self._is_virtual(dependency):
            return [
                condition.write(narrow)
                for wanted in dependency.nodes
                for condition in self.node(wanted, node)
            ]
        # The edge says that it provides it; which version, the recipe.
        return [
            condition.write(narrow)
            for wanted in dependency.nodes
            for condition in self._provided(wanted, node)
        ]

    def _provided(self, wanted: Node, node: str) -> Iterator[Condition]:
        """The conditions on a node that an edge says to provide a virtual package."""
        if wanted.version and not wanted.version.versions.everything and wanted.name:
            yield from self._provider(wanted, wanted.name.text, node)
        elif wanted.hash:
            prefix = wanted.hash.text
            yield Condition(lambda _: self.hash_prefix(prefix, node))

    def _called(self, dependency: Dependency, edge: str, node: str) -> list[str]:
        """The condition that an edge leads to what has the dependency's name, or provides it."""
        if dependency.name is None:
            return []
        if self._is_virtual(dependency):
            return [self._provides(edge, dependency.name)]
        return [self._package(dependency.name, node).write(True)]

    def _is_virtual(self, dependency: Dependency) -> bool:
        return dependency.name in self._knows.virtuals

    def _provides(self, edge: str, virtual: str | None) -> str:
        """The condition that an edge provides a virtual."""
        place = self._add("virtual", virtual)
        return f"{edge}.virtuals IN (SELECT virtuals FROM virtual_lists WHERE virtual = {place})"

    def _can_provide(self, node: str, virtual: str | None) -> str:
        """The condition that a node provides a virtual over some edge."""
        (edge,) = self._names("edge")
        provides = self._provides(edge, virtual)
        body = f"SELECT {edge}.child_id FROM dependencies AS {edge} WHERE {provides}"
        return f"+{node}.id IN ({body})"

    def _names(self, *kinds: str) -> list[str]:
        """New names for rows of these kinds."""
        number = next(self._numbers)
        return [f"{kind}_{number}" for kind in kinds]
