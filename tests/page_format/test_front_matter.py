"""Front matter: the JSON fast path and YAML give the same values, and hostile pages an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from etl.page_format import front_matter
from etl.page_format.front_matter import MAX_PAGE_BYTES, FrontMatter, read_front_matter
from etl.page_format.yaml_text import PageError
from tests.sites import SEED, SEED_PLACES, item, page
from tests.sites import front_matter as written

ROCBLAS = (SEED / "_cache/develop-2025-03-30/rocblas/specs.md").read_bytes()


def _values(data: bytes) -> tuple[str | None, str | None, object, object]:
    front = read_front_matter(data)
    return front.package, front.tag, front.details, front.decode_meta()


def _as_block(data: bytes) -> bytes:
    """The same page in YAML's block style."""
    values = next(yaml.safe_load_all(data.decode()))
    return f"---\n{yaml.safe_dump(values, allow_unicode=True)}---\n".encode()


def test_a_generated_page_is_taken_apart_without_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_matter, "load_yaml", None)
    front = read_front_matter(ROCBLAS)
    assert (front.package, front.tag) == ("rocblas", "develop-2025-03-30")
    assert isinstance(front.details, list)
    assert front.details[1] == {
        "compiler": "gcc@11.4.0",
        "hash": "ys5ppjjmlmmkzxbno725r7e2xi7hzy5x",
        "os": "ubuntu22.04",
        "platform": "linux",
        "size": "-",
        "stacks": ["e4s", "root"],
        "target": "x86_64_v3",
        "variants": [
            "amdgpu_target:=auto", "~asan", "build_system=cmake", "build_type=Release",
            "generator=make", "~ipo", "+tensile",
        ],
        "versions": ["6.3.2"],
    }  # fmt: skip
    assert front.decode_meta() == {
        "compilers": ["gcc@11.4.0", "gcc@13.2.0"],
        "num_specs": "2",
        "num_specs_by_stack": {"e4s": "1", "ml-linux-x86_64-rocm": "1", "root": "2"},
        "oss": ["ubuntu22.04", "ubuntu24.04"],
        "platforms": ["linux"],
        "stacks": ["e4s", "ml-linux-x86_64-rocm", "root"],
        "targets": ["x86_64_v3"],
        "versions": ["6.1.2", "6.3.2"],
    }


@pytest.mark.parametrize("place", SEED_PLACES)
def test_block_style_gives_the_same_values(place: str) -> None:
    data = (SEED / place).read_bytes()
    assert _values(_as_block(data)) == _values(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data + b"\n",
        lambda data: data + b"\r\n",
        lambda data: data + b"\n\nA text below, with a line\n---\nof its own.\n",
        lambda data: data.replace(b"\n---", b"\n---  "),
        lambda data: data.replace(b"layout: cache\n", b""),
        lambda data: data.replace(b"layout: cache\n", b"layout: cache\nauthor: {a: [b]}\n"),
        lambda data: data.replace(b"layout: cache\n", b"# a comment\n\nlayout: cache\n"),
        lambda data: data.replace(b"layout: cache", b"layout:   'cache'"),
        lambda data: data.replace(b'"rocblas"', b"rocblas"),
        lambda data: data.replace(b'"rocblas"', b"'rocblas'  # the package"),
        lambda data: data.replace(b"[package, ", b"[ 'package',\n   "),
        lambda data: data.replace(b"spec_details: ", b"spec_details:   "),
        lambda data: data.replace(b"spec_details: ", b"spec_details:\n  "),
        lambda data: data.replace(b"]\n---", b"]  # all of them\n---"),
        lambda data: data.replace(b'["6.1.2", "6.3.2"]}', b'["6.1.2", "6.3.2"]} # summary'),
        lambda data: data.replace(b'{"compilers": ', b"{compilers: "),
        lambda data: data.replace(b"}, {", b"},\n  {"),
        lambda data: data.replace(b"meta: ", b'"meta": '),
        lambda data: b"---\n" + b"\n".join(sorted(data.split(b"\n")[1:-1])) + b"\n---",
        lambda data: b"---\n" + b"\n".join(sorted(data.split(b"\n")[1:-1])[::-1]) + b"\n---",
    ],
)
def test_ways_to_write_the_same_page(change: Callable[[bytes], bytes]) -> None:
    changed = change(ROCBLAS)
    assert changed != ROCBLAS
    assert _values(changed) == _values(ROCBLAS)


