"""Catalogs of a bucket as it is read week by week, each built from the one before."""

from __future__ import annotations

import hashlib
from pathlib import Path

from etl.catalog.check import check_catalog
from etl.catalog.kept import read_catalog
from etl.catalog.reader import open_catalog
from etl.commands.build import sort_out_catalogs
from etl.records import Build, Dependency, Listing, Mirror, Record, Source, Spec
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.sites import hash_of

BUCKET = "https://cache.example.org"
MONDAY, FRIDAY, SUNDAY = "2025-01-06T00:00:00Z", "2025-01-10T00:00:00Z", "2025-01-12T00:00:00Z"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def merged(target: Path, *catalogs: Path) -> Path:
    names, _ = sort_out_catalogs(map(str, catalogs))
    build_catalog([Reading(str(it), read_catalog(it), is_catalog=True) for it in names], target)
    return target


def spec(number: int, *, dependencies: tuple[Dependency, ...] = ()) -> Spec:
    built = Build(4, "builtin", dependencies=dependencies)
    variants = ("build_system=cmake",)
    return Spec(
        hash_of(number), f"tool-{number}", "1.0", "gcc@12.2.0", "ubuntu22.04", "linux",
        "x86_64_v3", variants, 10, built,
    )  # fmt: skip


def mirror(tag: str, stack: str, *numbers: int, published: str | None = None) -> Mirror:
    url, specs = f"{BUCKET}/{tag}/{stack}", tuple(map(spec, numbers))
    there = (True,) * len(numbers)
    return Mirror("index.json", tag, stack, url, specs, there, published=published)


def week(
    target: Path, at: str | None, *mirrors: Mirror, old: Path | None = None, whole: bool = True
) -> Path:
    """The catalog after a reading of the bucket, from an older one if there is one."""
    records: list[Record] = [Source("build cache", BUCKET)]
    if whole:
        records.append(Listing(BUCKET, frozenset((it.tag, it.stack) for it in mirrors)))
    readings = [Reading("bucket", [*records, *mirrors])]
    if old is not None:
        readings.insert(0, Reading(str(old), read_catalog(old), is_catalog=True))
    build_catalog(readings, target, at=at)
    with open_catalog(target) as db:
        assert list(check_catalog(db)) == []
    assert digest(merged(target.with_suffix(".again"), target)) == digest(target)
    return target


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with open_catalog(path) as db:
        return db.execute(query).fetchall()


def three_weeks(folder: Path) -> Path:
    """On Friday 1 left develop and v1 left the bucket, on Sunday 3 returned to develop."""
    old, kept = "develop-2025-01-05", "develop-2025-01-12"
    first = week(
        folder / "1.db",
        MONDAY,
        mirror("develop", "e4s", 1, 2, 3),
        mirror(old, "e4s", 2, 3),
        mirror("v1", "hep", 5),
    )
    second = week(
        folder / "2.db", FRIDAY, mirror("develop", "e4s", 2, 4), mirror(kept, "e4s", 2), old=first
    )
    return week(
        folder / "catalog.db",
        SUNDAY,
        mirror("develop", "e4s", 2, 3, 4),
        mirror(kept, "e4s", 2),
        old=second,
    )
