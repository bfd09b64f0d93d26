"""A catalog as a source: nothing is lost on the way, and what is read anew replaces what was."""

from __future__ import annotations

import dataclasses
import sqlite3
from contextlib import closing
from itertools import permutations
from pathlib import Path

import pytest

from etl.browse.spec import spec_facts
from etl.catalog.check import check_catalog
from etl.catalog.kept import read_catalog
from etl.catalog.pages import PageWriter
from etl.catalog.reader import open_catalog
from etl.errors import ReadError
from etl.records import Cache, Listing, Mirror, Record, Source, Spec, Tag, Unchanged
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.pages import read_pages
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.sites import SEED, hash_of, item, page, place_of, write_site
from tests.small_catalogs import history_catalog, hostile_catalog
from tests.weekly import BUCKET, FRIDAY, MONDAY, SUNDAY, digest, merged, mirror, rows, week

BINARIES = """
    SELECT tags.name, packages.name, stack_sets.stacks, first_seen, last_seen, seen.gone_since
    FROM (
        SELECT tag_id, package_id, stack_set_id, first_seen, NULL AS last_seen, NULL AS gone_since
        FROM binaries
        UNION ALL
        SELECT tag_id, package_id, stack_set_id, first_seen, last_seen, gone_since
        FROM gone_binaries
    ) AS seen JOIN tags ON tags.id = tag_id JOIN packages ON packages.id = package_id
    JOIN stack_sets ON stack_sets.id = stack_set_id ORDER BY 1, 2
"""
MIRRORS = """
    SELECT tags.name, stacks.name, first_seen, last_seen, mirrors.gone_since FROM mirrors
    JOIN tags ON tags.id = tag_id JOIN stacks ON stacks.id = stack_id ORDER BY 1, 2
"""
EVENTS = """
    SELECT at, event, tags.name, hash FROM events
    JOIN tags ON tags.id = tag_id JOIN specs ON specs.id = spec_id ORDER BY events.id
"""


@pytest.mark.parametrize("kind", ["site", "pages and caches", "history", "hostile"])
def test_a_catalog_from_a_catalog_alone_is_the_same_file(
    kind: str, real_data: Path, tmp_path: Path
) -> None:
    target = tmp_path / "catalog.db"
    if kind == "site":
        build_catalog([Reading("site", read_pages(SEED))], target)
    elif kind == "pages and caches":
        readings = [
            Reading("indexes", read_build_caches(real_data / "indexes")),
            Reading("mirrors", read_build_caches(real_data / "mirrors")),
            Reading("pages", read_pages(real_data / "pages")),
        ]
        build_catalog(readings, target, at=MONDAY)
    else:
        target = {"history": history_catalog, "hostile": hostile_catalog}[kind](tmp_path)
    again = merged(tmp_path / "again.db", target)
    with open_catalog(target) as old, open_catalog(again) as new:
        assert list(PageWriter(new).pages()) == list(PageWriter(old).pages())
    assert digest(again) == digest(target)


def test_a_page_stays_as_it_was_read_when_a_build_cache_that_it_names_goes(tmp_path: Path) -> None:
    items = [item(number, stacks=["e4s", "hep", "root"]) for number in (1, 2)]
    site = write_site(tmp_path / "site", {place_of("v1", "tool"): page("v1", "tool", items)})
    specs = tuple(
        Spec(it["hash"], "tool", "1.0", "gcc@11.4.0", "ubuntu22.04", "linux", "x86_64_v3",
             tuple(it["variants"]))
        for it in items
    )  # fmt: skip

    def bucket(*stacks: str) -> Reading:
        mirrors: list[Record] = [
            Mirror("index.json", "v1", stack, f"{BUCKET}/v1/{stack}", there, (True,) * len(there))
            for stack in stacks
            for there in [
                tuple(it for it, item in zip(specs, items, strict=True) if stack in item["stacks"])
            ]
        ]
        listing = Listing(BUCKET, frozenset(("v1", stack) for stack in stacks))
        return Reading("bucket", [Source("build cache", BUCKET), listing, *mirrors])

    first, second = tmp_path / "1.db", tmp_path / "2.db"
    build_catalog(
        [Reading("site", read_pages(site)), bucket("e4s", "hep", "root")], first, at=MONDAY
    )
    earlier = Reading(str(first), read_catalog(first), is_catalog=True)
    build_catalog([earlier, bucket("e4s", "root")], second, at=FRIDAY)
    assert rows(second, "SELECT hash, stacks FROM binary_list ORDER BY hash") == [
        (hash_of(1), "e4s root"),
        (hash_of(2), "e4s root"),
    ]
    with open_catalog(first) as before, open_catalog(second) as now:
        assert list(PageWriter(now).pages()) == list(PageWriter(before).pages())


