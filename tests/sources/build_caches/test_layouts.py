from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import SourceError, UsageError
from etl.records import Problem
from etl.sources.build_caches.layouts import find_indexes, holds_index
from etl.sources.build_caches.naming import looks_like_tag
from etl.sources.build_caches.places import Index, index_at
from etl.sources.selection import EVERYTHING, Selection

V2 = "build_cache/index.json"
V3 = "v3/manifests/index/index.manifest.json"
SUM = "fc29961d88687f4507bd86f42c592bf82ee9333d5c87c6667a0f294f6d2dce8f"


def make(folder: Path, *places: str) -> Path:
    for place in places:
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return folder


def whose(folder: Path, selection: Selection = EVERYTHING) -> list[tuple[str, str, str]]:
    found = find_indexes(folder, selection)
    return [(index.tag, index.stack, index.place) for index in found.indexes]


def test_a_bucket(tmp_path: Path) -> None:
    make(tmp_path, f"develop/{V2}", f"develop/e4s/{V2}", f"v1.0.0/e4s/{V3}", "other/notes.txt")
    make(tmp_path, "v1.0.0/hep/index.json.gz", "v1.0.0/root/index.json", ".git/x/index.json")
    assert whose(tmp_path) == [
        ("develop", "root", f"develop/{V2}"),
        ("develop", "e4s", f"develop/e4s/{V2}"),
        ("v1.0.0", "e4s", f"v1.0.0/e4s/{V3}"),
        ("v1.0.0", "hep", "v1.0.0/hep/index.json.gz"),
        ("v1.0.0", "root", "v1.0.0/root/index.json"),
    ]
    assert whose(tmp_path, Selection(frozenset({"v1.0.0"}), frozenset({"root", "e4s"}))) == [
        ("v1.0.0", "e4s", f"v1.0.0/e4s/{V3}"),
        ("v1.0.0", "root", "v1.0.0/root/index.json"),
    ]


def test_a_bucket_of_tags_without_stacks(tmp_path: Path) -> None:
    make(tmp_path, f"develop-2024-11-17/{V2}", f"v0.22.1/{V2}")
    assert whose(tmp_path) == [
        ("develop-2024-11-17", "root", f"develop-2024-11-17/{V2}"),
        ("v0.22.1", "root", f"v0.22.1/{V2}"),
    ]


def test_releases_in_a_folder_of_their_own(tmp_path: Path) -> None:
    make(tmp_path, f"develop/e4s/{V2}", f"releases/v0.20.1/{V2}", f"releases/v0.20.1/e4s/{V2}")
    assert whose(tmp_path) == [
        ("v0.20.1", "root", f"releases/v0.20.1/{V2}"),
        ("develop", "e4s", f"develop/e4s/{V2}"),
        ("v0.20.1", "e4s", f"releases/v0.20.1/e4s/{V2}"),
    ]


def test_a_tag_that_its_folder_names(tmp_path: Path) -> None:
    folder = make(tmp_path / "develop-2025-07-20", V3, f"e4s/{V3}")
    expected = [("develop-2025-07-20", "root", V3), ("develop-2025-07-20", "e4s", f"e4s/{V3}")]
    assert whose(folder) == expected
    assert whose(folder, Selection(frozenset({"develop"}))) == []


def test_a_tag_that_the_user_names(tmp_path: Path) -> None:
    folder = make(tmp_path / "mine", f"e4s/{V3}", f"hep/{V2}")
    assert whose(folder, Selection(frozenset({"v1"}))) == [
        ("v1", "e4s", f"e4s/{V3}"),
        ("v1", "hep", f"hep/{V2}"),
    ]
    for tags in (frozenset[str](), frozenset({"v1", "v2"})):
        with pytest.raises(UsageError, match=r"mine: the stacks of a tag .*name it with --as"):
            whose(folder, Selection(tags))