@pytest.mark.parametrize("indent", [None, 2])
def test_json_in_a_text_is_decoded(indent: int | None) -> None:
    details = json.dumps([item(1)], indent=indent)
    block = "\n".join(f"  {line}" for line in details.split("\n"))
    data = f"---\ntitle: a\ncategories: [package, b]\nspec_details: |\n{block}\n---".encode()
    assert _values(data) == ("a", "b", [item(1)], None)
    quoted = json.dumps(details)
    data = f"---\ntitle: a\ncategories: [package, b]\nspec_details: {quoted}\n---".encode()
    assert _values(data) == ("a", "b", [item(1)], None)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("1.10", "1.10"),
        ("1", "1"),
        ("1e3", "1e3"),
        ("-7", "-7"),
        ("007", "007"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("2025-03-30", "2025-03-30"),
        ("9" * 5000, "9" * 5000),
        ("NaN", "NaN"),
        ("no", "no"),
        ("on", "on"),
        ("~ipo", "~ipo"),
        ("null", None),
        ("true", True),
        ("false", False),
        ('"null"', "null"),
        ('"true"', "true"),
        (r'"\u00e9\ud83d\ude00"', "é😀"),
        (r'"a\/b\"\\\t"', 'a/b"\\\t'),
    ],
)
def test_scalars_are_what_stands_there(value: str, read: object) -> None:
    for line in (f'[{{"size": {value}}}]', f'[ {{"size": {value}}} ]'):
        front = read_front_matter(written("b", "a", "{}", line))
        assert front.details == [{"size": read}]
        front = read_front_matter(written("b", "a", "{}", line).replace(b"layout", b"other: x\nl"))
        assert front.details == [{"size": read}]


def test_empty_values_of_block_style_are_none() -> None:
    text = "---\ntitle: a\ncategories: [package, b]\nspec_details:\n- os:\n  stacks: ~\n---"
    assert _values(text.encode()) == ("a", "b", [{"os": None, "stacks": None}], None)


def test_the_last_of_two_equal_keys_counts_on_both_paths() -> None:
    twice = written("b", "a", "{}", "[]").replace(b"\n---", b'\nspec_details: [{"a": "b"}]\n---')
    assert read_front_matter(twice).details == [{"a": "b"}]
    block = written("b", "a", "{}", "[]").replace(b"\n---", b"\nspec_details:\n- a: b\n---")
    assert read_front_matter(block).details == [{"a": "b"}]


def test_a_line_inside_a_text_is_not_a_value() -> None:
    inside = b'---\ntitle: a\nnote: "\nspec_details: []\n"\nspec_details:\n- a: b\n---'
    assert read_front_matter(inside).details == [{"a": "b"}]


# PyYAML reads neither control characters nor the escapes of pairs of surrogates.
_TEXT = st.text(st.characters(max_codepoint=0xFFFD, exclude_categories=["Cs", "Cc"]), max_size=8)
_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=15,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.dictionaries(_TEXT, _JSON, max_size=3), max_size=4))
def test_any_json_is_the_same_on_both_paths(details: list[dict[str, object]]) -> None:
    text = json.dumps(details)
    generated = read_front_matter(written("b", "a", "{}", text)).details
    extra_key = written("b", "a", "{}", text).replace(b"layout", b"more: [x]\nlayout")
    assert read_front_matter(extra_key).details == generated
    by_yaml = written("b", "a", "{}", text).replace(b"spec_details: ", b"spec_details:\n  ")
    assert read_front_matter(by_yaml).details == generated


@given(st.binary(max_size=200) | st.binary(max_size=100).map(lambda data: b"---\n" + data))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        assert isinstance(read_front_matter(data + b"\n---\n"), FrontMatter)
    except PageError as error:
        assert str(error)  # noqa: PT017 - either is right


