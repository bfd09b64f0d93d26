"""What the page of a spec says: its text, its places, what it needs, and what is like it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from etl.browse import graph
from etl.browse.facets import variant_name
from etl.browse.graph import Branch
from etl.browse.package import Chosen, package_facts
from etl.browse.similar import Difference
from etl.browse.spec import (
    MAX_CANDIDATES,
    MAX_DEPENDENTS,
    SpecFacts,
    spec_facts,
    specs_with_prefix,
)
from etl.browse.spec_text import askable, full_spec
from etl.catalog.asking import NotHereError
from etl.catalog.reader import open_catalog
from etl.catalog.variant_text import split_variants
from etl.query.find import Finder, Scope
from etl.sources.build_caches.mirror import read_build_caches
from etl.spack.syntax import parse_spec
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.sites import hash_of
from tests.small_catalogs import (
    FIRST,
    SECOND,
    build,
    graph_catalog,
    history_catalog,
    node,
    record,
    spec_hash,
    write_indexes,
)

MPI = "ta6pedvdixmtsxl6zzxbsro4hfbn3wej"
ZLIB = "5hvskep35ebjvo4hhqbbx5v7n6tz4wcf"
DIAMOND = {
    "app": ["lib-b", "lib-c"],
    "base": ["sys"],
    "deep": [],
    "lib-b": ["base"],
    "lib-c": ["base", "deep"],
    "lone": [],
    "sys": [],
}


@pytest.fixture
def sample(sample_catalog: Path) -> Iterator[sqlite3.Connection]:
    with open_catalog(sample_catalog) as opened:
        yield opened


@pytest.fixture(scope="module")
def release(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog of a whole release, whose dependencies are known."""
    target = tmp_path_factory.mktemp("release") / "catalog.db"
    build_catalog([Reading("indexes", read_build_caches(real_data / "indexes"))], target)
    return target


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return history_catalog(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="module")
def diamond(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return graph_catalog(tmp_path_factory.mktemp("diamond"), DIAMOND, "sys")


def run(catalog: Path, sql: str) -> list[dict[str, Any]]:
    """What a statement gives that is run as it is, by plain SQLite."""
    with closing(sqlite3.connect(catalog)) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(sql)]


def facts_of(catalog: Path, hash_: str) -> SpecFacts:
    with open_catalog(catalog) as db:
        return spec_facts(db, hash_)


def test_a_spec(sample: sqlite3.Connection, sample_catalog: Path) -> None:
    facts = spec_facts(sample, MPI)
    known = {
        name: facts.spec[name]
        for name in ("package", "version", "compiler", "os", "platform", "target", "tags")
    }
    assert known == {
        "package": "hdf5",
        "version": "1.14.6",
        "compiler": "gcc@12.2.0",
        "os": "ubuntu22.04",
        "platform": "linux",
        "target": "x86_64_v3",
        "tags": 1,
    }
    assert (facts.spec["first_tag"], facts.spec["since"]) == ("develop-2025-07-20", "2025-07-20")
    assert facts.text == (
        "hdf5@1.14.6~cxx~fortran+hl~ipo~java~map+mpi+shared~subfiling~szip~threadsafe+tools"
        " api=default build_system=cmake build_type=Release generator=make"
        " platform=linux os=ubuntu22.04 target=x86_64_v3 %gcc@12.2.0"
    )
    assert [tuple(it.values()) for it in facts.variants[:4]] == [
        ("api", "default", "api=default"),
        ("build_system", "cmake", "build_system=cmake"),
        ("build_type", "Release", "build_type=Release"),
        ("cxx", "false", "~cxx"),
    ]
    assert facts.flags == ()
    assert facts.install == (
        "spack mirror add develop-2025-07-20 https://binaries.spack.io/develop-2025-07-20",
        "spack buildcache keys --install --trust",
        f"spack install --cache-only hdf5/{MPI}",
    )
    assert facts.described
    assert (facts.dependents.rows, facts.dependents.total) == ((), 0)
    assert run(sample_catalog, facts.places.sql) == list(facts.places.rows)


