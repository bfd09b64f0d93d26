from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.compare.diff import (
    Comparison,
    PackageChanges,
    compare,
    package_changes,
    previous_tag,
)
from etl.compare.diff_sql import SECTIONS
from etl.errors import UsageError
from etl.query.found import Row
from tests.sites import build, item, page, place_of, write_site

TAGS = ("develop-2025-01-05", "develop-2025-01-12", "develop-2025-01-19")
OLD, NEW, _ = TAGS
STACKS = ("e4s", "hep", "root")
IN_ORDER = ("1.9", "1.10", "2.0", "develop")
"""Versions in Spack's order, which is not that of the letters."""


@dataclass(frozen=True)
class Spec:
    number: int
    package: str = "hdf5"
    version: str = "1.10"
    compiler: str = "gcc@11.4.0"
    os: str = "ubuntu22.04"
    target: str = "zen3"
    variants: tuple[str, ...] = ("+mpi",)

    @property
    def all_but_its_hash(self) -> Spec:
        return replace(self, number=0)


Site = dict[str, dict[Spec, tuple[str, ...]]]
"""The specs of each tag, with their stacks."""


def open_site(site: Site, folder: Path) -> sqlite3.Connection:
    files = {}
    for tag, specs in site.items():
        for package in {spec.package for spec in specs}:
            items = [
                item(
                    spec.number,
                    versions=[spec.version],
                    compiler=spec.compiler,
                    os=spec.os,
                    target=spec.target,
                    variants=list(spec.variants),
                    stacks=list(stacks),
                )
                for spec, stacks in sorted(specs.items(), key=lambda it: it[0].number)
                if spec.package == package
            ]
            files[place_of(tag, package)] = page(tag, package, items)
    build(folder / "catalog.db", write_site(folder / "site", files))
    return sqlite3.connect(folder / "catalog.db")


def rows_of(found: Comparison) -> dict[str, list[Row]]:
    return {name: list(getattr(found, name).rows) for name in SECTIONS}


def rows_by_sql(db: sqlite3.Connection, found: Comparison) -> dict[str, list[Row]]:
    """What the statements of a comparison give, each run as it is."""
    rows = {}
    for name in SECTIONS:
        cursor = db.execute(getattr(found, name).sql)
        columns = [column[0] for column in cursor.description]
        rows[name] = [dict(zip(columns, row, strict=True)) for row in cursor]
    return rows


# The whole of it, against sets.


def expected(
    site: Site, old: str, new: str, stack: str | None, package: str | None
) -> tuple[dict[str, list[Row]], dict[str, int]]:
    """Rows and numbers, worked out from sets."""
    before, after = (
        {
            spec: stacks
            for spec, stacks in site[tag].items()
            if (stack is None or stack in stacks) and (package is None or package == spec.package)
        }
        for tag in (old, new)
    )
    rows: dict[str, list[Row]] = {name: [] for name in SECTIONS}
    came, went = after.keys() - before.keys(), before.keys() - after.keys()
    rebuilt = [
        spec for spec in came if spec.all_but_its_hash in {it.all_but_its_hash for it in went}
    ]
    for name in sorted({spec.package for spec in (*before, *after)}):
        was, now = (
            Counter(it.version for it in side if it.package == name) for side in (before, after)
        )
        was_by_age, now_by_age = (
            sorted(versions, key=IN_ORDER.index, reverse=True) for versions in (was, now)
        )
        for change, side, versions in (
            ("added", now, now_by_age if not was else []),
            ("removed", was, was_by_age if not now else []),
        ):
            if versions:
                rows[f"{change}_packages"].append(
                    {
                        "package": name,
                        "newest_version": versions[0],
                        "binaries": sum(side.values()),
                    }
                )
        if not was or not now:
            continue
        if was_by_age[0] != now_by_age[0]:
            up = IN_ORDER.index(now_by_age[0]) > IN_ORDER.index(was_by_age[0])
            rows["upgraded" if up else "downgraded"].append(
                {
                    "package": name,
                    "old_version": was_by_age[0],
                    "new_version": now_by_age[0],
                    "old_versions": " ".join(was_by_age),
                    "new_versions": " ".join(now_by_age),
                }
            )
        again = Counter(spec.version for spec in rebuilt if spec.package == name)
        for section, numbers in (
            ("new_versions", {it: now[it] for it in now if it not in was}),
            ("dropped_versions", {it: was[it] for it in was if it not in now}),
            ("rebuilt", again),
        ):
            rows[section] += [
                {"package": name, "version": version, "binaries": numbers[version]}
                for version in sorted(numbers, key=IN_ORDER.index, reverse=True)
            ]
    for name in STACKS if stack is None else (stack,):
        was_in, now_in = (
            {spec for spec, stacks in side.items() if name in stacks} for side in (before, after)
        )
        if was_in != now_in:
            rows["stacks"].append(
                {
                    "stack": name,
                    "old_binaries": len(was_in),
                    "new_binaries": len(now_in),
                    "difference": len(now_in) - len(was_in),
                    "added": len(now_in - was_in),
                    "removed": len(was_in - now_in),
                }
            )
    numbers = {
        "binaries_added": len(came),
        "binaries_removed": len(went),
        "binaries_kept": len(before.keys() & after.keys()),
        "binaries_rebuilt": len(rebuilt),
    }
    return rows, numbers


