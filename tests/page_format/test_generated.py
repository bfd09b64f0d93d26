"""Pages read by pattern: the same as by JSON and YAML, or not read at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.page_format.generated import GeneratedPages
from etl.page_format.style import EXACT_COMPILERS, TODAY
from etl.page_format.yaml_text import PageError
from etl.records import Page, Problem
from etl.sources.page import PageReader
from tests.sites import SEED, SEED_PLACES, front_matter, item, page

ROCBLAS = (SEED / "_cache/develop-2025-03-30/rocblas/specs.md").read_bytes()
MARKS = "\\\"'[]{}:,@=~+-0129e \n\r\t\0\x7fäz"


def _otherwise(data: bytes) -> tuple[Page, list[Problem]] | str:
    """The page as it is read without the pattern, or why it is refused."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GeneratedPages, "read", lambda self, data: None)
        return _read(data)


def _read(data: bytes) -> tuple[Page, list[Problem]] | str:
    try:
        return PageReader().read("_cache/develop/hdf5/specs.md", data)
    except PageError as error:
        return str(error)


@pytest.mark.parametrize("place", SEED_PLACES)
def test_real_pages(place: str) -> None:
    data = (SEED / place).read_bytes()
    assert (GeneratedPages().read(data) is None) == ("v0.20.1" in place)  # which has tarballs
    assert _read(data) == _otherwise(data)


def test_all_real_pages_without_tarballs(real_data: Path) -> None:
    reader = GeneratedPages()
    pages = [it.read_bytes() for it in sorted((real_data / "pages").rglob("specs.md"))]
    assert len(pages) > 100
    left = [data for data in pages if reader.read(data) is None]
    assert all(b'"tarball"' in data or b"spec_details: []" in data for data in left)


@pytest.mark.parametrize("changes", [{}, {"size": 5}, {"size": 2**63 - 1}, {"variants": []}])
def test_what_it_reads(changes: dict[str, Any]) -> None:
    data = page("develop", "hdf5", [item(1, **changes), item(2, **changes)])
    found = GeneratedPages().read(data)
    assert found is not None
    assert (found.tag, found.package) == ("develop", "hdf5")
    assert Page("_cache/develop/hdf5/specs.md", *found) == _otherwise(data)[0]


@pytest.mark.parametrize("era", ["exact", "today"])
def test_the_style_of_its_era(era: Any) -> None:
    found = GeneratedPages().read(page("develop", "hdf5", [item(1)], era))
    assert found is not None
    assert found.style == (TODAY if era == "today" else EXACT_COMPILERS)


def test_lists_of_both_eras_on_one_page() -> None:
    data = page("develop", "hdf5", [item(1), item(2, variants=["libs=shared,static"])])
    found = GeneratedPages().read(data)
    assert found is not None
    assert (found.style, [it.variants[-1] for it in found.specs]) == (
        TODAY,
        ["libs:=shared,static", "libs=shared,static"],
    )
    assert _read(data) == _otherwise(data)


def test_a_variant_may_be_escaped() -> None:
    flags = 'cflags="-O2 \u00e4"'
    found = GeneratedPages().read(page("develop", "hdf5", [item(1, variants=[flags])]))
    assert found is not None
    assert found.specs[0].variants == (flags,)


ODD = {
    "hash twice": page("develop", "hdf5", [item(1), item(1)]),
    "another summary": page("develop", "hdf5", [item(1)], meta={"num_specs": 2}),
    "nothing on it": page("develop", "hdf5", []),
    "size too large": page("develop", "hdf5", [item(1, size=2**63)]),
    "size of the second alone": page("develop", "hdf5", [item(1), item(2, size=5)]),
    "size with zeros": page("develop", "hdf5", [item(1, size=57)]).replace(b": 57", b": 057"),
    "version that is empty": page("develop", "hdf5", [item(1, versions=[""])]),
    "two versions": page("develop", "hdf5", [item(1, versions=["1", "2"])]),
    "tab": page("develop", "hdf5", [item(1, os="a\tb")]),
    "backslash": page("develop", "hdf5", [item(1, os="a\\")]),
    "escaped otherwise": page("develop", "hdf5", [item(1)]).replace(b'"~ipo"', b'"\\u007eipo"'),
    "variant that is a number": page("develop", "hdf5", [item(1, variants=[5])]),
    "variant that is empty": page("develop", "hdf5", [item(1, variants=[""])]),
    "stack twice": page("develop", "hdf5", [item(1, stacks=["e4s", "e4s"])]),
    "stack that is a path": page("develop", "hdf5", [item(1, stacks=["../e4s"])]),
    "bracket": page("develop", "hdf5", [item(1, variants=["a=[b]"])]),
    "another key": page("develop", "hdf5", [item(1, more="x")]),
    "key twice": page("develop", "hdf5", [item(1)]).replace(b'{"comp', b'{"os": "x", "comp'),
    "compiler of both eras": page("develop", "hdf5", [item(1), item(2, compiler="gcc@=1")]),
    "compiler with its old name": page("develop", "hdf5", [item(1, compiler="oneapi@1")]),
    "no ASCII": page("develop", "hdf5", [item(1)]).replace(b"~ipo", "~ipö".encode()),
    "no UTF-8": page("develop", "hdf5", [item(1)]).replace(b"~ipo", b"~ip\xff"),
    "carriage returns": page("develop", "hdf5", [item(1)]).replace(b"\n", b"\r\n"),
    "line feed at the end": page("develop", "hdf5", [item(1)]) + b"\n",
    "another key of the page": page("develop", "hdf5", [item(1)]).replace(
        b"---\nt", b"---\na: 1\nt"
    ),
    "odd package": page("develop", "../hdf5", [item(1)]),
    "odd tag": page("../develop", "hdf5", [item(1)]),
    "cut off": ROCBLAS[:-500],
    "nothing": b"",
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_what_is_odd_is_read_otherwise(data: bytes) -> None:
    assert GeneratedPages().read(data) is None
    assert _read(data) == _otherwise(data)


def test_an_odd_value_is_odd_whenever_it_comes() -> None:
    reader = GeneratedPages()
    for _ in range(2):
        assert reader.read(ODD["tab"]) is None
        assert reader.read(ROCBLAS) is not None


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_change_is_read_alike(data: st.DataObject) -> None:
    text = page("develop", "hdf5", [item(1), item(2, size=data.draw(st.sampled_from(["-", 7])))])
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 12)))
    other = data.draw(st.text(MARKS, max_size=3)).encode()
    changed = text[:start] + other + text[end:]
    assert _read(changed) == _otherwise(changed)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.text(MARKS + "ab", max_size=5), min_size=1, max_size=3), st.data())
def test_any_texts_are_read_alike(texts: list[str], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(["compiler", "os", "target", "variants", "stacks", "versions"]))
    value = texts if key in ("variants", "stacks", "versions") else texts[0]
    written = page("develop", "hdf5", [item(1, **{key: value})])
    assert _read(written) == _otherwise(written)
    loose = front_matter("develop", "hdf5", "{}", json.dumps([item(1, **{key: value})]))
    assert _read(loose) == _otherwise(loose)
