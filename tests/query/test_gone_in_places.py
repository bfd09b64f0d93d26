"""What is gone from one cache or stack: a search tells that of where it looked."""

from __future__ import annotations

from pathlib import Path

from etl.catalog.kept import read_catalog
from etl.catalog.reader import open_catalog
from etl.query.gone import gone_matches
from etl.query.scope import Scope
from etl.records import Source
from etl.sources.named import Asked, with_name
from etl.spack.syntax import parse_spec
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.weekly import BUCKET, FRIDAY, MONDAY, mirror


def two_caches_that_lost_a_spec(folder: Path) -> Path:
    """``one`` and ``other`` had the spec 1 in e4s; ``one`` in hep as well, and in the tag v1."""
    target = folder / "catalog.db"
    for at, numbers in ((MONDAY, (1, 2)), (FRIDAY, (2,))):
        readings = [
            Reading(
                name,
                with_name(
                    Asked(f"{BUCKET}/{name}", name),
                    [
                        Source("build cache", f"{BUCKET}/{name}"),
                        *(mirror("develop", stack, *numbers) for stack in stacks),
                        mirror("v1", "root", *(numbers[:-1] if name == "one" else ())),
                    ],
                ),
            )
            for name, stacks in (("one", ("e4s", "hep")), ("other", ("e4s",)))
        ]
        if at != MONDAY:
            readings.insert(0, Reading(str(target), read_catalog(target), is_catalog=True))
        build_catalog(readings, target, at=at)
    return target


def test_gone_from_a_cache_or_a_stack(tmp_path: Path) -> None:
    with open_catalog(two_caches_that_lost_a_spec(tmp_path)) as db:
        for scope, tags in (
            (Scope(), {"one:develop", "other:develop", "one:v1"}),
            (Scope(cache="other"), {"other:develop"}),
            (Scope(cache="one", stack="e4s"), {"one:develop"}),
            (Scope(stack="e4s", also_in="hep"), {"one:develop"}),
            (Scope(cache="other", stack="hep"), set()),
        ):
            gone = gone_matches(db, [parse_spec("tool-1")], scope)
            assert {row["tag"] for row in gone.rows} == tags
            assert gone.total == len(tags)


def test_a_cache_has_the_tags_that_have_something(tmp_path: Path) -> None:
    with open_catalog(two_caches_that_lost_a_spec(tmp_path)) as db:
        counted = db.execute("SELECT name, tags, binaries FROM caches ORDER BY name").fetchall()
        gone = db.execute("SELECT name FROM tags WHERE gone_since IS NOT NULL").fetchall()
    assert gone == [("one:v1",)]
    assert counted == [("one", 1, 1), ("other", 1, 1)]
