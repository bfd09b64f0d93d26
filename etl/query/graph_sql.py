"""Ways through the graph of dependencies, as SQL: down from one spec, or up to all at once.

Spack's ``^`` looks at what a spec links to and runs with, all the way down, and at its own build
dependencies.  The names given to these functions are those of the rows that the tests are about.

Two habits keep SQLite on the short way.  ``linked`` goes along in the recursive tables and is
compared with theirs: compared with 1, SQLite would first make an index or a filter of all edges.
And nodes are looked at in an ``EXISTS``, so that the way down ends at the first that will do.
"""

from __future__ import annotations

from collections.abc import Iterable

from etl.catalog.sql_text import all_of, block


def somewhere_below(spec: str, edge: str, node: str, tests: Iterable[str]) -> str:
    """The condition that an edge below ``spec``, with the node it leads to, passes the tests.

    Of the edge, only ``virtuals`` is there to be tested.
    """
    text = all_of(tests)
    virtuals = ", virtuals" if f"{edge}.virtuals" in text else ""
    of_dependency = ", dependencies.virtuals" if virtuals else ""
    return block(
        "EXISTS (",
        f"WITH RECURSIVE {edge}(id, linked{virtuals}) AS (\n"
        f"    SELECT child_id, nullif(linked, 0){virtuals} FROM dependencies\n"
        f"    WHERE parent_id = {spec}.id AND (linked = 1 OR instr(deptypes, 'build') > 0)\n"
        "    UNION\n"
        f"    SELECT dependencies.child_id, 1{of_dependency} FROM {edge}\n"
        f"    JOIN dependencies ON dependencies.parent_id = {edge}.id\n"
        f"        AND dependencies.linked = {edge}.linked\n"
        ")\n"
        f"SELECT 1 FROM {edge} WHERE "
        + block(
            "EXISTS (", f"SELECT 1 FROM specs AS {node} WHERE {node}.id = {edge}.id\nAND {text}"
        ),
    )


def first_below(spec: str, edge: str, node: str, tests: Iterable[str]) -> str:
    """The id of the first node below ``spec`` that passes the tests; as above.

    The build and test dependencies of the spec itself come first; then what it links to and runs
    with, level by level.  SQLite reads a recursive table in the order in which it was filled.
    """
    chosen = block(
        "EXISTS (",
        f"SELECT 1 FROM specs AS {node} WHERE {node}.id = {edge}.id\nAND {all_of(tests)}",
    )
    return block(
        "ifnull(",
        f"(SELECT {edge}.id FROM (\n"
        "    SELECT child_id AS id, virtuals FROM dependencies\n"
        f"    WHERE parent_id = {spec}.id\n"
        "    AND (instr(deptypes, 'build') > 0 OR instr(deptypes, 'test') > 0)\n"
        "    ORDER BY dependencies.id\n"
        f") AS {edge} WHERE {chosen} LIMIT 1),\n"
        f"(WITH RECURSIVE {edge}(id, linked, virtuals) AS (\n"
        "    SELECT child_id, linked, virtuals FROM dependencies\n"
        f"    WHERE parent_id = {spec}.id AND linked = 1\n"
        "    UNION\n"
        f"    SELECT dependencies.child_id, 1, dependencies.virtuals FROM {edge}\n"
        f"    JOIN dependencies ON dependencies.parent_id = {edge}.id\n"
        f"        AND dependencies.linked = {edge}.linked\n"
        ")\n"
        f"SELECT {edge}.id FROM {edge} WHERE {chosen} LIMIT 1)",
    )


def everything_above(
    above: str, edge: str, node: str, tests: Iterable[str], direct: Iterable[str] = ("build",)
) -> str:
    """The ids of all specs that are above an edge which, with its node, passes the tests.

    ``direct`` are the kinds of edges that only count at the spec itself.
    """
    kinds = " OR ".join(f"instr(deptypes, '{kind}') > 0" for kind in direct)
    return (
        f"WITH RECURSIVE {edge}_found(id, linked, deptypes) AS (\n"
        f"    SELECT {edge}.parent_id, {edge}.linked, {edge}.deptypes FROM dependencies AS {edge}\n"
        f"    JOIN specs AS {node} ON {node}.id = {edge}.child_id\n"
        f"    WHERE {_indented(all_of(tests))}\n"
        f"), {above}(id, linked) AS (\n"
        f"    SELECT id, linked FROM {edge}_found WHERE linked = 1\n"
        "    UNION\n"
        f"    SELECT dependencies.parent_id, 1 FROM {above}\n"
        f"    JOIN dependencies ON dependencies.child_id = {above}.id\n"
        f"        AND dependencies.linked = {above}.linked\n"
        ")\n"
        f"SELECT id FROM {above}\n"
        "UNION ALL\n"
        f"SELECT id FROM {edge}_found WHERE {kinds}"
    )


def no_node_below(spec: str, graph: str, node: str, test: str) -> str:
    """The condition that neither ``spec`` nor any node of its whole graph passes the test."""
    return "NOT " + block(
        "EXISTS (",
        f"WITH RECURSIVE {graph}(id) AS (\n"
        f"    SELECT {spec}.id\n"
        "    UNION\n"
        f"    SELECT dependencies.child_id FROM {graph}\n"
        f"    JOIN dependencies ON dependencies.parent_id = {graph}.id\n"
        ")\n"
        f"SELECT 1 FROM {graph} WHERE "
        + block(
            "EXISTS (", f"SELECT 1 FROM specs AS {node} WHERE {node}.id = {graph}.id\nAND {test}"
        ),
    )


def not_above(spec: str, graph: str, node: str, test: str) -> str:
    """The same condition as :func:`no_node_below`, from the nodes that pass the test upwards."""
    return block(
        f"+{spec}.id NOT IN (",
        f"WITH RECURSIVE {graph}(id) AS (\n"
        f"    SELECT {node}.id FROM specs AS {node}\n"
        f"    WHERE {_indented(test)}\n"
        "    UNION\n"
        f"    SELECT dependencies.parent_id FROM {graph}\n"
        f"    JOIN dependencies ON dependencies.child_id = {graph}.id\n"
        ")\n"
        f"SELECT id FROM {graph}",
    )


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