def test_where_a_spec_is(sample: sqlite3.Connection, sample_catalog: Path) -> None:
    facts = spec_facts(sample, ZLIB)
    assert facts.places.rows == (
        {
            "tag": "develop-2025-07-20",
            "date": "2025-07-20",
            "stacks": "build_systems root",
            "first_seen": None,
            "last_seen": None,
            "gone_since": None,
            "published": None,
            "cache": None,
        },
        {
            "tag": "v2025.07.0",
            "date": "2025-07-18",
            "stacks": "build_systems e4s root tutorial",
            "first_seen": None,
            "last_seen": None,
            "gone_since": None,
            "published": None,
            "cache": None,
        },
    )
    assert (facts.spec["first_tag"], facts.spec["last_tag"]) == ("v2025.07.0", "develop-2025-07-20")
    assert facts.dependents.total == len(facts.dependents.rows) > 0
    for found in (facts.places, facts.dependents):
        assert run(sample_catalog, found.sql) == list(found.rows)


def test_a_spec_of_a_page_alone(history: Path) -> None:
    facts = facts_of(history, hash_of(3))
    assert not facts.described
    assert (facts.needed.tree, facts.needed.specs, facts.needed.more) == ((), (), False)
    assert facts.spec["size"] == 2_500_000
    assert [(it["tag"], it["stacks"]) for it in facts.places.rows] == [
        (SECOND, "e4s hep root"),
        (FIRST, "e4s root"),
    ]
    assert [tuple(it.values()) for it in facts.variants] == [
        ("build_system", "cmake", "build_system=cmake"),
        ("ipo", "false", "~ipo"),
        ("libs", "shared,static", "libs:=shared,static"),
    ]


@pytest.mark.parametrize("hash_", ["", "x", hash_of(3)[:31], hash_of(3) + "a", "%" * 32])
def test_no_spec(history: Path, hash_: str) -> None:
    with pytest.raises(NotHereError) as raised:
        facts_of(history, hash_)
    assert (raised.value.kind, raised.value.name) == ("spec with the hash", hash_)


def test_specs_by_how_their_hash_begins(sample: sqlite3.Connection, sample_catalog: Path) -> None:
    every = sorted(hash_ for (hash_,) in sample.execute("SELECT hash FROM specs"))
    for prefix in ("a", "b2", "TA6", "z", "7", "77", MPI, MPI[:31]):
        expected = [it for it in every if it.startswith(prefix.lower())]
        found = specs_with_prefix(sample, prefix)
        assert [it["hash"] for it in found.rows] == expected, prefix
        assert found.total == len(expected) > 0
        assert run(sample_catalog, found.sql) == list(found.rows)


def test_of_many_candidates_the_first_are_told(history: Path, tmp_path: Path) -> None:
    names: dict[str, list[str]] = {f"p{number}": [] for number in range(MAX_CANDIDATES + 5)}
    with open_catalog(graph_catalog(tmp_path, names)) as db:
        found = specs_with_prefix(db, "h")
        assert found.total == MAX_CANDIDATES + 5
        assert [it["hash"] for it in found.rows] == [
            *sorted(hash_of(number + 1) for number in range(MAX_CANDIDATES + 5))[:MAX_CANDIDATES]
        ]


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "%",
        "_",
        "h%",
        "1",
        "hhh0",
        "\u0130",
        "\U0001f4a5",
        "é",
        "a" * 33,
        "h" * 10_000,
        "h\n",
        "'",
    ],
)
def test_what_is_no_beginning_of_a_hash(history: Path, prefix: str) -> None:
    with open_catalog(history) as db, pytest.raises(NotHereError) as raised:
        specs_with_prefix(db, prefix)
    assert raised.value.kind == "spec with a hash that begins with"


FLAGS = ({"name": "cflags", "flags": "-O2 -g"}, {"name": "ldflags", "flags": "-Wl,-z,now"})


