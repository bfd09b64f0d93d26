"""Variants, against what Spack printed on real pages from real indexes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import SourceError
from etl.spack.variants import (
    FLAG_NAMES,
    ListOperator,
    Variant,
    format_parameters,
    parse_variant,
    with_list_operator,
)

TEXT = st.text(st.sampled_from("ab,1 '\"\\=+*[]/é\n.-_T"), max_size=8)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+x", Variant("x", ("true",), "+")),
        ("~x", Variant("x", ("false",), "~")),
        ("-x", Variant("x", ("false",), "-")),
        ("++x-y.z", Variant("x-y.z", ("true",), "++")),
        ("~~x", Variant("x", ("false",), "~~")),
        ("--x", Variant("x", ("false",), "--")),
        ("x=a", Variant("x", ("a",), "=")),
        ("x=xyx", Variant("x", ("xyx",), "=")),
        ("x='a\"", Variant("x", ("'a\"",), "=")),
        ("x=a,b", Variant("x", ("a", "b"), "=")),
        ("x:=a,b", Variant("x", ("a", "b"), ":=")),
        ("x==a", Variant("x", ("a",), "==")),
        ("x:==a,b", Variant("x", ("a", "b"), ":==")),
        ("x=True", Variant("x", ("true",), "=")),
        ("languages='c,c++'", Variant("languages", ("c", "c++"), "=")),
        ("label='hello world'", Variant("label", ("hello world",), "=")),
        ("label='a=b'", Variant("label", ("a=b",), "=")),
        ("label=a=b", Variant("label", ("a=b",), "=")),
        (r'label="its \"quoted\" \\ \u00e9"', Variant("label", ('its "quoted" \\ é',), "=")),
        (r'label="its \q"', Variant("label", (r"its \q",), "=")),
        (r'label="its \"\q\""', Variant("label", (r'its "\q"',), "=")),
        (r'label="\ud800"', Variant("label", (r"\ud800",), "=")),
        (r"label='it\'s'", Variant("label", ("it's",), "=")),
        ("x='*'", Variant("x", (), "=")),
        ("x:=*", Variant("x", (), ":=")),
        ("x=''", Variant("x", ("",), "=")),
        ("x=", Variant("x", ("",), "=")),
        ("x='", Variant("x", ("'",), "=")),
        ("patches:=7326028,db4173c", Variant("patches", ("7326028", "db4173c"), ":=")),
    ],
)
def test_parse(text: str, expected: Variant) -> None:
    assert parse_variant(text) == expected


@pytest.mark.parametrize("text", ["", "x", "+", "+-", "+a b", "=a", ":=a", "é=1", " x=1", "\0"])
def test_what_is_no_variant_is_a_name_without_values(text: str) -> None:
    assert parse_variant(text) == Variant(text, (), "")


def test_propagated() -> None:
    texts = ["+x", "~x", "x=a", "x:=a", "x", "++x", "~~x", "--x", "x==a", "x:==a"]
    assert [text for text in texts if parse_variant(text).propagated] == texts[5:]


@given(st.text())
def test_every_text_gives_a_variant(text: str) -> None:
    assert parse_variant(text).name.encode("utf-8", "surrogatepass") is not None


@pytest.mark.parametrize(
    ("text", "operator", "expected"),
    [
        ("x:=a,b", "=", "x=a,b"),
        ("x=a,b", ":=", "x:=a,b"),
        ("x=a", "=", "x=a"),
        ("x:=a", ":=", "x:=a"),
        ("x:==a", "=", "x==a"),
        ("x==a", ":=", "x:==a"),
        ("x:='a:=b'", "=", "x='a:=b'"),
        ("x='a=b'", ":=", "x:='a=b'"),
        ("+x", ":=", "+x"),
        ("no variant", "=", "no variant"),
    ],
)
def test_list_notation(text: str, operator: ListOperator, expected: str) -> None:
    assert with_list_operator(text, operator) == expected


PARAMETERS = {
    "apostrophe": 'it\'s "it"',
    "tls": ["openssl"],
    "build_system": "autotools",
    "shared": True,
    "ipo": False,
    "opt": [],
    "label": "hello world",
    "quoted": 'its "quoted" text a=b',
    "brackets": "a[1]",
    "languages": ["fortran", "c++", "c", "c"],
    "patches": ["db4173c" + "0" * 57, "7326028" + "1" * 57],
    "number": 3,
    "yes": "True",
    "cflags": ["-O2"],
    "ldlibs": [],
}


def test_parameters_as_spack_1_prints_them() -> None:
    assert format_parameters(PARAMETERS, ":=") == (
        r'''apostrophe="it's \"it\""''',
        "brackets=a[1]",
        "build_system=autotools",
        "~ipo",
        "label='hello world'",
        "languages:='c,c++,fortran'",
        "number=3",
        "opt:='*'",
        "patches:=7326028,db4173c",
        "quoted='its \"quoted\" text a=b'",
        "+shared",
        "tls:=openssl",
        "+yes",
    )


def test_parameters_as_spack_0_23_prints_them() -> None:
    assert format_parameters(PARAMETERS, "=") == (
        r'''apostrophe="it's \"it\""''',
        "brackets='a[1]'",
        "build_system=autotools",
        "~ipo",
        "label='hello world'",
        "languages='fortran,c++,c,c'",
        "number=3",
        "opt=''",
        "patches=7326028,db4173c",
        "quoted='its \"quoted\" text a=b'",
        "+shared",
        "tls=openssl",
        "+yes",
    )


@pytest.mark.parametrize("value", [None, {}, [None], [["a"]]])
def test_parameters_that_are_no_variants_are_refused(value: object) -> None:
    with pytest.raises(SourceError, match=r"parameters\.x: a variant is") as error:
        format_parameters({"x": value}, ":=")
    assert error.value.place == "parameters.x"


@given(TEXT)
def test_a_printed_string_reads_as_its_value(value: str) -> None:
    (text,) = format_parameters({"x": value}, ":=")
    values = parse_variant(text).values
    if value.upper() in ("TRUE", "FALSE"):
        assert values == (value.lower(),)
    elif value == "*":
        assert values == ()
    else:
        assert ",".join(values) == value


def printed(real_data: Path) -> dict[tuple[str, str], list[str]]:
    """The variants of every spec in the real indexes, by tag and hash."""
    paths = [*real_data.glob("indexes/*/*/index.json.gz")]
    paths += real_data.glob("mirrors/*/**/index.json")
    for manifest in real_data.glob("mirrors/*/**/index.manifest.json"):
        checksum = json.loads(manifest.read_text())["data"][0]["checksum"]
        paths.append(manifest.parents[3] / "blobs/sha256" / checksum[:2] / checksum)
    found = {}
    for path in paths:
        tag = path.relative_to(real_data).parts[1]
        content = path.read_bytes()
        text = gzip.decompress(content) if path.suffix == ".gz" else content
        database = json.loads(text)["database"]
        operator: ListOperator = "=" if int(database["version"]) <= 7 else ":="
        for spec_hash, record in database["installs"].items():
            variants = format_parameters(record["spec"]["parameters"], operator)
            found[tag, spec_hash] = list(variants)
    return found


def test_indexes_print_as_on_the_pages_made_from_them(real_data: Path) -> None:
    variants = printed(real_data)
    pages = list(real_data.glob("pages/_cache/*/*/specs.md"))
    assert pages
    differing = []
    for path in pages:
        line = next(x for x in path.read_text().splitlines() if x.startswith("spec_details: "))
        for item in json.loads(line.removeprefix("spec_details: ")):
            if variants[path.parts[-3], item["hash"]] != item["variants"]:
                differing.append((path, item["hash"]))
            assert all(parse_variant(text).operator for text in item["variants"])
    assert differing == []


def test_flag_names() -> None:
    assert format_parameters({name: ["-O2"] for name in FLAG_NAMES}, ":=") == ()
