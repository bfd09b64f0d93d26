"""Every question of metadata.json gives the rows it should, on the bundled sample."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from markupsafe import escape

from datasette_spack.packaged import packaged_json

QUERIES = packaged_json("metadata.json")["databases"]["catalog"]["queries"]
CACHES = "https://binaries.spack.io"
ZLIB_NG = "build_system=autotools +compat +new_strategies +opt +pic"
BUILT_BY_GCC = ("gcc@12.2.0", "ubuntu22.04", "x86_64_v3")

ANSWERS: list[tuple[str, dict[str, str], list[list[Any]]]] = [
    (
        "find_binaries",
        {
            "package": "zlib-ng",
            "version": "2.2",
            "compiler": "gcc",
            "os": "ubuntu24.04",
            "target": "x86_64_v3",
            "stack": "radiuss",
            "variants": " +shared  ~new_strategies build_system=autotools pic",
            "tag": "v2025.07.0",
        },
        [
            [
                *("zlib-ng", "2.2.4", "gcc@12.2.0", "ubuntu24.04", "x86_64_v3"),
                "build_system=autotools +compat ~new_strategies +opt +pic +shared",
                *("radiuss root", "v2025.07.0", "iy2fznk4fgss2iw4spfdt35zo7227dj7"),
            ]
        ],
    ),
    (
        "find_binaries",
        {"package": "zlib-ng", "variants": "~shared", "tag": "any"},
        [
            [
                *("zlib-ng", "2.2.4", *BUILT_BY_GCC, f"{ZLIB_NG} ~shared", "root tutorial"),
                *("develop-2025-07-20", "j642zispxkkiqjgeukkzyzl7jsbdt2bs"),
            ],
            [
                *("zlib-ng", "2.2.1", *BUILT_BY_GCC, f"{ZLIB_NG} ~shared", "root tutorial"),
                *("develop-2024-11-17", "h2dt7ac6t4cmg3ufcya7js7r754g7ecl"),
            ],
        ],
    ),
    (
        # Without a tag: the newest that has the package.
        "find_binaries",
        {"package": "zlib-ng", "version": "2.2.4", "variants": "+shared"},
        [
            [
                *("zlib-ng", "2.2.4", *BUILT_BY_GCC, f"{ZLIB_NG} +shared", "build_systems root"),
                *("develop-2025-07-20", "5hvskep35ebjvo4hhqbbx5v7n6tz4wcf"),
            ]
        ],
    ),
    ("find_binaries", {"package": "zlib-ng", "variants": "+shared ~shared"}, []),
    ("find_binaries", {"package": "zlib-ng", "variants": "+\"] \\ '"}, []),
    ("find_binaries", {"package": "zlib-ng", "compiler": "gcc@13.1.0", "tag": "any"}, []),
    ("find_binaries", {"package": "zlib", "tag": "any"}, []),
    ("find_binaries", {"tag": "any"}, []),
    ("newest_versions", {"package": "hdf5"}, [["hdf5", "1.14.6", 3, 20]]),
    ("newest_versions", {"package": "df5", "tag": "v2025.07.0"}, [["hdf5", "1.14.6", 2, 16]]),
    ("newest_versions", {"package": "hdf5", "tag": "develop"}, []),
    (
        "package_history",
        {"package": "zlib-ng"},
        [
            ["zlib-ng", "develop-2025-07-20", "snapshot", "2025-07-20", "2.2.4", 2, 3],
            ["zlib-ng", "v2025.07.0", "release", "2025-07-18", "2.2.4", 1, 9],
            ["zlib-ng", "develop-2024-11-17", "snapshot", "2024-11-17", "2.2.1", 2, 3],
        ],
    ),
    (
        "changed_packages",
        {"old_tag": "develop-2025-03-23", "new_tag": "develop-2025-03-30"},
        [
            ["alquimia", "removed", "1.1.0", None, 0, 2],
            ["py-pyproject-metadata", "new package", None, "0.7.1", 31, 0],
            ["rocblas", "same version", "6.3.2", "6.3.2", 2, 2],
        ],
    ),
    (
        "changed_packages",
        {"old_tag": "develop-2025-03-30", "new_tag": "develop-2025-03-23"},
        [
            ["alquimia", "new package", None, "1.1.0", 2, 0],
            ["py-pyproject-metadata", "removed", "0.7.1", None, 0, 31],
            ["rocblas", "same version", "6.3.2", "6.3.2", 2, 2],
        ],
    ),
    ("changed_packages", {"old_tag": "develop", "new_tag": "develop"}, []),
    ("changed_packages", {"new_tag": "no such tag"}, []),
    (
        "changed_binaries",
        {"old_tag": "develop-2025-03-23", "new_tag": "develop-2025-03-30", "package": "rocblas"},
        [
            [
                *("rocblas", "6.3.2", "added", "gcc@11.4.0", "x86_64_v3"),
                "amdgpu_target:=auto ~asan build_system=cmake build_type=Release generator=make"
                " ~ipo +tensile",
                *("e4s root", "ys5ppjjmlmmkzxbno725r7e2xi7hzy5x"),
            ],
            [
                *("rocblas", "6.3.2", "removed", "gcc@11.4.0", "x86_64_v3"),
                "amdgpu_target=auto ~asan build_system=cmake build_type=Release generator=make"
                " ~ipo +tensile",
                *("e4s root", "zgla7zae7wzvfpiosiwj32g4t3aubjbf"),
            ],
            [
                *("rocblas", "6.1.2", "added", "gcc@13.2.0", "x86_64_v3"),
                "amdgpu_target:=gfx90a ~asan build_system=cmake build_type=Release"
                " generator=make ~ipo +tensile",
                *("ml-linux-x86_64-rocm root", "m5jut4q2qkyufekze7bmj6r5yc5ofayi"),
            ],
            [
                *("rocblas", "6.1.2", "removed", "gcc@13.2.0", "x86_64_v3"),
                "amdgpu_target=gfx90a ~asan build_system=cmake build_type=Release"
                " generator=make ~ipo +tensile",
                *("ml-linux-x86_64-rocm root", "6zzrwogzciugtvmvcv47k2ouikiqdegm"),
            ],
        ],
    ),
    (
        "in_stack_not_in_other",
        {"stack": "e4s-power", "other_stack": "e4s", "tag": "v0.20.1"},
        [
            [
                *("v0.20.1", "adiak", "0.2.2", "gcc@11.1.0", "ubuntu20.04", "ppc64le"),
                "build_system=cmake build_type=Release generator=make ~ipo +mpi +shared",
                *("e4s-power root", "6qzkysnwc26s7s63fh3zl6apsrssujso"),
            ]
        ],
    ),
    ("in_stack_not_in_other", {"stack": "e4s", "other_stack": "root", "tag": "v2025.07.0"}, []),
    (
        "where_is_hash",
        {"hash": " /5HVS"},
        [
            ["5hvskep35ebjvo4hhqbbx5v7n6tz4wcf", "zlib-ng", "2.2.4", tag, stack, CACHES + path]
            for tag, stack, path in (
                ("develop-2025-07-20", "build_systems", "/develop-2025-07-20/build_systems"),
                ("develop-2025-07-20", "root", "/develop-2025-07-20"),
                ("v2025.07.0", "build_systems", "/v2025.07.0/build_systems"),
                ("v2025.07.0", "e4s", "/v2025.07.0/e4s"),
                ("v2025.07.0", "root", "/v2025.07.0"),
                ("v2025.07.0", "tutorial", "/v2025.07.0/tutorial"),
            )
        ],
    ),
    ("where_is_hash", {"hash": "5hvt"}, []),
    (
        "dependencies_of",
        {"hash": "537zm6ii"},
        [
            [
                *(0, "libiconv", "1.17", "gcc@12.2.0", "x86_64_v3"),
                *("build_system=autotools libs=shared,static", 1),
                "537zm6iiwjcne6fqfhczjr4chdmqgnyi",
            ],
            [
                *(1, "gcc-runtime", "12.2.0", "gcc@12.2.0", "x86_64_v3", "build_system=generic"),
                *(1, "cenmbeilqxr3ntzxyllujqfi5h35ont4"),
            ],
            [
                *(1, "glibc", "2.36", "gcc@12.2.0", "x86_64_v3", "build_system=autotools"),
                *(0, "iectjzzogu6mtv6lpkl5jnsd575njoxd"),
            ],
            [
                *(1, "gmake", "4.4.1", "gcc@12.2.0", "x86_64_v3", "build_system=generic ~guile"),
                *(1, "6ty7fjxde2gobnfbztsabehgxwhibn3b"),
            ],
        ],
    ),
    ("dependencies_of", {"hash": "iectjz"}, []),
    (
        "needed_by",
        {"hash": "/5hvskep"},
        [
            ["zlib-ng", package, version, "build link", "zlib-api", "develop-2025-07-20", hash_]
            for package, version, hash_ in (
                ("cmake", "3.31.8", "gpuu54physmbfbp6ugo23d62e2qf2qkk"),
                ("curl", "8.11.1", "g7groprcvsrci5phjai7kgicun3ontdp"),
                ("libxml2", "2.13.5", "fshy2h2uufh2fqsfjphzf4c2vy7snlgo"),
                ("openssl", "3.4.1", "rydrcvhhec2or36ymbr45iiqczuupiif"),
                ("perl", "5.40.0", "gfw7wlx4d6dved3jlxykaleyfwsw24rv"),
                ("pigz", "2.8", "prm6vpdla3cp52prcftacjqhsgazw3qg"),
                ("python", "3.13.5", "j2fepmwfpldqrj7quokxpslvx2iyz4e7"),
                ("sqlite", "3.46.0", "v77xckempyzlomdidjvtnnldd44le2nq"),
            )
        ],
    ),
    (
        "runs_on_cpu",
        {"cpu": "neoverse_v2", "package": "hdf5", "tag": "v2025.07.0"},
        [["v2025.07.0", "hdf5", "1.14.6", "aarch64 neoverse_v2", 7]],
    ),
    (
        "runs_on_cpu",
        {"cpu": "zen4", "package": "hdf5", "tag": "newest-release"},
        [["v2025.07.0", "hdf5", "1.14.6", "x86_64_v3", 9]],
    ),
    ("runs_on_cpu", {"cpu": "x86_64_v2"}, []),
    (
        "variants_of_package",
        {"package": "zlib-ng", "version": "2.2.4"},
        [
            ["zlib-ng", "build_system", "autotools", 10],
            ["zlib-ng", "compat", "true", 10],
            ["zlib-ng", "new_strategies", "true", 8],
            ["zlib-ng", "new_strategies", "false", 2],
            ["zlib-ng", "opt", "true", 10],
            ["zlib-ng", "pic", "true", 10],
            ["zlib-ng", "shared", "true", 9],
            ["zlib-ng", "shared", "false", 1],
        ],
    ),
    (
        "build_caches",
        {"stack": "e4s", "tag": "v2025.07.0"},
        [
            ["v2025.07.0", "e4s", 107, f"{CACHES}/v2025.07.0/e4s"],
            ["v2025.07.0", "e4s-neoverse-v2", 107, f"{CACHES}/v2025.07.0/e4s-neoverse-v2"],
        ],
    ),
    (
        "what_stacks_build",
        {"stack": "e4s", "tag": "v2025.07.0"},
        [
            ["v2025.07.0", "e4s", "x86_64_v3", "ubuntu22.04", "gcc@12.2.0", 94],
            ["v2025.07.0", "e4s", "x86_64_v3", "ubuntu22.04", "none", 13],
        ],
    ),
    (
        "removed_packages",
        {"package": "l", "tag": "v2025.07.0"},
        [
            ["rocblas", "develop-2025-03-30", "2025-03-30", "6.3.2", 2],
            ["alquimia", "develop-2025-03-23", "2025-03-23", "1.1.0", 1],
        ],
    ),
    (
        "most_built",
        {"tag": "develop-2025-03-30"},
        [
            ["develop-2025-03-30", "py-pyproject-metadata", 31, 1, "0.7.1"],
            ["develop-2025-03-30", "rocblas", 2, 2, "6.3.2"],
        ],
    ),
    (
        "look_alikes",
        {"package": "cmake", "tag": "develop-2025-07-20"},
        [
            [
                *("develop-2025-07-20", "cmake", "3.31.8", *BUILT_BY_GCC),
                "build_system=generic build_type=Release ~doc +ncurses +ownlibs ~qtgui",
                3,
                "6ab4s47vdh4q7ndx6nm5zpvuebrqb25f eejxvxnywmjd5xgfkoymnhyfq3gdym52"
                " gpuu54physmbfbp6ugo23d62e2qf2qkk",
            ]
        ],
    ),
    ("problems_by_source", {"kind": "refused"}, []),
    (
        "binaries_by_os",
        {"kind": "release"},
        [
            ["v2025.07.0", "2025-07-18", "ubuntu22.04", 270],
            ["v2025.07.0", "2025-07-18", "ubuntu24.04", 156],
            ["v2025.07.0", "2025-07-18", "amzn2", 64],
            ["v2025.07.0", "2025-07-18", "debian12", 42],
            ["v0.20.1", "2023-07-10", "amzn2", 3],
            ["v0.20.1", "2023-07-10", "ubuntu20.04", 3],
            ["v0.20.1", "2023-07-10", "ubuntu18.04", 1],
        ],
    ),
]

#: What the form gives when nothing is filled in: how many rows, and the beginning of the first.
FIRST_ANSWERS: dict[str, tuple[int, list[Any]]] = {
    "find_binaries": (329, ["adiak", "0.2.2", "gcc@7.5.0", "ubuntu18.04", "x86_64_v3"]),
    "newest_versions": (93, ["adiak", "0.2.2", 1, 7]),
    "package_history": (1, ["py-pyproject-metadata", "develop-2025-03-30", "snapshot"]),
    "changed_packages": (53, ["autoconf", "new package", None, "2.72", 1, 0]),
    "changed_binaries": (105, ["autoconf", "2.72", "added", "none", "x86_64_v3"]),
    "in_stack_not_in_other": (72, ["develop-2025-07-20", "autoconf", "2.72", "none"]),
    "where_is_hash": (47, ["23f4fjq4mbhanbl644dai3okgdnfzjxx", "openjpeg", "2.5.2"]),
    "dependencies_of": (21, [0, "openjpeg", "2.5.2"]),
    "needed_by": (1, ["libxml2"]),
    "runs_on_cpu": (51, ["develop-2025-07-20", "autoconf", "2.72", "x86_64_v3", 1]),
    "variants_of_package": (1, ["py-pyproject-metadata", "build_system", "python_pip", 31]),
    "build_caches": (3, ["develop-2025-07-20", "build_systems", 45]),
    "what_stacks_build": (6, ["develop-2025-07-20", "build_systems", "x86_64_v3", "ubuntu22.04"]),
    "removed_packages": (41, ["adios2", "v2025.07.0"]),
    "most_built": (51, ["develop-2025-07-20", "cmake", 3, 1, "3.31.8"]),
    "look_alikes": (11, ["develop-2025-07-20", "cmake", "3.31.8", "gcc@12.2.0"]),
    "problems_by_source": (0, []),
    "binaries_by_os": (17, ["develop", None, "ubuntu22.04", 2]),
}


def test_every_question_is_asked_below() -> None:
    assert {name for name, _, _ in ANSWERS} == set(FIRST_ANSWERS) == set(QUERIES)


@pytest.mark.parametrize(("name", "parameters", "rows"), ANSWERS)
async def test_answers(
    site: Any, name: str, parameters: dict[str, str], rows: list[list[Any]]
) -> None:
    response = await site.client.get(f"/catalog/{name}.json", params=parameters)
    assert response.json()["rows"] == rows


@pytest.mark.parametrize("name", FIRST_ANSWERS)
async def test_answers_to_an_empty_form(site: Any, name: str) -> None:
    number, first = FIRST_ANSWERS[name]
    rows = (await site.client.get(f"/catalog/{name}.json")).json()["rows"]
    assert len(rows) == number
    assert [row[: len(first)] for row in rows[:1]] == ([first] if first else [])


@pytest.mark.parametrize("name", QUERIES)
async def test_every_question_has_a_page_with_its_fields(site: Any, name: str) -> None:
    page = (await site.client.get(f"/catalog/{name}")).text
    assert f">{QUERIES[name]['title']}</h1>" in page
    for field, text in QUERIES[name]["param_help"].items():
        assert f'name="{field}"' in page
        assert escape(text) in page


async def test_an_answer_is_whole_and_its_page_says_so(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page of a question ends somewhere, and says where; JSON and CSV do not."""
    rows = (
        await site.client.get("/catalog/in_stack_not_in_other.json?_shape=array&tag=v2025.07.0")
    ).json()
    assert len(rows) > 300
    arrays = (await site.client.get("/catalog/in_stack_not_in_other.json?tag=v2025.07.0")).json()
    assert (arrays["ok"], arrays["truncated"]) == (True, False)
    assert [dict(zip(arrays["columns"], it, strict=True)) for it in arrays["rows"]] == rows
    text = (await site.client.get("/catalog/in_stack_not_in_other.csv?tag=v2025.07.0")).text
    assert [it["hash"] for it in csv.DictReader(io.StringIO(text))] == [it["hash"] for it in rows]
    page = (await site.client.get("/catalog/in_stack_not_in_other?tag=v2025.07.0")).text
    assert f"The first 200 of {len(rows)} rows; JSON and CSV have them all." in page
    assert page.count("<tr>") == 201


async def test_more_rows_than_a_page_reads_are_counted(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "max_returned_rows", 300)
    rows = (await site.client.get("/catalog/find_binaries.json?_shape=array&tag=any")).json()
    page = (await site.client.get("/catalog/find_binaries?tag=any")).text
    assert len(rows) == 0  # all tags are only for a package that is named
    rows = (
        await site.client.get("/catalog/in_stack_not_in_other.json?_shape=array&tag=v2025.07.0")
    ).json()
    page = (await site.client.get("/catalog/in_stack_not_in_other?tag=v2025.07.0")).text
    assert f"The first 200 of {len(rows)} rows;" in page


async def test_an_unknown_database_has_no_questions(site: Any) -> None:
    answer = await site.client.get("/nosuch/find_binaries.csv")
    assert answer.status_code == 404