@pytest.mark.parametrize(
    ("changes", "flags", "text"),
    [
        ({}, (), "zlib@1.3+a~b c=d e:=f,g platform=linux os=rhel8 target=zen4 %gcc@12"),
        ({"compiler": "none"}, (), "zlib@1.3+a~b c=d e:=f,g platform=linux os=rhel8 target=zen4"),
        (
            {},
            FLAGS,
            "zlib@1.3 cflags='-O2 -g' ldflags=-Wl,-z,now +a~b c=d e:=f,g"
            " platform=linux os=rhel8 target=zen4 %gcc@12",
        ),
        (
            {"variants": "note='a  b' +a", "platform": None, "os": None},
            (),
            "zlib@1.3+a note='a  b' target=zen4 %gcc@12",
        ),
        (
            {"variants": "++a ~~b c==d", "target": None, "os": None, "compiler": None},
            (),
            "zlib@1.3++a~~b c==d platform=linux",
        ),
        (
            dict.fromkeys(("version", "variants", "platform", "os", "target", "compiler")),
            (),
            "zlib",
        ),
    ],
)
def test_a_spec_as_spack_prints_it(
    changes: dict[str, Any], flags: Sequence[dict[str, str]], text: str
) -> None:
    spec = {
        "package": "zlib",
        "version": "1.3",
        "variants": "+a c=d ~b e:=f,g",
        "platform": "linux",
        "os": "rhel8",
        "target": "zen4",
        "compiler": "gcc@12",
        **changes,
    }
    assert full_spec(spec, flags) == text
    parse_spec(text)


def _not_found_again(db: sqlite3.Connection, every: int) -> dict[str, str]:
    """Specs that asking for their own text does not find, in the last tag that has them."""
    finder = Finder(db)
    missing = {}
    query = "SELECT hash, id FROM specs WHERE tags > 0 ORDER BY hash"
    for hash_, id_ in db.execute(query).fetchall()[::every]:
        facts = _described(db, hash_, id_)
        statement = finder.binaries([parse_spec(facts[1])], Scope(facts[0]), limit=10_000)
        if hash_ not in {row[3] for row in finder.rows(statement)}:
            missing[hash_] = facts[1]
    return missing


def _described(db: sqlite3.Connection, hash_: str, id_: int) -> tuple[str, str]:
    columns = ("last_tag", "package", "version", "variants", "platform", "os", "target", "compiler")
    row = db.execute(f"SELECT {', '.join(columns)} FROM spec_list WHERE hash = ?", (hash_,))
    spec = dict(zip(columns, row.fetchone(), strict=True))
    flags = db.execute("SELECT name, flag FROM spec_flags WHERE spec_id = ? ORDER BY id", (id_,))
    by_name: dict[str, list[str]] = {}
    for name, flag in flags:
        by_name.setdefault(name, []).append(flag)
    told = [{"name": name, "flags": " ".join(by_name[name])} for name in sorted(by_name)]
    return spec["last_tag"], full_spec(spec, told)


def test_asking_for_the_text_of_a_spec_finds_it(sample: sqlite3.Connection) -> None:
    assert _not_found_again(sample, 1) == {}


def test_asking_for_the_text_of_a_spec_of_a_release_finds_it(release: Path) -> None:
    with open_catalog(release) as db:
        assert _not_found_again(db, 1) == {}


def test_patches_are_asked_for_by_what_is_printed_of_them(sample: sqlite3.Connection) -> None:
    (hash_,) = sample.execute(
        "SELECT hash FROM spec_list WHERE variants LIKE '%patches:=7a351bc%' LIMIT 1"
    ).fetchone()
    facts = spec_facts(sample, hash_)
    patches = {"name": "patches", "value": "7a351bc", "text": "patches=7a351bc"}
    assert patches in facts.variants
    assert " patches=7a351bc " in facts.text
    chosen = Chosen(facts.spec["last_tag"], variants=("patches:=7a351bc",))
    found = package_facts(sample, "ncurses", chosen)
    assert found.spec == "ncurses patches=7a351bc"
    assert hash_ in [row["hash"] for row in found.found.rows]
    whole = "0" * 64
    assert askable(f"patches:={whole}") == f"patches:={whole}"
    assert askable("patches:=7a351bc,0123456") == "patches=7a351bc,0123456"