def test_one_mirror(tmp_path: Path) -> None:
    folder = make(tmp_path / "mine", V3)
    assert whose(folder, Selection(frozenset({"t"}), frozenset({"s"}))) == [("t", "s", V3)]
    assert whose(folder) == [("mine", "root", V3)]
    assert whose(folder, Selection(frozenset({"t"}))) == [("t", "root", V3)]
    assert whose(folder, Selection(stacks=frozenset({"s"}))) == [("mine", "s", V3)]
    assert whose(folder, Selection(owner="v1")) == [("v1", "root", V3)]
    assert whose(folder, Selection(owner="v1/e4s")) == [("v1", "e4s", V3)]
    for owner in ("", "v1/", "v1/a/b", "../x"):
        with pytest.raises(UsageError, match="expected TAG or TAG/STACK"):
            whose(folder, Selection(owner=owner))


def test_a_mirror_in_a_folder_of_a_tag(tmp_path: Path) -> None:
    folder = make(tmp_path / "develop-2025-07-20" / "e4s", V3)
    assert whose(folder) == [("develop-2025-07-20", "e4s", V3)]
    folder = make(tmp_path / "v1.0.0", V2)
    assert whose(folder) == [("v1.0.0", "root", V2)]


def test_a_lone_file_has_to_be_named(tmp_path: Path) -> None:
    folder = make(tmp_path / "mine", "index.json")
    with pytest.raises(UsageError, match="an index does not name its tag"):
        whose(folder)
    assert whose(folder, Selection(owner="v1")) == [("v1", "root", "index.json")]


def test_a_mirror_of_both_layouts_has_two_indexes(tmp_path: Path) -> None:
    make(tmp_path, V2, V3, "index.json")
    found = find_indexes(tmp_path, Selection(frozenset({"t"}), frozenset({"s"})))
    assert found.indexes == (Index(V3, "", "v3", "t", "s"), Index(V2, "", "v2", "t", "s"))


def view(name: str) -> str:
    return f"v3/manifests/index/{name}/index.manifest.json"


def test_a_mirror_with_views(tmp_path: Path) -> None:
    folder = make(tmp_path / "mine", view("a"), view("stacks/e4s"), view("x/y"), "v3/other.json")
    views = [("mine", "a", view("a")), ("mine", "e4s", view("stacks/e4s"))]
    views.append(("mine", "x-y", view("x/y")))
    assert whose(folder) == views
    make(folder, V3)
    assert whose(folder) == [("mine", "root", V3), *views]
    assert whose(folder, Selection(views=frozenset({"a"}))) == views[:1]
    assert whose(folder, Selection(frozenset({"t"}), frozenset({"s"}))) == [("t", "s", V3)]


def test_a_view_that_is_not_there(tmp_path: Path) -> None:
    folder = make(tmp_path / "mine", V3, view("a"), view("b"))
    found = find_indexes(folder, Selection(views=frozenset({"a", "c"})))
    assert [index.view for index in found.indexes] == ["a"]
    assert found.problems == (
        Problem("v3/manifests/index", "refused", "there is no view c; there are: a, b"),
    )


def test_nothing_that_is_asked_for_is_told(tmp_path: Path) -> None:
    folder = make(tmp_path / "mine", view("a"))
    found = find_indexes(folder, Selection(frozenset({"t"}), frozenset({"s"})))
    assert found.indexes == ()
    assert found.problems == (
        Problem(".", "refused", "nothing is of the selected tags and stacks; there are: t/a"),
    )


