"""The rows of a catalog, exactly; and the same bytes from the same input, however it lies there."""

from __future__ import annotations

import gc
import hashlib
import os
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from etl.errors import CatalogError, SourceError
from etl.records import Cache, Mirror, Problem, Provision, Recipe, Record, Source, Spec
from etl.sources.pages import read_pages
from etl.spack.targets import known_targets
from etl.writer.build import Summary, build_catalog
from etl.writer.intake import Reading
from tests.sites import (
    SEED,
    Era,
    build,
    hash_of,
    item,
    page,
    place_of,
    problems,
    rows,
    shuffle_folders,
    write_site,
)

TAGS = b"""\
- {name: develop, stacks: [e4s, root]}
- {name: v0.20.1, stacks: [hep, new]}
- {name: v9, stacks: []}
"""


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog of the real pages of the seed."""
    catalog = tmp_path_factory.mktemp("seed") / "catalog.db"
    assert build(catalog, SEED) == Summary(1, 4, 5, 46, 46, 0, ())
    return catalog


def test_tags_are_in_time(seed: Path) -> None:
    assert rows(seed, "SELECT id, name, kind, date, position, packages, binaries FROM tags") == [
        (1, "v0.20.1", "release", "2023-07-10", 1, 1, 7),
        (2, "develop-2025-03-23", "snapshot", "2025-03-23", 2, 2, 4),
        (3, "develop-2025-03-30", "snapshot", "2025-03-30", 3, 2, 33),
        (4, "develop", "develop", None, 4, 1, 2),
    ]


def test_packages(seed: Path) -> None:
    assert rows(seed, "SELECT * FROM package_list ORDER BY package") == [
        ("adiak", 1, "0.2.2", 7, 1, "v0.20.1", "v0.20.1"),
        ("alquimia", 1, "1.1.0", 2, 1, "develop-2025-03-23", "develop-2025-03-23"),
        ("arkouda", 1, "2025.08.20", 2, 1, "develop", "develop"),
        ("py-pyproject-metadata", 1, "0.7.1", 31, 1, "develop-2025-03-30", "develop-2025-03-30"),
        ("rocblas", 2, "6.3.2", 4, 2, "develop-2025-03-23", "develop-2025-03-30"),
    ]
    assert rows(
        seed,
        """
        SELECT packages.name, tags.name, package_tags.binaries, package_tags.versions,
            versions.version
        FROM package_tags JOIN packages ON packages.id = package_tags.package_id
        JOIN tags ON tags.id = tag_id
        JOIN versions ON versions.id = package_tags.newest_version_id
        ORDER BY package_tags.id
        """,
    ) == [
        ("adiak", "v0.20.1", 7, 1, "0.2.2"),
        ("alquimia", "develop-2025-03-23", 2, 1, "1.1.0"),
        ("arkouda", "develop", 2, 1, "2025.08.20"),
        ("py-pyproject-metadata", "develop-2025-03-30", 31, 1, "0.7.1"),
        ("rocblas", "develop-2025-03-23", 2, 2, "6.3.2"),
        ("rocblas", "develop-2025-03-30", 2, 2, "6.3.2"),
    ]


def test_compilers_have_names_and_versions(seed: Path) -> None:
    oneapi = "intel-oneapi-compilers"
    assert rows(seed, "SELECT name, compiler, version, sort_key FROM compilers ORDER BY id") == [
        ("gcc@7.3.1", "gcc", "7.3.1", "20017200132001103"),
        ("gcc@7.5.0", "gcc", "7.5.0", "20017200152001003"),
        ("gcc@11.1.0", "gcc", "11.1.0", "200211200112001003"),
        ("gcc@11.4.0", "gcc", "11.4.0", "200211200142001003"),
        ("gcc@13.2.0", "gcc", "13.2.0", "200213200122001003"),
        (f"{oneapi}@2023.0.0", oneapi, "2023.0.0", "20042023200102001003"),
        (f"{oneapi}@2024.2.1", oneapi, "2024.2.1", "20042024200122001103"),
        ("none", "none", None, None),
    ]


def test_a_spec_of_the_first_era(seed: Path) -> None:
    (found,) = rows(seed, "SELECT * FROM spec_list WHERE compiler LIKE 'intel%2023%'")
    assert found[1:] == (
        "adiak", "0.2.2", "20010200122001203", "intel-oneapi-compilers@2023.0.0", "ubuntu20.04",
        "linux", "x86_64", "build_system=cmake build_type=Release generator=make ~ipo +mpi +shared",
        None, "v0.20.1", "v0.20.1", 1, None, None,
    )  # fmt: skip
    assert found[0][:4] == "sxam"


def test_a_binary_of_today(seed: Path) -> None:
    hash_ = "ys5ppjjmlmmkzxbno725r7e2xi7hzy5x"
    assert rows(seed, "SELECT * FROM binary_list WHERE hash = ?", hash_) == [
        (
            "develop-2025-03-30", "rocblas", "6.3.2", "20016200132001203",
            hash_, "gcc@11.4.0", "ubuntu22.04", "linux", "x86_64_v3",
            "amdgpu_target:=auto ~asan build_system=cmake build_type=Release generator=make ~ipo"
            " +tensile",
            "e4s root", None, None, None, None,
        )
    ]  # fmt: skip


def test_stacks_are_by_name_whatever_the_page_wrote(seed: Path) -> None:
    stacks = "SELECT DISTINCT stacks FROM binary_list WHERE tag = 'v0.20.1' ORDER BY stacks"
    assert rows(seed, stacks) == [
        ("e4s root",),
        ("e4s-oneapi root",),
        ("e4s-power root",),
        ("radiuss root",),
        ("radiuss-aws root",),
        ("radiuss-aws-aarch64 root",),
    ]  # fmt: skip
    assert rows(seed, "SELECT stacks FROM stack_orders ORDER BY stacks") == [
        ("root e4s-power",),
        ("root radiuss-aws",),
    ]
    assert rows(seed, "SELECT stack FROM binary_stacks WHERE hash LIKE '5y5u%' ORDER BY stack") == [
        ("radiuss-aws-aarch64",),
        ("root",),
    ]


def test_build_caches_lie_where_the_pages_say(seed: Path) -> None:
    found = rows(
        seed,
        """
        SELECT tags.name, stacks.name, url, mirrors.binaries FROM mirrors
        JOIN tags ON tags.id = tag_id JOIN stacks ON stacks.id = stack_id
        WHERE tags.name IN ('v0.20.1', 'develop') ORDER BY mirrors.id
        """,
    )
    old, new = "https://binaries.spack.io/releases/v0.20.1", "https://binaries.spack.io/develop"
    assert found == [
        ("v0.20.1", "e4s", f"{old}/e4s", 1),
        ("v0.20.1", "e4s-oneapi", f"{old}/e4s-oneapi", 1),
        ("v0.20.1", "e4s-power", f"{old}/e4s-power", 1),
        ("v0.20.1", "radiuss", f"{old}/radiuss", 1),
        ("v0.20.1", "radiuss-aws", f"{old}/radiuss-aws", 1),
        ("v0.20.1", "radiuss-aws-aarch64", f"{old}/radiuss-aws-aarch64", 2),
        ("v0.20.1", "root", old, 7),
        ("develop", "e4s", f"{new}/e4s", 2),
        ("develop", "root", new, 2),
    ]


def test_tags_and_stacks_that_only_the_list_names(tmp_path: Path) -> None:
    site = write_site(
        tmp_path / "site",
        {"_data/tags.yaml": TAGS, place_of("develop", "a"): page("develop", "a", [item(1)])},
    )
    summary = build(tmp_path / "catalog.db", site)
    assert (summary.tags, summary.binaries) == (1, 1)
    assert rows(tmp_path / "catalog.db", "SELECT name, binaries FROM tags") == [
        ("v9", 0),  # no release of Spack or its packages: of unknown age
        ("v0.20.1", 0),
        ("develop", 1),
    ]
    assert rows(tmp_path / "catalog.db", "SELECT name FROM stacks ORDER BY id") == [
        ("e4s",), ("hep",), ("new",), ("root",),
    ]  # fmt: skip


def test_what_was_read(tmp_path: Path) -> None:
    place = place_of("develop", "a")
    data = page("develop", "a", [item(1)], meta={"num_specs": 5})
    write_site(tmp_path, {f"site/{place}": data, "bad.md": b"", "lone.md": data})
    with zipfile.ZipFile(tmp_path / "site.zip", "w") as archive:
        archive.writestr(place, data)
    names = ["site", "site.zip", "lone.md", "bad.md"]
    catalog = tmp_path / "catalog.db"
    build(catalog, *(tmp_path / name for name in names))
    sums = f"{hashlib.sha256(data).hexdigest()}  {place}\n".encode()
    expected = [
        ("_cache", sums),
        ("site.zip", (tmp_path / "site.zip").read_bytes()),
        ("lone.md", data),
        ("bad.md", b""),
    ]
    assert rows(catalog, "SELECT id, kind, location, sha256 FROM sources") == [
        (number, "pages", location, hashlib.sha256(content).hexdigest())
        for number, (location, content) in enumerate(expected, start=1)
    ]
    contradiction = ("contradiction", "meta says 5, spec_details says 1")
    assert rows(catalog, "SELECT source_id, place, kind, message FROM problems ORDER BY id") == [
        (1, f"{place} meta.num_specs", *contradiction),
        (2, f"{place} meta.num_specs", *contradiction),
        (3, "lone.md meta.num_specs", *contradiction),
        (4, "bad.md", "refused", "no front matter: a page begins with a line ---"),
    ]


def test_versions_are_numbered_in_spacks_order(tmp_path: Path) -> None:
    words = ["stable", "nightly", "trunk", "head", "master", "main", "develop", "develop.1"]
    before_one = ["git.main", "zz", "1.0alpha", "1.0alpha0", "1.0beta2", "1.0rc1"]
    numbers = ["1.0", "1.0a", "1.0.post", "1.0.0", "1.1", "1.9", "1.10", "1.develop", "2"]
    versions = [*before_one, *numbers, *words]
    shuffled = random.Random(1).sample(versions, len(versions))
    items = [item(n, versions=[version]) for n, version in enumerate(shuffled)]
    site = {
        place_of("develop", "a"): page("develop", "a", items),
        place_of("develop", "b"): page("develop", "b", [item(99, versions=["1.0"])]),
    }
    build(tmp_path / "catalog.db", write_site(tmp_path / "site", site))
    found = rows(
        tmp_path / "catalog.db",
        "SELECT versions.id, version FROM versions JOIN packages ON packages.id = package_id"
        " WHERE name = 'a' ORDER BY sort_key",
    )
    assert found == list(enumerate(versions, start=1))
    assert rows(tmp_path / "catalog.db", "SELECT newest_version FROM package_list") == [
        ("develop.1",),
        ("1.0",),
    ]


def test_specs_of_a_package_lie_together_in_spacks_order(tmp_path: Path) -> None:
    items = [item(1, versions=["1.10"]), item(2, versions=["1.9"]), item(3, versions=["1.9"])]
    site = {place_of("develop", name): page("develop", name, items) for name in "a"}
    build(tmp_path / "catalog.db", write_site(tmp_path / "site", site))
    assert rows(tmp_path / "catalog.db", "SELECT id, hash FROM specs ORDER BY id") == [
        (1, hash_of(2)),
        (2, hash_of(3)),
        (3, hash_of(1)),
    ]


def test_targets_are_all_that_archspec_knows_and_what_pages_name(tmp_path: Path) -> None:
    site = {
        place_of("v1", "a"): page("v1", "a", [item(1, target="zen4"), item(2, target="riscv128")])
    }
    build(tmp_path / "catalog.db", write_site(tmp_path / "site", site))
    catalog = tmp_path / "catalog.db"
    assert rows(catalog, "SELECT name, family, vendor FROM targets ORDER BY id") == sorted(
        [
            ("riscv128", None, None),
            *((it.name, it.family, it.vendor) for it in known_targets().values()),
        ]
    )
    expected = {("riscv128", "riscv128")}
    for target in known_targets().values():
        expected |= {(target.name, name) for name in (target.name, *target.ancestors)}
    found = rows(
        catalog,
        "SELECT targets.name, ancestors.name FROM target_ancestors"
        " JOIN targets ON targets.id = target_id"
        " JOIN targets AS ancestors ON ancestors.id = ancestor_id",
    )
    assert set(found) == expected
    assert len(found) == len(expected)
    assert ("zen4", "x86_64_v3") in expected


def test_facets_are_counted(seed: Path) -> None:
    def counts(table: str, facet: str, names: str) -> list[tuple[Any, ...]]:
        return rows(
            seed,
            f"SELECT {names}.name, count FROM facet_counts"
            f" JOIN {names} ON {names}.id = facet_counts.value"
            " WHERE table_name = ? AND facet = ? ORDER BY facet_counts.id",
            table,
            facet,
        )

    assert counts("binaries", "tag_id", "tags") == [
        ("develop-2025-03-30", 33), ("v0.20.1", 7), ("develop-2025-03-23", 4), ("develop", 2),
    ]  # fmt: skip
    assert counts("specs", "package_id", "packages") == [
        ("py-pyproject-metadata", 31),
        ("adiak", 7),
        ("rocblas", 4),
        ("alquimia", 2),
        ("arkouda", 2),
    ]
    assert counts("specs", "platform_id", "platforms") == [("linux", 42), ("darwin", 4)]
    assert counts("binaries", "stack_id", "stacks")[:2] == [("root", 46), ("e4s", 12)]
    names = dict(counts("specs", "variant_name", "variants"))
    assert (names["build_system"], names["ipo"], names["tensile"], names["mpi"]) == (46, 13, 4, 7)


def test_full_text_search(seed: Path) -> None:
    search = (
        "SELECT packages.name FROM packages_fts JOIN packages ON packages.id = packages_fts.rowid"
        " WHERE packages_fts MATCH ? ORDER BY 1"
    )
    assert rows(seed, search, "pyproject") == [("py-pyproject-metadata",)]
    assert rows(seed, search, "a*") == [("adiak",), ("alquimia",), ("arkouda",)]
    variants = (
        "SELECT count(*) FROM variant_sets_fts JOIN specs"
        " ON variant_set_id = variant_sets_fts.rowid WHERE variant_sets_fts MATCH ?"
    )
    assert rows(seed, variants, '"+tensile"') == [(4,)]
    assert rows(seed, variants, '"~tensile"') == [(0,)]
    assert rows(seed, variants, '"amdgpu_target:=gfx90a"') == [(1,)]


def test_the_file_says_what_it_is(seed: Path) -> None:
    assert rows(seed, "PRAGMA application_id") == [(0x53706B43,)]
    assert [key for key, _ in rows(seed, "SELECT * FROM catalog_info")] == [
        "archspec_version", "oldest_spec_format", "program_version", "schema_version",
    ]  # fmt: skip


# The same input gives the same bytes.

_PROGRAM = """
import sys
from pathlib import Path
from etl.writer.intake import Reading
from etl.writer.build import build_catalog
from etl.sources.pages import read_pages
build_catalog([Reading(name, read_pages(Path(name))) for name in sys.argv[2:]], Path(sys.argv[1]))
"""


def _hard_site(folder: Path) -> Path:
    """A site whose pages share, repeat and contradict each other."""
    files = {}
    for number, tag in enumerate(("v0.20.1", "develop-2025-01-01", "develop")):
        for package in "abc":
            items = [
                item(
                    hash_ + 10 * ord(package),
                    os=f"os{(number * hash_) % 3}",
                    stacks=["root", "hep", "e4s"][: hash_ % 3 + 1],
                    variants=[f"+v{hash_}", "x=a b" if number else "x='a b'", "it's"],
                    size=number * 7 or "-",
                    compiler=f"gcc@1{hash_}",
                )
                for hash_ in range(5)
            ]
            era: Era = "today" if number else "tarballs"
            files[place_of(tag, package)] = page(tag, package, items, era)
    files["_data/tags.yaml"] = TAGS
    files["b/specs.md"] = files[place_of("develop", "b")] + b"\n"
    files["bad/specs.md"] = b""
    return write_site(folder, files)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_neither_folder_nor_order_nor_time_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = _hard_site(tmp_path / "first")
    build(tmp_path / "1.db", first)
    sums = {_sha256(tmp_path / "1.db")}
    other = tmp_path / "some where" / "else"
    for path in sorted(first.rglob("*"), reverse=True):
        if path.is_file():
            copy = other / path.relative_to(first)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            os.utime(copy, (1, 1))
    build(tmp_path / "2.db", other)
    sums.add(_sha256(tmp_path / "2.db"))
    monkeypatch.chdir(other)
    build(tmp_path / "other name.db", Path())
    sums.add(_sha256(tmp_path / "other name.db"))
    shuffle_folders(monkeypatch)
    for _ in range(3):
        build(tmp_path / "3.db", first)
        sums.add(_sha256(tmp_path / "3.db"))
    assert len(sums) == 1


def test_the_order_of_records_means_nothing(tmp_path: Path) -> None:
    site = _hard_site(tmp_path / "site")
    for package, mirror in (("p", "https://a"), ("q", "https://b"), ("r", "https://c")):
        data = page("v9", package, [item(900)], "tarballs", mirror=mirror).replace(
            hash_of(900).encode(), hash_of(900 + ord(package)).encode()
        )
        write_site(site, {place_of("v9", package): data})
    first, *records, last = read_pages(site)
    sums = set()
    for seed in range(6):
        random.Random(seed).shuffle(records)
        build_catalog([Reading("x", [first, *records, last])], tmp_path / "a.db")
        sums.add(_sha256(tmp_path / "a.db"))
    assert len(sums) == 1


def test_neither_hash_seed_nor_process_matters(tmp_path: Path) -> None:
    site = _hard_site(tmp_path / "site")
    sums = set()
    for seed in ("0", "1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": f"UTC+{seed}"}
        command = [
            sys.executable,
            "-c",
            _PROGRAM,
            str(tmp_path / f"{seed}.db"),
            str(site),
            str(SEED),
        ]
        subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[2])
        sums.add(_sha256(tmp_path / f"{seed}.db"))
    assert len(sums) == 1


def test_nothing_but_the_sum_of_the_archive_tells_the_order_of_its_members(tmp_path: Path) -> None:
    files = {
        str(path.relative_to(SEED)): path.read_bytes()
        for path in sorted(SEED.rglob("*"))
        if path.is_file()
    }
    dumps = []
    for number, places in enumerate((list(files), list(files)[::-1])):
        folder = tmp_path / str(number)
        folder.mkdir()
        with zipfile.ZipFile(folder / "site.zip", "w") as archive:
            for place in places:
                archive.writestr(place, files[place])
        build(folder / "catalog.db", folder / "site.zip")
        tables = rows(folder / "catalog.db", "SELECT name FROM sqlite_master WHERE type = 'table'")
        dumps.append(
            {
                table: rows(folder / "catalog.db", f"SELECT * FROM {table}")
                for (table,) in tables
                if table != "sources"
            }
        )
    assert dumps[0] == dumps[1]


def test_no_path_of_the_machine_is_in_the_catalog(tmp_path: Path) -> None:
    sums = set()
    for name in ("one", "other"):
        site = write_site(tmp_path / name / "site", {"specs.md": page("v1", "a", [item(1)])})
        readings = [
            Reading(str(tmp_path / name / "missing"), _missing(tmp_path / name / "missing")),
            Reading(str(site), read_pages(site)),
        ]
        build_catalog(readings, tmp_path / f"{name}.db")
        sums.add(_sha256(tmp_path / f"{name}.db"))
    assert len(sums) == 1


def _missing(path: Path) -> Any:
    raise SourceError(str(path), "there is no such file or folder")
    yield


def test_a_missing_source_with_a_name_that_is_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(bytes(tmp_path) + b"/\xff")
    site = write_site(tmp_path / "site", {"specs.md": page("v1", "a", [item(1)])})
    readings = [Reading(name, _missing(Path("missing"))), Reading(str(site), read_pages(site))]
    summary = build_catalog(readings, tmp_path / "catalog.db")
    assert summary.binaries == 1


def test_strict_writes_nothing_when_anything_is_refused(tmp_path: Path) -> None:
    files = {"a/specs.md": page("v1", "a", [item(1)]), "b/specs.md": b"", "c/specs.md": b""}
    site = write_site(tmp_path / "site", files)
    with pytest.raises(CatalogError, match=r"^nothing was written because of --strict") as caught:
        build_catalog([Reading("site", read_pages(site))], tmp_path / "catalog.db", strict=True)
    first, *refused = str(caught.value).split("\n")
    assert first == "nothing was written because of --strict; refused:"
    assert [line.split(": ")[:2] for line in refused] == [
        ["  site", "b/specs.md"], ["  site", "c/specs.md"],
    ]  # fmt: skip
    assert all("no front matter" in line for line in refused)
    assert list(tmp_path.iterdir()) == [site]


def test_what_recipes_say_of_packages(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"specs.md": page("v1", "a", [item(1)])})
    recipes = [
        Recipe(
            "a", "What it is.", None, ("MIT", "Apache-2.0"), (Provision("x", "", ("+y", "@1:")),)
        ),
        Recipe("not-there", "x", None, (), (Provision("x", ""),)),
    ]
    readings = [Reading("site", read_pages(site)), Reading("recipes", recipes)]
    build_catalog(readings, tmp_path / "catalog.db")
    found = "SELECT name, description, homepage, licenses FROM packages"
    assert rows(tmp_path / "catalog.db", found) == [("a", "What it is.", None, "MIT, Apache-2.0")]
    assert rows(tmp_path / "catalog.db", "SELECT * FROM provides") == [(1, 1, "x", "", "+y\n@1:")]


def test_a_source_that_cannot_be_read_is_known_by_its_last_name(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"specs.md": page("v1", "a", [item(1)])})
    readings = [
        Reading(f"{tmp_path}/far/box/", _missing(Path("missing"))),
        Reading(str(site), read_pages(site)),
    ]
    build_catalog(readings, tmp_path / "catalog.db")
    found = rows(tmp_path / "catalog.db", "SELECT kind, location FROM sources ORDER BY id")
    assert found == [("unreadable", "box"), ("pages", ".")]


def test_strict_lets_contradictions_pass(tmp_path: Path) -> None:
    files = {"a/specs.md": page("v1", "a", [item(1)], meta={"num_specs": 2})}
    site = write_site(tmp_path / "site", files)
    readings = [Reading("site", read_pages(site))]
    summary = build_catalog(readings, tmp_path / "catalog.db", strict=True)
    assert (summary.refused, len(summary.problems)) == ((), 1)
    assert len(problems(tmp_path / "catalog.db")) == 1


def test_strict_counts_pages_that_were_not_used(tmp_path: Path) -> None:
    data = page("v1", "a", [item(1)])
    site = write_site(tmp_path / "site", {"a/specs.md": data, "b/specs.md": data + b"\n"})
    with pytest.raises(CatalogError, match=r"a/specs.md: another page"):
        build_catalog([Reading("site", read_pages(site))], tmp_path / "catalog.db", strict=True)
    assert list(tmp_path.iterdir()) == [site]


def test_problems_of_one_place_are_in_the_order_of_their_messages(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"specs.md": page("v1", "a", [item(1)])})
    told = [Problem("x", "refused", "2nd"), Problem("x", "refused", "1st")]
    build_catalog([Reading("site", [*read_pages(site), *told])], tmp_path / "catalog.db")
    assert problems(tmp_path / "catalog.db") == [("x", "refused", "1st"), ("x", "refused", "2nd")]


def test_a_tag_and_its_build_caches_are_of_the_cache_that_the_user_named(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"specs.md": page("v1", "a", [item(1)])})
    spec = Spec(hash_of(2), "b", "1.0", "none", "rhel8", "linux", "x86_64", ())
    records: list[Record] = [
        Source("build cache", "x"),
        Cache("mine", "https://example.org", "https"),
        Mirror("index.json", "mine:v1", "root", None, (spec,), (True,), cache="mine"),
    ]
    readings = [Reading("site", read_pages(site)), Reading("x", records)]
    build_catalog(readings, tmp_path / "catalog.db")
    catalog = tmp_path / "catalog.db"
    named = "SELECT tags.name, caches.name FROM tags LEFT JOIN caches ON caches.id = cache_id"
    assert rows(catalog, f"{named} ORDER BY 1") == [("mine:v1", "mine"), ("v1", None)]
    assert rows(catalog, "SELECT name, tags, binaries FROM caches") == [("mine", 1, 1)]


def test_the_collector_of_garbage_is_left_as_it_was(tmp_path: Path) -> None:
    build(tmp_path / "catalog.db", SEED)
    assert gc.isenabled()
    with pytest.raises(CatalogError):
        build(tmp_path / "catalog.db", write_site(tmp_path / "x", {"specs.md": b""}))
    assert gc.isenabled()


def test_progress_is_told(tmp_path: Path) -> None:
    told = []

    def follow(things: Any, label: str, length: int) -> Any:
        listed = list(things)
        told.append((label, length, len(listed)))
        return listed

    build_catalog([Reading("x", read_pages(SEED))], tmp_path / "catalog.db", follow=follow)
    assert told == [("writing packages", 5, 5)]


def test_a_summary_knows_what_is_refused() -> None:
    refused, contradiction = Problem("a", "refused", "b"), Problem("a", "contradiction", "b")
    assert Summary(1, 1, 1, 1, 1, 0, (refused, contradiction)).refused == (refused,)
