"""Spack's spec formats, one record of each, and everything that is refused in one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import SourceError
from etl.records import Build, Dependency, Spec
from etl.sources.build_caches.specfile import SpecReader, find_compiler

HASH = "3xsugsry35ptxtijcfjebdrtbhg26ibc"
GCC = "no2sycaxqy24mrmhnrxthihix6f65xek"
LLVM = "a2sycaxqy24mrmhnrxthihix6f65xekb"
ZLIB = "cutoszf6nt2742fj53lq7x5arjpyseni"

ARCH = {"platform": "linux", "platform_os": "ubuntu22.04", "target": "x86_64_v3"}
NO_FLAGS: dict[str, Any] = {
    name: [] for name in ("cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs")
}


def edge(name: str, hash_: str, deptypes: list[str], virtuals: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "hash": hash_,
        "parameters": {"deptypes": deptypes, "virtuals": virtuals},
    }


def node(**changes: Any) -> dict[str, Any]:
    return {
        "name": "hdf5",
        "version": "1.14.6",
        "arch": ARCH,
        "namespace": "builtin",
        "parameters": {"build_system": "cmake", "mpi": False, "shared": True, **NO_FLAGS},
        "package_hash": "nktmqmsn====",
        "annotations": {"original_specfile_version": 5},
        "hash": HASH,
        **changes,
    }


def reader_with(*known: tuple[str, str, str]) -> SpecReader:
    """A reader of format 5 that has read these: hash, name, version."""
    reader = SpecReader(5, ":=")
    for hash_, name, version in known:
        reader.read(hash_, node(name=name, version=version))
    return reader


def compiler_of(*edges: dict[str, Any]) -> str:
    reader = reader_with((GCC, "gcc", "12.2.0"), (LLVM, "llvm", "18.1.8"))
    return reader.read(HASH, node(dependencies=list(edges))).compiler


def test_format_5() -> None:
    spec = reader_with((GCC, "gcc", "12.2.0")).read(
        HASH,
        node(
            parameters={
                "build_system": "cmake",
                "libs": ["shared", "static"],
                "mpi": False,
                "patches": ["b" * 64, "a" * 64],
                "title": "its own",
                **NO_FLAGS,
                "cflags": ["-O2", "-g"],
            },
            patches=["b" * 64, "a" * 64],
            dependencies=[
                edge("gcc", GCC, ["build"], ["cxx", "c"]),
                edge("zlib-ng", ZLIB, ["build", "link"], ["zlib-api"]),
            ],
        ),
    )
    assert spec == Spec(
        HASH,
        "hdf5",
        "1.14.6",
        "gcc@12.2.0",
        "ubuntu22.04",
        "linux",
        "x86_64_v3",
        (
            "build_system=cmake",
            "libs:=shared,static",
            "~mpi",
            "patches:=aaaaaaa,bbbbbbb",
            "title='its own'",
        ),
        None,
        Build(
            5,
            "builtin",
            "nktmqmsn====",
            (("cflags", ("-O2", "-g")),),
            ("b" * 64, "a" * 64),
            None,
            None,
            (
                Dependency(GCC, "gcc", ("build",), ("c", "cxx")),
                Dependency(ZLIB, "zlib-ng", ("build", "link"), ("zlib-api",)),
            ),
        ),
    )


def test_format_4() -> None:
    value: dict[str, Any] = {
        "name": "hdf5",
        "version": "1.14.5",
        "arch": ARCH,
        "compiler": {"name": "oneapi", "version": "2024.2.1"},
        "namespace": "builtin",
        "parameters": {"libs": ["shared", "static"], **NO_FLAGS},
        "dependencies": [edge("zlib-ng", ZLIB, ["build", "link"], ["zlib-api"])],
    }
    spec = SpecReader(4, "=").read(HASH, value)
    assert spec == Spec(
        HASH,
        "hdf5",
        "1.14.5",
        "intel-oneapi-compilers@2024.2.1",
        "ubuntu22.04",
        "linux",
        "x86_64_v3",
        ("libs=shared,static",),
        None,
        Build(
            4,
            "builtin",
            dependencies=(Dependency(ZLIB, "zlib-ng", ("build", "link"), ("zlib-api",)),),
        ),
    )


def test_format_4_written_again_by_a_newer_spack() -> None:
    """As ``spack buildcache migrate`` leaves it: every edge is direct, the compiler annotated."""
    dependency = edge("zlib-ng", ZLIB, ["build", "link"], [])
    dependency["parameters"]["direct"] = True
    spec = SpecReader(5, ":=").read(
        HASH,
        node(
            parameters={"libs": ["shared"]},
            annotations={"original_specfile_version": 4, "compiler": "gcc@=12.2.0"},
            dependencies=[dependency, edge("gcc", GCC, ["build"], ["c"])],
        ),
    )
    assert (spec.compiler, spec.variants) == ("gcc@12.2.0", ("libs:=shared",))
    assert spec.build is not None
    assert spec.build.format == 4
    assert spec.build.dependencies[0] == Dependency(ZLIB, "zlib-ng", ("build", "link"), ())


def test_format_3() -> None:
    value: dict[str, Any] = {
        "name": "hdf5",
        "version": "1.12.1",
        "arch": ARCH,
        "compiler": {"name": "gcc", "version": "9.4.0"},
        "namespace": "builtin",
        "parameters": {"mpi": True, **NO_FLAGS},
        "dependencies": [
            {"name": "zlib", "hash": ZLIB, "type": ["build", "link"]},
            {"name": "gmake", "hash": GCC, "type": ["build"]},
        ],
    }
    spec = SpecReader(3, "=").read(HASH, value)
    assert (spec.compiler, spec.variants) == ("gcc@9.4.0", ("+mpi",))
    assert spec.build == Build(
        3,
        "builtin",
        dependencies=(
            Dependency(ZLIB, "zlib", ("build", "link"), ()),
            Dependency(GCC, "gmake", ("build",), ()),
        ),
    )


def test_format_1() -> None:
    spec = SpecReader(1, "=").read(
        HASH,
        {
            "hdf5": {
                "version": "1.10.7",
                "arch": {**ARCH, "target": {"name": "skylake", "vendor": "GenuineIntel"}},
                "compiler": {"name": "clang", "version": "10.0.0"},
                "namespace": "builtin",
                "parameters": {"mpi": True, **NO_FLAGS},
                "dependencies": {"zlib": {"hash": ZLIB, "type": ["link", "build"]}},
            }
        },
    )
    assert (spec.package, spec.version, spec.target) == ("hdf5", "1.10.7", "skylake")
    assert spec.compiler == "llvm@10.0.0"
    assert spec.build is not None
    assert spec.build.dependencies == (Dependency(ZLIB, "zlib", ("build", "link"), ()),)


def test_dependencies_known_by_other_hashes() -> None:
    aliases = {"f" * 32: ZLIB, "b" * 32: GCC}
    spec = SpecReader(1, "=", aliases).read(
        HASH,
        node(
            annotations=None,
            dependencies={
                "zlib": {"full_hash": "f" * 32, "type": ["link"]},
                "gmake": {"build_hash": "b" * 32, "type": ["build"]},
            },
        ),
    )
    assert spec.build is not None
    assert [dependency.hash for dependency in spec.build.dependencies] == [ZLIB, GCC]


def test_the_compiler_is_what_provides_c_or_else_cxx_or_else_fortran() -> None:
    llvm, gcc = ("llvm", LLVM, ["build"]), ("gcc", GCC, ["build"])
    assert compiler_of(edge(*llvm, ["cxx"]), edge(*gcc, ["c", "fortran"])) == "gcc@12.2.0"
    assert compiler_of(edge(*llvm, ["cxx"]), edge(*gcc, ["fortran"])) == "llvm@18.1.8"
    assert compiler_of(edge(*gcc, ["fortran"])) == "gcc@12.2.0"
    assert compiler_of(edge(*llvm, ["c"]), edge(*gcc, ["c"])) == "llvm@18.1.8"
    # gcc-runtime depends on gcc, which does not make gcc its compiler.
    assert compiler_of(edge(*gcc, [])) == "none"
    assert compiler_of() == "none"


def test_a_compiler_that_has_not_been_read_yet() -> None:
    reader = SpecReader(5, ":=")
    spec = reader.read(HASH, node(dependencies=[edge("gcc", GCC, ["build"], ["c"])]))
    assert spec.compiler == "none"
    reader.read(GCC, node(name="gcc", version="12.2.0"))
    assert spec.build is not None
    assert reader.compiler_among(spec.build.dependencies) == "gcc@12.2.0"
    found = find_compiler(spec.build.dependencies)
    assert found is not None
    assert found.hash == GCC


@pytest.mark.parametrize(
    ("external", "where"),
    [
        ({"path": "/usr", "module": None, "extra_attributes": {}}, "/usr"),
        ({"path": None, "module": ["openssl/3.0.11", "x"]}, "openssl/3.0.11 x"),
        ({"path": "/opt", "module": ["openssl/3.0.11"]}, "/opt"),
        ({"path": None, "module": "openssl/3.0.11"}, "openssl/3.0.11"),
        ({"path": None, "module": False}, ""),
    ],
)
def test_externals(external: dict[str, Any], where: str) -> None:
    spec = SpecReader(5, ":=").read(HASH, node(external=external))
    assert spec.build is not None
    assert spec.build.external == where


def test_a_splice() -> None:
    spec = SpecReader(5, ":=").read(HASH, node(build_spec={"name": "hdf5", "hash": ZLIB}))
    assert spec.build is not None
    assert spec.build.build_spec == ZLIB


def test_a_git_version_and_a_vendor_target() -> None:
    version = f"git.{'0' * 40}=0.2.5"
    target = {"name": "neoverse_v2", "vendor": "ARM", "features": ["sve"], "parents": []}
    spec = SpecReader(5, ":=").read(HASH, node(version=version, arch={**ARCH, "target": target}))
    assert (spec.version, spec.target) == (version, "neoverse_v2")


def test_patches_that_only_the_node_tells() -> None:
    spec = SpecReader(5, ":=").read(HASH, node(parameters={}, patches=["b" * 64, "a" * 64]))
    assert spec.variants == ("patches:=aaaaaaa,bbbbbbb",)
    assert spec.build is not None
    assert spec.build.patches == ("b" * 64, "a" * 64)


def test_two_edges_to_one_spec_are_one_dependency() -> None:
    spec = SpecReader(5, ":=").read(
        HASH,
        node(
            dependencies=[
                edge("gcc", GCC, ["link"], ["fortran"]),
                edge("zlib", ZLIB, ["link"], []),
                edge("gcc", GCC, ["build"], ["c"]),
            ]
        ),
    )
    assert spec.build is not None
    assert spec.build.dependencies == (
        Dependency(GCC, "gcc", ("build", "link"), ("c", "fortran")),
        Dependency(ZLIB, "zlib", ("link",), ()),
    )


def test_two_dependencies_of_one_name() -> None:
    spec = SpecReader(5, ":=").read(
        HASH,
        node(dependencies=[edge("cmake", GCC, ["build"], []), edge("cmake", ZLIB, ["run"], [])]),
    )
    assert spec.build is not None
    assert [dependency.hash for dependency in spec.build.dependencies] == [GCC, ZLIB]


OLD = node(annotations={"original_specfile_version": 4})
WRONG_KIND = "a value of the spec is not of the kind it should be"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the spec is not an object with a name"),
        ([], "the spec is not an object with a name"),
        ({}, "the spec is not an object with a name"),
        ({"hdf5": 3}, "the spec is not an object with a name"),
        (node(name="../../etc"), "'../../etc' is not a name that a package can have"),
        (node(name=""), "'' is not a name that a package can have"),
        (node(version=""), "'' is not a text that a spec can have"),
        (node(version=3), "3 is not a text that a spec can have"),
        (node(version="1\n2"), "'1\\n2' is not a text that a spec can have"),
        (node(version="\ud800"), "'\\ud800' is not a text that a spec can have"),
        (node(version=[]), WRONG_KIND),
        ({"name": "hdf5", "versions": ["1", "2"]}, WRONG_KIND),
        ({"name": "hdf5", "version": "1"}, "the spec has no arch"),
        (node(arch=None), WRONG_KIND),
        (node(arch={"platform": "linux", "target": "x"}), "the spec has no platform_os"),
        (node(arch={**ARCH, "target": {}}), "the spec has no name"),
        (node(parameters=[1]), WRONG_KIND),
        (node(parameters={"x": None}), "a variant is a boolean, a string or a list of strings"),
        (node(parameters={"x": {}}), "a variant is a boolean, a string or a list of strings"),
        (node(parameters={"cflags": "-O2"}), WRONG_KIND),
        (node(parameters={"x": "a\x1bb"}), "is not a text that a spec can have"),
        (node(dependencies=3), WRONG_KIND),
        (node(dependencies=[3]), WRONG_KIND),
        (node(dependencies=[{"name": "x"}]), "the spec has no"),
        (node(dependencies=[edge("x", "../x", [], [])]), "'../x' is not a spec's hash"),
        (node(dependencies=[edge("x", GCC, ["eat"], [])]), "x is of an unknown type: ('eat',)"),
        (node(dependencies=[edge("a b", GCC, [], [])]), "'a b' is not a name"),
        (node(dependencies=[edge("x", GCC, [], ["a b"])]), "'a b' is not a name"),
        (node(build_spec={"name": "x"}), "the spec has no hash of what it refers to"),
        (node(external=3), WRONG_KIND),
        (OLD | {"compiler": "gcc"}, WRONG_KIND),
        (OLD | {"compiler": {"name": None, "version": "1"}}, "None is not a text that a spec can"),
        (OLD | {"compiler": {"name": "gcc", "version": 1}}, "1 is not a text that a spec can have"),
        (OLD | {"compiler": {"name": "gcc"}}, "the spec has no version"),
        (node(annotations={}), "the spec has no original_specfile_version"),
        (node(annotations={"original_specfile_version": 6}), "spec format 6 is not supported"),
        (node(annotations={"original_specfile_version": 0}), "spec format 0 is not supported"),
        (node(annotations={"original_specfile_version": "5"}), "spec format '5' is not supported"),
    ],
)
def test_what_is_refused(value: object, message: str) -> None:
    with pytest.raises(SourceError) as error:
        SpecReader(5, ":=").read(HASH, value)
    assert message in error.value.message


def test_a_hash_that_is_none() -> None:
    with pytest.raises(SourceError, match="'abc' is not a spec's hash"):
        SpecReader(5, ":=").read("abc", node())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(sorted(node())), json_values))
def test_any_value_gives_a_spec_or_is_refused(changes: dict[str, Any]) -> None:
    try:
        spec = SpecReader(5, ":=").read(HASH, node(**changes))
    except SourceError:
        return
    assert spec.hash == HASH


@pytest.mark.parametrize("written_in", [1, 2, 3, 4, 5])
def test_formats_that_specs_keep_when_they_are_migrated(written_in: int) -> None:
    value = node(annotations={"original_specfile_version": written_in})
    build = SpecReader(5, ":=").read(HASH, value).build
    assert build is not None
    assert build.format == written_in


def test_edges_without_virtuals() -> None:
    edge = {"name": "zlib", "hash": ZLIB, "parameters": {"deptypes": ["link"]}}
    build = SpecReader(5, ":=").read(HASH, node(dependencies=[edge])).build
    assert build is not None
    assert build.dependencies == (Dependency(ZLIB, "zlib", ("link",), ()),)


def test_an_edge_of_all_types() -> None:
    every = edge("zlib", ZLIB, ["test", "run", "link", "build"], [])
    build = SpecReader(5, ":=").read(HASH, node(dependencies=[every])).build
    assert build is not None
    assert build.dependencies == (Dependency(ZLIB, "zlib", ("build", "link", "run", "test"), ()),)
