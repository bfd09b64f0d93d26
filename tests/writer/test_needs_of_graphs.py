"""What the specs of graphs ask of a host, row by row: libcs, sets of needs, and faults."""

from __future__ import annotations

from pathlib import Path

from etl.records import Build, Dependency, Mirror, Source, Spec
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.sites import rows

NAMES = ("a", "b", "c", "d", "gcc", "glibc", "musl")
HASHES = {name: f"{number}" * 32 for number, name in enumerate(NAMES, start=2)}

FAULTS = "SELECT name, fault FROM specs JOIN packages ON packages.id = package_id ORDER BY name"
BELOW = """
    SELECT packages.name, operating_systems.name FROM specs
    JOIN packages ON packages.id = specs.package_id
    JOIN need_set_members USING (need_set)
    JOIN needs ON needs.id = need_set_members.need_id
    LEFT JOIN operating_systems ON operating_systems.id = needs.os_id
    ORDER BY 1, 2
"""
NEEDS = """
    SELECT operating_systems.name, libcs.version, libc_by FROM needs
    LEFT JOIN operating_systems ON operating_systems.id = os_id
    LEFT JOIN libcs ON libcs.id = libc_id ORDER BY 1
"""
LIBC_OF = """
    SELECT packages.name, libcs.name, libcs.version, libcs.path FROM specs
    JOIN packages ON packages.id = package_id JOIN libcs ON libcs.id = libc_id ORDER BY 1
"""


def spec(
    name: str,
    *needs: str,
    version: str = "1.0",
    variants: tuple[str, ...] = ("build_system=cmake",),
    external: str | None = None,
) -> Spec:
    """A spec that links to others, of a system that is called after it."""
    edges = tuple(
        Dependency(HASHES[it], it, ("link",), ("libc",) if it in ("glibc", "musl") else ())
        for it in needs
    )
    built = Build(4, "builtin", external=external, dependencies=edges)
    return Spec(
        HASHES[name], name, version, "none", f"os-{name}", "linux", "x86_64", variants, None, built
    )


def catalog(folder: Path, *specs: Spec) -> Path:
    mirror = Mirror("index.json", "v1", "root", None, specs, (True,) * len(specs))
    build_catalog(
        [Reading("index", [Source("build cache", "index.json"), mirror])], folder / "catalog.db"
    )
    return folder / "catalog.db"


def test_compilers_are_looked_for_in_a_libc_and_below_it(tmp_path: Path) -> None:
    found = catalog(
        tmp_path,
        spec("a", "glibc"),
        spec("b", "musl"),
        spec("gcc"),
        spec("glibc", "gcc"),
        spec("musl"),
    )
    assert rows(found, FAULTS) == [
        ("a", "runtime"),
        ("b", None),
        ("gcc", "runtime"),
        ("glibc", "runtime"),
        ("musl", None),
    ]


def test_of_what_has_a_graph_the_name_of_the_system_tells_nothing(tmp_path: Path) -> None:
    built = spec("a", "glibc")._replace(os="ubuntu22.04")
    found = catalog(tmp_path, built, spec("glibc", version="2.28", external="/usr"))
    assert rows(found, "SELECT version FROM libcs") == [("2.28",)]
    assert rows(found, NEEDS) == [("os-glibc", None, None), ("ubuntu22.04", "2.28", "edge")]


def test_the_strictest_libc_is_that_of_glibc_before_any_other(tmp_path: Path) -> None:
    found = catalog(
        tmp_path,
        spec("a", "glibc", "b"),
        spec("b", "musl"),
        spec("glibc", version="2.28", external="/usr"),
        spec("musl", version="9.9", external="/opt"),
    )
    assert rows(found, LIBC_OF) == [
        ("a", "glibc", "2.28", "/usr"),
        ("b", "musl", "9.9", "/opt"),
    ]


def test_what_no_host_can_use_adds_a_need_that_none_meets_and_nothing_else(
    tmp_path: Path,
) -> None:
    found = catalog(
        tmp_path,
        spec("a", "b"),
        spec("b"),
        spec("c", "d"),
        spec("d", variants=("build_system=cmake", "dev_path=/home/me/d")),
    )
    assert rows(found, BELOW) == [("a", "os-b"), ("c", None), ("c", "os-d")]


def test_only_what_has_the_variant_was_built_from_a_working_copy(tmp_path: Path) -> None:
    developed = ("build_system=cmake", "dev_path=/home/me/a")
    found = catalog(tmp_path, spec("a", variants=developed), spec("b"))
    assert rows(found, FAULTS) == [("a", "dev_path"), ("b", None)]


def test_a_circle_is_broken_where_it_began(tmp_path: Path) -> None:
    found = catalog(tmp_path, spec("a", "b"), spec("b", "a"))
    assert rows(found, BELOW) == [("a", "os-a"), ("a", "os-b"), ("b", "os-a")]
