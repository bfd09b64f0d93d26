"""The pages of a tag and the build caches they were made from give the same catalog."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest

from etl.catalog.check import check_catalog, check_pages
from etl.catalog.reader import open_catalog
from etl.progress import silently
from etl.records import Record
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.pages import read_pages
from etl.sources.selection import Selection
from etl.writer.build import Summary, build_catalog
from etl.writer.intake import Reading

VIEWS = {
    "spec_list": (
        "hash, package, version, version_key, compiler, os, platform, target, variants,"
        " first_tag, last_tag, tags"
    ),
    "binary_list": (
        "tag, package, version, version_key, hash, compiler, os, platform, target, variants, stacks"
    ),
    "spec_variants": "hash, package, name, value",
    "binary_stacks": "tag, hash, package, stack",
    "package_list": "package, versions, newest_version, specs, tags, first_tag, last_tag",
}
"""The public views, without sizes, which pages lack."""


def build(target: Path, *sources: Iterable[Record]) -> Summary:
    return build_catalog([Reading("source", records) for records in sources], target)


def rows(catalog: Path, view: str) -> list[tuple[object, ...]]:
    with open_catalog(catalog) as db:
        return sorted(db.execute(f"SELECT {VIEWS[view]} FROM {view}").fetchall())


@pytest.fixture(scope="module")
def by_pages(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("pages") / "catalog.db"
    build(target, read_pages(real_data / "pages"))
    return target


@pytest.fixture(scope="module")
def by_build_caches(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("mirrors") / "catalog.db"
    sources = (read_build_caches(real_data / kind) for kind in ("indexes", "mirrors"))
    summary = build(target, *sources)
    assert summary == Summary(2, 3, 615, 2614, 2660, 0, ())
    return target


@pytest.fixture(scope="module")
def by_both(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("both") / "catalog.db"
    build(
        target,
        read_build_caches(real_data / "mirrors"),
        read_pages(real_data / "pages"),
        read_build_caches(real_data / "indexes"),
    )
    return target


@pytest.mark.parametrize("view", VIEWS)
def test_build_caches_give_what_pages_give(
    by_pages: Path, by_build_caches: Path, view: str
) -> None:
    assert rows(by_build_caches, view) == rows(by_pages, view)


@pytest.mark.parametrize("view", VIEWS)
def test_both_together_give_what_either_gives(by_pages: Path, by_both: Path, view: str) -> None:
    assert rows(by_both, view) == rows(by_pages, view)


def test_pages_come_back_from_both_together(real_data: Path, by_both: Path) -> None:
    with open_catalog(by_both) as db:
        assert list(check_catalog(db)) == []
        assert list(check_pages(db, real_data / "pages", silently)) == []
        # The facts are enough for every page, sizes or not.
        assert db.execute("SELECT count(text) FROM pages").fetchone() == (0,)


def test_a_page_that_lacks_what_its_build_cache_has(real_data: Path, tmp_path: Path) -> None:
    place = "_cache/develop-2025-07-20/curl/specs.md"
    text = (real_data / "pages" / place).read_text()
    hash_ = text.partition('"hash": "')[2][:32]
    page = tmp_path / "site" / place
    page.parent.mkdir(parents=True)
    page.write_text(text.replace(hash_, "a" * 32))
    build(
        tmp_path / "catalog.db",
        read_pages(tmp_path / "site"),
        read_build_caches(real_data / "mirrors"),
    )
    with open_catalog(tmp_path / "catalog.db") as db:
        assert list(check_pages(db, tmp_path / "site", silently)) == []
        found = db.execute(
            "SELECT hash FROM binary_list WHERE tag = 'develop-2025-07-20' AND package = 'curl'"
        ).fetchall()
    assert {("a" * 32,), (hash_,)} <= set(found)


def test_a_page_that_lacks_a_stack_that_its_build_cache_has(
    real_data: Path, tmp_path: Path
) -> None:
    place = "_cache/develop-2025-07-20/curl/specs.md"
    text = (real_data / "pages" / place).read_text()
    page = tmp_path / "site" / place
    page.parent.mkdir(parents=True)
    page.write_text(text.replace('"stacks": ["root", "tutorial"]', '"stacks": ["root"]'))
    assert page.read_text() != text
    build(
        tmp_path / "catalog.db",
        read_pages(tmp_path / "site"),
        read_build_caches(real_data / "mirrors"),
    )
    with open_catalog(tmp_path / "catalog.db") as db:
        assert list(check_pages(db, tmp_path / "site", silently)) == []
        stacks = db.execute(
            "SELECT DISTINCT stacks FROM binary_list"
            " WHERE tag = 'develop-2025-07-20' AND package = 'curl'"
        ).fetchall()
    assert ("root tutorial",) in stacks
    assert ("root",) not in stacks


def test_both_together_know_what_only_build_caches_know(
    by_build_caches: Path, by_both: Path
) -> None:
    def facts(catalog: Path) -> list[object]:
        with open_catalog(catalog) as db:
            return [
                db.execute(query).fetchall()
                for query in (
                    "SELECT * FROM dependency_list ORDER BY 1, 4, 7, 8",
                    "SELECT hash, size, format, namespace, package_hash, external FROM specs"
                    " ORDER BY hash",
                    "SELECT hash, name, flag FROM spec_flags JOIN specs ON specs.id = spec_id"
                    " ORDER BY 1, 2, 3",
                    "SELECT name, value, sha256 FROM variants WHERE sha256 NOT NULL ORDER BY 3",
                )
            ]

    assert facts(by_both) == facts(by_build_caches)


def test_the_order_of_sources_means_nothing(real_data: Path, tmp_path: Path) -> None:
    kinds = ("indexes", "mirrors")
    for name, order in (("one", kinds), ("other", kinds[::-1])):
        sources = (read_build_caches(real_data / kind) for kind in order)
        build(tmp_path / name, *sources)
    for view in VIEWS:
        assert rows(tmp_path / "one", view) == rows(tmp_path / "other", view)


def test_dependencies(by_build_caches: Path) -> None:
    with open_catalog(by_build_caches) as db:
        found = db.execute(
            """
            SELECT dependency, dependency_version, deptypes, virtuals, available
            FROM dependency_list
            WHERE hash = (SELECT hash FROM binary_list
                WHERE tag = 'develop-2025-07-20' AND package = 'curl')
            ORDER BY dependency
            """
        ).fetchall()
    assert found == [
        ("compiler-wrapper", "1.0", "build", "", 1),
        ("gcc", "12.2.0", "build", "c cxx", 0),
        ("gcc-runtime", "12.2.0", "link", "", 1),
        ("glibc", "2.36", "link", "libc", 0),
        ("gmake", "4.4.1", "build", "", 1),
        ("nghttp2", "1.65.0", "build link", "", 1),
        ("openssl", "3.4.1", "build link", "", 1),
        ("pkgconf", "2.3.0", "build", "pkgconfig", 1),
        ("zlib-ng", "2.2.4", "build link", "zlib-api", 1),
    ]


def test_a_dependency_that_no_source_describes_has_its_row(real_data: Path, tmp_path: Path) -> None:
    only_curl = Selection(packages=frozenset({"curl"}))
    build(tmp_path / "curl.db", read_build_caches(real_data / "mirrors", only_curl))
    with open_catalog(tmp_path / "curl.db") as db:
        assert db.execute("SELECT DISTINCT package FROM spec_list").fetchall() == [("curl",)]
        assert db.execute(
            "SELECT DISTINCT dependency, dependency_version, available FROM dependency_list"
            " WHERE dependency = 'openssl'"
        ).fetchall() == [("openssl", None, 0)]


def test_sizes_of_v3_manifests(by_build_caches: Path) -> None:
    with open_catalog(by_build_caches) as db:
        sized = dict(
            db.execute(
                "SELECT tag, count(size) FROM binary_list GROUP BY tag HAVING count(size) > 0"
            ).fetchall()
        )
    # The release's index tells no sizes, but 46 of its specs are also in the snapshot.
    assert sized == {"develop-2025-07-20": 72, "v2025.07.0": 46}


def test_addresses_of_mirrors(by_build_caches: Path) -> None:
    with open_catalog(by_build_caches) as db:
        urls = db.execute(
            """
            SELECT stacks.name, url, mirrors.binaries FROM mirrors
            JOIN stacks ON stacks.id = stack_id JOIN tags ON tags.id = tag_id
            WHERE tags.name = 'develop-2025-07-20' ORDER BY 1
            """
        ).fetchall()
    base = "https://binaries.spack.io/develop-2025-07-20"
    assert urls == [
        ("build_systems", f"{base}/build_systems", 45),
        ("root", base, 72),
        ("tutorial", f"{base}/tutorial", 35),
    ]


def test_nothing_can_be_changed(by_pages: Path) -> None:
    with open_catalog(by_pages) as db, pytest.raises(sqlite3.OperationalError):
        db.execute("DELETE FROM specs")


def test_specs_of_each_stack_are_counted_once_in_whatever_tag(by_both: Path) -> None:
    with open_catalog(by_both) as db:
        counted = db.execute(
            "SELECT stacks.name, count FROM facet_counts JOIN stacks ON stacks.id = value"
            " WHERE table_name = 'specs' AND facet = 'stack_id' ORDER BY stacks.name"
        ).fetchall()
        expected = db.execute(
            "SELECT stack, count(DISTINCT hash) FROM binary_stacks GROUP BY stack ORDER BY stack"
        ).fetchall()
    assert counted == expected
    assert len(counted) > 5