def test_a_tag_that_is_only_listed_belongs_to_its_cache(tmp_path: Path) -> None:
    records: list[Record] = [
        Source("pages", "site"),
        Cache("mine", "site", "folder"),
        Tag("mine:v1", ("e4s",), "mine"),
        Tag("v1", ("e4s",)),
        mirror("v2", "e4s", 1),
    ]
    first = tmp_path / "1.db"
    build_catalog([Reading("site", records)], first)
    again = merged(tmp_path / "2.db", first)
    tags = """
        SELECT tags.name, caches.name FROM tags LEFT JOIN caches ON caches.id = tags.cache_id
        ORDER BY tags.name
    """
    assert (
        rows(first, tags) == rows(again, tags) == [("mine:v1", "mine"), ("v1", None), ("v2", None)]
    )
    assert digest(again) == digest(first)


def test_what_a_bucket_no_longer_has_is_kept_as_gone_and_may_return(tmp_path: Path) -> None:
    first = week(tmp_path / "1.db", MONDAY, mirror("develop", "e4s", 1, 2), mirror("v1", "e4s", 3))
    second = week(tmp_path / "2.db", FRIDAY, mirror("develop", "e4s", 2, 4), old=first)
    assert rows(second, BINARIES) == [
        ("develop", "tool-1", "e4s", MONDAY, MONDAY, FRIDAY),
        ("develop", "tool-2", "e4s", MONDAY, None, None),
        ("develop", "tool-4", "e4s", FRIDAY, None, None),
        ("v1", "tool-3", "e4s", MONDAY, MONDAY, FRIDAY),
    ]
    assert rows(second, MIRRORS) == [
        ("develop", "e4s", MONDAY, FRIDAY, None),
        ("v1", "e4s", MONDAY, MONDAY, FRIDAY),
    ]
    third = week(tmp_path / "3.db", SUNDAY, mirror("develop", "e4s", 1, 2, 4), old=second)
    assert rows(third, BINARIES)[0] == ("develop", "tool-1", "e4s", MONDAY, None, None)
    assert rows(third, EVENTS) == [
        (FRIDAY, "removed", "develop", hash_of(1)),
        (FRIDAY, "removed", "v1", hash_of(3)),
        (SUNDAY, "returned", "develop", hash_of(1)),
    ]
    assert rows(third, "SELECT location, read_at FROM sources ORDER BY id") == [
        (BUCKET, MONDAY),
        (BUCKET, FRIDAY),
        (BUCKET, SUNDAY),
    ]


