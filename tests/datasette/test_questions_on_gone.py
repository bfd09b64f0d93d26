"""The questions of metadata.json about a catalog whose newest tag, and more, is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from datasette_spack.packaged import packaged_json
from tests.weekly import FRIDAY, MONDAY, mirror, rows, week

QUERIES = packaged_json("metadata.json")["databases"]["catalog"]["queries"]
OLDEST, OLD, NEWEST = "develop-2025-01-05", "develop-2025-01-12", "develop-2025-01-19"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """On Friday the newest snapshot, the spec 3 of it alone, is gone, and hep from the others."""
    folder = tmp_path_factory.mktemp("weeks")
    first = week(
        folder / "1.db",
        MONDAY,
        mirror(OLDEST, "e4s", 1),
        mirror(OLD, "e4s", 1, 2),
        mirror(OLD, "hep", 2),
        mirror(NEWEST, "e4s", 2, 3),
        mirror("develop", "e4s", 1, 4),
    )
    kept = [mirror(OLDEST, "e4s", 1), mirror(OLD, "e4s", 1, 2), mirror("develop", "e4s", 1, 4)]
    return week(folder / "catalog.db", FRIDAY, *kept, old=first)


@pytest.mark.parametrize(
    ("question", "asked", "expected"),
    [
        # Without a tag, the newest that has anything.
        ("most_built", {}, [(OLD, "tool-1"), (OLD, "tool-2")]),
        ("runs_on_cpu", {}, [(OLD, "tool-1"), (OLD, "tool-2")]),
        ("build_caches", {}, [(OLD, "e4s")]),  # hep is gone, with its address
        ("changed_packages", {}, [("tool-2", "new package")]),
        ("changed_packages", {"new_tag": NEWEST}, [("tool-1", "removed"), ("tool-2", "removed")]),
        # The newest snapshot that has anything is what develop is compared with.
        ("changed_packages", {"new_tag": "develop"}, [("tool-2", "removed"),
         ("tool-4", "new package")]),
        ("changed_binaries", {"new_tag": "develop"}, [("tool-2", "1.0"), ("tool-4", "1.0")]),
        # What is gone from everywhere was removed, too, whichever tag had it.
        ("removed_packages", {}, [("tool-3", NEWEST)]),
    ],
)  # fmt: skip
def test_answers(
    catalog: Path, question: str, asked: dict[str, str], expected: list[tuple[Any, ...]]
) -> None:
    query = QUERIES[question]
    sql = query["sql"]
    for name in sorted(query["params"], key=len, reverse=True):
        sql = sql.replace(f":{name}", f"'{asked.get(name, '')}'")
    assert [row[:2] for row in rows(catalog, sql)] == expected