def test_flags_are_in_the_text_in_their_order(sample: sqlite3.Connection) -> None:
    query = "SELECT DISTINCT hash, spec_id FROM spec_flags JOIN specs ON specs.id = spec_id"
    with_flags = sample.execute(query).fetchall()
    assert len(with_flags) == 8
    for hash_, id_ in with_flags:
        facts = spec_facts(sample, hash_)
        assert facts.text == _described(sample, hash_, id_)[1]
    assert "cflags='-O2 -g'" in spec_facts(sample, with_flags[0][0]).text


def _told(branches: Sequence[Branch]) -> Iterator[Branch]:
    for branch in branches:
        yield branch
        yield from _told(branch.branches)


def test_what_a_spec_needs_as_a_tree_and_as_a_list(diamond: Path) -> None:
    needed = facts_of(diamond, spec_hash(DIAMOND, "app")).needed

    def shape(branches: Sequence[Branch]) -> list[Any]:
        return [(it.package, "again" if it.again else shape(it.branches)) for it in branches]

    assert shape(needed.tree) == [
        ("lib-b", [("base", [("sys", [])])]),
        ("lib-c", [("base", "again"), ("deep", [])]),
    ]
    assert [tuple(it.values()) for it in needed.specs] == [
        ("base", "1.0", spec_hash(DIAMOND, "base"), False, 1, 0),
        ("deep", "1.0", spec_hash(DIAMOND, "deep"), False, 1, 0),
        ("lib-b", "1.0", spec_hash(DIAMOND, "lib-b"), True, 1, 0),
        ("lib-c", "1.0", spec_hash(DIAMOND, "lib-c"), True, 1, 0),
        ("sys", "1.0", spec_hash(DIAMOND, "sys"), False, 0, 0),
    ]
    assert (needed.direct, needed.more) == (2, False)
    assert {it.deptypes for it in _told(needed.tree)} == {"build link"}


def test_what_needs_a_spec(diamond: Path) -> None:
    facts = facts_of(diamond, spec_hash(DIAMOND, "base"))
    assert [it["package"] for it in facts.dependents.rows] == ["lib-b", "lib-c"]
    assert run(diamond, facts.dependents.sql) == list(facts.dependents.rows)


def test_a_spec_that_needs_nothing(diamond: Path) -> None:
    lone = facts_of(diamond, spec_hash(DIAMOND, "lone"))
    assert lone.described
    assert (lone.needed.tree, lone.needed.specs, lone.dependents.total) == ((), (), 0)
    absent = facts_of(diamond, spec_hash(DIAMOND, "sys"))
    assert (absent.places.rows, absent.install, absent.spec["tags"]) == ((), (), 0)


@pytest.mark.parametrize("where", ["sample", "release"])
def test_the_tree_tells_once_what_can_be_reached(
    where: str, request: pytest.FixtureRequest, sample_catalog: Path
) -> None:
    catalog = sample_catalog if where == "sample" else request.getfixturevalue("release")
    with open_catalog(catalog) as db:
        edges: dict[str, list[str]] = {}
        for parent, child in db.execute(
            "SELECT hash, dependency_hash FROM dependency_list ORDER BY hash"
        ):
            edges.setdefault(parent, []).append(child)
        assert edges
        for root in list(edges)[:: 1 if where == "sample" else 40]:
            reached: set[str] = set()
            ahead = [*edges[root]]
            while ahead:
                hash_ = ahead.pop()
                if hash_ not in reached:
                    reached.add(hash_)
                    ahead += edges.get(hash_, [])
            needed = spec_facts(db, root).needed
            first = [it for it in _told(needed.tree) if not it.again]
            assert sorted(it.hash for it in first) == sorted(reached)
            assert sorted(it["hash"] for it in needed.specs) == sorted(reached)
            assert {it["hash"] for it in needed.specs if it["direct"]} == {*edges[root]}
            assert (needed.direct, needed.more) == (len(edges[root]), False)
            told = {it.hash: it for it in first}
            for it in first:
                assert sorted(under.hash for under in it.branches) == sorted(edges.get(it.hash, []))
            assert all(it.branches == [] for it in _told(needed.tree) if it.again)
            assert {it.hash for it in _told(needed.tree) if it.again} <= {*told}