some_stacks = st.lists(st.sampled_from(STACKS), min_size=1, unique=True).map(
    lambda names: tuple(sorted(names))
)


@st.composite
def sites(draw: st.DrawFn) -> Site:
    """Few values, so that many specs differ in their hashes alone."""
    site: Site = {tag: {Spec(0, "zlib"): ("e4s", "hep")} for tag in TAGS}
    for number in range(1, draw(st.integers(1, 12))):
        spec = Spec(
            number,
            package=draw(st.sampled_from(("hdf5", "mpich"))),
            version=draw(st.sampled_from(IN_ORDER)),
            compiler=draw(st.sampled_from(("gcc@11.4.0", "gcc@11.4.0", "gcc@12.1.0"))),
            os=draw(st.sampled_from(("ubuntu22.04", "ubuntu22.04", "rhel8"))),
            target=draw(st.sampled_from(("zen3", "zen3", "zen4"))),
            variants=draw(st.sampled_from((("+mpi",), ("+mpi",), ("~mpi",)))),
        )
        for tag in draw(st.sets(st.sampled_from(TAGS), min_size=1)):
            site[tag][spec] = draw(some_stacks)
    site[OLD][Spec(99, "zlib")] = ("root",)  # so that there are all stacks
    return site


@settings(max_examples=25, deadline=None)
@given(sites())
def test_a_comparison_is_what_sets_say(site: Site) -> None:
    scopes = list(product((None, *STACKS), (None, *{it.package for it in site[OLD]})))
    with tempfile.TemporaryDirectory() as folder, closing(open_site(site, Path(folder))) as db:
        for old, new, (stack, package) in product(TAGS, TAGS, scopes):
            found = compare(db, old, new, stack=stack, package=package)
            rows, numbers = expected(site, old, new, stack, package)
            assert rows_of(found) == rows
            assert {name: getattr(found, name) for name in numbers} == numbers
            assert rows_by_sql(db, found) == rows
        for old, new in product(TAGS, TAGS):
            rows, _ = expected(site, old, new, None, None)
            changes = package_changes(db, old, new)
            assert (changes.added, changes.removed, changes.upgraded, changes.downgraded) == tuple(
                len(rows[name])
                for name in ("added_packages", "removed_packages", "upgraded", "downgraded")
            )


# What each word means.


def two(
    folder: Path, old: list[Spec], new: list[Spec], stacks: tuple[str, ...] = ("e4s",)
) -> sqlite3.Connection:
    return open_site({OLD: dict.fromkeys(old, stacks), NEW: dict.fromkeys(new, stacks)}, folder)


def test_a_new_hash_in_place_of_an_old_one_is_a_rebuilt_binary(tmp_path: Path) -> None:
    with closing(two(tmp_path, [Spec(1)], [Spec(2)])) as db:
        found = compare(db, OLD, NEW)
    assert found.rebuilt.rows == ({"package": "hdf5", "version": "1.10", "binaries": 1},)
    assert (found.binaries_added, found.binaries_removed, found.binaries_rebuilt) == (1, 1, 1)


def test_a_new_hash_beside_one_that_stays_is_not(tmp_path: Path) -> None:
    with closing(two(tmp_path, [Spec(1)], [Spec(1), Spec(2)])) as db:
        found = compare(db, OLD, NEW)
    assert found.rebuilt.rows == ()
    assert (found.binaries_added, found.binaries_kept, found.binaries_rebuilt) == (1, 1, 0)


