"""A catalog of three named caches, made from build caches with views that Spack wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from etl.records import Mirror, Record
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.named import Asked, with_name
from etl.sources.selection import Selection
from etl.writer.build import build_catalog
from etl.writer.intake import Reading

PUT = "2026-10-16T10:00:00Z"
CODEC = "zstd"


def dated(records: Iterator[Record]) -> Iterator[Record]:
    """The same, with zstd put there on a day that is known."""
    for record in records:
        if isinstance(record, Mirror):
            put = tuple((spec.hash, PUT) for spec in record.specs if spec.package == CODEC)
            yield replace(record, put=put)
        else:
            yield record


def views_of(real_data: Path) -> dict[str, dict[str, set[str]]]:
    """The hashes that Spack says are in each view of each case."""
    told: dict[str, Any] = json.loads((real_data / "views" / "expected.json").read_text())
    return {
        case: {
            view: set(facts["in_buildcache"])
            for mirror in told[case]["mirrors"].values()
            for view, facts in mirror.items()
            if view != "_sets"
        }
        for case in told
    }


def three_caches(real_data: Path, target: Path) -> Path:
    """The views of one mirror as the site's, all of a bucket as public, two views as e4s."""
    folder = real_data / "views"
    everything = {
        "site": dated(read_build_caches(folder / "default-and-views", Selection(owner="mirror"))),
        "public": read_build_caches(folder / "bucket"),
        "e4s": read_build_caches(folder / "views-only", Selection(owner="v2026.10.0")),
    }
    addresses = {
        "site": str(folder / "default-and-views"),
        "public": "https://binaries.spack.io",
        "e4s": "s3://cache.e4s.io",
    }
    readings = [
        Reading(name, with_name(Asked(addresses[name], name), records))
        for name, records in everything.items()
    ]
    build_catalog(readings, target)
    return target
