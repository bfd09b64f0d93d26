"""``_data/tags.yaml``, and the names that packages, tags and stacks can have."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.page_format.names import is_hash, is_name, is_tag
from etl.page_format.tags import MAX_TAG_LIST_BYTES, read_tag_list
from etl.page_format.yaml_text import PageError
from etl.records import Tag


@pytest.mark.parametrize(
    "text",
    [
        "- name: develop\n  stacks:\n  - e4s\n  - root\n- name: v1.10\n  stacks: []\n",
        "- name: develop\r\n  stacks: [e4s, root]\r\n- name: 'v1.10'\r\n  stacks: []\r\n",
        '\ufeff[{"name": "develop", "stacks": ["e4s", "root"]}, {"stacks": [], "name": "v1.10"}]',
        "# tags\n- {name: develop, stacks: [e4s, root], more: 1}\n- {name: v1.10, stacks: []}",
    ],
)
def test_ways_to_write_the_list(text: str) -> None:
    tags = [Tag("develop", ("e4s", "root")), Tag("v1.10", ())]
    assert read_tag_list(text.encode()) == tags


def test_the_real_list(real_data: Path) -> None:
    tags = read_tag_list((real_data / "pages" / "_data" / "tags.yaml").read_bytes())
    assert tags[0] == Tag("develop-2024-11-17", ("build_systems", "root", "tutorial"))
    assert [tag.name for tag in tags] == ["develop-2024-11-17", "develop-2025-07-20", "v2025.07.0"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is not a list"),
        (b"name: develop\n", "the file is not a list"),
        (b"- develop\n", "entry 0 has no name that a tag can have"),
        (b"- stacks: [a]\n", "entry 0 has no name that a tag can have"),
        (
            b"- {name: a, stacks: []}\n- {name: '../a', stacks: []}\n",
            "entry 1 has no name that a tag can have",
        ),
        (b"- {name: [a], stacks: []}\n", "entry 0 has no name that a tag can have"),
        (b"- {name: a}\n", "the stacks of a are not a list of names"),
        (b"- {name: a, stacks: root}\n", "the stacks of a are not a list of names"),
        (b"- {name: a, stacks: ['x y']}\n", "the stacks of a are not a list of names"),
        (b"- {name: a, stacks: [[x]]}\n", "the stacks of a are not a list of names"),
        (b"- [\n", "line 2, column 1: not YAML: did not find expected node content"),
        (b"- &a [*a]\n", "line 1: YAML aliases (*a) are not read"),
        (b"[" * 100_000, "line 1: values are nested more than 20 deep"),
        (b"\xff", "not UTF-8 text: byte 0 is 0xff"),
        (b"#" * (MAX_TAG_LIST_BYTES + 1), "more than 1,048,576 bytes"),
    ],
)
def test_refused(data: bytes, message: str) -> None:
    with pytest.raises(PageError) as caught:
        read_tag_list(data)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "name", ["hdf5", "py-torch", "_compilers", "3proxy", "e4s-neoverse-v2", "v1.0+x", "A"]
)
def test_names(name: str) -> None:
    assert is_name(name)
    assert is_tag(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".git", "-x", "a b", "a/b", "a\n", "é", "a\0", "x" * 201, None, 1, ["a"]],
)
def test_what_is_no_name(name: object) -> None:
    assert not is_name(name)


@pytest.mark.parametrize("tag", ["releases/v0.20", "a/b/c"])
def test_tags_may_have_parts(tag: str) -> None:
    assert is_tag(tag)


@pytest.mark.parametrize(
    "tag", ["", "/", "/a", "a/", "a//b", "a/../b", "..", "a/" * 150 + "a", None]
)
def test_what_is_no_tag(tag: object) -> None:
    assert not is_tag(tag)


@given(st.text("ab./-_\\ \n", max_size=6))
def test_a_tag_never_leads_out_of_a_folder(text: str) -> None:
    if is_tag(text):
        assert Path("/a", text).resolve().is_relative_to("/a")
        assert not set(text) & set(" \n\0\\")


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("ys5ppjjmlmmkzxbno725r7e2xi7hzy5x", True),
        ("ys5ppjjmlmmkzxbno725r7e2xi7hzy5x\n", False),
        ("ys5ppjjmlmmkzxbno725r7e2xi7hzy5", False),
        ("ys5ppjjmlmmkzxbno725r7e2xi7hzy51", False),
        (None, False),
    ],
)
def test_hashes(text: object, yes: bool) -> None:
    assert is_hash(text) is yes