def test_what_is_gone_is_counted_apart_everywhere(tmp_path: Path) -> None:
    both = mirror("develop", "e4s", 1, 2), mirror("v1", "e4s", 1, 3)
    first = week(tmp_path / "1.db", MONDAY, *both)
    second = week(tmp_path / "2.db", FRIDAY, mirror("develop", "e4s", 2, 4), old=first)
    counted = "SELECT name, binaries, gone FROM"
    assert rows(second, f"{counted} packages ORDER BY name") == [
        ("tool-1", 0, 2),
        ("tool-2", 1, 0),
        ("tool-3", 0, 1),
        ("tool-4", 1, 0),
    ]
    assert rows(second, "SELECT name, packages, binaries, gone, gone_since FROM tags") == [
        ("v1", 0, 0, 2, FRIDAY),
        ("develop", 2, 2, 1, None),
    ]
    assert rows(second, "SELECT binaries, gone FROM mirrors ORDER BY id") == [(0, 2), (2, 1)]
    for counts in (
        "SELECT sum(binaries) FROM package_tags",
        "SELECT sum(binaries) FROM tag_machines",
        "SELECT sum(count) FROM facet_counts WHERE table_name = 'binaries' AND facet = 'os_id'",
        "SELECT sum(count) FROM facet_counts WHERE table_name = 'binaries' AND facet = 'stack_id'",
        "SELECT sum(tags) FROM specs",
        "SELECT count(*) FROM binary_list",
        "SELECT count(*) FROM spec_list",
        "SELECT count(*) FROM package_list",
        "SELECT count(*) FROM binary_stacks",
    ):
        assert rows(second, counts) == [(2,)], counts
    listed = "SELECT tag, package, first_seen, last_seen, gone_since, still_in FROM gone_list"
    assert rows(second, f"{listed} ORDER BY 1, 2") == [
        ("develop", "tool-1", MONDAY, MONDAY, FRIDAY, None),
        ("v1", "tool-1", MONDAY, MONDAY, FRIDAY, None),
        ("v1", "tool-3", MONDAY, MONDAY, FRIDAY, None),
    ]
    seen = "SELECT package, first_seen, last_seen FROM spec_list ORDER BY 1"
    assert rows(second, seen) == [("tool-2", MONDAY, FRIDAY), ("tool-4", FRIDAY, FRIDAY)]


def test_where_no_time_is_given_that_of_the_sources_is_taken(tmp_path: Path) -> None:
    first = week(
        tmp_path / "1.db",
        None,
        mirror("develop", "e4s", 1, 2, published=MONDAY),
        mirror("develop", "hep", 2, 3, published=FRIDAY),
        mirror("mine", "e4s", 5),
    )
    second = week(
        tmp_path / "2.db",
        None,
        mirror("develop", "e4s", 2, published=SUNDAY),
        mirror("mine", "e4s"),
        old=first,
    )
    assert rows(second, BINARIES) == [
        ("develop", "tool-1", "e4s", MONDAY, MONDAY, SUNDAY),
        ("develop", "tool-2", "e4s", MONDAY, None, None),
        ("develop", "tool-3", "hep", FRIDAY, FRIDAY, SUNDAY),
        ("mine", "tool-5", "e4s", None, None, SUNDAY),
    ]
    assert rows(second, MIRRORS) == [
        ("develop", "e4s", MONDAY, SUNDAY, None),
        ("develop", "hep", FRIDAY, FRIDAY, SUNDAY),
        ("mine", "e4s", None, None, None),
    ]
    assert rows(second, "SELECT read_at FROM sources ORDER BY id") == [(FRIDAY,), (SUNDAY,)]


def test_what_is_missing_at_a_time_that_nobody_tells_is_gone_all_the_same(tmp_path: Path) -> None:
    first = week(tmp_path / "1.db", None, mirror("mine", "e4s", 1, 2))
    second = week(tmp_path / "2.db", None, mirror("mine", "e4s", 2), old=first)
    assert rows(second, "SELECT package, gone_since FROM gone_list") == [("tool-1", "unknown")]


def test_of_two_catalogs_the_later_tells_when_something_was_missing(tmp_path: Path) -> None:
    monday = week(tmp_path / "1.db", MONDAY, mirror("develop", "e4s", 1, 2))
    friday = week(tmp_path / "2.db", FRIDAY, mirror("develop", "e4s", 2))
    sunday = week(tmp_path / "3.db", SUNDAY, mirror("develop", "e4s", 2))
    both = merged(tmp_path / "both.db", sunday, monday, friday)
    assert rows(both, EVENTS) == [(FRIDAY, "removed", "develop", hash_of(1))]
    assert rows(both, "SELECT last_seen, gone_since FROM gone_list") == [(MONDAY, FRIDAY)]


