"""What is so when pages tell of the same spec: notation is no matter, and the newest tag wins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etl.errors import CatalogError
from etl.records import Mirror, Problem, Record, Source, Spec
from etl.sources.pages import read_pages
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.sites import (
    build,
    exported,
    hash_of,
    item,
    page,
    pages_below,
    place_of,
    problems,
    rows,
    write_site,
)

OLD, MIDDLE, NEW = "develop-2025-01-01", "develop-2025-02-01", "develop-2025-03-01"

SPECS = """
    SELECT hash, package, version, compiler, os, platform, target, variants, size,
        first_tag, last_tag, tags
    FROM spec_list ORDER BY hash
"""
SPEC = (
    "hdf5", "1.0", "gcc@11.4.0", "ubuntu22.04", "linux", "x86_64_v3",
    "build_system=cmake ~ipo libs:=shared,static", None,
)  # fmt: skip


def _build(folder: Path, **items: list[dict[str, Any]]) -> Path:
    """A catalog of pages of hdf5: tag and items."""
    tags = {"old": OLD, "middle": MIDDLE, "new": NEW}
    site = {
        place_of(tags[name], "hdf5"): page(tags[name], "hdf5", its) for name, its in items.items()
    }
    build(folder / "catalog.db", write_site(folder / "site", site))
    return folder / "catalog.db"


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ({"compiler": "gcc@=11.4.0"}, {"compiler": "gcc@11.4.0"}, {}),
        ({"compiler": "gcc@11.4.0"}, {"compiler": "gcc@=11.4.0"}, {}),
        (
            {"compiler": "oneapi@=2024.2.1"},
            {"compiler": "intel-oneapi-compilers@2024.2.1"},
            {"compiler": "intel-oneapi-compilers@2024.2.1"},
        ),
        (
            {"variants": ["a=x,y", "+b"]},
            {"variants": ["a:=x,y", "+b"]},
            {"variants": "a:=x,y +b"},
        ),
        (
            {"variants": ["a:=x,y", "+b"]},
            {"variants": ["a=x,y", "+b"]},
            {"variants": "a:=x,y +b"},
        ),
        ({"variants": ["a:=x,y"]}, {"variants": ["a:=y,x"]}, {"variants": "a:=y,x"}),
        ({"variants": ["+b", "a=x"]}, {"variants": ["a=x", "+b"]}, {"variants": "a=x +b"}),
        ({"variants": ["-b"]}, {"variants": ["~b"]}, {"variants": "~b"}),
        ({"variants": ["++b"]}, {"variants": ["+b"]}, {"variants": "+b"}),
        ({"variants": ["b=true"]}, {"variants": ["+b"]}, {"variants": "+b"}),
        ({"variants": ["a=='x'"]}, {"variants": ["a=x"]}, {"variants": "a=x"}),
        ({"variants": ['a="x y"']}, {"variants": ["a='x y'"]}, {"variants": "a='x y'"}),
        ({"size": 5}, {"size": "-"}, {"size": 5}),
        ({"size": "-"}, {"size": 5}, {"size": 5}),
        ({"size": "5"}, {"size": 5}, {"size": 5}),
        ({"stacks": ["e4s"]}, {"stacks": ["hep", "root"]}, {}),
        ({"more": 1}, {"more": 2}, {}),
    ],
)  # fmt: skip
def test_notation_is_no_contradiction(
    tmp_path: Path, old: dict[str, Any], new: dict[str, Any], kept: dict[str, Any]
) -> None:
    catalog = _build(tmp_path, old=[item(1, **old)], new=[item(1, **new)])
    assert problems(catalog) == []
    (row,) = rows(catalog, SPECS)
    found = dict(zip(("compiler", "variants", "size"), (row[3], row[7], row[8]), strict=True))
    expected = {"compiler": SPEC[2], "variants": SPEC[6], "size": None, **kept}
    assert found == expected
    assert row[9:] == (OLD, NEW, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"versions": ["2.0"]}, "version 2.0 (kept: 1.0)"),
        ({"compiler": "gcc@12"}, "compiler gcc@12 (kept: gcc@11.4.0)"),
        ({"compiler": "none"}, "compiler none (kept: gcc@11.4.0)"),
        ({"os": "rhel8"}, "os rhel8 (kept: ubuntu22.04)"),
        ({"platform": "darwin"}, "platform darwin (kept: linux)"),
        ({"target": "zen4"}, "target zen4 (kept: x86_64_v3)"),
        (
            {"variants": ["build_system=cmake", "+ipo", "libs:=shared"]},
            "variants ipo=true (kept: ipo=false libs=static)",
        ),
        (
            {"variants": []},
            "variants none (kept: build_system=cmake ipo=false libs=shared libs=static)",
        ),
        (
            {"os": "rhel8", "versions": ["2.0"]},
            "os rhel8 (kept: ubuntu22.04); version 2.0 (kept: 1.0)",
        ),
    ],
)
def test_the_newest_tag_wins(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    catalog = _build(tmp_path, old=[item(1, **change)], middle=[item(1)], new=[item(1), item(2)])
    assert problems(catalog) == [
        (
            place_of(OLD, "hdf5"),
            "contradiction",
            f"contradicts {NEW} about {hash_of(1)}: {message}",
        )
    ]
    assert rows(catalog, SPECS) == [
        (hash_of(1), *SPEC, OLD, NEW, 3),
        (hash_of(2), *SPEC, NEW, NEW, 1),
    ]


def test_each_page_that_differs_is_a_problem(tmp_path: Path) -> None:
    catalog = _build(
        tmp_path,
        old=[item(1, os="rhel8", size=1)],
        middle=[item(1, os="rhel9", size=2)],
        new=[item(1)],
    )
    assert problems(catalog) == [
        (
            place_of(OLD, "hdf5"),
            "contradiction",
            f"contradicts {NEW} about {hash_of(1)}: os rhel8 (kept: ubuntu22.04); size 1 (kept: 2)",
        ),
        (
            place_of(MIDDLE, "hdf5"),
            "contradiction",
            f"contradicts {NEW} about {hash_of(1)}: os rhel9 (kept: ubuntu22.04)",
        ),
    ]
    assert rows(catalog, "SELECT os, size FROM spec_list") == [("ubuntu22.04", 2)]


def test_sizes_that_differ(tmp_path: Path) -> None:
    catalog = _build(tmp_path, old=[item(1, size=5)], new=[item(1, size=6)])
    assert problems(catalog)[0][2].endswith("size 5 (kept: 6)")
    assert rows(catalog, "SELECT size FROM spec_list") == [(6,)]


def test_what_was_overruled_leaves_no_trace(tmp_path: Path) -> None:
    old = item(1, os="rhel8", platform="darwin", compiler="llvm@1", versions=["9"], variants=["+z"])
    catalog = _build(tmp_path, old=[old], new=[item(1)])
    for table, column in (
        ("operating_systems", "name"),
        ("platforms", "name"),
        ("compilers", "name"),
        ("versions", "version"),
    ):
        assert len(rows(catalog, f"SELECT {column} FROM {table}")) == 1, table
    assert rows(catalog, "SELECT name, value FROM variants ORDER BY 1, 2") == [
        ("build_system", "cmake"),
        ("ipo", "false"),
        ("libs", "shared"),
        ("libs", "static"),
    ]


def test_a_target_that_was_overruled_leaves_no_trace(tmp_path: Path) -> None:
    catalog = _build(tmp_path, old=[item(1, target="unheard_of")], new=[item(1)])
    assert rows(catalog, "SELECT * FROM targets WHERE name = 'unheard_of'") == []
    assert rows(catalog, "PRAGMA foreign_key_check") == []


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("develop-2025-01-01", "develop-2025-01-02"),
        ("develop-2024-12-31", "develop-2025-01-01"),
        ("develop-2099-01-01", "develop"),
        ("v0.9.1", "v0.10.0"),
        ("v0.20.1", "develop-2025-01-01"),
        ("develop-2024-01-01", "v1.0.0"),
        ("v1.0.0", "v2025.11.0"),
        ("something", "v0.10.0"),
    ],
)
def test_tags_are_newer_in_time_and_not_by_name(tmp_path: Path, older: str, newer: str) -> None:
    site = {
        place_of(tag, "hdf5"): page(tag, "hdf5", [item(1, os=os)])
        for tag, os in ((older, "old"), (newer, "new"))
    }
    build(tmp_path / "catalog.db", write_site(tmp_path / "site", site))
    assert rows(tmp_path / "catalog.db", "SELECT os, first_tag, last_tag FROM spec_list") == [
        ("new", older, newer)
    ]


HASH_IN_TWO_PACKAGES = (
    "the build ends in sqlite3.DatabaseError: a failed CREATE UNIQUE INDEX is not rolled back"
    " without a journal; and packages.newest_version_id of the first pass is not reset"
)


def test_a_hash_in_two_packages_belongs_to_that_of_the_newest_tag(tmp_path: Path) -> None:
    site = {
        place_of(OLD, "aaa"): page(OLD, "aaa", [item(1), item(2)]),
        place_of(NEW, "zlib"): page(NEW, "zlib", [item(1)]),
        place_of(NEW, "same"): page(NEW, "same", [item(3)]),
        place_of(NEW, "than"): page(NEW, "than", [item(3)]),
    }
    summary = build(tmp_path / "catalog.db", write_site(tmp_path / "site", site))
    catalog = tmp_path / "catalog.db"
    assert rows(catalog, "SELECT package, hash, last_tag FROM spec_list ORDER BY 1, 2") == [
        ("aaa", hash_of(2), OLD),
        ("same", hash_of(3), NEW),
        ("zlib", hash_of(1), NEW),
    ]
    assert problems(catalog) == [
        (
            place_of(OLD, "aaa"),
            "refused",
            f"{hash_of(1)} is a spec of zlib elsewhere; left out here",
        ),
        (
            place_of(NEW, "than"),
            "refused",
            f"{hash_of(3)} is a spec of same elsewhere; left out here",
        ),
    ]
    assert len(summary.refused) == 2
    assert rows(catalog, "SELECT name, specs, binaries FROM packages ORDER BY 1") == [
        ("aaa", 1, 1),
        ("same", 1, 1),
        ("than", 0, 0),
        ("zlib", 1, 1),
    ]
    assert rows(catalog, "PRAGMA foreign_key_check") == []


def test_two_pages_for_one_tag_and_package(tmp_path: Path) -> None:
    site = {
        "a/specs.md": page(NEW, "hdf5", [item(1)]),
        "b/specs.md": page(NEW, "hdf5", [item(2)]),
        "c/specs.md": page(NEW, "hdf5", [item(2)]),
        "d/specs.md": page(NEW, "hdf5", [item(3)]) + b"\n",
    }
    summary = build(tmp_path / "catalog.db", write_site(tmp_path / "site", site))
    message = "another page of this package and tag is used instead: "
    assert summary.refused == (
        Problem(f"{tmp_path}/site/a/specs.md", "refused", f"{message}b/specs.md"),
        Problem(f"{tmp_path}/site/c/specs.md", "refused", f"{message}d/specs.md"),
    )
    assert rows(tmp_path / "catalog.db", "SELECT hash FROM spec_list") == [(hash_of(3),)]


def test_the_same_page_in_two_sources(tmp_path: Path) -> None:
    site = {place_of(NEW, "hdf5"): page(NEW, "hdf5", [item(1)])}
    one, other = write_site(tmp_path / "1", site), write_site(tmp_path / "2", site)
    summary = build(tmp_path / "catalog.db", one, other)
    assert (summary.sources, summary.binaries, summary.problems) == (2, 1, ())


def test_of_two_sources_the_last_counts(tmp_path: Path) -> None:
    one = write_site(tmp_path / "1", {"a/specs.md": page(NEW, "hdf5", [item(1), item(2)])})
    other = write_site(tmp_path / "2", {"b/specs.md": page(NEW, "hdf5", [item(2), item(3)])})
    for sources, hashes, lost in (
        ((one, other), [2, 3], f"{one}/a/specs.md"),
        ((other, one), [1, 2], f"{other}/b/specs.md"),
    ):
        summary = build(tmp_path / "catalog.db", *sources)
        found = rows(tmp_path / "catalog.db", "SELECT hash FROM spec_list ORDER BY 1")
        assert found == [(hash_of(number),) for number in hashes]
        assert [problem.place for problem in summary.refused] == [lost]


def test_variants_are_names_and_values(tmp_path: Path) -> None:
    variants = ["+a", "~b", "c=d", "e:=f,g", "h='i j'", "patches:=7326028,db4173c", "k==l", "m=n=o"]
    catalog = _build(tmp_path, new=[item(1, variants=variants), item(2, variants=[])])
    assert rows(catalog, "SELECT * FROM spec_variants ORDER BY name, value") == [
        (hash_of(1), "hdf5", name, value)
        for name, value in (
            ("a", "true"), ("b", "false"), ("c", "d"), ("e", "f"), ("e", "g"), ("h", "i j"),
            ("k", "l"), ("m", "n=o"), ("patches", "7326028"), ("patches", "db4173c"),
        )
    ]  # fmt: skip
    assert rows(catalog, "SELECT variants FROM spec_list ORDER BY hash") == [
        (" ".join(variants),),
        ("",),
    ]


def test_lists_with_the_same_text_that_are_different(tmp_path: Path) -> None:
    catalog = _build(tmp_path, new=[item(1, variants=["x=a b"]), item(2, variants=["x=a", "b"])])
    assert rows(catalog, "SELECT hash, name, value FROM spec_variants ORDER BY 1, 2") == [
        (hash_of(1), "x", "a b"),
        (hash_of(2), "b", ""),
        (hash_of(2), "x", "a"),
    ]


def test_nothing_at_all(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"a/specs.md": b"a", "b/specs.md": b"b"})
    with pytest.raises(CatalogError) as caught:
        build(tmp_path / "catalog.db", site)
    assert str(caught.value) == (
        "nothing to write: no source has any data\n"
        f"  {site}/a/specs.md: no front matter: a page begins with a line ---\n"
        f"  {site}/b/specs.md: no front matter: a page begins with a line ---"
    )
    assert list(tmp_path.iterdir()) == [site]


def _mirror(place: str, stack: str, os: str) -> Mirror:
    """The index of a build cache of hdf5 alone."""
    spec = Spec(
        hash_of(1), "hdf5", "1.0", "gcc@11.4.0", os, "linux", "x86_64_v3",
        ("build_system=cmake", "~ipo", "libs:=shared,static"),
    )  # fmt: skip
    return Mirror(place, NEW, stack, None, (spec,), (True,))


def test_of_two_indexes_of_a_source_the_first_by_place_wins(tmp_path: Path) -> None:
    one, other = _mirror("a/index.json", "e4s", "rhel8"), _mirror("b/index.json", "hep", "rhel9")
    for order in ((one, other), (other, one)):
        records: list[Record] = [Source("build cache", "x"), *order]
        build_catalog([Reading("x", records)], tmp_path / "catalog.db")
        assert rows(tmp_path / "catalog.db", "SELECT os FROM spec_list") == [("rhel8",)]
        (problem,) = problems(tmp_path / "catalog.db")
        assert problem[0] == "b/index.json"


def test_a_page_comes_back_though_a_build_cache_adds_a_stack(tmp_path: Path) -> None:
    files = {place_of(NEW, "hdf5"): page(NEW, "hdf5", [item(1, stacks=["root"])])}
    site = write_site(tmp_path / "site", files)
    records: list[Record] = [
        Source("build cache", "x"),
        _mirror("index.json", "e4s", "ubuntu22.04"),
    ]
    readings = [Reading("site", read_pages(site)), Reading("x", records)]
    build_catalog(readings, tmp_path / "catalog.db")
    assert rows(tmp_path / "catalog.db", "SELECT stacks FROM binary_list") == [("e4s root",)]
    assert exported(tmp_path / "catalog.db") == pages_below(site)
