"""Two specs side by side, where a graph has several specs of one package."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from datasette_spack.serve import datasette_for
from etl.sources.build_caches.mirror import read_build_caches
from tests.html_tree import main_of
from tests.running import Run
from tests.sites import hash_of
from tests.small_catalogs import FIRST, SECOND, build, node, record, write_indexes

# Each app is built with one python, and links to another.
OLD_BUILD, NEW_BUILD, OLD_LINK, NEW_LINK, SAME, OLD_APP, NEW_APP, ONE_LESS = map(hash_of, range(8))


def specs(*wanted: str) -> dict[str, object]:
    every = {
        OLD_BUILD: node("python", "3.10", package_hash="a"),
        NEW_BUILD: node("python", "3.11", package_hash="a"),
        OLD_LINK: node("python", "3.12", [("zlib", SAME)], package_hash="a"),
        NEW_LINK: node("python", "3.12", [("zlib", SAME)], package_hash="b"),
        SAME: node("zlib", "1.3"),
        OLD_APP: node(
            "app", "1.0", [("python", OLD_BUILD, "build"), ("python", OLD_LINK, "link run")]
        ),
        NEW_APP: node(
            "app", "1.0", [("python", NEW_LINK, "link run"), ("python", NEW_BUILD, "build")]
        ),
        ONE_LESS: node("app", "1.0", [("python", NEW_LINK, "link run")]),
    }
    return {hash_: record(every[hash_]) for hash_ in wanted}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    indexes = {
        (FIRST, "e4s"): specs(OLD_BUILD, OLD_LINK, SAME, OLD_APP),
        (SECOND, "e4s"): specs(NEW_BUILD, NEW_LINK, SAME, NEW_APP, ONE_LESS),
    }
    written = write_indexes(folder / "indexes", indexes)
    return build(folder / "catalog.db", read_build_caches(written))


def short(name: str, version: str, hash_: str) -> str:
    return f"{name}@{version}/{hash_[:7]}"


def test_each_is_held_against_that_which_is_there_for_the_same(run: Run, catalog: Path) -> None:
    done = run("diff", f"/{OLD_APP}", f"/{NEW_APP}", "--catalog", catalog, "--format", "json")
    assert done.code == 0
    assert json.loads(done.out)["nodes"] == [
        {
            "package": "python",
            "depth": 1,
            "deptypes": ["build"],
            "old": short("python", "3.10", OLD_BUILD),
            "new": short("python", "3.11", NEW_BUILD),
            "differences": [["version", "python", "3.10", "3.11"]],
        },
        {
            "package": "python",
            "depth": 1,
            "deptypes": ["link", "run"],
            "old": short("python", "3.12", OLD_LINK),
            "new": short("python", "3.12", NEW_LINK),
            "differences": [["recipe", "python", "a", "b"]],
        },
        {
            "package": "app",
            "depth": 0,
            "deptypes": [],
            "old": short("app", "1.0", OLD_APP),
            "new": short("app", "1.0", NEW_APP),
            "differences": [],
        },
    ]


def test_one_of_two_is_not_there(run: Run, catalog: Path) -> None:
    done = run("diff", f"/{OLD_APP}", f"/{ONE_LESS}", "--catalog", catalog)
    old, new = f"/{OLD_APP}", f"/{ONE_LESS}"
    assert done.out.splitlines() == [
        f"3 nodes differ between {old} and {new}, the deepest first:",
        f"  {short('python', '3.10', OLD_BUILD)} (build): only in the first",
        f"  {short('python', '3.12', OLD_LINK)} → {short('python', '3.12', NEW_LINK)}"
        " (link, run): the recipe of python",
        f"  {short('app', '1.0', OLD_APP)} → {short('app', '1.0', ONE_LESS)}:"
        " python 3.10, no longer a dependency",
    ]


@pytest.mark.parametrize("option", ["--stack e4s", "--package app", "--why", "--cause any"])
def test_what_is_asked_of_two_tags_is_refused(run: Run, catalog: Path, option: str) -> None:
    done = run(
        "diff", f"/{OLD_APP}", f"/{NEW_APP}", "--catalog", catalog, *option.split(), "--format=csv"
    )
    assert (done.code, done.out) == (2, "")
    assert "--stack, --package, --why and --cause are for two tags" in done.err


async def test_the_page_has_both(catalog: Path) -> None:
    datasette = datasette_for(catalog)
    path = f"/compare/spec/{OLD_APP}/{NEW_APP}"
    page = main_of((await datasette.client.get(path)).text)
    assert page.one("table").rows[1:] == [
        [
            *("python", "build", "1", f"python@3.10 /{OLD_BUILD[:7]}"),
            *(f"python@3.11 /{NEW_BUILD[:7]}", "python 3.10 → 3.11"),
        ],
        [
            *("python", "link, run", "1", f"python@3.12 /{OLD_LINK[:7]}"),
            *(f"python@3.12 /{NEW_LINK[:7]}", "the recipe of python"),
        ],
        [
            *("app", "", "0", f"app@1.0 /{OLD_APP[:7]}"),
            *(f"app@1.0 /{NEW_APP[:7]}", "only its dependencies"),
        ],
    ]
    told = (await datasette.client.get(f"{path}.json")).json()["nodes"]
    assert [(it["package"], it["deptypes"]) for it in told] == [
        ("python", ["build"]),
        ("python", ["link", "run"]),
        ("app", []),
    ]
    datasette.get_database("catalog").close()
