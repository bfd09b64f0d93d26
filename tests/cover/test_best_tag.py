"""The tag that a lock is held against where none is asked for."""

from __future__ import annotations

import json
from pathlib import Path

from etl.catalog.asking import AT_ONCE
from etl.catalog.reader import open_catalog
from etl.cover.cover import cover
from etl.locks.read import read_lock
from etl.sources.build_caches.mirror import read_build_caches
from tests.sites import hash_of
from tests.small_catalogs import FIRST, SECOND, build, node, record, write_indexes


def test_of_tags_with_as_much_it_is_the_newest_however_long_the_lock(tmp_path: Path) -> None:
    last = AT_ONCE + 1  # which is not looked up with the first
    tags = {FIRST: 1, SECOND: last}
    indexes = {
        (tag, "e4s"): {hash_of(number): record(node(f"tool{number}", "1.0"))}
        for tag, number in tags.items()
    }
    target = tmp_path / "catalog.db"
    catalog = build(target, read_build_caches(write_indexes(tmp_path / "indexes", indexes)))
    specs = {
        hash_of(number): {**node(f"tool{number}", "1.0"), "hash": hash_of(number)}
        for number in range(1, last + 1)
    }
    lock = {
        "_meta": {"file-type": "spack-lockfile", "lockfile-version": 6},
        "roots": [{"hash": it, "spec": spec["name"]} for it, spec in specs.items()],
        "concrete_specs": specs,
    }
    with open_catalog(catalog) as db:
        found = cover(db, read_lock(json.dumps(lock), "spack.lock"))
    assert found.tags == ((SECOND, 1), (FIRST, 1))
    assert [(it.tag, it.spec.hash) for it in found.available] == [(SECOND, hash_of(last))]