def test_a_circle_ends(tmp_path: Path) -> None:
    circle = {"a": ["b"], "b": ["a", "b"]}
    needed = facts_of(graph_catalog(tmp_path, circle), spec_hash(circle, "a")).needed
    assert [(it.package, it.again) for it in _told(needed.tree)] == [
        ("b", False),
        ("a", True),
        ("b", True),
    ]
    assert [it["package"] for it in needed.specs] == ["b"]


def test_a_graph_that_is_too_deep(tmp_path: Path) -> None:
    chain = {f"p{number:02}": [f"p{number + 1:02}"] for number in range(60)} | {"p60": []}
    needed = facts_of(graph_catalog(tmp_path, chain), spec_hash(chain, "p00")).needed
    assert [it["package"] for it in needed.specs] == [
        f"p{number:02}" for number in range(1, graph.MAX_DEPTH + 1)
    ]
    assert (needed.more, needed.direct) == (True, 1)


def test_a_graph_that_is_too_wide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "MAX_NEEDED", 4)
    star = {"a": [f"b{number}" for number in range(6)]} | {f"b{number}": [] for number in range(6)}
    needed = facts_of(graph_catalog(tmp_path, star), spec_hash(star, "a")).needed
    assert [it["package"] for it in needed.specs] == ["b0", "b1", "b2", "b3"]
    assert needed.more


def test_of_many_dependents_the_first_are_told(tmp_path: Path) -> None:
    needs: dict[str, list[str]] = {"a": []} | {
        f"b{number:03}": ["a"] for number in range(MAX_DEPENDENTS + 1)
    }
    facts = facts_of(graph_catalog(tmp_path, needs), spec_hash(needs, "a"))
    assert facts.dependents.total == MAX_DEPENDENTS + 1
    assert [it["package"] for it in facts.dependents.rows] == [*needs][1:-1]


def test_specs_that_are_most_like_one(history: Path) -> None:
    found = facts_of(history, hash_of(3)).similar
    assert [(it.hash, it.version, it.last_tag, it.alike, it.differences) for it in found] == [
        (hash_of(2), "1.9", FIRST, 1, (Difference("version", "1.10", "1.9"),)),
        (
            hash_of(4),
            "1.10",
            SECOND,
            1,
            (
                Difference("ipo", "~ipo", "+ipo"),
                Difference("libs", "libs:=shared,static", "libs:=shared"),
            ),
        ),
        (
            hash_of(1),
            "1.9",
            "releases/v0.18",
            1,
            (Difference("version", "1.10", "1.9"), Difference("os", "ubuntu22.04", "rhel8")),
        ),
        (
            hash_of(5),
            "develop",
            SECOND,
            1,
            (
                Difference("version", "1.10", "develop"),
                Difference("compiler", "gcc@11.4.0", "intel-oneapi-compilers@2024.2.1"),
                Difference("target", "x86_64_v3", "zen4"),
            ),
        ),
        (
            hash_of(6),
            "1.10-rc1",
            SECOND,
            1,
            (
                Difference("version", "1.10", "1.10-rc1"),
                Difference("os", "ubuntu22.04", "rhel8"),
                Difference("libs", "libs:=shared,static", None),
            ),
        ),
    ]


