"""Indexes and views that list binaries which their cache does not have: said, and left out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from etl.records import Mirror, Problem, Record
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.build_caches.web import read_url
from etl.sources.download.fetch import Fetcher
from etl.sources.selection import Selection

OWNER = Selection(owner="v1")
SPECS = "v3/manifests/spec"


@pytest.fixture
def mirror(real_data: Path, tmp_path: Path) -> Path:
    """The views small (20 binaries) and py (31), without zstd and with them all else."""
    folder = tmp_path / "mirror"
    shutil.copytree(real_data / "views" / "views-only", folder)
    return folder


def listed(real_data: Path, view: str) -> set[str]:
    told = json.loads((real_data / "views" / "expected.json").read_text())
    return set(told["views-only"]["mirrors"]["."][view]["in_buildcache"])


def there(records: Iterable[Record]) -> dict[str | None, set[str]]:
    return {
        record.view: {
            spec.hash
            for spec, available in zip(record.specs, record.available, strict=True)
            if available
        }
        for record in records
        if isinstance(record, Mirror)
    }


def remove(mirror: Path, package: str) -> set[str]:
    """Take the binaries of a package out of a mirror; their hashes."""
    gone = {
        it.name.removesuffix(".spec.manifest.json")[-32:]
        for it in (mirror / SPECS / package).iterdir()
    }
    shutil.rmtree(mirror / SPECS / package)
    return gone


def problems(records: Iterable[Record]) -> list[Problem]:
    return [record for record in records if isinstance(record, Problem)]


def test_a_folder(mirror: Path, real_data: Path) -> None:
    gone = remove(mirror, "gmake")
    records = list(read_build_caches(mirror, OWNER))
    assert there(records) == {view: listed(real_data, view) - gone for view in ("small", "py")}
    assert problems(records) == [
        Problem(
            f"v3/manifests/index/{view}/index.manifest.json",
            "refused",
            "lists 1 binary that the cache does not have; left out: gmake/3fndy4l",
        )
        for view in ("py", "small")
    ]


def test_many_are_told_as_a_number(mirror: Path, real_data: Path) -> None:
    kept = {"xz", "zlib-ng"}
    for folder in (mirror / SPECS).iterdir():
        if folder.name not in kept:
            shutil.rmtree(folder)
    records = list(read_build_caches(mirror, Selection(owner="v1", views=frozenset({"small"}))))
    (problem,) = problems(records)
    left = len(there(records)["small"])
    assert 0 < left < 20
    assert problem.message.startswith(f"lists {20 - left} binaries that the cache does not have")
    assert problem.message.endswith(f" and {20 - left - 3} more")


def test_a_copy_of_the_indexes_alone_lacks_nothing(mirror: Path, real_data: Path) -> None:
    shutil.rmtree(mirror / SPECS)
    records = list(read_build_caches(mirror, OWNER))
    assert there(records) == {view: listed(real_data, view) for view in ("small", "py")}
    assert problems(records) == []


def test_over_http_each_is_asked_for_with_sizes(
    mirror: Path, real_data: Path, serve_folder: Any, fetcher: Fetcher
) -> None:
    gone = remove(mirror, "zlib-ng") | remove(mirror, "gmake")
    server = serve_folder(mirror)
    selection = Selection(owner="v1", views=frozenset({"small"}))
    records = list(read_url(server.url, fetcher=fetcher, selection=selection, sizes=True))
    assert there(records) == {"small": listed(real_data, "small") - gone}
    (problem,) = problems(records)
    assert problem.place == f"{server.url}/v3/manifests/index/small/index.manifest.json"
    lacking = gone & listed(real_data, "small")
    assert problem.message.startswith(f"lists {len(lacking)} binaries that the cache does not have")


def test_over_http_what_was_looked_at_tells(
    mirror: Path, real_data: Path, serve_folder: Any, fetcher: Fetcher
) -> None:
    first = min(listed(real_data, "small"))
    (manifest,) = (mirror / SPECS).rglob(f"*-{first}.spec.manifest.json")
    manifest.unlink()
    selection = Selection(owner="v1", views=frozenset({"small"}))
    records = list(read_url(serve_folder(mirror).url, fetcher=fetcher, selection=selection))
    assert there(records) == {"small": listed(real_data, "small") - {first}}
    assert [it.message.partition("; ")[0] for it in problems(records)] == [
        "lists 1 binary that the cache does not have"
    ]


def test_when_binaries_were_put_there_is_asked_with_their_sizes(
    mirror: Path, serve_answers: Any, fetcher: Fetcher, real_data: Path
) -> None:
    files = {
        "/" + path.relative_to(mirror).as_posix(): path.read_bytes()
        for path in mirror.rglob("*")
        if path.is_file()
    }
    dated = {"Last-Modified": "Fri, 16 Oct 2026 10:00:00 GMT"}
    server = serve_answers({place: (200, data, dated) for place, data in files.items()})
    selection = Selection(owner="v1", views=frozenset({"small"}))
    for _ in range(2):  # the second time from the download cache
        records = list(read_url(server.url, fetcher=fetcher, selection=selection, sizes=True))
        (found,) = (it for it in records if isinstance(it, Mirror))
        assert dict(found.put) == dict.fromkeys(listed(real_data, "small"), "2026-10-16T10:00:00Z")
