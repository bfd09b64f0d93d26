"""News of several named caches: each tag is held against those of its own cache."""

from __future__ import annotations

from pathlib import Path

from etl.browse.news import package_news, stack_news
from etl.catalog.reader import open_catalog
from etl.sources.named import Asked, with_name
from etl.sources.pages import read_pages
from tests.sites import item, page, place_of, write_site
from tests.small_catalogs import FIRST, SECOND, THIRD, build, three_tags_of_caches


def test_a_stack_is_compared_within_its_cache(tmp_path: Path) -> None:
    with open_catalog(three_tags_of_caches(tmp_path)) as db:
        told = [(it.tag, it.previous, it.newer.first) for it in stack_news(db, "root")]
    newer = ("tool 1.10 → 2.0",)
    assert told == [
        (f"some:{THIRD}", f"some:{FIRST}", newer),
        (f"all:{THIRD}", f"all:{SECOND}", newer),
        (f"all:{SECOND}", f"all:{FIRST}", ()),
        (f"some:{FIRST}", None, ()),
        (f"all:{FIRST}", None, ()),
        ("all:releases/v0.18", None, ()),
    ]


def test_a_package_goes_from_a_cache_that_had_it(tmp_path: Path) -> None:
    has = {
        "mine": {FIRST: "lib", SECOND: "tool", THIRD: "lib"},
        "theirs": {FIRST: "tool", SECOND: "tool", THIRD: "tool"},
    }
    sources = []
    for name, tags in has.items():
        pages = {
            place_of(tag, package): page(tag, package, [item(len(package))])
            for tag, package in tags.items()
        }
        records = read_pages(write_site(tmp_path / name, pages))
        sources.append(with_name(Asked(str(tmp_path / name), name), records))
    with open_catalog(build(tmp_path / "catalog.db", *sources)) as db:
        told = {
            package: [(it.kind, it.tag) for it in package_news(db, package).events]
            for package in ("lib", "tool")
        }
    assert told == {
        "lib": [
            ("back", f"mine:{THIRD}"),
            ("gone", f"mine:{SECOND}"),
            ("version", f"mine:{FIRST}"),
        ],
        "tool": [("gone", f"mine:{THIRD}"), ("version", f"theirs:{FIRST}")],
    }