def test_specs_alike_but_for_what_they_are_built_from(tmp_path: Path) -> None:
    specs = {
        hash_of(1): record(node("app", "1.0", needs=[("lib", hash_of(10)), ("old", hash_of(12))])),
        hash_of(2): record(node("app", "1.0", needs=[("lib", hash_of(11)), ("new", hash_of(13))])),
        hash_of(3): record(
            node("app", "1.0", parameters={"cflags": ["-O2", "-g"]}, needs=[("lib", hash_of(10))])
        ),
        hash_of(4): record(
            node("app", "2.0", parameters={"cflags": ["-O3"]}, needs=[("lib", hash_of(10))])
        ),
        hash_of(10): record(node("lib", "1.0")),
        hash_of(11): record(node("lib", "1.0")),
        hash_of(12): record(node("old", "5")),
        hash_of(13): record(node("new", "6")),
    }
    indexes = write_indexes(tmp_path / "indexes", {(SECOND, "e4s"): specs})
    catalog = build(tmp_path / "catalog.db", read_build_caches(indexes))
    (first, *others) = facts_of(catalog, hash_of(4)).similar
    assert (others, first.hash, first.alike) == ([], hash_of(3), 3)
    assert first.differences == (
        Difference("version", "2.0", "1.0"),
        Difference("cflags", "cflags=-O3", "cflags='-O2 -g'"),
    )
    (first, _) = facts_of(catalog, hash_of(1)).similar
    assert (first.hash, first.alike) == (hash_of(3), 2)
    assert first.differences == (Difference("cflags", None, "cflags='-O2 -g'"),)
    (only,) = facts_of(catalog, hash_of(10)).similar
    assert (only.hash, only.differences) == (hash_of(11), ())


def test_what_the_same_dependency_with_another_hash_is_called(tmp_path: Path) -> None:
    specs = {
        hash_of(1): record(node("app", "1.0", needs=[("lib", hash_of(10)), ("old", hash_of(12))])),
        hash_of(2): record(node("app", "1.0", needs=[("lib", hash_of(11)), ("new", hash_of(13))])),
        hash_of(10): record(node("lib", "1.0")),
        hash_of(11): record(node("lib", "1.0")),
        hash_of(12): record(node("old", "5")),
        hash_of(13): record(node("new", "6")),
    }
    indexes = write_indexes(tmp_path / "indexes", {(SECOND, "e4s"): specs})
    catalog = build(tmp_path / "catalog.db", read_build_caches(indexes))
    (only,) = facts_of(catalog, hash_of(1)).similar
    assert only.differences == (
        Difference("^lib", f"/{hash_of(10)[:7]}", f"/{hash_of(11)[:7]}"),
        Difference("^new", None, "6"),
        Difference("^old", "5", None),
    )


def test_differences_that_are_named_are_all_there_are(sample: sqlite3.Connection) -> None:
    columns = ("version", "compiler", "os", "platform", "target")
    names = ("hash", "package", "last_tag", *columns, "variants")
    specs = {
        row[0]: dict(zip(names, row, strict=True))
        for row in sample.execute(f"SELECT {', '.join(names)} FROM spec_list")
    }
    with_flags = {hash_ for (hash_,) in sample.execute(
        "SELECT hash FROM spec_flags JOIN specs ON specs.id = spec_id")}  # fmt: skip

    def said(hash_: str) -> dict[str, set[str]]:
        spec = specs[hash_]
        by_name = {column: {spec[column]} for column in columns}
        for text in split_variants(spec["variants"]):
            by_name.setdefault(variant_name(text), set()).add(text)
        return by_name

    for hash_ in sorted(specs)[::5]:
        similar = spec_facts(sample, hash_).similar
        here = said(hash_)
        for other in similar:
            there = said(other.hash)
            assert specs[other.hash]["package"] == specs[hash_]["package"]
            assert (other.version, other.last_tag) == (
                specs[other.hash]["version"],
                specs[other.hash]["last_tag"],
            )
            real = {
                name for name in here.keys() | there.keys() if here.get(name) != there.get(name)
            }
            told = [it for it in other.differences if not it.what.startswith("^")]
            if not {hash_, other.hash} & with_flags:
                assert {it.what for it in told} == real
            for it in told:
                if it.what in here.keys() | there.keys():
                    assert set((it.here or "").split()) == here.get(it.what, set())
                    assert set((it.there or "").split()) == there.get(it.what, set())
        # None of the others of this package is closer than those that are told.
        closest = sorted(
            sum(here.get(name) != said(it).get(name) for name in here.keys() | said(it).keys())
            for it in specs
            if it != hash_ and specs[it]["package"] == specs[hash_]["package"]
        )
        assert (
            closest[:1]
            == [sum(not it.what.startswith("^") for it in one.differences) for one in similar[:1]]
            or {hash_, similar[0].hash} & with_flags
        )
