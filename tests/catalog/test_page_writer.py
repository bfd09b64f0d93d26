"""Every page comes back byte for byte, whatever its style and whatever contradicts it."""

from __future__ import annotations

import json
import random
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from etl.catalog.check import check_catalog
from etl.catalog.pages import PageWriter, export_pages
from etl.catalog.reader import open_catalog
from etl.errors import ReadError, WriteError
from etl.sources.selection import Selection
from tests.sites import (
    SEED,
    Era,
    Item,
    build,
    exported,
    front_matter,
    hash_of,
    item,
    page,
    pages_below,
    place_of,
    problems,
    rows,
    write_site,
)

ROCBLAS = (SEED / "_cache/develop-2025-03-30/rocblas/specs.md").read_bytes()
HASH_IN_TWO_PACKAGES = (
    "the build ends in sqlite3.DatabaseError: a failed CREATE UNIQUE INDEX is not rolled back"
    " without a journal; and packages.newest_version_id of the first pass is not reset"
)
ADIAK = (SEED / "_cache/v0.20.1/adiak/specs.md").read_bytes()


def _round_trip(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Build a catalog of these pages and see that it gives them back; returns the catalog."""
    catalog = folder / "catalog.db"
    build(catalog, write_site(folder / "site", files))
    found = exported(catalog)
    assert found.keys() == files.keys()
    for place, data in files.items():
        assert found[place] == data, place
    return catalog


def _texts(catalog: Path) -> int:
    """How many pages are kept whole because nothing else says how they are written."""
    return int(rows(catalog, "SELECT count(text) FROM pages")[0][0])


@pytest.mark.parametrize("folder", ["seed", "pages"])
def test_all_real_pages(tmp_path: Path, real_data: Path, folder: str) -> None:
    catalog = _round_trip(tmp_path, pages_below(real_data / folder))
    assert (_texts(catalog), problems(catalog)) == (0, [])


def test_real_pages_of_three_eras_together(tmp_path: Path) -> None:
    catalog = _round_trip(tmp_path, pages_below(SEED))
    assert (_texts(catalog), problems(catalog)) == (0, [])


def _json_values(change: Callable[[dict[str, Any], list[Item]], None]) -> Callable[[bytes], bytes]:
    """Change the decoded ``meta`` and ``spec_details`` of a page."""

    def changed(data: bytes) -> bytes:
        lines = data.decode().split("\n")
        meta, details = json.loads(lines[4][6:]), json.loads(lines[5][14:])
        change(meta, details)
        lines[4], lines[5] = f"meta: {json.dumps(meta)}", f"spec_details: {json.dumps(details)}"
        return "\n".join(lines).encode()

    return changed


def _first_item(**changes: Any) -> Callable[[bytes], bytes]:
    """Change the first item of a page."""
    return _json_values(lambda _, details: details[0].update(changes))


def _in_meta(**changes: Any) -> Callable[[bytes], bytes]:
    """Change the summary of a page."""
    return _json_values(lambda meta, _: meta.update(changes))


def _shuffle_keys(meta: dict[str, Any], details: list[Item]) -> None:
    generator = random.Random(2)
    for mapping in (meta, *details):
        pairs = list(mapping.items())
        generator.shuffle(pairs)
        mapping.clear()
        mapping.update(pairs)


def _reverse_keys(meta: dict[str, Any], details: list[Item]) -> None:
    for mapping in (meta, *details):
        pairs = list(mapping.items())[::-1]
        mapping.clear()
        mapping.update(pairs)


def _reverse_stacks(_: dict[str, Any], details: list[Item]) -> None:
    for it in details:
        it["stacks"].reverse()


def _set_sizes(_: dict[str, Any], details: list[Item]) -> None:
    for it in details:
        it["size"] = 7


def _shuffle_stacks(_: dict[str, Any], details: list[Item]) -> None:
    for it in details:
        random.Random(it["hash"]).shuffle(it["stacks"])


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "some CRLF": lambda data: data.replace(b"\n", b"\r\n", 3),
    "BOM": lambda data: b"\xef\xbb\xbf" + data,
    "a final newline": lambda data: data + b"\n",
    "a final CRLF": lambda data: data + b"\r\n",
    "two final newlines": lambda data: data + b"\n\n",
    "a text below": lambda data: data + b"\n# More\n\n---\n\nEven more.",
    "a blank after the end": lambda data: data + b" \n",
    "all of it": lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n") + b"\r\n",
    "keys in another order": _json_values(_reverse_keys),
    "keys in any order": _json_values(_shuffle_keys),
    "lines in another order": lambda data: b"\n".join(
        [b"---", *sorted(data.split(b"\n")[1:-1]), b"---"]
    ),
    "unknown keys": lambda data: data.replace(b"layout: cache", b"layout: cache\nauthor: [me]"),
    "unknown keys in items": _first_item(more=[1]),
    "unknown keys in meta": _in_meta(more=[1]),
    "a comment": lambda data: data.replace(b"layout: cache", b"# here\nlayout: cache"),
    "items in another order": _json_values(lambda _, details: details.reverse()),
    "stacks in another order": _json_values(_reverse_stacks),
    "stacks in any order": _json_values(_shuffle_stacks),
    "counts in another order": _json_values(
        lambda meta, _: meta.update(
            num_specs_by_stack=dict(reversed(meta["num_specs_by_stack"].items()))
        )
    ),
    "no stacks": _first_item(stacks=[]),
    "no variants": _first_item(variants=[]),
    "sizes": _first_item(size=12345),
    "a size as text": _first_item(size="12345"),
    "all sizes": _json_values(_set_sizes),
    "sizes that are missing": _json_values(lambda _, details: details[0].pop("size")),
    "a contradiction": _in_meta(num_specs=99),
    "no meta": lambda data: data.replace(b"meta: ", b"atem: "),
    "no specs": _json_values(lambda _, details: details.clear()),
    "a spec that is refused": _first_item(hash="x"),
    "a spec twice": _json_values(lambda _, details: details.append(details[0])),
    "both notations of compilers": _json_values(
        lambda _, details: details[0].update(compiler=details[0]["compiler"].replace("@", "@="))
    ),
    "old names without =": _first_item(compiler="oneapi@2024.2.1"),
    "no compiler": _first_item(compiler="none"),
    "both notations of lists": _first_item(variants=["a=b,c", "d:=e,f"]),
    "a lone quote": _first_item(variants=["a=it's", "+b"]),
    "blanks": _first_item(variants=["a=b c", "+b"]),
    "blanks in quotes": _first_item(variants=["a='b c'", "+b"]),
    "blanks at the ends": _first_item(variants=[" a", "b ", " "]),
    "backslashes": _first_item(variants=['a="b\\" c"', "a='\\'", "+b"]),
    "non-ASCII": _first_item(variants=["a=é日😀"], os="ü"),
    "non-ASCII as it is": lambda data: data.replace(b"ubuntu22.04", "übuntu".encode()),
    "other escapes": lambda data: data.replace(b"ubuntu22.04", b"\\u0075buntu22.04"),
    "no blanks": lambda data: data.replace(b'": ', b'":').replace(b", ", b","),
    "block style": lambda data: (
        f"---\n{yaml.safe_dump(next(yaml.safe_load_all(data.decode())))}---\n".encode()
    ),
    "versions without quotes": lambda data: re.sub(
        rb'"versions": \["([0-9.]+)"\]', rb'"versions": [\1]', data
    ),
    "odd versions": _first_item(versions=["git.main=1.0 x'y\""]),
}


@pytest.mark.parametrize(
    "place", ["develop-2025-03-30/rocblas", "v0.20.1/adiak", "develop-2025-03-23/alquimia"]
)
@pytest.mark.parametrize("change", CHANGES)
def test_changed_pages(tmp_path: Path, place: str, change: str) -> None:
    files = pages_below(SEED)
    before = files[f"_cache/{place}/specs.md"]
    files[f"_cache/{place}/specs.md"] = CHANGES[change](before)
    _round_trip(tmp_path, files)


@pytest.mark.parametrize(
    "change",
    [
        "CRLF",
        "BOM",
        "a final newline",
        "all of it",
        "keys in another order",
        "items in another order",
    ],
)
def test_what_a_style_can_tell_is_not_kept_whole(tmp_path: Path, change: str) -> None:
    place = "_cache/develop-2025-03-30/rocblas/specs.md"
    catalog = _round_trip(tmp_path, {place: CHANGES[change](ROCBLAS)})
    assert _texts(catalog) == 0


@pytest.mark.parametrize("before", ["today", "exact", "tarballs"])
@pytest.mark.parametrize("after", ["today", "exact", "tarballs"])
def test_the_same_spec_in_two_eras(tmp_path: Path, before: Era, after: Era) -> None:
    items = [
        item(1, compiler="intel-oneapi-compilers@2024.2.1", variants=["libs:=a,b", "x=c", "+mpi"]),
        item(2, compiler="none", stacks=["root", "e4s"]),
    ]
    files = {
        place_of("develop-2025-01-01", "hdf5"): page("develop-2025-01-01", "hdf5", items, before),
        place_of("develop-2025-02-01", "hdf5"): page("develop-2025-02-01", "hdf5", items, after),
    }
    catalog = _round_trip(tmp_path, files)
    assert (_texts(catalog), problems(catalog)) == (0, [])
    assert rows(catalog, "SELECT hash, compiler, variants, tags FROM spec_list ORDER BY 1") == [
        (
            hash_of(1),
            "intel-oneapi-compilers@2024.2.1",
            "libs:=a,b x=c +mpi" if "today" in (before, after) else "libs=a,b x=c +mpi",
            2,
        ),
        (
            hash_of(2),
            "none",
            "build_system=cmake ~ipo libs"
            + (":=" if "today" in (before, after) else "=")
            + "shared,static",
            2,
        ),
    ]


@pytest.mark.parametrize("sizes", [("-", 5), (5, "-"), (5, 6), (5, 5), ("-", "-")])
def test_sizes_that_only_one_page_tells(tmp_path: Path, sizes: Sequence[object]) -> None:
    files = {
        place_of(tag, "hdf5"): page(tag, "hdf5", [item(1, size=size), item(2)])
        for tag, size in zip(("develop-2025-01-01", "develop-2025-02-01"), sizes, strict=True)
    }
    _round_trip(tmp_path, files)


@pytest.mark.parametrize(
    "change",
    [
        {"os": "rhel8"},
        {"compiler": "gcc@12"},
        {"target": "zen4"},
        {"platform": "darwin"},
        {"versions": ["2.0"]},
        {"variants": ["+x"]},
        {"variants": ["~ipo", "build_system=cmake", "libs:=shared,static"]},
        {"variants": ["build_system=cmake", "~ipo", "libs:=static,shared"]},
        {"variants": ["build_system=cmake", "~ipo", "libs=shared,static"]},
        {"variants": ["build_system='cmake'", "~ipo", "libs:=shared,static"]},
        {"stacks": ["root"]},
        {"size": 5},
    ],
)
@pytest.mark.parametrize("newest", [0, 1, 2])
def test_pages_that_disagree(tmp_path: Path, change: dict[str, Any], newest: int) -> None:
    tags = ["develop-2025-01-01", "develop-2025-02-01", "develop-2025-03-01"]
    files = {
        place_of(tag, "hdf5"): page(
            tag, "hdf5", [item(1), item(2, **(change if number == newest else {})), item(3)]
        )
        for number, tag in enumerate(tags)
    }
    _round_trip(tmp_path, files)


def test_a_hash_in_two_packages(tmp_path: Path) -> None:
    files = {
        place_of("develop", "hdf5"): page("develop", "hdf5", [item(1), item(2)]),
        place_of("v1.0", "zlib"): page("v1.0", "zlib", [item(2), item(3)]),
        place_of("v1.0", "alone"): page("v1.0", "alone", [item(1)]),
    }
    _round_trip(tmp_path, files)


def test_tags_with_parts(tmp_path: Path) -> None:
    tag = "releases/v0.20"
    files = {place_of(tag, "hdf5"): page(tag, "hdf5", [item(1)], "tarballs")}
    assert _texts(_round_trip(tmp_path, files)) == 0


def test_a_page_without_specs(tmp_path: Path) -> None:
    catalog = _round_trip(tmp_path, {place_of("develop", "hdf5"): page("develop", "hdf5", [])})
    assert rows(catalog, "SELECT name, binaries FROM packages") == [("hdf5", 0)]
    assert _texts(catalog) == 0


# Whole sites: few packages, tags and hashes, so that pages often share, and contradict, each other.

_VARIANTS = [
    "+mpi", "~mpi", "x=a", "x=a,b", "x:=a,b", "x:=b,a", "x='a b'", 'x="a,b"', "x=a b", "x=it's",
    "++mpi", "x==a", "x=", "é=😀", "b", "x:=*",
]  # fmt: skip
_ITEMS = st.fixed_dictionaries(
    {
        "hash": st.integers(0, 6).map(hash_of),
        "versions": st.sampled_from(["1.0", "1.10", "1.9", "develop"]).map(lambda text: [text]),
        "compiler": st.sampled_from(
            ["gcc@11", "gcc@12", "none", "intel-oneapi-compilers@2024", "oneapi@2024", "gcc@=11"]
        ),
        "os": st.sampled_from(["rhel8", "rhel9"]),
        "target": st.sampled_from(["zen4", "unheard_of"]),
        "variants": st.lists(st.sampled_from(_VARIANTS), max_size=3),
        "stacks": st.lists(st.sampled_from(["root", "e4s", "hep"]), unique=True),
        "size": st.sampled_from(["-", "-", "-", 5, 6]),
    }
)
_ENDS = st.sampled_from([b"", b"", b"\n", b"\r\n", b"\n\n"])


@st.composite
def _pages(draw: st.DrawFn, tag: str, package: str, shared: bool) -> bytes:
    found = draw(st.lists(_ITEMS, max_size=4, unique_by=lambda it: it["hash"]))
    items: list[Item] = [{**item(0), **it} for it in found]
    if not shared:
        items = [{**it, "hash": it["hash"].replace("h", package)} for it in items]
    if draw(st.booleans()):
        items.sort(key=lambda it: str(it["hash"]))
    era: Era = draw(st.sampled_from(("today", "exact", "tarballs")))
    meta = draw(st.sampled_from([{}, {}, {}, {"num_specs": 9}, {"more": 1}]))
    data = page(tag, package, items, era, meta=meta, mirror=draw(st.sampled_from(["a:", "b:"])))
    if draw(st.booleans()):
        data = data.replace(b"\n", draw(st.sampled_from([b"\n", b"\r\n"])))
        data = draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + data
    return data + draw(_ENDS)


@st.composite
def _sites(draw: st.DrawFn, shared: bool) -> dict[str, bytes]:
    tags = ["develop", "develop-2025-01-01", "v0.20"]
    places = st.sampled_from([(tag, package) for tag in tags for package in "ab"])
    chosen = draw(st.lists(places, min_size=1, unique=True))
    return {place_of(*place): draw(_pages(*place, shared)) for place in chosen}


def _is_sound(folder: Path, files: Mapping[str, bytes]) -> None:
    catalog = _round_trip(folder, files)
    with open_catalog(catalog) as db:
        assert list(check_catalog(db)) == []


_MANY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@_MANY
@given(_sites(shared=False))
def test_any_site(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    _is_sound(tmp_path_factory.mktemp("site"), files)


@_MANY
@given(_sites(shared=True))
@example(
    {
        place_of("develop", "a"): page("develop", "a", [item(1)]),
        place_of("develop", "b"): page("develop", "b", [item(1)]),
    }
)
def test_any_site_whose_packages_share_hashes(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    _is_sound(tmp_path_factory.mktemp("site"), files)


# Reading a catalog back.


def test_pages_are_written_where_the_site_has_them(tmp_path: Path) -> None:
    files = pages_below(SEED)
    build(tmp_path / "catalog.db", SEED)
    with open_catalog(tmp_path / "catalog.db") as db:
        paths = list(export_pages(db, tmp_path / "out"))
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in paths) == sorted(files)
    assert pages_below(tmp_path / "out") == files


def test_a_single_page(tmp_path: Path) -> None:
    build(tmp_path / "catalog.db", SEED)
    with open_catalog(tmp_path / "catalog.db") as db:
        writer = PageWriter(db)
        assert len(writer) == 6
        assert writer.page("v0.20.1", "adiak") == ADIAK
        assert writer.page("v0.20.1", "rocblas") is None
        assert writer.page("v0.20.1", "nothing") is None
        assert writer.page("nothing", "adiak") is None


@pytest.mark.parametrize("stack", ["e4s", "root", "hep"])
def test_a_part_of_the_site_is_written_as_pages_of_that_part(tmp_path: Path, stack: str) -> None:
    items = [item(1), item(2, stacks=["hep", "root"]), item(3, stacks=["hep"])]
    site = write_site(
        tmp_path / "site",
        {
            place_of("develop", "hdf5"): page("develop", "hdf5", items),
            place_of("develop", "odd"): page("develop", "odd", [item(4, stacks=[stack], more=1)]),
        },
    )
    build(tmp_path / "catalog.db", site, selection=Selection(stacks=frozenset({stack})))
    kept = [{**it, "stacks": [stack]} for it in items if stack in it["stacks"]]
    assert exported(tmp_path / "catalog.db") == {
        place_of("develop", "hdf5"): page("develop", "hdf5", kept),
        place_of("develop", "odd"): page("develop", "odd", [item(4, stacks=[stack])]),
    }


def _damaged(folder: Path, statement: str) -> Path:
    catalog = folder / "catalog.db"
    site = {place_of("develop", "hdf5"): page("develop", "hdf5", [item(1, more=1), item(2)])}
    build(catalog, write_site(folder / "site", {**site, **pages_below(SEED)}))
    with closing(sqlite3.connect(catalog)) as db:
        db.execute(statement)
        db.commit()
    return catalog


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE pages SET text = x'00' WHERE text NOTNULL", "of hdf5 in develop is damaged"),
        ("UPDATE pages SET text = 'a' WHERE text NOTNULL", "of hdf5 in develop is damaged"),
        ("UPDATE page_styles SET style = '{}' WHERE id = 1", "page styles or variants are damaged"),
        ("UPDATE page_styles SET style = 'a' WHERE id = 1", "page styles or variants are damaged"),
        ("UPDATE page_styles SET style = '[]' WHERE id = 1", "page styles or variants are damaged"),
        ("UPDATE variant_sets SET variants = x'00'", "page styles or variants are damaged"),
        ("UPDATE specs SET variant_set_id = 99999", "in v0.20.1 is damaged"),
        ("UPDATE pages SET style_id = 99999", "is damaged"),
        (
            """UPDATE page_styles SET style = json_set(style, '$.item_keys[0]', 'more')""",
            "is damaged",
        ),
        ("DROP TABLE page_styles", "no such table: page_styles"),
    ],
)  # fmt: skip
def test_a_catalog_that_was_tampered_with(tmp_path: Path, statement: str, message: str) -> None:
    catalog = _damaged(tmp_path, statement)
    with pytest.raises(ReadError) as caught, open_catalog(catalog) as db:
        list(PageWriter(db).pages())
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["../../../up", "/etc", "a/b", ".", ""])
def test_names_from_a_catalog_do_not_lead_elsewhere(tmp_path: Path, name: str) -> None:
    catalog = _damaged(tmp_path, f"UPDATE packages SET name = '{name}' WHERE name = 'adiak'")
    with (
        pytest.raises(WriteError, match="not names that a folder can have"),
        open_catalog(catalog) as db,
    ):
        list(export_pages(db, tmp_path / "out"))


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    build(tmp_path / "catalog.db", SEED)
    (tmp_path / "out").write_bytes(b"")
    with (
        pytest.raises(WriteError, match=r"specs.md: cannot be written: Not a directory$"),
        open_catalog(tmp_path / "catalog.db") as db,
    ):
        list(export_pages(db, tmp_path / "out"))


def test_an_address_of_another_kind_is_no_style(tmp_path: Path) -> None:
    details = json.dumps([{**item(1), "tarball": "https://a/b.spack"}])
    _round_trip(
        tmp_path, {place_of("develop", "hdf5"): front_matter("develop", "hdf5", "{}", details)}
    )
