"""How many binaries there are and what they have: as counted by SQL of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.catalog.reader import open_catalog
from etl.hosts.profiles import find_host
from etl.query import tally as module
from etl.query.find import Finder, Scope
from etl.query.reuse import Reuse
from etl.query.tally import Tally, tally
from etl.spack.syntax import parse_spec
from tests.sites import build, item, page, place_of, write_site

RELEASE = "v2025.07.0"


@pytest.mark.parametrize("column", ["version", "compiler", "os", "platform", "target", "package"])
def test_values_of_a_column(sample_catalog: Path, column: str) -> None:
    with open_catalog(sample_catalog) as db:
        found = tally(db, [parse_spec("*+mpi")], Scope(RELEASE))
        rows = db.execute(
            f"SELECT {column}, count(*) FROM binary_list WHERE tag = ? AND hash IN"
            " (SELECT hash FROM spec_variants WHERE name = 'mpi' AND value = 'true')"
            " GROUP BY 1 ORDER BY 2 DESC, 1",
            (RELEASE,),
        ).fetchall()
    assert found.values[column] == rows
    assert found.total == sum(count for _, count in rows) > 0


def test_stacks_and_variants(sample_catalog: Path) -> None:
    with open_catalog(sample_catalog) as db:
        found = tally(db, [parse_spec("hdf5")], Scope(RELEASE))
        stacks = db.execute(
            "SELECT stack, count(*) FROM binary_stacks WHERE tag = ? AND package = 'hdf5'"
            " GROUP BY 1 ORDER BY 2 DESC, 1",
            (RELEASE,),
        ).fetchall()
        shared = db.execute(
            "SELECT count(*) FROM binary_list WHERE tag = ? AND package = 'hdf5'"
            " AND ' ' || variants || ' ' LIKE '% +mpi %'",
            (RELEASE,),
        ).fetchone()
    assert found.values["stacks"] == stacks
    assert dict(found.values["variants"])["+mpi"] == shared[0]
    assert found.shared("package") == ["hdf5"]
    assert "+mpi" not in found.shared("variants")
    assert "+shared" in found.shared("variants")


def test_nothing_and_too_much(sample_catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_catalog(sample_catalog) as db:
        assert tally(db, [parse_spec("nosuch")], Scope()) == Tally()
        monkeypatch.setattr(module, "MOST", 10)
        assert tally(db, [parse_spec("*")], Scope()) == Tally(684)
        assert tally(db, [parse_spec("*+mpi")], Scope(RELEASE)).values == {}


@pytest.mark.parametrize("spec", ["*", "*+mpi", "hdf5@1.14:", "target=x86_64_v3", "nosuch"])
@pytest.mark.parametrize(
    "scope",
    [
        Scope(),
        Scope(os="ubuntu22.04"),
        Scope(runs_on="zen4"),
        Scope(package="hdf5", compiler="gcc@11.4.0"),
        Scope(RELEASE),
        Scope(stack="e4s"),
        Scope(also_in="root"),
    ],
)
def test_specs_are_counted_as_binaries_are(sample_catalog: Path, spec: str, scope: Scope) -> None:
    with open_catalog(sample_catalog) as db:
        finder = Finder(db)
        queries = [parse_spec(spec), parse_spec("zlib-ng~shared")]
        for some in (queries[:1], queries):
            listed = finder.rows(finder.binaries(some, scope, 10_000))
            assert finder.count(some, scope) == len(listed) == tally(db, some, scope).total


@pytest.mark.parametrize("spec", ["*", "*+mpi", "os=ubuntu22.04", "target=aarch64", "hdf5"])
@pytest.mark.parametrize("profile", ["rocky8/zen3", "ubuntu24.04/zen4", "sequoia/m1"])
def test_what_a_host_can_use_is_counted_as_it_is_listed(
    sample_catalog: Path, spec: str, profile: str
) -> None:
    with open_catalog(sample_catalog) as db:
        finder, reuse, queries = Finder(db), Reuse(db, find_host(profile)), [parse_spec(spec)]
        of_all = finder.rows(finder.binaries(queries, Scope(), 100_000))
        verdicts = reuse.verdicts((str(row[3]), str(row[0])) for row in of_all)
        taken = [row for row, it in zip(of_all, verdicts, strict=True) if it and it.reusable]
        scope = Scope(taken=reuse.taken)
        assert finder.rows(finder.binaries(queries, scope, 100_000)) == taken
        assert finder.count(queries, scope) == tally(db, queries, scope).total == len(taken)
        dated = db.execute("SELECT name FROM tags ORDER BY date IS NULL, id DESC").fetchall()
        tags = {row[0] for row in taken}
        newest = next((name for (name,) in dated if name in tags), None)
        assert finder.newest_tag(queries, scope) == newest


def test_more_values_than_a_statement_may_name(tmp_path: Path) -> None:
    """A site allows statements of 10,000 characters."""
    items = [item(number, variants=[f"x={number}"]) for number in range(3_000)]
    site = write_site(tmp_path / "site", {"specs.md": page("v1", "a", items)})
    build(tmp_path / "catalog.db", site)
    with open_catalog(tmp_path / "catalog.db") as db:
        if hasattr(db, "setlimit"):  # Python 3.11 has it
            db.setlimit(1, 10_000)  # SQLITE_LIMIT_SQL_LENGTH
        found = tally(db, [parse_spec("a")], Scope("v1"))
    assert found.total == 3_000
    assert found.values["variants"] == sorted((f"x={number}", 1) for number in range(3_000))


def test_in_all_tags_a_stack_has_what_it_has_in_any(tmp_path: Path) -> None:
    """As many specs as are found by the stack: one may have left it before its newest tag."""
    old, new = "develop-2025-01-05", "develop-2025-01-12"
    pages = {
        (old, "app"): [item(1, stacks=["hep", "root"]), item(2, stacks=["hep", "root"])],
        (new, "app"): [item(1, stacks=["ml", "root"]), item(3, stacks=["ml", "root"])],
    }
    site = write_site(
        tmp_path / "site", {place_of(*it): page(*it, items) for it, items in pages.items()}
    )
    build(tmp_path / "catalog.db", site)
    with open_catalog(tmp_path / "catalog.db") as db:
        queries = [parse_spec("app")]
        counted = tally(db, queries, Scope()).values["stacks"]
        found = [Finder(db).count(queries, Scope(also_in=stack)) for stack, _ in counted]
        assert tally(db, queries, Scope(new)).values["stacks"] == [("ml", 2), ("root", 2)]
    assert counted == [("root", 3), ("hep", 2), ("ml", 2)]
    assert found == [3, 2, 2]
