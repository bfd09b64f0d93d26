"""One page: its specs, whatever the notation, and what contradicts itself or is refused on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from etl.page_format.yaml_text import PageError
from etl.records import Page, Problem, Spec
from etl.sources.page import MAX_PROBLEMS, PageReader
from etl.spack.variants import parse_variant
from tests.sites import SEED, SEED_PLACES, Item, front_matter, hash_of, item, page, place_of

PLACE = place_of("develop", "hdf5")


def _read(data: bytes, place: str = PLACE) -> Page:
    """The page, which has no problems."""
    found, problems = PageReader().read(place, data)
    assert problems == []
    return found


def _problems(data: bytes, place: str = PLACE) -> list[Problem]:
    return PageReader().read(place, data)[1]


def _spec(**changes: Any) -> Spec:
    """The spec on a page with one item that has these values."""
    (spec,) = _read(page("develop", "hdf5", [item(1, **changes)])).specs
    return spec


def _block(data: bytes) -> bytes:
    """The same page in YAML's block style, with Windows' line endings and a text below."""
    values = next(yaml.safe_load_all(data.decode()))
    text = f"---\n{yaml.safe_dump(values)}---\nMore text.\n"
    return b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode()


def test_a_real_page_of_the_first_era() -> None:
    place = "_cache/v0.20.1/adiak/specs.md"
    found = _read((SEED / place).read_bytes(), place)
    variants = "build_system=cmake build_type=Release generator=make ~ipo +mpi +shared"
    assert (found.tag, found.package, found.place, found.text) == ("v0.20.1", "adiak", place, None)
    assert found.specs[0] == Spec(
        hash="5y5ugzl5aepa3xnx4vosezyk5hkrcbby",
        package="adiak",
        version="0.2.2",
        compiler="gcc@7.3.1",
        os="amzn2",
        platform="linux",
        target="aarch64",
        variants=tuple(variants.split()),
    )
    assert [(spec.hash[:4], spec.compiler, spec.target) for spec in found.specs] == [
        ("5y5u", "gcc@7.3.1", "aarch64"),
        ("qlao", "gcc@7.3.1", "neoverse_n1"),
        ("vlgb", "gcc@7.3.1", "x86_64_v3"),
        ("52sg", "gcc@7.5.0", "x86_64_v3"),
        ("6qzk", "gcc@11.1.0", "ppc64le"),
        ("sxam", "intel-oneapi-compilers@2023.0.0", "x86_64"),
        ("r4hy", "gcc@11.1.0", "x86_64_v3"),
    ]
    assert found.stacks == (
        ("radiuss-aws-aarch64", "root"),
        ("radiuss-aws-aarch64", "root"),
        ("root", "radiuss-aws"),
        ("radiuss", "root"),
        ("root", "e4s-power"),
        ("e4s-oneapi", "root"),
        ("e4s", "root"),
    )
    assert found.style.mirror == "https://binaries.spack.io/releases/v0.20.1"
    assert (found.style.counts_as_they_come, found.style.exact_compilers) == (True, True)


@pytest.mark.parametrize("place", SEED_PLACES)
def test_block_style_gives_the_same_record(place: str) -> None:
    data = (SEED / place).read_bytes()
    generated, by_yaml = _read(data, place), _read(_block(data), place)
    assert generated.text is None
    assert by_yaml.text == _block(data)
    assert replace(by_yaml, style=generated.style, text=None) == generated


def test_all_real_pages_are_read_without_problems_and_without_their_text(
    real_data: Path,
) -> None:
    reader = PageReader()
    for folder in (real_data / "pages", real_data / "seed"):
        for path in folder.rglob("specs.md"):
            found, problems = reader.read(str(path.relative_to(folder)), path.read_bytes())
            assert (found.text, problems) == (None, []), path


def test_a_sample_of_real_pages_in_block_style(real_data: Path) -> None:
    folder = real_data / "pages"
    for path in sorted(folder.rglob("specs.md"))[::60]:
        place, data = str(path.relative_to(folder)), path.read_bytes()
        generated, by_yaml = _read(data, place), _read(_block(data), place)
        assert (by_yaml.specs, by_yaml.stacks) == (generated.specs, generated.stacks)


VARIANTS = {
    "+x": ("x", ("true",), "+"),
    "~x": ("x", ("false",), "~"),
    "-x": ("x", ("false",), "-"),
    "++x": ("x", ("true",), "++"),
    "~~x": ("x", ("false",), "~~"),
    "--x": ("x", ("false",), "--"),
    "x=a": ("x", ("a",), "="),
    "x=a,b": ("x", ("a", "b"), "="),
    "x:=a,b": ("x", ("a", "b"), ":="),
    "x==a": ("x", ("a",), "=="),
    "x:==a,b": ("x", ("a", "b"), ":=="),
    "patches:=7326028,db4173c": ("patches", ("7326028", "db4173c"), ":="),
    "patches=7326028": ("patches", ("7326028",), "="),
    "x=a=b": ("x", ("a=b",), "="),
    "x=1:2": ("x", ("1:2",), "="),
    "x='a b'": ("x", ("a b",), "="),
    'x="it\'s, so"': ("x", ("it's", " so"), "="),
    "languages:='c,c++,fortran'": ("languages", ("c", "c++", "fortran"), ":="),
    "x='a \"b\" c=d,e'": ("x", ('a "b" c=d', "e"), "="),
    "x=a b": ("x", ("a b",), "="),
    "x=a'b": ("x", ("a'b",), "="),
    "x=": ("x", ("",), "="),
    "x:=*": ("x", (), ":="),
    "cuda_arch:=none": ("cuda_arch", ("none",), ":="),
    "x=ümlaut": ("x", ("ümlaut",), "="),
    "x=日本": ("x", ("日本",), "="),
    "x=😀": ("x", ("😀",), "="),
    "x=/a/b": ("x", ("/a/b",), "="),
    "x=^a %b": ("x", ("^a %b",), "="),
}


@pytest.mark.parametrize("text", VARIANTS)
def test_variants_are_kept_as_they_are_and_understood(text: str) -> None:
    assert _spec(variants=["+a", text]).variants == ("+a", text)
    variant = parse_variant(text)
    assert (variant.name, variant.values, variant.operator) == VARIANTS[text]


@pytest.mark.parametrize("era", ["tarballs", "exact", "today"])
def test_no_variants(era: Any) -> None:
    found = _read(page("develop", "hdf5", [item(1, variants=[])], era))
    assert (found.specs[0].variants, found.text) == ((), None)
    without = json.dumps([{key: value for key, value in item(1).items() if key != "variants"}])
    found = _read(front_matter("develop", "hdf5", "{}", without))
    assert found.specs[0].variants == ()
    assert found.text is not None


@pytest.mark.parametrize(
    ("written", "today"),
    [
        ("gcc@11.4.0", "gcc@11.4.0"),
        ("gcc@=11.4.0", "gcc@11.4.0"),
        ("oneapi@=2023.0.0", "intel-oneapi-compilers@2023.0.0"),
        ("oneapi@2023.0.0", "intel-oneapi-compilers@2023.0.0"),
        ("intel-oneapi-compilers@2024.2.1", "intel-oneapi-compilers@2024.2.1"),
        ("clang@=15.0.0", "llvm@15.0.0"),
        ("intel@=2021.1", "intel-oneapi-compilers-classic@2021.1"),
        ("rocmcc@=5.4.3", "llvm-amdgpu@5.4.3"),
        ("arm@=23.04", "acfl@23.04"),
        ("apple-clang@16.0.0", "apple-clang@16.0.0"),
        ("apple-clang@=16.0.0", "apple-clang@16.0.0"),
        ("none", "none"),
        ("gcc", "gcc"),
    ],
)
def test_compilers_have_their_names_of_today(written: str, today: str) -> None:
    assert _spec(compiler=written).compiler == today


@pytest.mark.parametrize(
    ("written", "size"),
    [("-", None), (None, None), (0, 0), (12345, 12345), ("12345", 12345), (2**63 - 1, 2**63 - 1)],
)
def test_sizes(written: object, size: int | None) -> None:
    assert _spec(size=written).size == size


def test_a_size_may_be_missing() -> None:
    details = json.dumps([{key: value for key, value in item(1).items() if key != "size"}])
    assert _read(front_matter("develop", "hdf5", "{}", details)).specs[0].size is None


def test_an_unquoted_version_is_the_text_that_stands_there() -> None:
    details = json.dumps([item(1, versions=["1.10"])])
    generated = front_matter("develop", "hdf5", "{}", details.replace('"1.10"', "1.10"))
    block = _block(front_matter("develop", "hdf5", "{}", details)).replace(b"'1.10'", b"1.10")
    assert b" 1.10\r\n" in block
    for data in (generated, block):
        assert [spec.version for spec in _read(data).specs] == ["1.10"]


@pytest.mark.parametrize("details", ["[]", "", "null", "~"])
def test_a_page_without_specs(details: str) -> None:
    found = _read(front_matter("develop", "hdf5", '{"num_specs": 0}', details))
    assert (found.tag, found.package, found.specs, found.stacks) == ("develop", "hdf5", (), ())


def test_an_item_may_have_more_and_its_page_is_kept_whole() -> None:
    data = page("develop", "hdf5", [item(1, license="BSD", built={"on": [1, None]})])
    found = _read(data)
    assert found.specs[0] == _spec()
    assert found.text == data


def test_the_path_tells_what_the_page_does_not() -> None:
    text = f"---\nspec_details: {json.dumps([item(1)])}\n---"
    found = _read(text.encode(), "site/_cache/develop/hdf5/specs.md")
    assert (found.tag, found.package) == ("develop", "hdf5")


def test_the_page_counts_where_the_path_says_otherwise() -> None:
    data = page("develop", "hdf5", [item(1)])
    found, problems = PageReader().read("_cache/v1.0/zlib/specs.md", data)
    assert (found.tag, found.package, found.specs[0].package) == ("develop", "hdf5", "hdf5")
    assert problems == [
        Problem(
            "_cache/v1.0/zlib/specs.md",
            "contradiction",
            "categories says develop, the path says v1.0; categories is used",
        ),
        Problem(
            "_cache/v1.0/zlib/specs.md",
            "contradiction",
            "title says hdf5, the path says zlib; title is used",
        ),
    ]


@pytest.mark.parametrize("place", ["specs.md", "hdf5/specs.md", "a/b/c/specs.md"])
def test_a_path_that_is_not_the_sites_says_nothing(place: str) -> None:
    assert _problems(page("develop", "hdf5", [item(1)]), place) == []


BAD_PAGES = {
    "no tag": (
        b"---\ntitle: a\nspec_details: []\n---",
        "categories names no tag (None); it should be [package, <tag>]",
    ),
    "a tag that leads elsewhere": (
        front_matter("'../x'", "a", "{}", "[]"),
        "categories names no tag ('../x'); it should be [package, <tag>]",
    ),
    "a tag that is a path": (
        front_matter("/etc", "a", "{}", "[]"),
        "categories names no tag ('/etc'); it should be [package, <tag>]",
    ),
    "no package": (
        b"---\ncategories: [package, a]\nspec_details: []\n---",
        "title names no package (None)",
    ),
    "a package that leads elsewhere": (
        front_matter("b", "..", "{}", "[]"),
        "title names no package ('..')",
    ),
    "a package that is a path": (
        front_matter("b", "a/b", "{}", "[]"),
        "title names no package ('a/b')",
    ),
    "a package with a line feed": (
        front_matter("b", r"a\nb", "{}", "[]"),
        r"title names no package ('a\nb')",
    ),
    "a mapping of specs": (
        front_matter("b", "a", "{}", '{"a": 1}'),
        "spec_details is not a list",
    ),
    "a text": (front_matter("b", "a", "{}", "hello"), "spec_details is not a list"),
    "a list of texts": (
        front_matter("b", "a", "{}", '["a"]'),
        "spec_details is not a list of specs",
    ),
    "a list of lists": (
        front_matter("b", "a", "{}", "[[]]"),
        "spec_details is not a list of specs",
    ),
    "a crowd of empty specs": (
        front_matter("b", "a", "{}", f"[{'{},' * 5_000}{{}}]"),
        f"more than {MAX_PROBLEMS:,} of its specs cannot be read, the last because no hash;"
        " the whole page is left out",
    ),
}


@pytest.mark.parametrize(("data", "message"), BAD_PAGES.values(), ids=BAD_PAGES)
def test_a_page_that_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(PageError) as caught:
        PageReader().read("specs.md", data)
    assert str(caught.value) == message


NOT_A_TEXT = "is not a text that a spec can have"
BAD_ITEMS: dict[str, tuple[Mapping[str, Any], str]] = {
    "a short hash": (
        {"hash": "abc"},
        "'abc' is not a spec's hash (32 characters of a-z and 2-7)",
    ),
    "a hash with other characters": (
        {"hash": "0" * 32},
        f"'{'0' * 32}' is not a spec's hash (32 characters of a-z and 2-7)",
    ),
    "a hash in upper case": (
        {"hash": "A" * 32},
        f"'{'A' * 32}' is not a spec's hash (32 characters of a-z and 2-7)",
    ),
    "a list as hash": (
        {"hash": ["a"]},
        "['a'] is not a spec's hash (32 characters of a-z and 2-7)",
    ),
    "no versions": ({"versions": []}, "a value is not of the kind it should be"),
    "null versions": ({"versions": None}, "a value is not of the kind it should be"),
    "two versions": ({"versions": ["1", "2"]}, "a value is not of the kind it should be"),
    "a version that is no list": ({"versions": "1"}, "versions is not a list"),
    "a mapping of versions": ({"versions": {"1": 2}}, "versions is not a list"),
    "a list as version": ({"versions": [["1"]]}, "a value is not of the kind it should be"),
    "an empty version": ({"versions": [""]}, f"'' {NOT_A_TEXT}"),
    "null as os": ({"os": None}, f"None {NOT_A_TEXT}"),
    "true as os": ({"os": True}, f"True {NOT_A_TEXT}"),
    "a line feed": ({"platform": "a\nb"}, rf"'a\nb' {NOT_A_TEXT}"),
    "an escape": ({"target": "a\x1b[0m"}, rf"'a\x1b[0m' {NOT_A_TEXT}"),
    "a mapping as target": ({"target": {"name": ""}}, "a value is not of the kind it should be"),
    "an empty compiler": ({"compiler": ""}, "'' is not a compiler"),
    "null as compiler": ({"compiler": None}, "None is not a compiler"),
    "a list as compiler": ({"compiler": ["gcc"]}, "a value is not of the kind it should be"),
    "a text as variants": ({"variants": "+mpi"}, "variants is not a list"),
    "an empty variant": ({"variants": [""]}, "variants is not a list of texts"),
    "null as variant": ({"variants": [None]}, "variants is not a list of texts"),
    "a list as variant": ({"variants": [["+x"]]}, "variants is not a list of texts"),
    "a variant with NUL": ({"variants": ["x=\0"]}, rf"'x=\x00' {NOT_A_TEXT}"),
    "a text as stacks": ({"stacks": "root"}, "stacks is not a list"),
    "a stack with a blank": ({"stacks": ["a b"]}, "stacks is not a list of different names"),
    "a stack twice": ({"stacks": ["a", "a"]}, "stacks is not a list of different names"),
    "a list as stack": ({"stacks": [["a"]]}, "stacks is not a list of different names"),
    "a size in words": ({"size": "5 MB"}, "'5 MB' is not a size in bytes, nor -"),
    "no size": ({"size": ""}, "'' is not a size in bytes, nor -"),
    "a negative size": ({"size": -1}, "'-1' is not a size in bytes, nor -"),
    "half a byte": ({"size": 1.5}, "'1.5' is not a size in bytes, nor -"),
    "true as size": ({"size": True}, "True is not a size in bytes, nor -"),
    "a size that SQLite cannot hold": (
        {"size": 2**63},
        "'9223372036854775808' is not a size in bytes, nor -",
    ),
    "a size of 5,000 digits": (
        {"size": "9" * 5000},
        f"'{'9' * 27}...{'9' * 28}' is not a size in bytes, nor -",
    ),
    "Arabic digits as size": ({"size": "١٢"}, "'١٢' is not a size in bytes, nor -"),
    "a list as size": ({"size": [1]}, "['1'] is not a size in bytes, nor -"),
    "the hash of another": ({"hash": hash_of(1)}, f"hash {hash_of(1)} is on the page twice"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), BAD_ITEMS.values(), ids=BAD_ITEMS)
@pytest.mark.parametrize("change", [lambda data: data, _block], ids=["json", "block"])
def test_an_item_that_is_refused(
    changes: Mapping[str, Any], message: str, change: Callable[[bytes], bytes]
) -> None:
    items = [item(1), item(2, **changes), item(3)]
    data = front_matter("develop", "hdf5", '{"num_specs": 3}', json.dumps(items))
    found, problems = PageReader().read(PLACE, change(data))
    assert problems == [Problem(f"{PLACE} spec_details[1]", "refused", message)]
    assert [spec.hash for spec in found.specs] == [hash_of(1), hash_of(3)]
    assert found.stacks == (("e4s", "root"), ("e4s", "root"))
    assert found.text == change(data)


def test_a_lone_surrogate_is_no_text() -> None:
    data = front_matter("develop", "hdf5", "{}", json.dumps([item(1, target="\ud800")]))
    assert [problem.message for problem in _problems(data)] == [rf"'\ud800' {NOT_A_TEXT}"]


@pytest.mark.parametrize("key", ["hash", "compiler", "versions", "os", "platform", "target"])
def test_an_item_that_lacks_something(key: str) -> None:
    items = [item(1), {name: value for name, value in item(2).items() if name != key}]
    data = front_matter("develop", "hdf5", "{}", json.dumps(items))
    assert _problems(data) == [Problem(f"{PLACE} spec_details[1]", "refused", f"no {key}")]


def _two(**changes: Any) -> bytes:
    return page(
        "develop", "hdf5", [item(1), item(2, stacks=["root"], versions=["2.0"])], meta=changes
    )


CONTRADICTIONS: dict[str, tuple[object, str, str]] = {
    "versions": (["1.0"], "['1.0']", "['1.0', '2.0']"),
    "compilers": (["gcc@12"], "['gcc@12']", "['gcc@11.4.0']"),
    "oss": ([], "[]", "['ubuntu22.04']"),
    "platforms": ("linux", "'linux'", "['linux']"),
    "targets": (["x86_64_v3", "zen4"], "['x86_64_v3', 'zen4']", "['x86_64_v3']"),
    "stacks": (["e4s", "root", "root"], "['e4s', 'root', 'root']", "['e4s', 'root']"),
    "num_specs": (3, "3", "2"),
    "num_specs_by_stack": ({"e4s": 2, "root": 2}, "{'e4s': 2, 'root': 2}", "{'e4s': 1, 'root': 2}"),
}


@pytest.mark.parametrize("key", CONTRADICTIONS)
@pytest.mark.parametrize("change", [lambda data: data, _block], ids=["json", "block"])
def test_a_summary_that_contradicts(key: str, change: Callable[[bytes], bytes]) -> None:
    said, shown, fact = CONTRADICTIONS[key]
    data = change(_two(**{key: said}))
    found, problems = PageReader().read(PLACE, data)
    message = f"meta says {shown}, spec_details says {fact}"
    assert problems == [Problem(f"{PLACE} meta.{key}", "contradiction", message)]
    assert [spec.hash for spec in found.specs] == [hash_of(1), hash_of(2)]
    assert found.text == data


def test_all_that_contradicts_is_told() -> None:
    problems = _problems(_two(**{key: said for key, (said, _, _) in CONTRADICTIONS.items()}))
    places = [f"{PLACE} meta.{key}" for key in CONTRADICTIONS]
    assert [problem.place for problem in problems] == places


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"versions": None}, "None"),
        ({"versions": [None, "1.0", "2.0"]}, "[None, '1.0', '2.0']"),
        ({"versions": [["1.0"]]}, "[['1.0']]"),
        ({"versions": {"1.0": ["2.0"]}}, "{'1.0': ['2.0']}"),
        ({"versions": ["\ud800"]}, r"['\ud800']"),
        ({"versions": "\n"}, r"'\n'"),
        ({"versions": ["x" * 1000]}, f"['{'x' * 27}...{'x' * 28}']"),
        ({"versions": list("abcdefghijkl")}, "['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', ...]"),
    ],
)
def test_nonsense_in_a_summary(said: Mapping[str, object], shown: str) -> None:
    (problem,) = _problems(_two(**said))
    assert problem.message == f"meta says {shown}, spec_details says ['1.0', '2.0']"


def test_deep_nonsense_in_a_summary() -> None:
    for depth in (10, 100, 400, 900, 990, 5_000):
        deep = "[" * depth + "]" * depth
        data = _two(versions="DEEP").replace(b'"DEEP"', deep.encode())
        try:
            assert len(_problems(data)) == 1
        except PageError as error:
            assert "nested" in str(error)  # noqa: PT017 - how deep Python reads depends on it


@pytest.mark.parametrize("key", [*item(1), "other"])
def test_deep_nonsense_in_an_item(key: str) -> None:
    for depth in (10, 100, 400, 900, 990, 5_000):
        deep = "[" * depth + "]" * depth
        details = json.dumps([item(1, **{key: "DEEP"}), item(2)]).replace('"DEEP"', deep)
        try:
            found, _ = PageReader().read(PLACE, front_matter("develop", "hdf5", "{}", details))
        except PageError as error:
            assert "nested" in str(error)  # noqa: PT017
        else:
            assert found.specs[-1].hash == hash_of(2)


@pytest.mark.parametrize(("meta", "read"), [("[]", 1), ('"a"', 1), ("null", 0), ("5", 1)])
def test_a_summary_that_is_none(meta: str, read: int) -> None:
    data = front_matter("develop", "hdf5", meta, json.dumps([item(1)]))
    problems = [Problem(PLACE, "contradiction", "meta is not a mapping")][:read]
    assert _problems(data) == problems


@pytest.mark.parametrize(
    "data",
    [
        _two(compilers=["gcc@=11.4.0"]),
        _two(versions=["2.0", "1.0"]),
        _two(num_specs="2"),
        _two(num_specs_by_stack={"root": "2", "e4s": 1}),
        _two(author="me"),
        _two().replace(b'"num_specs": 2, ', b""),
        page("develop", "hdf5", [item(1), item(2, compiler="gcc@=11.4.0")]),
        page("develop", "hdf5", [item(1)], "exact", meta={"compilers": ["gcc@11.4.0"]}),
    ],
)
def test_notation_contradicts_nothing(data: bytes) -> None:
    found = _read(data)
    assert found.text == data


def test_items_that_are_refused_are_no_contradiction() -> None:
    items = [item(1), item(2, size="big", versions=["2.0"], stacks=["hep"]), item(1)]
    assert [problem.place for problem in _problems(page("develop", "hdf5", items))] == [
        f"{PLACE} spec_details[1]",
        f"{PLACE} spec_details[2]",
    ]


_VALUES: Any = st.sampled_from(
    ["-", "", "a", "gcc@=1", "none", 0, -1, 1.5, None, True, [], ["a"], [["a"]], {}, {"a": {}}]
)


_CHANGES = st.dictionaries(st.sampled_from([*item(1), "tarball"]), _VALUES)


@given(st.lists(_CHANGES, max_size=4), _VALUES)
def test_any_values_are_read_or_refused(changes: list[Item], meta: object) -> None:
    items = [item(number, **changed) for number, changed in enumerate(changes)]
    data = front_matter("develop", "hdf5", json.dumps(meta), json.dumps(items))
    try:
        found, problems = PageReader().read(PLACE, data)
    except PageError as error:
        assert str(error)  # noqa: PT017 - either is right
    else:
        refused = [problem for problem in problems if problem.kind == "refused"]
        assert len(found.specs) == len(found.stacks) == len(items) - len(refused)