REFUSED = {
    "an empty file": (b"", "no front matter: a page begins with a line ---"),
    "a web page": (b"<html>", "no front matter: a page begins with a line ---"),
    "not only dashes": (b"---a\n---\n", "no front matter: a page begins with a line ---"),
    "no end": (b"---\ntitle: a\n", "the front matter has no end: a second line --- is missing"),
    "no UTF-8": (b"---\ntitle: \xff\n---\n", "not UTF-8 text: byte 11 is 0xff"),
    "UTF-16": ("---\n".encode("utf-16"), "not UTF-8 text: byte 0 is 0xff"),
    "not YAML": (
        b"---\ntitle: a\nmeta: [\n---\n",
        "line 4, column 1: not YAML: did not find expected node content",
    ),
    "a tab": (
        b"---\n\ttitle: a\n---\n",
        "line 2, column 1: not YAML: found character that cannot start any token",
    ),
    "NUL": (
        b"---\ntitle: \0\n---\n",
        "not YAML: unacceptable character #x0000: control characters are not allowed",
    ),
    "nothing": (b"---\n---\n", "the front matter is not a mapping of keys to values"),
    "a text": (b"---\nhello\n---\n", "the front matter is not a mapping of keys to values"),
    "a list": (b"---\n- a\n---\n", "the front matter is not a mapping of keys to values"),
    "another page": (b"---\ntitle: a\n---\n", "no spec_details: this is not a page of binaries"),
    "a list as a key": (
        b"---\n? [a]\n: b\n---\n",
        "line 2, column 3: not YAML: expected a scalar node, but found sequence",
    ),
    "two documents": (
        b"---\ntitle: a\n...\nspec_details: []\n---\n",
        "line 4, column 1: not YAML: did not find expected <document start>",
    ),
    "broken JSON in a text": (
        b"---\nspec_details: '[{]'\n---\n",
        "spec_details is not JSON: Expecting property name enclosed in double quotes:"
        " line 1 column 3 (char 2)",
    ),
    "deep JSON in a text": (
        b"---\nspec_details: '" + b"[" * 100_000 + b"'\n---\n",
        "spec_details is nested too deeply",
    ),
    "an alias": (
        b"---\na: &a [x]\nspec_details: *a\n---\n",
        "line 3: YAML aliases (*a) are not read",
    ),
    "an alias of itself": (b"---\na: &a [*a]\n---\n", "line 2: YAML aliases (*a) are not read"),
    "a billion laughs": (
        b"---\na: &a [x, x]\n"
        + b"".join(b"%c: &%c [*%c, *%c]\n" % (n, n, n - 1, n - 1) for n in range(98, 123))
        + b"spec_details: *z\n---\n",
        "line 3: YAML aliases (*a) are not read",
    ),
    "deep JSON": (
        written("b", "a", "{}", '[{"x": ' + "[" * 100_000 + "]" * 100_000 + "}]"),
        "line 6: values are nested more than 20 deep",
    ),
    "brackets": (
        written("b", "a", "{}", "[" * 100_000),
        "line 6: values are nested more than 20 deep",
    ),
    "braces": (
        b"---\ntitle: a\nb: " + b"{a: " * 100_000 + b"\n---\n",
        "line 3: values are nested more than 20 deep",
    ),
    "dashes": (
        b"---\n" + b"- " * 100_000 + b"\n---\n",
        "line 2: values are nested more than 20 deep",
    ),
    "indents": (
        b"---\n" + b"".join(b" " * n + b"a:\n" for n in range(3_000)) + b"---\n",
        "line 22: values are nested more than 20 deep",
    ),
    "a crowd": (
        b"---\nspec_details: [" + b"a," * 600_000 + b"]\n---\n",
        "more than 500,000 values, too many for a page",
    ),
    "too large": (
        b"---\na: &a [x,x]\n" + b"b: [*a,*a]\n" * (MAX_PAGE_BYTES // 11),
        "16,777,227 bytes are more than a page can have (16,777,216); not read",
    ),
}


@pytest.mark.parametrize(("data", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(data: bytes, message: str) -> None:
    with pytest.raises(PageError) as caught:
        read_front_matter(data)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "data",
    [
        b'---\ntitle: "a"\ncategory: package\nspec_names: [zlib@1.2.11 arch=linux]\n---\n',
        b"---\ncategory: package\n---\n",
        b"---\ntitle: a\nspec_files:\n- a.spec.yaml\nspec_details: []\n---\n",
        # As they really were: keys of more than the 1,024 characters that YAML readers allow.
        b'---\nlayout: cache\nspec_files: \n - "adiak@0.1.1%gcc@9.3.0'
        + b" ^libiconv@1.16%gcc@9.3.0 arch=linux-ubuntu20.04-x86_64" * 30
        + b'": spec-0.json\n---',
    ],
)
def test_pages_of_2021_are_told_what_they_are(data: bytes) -> None:
    with pytest.raises(PageError, match=r"^a page of the site's 2021 format \(category: package"):
        read_front_matter(data)


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ("{a: [}", "meta: line 1, column 6: not YAML: did not find expected node content"),
        ('{"a": ' + "[" * 100_000 + "}", "meta: line 1: values are nested more than 20 deep"),
        ('{"a": *b}', "meta: line 1: YAML aliases (*b) are not read"),
    ],
)
def test_a_summary_that_cannot_be_read(meta: str, message: str) -> None:
    front = read_front_matter(written("b", "a", meta, "[]"))
    with pytest.raises(PageError) as caught:
        front.decode_meta()
    assert str(caught.value) == message


def test_tags_in_yaml_make_nothing() -> None:
    text = "---\nspec_details: !!python/object/apply:os.system [echo]\ntitle: !!int 5\n---\n"
    assert _values(text.encode()) == ("5", None, ["echo"], None)


@pytest.mark.parametrize(
    ("categories", "tag"),
    [
        ("[package, develop]", "develop"),
        ("[package, releases/v0.20]", "releases/v0.20"),
        ("[package, 1.10]", "1.10"),
        ("\n- package\n- develop", "develop"),
        ("[develop, package]", None),
        ("[package]", None),
        ("[package, a, b]", None),
        ("[package, [a]]", None),
        ("[package, null]", None),
        ("package", None),
    ],
)
def test_the_tag_is_the_second_category(categories: str, tag: str | None) -> None:
    text = f"---\ntitle: a\ncategories: {categories}\nspec_details: []\n---"
    assert read_front_matter(text.encode()).tag == tag


def test_pages_of_the_real_site_read_alike(real_data: Path) -> None:
    places = sorted((real_data / "pages").rglob("specs.md"), key=lambda path: path.stat().st_size)
    for path in places[:-30:12]:
        data = path.read_bytes()
        assert _values(_as_block(data)) == _values(data), path


def test_a_page_without_specs() -> None:
    assert _values(page("b", "a", []))[2] == []