@pytest.mark.parametrize(
    "other",
    [
        {"package": "mpich"},
        {"version": "1.9"},
        {"compiler": "gcc@12.1.0"},
        {"os": "rhel8"},
        {"target": "zen4"},
        {"variants": ("~mpi",)},
    ],
    ids=lambda other: str(*other),
)
def test_nor_is_one_that_differs_otherwise(tmp_path: Path, other: dict[str, Any]) -> None:
    with closing(two(tmp_path, [Spec(1)], [replace(Spec(2), **other)])) as db:
        assert compare(db, OLD, NEW).rebuilt.rows == ()


def test_versions_go_up_and_down_in_the_order_of_spack(tmp_path: Path) -> None:
    old = [Spec(1, "a", "1.9"), Spec(2, "b", "1.10"), Spec(3, "b", "1.9"), Spec(4, "c", "2.0")]
    new = [Spec(5, "a", "1.10"), Spec(6, "a", "1.9"), Spec(7, "b", "1.9"), Spec(8, "c", "2.0")]
    with closing(two(tmp_path, old, new)) as db:
        found = compare(db, OLD, NEW)
    assert found.upgraded.rows == (
        {
            "package": "a",
            "old_version": "1.9",
            "new_version": "1.10",
            "old_versions": "1.9",
            "new_versions": "1.10 1.9",
        },
    )
    assert found.downgraded.rows == (
        {
            "package": "b",
            "old_version": "1.10",
            "new_version": "1.9",
            "old_versions": "1.10 1.9",
            "new_versions": "1.9",
        },
    )


def test_a_binary_that_changes_its_stack_stays(tmp_path: Path) -> None:
    site: Site = {OLD: {Spec(1): ("e4s", "root")}, NEW: {Spec(1): ("hep", "root")}}
    with closing(open_site(site, tmp_path)) as db:
        found = compare(db, OLD, NEW)
        of_one = compare(db, OLD, NEW, stack="e4s")
    assert (found.binaries_added, found.binaries_removed, found.binaries_kept) == (0, 0, 1)
    numbers = ("stack", "old_binaries", "new_binaries", "difference", "added", "removed")
    e4s = dict(zip(numbers, ("e4s", 1, 0, -1, 0, 1), strict=True))
    hep = dict(zip(numbers, ("hep", 0, 1, 1, 1, 0), strict=True))
    assert found.stacks.rows == (e4s, hep)
    assert of_one.stacks.rows == (e4s,)
    assert of_one.removed_packages.rows == (
        {"package": "hdf5", "newest_version": "1.10", "binaries": 1},
    )


def test_a_long_list_is_cut_but_counted_and_its_statement_has_it_all(tmp_path: Path) -> None:
    new = [Spec(number, f"p{number}") for number in range(1, 6)]
    with closing(two(tmp_path, [Spec(9)], [Spec(9), *new])) as db:
        found = compare(db, OLD, NEW, limit=2)
        rows = rows_by_sql(db, found)["added_packages"]
    assert [row["package"] for row in found.added_packages.rows] == ["p1", "p2"]
    assert found.added_packages.total == 5
    assert [row["package"] for row in rows] == ["p1", "p2", "p3", "p4", "p5"]


# On the sample.