def test_a_binary_that_one_of_its_stacks_lost_stays_in_the_others(tmp_path: Path) -> None:
    first = week(
        tmp_path / "1.db", MONDAY, mirror("develop", "e4s", 1), mirror("develop", "hep", 1)
    )
    second = week(tmp_path / "2.db", FRIDAY, mirror("develop", "e4s", 2), old=first, whole=False)
    assert rows(second, BINARIES) == [
        ("develop", "tool-1", "hep", MONDAY, None, None),
        ("develop", "tool-2", "e4s", FRIDAY, None, None),
    ]


def test_only_the_packages_that_were_asked_for_are_replaced(tmp_path: Path) -> None:
    first = week(tmp_path / "1.db", MONDAY, mirror("develop", "e4s", 1, 2))
    records: list[Record] = [Source("build cache", BUCKET), mirror("develop", "e4s")]
    readings = [
        Reading(str(first), read_catalog(first), is_catalog=True),
        Reading("bucket", records, packages=frozenset({"tool-1"})),
    ]
    build_catalog(readings, tmp_path / "2.db", at=FRIDAY)
    assert [(it[1], it[5]) for it in rows(tmp_path / "2.db", BINARIES)] == [
        ("tool-1", FRIDAY),
        ("tool-2", None),
    ]


def test_catalogs_merge_to_the_same_file_in_any_order(tmp_path: Path) -> None:
    monday = week(tmp_path / "1.db", MONDAY, mirror("develop", "e4s", 1, 2), mirror("v1", "e4s", 3))
    friday = week(tmp_path / "2.db", FRIDAY, mirror("develop", "e4s", 2, 4))
    site = tmp_path / "3.db"
    build_catalog([Reading("site", read_pages(SEED))], site)
    digests = {
        digest(merged(tmp_path / "all.db", *order))
        for order in permutations((monday, friday, site))
    }
    assert len(digests) == 1
    with open_catalog(tmp_path / "all.db") as db:
        assert list(check_catalog(db)) == []
    mine = [it for it in rows(tmp_path / "all.db", BINARIES) if str(it[1]).startswith("tool-")]
    assert [(it[0], it[1], it[4]) for it in mine] == [
        ("develop", "tool-1", MONDAY),
        ("develop", "tool-2", None),
        ("develop", "tool-4", None),
        ("v1", "tool-3", None),
    ]


@pytest.mark.parametrize(
    ("version", "message"), [("3", "newer version"), ("0", "another version"), ("", "another")]
)
def test_other_schemas_are_refused(version: str, message: str, tmp_path: Path) -> None:
    catalog = history_catalog(tmp_path)
    with closing(sqlite3.connect(catalog)) as db, db:
        db.execute("UPDATE catalog_info SET value = ? WHERE key = 'schema_version'", (version,))
    with pytest.raises(ReadError, match=message):
        list(read_catalog(catalog))


def test_a_catalog_of_the_previous_schema_is_read(tmp_path: Path) -> None:
    """Schema 1 lacked these columns and tables; the first build from it has them."""
    catalog = history_catalog(tmp_path)
    expected = digest(merged(tmp_path / "expected.db", catalog))
    with closing(sqlite3.connect(catalog)) as db, db:
        db.execute("UPDATE catalog_info SET value = '1' WHERE key = 'schema_version'")
        for view in [
            row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'view'")
        ]:
            db.execute(f"DROP VIEW {view}")
        for table, column in (
            ("tags", "cache_id"), ("mirrors", "cache_id"), ("mirrors", "last_seen"),
        ):  # fmt: skip
            indexes = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE ?"
            for (index,) in db.execute(indexes, (f"%{table}%({column}%",)).fetchall():
                db.execute(f"DROP INDEX {index}")
            db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        for table, column in (
            ("mirrors", "view"), ("mirrors", "first_seen"),
            ("mirrors", "gone_since"), ("binaries", "first_seen"), ("tags", "gone"),
            ("tags", "gone_since"), ("packages", "gone"), ("mirrors", "gone"),
            ("variant_sets", "parts"), ("sources", "read_at"),
        ):  # fmt: skip
            db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        db.execute("DROP TABLE caches")
        db.execute("DROP TABLE gone_binaries")
        db.execute("DROP TABLE events")
        db.execute("DROP TABLE provides")
    assert digest(merged(tmp_path / "new.db", catalog)) == expected


