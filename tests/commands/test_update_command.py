"""``spack-catalog update``: what a bucket has, week by week, over HTTP."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from etl.cli import main
from tests.buckets import Bucket
from tests.sites import SEED, hash_of
from tests.small_catalogs import node, record, write_indexes

MONDAY, FRIDAY, SUNDAY = "2025-01-06T00:00:00Z", "2025-01-10T00:00:00Z", "2025-01-12T00:00:00Z"


def update(catalog: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        main, ["update", "--no-progress", "--catalog", str(catalog), *arguments]
    )


def report(catalog: Path, *arguments: str) -> dict[str, Any]:
    result = update(catalog, "--format", "json", *arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_each_week_is_added_and_told(bucket: Bucket, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.db"
    bucket.become({"develop/e4s": [1, 2], "develop-2025-01-05/e4s": [3]})
    assert report(catalog, bucket.url, "--at", MONDAY) == {
        "changed": True,
        "at": MONDAY,
        "mirrors_added": ["develop-2025-01-05/e4s", "develop/e4s"],
        "mirrors_gone": [],
        "binaries_added": 3,
        "binaries_removed": 0,
        "binaries_returned": 0,
        "binaries": 3,
        "gone": 0,
        "refused": [],
    }
    bucket.become({"develop/e4s": [2, 4], "develop-2025-01-12/e4s": [5]})
    result = update(catalog, "--at", FRIDAY)  # from where it came
    assert result.exit_code == 0, result.output
    assert result.stdout == (
        f"{catalog}: 2 binaries added, 2 removed, 0 returned; now 3 binaries, 2 more are gone."
        " New: 1 build cache"
        " (develop-2025-01-12/e4s). Gone: 1 build cache (develop-2025-01-05/e4s).\n"
    )
    bucket.become({"develop/e4s": [1, 2, 4], "develop-2025-01-12/e4s": [5]})
    third = report(catalog, "--at", SUNDAY)
    assert (third["binaries_returned"], third["mirrors_gone"]) == (1, [])


def test_two_updates_in_one_second(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stopped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime(2025, 1, 6, tzinfo=tz)

    monkeypatch.setattr("etl.commands.update.datetime", Stopped)
    catalog = tmp_path / "catalog.db"
    bucket.become({"develop/e4s": [1, 2]})
    first = report(catalog, bucket.url)
    assert (first["at"], first["binaries_added"]) == (MONDAY, 2)
    bucket.become({"develop/e4s": [2, 4]})
    second = report(catalog)
    assert (second["at"], second["binaries_added"]) == ("2025-01-06T00:00:01Z", 1)
    assert second["binaries_removed"] == 1


def test_a_cache_keeps_its_name(bucket: Bucket, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.db"
    bucket.become({"develop/e4s": [1]})
    first = report(catalog, f"mine={bucket.url}", "--at", MONDAY)
    assert first["mirrors_added"] == ["mine:develop/e4s"]
    assert not report(catalog, "--at", FRIDAY)["changed"]
    bucket.become({"develop/hep": [2]})
    second = report(catalog, "--at", SUNDAY)
    assert second["mirrors_added"] == ["mine:develop/hep"]
    assert second["mirrors_gone"] == ["mine:develop/e4s"]


def test_where_nothing_changed_nothing_is_written(bucket: Bucket, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.db"
    bucket.become({"develop/e4s": [1, 2], "develop-2025-01-05/e4s": [3]})
    report(catalog, bucket.url, "--at", MONDAY)
    before = digest(catalog), catalog.stat().st_ino
    assert report(catalog, "--at", FRIDAY) == {"changed": False, "at": FRIDAY, "refused": []}
    assert (digest(catalog), catalog.stat().st_ino) == before


def test_a_folder_that_is_the_same_writes_nothing(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.db"
    assert report(catalog, str(SEED), "--at", MONDAY)["changed"]
    before = digest(catalog)
    assert not report(catalog, str(SEED), "--at", FRIDAY)["changed"]
    assert digest(catalog) == before


def test_what_becomes_as_it_was_before_is_a_change(bucket: Bucket, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.db"
    months = [f"2025-{month:02d}-01T00:00:00Z" for month in range(1, 8)]
    told = []
    for at, numbers in zip(months, ([1, 2], [2], [1, 2], [2], [2], [1, 2], [1, 2]), strict=True):
        bucket.become({"develop/e4s": numbers})
        told.append(report(catalog, bucket.url, "--at", at))
    changes = [
        (it["binaries_removed"], it["binaries_returned"]) if it["changed"] else None for it in told
    ]
    assert changes == [(0, 0), (1, 0), (0, 1), (1, 0), None, (0, 1), None]


def test_after_a_part_of_a_source_is_read_the_whole_is_read_again(
    bucket: Bucket, tmp_path: Path
) -> None:
    catalog = tmp_path / "catalog.db"
    bucket.become({"develop/e4s": [1, 2], "develop/hep": [3]})
    report(catalog, bucket.url, "--at", MONDAY)
    bucket.become({"develop/e4s": [2], "develop/hep": [3]})
    part = report(catalog, bucket.url, "--package", "tool-1", "--at", FRIDAY)
    assert part["binaries_removed"] == 1
    bucket.become({"develop/e4s": [1, 2], "develop/hep": [3]})
    whole = report(catalog, bucket.url, "--at", SUNDAY)
    assert (whole["changed"], whole["binaries_returned"]) == (True, 1)
    assert not report(catalog, bucket.url, "--at", "2025-01-13")["changed"]


@pytest.mark.parametrize("at", [FRIDAY, FRIDAY[:10]])
def test_a_reading_of_the_same_time_is_recorded_as_later(
    bucket: Bucket, tmp_path: Path, at: str
) -> None:
    catalog = tmp_path / "catalog.db"
    bucket.become({"develop/e4s": [1, 2]})
    assert report(catalog, bucket.url, "--at", at)["at"] == FRIDAY
    for second, number in (("01", 1), ("02", 2)):
        bucket.become({"develop/e4s": [number]})
        told = report(catalog, "--at", at)
        assert told["at"] == FRIDAY.replace("00Z", f"{second}Z")
        assert told["binaries_removed"] == 1
    assert told["binaries_returned"] == 1
    assert told["binaries_added"] == 0


def test_a_reading_is_not_recorded_as_earlier(bucket: Bucket, tmp_path: Path) -> None:
    at = MONDAY
    catalog = tmp_path / "catalog.db"
    bucket.become({"develop/e4s": [1, 2]})
    report(catalog, bucket.url, "--at", FRIDAY)
    assert not report(catalog, "--at", at)["changed"]
    bucket.become({"develop/e4s": [2]})
    before = digest(catalog)
    refused = update(catalog, "--at", at)
    assert (refused.exit_code, digest(catalog)) == (2, before)
    assert f"--at {at}: {catalog} was last read at {FRIDAY}; name a later time" in refused.stderr
    assert report(catalog, "--at", SUNDAY)["binaries_removed"] == 1


def test_two_folders_that_are_the_same_write_nothing(tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.db"
    specs = {hash_of(1): record(node("tool", "1.0"))}
    one, two = (
        str(write_indexes(tmp_path / tag, {(tag, "e4s"): specs, ("v2.0", tag): specs}))
        for tag in ("v1.0", "v1.1")
    )
    assert report(catalog, one, two, "--at", MONDAY)["changed"]
    assert not report(catalog, one, two, "--at", FRIDAY)["changed"]
    assert not report(catalog, two, "--at", FRIDAY)["changed"]
    write_indexes(Path(two), {("v1.1", "e4s"): {}})
    assert report(catalog, two, "--at", FRIDAY)["binaries_removed"] == 1
    assert not report(catalog, two, "--at", SUNDAY)["changed"]


def test_a_bucket_that_cannot_be_reached_changes_nothing(bucket: Bucket, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.db"
    bucket.become({"develop/e4s": [1, 2]})
    report(catalog, bucket.url, "--at", MONDAY)
    before = digest(catalog)
    shutil.rmtree(bucket.folder)
    result = update(catalog, "--at", FRIDAY)
    assert (result.exit_code, digest(catalog)) == (1, before)
    assert "nothing was written" in result.stdout
    assert "refused" in result.stderr


def test_an_index_that_is_damaged_leaves_its_binaries_as_they_were(
    bucket: Bucket, tmp_path: Path
) -> None:
    catalog = tmp_path / "catalog.db"
    bucket.become({"develop/e4s": [1], "develop/hep": [2]})
    report(catalog, bucket.url, "--at", MONDAY)
    bucket.become({"develop/e4s": [1, 3], "develop/hep": [2]})
    bucket.write("develop/hep/build_cache/index.json", '{"database": ')
    result = update(catalog, "--at", FRIDAY)
    assert result.exit_code == 1
    with closing(sqlite3.connect(catalog)) as db:
        gone = "SELECT count(*) FROM gone_binaries"
        assert db.execute(gone).fetchone() == (0,)
        assert db.execute("SELECT count(*) FROM binaries").fetchone() == (3,)


def test_two_updates_never_run_at_once(bucket: Bucket, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.db"
    with (tmp_path / ".catalog.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = update(catalog, bucket.url)
    assert result.exit_code == 3
    assert "is being updated already" in result.stderr
    assert not catalog.exists()


def test_without_a_source_there_must_be_an_address_to_read_again(tmp_path: Path) -> None:
    result = update(tmp_path / "catalog.db")
    assert result.exit_code == 2
    assert "name a SOURCE" in result.stderr


def test_what_is_gone_is_not_found(bucket: Bucket, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.db"
    bucket.become({"develop/e4s": [1, 2]})
    report(catalog, bucket.url, "--at", MONDAY)
    bucket.become({"develop/e4s": [2]})
    report(catalog, "--at", FRIDAY)
    for spec, code in (("tool-1", 1), ("tool-2", 0)):
        arguments = ["find", spec, "--catalog", str(catalog), "--format", "install"]
        found = CliRunner().invoke(main, arguments)
        assert found.exit_code == code, found.output
        assert ("spack install" in found.stdout) == (code == 0)
        why = CliRunner().invoke(
            main, ["why", spec, "--host", "rocky8/zen3", "--catalog", str(catalog)]
        )
        assert (f"is gone from develop since {FRIDAY}" in why.stderr) == (code == 1)


def test_cover_tells_that_a_spec_is_gone(bucket: Bucket, tmp_path: Path) -> None:
    catalog, lock = tmp_path / "catalog.db", tmp_path / "spack.lock"
    bucket.become({"develop/e4s": [1, 2]})
    report(catalog, bucket.url, "--at", MONDAY)
    bucket.become({"develop/e4s": [2]})
    report(catalog, "--at", FRIDAY)
    specs = {hash_of(it): {**node(f"tool-{it}", "1.0"), "hash": hash_of(it)} for it in (1, 2)}
    lock.write_text(
        json.dumps(
            {
                "_meta": {"file-type": "spack-lockfile", "lockfile-version": 6},
                "roots": [{"hash": it, "spec": spec["name"]} for it, spec in specs.items()],
                "concrete_specs": specs,
            }
        )
    )
    arguments = ["cover", str(lock), "--catalog", str(catalog), "--format", "json"]
    told = json.loads(CliRunner().invoke(main, arguments).stdout)
    assert f"gone from develop since {FRIDAY}" in json.dumps(told)


def test_an_update_of_what_is_damaged_says_so(bucket: Bucket, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog.db"
    bucket.become({"develop/e4s": [1, 2]})
    report(catalog, bucket.url, "--at", MONDAY)
    broken = catalog.read_bytes()[:20_000]
    catalog.write_bytes(broken)
    bucket.become({"develop/e4s": [2]})
    result = update(catalog, bucket.url, "--at", FRIDAY)
    assert (result.exit_code, catalog.read_bytes()) == (3, broken)
    assert "Traceback" not in result.output


def test_a_catalog_is_merged_and_not_updated_from(bucket: Bucket, tmp_path: Path) -> None:
    catalog, other = tmp_path / "catalog.db", tmp_path / "other.db"
    bucket.become({"develop/e4s": [1]})
    report(catalog, bucket.url, "--at", MONDAY)
    shutil.copy(catalog, other)
    before = digest(catalog)
    for source in (str(other), f"{bucket.url}/other.db"):
        refused = update(catalog, source)
        assert refused.exit_code == 2
        assert f"{source} is a catalog" in refused.stderr
        assert f"merge it with: spack-catalog build {catalog} {source}" in refused.stderr
        assert digest(catalog) == before
