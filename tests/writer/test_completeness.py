"""Which binaries can be installed from one build cache alone, and what is told of the others."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from etl.catalog.reader import open_catalog
from etl.hosts.host import Host, Libc
from etl.query.reuse import Reuse
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.selection import Selection
from etl.writer.build import build_catalog
from etl.writer.intake import Reading

APP, LIB, TOOL, OPENSSL = ("a" * 32, "l" * 32, "t" * 32, "o" * 32)
HOST = Host("linux", "rocky9", "zen3", Libc("glibc", "2.34"))


def record(name: str, hash_: str, *below: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    node = {
        "name": name,
        "version": "1.0",
        "arch": {"platform": "linux", "platform_os": "rocky8", "target": {"name": "x86_64_v3"}},
        "namespace": "builtin",
        "parameters": {},
        "dependencies": [
            {"name": child, "hash": hash_, "parameters": {"deptypes": [kind], "virtuals": []}}
            for child, hash_, kind in below
        ],
        "hash": hash_,
    }
    return {"spec": node | more, "in_buildcache": "external" not in more}


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """A tag of two stacks; only the first has the library that both applications link to."""
    app = record("app", APP, ("lib", LIB, "link"))
    lib = record("lib", LIB, ("openssl", OPENSSL, "link"), ("cmake", "c" * 32, "build"))
    outside: dict[str, object] = {"path": "/usr", "module": None, "extra_attributes": {}}
    openssl = record("openssl", OPENSSL, external=outside)
    tool = record("tool", TOOL, ("app", APP, "run"), ("lib", LIB, "link"))
    stacks = {
        "first": [app, lib, openssl, record("cmake", "c" * 32) | {"in_buildcache": False}],
        "second": [app, lib | {"in_buildcache": False}, openssl, tool],
    }
    readings = []
    for stack, records in stacks.items():
        index = tmp_path / f"{stack}.json"
        installs = {it["spec"]["hash"]: it for it in records}
        index.write_text(json.dumps({"database": {"version": "8", "installs": installs}}))
        found = read_build_caches(index, Selection(owner=f"v1/{stack}"))
        readings.append(Reading(stack, found))
    target = tmp_path / "catalog.db"
    build_catalog(readings, target)
    return target


def test_a_binary_is_complete_where_one_mirror_has_all_of_it(catalog: Path) -> None:
    with closing(sqlite3.connect(catalog)) as db:
        found = db.execute("SELECT package, complete FROM binary_needs ORDER BY 1").fetchall()
    # The tool is in the second alone, whose tag has the library, but in the other mirror.
    assert found == [("app", 1), ("lib", 1), ("tool", 0)]


def test_what_is_missing_is_named(catalog: Path) -> None:
    with open_catalog(catalog) as db:
        reuse = Reuse(db, HOST)
        told = {hash_: reuse.verdict(hash_, "v1") for hash_ in (APP, TOOL)}
    openssl = "its openssl/ooooooo: an external package: a part of the system that it was built on"
    assert [(it.reason, it.why) for it in told.values() if it] == [
        ("closure", openssl),
        ("closure", "its lib/lllllll is not in the cache"),
    ]
