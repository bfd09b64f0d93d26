"""Specs read from a catalog as nodes, with all their edges, however many those are."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from datasette_spack.serve import datasette_for
from datasette_spack.site.answer import ask_catalog
from etl.compare.edge_text import MOST_IN_TEXT
from etl.compare.graph import Edge, Node
from etl.compare.nodes import Nodes
from tests.sites import rows
from tests.small_catalogs import graph_catalog, spec_hash

MANY = [f"p{number}" for number in range(3_200)]  # in one text they were more than a site allows
GRAPH = {"most": MANY[:MOST_IN_TEXT], "more": MANY, "one": MANY[:1], "none": []}
NAMES = [*GRAPH, *MANY]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return graph_catalog(tmp_path_factory.mktemp("many"), GRAPH | {name: [] for name in MANY})


@pytest.mark.parametrize("name", GRAPH)
async def test_all_edges_are_read(catalog: Path, name: str) -> None:
    hash_ = spec_hash(NAMES, name)
    told = rows(
        catalog,
        "SELECT child_id, deptypes, virtuals FROM dependencies"
        " WHERE parent_id = (SELECT id FROM specs WHERE hash = ?)",
        hash_,
    )
    assert len(told) == len(GRAPH[name])

    def read(connection: sqlite3.Connection) -> list[Node]:
        query = "SELECT id FROM specs WHERE hash = ?"
        return Nodes(connection).load(id_ for (id_,) in connection.execute(query, (hash_,)))

    (found,) = await ask_catalog(datasette_for(catalog), read)
    assert sorted(found.edges) == sorted(Edge(*it) for it in told)
