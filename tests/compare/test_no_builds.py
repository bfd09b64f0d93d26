"""Real indexes as a source has them that lists no dependencies for building."""

from __future__ import annotations

import copy
import json
from pathlib import Path

from datasette_spack.serve import datasette_for
from etl.catalog.reader import open_catalog
from etl.compare.rebuilt import NO_BUILDS, rebuilt
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.selection import Selection
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.compare import index_changes
from tests.compare.index_changes import Index, changed, plain, read_index
from tests.html_tree import main_of
from tests.running import Run

MIRROR = Path(__file__).parents[1] / "data/mirrors/develop-2024-11-17/tutorial"
OLD, NEW = "develop-2025-11-02", "develop-2026-01-04"
SAID = "The source does not list build dependencies; only link and run dependencies are compared."


def without_builds(index: Index) -> Index:
    """The index with nothing that is only for building."""
    stripped = copy.deepcopy(index)
    for spec in stripped.values():
        for edge in spec.get("dependencies", ()):
            told = edge["parameters"]
            told["deptypes"] = [it for it in told["deptypes"] if it in ("link", "run")]
        spec["dependencies"] = [
            it for it in spec.get("dependencies", ()) if it["parameters"]["deptypes"]
        ]
    return stripped


def two_recipes(index: Index) -> None:
    """Change the recipe of what some link to, and of what others are only built with."""
    for spec in index.values():
        if spec["name"] in ("zlib-ng", "gmake"):
            spec["package_hash"] = "new===="


def catalog_of(folder: Path, database: str, **tags: Index) -> Path:
    """A catalog of indexes, in the format of a version of Spack's database."""
    readings = []
    for tag, index in zip((OLD, NEW), tags.values(), strict=True):
        installs = {
            hash_: {"spec": spec, "in_buildcache": "external" not in spec}
            for hash_, spec in index.items()
        }
        path = folder / tag / "index.json"
        path.parent.mkdir()
        path.write_text(json.dumps({"database": {"version": database, "installs": installs}}))
        readings.append(Reading(tag, read_build_caches(path, Selection(owner=tag))))
    build_catalog(readings, folder / "catalog.db")
    return folder / "catalog.db"


async def test_neither_tells(real_data: Path, tmp_path: Path, run: Run) -> None:
    """What has causes has them of what it links to and runs with; the rest is told as unknown."""
    folder = real_data / "rebuilds" / "packages-2025-11-25-to-2026-01-12"
    old, new = (without_builds(read_index(folder / f"{it}.json.gz")) for it in ("old", "new"))
    expected, ambiguous = index_changes.rebuilt(old, new)
    catalog = catalog_of(tmp_path, "8", old=old, new=new)
    with open_catalog(catalog) as db:
        found = rebuilt(db, OLD, NEW)
    assert {
        (it.old, it.new): {plain(tuple(cause.to_json())) for cause in it.causes}
        for it in found.rebuilds
    } == {pair: {plain(it) for it in causes} for pair, causes in expected.items()}
    assert (found.ambiguous, found.tells_builds) == (ambiguous, False)
    untold = [it for it in found.rebuilds if {cause.kind for cause in it.causes} == {"unknown"}]
    assert untold == list(found.unexplained)
    assert 0 < len(untold) < len(found.rebuilds)
    assert found.reasons == ((NO_BUILDS, len(untold)),)
    text = run("diff", OLD, NEW, "--why", "--catalog", catalog).out.splitlines()
    assert text[-2:] == [f"{len(untold)} rebuilds unexplained: {NO_BUILDS}.", SAID]
    told = json.loads(run("diff", OLD, NEW, "--why", "--format", "json", "--catalog", catalog).out)
    assert {it.get("unexplained") for it in told["rebuilt"]} == {None, NO_BUILDS}
    assert (told["unexplained"], told["build_dependencies_told"]) == (len(untold), False)
    datasette = datasette_for(catalog)
    why = main_of((await datasette.client.get(f"/compare/{OLD}/{NEW}")).text).section("why")
    assert f"{len(untold)} unexplained: {NO_BUILDS}." in why.text
    assert SAID in why.text
    listed = await datasette.client.get(why.links[f"{len(untold)} unexplained"])
    rows = main_of(listed.text).one("table").rows[1:]
    assert {row[4] for row in rows} == {f"unexplained: {NO_BUILDS}"}
    assert len(rows) == len(untold)
    spec = main_of((await datasette.client.get(f"/spec/{untold[0].new}")).text)
    assert NO_BUILDS in spec.section("before").text
    datasette.get_database("catalog").close()


def test_only_one_tells(tmp_path: Path) -> None:
    """What the other does not tell is not taken for what it no longer needs."""
    installs = json.loads((MIRROR / "build_cache/index.json").read_text())["database"]["installs"]
    before: Index = {hash_: it["spec"] for hash_, it in installs.items()}
    after = without_builds(changed(before, two_recipes))
    catalog = catalog_of(tmp_path, "7", before=before, after=after)
    with open_catalog(catalog) as db:
        there, back = rebuilt(db, OLD, NEW), rebuilt(db, NEW, OLD)
    expected, _ = index_changes.rebuilt(without_builds(before), after)
    causes = {pair: {plain(it) for it in told} for pair, told in expected.items()}
    kinds = {it[0] for told in causes.values() for it in told}
    assert kinds == {"recipe", "unknown"}
    for found, way in ((there, 1), (back, -1)):
        assert {
            (it.old, it.new)[::way]: {(cause.kind, cause.package) for cause in it.causes}
            for it in found.rebuilds
        } == {pair: {it[:2] for it in told} for pair, told in causes.items()}
        assert found.reasons == ((NO_BUILDS, len(found.unexplained)),)
        assert found.unexplained
