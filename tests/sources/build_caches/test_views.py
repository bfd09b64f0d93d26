"""Views, as Spack made them and as it lists them: by folder, and over HTTP."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from etl.errors import SourceError, UsageError
from etl.records import Mirror, Problem, Record
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.build_caches.naming import checked_view
from etl.sources.build_caches.web import read_url
from etl.sources.download.fetch import Fetcher
from etl.sources.recognise import read_source
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
    assert problem.message == (
        "the view codecs: the index that index.manifest.json names is not there"
    )


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


def moved(real_data: Path, tmp_path: Path, case: str, **names: str) -> Path:
    """A mirror of the case, whose views are called otherwise."""
    folder = tmp_path / "mirror"
    shutil.copytree(real_data / "views" / case, folder)
    indexes = folder / "v3" / "manifests" / "index"
    for view, name in names.items():
        (indexes / name).parent.mkdir(parents=True, exist_ok=True)
        (indexes / view).rename(indexes / name)
    return folder


@pytest.mark.parametrize(
    ("names", "stacks"),
    [
        (("stacks/e4s", "a/b/c/d/e"), ("e4s", "a-b-c-d-e")),
        (("my view", "gpu@cuda"), ("my-view", "gpu-cuda")),
        (("ünï", "日本"), ("uni", "view")),
        (("stacks/e4s", "e4s"), ("stacks-e4s", "e4s")),
        (("a/b", "a-b"), ("a-b-2", "a-b")),
        (("a#b", "a-b"), ("a-b-2", "a-b")),
        (("root", "v1"), ("root", "v1")),
        (("-x", ".hidden"), ("x", "hidden")),
    ],
)
def test_views_of_any_name_stay_apart(
    names: tuple[str, str],
    stacks: tuple[str, str],
    expected: Any,
    real_data: Path,
    tmp_path: Path,
    serve_folder: Any,
    fetcher: Fetcher,
) -> None:
    folder = moved(real_data, tmp_path, "views-only", small=names[0], py=names[1])
    told = expected["views-only"]["mirrors"]["."]
    wanted = {
        ("mine", stacks[0]): (names[0], set(told["small"]["in_buildcache"])),
        ("mine", stacks[1]): (names[1], set(told["py"]["in_buildcache"])),
    }
    selection = Selection(owner="mine")
    records = list(read_build_caches(folder, selection))
    views = {(it.tag, it.stack): it.view for it in records if isinstance(it, Mirror)}
    assert {key: (views[key], found) for key, found in binaries(records).items()} == wanted

    named = Selection(owner="mine", views=frozenset(names))
    on_web = list(read_url(serve_folder(folder).url, fetcher=fetcher, selection=named))
    views = {(it.tag, it.stack): it.view for it in on_web if isinstance(it, Mirror)}
    assert {key: (views[key], found) for key, found in binaries(on_web).items()} == wanted


def test_a_view_like_the_top_level_stack_stays_apart_from_it(
    expected: Any, real_data: Path, tmp_path: Path
) -> None:
    folder = moved(real_data, tmp_path, "default-and-views", tutorial="root", codecs="v1")
    found = binaries(read_build_caches(folder, Selection(owner="v1")))
    told = expected["default-and-views"]["mirrors"]["."]
    assert found == {
        ("v1", "root"): set(told["(default)"]["in_buildcache"]),
        ("v1", "root-2"): set(told["tutorial"]["in_buildcache"]),
        ("v1", "v1"): set(told["codecs"]["in_buildcache"]),
    }


def test_a_release_is_that_whatever_other_views_are_called(
    expected: Any, real_data: Path, tmp_path: Path
) -> None:
    """``root`` would be the top-level stack of the newest release, which has one."""
    folder = tmp_path / "v2026.10"
    moved(real_data, tmp_path, "views-only", small="root", py="v2026.10.0").rename(folder)
    told = expected["views-only"]["mirrors"]["."]
    assert binaries(read_build_caches(folder)) == {
        ("v2026.10.0", "root"): set(told["py"]["in_buildcache"]),
        ("v2026.10.0", "root-2"): set(told["small"]["in_buildcache"]),
    }


def test_equal_views_of_two_stacks(expected: Any, real_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "develop"
    for stack in ("hep", "ml"):
        shutil.copytree(real_data / "views" / "views-only", folder / stack)
    told = expected["views-only"]["mirrors"]["."]
    small, py = (set(told[view]["in_buildcache"]) for view in ("small", "py"))
    assert binaries(read_build_caches(folder)) == {
        ("develop", "small"): small,
        ("develop", "py"): py,
        ("develop", "ml-small"): small,
        ("develop", "ml-py"): py,
    }


def test_stacks_in_the_folder_of_a_release(expected: Any, real_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bucket"
    shutil.copytree(real_data / "views" / "bucket", folder)
    snapshots = folder / "develop" / "v3" / "manifests" / "index"
    (snapshots / "develop-2026-10-01").rename(snapshots / "develop-2026-10-04" / "e4s")
    found = binaries(read_build_caches(folder))
    told = expected["bucket"]["mirrors"]["develop"]
    snapshot = "develop-2026-10-04"
    assert found[snapshot, "root"] == set(told[snapshot]["in_buildcache"])
    assert found[snapshot, "e4s"] == set(told["develop-2026-10-01"]["in_buildcache"])


def test_names_that_no_view_can_have_are_told(real_data: Path, tmp_path: Path) -> None:
    deep = "a/b/c/d/e/f/g/h/i"
    folder = moved(real_data, tmp_path, "views-only", small="new\nline", py=deep)
    records = read_build_caches(folder, Selection(owner="v1"))
    index = "v3/manifests/index"
    with pytest.raises(SourceError, match="no index of a build cache"):
        list(records)
    moved_back = folder / index / "fine"
    (folder / index / deep).rename(moved_back)
    (folder / index / deep).mkdir()
    records = read_build_caches(folder, Selection(owner="v1"))
    assert [it for it in records if isinstance(it, Problem)] == [
        Problem(f"{index}/a/b/c/d/e/f/g/h", "refused", "folders too deep for a view; not read"),
        Problem(f"{index}/new\\nline", "refused", "not a valid name of a view"),
    ]


@pytest.mark.parametrize("name", ["../x", "a//b", "/a", "a/..", "x\ny", "a\\b", "x" * 191])
def test_views_that_the_user_cannot_name(name: str) -> None:
    with pytest.raises(UsageError, match="this cannot be the name of a view"):
        checked_view(name)


def test_one_view_by_the_address_of_its_manifest(
    expected: Any, real_data: Path, serve_folder: Any, fetcher: Fetcher
) -> None:
    folder = real_data / "views" / "default-and-views"
    place = "v3/manifests/index/codecs/index.manifest.json"
    told = expected["default-and-views"]["mirrors"]["."]["codecs"]["in_buildcache"]
    wanted = {("v1", "codecs"): set(told)}
    owner = Selection(owner="v1")
    assert binaries(read_build_caches(folder / place, owner)) == wanted
    url = f"{serve_folder(folder).url}/{place}"
    assert binaries(read_url(url, fetcher=fetcher, selection=owner)) == wanted


@pytest.mark.parametrize("form", ["{path}/#codecs", "{path}#codecs", "{uri}#codecs", "{uri}/"])
def test_views_in_folders_are_named_as_on_the_web(
    form: str, expected: Any, real_data: Path, fetcher: Fetcher
) -> None:
    folder = real_data / "views" / "default-and-views"
    name = form.format(path=folder, uri=folder.as_uri())
    found = binaries(read_source(name, Selection(owner="v1"), fetcher))
    told = expected["default-and-views"]["mirrors"]["."]
    wanted = {("v1", "codecs"): set(told["codecs"]["in_buildcache"])}
    if "#" not in form:
        wanted["v1", "root"] = set(told["(default)"]["in_buildcache"])
        wanted["v1", "tutorial"] = set(told["tutorial"]["in_buildcache"])
    assert found == wanted


def test_a_view_of_the_source_and_views_of_the_user(
    expected: Any, real_data: Path, fetcher: Fetcher
) -> None:
    name = f"{real_data / 'views' / 'default-and-views'}#codecs"
    selection = Selection(owner="v1", views=frozenset({"tutorial"}))
    found = binaries(read_source(name, selection, fetcher))
    told = expected["default-and-views"]["mirrors"]["."]
    assert found == {
        ("v1", view): set(told[view]["in_buildcache"]) for view in ("codecs", "tutorial")
    }


def test_a_bucket_is_not_called_otherwise_without_a_word(real_data: Path) -> None:
    records = read_build_caches(real_data / "views" / "bucket", Selection(owner="v1"))
    assert [it for it in records if isinstance(it, Problem)] == [
        Problem(".", "refused", "--as v1 is for one mirror, but here are those of several tags")
    ]


def test_releases_that_the_list_of_a_bucket_does_not_have(
    expected: Any, real_data: Path, tmp_path: Path, serve_folder: Any, fetcher: Fetcher
) -> None:
    folder = tmp_path / "bucket"
    shutil.copytree(real_data / "views" / "bucket", folder)
    (folder / "cache_spack_io_index.json").write_text("{}")
    url = serve_folder(folder).url
    told = expected["bucket"]["mirrors"]["releases/v2026.10"]["v2026.10.0"]["in_buildcache"]
    assert binaries(read_url(url, fetcher=fetcher)) == {("v2026.10.0", "root"): set(told)}
    others = Selection(tags=frozenset({"v1"}))
    assert binaries(read_url(url, fetcher=fetcher, selection=others)) == {}
    named = Selection(views=frozenset({"e4s"}))
    (problem,) = (
        it for it in read_url(url, fetcher=fetcher, selection=named) if isinstance(it, Problem)
    )
    assert problem.message == "the list of a bucket has no views; name the mirror that has them"