def test_a_catalog_that_is_cut_off_anywhere_writes_nothing(tmp_path: Path) -> None:
    catalog = history_catalog(tmp_path)
    whole = catalog.read_bytes()
    target = tmp_path / "target.db"
    target.write_bytes(whole)
    for place in range(1, 20):
        catalog.write_bytes(whole[: len(whole) * place // 20])
        with pytest.raises(ReadError):
            build_catalog([Reading("old", read_catalog(catalog), is_catalog=True)], target)
        assert target.read_bytes() == whole


@pytest.mark.parametrize("beside", [True, False], ids=["with another", "alone"])
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE binaries SET stack_set_id = 999 WHERE id = 2",
        "UPDATE binaries SET tag_id = 999 WHERE id = 2",
        "UPDATE binaries SET spec_id = 1 WHERE id = (SELECT max(id) FROM binaries)",
        "UPDATE specs SET version_id = 999 WHERE id = 2",
        "UPDATE specs SET target_id = NULL WHERE id = 2",
        "UPDATE specs SET package_id = 2 WHERE id = 1",
        "UPDATE pages SET tag_id = 999 WHERE id = 2",
        "UPDATE pages SET style_id = 999 WHERE id = 2",
        "DELETE FROM variant_sets WHERE id = 1",
    ],
)
def test_a_catalog_with_rows_that_lead_nowhere_writes_nothing(
    change: str, beside: bool, tmp_path: Path
) -> None:
    catalog = history_catalog(tmp_path)
    readings = []
    if beside:
        (tmp_path / "beside").mkdir()
        other = history_catalog(tmp_path / "beside")
        readings = [Reading("other", read_catalog(other), is_catalog=True)]
    with closing(sqlite3.connect(catalog)) as db, db:
        db.execute(change)
    readings.append(Reading("old", read_catalog(catalog), is_catalog=True))
    with pytest.raises(ReadError, match=r"(old|catalog\.db): is damaged"):
        build_catalog(readings, tmp_path / "n.db")
    assert not (tmp_path / "n.db").exists()


def test_the_page_of_a_spec_that_is_gone_offers_no_commands(tmp_path: Path) -> None:
    first = week(tmp_path / "1.db", MONDAY, mirror("develop", "e4s", 1, 2))
    second = week(tmp_path / "2.db", FRIDAY, mirror("develop", "e4s", 2), old=first)
    with open_catalog(second) as db:
        gone, there = spec_facts(db, hash_of(1)), spec_facts(db, hash_of(2))
    assert gone.install == ()
    assert [(it["tag"], it["gone_since"]) for it in gone.places.rows] == [("develop", FRIDAY)]
    assert there.install[-1] == f"spack install --cache-only tool-2/{hash_of(2)}"


def test_when_binaries_were_put_there_is_kept(tmp_path: Path) -> None:
    """The date stays when a later reading tells none, and when the binary goes."""
    dates = {hash_of(1): "2025-01-03T10:00:00Z", hash_of(2): "2025-01-04T10:00:00Z"}
    first = mirror("v1", "root", 1, 2, 3)
    dated = dataclasses.replace(first, put=tuple(dates.items()))
    monday = week(tmp_path / "monday.db", MONDAY, dated)
    published = "SELECT package, published FROM binary_list ORDER BY package"
    told = [("tool-1", dates[hash_of(1)]), ("tool-2", dates[hash_of(2)]), ("tool-3", None)]
    assert rows(monday, published) == told
    friday = week(tmp_path / "friday.db", FRIDAY, mirror("v1", "root", 1, 3), old=monday)
    assert rows(friday, published) == [told[0], told[2]]
    gone = "SELECT hash, published FROM gone_binaries JOIN specs ON specs.id = spec_id"
    assert rows(friday, gone) == [(hash_of(2), dates[hash_of(2)])]


