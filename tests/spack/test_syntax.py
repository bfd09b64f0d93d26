"""The spec parser, against what Spack 1.1.0 accepts, refuses and reads."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import CatalogError
from etl.spack.syntax import SpecSyntaxError, parse_arguments, parse_spec, parse_specs
from etl.spack.targets import known_targets
from etl.spack.tokens import MAX_LENGTH, MAX_WORDS
from etl.spack.tree import Edge, Node, SpecQuery, TargetConstraint
from etl.spack.versions import MAX_PARTS

known_targets()  # loaded before anything is timed
RECORDED = json.loads((Path(__file__).parents[1] / "data/spack/syntax.json").read_text())

WORDS = st.sampled_from(
    [
        *(
            "hdf5",
            "builtin.hdf5",
            "zlib",
            "gcc",
            "clang",
            "*",
            "/abc",
            "patches=dead",
            "dev_path=/a",
        ),
        *("@1.2", "@=1.2", "@1.2:", "@:1.4", "@1.2:1.4,=1.6", "@git.main=1.2", "@git.main", "@:"),
        *("+mpi", "~mpi", "-mpi", "++mpi", "~~mpi", "--mpi", "y=true", "z=False", "q=''", "x='a'"),
        *(
            "x=a",
            "x=a,b,a",
            "x:=a,b",
            "x==a",
            "x:==a,b",
            "x=*",
            "x:=*",
            "cflags=-O2",
            "ldflags==-L",
        ),
        *("os=ubuntu22.04", "os=None", "platform=linux", "arch=linux-debian12-zen4", "arch=zen3"),
        *("target=zen4", "target=:zen4,icelake", "target=x86_64_v3:", "target=*", "when=+x"),
        *("namespace=builtin", "namespace='a|b'", "%c=gcc", "^c,cxx=builtin.gcc", "%%gcc"),
        *("^", "%", "%%", "^[", "%[", "]", "virtuals=c,cxx", "deptypes=run,build"),
    ]
)
QUOTED = st.sampled_from(["cflags='-O2 -g'", "x='it\\'s'", 'x="a b"', "x='a=b, c'", r"x=a\ "])
SPECS = st.lists(WORDS | QUOTED, max_size=9).flatmap(
    lambda words: st.sampled_from([" ".join(words), "".join(words)])
)
SOUP = st.text(st.sampled_from("@:=,+-~^%[]/*.'\"\\ \t\nabc12_é!"), max_size=30)


@pytest.fixture(scope="module")
def queries(real_data: Path) -> dict[str, list[dict[str, str]]]:
    answers = json.loads((real_data / "conformance/spec_queries.json").read_text())
    assert isinstance(answers, dict)
    return answers


def test_all_queries_parse_and_print(queries: dict[str, list[dict[str, str]]]) -> None:
    for item in queries["queries"]:
        tree = parse_spec(item["query"])
        assert parse_spec(str(tree)) == tree


def test_all_rejected_queries_are_rejected(queries: dict[str, list[dict[str, str]]]) -> None:
    for item in queries["rejected"]:
        with pytest.raises(SpecSyntaxError):
            parse_spec(item["query"])


def describe(node: Node) -> dict[str, Any]:
    """A node as the recorded answers describe it."""
    words = {
        "name": node.name,
        "namespace": node.namespace,
        "platform": node.platform,
        "os": node.os,
        "target": node.target,
        "hash": node.hash,
    }
    found: dict[str, Any] = {key: word.text for key, word in words.items() if word}
    if node.variants:
        found["variants"] = {v.name: [list(v.values), v.operator] for v in node.variants}
    flags: dict[str, list[list[object]]] = {}
    for flag in node.flags:
        if flag.values:
            flags.setdefault(flag.name, []).extend([x, flag.propagated] for x in flag.values)
    return {**found, "flags": flags} if flags else found


def describe_edge(edge: Edge) -> dict[str, Any]:
    return {
        "direct": edge.direct,
        "propagated": edge.propagated,
        "deptypes": list(edge.deptypes),
        "virtuals": sorted(edge.virtuals),
        "node": describe(edge.node),
        "edges": [describe_edge(child) for child in edge.node.direct],
    }


@pytest.mark.parametrize(("query", "expected"), RECORDED["accepted"])
def test_recorded_queries_read_as_in_spack(query: str, expected: dict[str, Any]) -> None:
    tree = parse_spec(query)
    edges = [describe_edge(edge) for edge in (*tree.root.direct, *tree.dependencies)]
    assert describe(tree.root) == expected["root"]
    assert sorted(map(repr, edges)) == sorted(map(repr, expected["edges"]))


@pytest.mark.parametrize("query", RECORDED["rejected"])
def test_recorded_queries_are_refused_as_in_spack(query: str) -> None:
    with pytest.raises(SpecSyntaxError):
        parse_spec(query)


def test_a_whole_query() -> None:
    query = "builtin.hdf5@1.14 +mpi api:=v18,v16 cflags='-O2 -I x' os=ubuntu22.04 /abc"
    root = parse_spec(f"{query} %c,cxx=gcc@12 ^[virtuals=mpi deptypes=run,link] openmpi").root
    assert root.name is not None
    assert root.namespace is not None
    assert (root.namespace.text, root.namespace.span) == ("builtin", (0, 7))
    assert (root.name.text, root.name.span) == ("hdf5", (8, 12))
    assert root.version is not None
    assert (root.version.text, root.version.span) == ("1.14", (12, 17))
    assert root.version.versions.includes("1.14.3")
    assert [(v.name, v.values, v.operator) for v in root.variants] == [
        ("mpi", ("true",), "+"),
        ("api", ("v16", "v18"), ":="),
    ]
    assert [query[slice(*v.span)] for v in root.variants] == ["+mpi", "api:=v18,v16"]
    assert [(f.name, f.values) for f in root.flags] == [("cflags", ("-O2", "-I x"))]
    assert root.os is not None
    assert root.os.text == "ubuntu22.04"
    assert root.hash is not None
    assert root.hash.text == "abc"
    assert root.target is None
    assert root.span == (0, len(query))


def test_edges() -> None:
    query = "hdf5 %c,cxx=gcc@12 ^[virtuals=mpi deptypes=run,link] openmpi+x %%clang ^* os=x"
    tree = parse_spec(query)
    assert [query[slice(*edge.span)] for edge in tree.root.direct] == ["%c,cxx=gcc@12"]
    assert [query[slice(*edge.span)] for edge in tree.dependencies] == [
        "^[virtuals=mpi deptypes=run,link] openmpi+x %%clang",
        "^* os=x",
    ]
    (compiler,) = tree.root.direct
    assert compiler.direct
    assert compiler.virtuals == ("c", "cxx")
    assert compiler.node.name is not None
    assert query[slice(*compiler.node.name.span)] == "gcc"
    openmpi, anything = tree.dependencies
    assert not openmpi.direct
    assert (openmpi.virtuals, openmpi.deptypes) == (("mpi",), ("link", "run"))
    (clang,) = openmpi.node.direct
    assert clang.propagated
    assert clang.node.name is not None
    assert clang.node.name.text == "llvm"
    assert anything.node.name is None


@pytest.mark.parametrize(
    ("query", "printed"),
    [
        ("*", "*"),
        ("%gcc", "%gcc"),
        ("hdf5+mpi~shared", "hdf5 +mpi ~shared"),
        ("hdf5 -mpi --x", "hdf5 ~mpi ~~x"),
        ("x=TRUE y:=false z==true", "+x ~y ++z"),
        ("x:=* y:==*", "x=* y==*"),
        ("x=b,a,b", "x=a,b"),
        ("^mpi=openmpi %clang", "^[virtuals=mpi] openmpi %llvm"),
        ("^ clang", "^clang"),
        ("%[virtuals=c] *", "%[virtuals=c] *"),
        ("^@1.2", "^* @1.2"),
        ("^ %gcc", "^* %gcc"),
        ("hdf5@ 1.2 , 1.4:", "hdf5@1.2,1.4:"),
        ("architecture=linux-None-zen4", "platform=linux target=zen4"),
        ("operating_system=a", "os=a"),
        ('cflags="-O2  -g"', "cflags='-O2 -g'"),
        ("a.b.c", "a.b.c"),
        ("c namespace=a.b", "a.b.c"),
        ("@:build-type=x", "@:build type=x"),  # as Spack takes it apart
    ],
)
def test_printed(query: str, printed: str) -> None:
    assert str(parse_spec(query)) == printed


@pytest.mark.parametrize(
    ("query", "same"),
    [
        ("hdf5 ^ ^gcc", "hdf5 ^* ^gcc"),
        ("% ^gcc", "%* ^gcc"),
        ("hdf5 %[virtuals=c virtuals=d] gcc", "hdf5 %[virtuals=d] gcc"),
        ("target=zen4,", "target=zen4,"),
        ("%[when=+x] gcc", "%[when=+x] gcc"),
        ("%[when='+x @1.2:'] gcc", "%[when='@1.2: +x'] gcc"),
    ],
)
def test_what_spack_reads_though_it_looks_odd(query: str, same: str) -> None:
    assert parse_spec(query) == parse_spec(same)
    assert parse_spec(str(parse_spec(query))) == parse_spec(query)


def test_several_specs() -> None:
    assert [str(spec) for spec in parse_specs("hdf5+mpi zlib@1.2 /abc/def")] == [
        "hdf5 +mpi",
        "zlib@1.2 /abc",
        "/def",
    ]
    assert parse_specs(" \n ") == ()


def test_a_value_that_looks_like_a_file_makes_nothing_else_one() -> None:
    assert str(parse_spec("hdf5/abc label=./a.json")) == "hdf5 label=./a.json /abc"


@pytest.mark.parametrize(
    ("arguments", "specs"),
    [
        (["hdf5", "+mpi", "@1.14"], ["hdf5@1.14 +mpi"]),
        (["hdf5 +mpi", "pigz"], ["hdf5 +mpi", "pigz"]),
        (["hdf5", "cflags=-O2 -g", "^zlib"], ["hdf5 cflags='-O2 -g' ^zlib"]),
        (["hdf5", "cflags==-O2 -g"], ["hdf5 cflags=='-O2 -g'"]),
        (["hdf5", "cflags='-O2 -g' +mpi"], ["hdf5 +mpi cflags='-O2 -g'"]),
        (["hdf5", "target=zen4 +mpi"], ["hdf5 +mpi target=zen4"]),
        (["", " "], []),
    ],
)
def test_arguments_are_joined_as_in_spack(arguments: list[str], specs: list[str]) -> None:
    assert parse_arguments(arguments) == tuple(parse_spec(it) for it in specs)


def test_each_of_several_specs_knows_its_part_of_the_text() -> None:
    text = " hdf5 +mpi ^[deptypes=link] zlib@1:2  %gcc pigz  @1.2"
    assert [query.written for query in parse_specs(text)] == [
        "hdf5 +mpi ^[deptypes=link] zlib@1:2  %gcc",
        "pigz  @1.2",
    ]


@pytest.mark.parametrize("text", ["%clang", "hdf5 %gcc", "^mpi %gcc", "+mpi %gcc ^zlib-ng", "*"])
def test_a_query_is_written_with_all_its_dependencies(text: str) -> None:
    assert [query.written for query in parse_specs(text)] == [text]


ERRORS = [
    ("", "expected a spec; '*' is any", ""),
    ("hdf5 zlib", "expected a single spec; a second one begins here", "zlib"),
    ("/abc /def", "expected a single spec; a second one begins here", "/def"),
    ("hdf5 +mpi ~mpi", "variant mpi is given twice", "~mpi"),
    ("hdf5@1 @2", "a second version: a spec has at most one '@'", "@2"),
    ("hdf5@", "expected a version after '@', as in @1.14, @1.2:1.4 or @=1.14", "@"),
    ("hdf5@3:1 +mpi", "3:1 is an empty range: it ends before it begins", "@3:1"),
    ("hdf5@1:=2", None, "@1:=2"),
    ("hdf5 +", "expected the name of a variant after '+'", "+"),
    ("hdf5 /", "expected a hash after '/'", "/"),
    ("hdf5 !mpi", "unexpected '!'", "!"),
    ("hdf5 =x", "expected a name before '=' and a value after it", "="),
    ("hdf5 ='a'", "expected a name before '=' and a value after it", "="),
    ('hdf5 :="a"', "expected a name before ':' and a value after it", ":"),
    ("hdf5 x='a", "the quote is not closed", "'a"),
    ("hdf5 x='a\\'", "the quote is not closed", "'a\\'"),
    ("hdf5 'a'", "a quoted value must follow a name and '=', as in cflags='-O2 -g'", "'"),
    ("hdf5 %", "expected a package, or '*' for any, after '%'", ""),
    ("hdf5 %[virtuals=c]", "expected a package, or '*' for any, after '%'", ""),
    ("hdf5 %[virtuals=c", "expected virtuals=..., deptypes=..., when=... or ']'", ""),
    ("hdf5 %[+x] gcc", "expected virtuals=..., deptypes=..., when=... or ']'", "+x"),
    ("hdf5 %[x=y] gcc", "expected virtuals=..., deptypes=... or when=...", "x=y"),
    ("hdf5 %[virtuals==c] gcc", "expected virtuals=..., deptypes=... or when=...", "virtuals==c"),
    ("hdf5 %[virtuals=c,] gcc", "expected names of virtuals, separated by commas", "virtuals=c,"),
    ("hdf5 %[deptypes=all] gcc", "deptypes are build, link, run, test", "deptypes=all"),
    (
        "hdf5 %[when='@1@2'] gcc",
        "when= is no spec: a second version: a spec has at most one '@'",
        "when='@1@2'",
    ),
    ("hdf5 ]", "expected a single spec; a second one begins here", "]"),
    ("]", "expected a spec", "]"),
    ("hdf5 dev_path=/a", "dev_path is a folder on the machine that built a spec", "dev_path=/a"),
    ("./a.json", "a file name cannot stand for a spec here; give its /hash", "./a.json"),
    (
        "hdf5 ^/a-b.c.yaml",
        "a file name cannot stand for a spec here; give its /hash",
        "/a-b.c.yaml",
    ),
    (
        "./a.json.yaml x",
        "a file name cannot stand for a spec here; give its /hash",
        "./a.json.yaml",
    ),
    ("./a.json/b", "a file name cannot stand for a spec here; give its /hash", "./a.json"),
    ("hdf5 -", "expected the name of a variant after '-'", "-"),
    ("hdf5 ~", "expected the name of a variant after '~'", "~"),
    ("os==x", "os is not passed on to dependencies: write os=...", "os==x"),
    ("++patches", "patches is not passed on to dependencies: write patches=...", "++patches"),
    ("+target", "target is not a variant: write target=...", "+target"),
    ("~cflags", "cflags is not a variant: write cflags=...", "~cflags"),
    ("os=a os=b", "os is given twice", "os=b"),
    ("os=a arch=zen4", "os is given twice", "arch=zen4"),
    ("arch=linux-a-zen4 target=zen3", "target is given twice", "target=zen3"),
    ("os=''", "expected a value after os=", "os=''"),
    ("os=fe", "fe depends on the machine: name the os itself", "os=fe"),
    ("target=be", "be depends on the machine: name the target itself", "target=be"),
    ("x=a,*", "'*' stands alone: it means any value", "x=a,*"),
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("hdf5 os=be", "hdf5 os=rocky9"),
        ("os=default_os target=frontend", "os=rocky9 target=zen4"),
        ("arch=linux-fe-default_target", "platform=linux os=rocky9 target=zen4"),
        ("hdf5 ^[when='os=backend'] zlib os=fe", "hdf5 ^[when='os=rocky9'] zlib os=rocky9"),
        ("os=default_target target=default_os", "os=default_target target=default_os"),
        ("platform=be target=be,zen4", "platform=be target=be,zen4"),
    ],
)
def test_what_stands_for_the_machine(query: str, expected: str) -> None:
    machine = {"os": "rocky9", "target": "zen4"}
    assert parse_spec(query, machine.__getitem__) == parse_spec(expected)
    assert parse_specs(query, machine.__getitem__) == parse_specs(expected)


@pytest.mark.parametrize("name", ["backend", "be", "default_os", "fe", "frontend"])
def test_every_word_for_the_os_of_the_machine(name: str) -> None:
    assert parse_spec(f"os={name}", {"os": "rocky9"}.__getitem__) == parse_spec("os=rocky9")


@pytest.mark.parametrize("name", ["backend", "be", "default_target", "fe", "frontend"])
def test_every_word_for_the_target_of_the_machine(name: str) -> None:
    machine = {"target": "zen4"}
    assert parse_spec(f"target={name}", machine.__getitem__) == parse_spec("target=zen4")


@pytest.mark.parametrize(
    "name",
    [
        *("arch", "architecture", "operating_system", "os", "platform", "target"),
        *("branch", "commit", "dev_path", "namespace", "patches", "ref", "tag"),
    ],
)
def test_what_is_not_passed_on(name: str) -> None:
    with pytest.raises(SpecSyntaxError, match=f"^{name} is not passed on to dependencies"):
        parse_spec(f"{name}==x")


@pytest.mark.parametrize(("query", "message", "place"), ERRORS)
def test_errors_name_the_place(query: str, message: str | None, place: str) -> None:
    with pytest.raises(SpecSyntaxError) as caught:
        parse_spec(query)
    error = caught.value
    assert message is None or error.message == message
    assert query[slice(*error.span)] == place
    assert error.source == query
    assert isinstance(error, CatalogError)
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        (
            "hdf5 %[x=y] gcc",
            "expected virtuals=..., deptypes=... or when=...\n    hdf5 %[x=y] gcc\n           ~~^",
        ),
        (
            "hdf5 %",
            "expected a package, or '*' for any, after '%'\n    hdf5 %\n          ^",
        ),
        ("a\t\n!", "unexpected '!'\n    a  !\n       ^"),
        (
            "a" * 100 + " !" + "b" * 100,
            "unexpected '!'\n"
            f"    ...{'a' * 37} !{'b' * 37}...\n"
            "                                             ^",
        ),
    ],
)
def test_errors_underline_the_place(query: str, shown: str) -> None:
    with pytest.raises(SpecSyntaxError) as caught:
        parse_spec(query)
    assert str(caught.value) == shown


def target(text: str) -> TargetConstraint:
    constraint = parse_spec(f"target={text}").root.target
    assert constraint is not None
    return constraint


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("zen4", ["zen4"], ["zen3", "x86_64"]),
        ("zen3,toaster", ["zen3", "toaster"], ["zen4"]),
        (
            ":zen4",
            ["zen4", "zen3", "x86_64_v4", "x86_64"],
            ["zen5", "icelake", "aarch64", "toaster"],
        ),
        ("x86_64_v3:", ["x86_64_v3", "zen4", "haswell"], ["x86_64_v2", "aarch64", "toaster"]),
        ("zen3:zen4", ["zen3", "zen4"], ["zen2", "x86_64_v4", "zen5"]),
        ("zen2:zen2", ["zen2"], ["zen", "zen3"]),
        ("neoverse_v2:zen4", [], ["zen4", "neoverse_v2"]),
        (":", ["zen4", "toaster"], []),
        ("*", ["zen4", "toaster"], []),
    ],
)
def test_targets(text: str, inside: list[str], outside: list[str]) -> None:
    constraint = target(text)
    assert [name for name in inside + outside if constraint.includes(name)] == inside


def test_everything() -> None:
    assert [text for text in ("*", ":", "zen4", "zen4:") if target(text).everything] == ["*", ":"]


def checked(text: str) -> SpecQuery | None:
    """The tree of a text, or None where it is refused at a place inside it."""
    try:
        return parse_spec(text)
    except SpecSyntaxError as caught:
        error = caught
    start, end = error.span
    assert 0 <= start <= end <= len(text)
    assert error.message in str(error)
    return None


@given(st.text())
def test_any_text_parses_or_gives_the_typed_error(text: str) -> None:
    checked(text)


@given(SPECS | SOUP)
def test_what_parses_prints_as_the_same_tree(text: str) -> None:
    tree = checked(text)
    if tree:
        assert parse_spec(str(tree)) == tree


@given(SPECS)
def test_one_spec_is_a_text_of_one_spec(text: str) -> None:
    tree = checked(text)
    if tree:
        assert parse_specs(text) == (tree,)


def test_limits() -> None:
    assert len(parse_specs("a " * MAX_WORDS)) == MAX_WORDS
    assert parse_spec("@" + ",".join("1" * MAX_PARTS))
    for text in ("a " * (MAX_WORDS + 1), "x=" + "," * MAX_WORDS):
        with pytest.raises(SpecSyntaxError, match="at most 500 words and list items"):
            parse_specs(text)
    assert parse_spec("a" * MAX_LENGTH)
    with pytest.raises(SpecSyntaxError, match="at most 10000 characters"):
        parse_spec("a" * (MAX_LENGTH + 1))


UNITS = [
    *(
        "a",
        "1",
        "a.",
        "a-",
        "a,",
        "~a",
        "+a",
        "-",
        "- ",
        "*",
        "é",
        " ",
        "\n",
        "git.",
        ":",
        ",",
        "1:",
    ),
    *("@", "@1.", "@1.2,", "@1.2 , ", "@git.a/", "@1,1", "/a", "/a ", "a/", "/a.", "/a.json"),
    *("^", "^ ", "^a", "%a", "%a,", "%%", "%[", "]", "a=", "a:=", "a=b,", "x=a ", " target=zen4:,"),
    *("x=\\", "\\'", "'a", "x='\\'", " x='a b'"),
]


def test_of_a_long_text_few_words_are_read() -> None:
    """The text is refused at its 501st word: nothing is said of what is wrong after it."""
    with pytest.raises(SpecSyntaxError, match="at most 500 words") as caught:
        parse_specs("a " * MAX_WORDS + "b !")
    assert caught.value.span == (0, 2 * MAX_WORDS + 3)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("prefix", ["", "hdf5@", "hdf5 x='", "hdf5 %", "@git.", ".json "])
def test_the_steps_taken_grow_with_the_length_alone(prefix: str, unit: str) -> None:
    def steps(length: int) -> int:
        text = (prefix + unit * length)[:length]
        count = 0

        def counted(*_: object) -> None:
            nonlocal count
            count += 1

        sys.setprofile(counted)
        try:
            checked(text)
        finally:
            sys.setprofile(None)
        return count

    # Calls are counted, not seconds: those depend on what else the machine does.  The
    # milliseconds are in ``python -m benchmarks.find``.
    assert steps(MAX_LENGTH) < 2.5 * steps(MAX_LENGTH // 2) + 1000
    assert steps(MAX_LENGTH) < 50 * MAX_LENGTH


ALPHABET = "".join(chr(97 + place % 26) for place in range(200))


@pytest.mark.parametrize(
    ("source", "span", "shown", "marks"),
    [
        (ALPHABET[:60], (50, 52), ALPHABET[:60], " " * 50 + "~^"),
        (ALPHABET[:76], (75, 76), ALPHABET[:76], " " * 75 + "^"),
        (ALPHABET[:77], (0, 1), f"{ALPHABET[:76]}...", "^"),
        (ALPHABET[:77], (76, 77), f"...{ALPHABET[1:77]}", " " * 78 + "^"),
        (ALPHABET, (38, 40), f"{ALPHABET[:76]}...", " " * 38 + "~^"),
        (ALPHABET, (100, 104), f"...{ALPHABET[62:138]}...", " " * 41 + "~~~^"),
        (ALPHABET, (198, 200), f"...{ALPHABET[124:]}", " " * 77 + "~^"),
        (ALPHABET, (90, 199), f"...{ALPHABET[52:128]}...", " " * 41 + "~" * 37 + "^"),
        ("a\tb\n", (1, 2), "a b ", " ^"),
    ],
)
def test_what_is_shown_of_a_long_text(source: str, span: Any, shown: str, marks: str) -> None:
    error = SpecSyntaxError("no", source, span)
    assert str(error) == f"no\n    {shown}\n    {marks}"


@pytest.mark.parametrize("operator", ["=", ":="])
def test_edge_attributes_have_either_sign(operator: str) -> None:
    expected = parse_spec("hdf5 %[virtuals=c deptypes=build] gcc")
    written = f"hdf5 %[virtuals{operator}c deptypes{operator}build] gcc"
    assert parse_spec(written) == expected
    with pytest.raises(SpecSyntaxError):
        parse_spec("hdf5 %[virtuals==c] gcc")
