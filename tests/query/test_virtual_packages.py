"""Virtual packages: what provides them is asked of recipes, as Spack asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.catalog.reader import open_catalog
from etl.query.find import Finder, Scope, UnanswerableError
from etl.query.near_misses import Suggestion, near_misses
from etl.query.providers import Providers
from etl.records import Provision, Recipe
from etl.sources.build_caches.mirror import read_build_caches
from etl.spack.syntax import parse_spec
from tests.sites import hash_of
from tests.small_catalogs import SECOND, build, node, record, write_indexes

PROVIDES = {
    "mpich": (Provision("mpi", ":3.1", ("@3:",)), Provision("mpi", ":2", ("@:2",))),
    "openmpi": (Provision("mpi", ":3", ("+mpi", "@2:")),),
    "blis": (Provision("blas", ""),),
    "netlib": (Provision("blas", "3", ("target=zen4",)), Provision("odd", None)),
}


def node_of(number: int, name: str, version: str, **more: object) -> tuple[str, dict[str, object]]:
    return hash_of(number), record(node(name, version, **more))  # type: ignore[arg-type]


def needing(number: int, virtual: str, name: str) -> list[dict[str, object]]:
    purpose = {"deptypes": ["link"], "virtuals": [virtual]}
    return [{"name": name, "hash": hash_of(number), "parameters": purpose}]


SPECS = dict(
    [
        node_of(1, "mpich", "3.4"),
        node_of(2, "mpich", "2.1"),
        node_of(3, "openmpi", "5.0", parameters={"mpi": True}),
        node_of(4, "openmpi", "5.0", parameters={"mpi": False}),
        node_of(5, "blis", "1.0"),
        node_of(6, "netlib", "3.1"),
        node_of(7, "app", "1.0", dependencies=needing(1, "mpi", "mpich")),
        node_of(8, "app", "2.0", dependencies=needing(2, "mpi", "mpich")),
        node_of(9, "app", "3.0", dependencies=needing(5, "blas", "blis")),
        node_of(10, "app", "4.0", dependencies=needing(6, "odd", "netlib")),
    ]
)


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("virtual")
    return write_indexes(folder / "indexes", {(SECOND, "e4s"): SPECS})


@pytest.fixture(scope="module")
def catalog(indexes: Path) -> Path:
    recipes = [Recipe(name, None, None, (), rules) for name, rules in PROVIDES.items()]
    return build(indexes.parent / "catalog.db", read_build_caches(indexes), recipes)


@pytest.fixture(scope="module")
def without_recipes(indexes: Path) -> Path:
    return build(indexes.parent / "bare.db", read_build_caches(indexes))


def found(catalog: Path, spec: str) -> set[int]:
    numbers = {hash_of(number): number for number in range(20)}
    with open_catalog(catalog) as db:
        finder = Finder(db)
        query = parse_spec(spec)
        specs = {numbers[str(it[0])] for it in finder.rows(finder.specs([query]))}
        for scope in (Scope(), Scope(SECOND)):
            rows = finder.rows(finder.binaries([query], scope))
            assert {numbers[str(row[3])] for row in rows} == specs
    return specs


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("mpi", {1, 2, 3}),
        ("mpi@3", {1, 3}),
        ("mpi@3.1", {1, 3}),
        ("mpi@3.2:", {3}),  # :3 is all that begins with 3
        ("mpi@4:", set()),
        ("mpi@:1", {1, 2, 3}),
        ("mpi@=2.5", {1, 2, 3}),
        (f"mpi/{hash_of(2)}", {2}),
        (f"mpi/{hash_of(5)}", set()),
        # The virtual package itself could be anything else.
        ("mpi+cuda target=zen9 os=none cflags=-O2 %gcc ^nothing", {1, 2, 3}),
        ("blas", {5}),
        ("blas@7:", {5}),
        ("app ^mpi@3:", {7}),
        ("app ^mpi@:2", {7, 8}),
        ("app ^mpi@9", set()),
        ("app ^mpi@:", {7, 8}),
        ("app %mpi@3:", {7}),
        (f"app ^mpi@2/{hash_of(2)}", {8}),
        (f"app ^mpi@3/{hash_of(2)}", set()),
        (f"app ^mpi/{hash_of(2)}", {8}),
        ("app ^blas@1", {9}),
        ("app ^odd", {10}),
        ("app ^[virtuals=mpi] mpich", {7, 8}),
    ],
)
def test_what_provides_it(catalog: Path, spec: str, expected: set[int]) -> None:
    assert found(catalog, spec) == expected


def test_what_has_the_hash_is_asked_whether_it_provides_it(catalog: Path) -> None:
    with open_catalog(catalog) as db:
        sql = Finder(db).specs([parse_spec(f"mpi/{hash_of(2)}")]).sql
    assert "FROM specs INDEXED BY idx_specs_hash\n" in sql


@pytest.mark.parametrize(
    ("spec", "place", "message"),
    [
        (
            "mpi@3", "mpi",
            "mpi is a virtual package: query a provider (mpich), or what needs it (^mpi), or build"
            " the catalog with --recipes",
        ),
        (
            "app ^mpi@3", "@3",
            "which version of mpi a package provides is in its recipe: query a provider (mpich) and"
            " its version, or build the catalog with --recipes",
        ),
    ],
)  # fmt: skip
def test_without_recipes(without_recipes: Path, spec: str, place: str, message: str) -> None:
    with open_catalog(without_recipes) as db, pytest.raises(UnanswerableError) as caught:
        Finder(db).binaries([parse_spec(spec)], Scope())
    assert caught.value.message == message
    assert spec[slice(*caught.value.span)] == place


def test_without_recipes_the_edges_tell(without_recipes: Path) -> None:
    assert found(without_recipes, "app ^mpi") == {7, 8}
    assert found(without_recipes, "app ^mpi@:") == {7, 8}
    assert found(without_recipes, f"app ^mpi/{hash_of(2)}") == {8}


@pytest.mark.parametrize("spec", ["odd", "app ^odd@2"])
def test_a_recipe_that_computes_it(catalog: Path, spec: str) -> None:
    with open_catalog(catalog) as db, pytest.raises(UnanswerableError):
        Finder(db).binaries([parse_spec(spec)], Scope())


def test_the_names_of_what_provides_it(catalog: Path, without_recipes: Path) -> None:
    """All that a recipe names, and without recipes what a spec is known to provide."""
    expected = {
        "mpi": (["mpich", "openmpi"], ["mpich"]),
        "blas": (["blis", "netlib"], ["blis"]),
        "odd": (["netlib"], ["netlib"]),
        "app": ([], []),
    }
    with open_catalog(catalog) as told, open_catalog(without_recipes) as bare:
        names = {
            it: tuple(sorted(Providers(db).names(it)) for db in (told, bare)) for it in expected
        }
    assert names == expected


def test_why_nothing_provides_it(catalog: Path) -> None:
    with open_catalog(catalog) as db:
        reasons = [str(it) for it in near_misses(db, parse_spec("mpi@4:"), Scope(SECOND))]
    assert reasons == ["without @4:: 3 binaries"]


def test_what_is_no_package_and_nothing_provides_is_unknown(catalog: Path) -> None:
    with open_catalog(catalog) as db:
        (found,) = near_misses(db, parse_spec("mpj"), Scope())
    assert isinstance(found, Suggestion)
    assert (found.what, found.name) == ("package", "mpj")
