"""A tag beside itself as it was at a time, in one catalog that was kept up to date."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datasette_spack.serve import datasette_for
from etl.catalog.reader import open_catalog
from etl.compare.diff import compare
from etl.compare.moments import Moment, side_by_side
from etl.compare.past import earlier_readings, tag_at
from etl.compare.rebuilt import rebuilt
from etl.errors import UsageError
from tests.running import Run
from tests.weekly import FRIDAY, MONDAY, SUNDAY, three_weeks

OLD = "develop-2025-01-05"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_weeks(tmp_path_factory.mktemp("weeks"))


def packages(catalog: Path, old: str, new: str) -> tuple[set[str], set[str], int]:
    """What was added, what was removed, and how many binaries were kept."""
    with open_catalog(catalog) as db:
        found = compare(db, old, new)
        added, removed = (
            {row["package"] for row in it.rows}
            for it in (found.added_packages, found.removed_packages)
        )
        for it in (found.added_packages, found.removed_packages, found.stacks, found.rebuilt):
            assert len(db.execute(it.sql).fetchall()) == it.total
        return added, removed, found.binaries_kept


@pytest.mark.parametrize(
    ("old", "new", "added", "removed", "kept"),
    [
        (f"develop@{MONDAY}", "develop", {"tool-4"}, {"tool-1"}, 2),
        ("develop@2025-01-06", "develop@2025-01-10", {"tool-4"}, {"tool-1", "tool-3"}, 1),
        (f"develop@{FRIDAY}", "develop", {"tool-3"}, set(), 2),
        (f"develop@{SUNDAY}", "develop", set(), set(), 3),
        # An hour before Friday's reading all was as on Monday.
        ("develop@2025-01-09T23:00:00Z", "develop", {"tool-4"}, {"tool-1"}, 2),
        (f"{OLD}@{MONDAY}", "develop", {"tool-4"}, set(), 2),
        (OLD, "develop", {"tool-2", "tool-3", "tool-4"}, set(), 0),
    ],
)
def test_what_changed_since(
    catalog: Path, old: str, new: str, added: set[str], removed: set[str], kept: int
) -> None:
    assert packages(catalog, old, new) == (added, removed, kept)


def test_it_is_the_same_as_beside_the_catalog_of_that_time(catalog: Path) -> None:
    """``1.db`` and ``2.db`` are the catalogs of the weeks before."""
    for at, file in ((MONDAY, "1.db"), (FRIDAY, "2.db")):
        with (
            side_by_side(
                Moment(catalog.parent / file, "develop"), Moment(catalog, "develop")
            ) as it,
            open_catalog(it[0]) as both,
            open_catalog(catalog) as one,
        ):
            expected, found = compare(both, *it[1:]), compare(one, f"develop@{at}", "develop")
            for name in ("added_packages", "removed_packages", "new_versions", "stacks", "rebuilt"):
                assert getattr(found, name).rows == getattr(expected, name).rows
            assert found.binaries_kept == expected.binaries_kept
            assert rebuilt(one, f"develop@{at}", "develop").rebuilds == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("develop@yesterday", "such as 2025-11-18"),
        ("develop@2025-02-30", "such as 2025-11-18"),
        ("develop@2025-01-05", f"was first read at {MONDAY}"),
        ("nothing@2025-01-06", "no tag nothing in this catalog"),
        ("@2025-01-06", "no tag @2025-01-06 in this catalog"),
    ],
)
def test_a_time_that_is_none_or_not_known(catalog: Path, text: str, message: str) -> None:
    with open_catalog(catalog) as db, pytest.raises(UsageError, match=message):
        tag_at(db, text)


def test_a_catalog_without_times_says_so(sample_catalog: Path) -> None:
    with open_catalog(sample_catalog) as db, pytest.raises(UsageError, match="it is unknown when"):
        tag_at(db, "develop-2025-07-20@2025-11-18")


def test_on_the_command_line(catalog: Path, run: Run) -> None:
    found = run("diff", "develop@2025-01-06", "develop", "--catalog", catalog, "--format", "json")
    assert found.code == 0, found.err
    told = json.loads(found.out)
    assert (told["binaries_added"], told["binaries_removed"]) == (1, 1)
    assert run("diff", "develop@2025-01-06", "develop", "--why", "--catalog", catalog).code == 0
    refused = run("diff", "develop@2024-01-06", "develop", "--catalog", catalog)
    assert (refused.code, refused.out) == (2, "")


async def test_on_the_site(catalog: Path) -> None:
    site = datasette_for(catalog)
    page = await site.client.get("/tag/develop")
    for at in (FRIDAY, MONDAY):
        path = f"/compare/develop%40{at.replace(':', '%3A')}/develop"
        assert path in page.text
        assert (await site.client.get(path)).status_code == 200
    found = (await site.client.get(f"/compare/develop@{MONDAY}/develop.json")).json()
    assert [it["package"] for it in found["removed_packages"]["rows"]] == ["tool-1"]
    assert (await site.client.get("/compare/develop@x/develop")).status_code == 400
    page = await site.client.get(f"/tag/{OLD}")
    assert f"/compare/{OLD}%40{MONDAY.replace(':', '%3A')}/develop" in page.text
    site.get_database("catalog").close()


def test_earlier_readings(catalog: Path) -> None:
    with open_catalog(catalog) as db:
        assert earlier_readings(db, "develop") == (FRIDAY, MONDAY)