def test_a_binary_that_was_put_there_again_has_the_later_date(tmp_path: Path) -> None:
    early, late = "2025-01-03T10:00:00Z", "2025-01-09T10:00:00Z"
    record = mirror("v1", "root", 1)
    monday = week(
        tmp_path / "monday.db", MONDAY, dataclasses.replace(record, put=((hash_of(1), early),))
    )
    friday = week(
        tmp_path / "friday.db",
        FRIDAY,
        dataclasses.replace(record, put=((hash_of(1), late),)),
        old=monday,
    )
    assert rows(friday, "SELECT published FROM binary_list") == [(late,)]
    assert rows(merged(tmp_path / "both.db", friday, monday), "SELECT published FROM binaries") == [
        (late,)
    ]


def test_what_neither_catalog_dates_is_there_where_one_has_it(tmp_path: Path) -> None:
    there = week(tmp_path / "there.db", None, mirror("mine", "e4s", 1, 2))
    gone = week(tmp_path / "gone.db", None, mirror("mine", "e4s", 2), old=there)
    for number, order in enumerate(permutations((there, gone))):
        target = tmp_path / f"{number}.db"
        readings = [Reading(str(it), read_catalog(it), is_catalog=True) for it in order]
        build_catalog(readings, target)
        assert [it[1::4] for it in rows(target, BINARIES)] == [("tool-1", None), ("tool-2", None)]


def test_an_address_is_remembered_when_only_the_page_is_read_again(tmp_path: Path) -> None:
    first = week(tmp_path / "1.db", MONDAY, mirror("v1", "e4s", 1))
    files = {place_of("v1", "tool-1"): page("v1", "tool-1", [item(1, stacks=["e4s", "root"])])}
    readings = [
        Reading(str(first), read_catalog(first), is_catalog=True),
        Reading("site", read_pages(write_site(tmp_path / "site", files))),
    ]
    build_catalog(readings, tmp_path / "2.db", at=FRIDAY)
    urls = "SELECT stacks.name, url FROM mirrors JOIN stacks ON stacks.id = stack_id ORDER BY 1"
    assert rows(tmp_path / "2.db", urls) == [
        ("e4s", f"{BUCKET}/v1/e4s"),
        ("root", "https://binaries.spack.io/v1"),
    ]


def test_two_places_that_are_called_alike_are_told(tmp_path: Path) -> None:
    """Without names they are one build cache, whose commands can only name one of them."""
    here, there = (
        mirror("v1", "e4s", 1),
        dataclasses.replace(mirror("v1", "e4s", 2), url="https://there/v1/e4s"),
    )
    readings = [
        Reading("here", [Source("build cache", BUCKET), here]),
        Reading("there", [Source("build cache", "https://there"), there]),
    ]
    build_catalog(readings, tmp_path / "1.db")
    message = (
        f"v1/e4s is at {BUCKET}/v1/e4s too, and only the address read last is kept; give each"
        " cache a name, as in a=SOURCE b=SOURCE, to keep them apart"
    )
    assert rows(tmp_path / "1.db", "SELECT source_id, kind, message FROM problems") == [
        (2, "contradiction", message)
    ]
    assert rows(tmp_path / "1.db", "SELECT url, binaries FROM mirrors") == [
        ("https://there/v1/e4s", 2)
    ]


def test_a_build_cache_that_is_as_it_was_has_been_seen_again(tmp_path: Path) -> None:
    both = mirror("develop", "e4s", 1), mirror("develop", "hep", 2)
    first = week(tmp_path / "1.db", MONDAY, *both)
    listing = Listing(BUCKET, frozenset((it.tag, it.stack) for it in both))
    records: list[Record] = [Source("build cache", BUCKET), listing, Unchanged("develop", "e4s")]
    readings = [
        Reading(str(first), read_catalog(first), is_catalog=True),
        Reading("bucket", records),
    ]
    build_catalog(readings, tmp_path / "2.db", at=FRIDAY)
    assert rows(tmp_path / "2.db", MIRRORS) == [
        ("develop", "e4s", MONDAY, FRIDAY, None),
        ("develop", "hep", MONDAY, MONDAY, None),
    ]
    assert [it[1::4] for it in rows(tmp_path / "2.db", BINARIES)] == [
        ("tool-1", None),
        ("tool-2", None),
    ]