def test_views_of_the_public_bucket(tmp_path: Path) -> None:
    make(
        tmp_path,
        *(f"develop/{view(it)}" for it in ("develop-2026-10-01", "develop-2026-10-04", "e4s")),
        *(f"releases/v2026.10/{view(it)}" for it in ("v2026.10.0", "v2026.10.1", "hep", "v2")),
        f"releases/v2026.06/{view('stacks/e4s')}",
    )
    assert sorted((tag, stack) for tag, stack, _ in whose(tmp_path)) == [
        ("develop", "e4s"),
        ("develop-2026-10-01", "root"),
        ("develop-2026-10-04", "root"),
        ("v2026.06", "e4s"),
        ("v2026.10.0", "root"),
        ("v2026.10.1", "hep"),
        ("v2026.10.1", "root"),
        ("v2026.10.1", "v2"),
    ]
    assert sorted((tag, stack) for tag, stack, _ in whose(tmp_path / "develop")) == [
        ("develop", "e4s"),
        ("develop-2026-10-01", "root"),
        ("develop-2026-10-04", "root"),
    ]


def test_an_index_beside_tags_is_refused(tmp_path: Path) -> None:
    make(tmp_path, V2, f"develop/e4s/{V2}")
    found = find_indexes(tmp_path, EVERYTHING)
    assert [index.place for index in found.indexes] == [f"develop/e4s/{V2}"]
    assert found.problems == (
        Problem(V2, "refused", "an index beside folders of tags; its tag is unknown"),
    )


def test_links_to_mirrors_are_not_followed(tmp_path: Path) -> None:
    folder = make(tmp_path / "bucket", f"develop/e4s/{V2}")
    (folder / "latest").symlink_to("develop")
    (folder / "develop" / "hep").symlink_to("e4s")
    (folder / "develop" / "up").symlink_to("../..")
    found = find_indexes(folder, EVERYTHING)
    assert [index.place for index in found.indexes] == [f"develop/e4s/{V2}"]
    assert found.problems == (
        Problem("develop/hep", "refused", "a symbolic link, which is not followed"),
    )


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([V2], True),
        ([V3], True),
        (["index.json"], True),
        (["index.json.gz"], True),
        ([f"develop/{V2}"], True),
        (["develop/e4s/index.json.gz"], True),
        (["cache_spack_io_index.json"], True),
        (["releases/v0.20/e4s/index.json"], True),
        (["_cache/develop/index.json"], False),
        (["a/b/c/index.json"], False),
        (["develop/zlib/specs.md"], False),
        (["v3/manifests/spec/x/x.spec.manifest.json"], False),
    ],
)
def test_whether_a_folder_holds_an_index(tmp_path: Path, places: list[str], expected: bool) -> None:
    assert holds_index(make(tmp_path, *places)) is expected


def test_a_folder_is_not_searched_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "a/1/x", "a/2/x", "a/3/x", "b/1/index.json")
    assert holds_index(tmp_path)
    monkeypatch.setattr("etl.sources.build_caches.layouts._MAX_LOOKS", 2)
    assert not holds_index(tmp_path)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (V2, Index(V2, "", "v2")),
        (f"a/b/{V2}", Index(f"a/b/{V2}", "a/b", "v2")),
        (f"http://x/a/{V3}", Index(f"http://x/a/{V3}", "http://x/a", "v3")),
        (f"/blobs/sha256/fc/{SUM}", Index(f"/blobs/sha256/fc/{SUM}", "", "v3", checksum=SUM)),
        ("a/index.json.gz", Index("a/index.json.gz", "a", "bare")),
    ],
)
def test_what_a_place_says(place: str, expected: Index) -> None:
    assert index_at(place) == expected


@pytest.mark.parametrize(
    "place", ["", "x", "a.html", f"blobs/sha256/00/{SUM}", f"blobs/sha256/fc/{SUM[:-1]}", "x.json"]
)
def test_places_of_nothing(place: str) -> None:
    with pytest.raises(SourceError, match="not where a build cache has its index"):
        index_at(place)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("develop", True),
        ("develop-2025-07-20", True),
        ("v0.22.1", True),
        ("v2025.07.0", True),
        ("develop-old", False),
        ("e4s", False),
        ("vtk", False),
        ("root", False),
    ],
)
def test_names_of_tags(name: str, expected: bool) -> None:
    assert looks_like_tag(name) is expected
