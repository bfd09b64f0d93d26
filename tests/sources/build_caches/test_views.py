"""Views, as Spack made them and as it lists them: by folder, and over HTTP."""

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

VIEWS = {
    "default-and-views": ("v1", {"(default)": ("v1", "root")}),
    "views-only": ("v1", {}),
    "bucket": (
        None,
        {
            "develop-2026-10-01": ("develop-2026-10-01", "root"),
            "develop-2026-10-04": ("develop-2026-10-04", "root"),
            "v2026.10.0": ("v2026.10.0", "root"),
            "e4s": ("v2026.10.0", "e4s"),
        },
    ),
}
"""Each case with the tag that the user names, and the owners of views that are no stack of it."""


@pytest.fixture(scope="module")
def expected(real_data: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((real_data / "views" / "expected.json").read_text())
    return told


def binaries(records: Iterable[Record]) -> dict[tuple[str, str], set[str]]:
    """The hashes in each (tag, stack)."""
    found: dict[tuple[str, str], set[str]] = {}
    for record in records:
        assert not isinstance(record, Problem), record
        if isinstance(record, Mirror):
            there = zip(record.specs, record.available, strict=True)
            hashes = {spec.hash for spec, available in there if available}
            found.setdefault((record.tag, record.stack), set()).update(hashes)
    return found


@pytest.mark.parametrize("case", VIEWS)
def test_each_view_has_what_spack_says(case: str, expected: Any, real_data: Path) -> None:
    tag, owners = VIEWS[case]
    found = binaries(read_build_caches(real_data / "views" / case, Selection(owner=tag)))
    told = {
        owners.get(view, (tag, view)): set(facts["in_buildcache"])
        for views in expected[case]["mirrors"].values()
        for view, facts in views.items()
        if view != "_sets"
    }
    assert found == told


@pytest.mark.parametrize("way", ["#codecs", "--view"])
def test_a_view_over_http_is_named(
    way: str, expected: Any, real_data: Path, serve_folder: Any, fetcher: Fetcher
) -> None:
    server = serve_folder(real_data / "views" / "default-and-views")
    views = frozenset({"codecs"}) if way == "--view" else frozenset[str]()
    url = server.url if views else f"{server.url}/{way}"
    selection = Selection(views=views, owner="v1")
    found = binaries(read_url(url, fetcher=fetcher, selection=selection))
    told = expected["default-and-views"]["mirrors"]["."]["codecs"]["in_buildcache"]
    assert found == {("v1", "codecs"): set(told)}


def test_the_releases_of_a_branch_are_tried_over_http(
    expected: Any, real_data: Path, serve_folder: Any, fetcher: Fetcher
) -> None:
    server = serve_folder(real_data / "views" / "bucket")
    records = list(read_url(f"{server.url}/releases/v2026.10", fetcher=fetcher))
    told = expected["bucket"]["mirrors"]["releases/v2026.10"]["v2026.10.0"]["in_buildcache"]
    assert binaries(records) == {("v2026.10.0", "root"): set(told)}
    (mirror,) = (it for it in records if isinstance(it, Mirror))
    assert mirror.view == "v2026.10.0"
    assert mirror.url == f"{server.url}/releases/v2026.10"


def test_a_view_that_is_not_there_over_http(
    real_data: Path, serve_folder: Any, fetcher: Fetcher
) -> None:
    server = serve_folder(real_data / "views" / "default-and-views")
    selection = Selection(views=frozenset({"codecs", "nosuch"}), owner="v1")
    records = list(read_url(server.url, fetcher=fetcher, selection=selection))
    assert [it.view for it in records if isinstance(it, Mirror)] == ["codecs"]
    (problem,) = (it for it in records if isinstance(it, Problem))
    assert problem.message == "there is no view nosuch; there are: codecs"


def test_a_view_whose_index_is_not_there(real_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mirror"
    shutil.copytree(real_data / "views" / "default-and-views", folder)
    manifest = folder / "v3" / "manifests" / "index" / "codecs" / "index.manifest.json"
    checksum = json.loads(manifest.read_text())["data"][0]["checksum"]
    (folder / "blobs" / "sha256" / checksum[:2] / checksum).unlink()
    records = list(read_build_caches(folder, Selection(owner="v1")))
    assert [it.stack for it in records if isinstance(it, Mirror)] == ["root", "tutorial"]
    (problem,) = (it for it in records if isinstance(it, Problem))
    assert problem.message == "there is no such file"


def test_a_view_that_is_damaged(real_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mirror"
    shutil.copytree(real_data / "views" / "views-only", folder)
    manifest = folder / "v3" / "manifests" / "index" / "py" / "index.manifest.json"
    checksum = json.loads(manifest.read_text())["data"][0]["checksum"]
    blob = folder / "blobs" / "sha256" / checksum[:2] / checksum
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes().replace(b"python", b"Python", 1))
    records = list(read_build_caches(folder, Selection(owner="v1")))
    assert [it.stack for it in records if isinstance(it, Mirror)] == ["small"]
    (problem,) = (it for it in records if isinstance(it, Problem))
    assert problem.message.endswith("; it is damaged")