@pytest.fixture(scope="module")
def sample(sample_catalog: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{sample_catalog.as_uri()}?immutable=1", uri=True)) as db:
        yield db


def sample_tags(db: sqlite3.Connection) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM tags ORDER BY position")]


def test_every_statement_of_the_sample_gives_its_rows(sample: sqlite3.Connection) -> None:
    for old, new in product(sample_tags(sample), repeat=2):
        for stack, package in product((None, "root", "e4s"), (None, "hdf5")):
            found = compare(sample, old, new, stack=stack, package=package)
            assert rows_by_sql(sample, found) == rows_of(found)


def test_a_tag_and_itself_have_no_difference(sample: sqlite3.Connection) -> None:
    for tag in sample_tags(sample):
        found = compare(sample, tag, tag)
        assert rows_of(found) == {name: [] for name in SECTIONS}
        (binaries,) = sample.execute("SELECT binaries FROM tags WHERE name = ?", (tag,)).fetchone()
        assert (found.binaries_added, found.binaries_removed) == (0, 0)
        assert (found.binaries_kept, found.binaries_rebuilt) == (binaries, 0)


def test_one_package_of_the_sample(sample: sqlite3.Connection) -> None:
    found = compare(sample, "v2025.07.0", "develop-2025-07-20", package="hdf5", stack="tutorial")
    assert rows_of(found) == {
        "added_packages": [],
        "removed_packages": [],
        "upgraded": [],
        "downgraded": [],
        "new_versions": [],
        "dropped_versions": [],
        "rebuilt": [{"package": "hdf5", "version": "1.14.6", "binaries": 1}],
        "stacks": [
            {
                "stack": "tutorial",
                "old_binaries": 2,
                "new_binaries": 2,
                "difference": 0,
                "added": 2,
                "removed": 2,
            }
        ],
    }


def test_rows_of_another_kind_of_connection(sample_catalog: Path) -> None:
    with closing(sqlite3.connect(sample_catalog)) as db:
        plain = compare(db, "develop-2024-11-17", "develop-2025-07-20")
        db.row_factory = sqlite3.Row
        assert compare(db, "develop-2024-11-17", "develop-2025-07-20") == plain
        assert previous_tag(db, "develop") == "develop-2025-07-20"
        assert package_changes(db, "develop-2024-11-17", "develop-2025-07-20").added == 1


def test_what_changed_in_a_few_words(sample: sqlite3.Connection) -> None:
    assert package_changes(sample, "develop-2024-11-17", "develop-2025-07-20") == PackageChanges(
        added=1,
        removed=0,
        upgraded=24,
        downgraded=0,
        examples=("py-setuptools", "cmake", "hdf5", "py-pip", "python"),
    )


@pytest.mark.parametrize(
    ("tag", "previous"),
    [
        ("develop", "develop-2025-07-20"),
        ("develop-2025-07-20", "develop-2025-03-30"),
        ("develop-2024-11-17", None),
        ("v2025.07.0", "v0.20.1"),
        ("v0.20.1", None),
    ],
)
def test_the_tag_before(sample: sqlite3.Connection, tag: str, previous: str | None) -> None:
    assert previous_tag(sample, tag) == previous


def test_a_tag_without_binaries_is_passed_over(tmp_path: Path) -> None:
    with closing(two(tmp_path, [Spec(1)], [Spec(1)])) as db:
        assert previous_tag(db, NEW) == OLD
        db.execute("UPDATE tags SET binaries = 0 WHERE name = ?", (OLD,))
        assert previous_tag(db, NEW) is None


# What is not there.


@pytest.mark.parametrize(
    ("old", "new", "options", "message"),
    [
        (
            "develop-2025-07-21",
            "develop",
            {},
            "no tag develop-2025-07-21 in this catalog;"
            " did you mean develop-2025-07-20 or develop-2025-03-23 or develop-2025-03-30?",
        ),
        ("develop", "2", {}, "no tag 2 in this catalog"),
        (
            "develop",
            "develop",
            {"stack": "radius"},
            "no stack radius in this catalog; did you mean radiuss or radiuss-aws?",
        ),
        (
            "develop",
            "develop",
            {"package": "hdf"},
            "no package hdf in this catalog; did you mean hdf5?",
        ),
        ("develop", "\x1b[2J", {}, "no tag \\x1b[2J in this catalog"),
        ("develop", "", {}, "no tag  in this catalog"),
        ("develop", "x' OR 1 --", {}, "no tag x' OR 1 -- in this catalog"),
    ],
)
def test_an_unknown_name_is_told_with_names_like_it(
    sample: sqlite3.Connection, old: str, new: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError) as error:
        compare(sample, old, new, **options)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_so_it_is_for_the_shorter_questions(sample: sqlite3.Connection) -> None:
    with pytest.raises(UsageError, match="no tag develp in this catalog; did you mean develop"):
        previous_tag(sample, "develp")
    with pytest.raises(UsageError, match="no tag develp in this catalog; did you mean develop"):
        package_changes(sample, "develop", "develp")


def test_a_name_with_a_quote_is_a_name(tmp_path: Path) -> None:
    with closing(two(tmp_path, [Spec(1)], [Spec(2)])) as db:
        db.execute("UPDATE stacks SET name = 'e''4s; --'")
        found = compare(db, OLD, NEW, stack="e'4s; --")
        assert rows_by_sql(db, found) == rows_of(found)
    assert [row["stack"] for row in found.stacks.rows] == ["e'4s; --"]
