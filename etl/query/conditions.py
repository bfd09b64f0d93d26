"""A node of a spec query becomes SQL conditions on a row of ``specs``.

What each constraint means for a concrete spec is Spack's rule, as ``satisfies`` in its ``spec.py``
has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count

from etl.catalog.sql_text import Parameters, all_of, any_of, block
from etl.spack.tree import FlagConstraint, Node, TargetConstraint, VariantConstraint
from etl.spack.versions import VersionList

IS_THERE = (
    "specs.last_tag_id IS NOT NULL AND"
    " (specs.last_tag_id NOT IN (SELECT id FROM tags WHERE gone > 0) OR specs.tags > 0)"
)
"""The condition that a tag has a spec.

What is gone has a last tag as well; few tags have lost any, and only of those a spec itself, and
not only an index of it, is looked at.
"""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a row of ``specs``, in either of two forms that mean the same.

    ``write(True)`` is narrow: it looks into one row, and suits where few come up.  ``write(False)``
    is wide: rows can be found by it, with the index of ``column``.  A ``column`` of None means that
    no index finds them.  ``deep`` says that the condition is about other nodes of the graph, and
    ``gathers`` that its wide form first finds all specs that meet it.
    """

    write: Callable[[bool], str]
    column: str | None = None
    deep: bool = False
    gathers: bool = False


