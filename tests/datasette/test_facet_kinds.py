"""How a facet is counted: from the rows that filters let through, or in an index of one tag."""

from __future__ import annotations

import pytest

from datasette_spack.facet_kinds import KINDS


@pytest.mark.parametrize("condition", ['"tag_id" = :p0', "tag_id = (SELECT id FROM tags)"])
@pytest.mark.parametrize("title", ["compiler", "os", "platform", "target"])
def test_in_one_tag_an_index_is_walked(title: str, condition: str) -> None:
    kind = KINDS[title]
    assert kind.count("binaries", condition).endswith(f"GROUP BY {kind.stored}")


@pytest.mark.parametrize(
    ("title", "table", "condition"),
    [
        ("os", "binaries", ""),
        ("os", "binaries", "tag_id = 1 AND package_id = 2"),
        ("os", "binaries", "package_id = 2"),
        ("os", "binaries", "tag_id IN (1, 2)"),
        ("version", "binaries", "tag_id = 1"),
        ("os", "specs", "tag_id = 1"),
    ],
)
def test_else_rows_come_first(title: str, table: str, condition: str) -> None:
    kind = KINDS[title]
    assert kind.count(table, condition).endswith(f"GROUP BY +{kind.stored}")
