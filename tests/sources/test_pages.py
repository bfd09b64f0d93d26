"""Pages as a source: one page, a folder of any depth, an archive; and what is asked for of them."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from etl.errors import SourceError
from etl.page_format.style import TODAY
from etl.records import Digest, Page, Problem, Record, Source, Tag
from etl.sources.pages import page_files, read_pages
from etl.sources.selection import EVERYTHING, Selection
from tests.sites import SEED, SEED_PLACES, as_nobody, item, page, place_of, write_site

TAGS = b"- name: develop\n  stacks: [e4s, root]\n- name: v1\n  stacks: [hep]\n"
HDF5 = page("develop", "hdf5", [item(1), item(2, stacks=["hep", "root"])])
ZLIB = page("develop", "zlib", [item(3)])
OLD = page("v1", "hdf5", [item(1, stacks=["hep"])])

SITE = {
    "_data/tags.yaml": TAGS,
    place_of("develop", "hdf5"): HDF5,
    place_of("develop", "zlib"): ZLIB,
    place_of("v1", "hdf5"): OLD,
}


def _records(path: Path, selection: Selection = EVERYTHING) -> list[Record]:
    return list(read_pages(path, selection))


def _pages(records: list[Record]) -> list[tuple[str, str, str, int]]:
    """Place, tag, package and number of specs of all pages, in order."""
    return [(it.place, it.tag, it.package, len(it.specs)) for it in records if isinstance(it, Page)]


def _refused(records: list[Record]) -> list[tuple[str, str]]:
    return [
        (it.place, it.message) for it in records if isinstance(it, Problem) and it.kind == "refused"
    ]


def _zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, data in files.items():
            archive.writestr(place, data)
    return path


def _tar(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for place, data in files.items():
            info = tarfile.TarInfo(place)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_a_clone_of_the_site(tmp_path: Path) -> None:
    records = _records(write_site(tmp_path, SITE))
    sums = "".join(
        f"{hashlib.sha256(SITE[place]).hexdigest()}  {place}\n" for place in sorted(SITE)
    )
    assert records[0] == Source("pages", "_cache", parts=4)
    assert records[-1] == Digest(hashlib.sha256(sums.encode()).hexdigest())
    assert _pages(records) == [
        (place_of("develop", "hdf5"), "develop", "hdf5", 2),
        (place_of("develop", "zlib"), "develop", "zlib", 1),
        (place_of("v1", "hdf5"), "v1", "hdf5", 1),
    ]
    assert [it for it in records if isinstance(it, Tag)] == [
        Tag("develop", ("e4s", "root")),
        Tag("v1", ("hep",)),
    ]
    assert len(records) == 7


@pytest.mark.parametrize(
    ("folder", "location"),
    [("", "_cache"), ("_cache", "."), ("_cache/develop", "."), ("_cache/develop/hdf5", ".")],
)
def test_a_folder_of_any_depth(tmp_path: Path, folder: str, location: str) -> None:
    records = _records(write_site(tmp_path / "x", SITE) / folder)
    assert records[0] == Source("pages", location, records[0].parts)  # type: ignore[union-attr]
    assert _pages(records)[0][1:] == ("develop", "hdf5", 2)
    deeper = write_site(tmp_path / "y", {f"a/b/c/{place}": SITE[place] for place in SITE})
    assert [found[1:] for found in _pages(_records(deeper))] == [
        ("develop", "hdf5", 2),
        ("develop", "zlib", 1),
        ("v1", "hdf5", 1),
    ]


@pytest.mark.parametrize("path", ["_cache/develop/hdf5/specs.md", "page.md", "hdf5"])
def test_one_page(tmp_path: Path, path: str) -> None:
    records = _records(write_site(tmp_path, {path: HDF5}) / path)
    name = Path(path).name
    assert records[0] == Source("pages", name, parts=1)
    assert records[-1] == Digest(hashlib.sha256(HDF5).hexdigest())
    place = path if path.startswith("_cache") else name
    assert _pages(records) == [(place, "develop", "hdf5", 2)]


@pytest.mark.parametrize("name", ["site.zip", "site.tar", "site.tar.gz", "site"])
@pytest.mark.parametrize("prefix", ["", "cache.spack.io-main/", "./"])
def test_an_archive(tmp_path: Path, name: str, prefix: str) -> None:
    files = {prefix + place: SITE[place] for place in SITE}
    path = (_tar if "tar" in name else _zip)(tmp_path / name, files)
    records = _records(path)
    assert records[0] == Source("pages", name)
    assert records[-1] == Digest(hashlib.sha256(path.read_bytes()).hexdigest())
    shown = prefix.removeprefix("./")
    assert _pages(records) == [
        (f"{shown}{place_of('develop', 'hdf5')}", "develop", "hdf5", 2),
        (f"{shown}{place_of('develop', 'zlib')}", "develop", "zlib", 1),
        (f"{shown}{place_of('v1', 'hdf5')}", "v1", "hdf5", 1),
    ]
    assert sum(isinstance(it, Tag) for it in records) == 2
    assert _refused(records) == []


def test_the_order_of_a_zips_members_does_not_matter(tmp_path: Path) -> None:
    one = _records(_zip(tmp_path / "a.zip", SITE))
    other = _records(_zip(tmp_path / "b.zip", dict(reversed(SITE.items()))))
    assert one[1:-1] == other[1:-1]


def test_pages_of_the_seed() -> None:
    records = _records(SEED)
    assert [found[0] for found in _pages(records)] == SEED_PLACES
    assert _refused(records) == []


@pytest.mark.parametrize(
    ("selection", "pages"),
    [
        (EVERYTHING, [("develop", "hdf5", 2), ("develop", "zlib", 1), ("v1", "hdf5", 1)]),
        (Selection(tags=frozenset({"v1"})), [("v1", "hdf5", 1)]),
        (Selection(packages=frozenset({"zlib"})), [("develop", "zlib", 1)]),
        (Selection(stacks=frozenset({"hep"})), [("develop", "hdf5", 1), ("v1", "hdf5", 1)]),
        (Selection(stacks=frozenset({"e4s"})), [("develop", "hdf5", 1), ("develop", "zlib", 1)]),
        (
            Selection(tags=frozenset({"v1", "develop"}), packages=frozenset({"hdf5"})),
            [("develop", "hdf5", 2), ("v1", "hdf5", 1)],
        ),
        (Selection(tags=frozenset({"v1"}), stacks=frozenset({"e4s"})), []),
        (Selection(tags=frozenset({"v2"})), []),
    ],
)
@pytest.mark.parametrize("kind", ["folder", "flat", "zip", "tar"])
def test_what_is_asked_for(
    tmp_path: Path, selection: Selection, pages: list[tuple[str, str, int]], kind: str
) -> None:
    files = SITE if kind != "flat" else {f"{n}/specs.md": p for n, p in enumerate(SITE.values())}
    if kind == "flat":
        files.pop("0/specs.md")
    path = tmp_path / kind
    {"zip": _zip, "tar": _tar}.get(kind, write_site)(path, files)
    records = _records(path, selection)
    assert [found[1:] for found in _pages(records)] == pages
    assert _refused(records) == []


def test_stacks_that_are_not_asked_for_are_left_out(tmp_path: Path) -> None:
    records = _records(write_site(tmp_path, SITE), Selection(stacks=frozenset({"root"})))
    pages = [it for it in records if isinstance(it, Page)]
    assert [it.stacks for it in pages] == [(("root",), ("root",)), (("root",),)]
    assert [it for it in records if isinstance(it, Tag)] == [
        Tag("develop", ("root",)),
        Tag("v1", ()),
    ]


def test_a_part_of_a_page_that_no_style_can_tell_has_todays_style(tmp_path: Path) -> None:
    odd = page("develop", "hdf5", [item(1, more=1), item(2, stacks=["hep"])])
    path = write_site(tmp_path, {"specs.md": odd})
    whole = next(it for it in _records(path) if isinstance(it, Page))
    part = next(
        it for it in _records(path, Selection(stacks=frozenset({"hep"}))) if isinstance(it, Page)
    )
    assert whole.text == odd
    assert (part.text, part.style, len(part.specs)) == (None, TODAY, 1)


def test_what_is_wrong_with_pages_that_are_not_asked_for_is_not_told(tmp_path: Path) -> None:
    wrong = page("v1", "zlib", [item(1, size="big")], meta={"num_specs": 5})
    files = {**SITE, place_of("v1", "zlib"): wrong, "other/specs.md": wrong}
    files[place_of("v1", "broken")] = b"broken"
    path = write_site(tmp_path, files)
    assert len(_refused(_records(path))) == 3
    for selection in (
        Selection(tags=frozenset({"develop"})),
        Selection(packages=frozenset({"hdf5"})),
    ):
        assert not [it for it in _records(path, selection) if isinstance(it, Problem)]


def test_one_bad_page_does_not_hide_the_others(tmp_path: Path) -> None:
    files = {
        **SITE,
        place_of("develop", "broken"): b"---\nmeta: [\n---",
        place_of("develop", "old"): b"---\ncategory: package\nspec_names: [a]\n---",
        "_data/tags.yaml": b"{}",
    }
    expected = [
        (
            "_cache/develop/broken/specs.md",
            "line 3, column 1: not YAML: did not find expected node content",
        ),
        (
            "_cache/develop/old/specs.md",
            "a page of the site's 2021 format (category: package, spec_names), which lists no"
            " binaries; build from the pages below _cache/<tag>/ instead",
        ),
        ("_data/tags.yaml", "not a list of tags and stacks: the file is not a list"),
    ]
    folder = _records(write_site(tmp_path / "site", files))
    archive = _records(_zip(tmp_path / "site.zip", files))
    for records in (folder, archive):
        assert _refused(records) == expected
        assert len(_pages(records)) == 3


def test_files_with_similar_names_are_others(tmp_path: Path) -> None:
    names = ["a/xspecs.md", "a/specs.md.bak", "SPECS.MD", "x_data/tags.yaml", "_data/tags.yaml.x"]
    records = _records(write_site(tmp_path, {**dict.fromkeys(names, HDF5), "specs.md": ZLIB}))
    assert _pages(records) == [("specs.md", "develop", "zlib", 1)]
    assert not any(isinstance(it, Tag) for it in records)


def test_nothing_to_read(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    other = write_site(tmp_path / "other", {"README.md": b"", ".git/specs.md": HDF5})
    help_ = "name a clone of the site, its _cache folder, or a build cache"
    for folder, what in ((empty, "an empty folder"), (other, "no page (specs.md) at any depth")):
        for read in (_records, lambda path: list(page_files(path))):
            with pytest.raises(SourceError) as caught:
                read(folder)
            assert str(caught.value) == f"{folder}: {what}; {help_}"
    old = b"---\ntitle: a\nlayout: cache\ncategory: package\nspec_files: []\n---"
    first = write_site(tmp_path / "2021", {"README.md": b"", "_cache/adiak/index.md": old})
    with pytest.raises(SourceError) as caught:
        _records(first)
    assert str(caught.value) == (
        f"{first}: pages of the site's 2021 format (_cache/adiak/index.md), which list no"
        " binaries; name a newer clone of the site"
    )
    with pytest.raises(SourceError, match="cannot be read: No such file or directory"):
        _records(tmp_path / "missing")
    archive = _zip(tmp_path / "a.zip", {"README.md": b""})
    assert _refused(_records(archive)) == [("a.zip", "an archive without a page (specs.md) in it")]
    with pytest.raises(SourceError, match=r"an archive without a page \(specs.md\) in it"):
        list(page_files(archive))


@pytest.mark.parametrize(
    "place",
    [
        "build_cache/index.json",
        "m/v3/manifests/index/index.manifest.json",
        "./m/v3/manifests/index/stacks/e4s/index.manifest.json",
        "bucket/cache_spack_io_index.json",
    ],
)
def test_a_build_cache_in_an_archive(tmp_path: Path, place: str) -> None:
    for archive in (
        _zip(tmp_path / "a", {"README.md": b"", place: b"{}"}),
        _tar(tmp_path / "b", {"README.md": b"", place: b"{}"}),
    ):
        assert _refused(_records(archive)) == [
            (
                archive.name,
                "archives of build caches are not supported; unpack it and name the folder",
            )
        ]


def test_a_damaged_archive_gives_what_comes_before(tmp_path: Path) -> None:
    path = _tar(tmp_path / "site.tar", SITE)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(OLD) + 100])
    records = _records(path)
    assert [found[1:3] for found in _pages(records)] == [("develop", "hdf5"), ("develop", "zlib")]
    assert _refused(records) == [("site.tar", "damaged archive: unexpected end of data")]


def test_what_nobody_may_read(open_folder: Path) -> None:
    write_site(open_folder, SITE)
    (open_folder / place_of("v1", "hdf5")).chmod(0)
    with as_nobody():
        records = _records(open_folder)
        with pytest.raises(SourceError, match=r"hdf5/specs.md: cannot be read: Permission denied"):
            list(page_files(open_folder))
    assert _refused(records) == [(place_of("v1", "hdf5"), "cannot be read: Permission denied")]
    assert [found[1:3] for found in _pages(records)] == [("develop", "hdf5"), ("develop", "zlib")]


def test_places_that_no_terminal_should_see(tmp_path: Path) -> None:
    name = os.fsdecode(b"a\n\x1b\xff")
    records = _records(write_site(tmp_path, {f"{name}/specs.md": HDF5, f"{name}/b/specs.md": b""}))
    shown = r"a\n\x1b\udcff"
    assert records[0] == Source("pages", shown, parts=2)
    assert _pages(records) == [(f"{shown}/specs.md", "develop", "hdf5", 2)]
    assert [place for place, _ in _refused(records)] == [f"{shown}/b/specs.md"]
    (tmp_path / name / "c").symlink_to(tmp_path)
    assert _refused(_records(tmp_path / name))[0][0] == "c"
    lone = tmp_path / f"{name}.md"
    lone.write_bytes(b"")
    records = _records(lone)
    assert (records[0], _refused(records)[0][0]) == (
        Source("pages", f"{shown}.md", 1),
        f"{shown}.md",
    )


def test_files_to_compare_with(tmp_path: Path) -> None:
    folder = write_site(tmp_path / "site", SITE)
    pages = {place: data for place, data in SITE.items() if place.endswith("specs.md")}
    for path in (folder, _zip(tmp_path / "a.zip", SITE), _tar(tmp_path / "a.tar", SITE)):
        assert {file.place: file.data for file in page_files(path)} == pages
    lone = folder / place_of("v1", "hdf5")
    assert [(file.place, file.data) for file in page_files(lone)] == [(place_of("v1", "hdf5"), OLD)]
