"""Why something was rebuilt: each kind of cause, and what two indexes that Spack made say."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from datasette_spack.serve import datasette_for
from etl.catalog.reader import open_catalog
from etl.compare.cause_words import cause_in_words
from etl.compare.causes import Causes
from etl.compare.graph import Cause, Edge, Node
from etl.compare.impact import impact
from etl.compare.pairing import pairs
from etl.compare.rebuilt import last_build, rebuilt
from etl.compare.two_specs import compare_specs
from etl.errors import UsageError
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.selection import Selection
from etl.spack.syntax import parse_spec
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.html_tree import main_of
from tests.running import Run

OLD, NEW = "develop-2025-11-25", "develop-2026-01-12"


def node(key: int, name: str, **changed: Any) -> Node:
    known = Node(key, f"{key:032}", name, "builtin", "1", ("+a",), "linux-x-zen3", (), None, "r")
    return known._replace(**changed)


def edge(child: int, deptypes: str = "link", virtuals: str = "") -> Edge:
    return Edge(child, deptypes, virtuals)


def causes(*nodes: Node) -> list[Cause]:
    """The causes why the second node was rebuilt from the first."""
    known = {it.key: it for it in nodes}
    return list(Causes(known.get).of(nodes[0], nodes[1]))


LIB = node(3, "lib")


@pytest.mark.parametrize(
    ("other", "cause"),
    [
        (node(4, "lib", version="2"), Cause("version", "lib", "1", "2")),
        (node(4, "lib", version="2", variants=("~a",)), Cause("version", "lib", "1", "2")),
        (node(4, "lib", variants=("~a", "+b")), Cause("variants", "lib", "+a", "~a +b")),
        (node(4, "lib", compilers=("gcc@13",)), Cause("compiler", "lib", "", "gcc@13")),
        (node(4, "lib", arch="linux-x-zen4"), Cause("arch", "lib", "linux-x-zen3", "linux-x-zen4")),
        (node(4, "lib", external="/usr"), Cause("external", "lib", None, "/usr")),
        (node(4, "lib", namespace="acme"), Cause("namespace", "lib", "builtin", "acme")),
        (node(4, "lib", package_hash="s"), Cause("recipe", "lib", "r", "s")),
        (node(4, "lib"), Cause("unknown", "lib", None, None)),
    ],
)
def test_a_dependency_changed(other: Node, cause: Cause) -> None:
    old, new = node(1, "app", edges=(edge(3),)), node(2, "app", edges=(edge(4),))
    assert causes(old, new, LIB, other) == [cause]


def test_its_own_recipe_and_what_is_below() -> None:
    old = node(1, "app", edges=(edge(3),))
    new = node(2, "app", package_hash="s", edges=(edge(4),))
    assert causes(old, new, LIB, node(4, "lib", version="2")) == [
        Cause("recipe", "app", "r", "s"),
        Cause("version", "lib", "1", "2"),
    ]
    assert causes(node(1, "app"), node(2, "app")) == [Cause("unknown", "app", None, None)]


def test_the_deepest_difference_counts() -> None:
    """What changed below a dependency of another identity is no cause."""
    deep, deeper = node(5, "deep"), node(6, "deep", version="2")
    middle = node(3, "lib", edges=(edge(5, "build"),)), node(4, "lib", edges=(edge(6, "build"),))
    old, new = node(1, "app", edges=(edge(3),)), node(2, "app", edges=(edge(4),))
    assert causes(old, new, *middle, deep, deeper) == [Cause("version", "deep", "1", "2")]
    other = middle[1]._replace(version="9")
    assert causes(old, new, middle[0], other, deep, deeper) == [Cause("version", "lib", "1", "9")]


def test_a_graph_of_any_depth() -> None:
    """An index may chain more specs than Python calls functions in each other."""
    depth = 5_000
    nodes = [
        node(2 * level + side, f"p{level}", edges=(edge(2 * level + 2 + side),))
        for level in range(depth)
        for side in (0, 1)
    ]
    last = node(2 * depth, "last"), node(2 * depth + 1, "last", package_hash="s")
    assert causes(*nodes, *last) == [Cause("recipe", "last", "r", "s")]


def test_a_circle_ends() -> None:
    old, new = node(1, "app", edges=(edge(3),)), node(2, "app", edges=(edge(4),))
    back = node(3, "lib", edges=(edge(1),)), node(4, "lib", package_hash="s", edges=(edge(2),))
    assert causes(old, new, *back) == [Cause("recipe", "lib", "r", "s")]
    assert causes(back[0], back[1]._replace(package_hash="r"), old, new) == [
        Cause("unknown", "app", None, None),
        Cause("unknown", "lib", None, None),
    ]


def test_edges_that_came_and_went() -> None:
    old = node(1, "app", edges=(edge(3, "link", "mpi"), edge(5)))
    new = node(2, "app", edges=(edge(4, "link", "mpi"), edge(6), edge(7, "build")))
    openmpi, mpich = node(3, "openmpi", version="5"), node(4, "mpich", version="4")
    gone, come = node(5, "gone"), node(6, "come", version="7")
    assert causes(old, new, openmpi, mpich, gone, come, node(7, "come", version="8")) == [
        Cause("added", "come", None, "7"),
        Cause("added", "come", None, "8"),
        Cause("removed", "gone", "1", None),
        Cause("replaced", "mpi", "openmpi@5", "mpich@4"),
    ]


def test_the_same_dependency_for_something_else() -> None:
    old, new = node(1, "app", edges=(edge(3),)), node(2, "app", edges=(edge(3, "build link", "c"),))
    assert causes(old, new, LIB) == [Cause("edge", "lib", "link", "build link c")]


def test_two_dependencies_of_one_name_are_paired_by_what_they_have_in_common() -> None:
    old = node(1, "app", edges=(edge(3), edge(4, "build")))
    new = node(2, "app", edges=(edge(5, "build"), edge(6)))
    nodes = [
        node(3, "lib", version="1"), node(4, "lib", version="2"),
        node(5, "lib", version="2", package_hash="s"), node(6, "lib", version="1"),
    ]  # fmt: skip
    assert causes(old, new, *nodes) == [
        Cause("recipe", "lib", "r", "s"),
        Cause("unknown", "lib", None, None),
    ]


def test_pairs_and_what_is_ambiguous() -> None:
    old = [node(1, "a"), node(2, "b"), node(3, "b"), node(4, "c")]
    new = [node(5, "a"), node(6, "b"), node(7, "d")]
    found, ambiguous = pairs(old, new, ())
    assert [(before.key, after.key) for before, after in found] == [(1, 5)]
    assert ambiguous == 1


def test_an_identity_that_keeps_one_of_its_hashes_is_ambiguous() -> None:
    """Not only where two hashes came and went: with a third on both sides, none has a partner."""
    old, new = [node(1, "a"), node(2, "b")], [node(3, "a"), node(4, "b"), node(5, "c")]
    both = [node(6, "a"), node(7, "c"), node(8, "d")]
    found, ambiguous = pairs(old, new, both)
    assert [(before.key, after.key) for before, after in found] == [(2, 4)]
    assert ambiguous == 2


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (Cause("version", "cmake", "3.31.6", "3.31.8"), "cmake 3.31.6 → 3.31.8"),
        (Cause("recipe", "m4", "a", "b"), "the recipe of m4"),
        (Cause("variants", "hdf5", "+mpi", "~mpi"), "variants of hdf5 +mpi → ~mpi"),
        (Cause("added", "zlib", None, "1.3"), "zlib 1.3 as a new dependency"),
        (Cause("removed", "zlib", "1.3", None), "zlib 1.3, no longer a dependency"),
        (Cause("replaced", "mpi", "openmpi@5", "mpich@4"), "replaced of mpi openmpi@5 → mpich@4"),
        (Cause("edge", "m4", "build", "build run"), "m4 for build → build run"),
        (Cause("patches", "perl", "b a", "a b"), "the order of the patches of perl"),
        (
            Cause("variants", "perl", f"patches:={'a' * 64},{'b' * 64}", "+x"),
            "variants of perl patches:=aaaaaaa,bbbbbbb → +x",
        ),
        (Cause("unknown", "glibc", None, None), "glibc, of which only the hash differs"),
    ],
)
def test_in_words(cause: Cause, words: str) -> None:
    assert cause_in_words(cause) == words.replace("replaced of", "provider of")


# What Spack made.


@pytest.fixture(scope="module")
def expected(real_data: Path) -> dict[str, Any]:
    folder = real_data / "rebuilds" / "packages-2025-11-25-to-2026-01-12"
    told: dict[str, Any] = json.loads((folder / "expected.json").read_text())
    return told


@pytest.fixture(scope="module")
def catalog(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = real_data / "rebuilds" / "packages-2025-11-25-to-2026-01-12"
    target = tmp_path_factory.mktemp("rebuilds") / "catalog.db"
    readings = [
        Reading(name, read_build_caches(folder / f"{name}.json.gz", Selection(owner=tag)))
        for name, tag in (("old", OLD), ("new", NEW))
    ]
    build_catalog(readings, target)
    return target


def test_two_real_indexes(expected: dict[str, Any], catalog: Path) -> None:
    with open_catalog(catalog) as db:
        found = rebuilt(db, OLD, NEW)
    told = {(it["old"], it["new"]): sorted(map(str, it["causes"])) for it in expected["rebuilt"]}
    assert {
        (it.old, it.new): sorted(str(cause.to_json()) for cause in it.causes)
        for it in found.rebuilds
    } == told
    assert (len(found.unexplained), found.ambiguous) == (0, 0)
    assert [
        {"cause": it.cause.to_json(), "rebuilds": it.rebuilds, "only_cause_of": it.only}
        for it in found.by_cause
    ] == sorted(
        expected["rebuilds_by_cause"],
        key=lambda it: (-it["rebuilds"], it["cause"][1], it["cause"][0]),
    )


def test_the_command_says_it(run: Run, expected: dict[str, Any], catalog: Path) -> None:
    done = run("diff", OLD, NEW, "--why", "--format", "json", "--catalog", catalog)
    told = json.loads(done.out)
    assert [(it["old"], it["new"]) for it in told["rebuilt"]] == sorted(
        ((it["old"], it["new"]) for it in expected["rebuilt"]),
        key=lambda pair: [it["old"] for it in told["rebuilt"]].index(pair[0]),
    )
    assert {"added_packages", "stacks", "causes", "unexplained"} <= told.keys()
    text = run("diff", OLD, NEW, "--why", "--catalog", catalog).out.splitlines()
    assert text[:3] == [
        f"44 specs rebuilt from {OLD} to {NEW}.",
        "28 with one cause, 16 with several, 0 unexplained.",
        "  25 because of the recipe of diffutils (build); of 10 the only cause",
    ]
    rows = run("diff", OLD, NEW, "--why", "--format", "csv", "--catalog", catalog).out.splitlines()
    assert len(rows) == 1 + sum(len(it["causes"]) for it in expected["rebuilt"])
    one = run("diff", OLD, NEW, "--why", "--package", "autoconf", "--catalog", catalog).out
    assert one.startswith("1 spec of autoconf rebuilt")
    assert "    the recipe of m4" in one
    assert run("diff", OLD, "nosuch", "--why", "--catalog", catalog).code == 2


def test_two_specs(run: Run, catalog: Path) -> None:
    done = run("diff", "/u3jsjyx", "/5glomfv", "--catalog", catalog)
    assert done.code == 0
    assert done.out.splitlines() == [
        "5 nodes differ between /u3jsjyx and /5glomfv, the deepest first:",
        "  diffutils@3.12/oriqml3 → diffutils@3.12/ous5u7c (build): the recipe of diffutils",
        "  bzip2@1.0.8/2gsbdyj → bzip2@1.0.8/jiqw65g (build, link): only its dependencies",
        "  m4@1.4.20/cq2npbs → m4@1.4.20/yg4wq2y (build, run): the recipe of m4",
        "  perl@5.42.0/a2adlpb → perl@5.42.0/rokc2x6 (build, run): only its dependencies",
        "  autoconf@2.72/u3jsjyx → autoconf@2.72/5glomfv: only its dependencies",
    ]
    same = run("diff", "/u3jsjyx", "/u3jsjyx", "--catalog", catalog)
    assert same.out == "/u3jsjyx and /u3jsjyx are the same spec\n"
    told = json.loads(run("diff", "/u3j", "/5gl", "--format", "json", "--catalog", catalog).out)
    assert [it["package"] for it in told["nodes"]][-1] == "autoconf"
    for wrong in ("/nosuch", "/", "/a"):
        assert run("diff", wrong, "/5glomfv", "--catalog", catalog).code == 2
    with open_catalog(catalog) as db, pytest.raises(UsageError, match="several specs have a hash"):
        compare_specs(db, "a", "5glomfv")


def test_the_build_before(catalog: Path) -> None:
    with open_catalog(catalog) as db:
        found = last_build(db, "5glomfviwu5ycheqwupryfhsngv2zmcm")
        assert found is not None
        assert found.old == "u3jsjyxivfkqw5dn3ctxjk3ew3zsnxwt"
        assert [it.names for it in found.chains] == [
            ("autoconf", "m4"),
            ("autoconf", "m4", "diffutils"),
        ]
        assert last_build(db, found.old) is None
        assert last_build(db, "a" * 32) is None


def test_pages_tell_no_dependencies(run: Run, sample_catalog: Path) -> None:
    done = run("diff", "v2025.07.0", "develop", "--why", "--catalog", sample_catalog)
    assert done.out == (
        "Rebuilds from v2025.07.0 to develop: unknown, a source of one of the tags does not list"
        " dependencies.\n"
    )


def test_impact_is_what_the_graph_says(run: Run, catalog: Path, real_data: Path) -> None:
    path = real_data / "rebuilds" / "packages-2025-11-25-to-2026-01-12" / "new.json.gz"
    installs = json.loads(gzip.decompress(path.read_bytes()))["database"]["installs"]

    def above(kinds: set[str]) -> set[str]:
        found = {key for key, it in installs.items() if it["spec"]["name"] == "zlib-ng"}
        while True:
            more = {
                key
                for key, it in installs.items()
                for dep in it["spec"].get("dependencies", ())
                if dep["hash"] in found and kinds & {*dep["parameters"]["deptypes"]}
            } - found
            if not more:
                return found
            found |= more

    own = {key for key, it in installs.items() if it["spec"]["name"] == "zlib-ng"}
    linked, needed = above({"link"}), above({"link", "run"})
    every = above({"link", "run", "build", "test"})
    there = {key for key, it in installs.items() if it["in_buildcache"]}
    with open_catalog(catalog) as db:
        found = impact(db, parse_spec("zlib-ng"), NEW)
    parts = (found.itself, found.links, found.runs, found.builds)
    groups = (own, linked - own, needed - linked, every - needed)
    assert [it.binaries for it in parts] == [len(it & there) for it in groups]
    assert found.total.binaries == len(every & there) == found.listed
    assert found.listed == sum(row["binaries"] for row in found.packages)
    assert found.stacks == (("root", found.total.binaries),)
    text = run("impact", "zlib-ng", "--catalog", catalog)
    assert text.code == 0
    assert text.out.startswith(f"changing zlib-ng rebuilds {found.total.binaries} binaries, in 1 s")
    assert run("impact", "nosuch", "--catalog", catalog).code == 1
    assert run("impact", "zlib-ng@", "--catalog", catalog).code == 2
    for options, members in (((), every), (("--closure", "link"), linked)):
        given = ("impact", "zlib-ng", *options, "--catalog", catalog, "--format")
        rows = [*csv.DictReader(io.StringIO(run(*given, "csv").out))]
        assert {row["hash"] for row in rows} == members & there
        told = json.loads(run(*given, "json").out)
        assert [row["hash"] for row in told["binaries"]] == [row["hash"] for row in rows]
        assert told["total"]["binaries"] == found.total.binaries
    version = installs[next(iter(own))]["spec"]["version"]
    lens = run("impact", f"zlib-ng@{version}", "--catalog", catalog).out
    assert f"link dependents, {len(linked & there)} binaries in 1 stack:" in lens


async def test_pages_tell_the_causes(catalog: Path) -> None:
    datasette = datasette_for(catalog)
    page = main_of((await datasette.client.get(f"/compare/{OLD}/{NEW}")).text)
    table = page.section("why").all("table")[0]
    assert table.rows[1] == ["the recipe of diffutils build", "25", "10"]
    told = (await datasette.client.get(f"/compare/{OLD}/{NEW}.json")).json()["why"]
    assert (len(told["rebuilt"]), told["unexplained"]) == (44, 0)
    leads = table.links["the recipe of openblas"]
    listed = main_of((await datasette.client.get(leads)).text)
    assert [row[0] for row in listed.one("table").rows[1:]] == ["openblas", "py-h5py", "py-numpy"]
    address, _, query = leads.partition("?")
    told = (await datasette.client.get(f"{address}.json?{query}")).json()
    assert [it["package"] for it in told["rebuilt"]] == ["openblas", "py-h5py", "py-numpy"]
    rows = (await datasette.client.get(f"{address}.csv?{query}")).text.splitlines()
    assert rows[0] == "package,version,old,new,kind,of,before,after"
    assert len(rows) == 1 + sum(len(it["causes"]) for it in told["rebuilt"])
    of_all = main_of((await datasette.client.get(f"{address}?cause=any&sort=-causes")).text)
    assert len(of_all.one("table").rows) == 45
    assert (await datasette.client.get(f"{address}?cause=any&sort=nosuch")).status_code == 400
    assert (await datasette.client.get("/compare/a/b.csv?cause=any")).status_code == 404
    none = main_of((await datasette.client.get(f"{address}?cause=nosuch")).text)
    assert "Nothing was rebuilt because of nosuch." in none.text
    spec = main_of((await datasette.client.get("/spec/5glomfviwu5ycheqwupryfhsngv2zmcm")).text)
    why = spec.section("before")
    assert [it.text for it in why.all("li")] == [
        "autoconf → m4: the recipe of m4",
        "autoconf → m4 → diffutils: the recipe of diffutils",
    ]
    both = why.links["Compare both"]
    side = main_of((await datasette.client.get(both)).text)
    assert side.one("table").rows[-1][0] == "autoconf"
    assert (await datasette.client.get(f"{both}.json")).json()["ok"]
    assert (await datasette.client.get("/compare/spec/nosuch/abc")).status_code == 400
    package = main_of((await datasette.client.get("/package/zlib-ng")).text)
    assert "48 binaries of" in package.section("impact").text
    datasette.get_database("catalog").close()
