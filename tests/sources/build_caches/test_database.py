"""Indexes: versions of the database, order, what is there, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import SourceError
from etl.records import Dependency, Mirror, Page, Problem
from etl.sources.build_caches.database import MAX_PROBLEMS, read_database
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.pages import read_pages

HDF5 = "3xsugsry35ptxtijcfjebdrtbhg26ibc"
GCC = "no2sycaxqy24mrmhnrxthihix6f65xek"
ZLIB = "cutoszf6nt2742fj53lq7x5arjpyseni"

ARCH = {"platform": "linux", "platform_os": "ubuntu22.04", "target": "x86_64_v3"}


def node(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "arch": ARCH, "namespace": "builtin", **more}


def needs(name: str, hash_: str, *virtuals: str) -> dict[str, Any]:
    how = {"deptypes": ["build"], "virtuals": list(virtuals)}
    return {"name": name, "hash": hash_, "parameters": how}


def record(spec: object, *, there: bool = True) -> dict[str, Any]:
    return {"spec": spec, "ref_count": 0, "in_buildcache": there}


def index(installs: object, version: object = "8") -> bytes:
    return json.dumps({"database": {"version": version, "installs": installs}}).encode()


def test_specs_come_by_hash_and_say_whether_they_are_there() -> None:
    database = read_database(
        index(
            {
                GCC: record(node("gcc"), there=False),
                HDF5: record(node("hdf5")),
                ZLIB: record(node("zlib")),
            }
        ),
        "index.json",
    )
    assert [spec.package for spec in database.specs] == ["hdf5", "zlib", "gcc"]
    assert database.available == (True, True, False)
    assert database.problems == ()


def test_a_compiler_after_the_spec_that_it_built() -> None:
    hdf5 = node("hdf5", dependencies=[needs("gcc", GCC, "c")])
    for installs in (
        {GCC: record(node("gcc")), HDF5: record(hdf5)},
        {HDF5: record(hdf5), GCC: record(node("gcc"))},
    ):
        database = read_database(index(installs), "index.json")
        assert [spec.compiler for spec in database.specs] == ["gcc@1.0", "none"]
        assert database.problems == ()


def test_a_compiler_that_the_index_does_not_hold() -> None:
    hdf5 = node("hdf5", dependencies=[needs("gcc", GCC, "c")])
    database = read_database(index({HDF5: record(hdf5)}), "index.json")
    assert database.specs[0].compiler == "none"
    assert database.problems == (
        Problem(
            f"index.json installs[{HDF5}]",
            "contradiction",
            "its compiler gcc/no2syca is not in the index",
        ),
    )


def test_only_the_packages_asked_for_with_all_that_others_know_of_them() -> None:
    hdf5 = node("hdf5", dependencies=[needs("gcc", GCC, "c")])
    installs = {GCC: record(node("gcc")), HDF5: record(hdf5)}
    database = read_database(index(installs), "index.json", {"hdf5"})
    assert [(spec.package, spec.compiler) for spec in database.specs] == [("hdf5", "gcc@1.0")]
    assert database.available == (True,)


@pytest.mark.parametrize(
    ("version", "spec_format", "variants"),
    [("5", 1, "x=a,b"), ("6", 3, "x=a,b"), ("7", 4, "x=a,b"), ("8", 5, "x:=a,b"), (8, 5, "x:=a,b")],
)
def test_versions(version: object, spec_format: int, variants: str) -> None:
    installs = {HDF5: record(node("hdf5", parameters={"x": ["a", "b"]}))}
    (spec,) = read_database(index(installs, version), "index.json").specs
    assert spec.build is not None
    assert (spec.build.format, spec.variants) == (spec_format, (variants,))


@pytest.mark.parametrize("version", ["9", "10", "4", "0.9.3", "", [], 8.5])
def test_other_versions_are_refused_by_name(version: object) -> None:
    with pytest.raises(SourceError) as error:
        read_database(index({}, version), "index.json")
    assert str(error.value) == (
        f"index.json: database version {version} is not supported (5, 6, 7, 8 are);"
        " a newer spack-catalog may read it"
    )


def test_an_index_of_spack_0_16() -> None:
    """Its version comes last, specs have their name outside, and none says that it is there."""
    external = {"external": {"path": "/usr", "module": None}}
    installs = {
        HDF5: {
            "spec": {
                "hdf5": {
                    **node("hdf5"),
                    "full_hash": "f" * 32,
                    "dependencies": {"zlib": {"build_hash": "b" * 32, "type": ["link"]}},
                }
            },
            "ref_count": 0,
        },
        ZLIB: {"spec": {"zlib": {**node("zlib"), "build_hash": "b" * 32}}, "ref_count": 1},
        GCC: {"spec": {"gcc": {**node("gcc"), **external}}, "ref_count": 0},
    }
    data = json.dumps({"database": {"installs": installs, "version": "5"}}).encode()
    database = read_database(data, "index.json")
    assert database.available == (True, True, False)
    assert database.specs[0].build is not None
    assert database.specs[0].build.dependencies == (Dependency(ZLIB, "zlib", ("link",), ()),)


@pytest.mark.parametrize("version", ["5", "8"])
@pytest.mark.parametrize("damaged", [None, "text", 3, [], {}, {"spec": None}, {"spec": []}])
def test_a_damaged_record_is_refused_alone(version: str, damaged: object) -> None:
    database = read_database(
        index({HDF5: damaged, ZLIB: record(node("zlib"))}, version), "index.json"
    )
    assert [spec.package for spec in database.specs] == ["zlib"]
    assert [(it.place.partition(".spec")[0], it.kind) for it in database.problems] == [
        (f"index.json installs[{HDF5}]", "refused")
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON: the file is empty; fetch it again"),
        (b"[]", "not the index of a build cache (no database with a version)"),
        (b"3", "not the index of a build cache (no database with a version)"),
        (b"{}", "not the index of a build cache (no database with a version)"),
        (b'{"database": []}', "not the index of a build cache (no database with a version)"),
        (b'{"database": {"version": "8"}}', "the database has no installs"),
        (b'{"database": {"version": "8", "installs": []}}', "the database has no installs"),
        (b'{"database": {"version": "8", "installs": {}}} x', "not JSON: Extra data at character"),
        (b'{"database": {"version": "8", "installs": {', "where it is cut off; fetch it again"),
        (b'{"database": {"version": "8", "installs": {}}', "where it is cut off; fetch it again"),
        (b'{"a": ' + b"[" * 99_999, "its values are nested too deeply"),
        (b'{"a": ' + b"9" * 9_999 + b"}", "a number of thousands of digits"),
        (b"<html></html>", "HTML or XML instead of JSON"),
        (b'{"\xff": 1}', "not JSON: byte 2 is not UTF-8"),
    ],
)
def test_what_is_no_index(data: bytes, message: str) -> None:
    with pytest.raises(SourceError) as error:
        read_database(data, "index.json")
    assert message in str(error.value)
    assert str(error.value).startswith("index.json: ")


def test_one_bad_record_does_not_spoil_the_rest() -> None:
    database = read_database(
        index({HDF5: record(node("hdf5")), ZLIB: record({"name": "zlib"}), "x" * 99: 3, GCC: 3}),
        "index.json",
    )
    assert [spec.package for spec in database.specs] == ["hdf5"]
    assert database.problems == (
        Problem(f"index.json installs[{ZLIB}]", "refused", "the spec has no version"),
        Problem(f"index.json installs[{'x' * 40}]", "refused", "the record is not an object"),
        Problem(f"index.json installs[{GCC}]", "refused", "the record is not an object"),
    )


def test_a_hash_that_is_there_twice() -> None:
    one, two = (json.dumps(record(node("hdf5", version=version))) for version in "12")
    installs = f'{{"{HDF5}": {one}, "{HDF5}": {two}}}'
    data = f'{{"database": {{"version": "8", "installs": {installs}}}}}'.encode()
    database = read_database(data, "index.json")
    assert [spec.version for spec in database.specs] == ["1"]
    assert [problem.message for problem in database.problems] == [
        "the index has this hash twice; the first one is used"
    ]


def test_many_bad_records_are_counted() -> None:
    installs = {
        f"{number:0>32}".translate(str.maketrans("0189", "abcd")): 3 for number in range(99)
    }
    problems = read_database(index(installs), "index.json").problems
    assert len(problems) == MAX_PROBLEMS + 1
    assert problems[-1] == Problem(
        "index.json", "refused", f"{99 - MAX_PROBLEMS} more records have problems"
    )


def test_a_byte_order_mark_and_blanks_are_passed_over() -> None:
    text = json.dumps({"database": {"version": "8", "installs": {HDF5: record(node("hdf5"))}}})
    data = "\ufeff \n".encode() + json.dumps(json.loads(text), indent=2).encode() + b"\n"
    assert [spec.package for spec in read_database(data, "index.json").specs] == ["hdf5"]


def test_the_pages_and_the_indexes_of_a_tag_tell_the_same(real_data: Path) -> None:
    """All that both know of a spec, for every binary of the tags that both are there for."""

    def facts(spec: Any) -> tuple[object, ...]:
        what = (spec.hash, spec.package, spec.version, spec.compiler)
        return (*what, spec.os, spec.platform, spec.target, spec.variants)

    on_pages: dict[tuple[str, str], object] = {}
    for page in read_pages(real_data / "pages"):
        if isinstance(page, Page):
            for spec, stacks in zip(page.specs, page.stacks, strict=True):
                on_pages[page.tag, spec.hash] = (facts(spec), sorted(stacks))
    binaries: dict[tuple[str, str], object] = {}
    stacks_of: dict[tuple[str, str], list[str]] = {}
    for folder in ("mirrors", "indexes"):
        for mirror in read_build_caches(real_data / folder):
            if isinstance(mirror, Mirror):
                for spec, there in zip(mirror.specs, mirror.available, strict=True):
                    key = mirror.tag, spec.hash
                    stacks_of.setdefault(key, []).append(mirror.stack)
                    if there and mirror.stack == "root":
                        binaries[key] = facts(spec)
    assert len(on_pages) == 2_660
    assert {key: (binaries[key], sorted(stacks_of[key])) for key in binaries} == on_pages


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(SourceError, match=r"^index\.json: not JSON: "):
        read_database(b'{"database": {"version": "8", "installs": {' + data, "index.json")
