"""SQL about the graph, as people read it."""

from __future__ import annotations

from etl.query import graph_sql


def test_tests_stand_in_line_with_what_they_belong_to() -> None:
    sql = graph_sql.everything_above("above_1", "edge_1", "node_1", ["node_1.a = 2", "b = 3"])
    assert sql.startswith(
        "WITH RECURSIVE edge_1_found(id, linked, deptypes) AS (\n"
        "    SELECT edge_1.parent_id, edge_1.linked, edge_1.deptypes FROM dependencies AS edge_1\n"
        "    JOIN specs AS node_1 ON node_1.id = edge_1.child_id\n"
        "    WHERE node_1.a = 2\n"
        "    AND b = 3\n"
        "), above_1(id, linked) AS (\n"
    )