class NodeConditions:
    """Writes conditions on single specs and collects their values in ``parameters``.

    ``facts`` is the table in which the root's package, version, variants and machine are looked
    up: ``specs``, or ``binaries``, which repeats them.
    """

    def __init__(self, parameters: Parameters, facts: str = "specs") -> None:
        self._add = parameters.add
        self._add_all = parameters.add_all
        self._facts = facts
        self._numbers = count(1)

    def node(self, node: Node, spec: str) -> Iterator[Condition]:
        """The conditions on the row called ``spec`` itself, without what is about other nodes."""
        facts = self.facts(spec)
        if node.hash:
            prefix = node.hash.text
            yield Condition(lambda _: self.hash_prefix(prefix, spec), "hash")
        if node.name:
            yield self._package(node.name.text, facts)
        if node.version and not node.version.versions.everything:
            versions = node.version.versions
            yield Condition(lambda _: self._version(versions, node, facts), "version_id")
        if node.os:
            yield self._named(facts, "os_id", "operating_systems", node.os.text)
        if node.platform:
            yield self._named(facts, "platform_id", "platforms", node.platform.text)
        if node.target and not node.target.everything:
            target = node.target
            yield Condition(lambda _: self._target(target, facts), "target_id")
        if node.namespace:
            namespace = node.namespace.text
            yield Condition(lambda _: self._namespace(namespace, spec))
        for variant in node.variants:
            if not variant.propagated:
                yield from self._variant(variant, facts)
        for flags in node.flags:
            yield from self._flags(flags, spec)

    def facts(self, spec: str) -> str:
        """The table in which the package and the other facts of ``spec`` are looked up."""
        return self._facts if spec == "specs" else spec

    def _package(self, name: str, facts: str) -> Condition:
        return self._named(facts, "package_id", "packages", name)

    def _named(self, facts: str, column: str, table: str, name: str) -> Condition:
        if name == "*":
            return Condition(lambda _: f"{facts}.{column} IS NOT NULL")
        return Condition(
            lambda _: (
                f"{facts}.{column} ="
                f" (SELECT id FROM {table} WHERE name = {self._add(column[:-3], name)})"
            ),
            column,
        )

    def hash_prefix(self, prefix: str, spec: str) -> str:
        """The condition that a hash begins so."""
        # The characters of a hash all sort before {.
        low, high = self._add("hash", prefix), self._add("hash", prefix + "{")
        return f"{spec}.hash >= {low} AND {spec}.hash < {high}"

    def _version(self, versions: VersionList, node: Node, facts: str) -> str:
        body = "SELECT versions.id FROM versions WHERE "
        if node.name:
            place = self._add("package", node.name.text)
            body += f"versions.package_id = (SELECT id FROM packages WHERE name = {place})\nAND "
        body += self.in_versions(versions, "versions.sort_key")
        return block(f"{facts}.version_id IN (", body)

    def in_versions(self, versions: VersionList, key: str) -> str:
        """The condition that the sort key in column ``key`` is one of the versions, not of all."""
        alternatives = []
        for part in versions.ranges:
            ends = []
            if part.low is not None:
                ends.append(f"{key} >= {self._add('from', part.low)}")
            if part.high is not None:
                ends.append(f"{key} < {self._add('before', part.high)}")
            alternatives.append(" AND ".join(ends))
        if versions.keys:
            alternatives.append(f"{key} IN ({self._add_all('version', versions.keys)})")
        for reference in versions.references:
            ending = self._add("reference", f"#{reference}")
            alternatives.append(f"substr({key}, instr({key}, '#')) = {ending}")
        return any_of(alternatives)

    def _target(self, target: TargetConstraint, facts: str) -> str:
        alternatives = []
        if target.names:
            alternatives.append(f"targets.name IN ({self._add_all('target', target.names)})")
        for low, high in target.ranges:
            ends = []
            if low is not None:
                ends.append(
                    "targets.id IN (SELECT target_id FROM target_ancestors WHERE ancestor_id ="
                    f" (SELECT id FROM targets WHERE name = {self._add('target', low)}))"
                )
            if high is not None:
                ends.append(
                    "targets.id IN (SELECT ancestor_id FROM target_ancestors WHERE target_id ="
                    f" (SELECT id FROM targets WHERE name = {self._add('target', high)}))"
                )
            alternatives.append("\nAND ".join(ends))
        body = f"SELECT targets.id FROM targets WHERE {any_of(alternatives)}"
        return block(f"{facts}.target_id IN (", body)

    def _namespace(self, namespace: str, spec: str) -> str:
        # Pages do not tell the namespace: such a spec does not contradict it.
        place = self._add("namespace", namespace)
        return f"ifnull({spec}.namespace, {place}) = {place}"

    def _variant(self, variant: VariantConstraint, spec: str) -> Iterator[Condition]:
        """The conditions that a variant has, contains, or is exactly the values asked for."""
        for value in variant.values or (None,):
            yield Condition(partial(self._variant_set, variant, value, spec), "variant_set_id")
        if variant.operator == ":=":
            yield Condition(lambda _: self._no_other_value(variant, spec))

    def contradicts(self, variant: VariantConstraint, spec: str) -> str:
        """The condition that a spec has the variant, but not as asked for."""
        tests = [self._variant_set(variant, value, spec, True) for value in variant.values]
        if variant.operator == ":==":
            tests.append(self._no_other_value(variant, spec))
        has = self._variant_set(variant, None, spec, False)
        return f"{has}\nAND " + (("NOT " + block("(", all_of(tests))) if tests else "FALSE")

    def _no_other_value(self, variant: VariantConstraint, spec: str) -> str:
        test = f"variants.name = {self._add('variant', variant.name)}"
        for value in variant.values:
            test += f" AND NOT ({self._value(variant, value)})"
        return "NOT " + self._member(test, spec)

    def _variant_set(
        self, variant: VariantConstraint, value: str | None, spec: str, narrow: bool
    ) -> str:
        """The condition that the variant has a value; None is any."""
        test = f"variants.name = {self._add('variant', variant.name)}"
        if value is not None:
            test += f" AND {self._value(variant, value)}"
        if narrow:
            return self._member(test, spec)
        return block(
            f"{spec}.variant_set_id IN (",
            "SELECT variant_set_members.variant_set_id FROM variants\n"
            "JOIN variant_set_members ON variant_set_members.variant_id = variants.id\n"
            f"WHERE {test}",
        )

    def _value(self, variant: VariantConstraint, value: str) -> str:
        """The condition on a row of ``variants``."""
        place = self._add("value", value)
        if variant.name != "patches":
            return f"variants.value = {place}"
        if variant.operator == ":=":
            return f"ifnull(variants.sha256, variants.value) = {place}"
        # A patch is named by the beginning of its sum; of a page's patches only seven digits
        # are known.
        return f"substr(ifnull(variants.sha256, variants.value), 1, length({place})) = {place}"

    def _member(self, test: str, spec: str) -> str:
        return block(
            "EXISTS (",
            "SELECT 1 FROM variants JOIN variant_set_members\n"
            "    ON variant_set_members.variant_id = variants.id\n"
            f"    AND variant_set_members.variant_set_id = {spec}.variant_set_id\n"
            f"WHERE {test}",
        )

    def _flags(self, flags: FlagConstraint, spec: str) -> Iterator[Condition]:
        for flag in flags.values:
            yield Condition(partial(self._flag, flags.name, flag, spec), "id")

    def _flag(self, name: str, flag: str, spec: str, narrow: bool) -> str:
        test = f"name = {self._add('flags', name)} AND flag = {self._add('flag', flag)}"
        if narrow:
            return f"EXISTS (SELECT 1 FROM spec_flags WHERE spec_id = {spec}.id AND {test})"
        return f"+{spec}.id IN (SELECT spec_id FROM spec_flags WHERE {test})"
