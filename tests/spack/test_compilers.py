"""Compilers in the notation of every era."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.spack.compilers import modern_name, old_name, split_compiler

PAIRS = [
    ("gcc@=11.4.0", "gcc@11.4.0"),
    ("oneapi@=2023.0.0", "intel-oneapi-compilers@2023.0.0"),
    ("clang@=15.0.7", "llvm@15.0.7"),
    ("intel@=2021.10.0", "intel-oneapi-compilers-classic@2021.10.0"),
    ("rocmcc@=5.7.0", "llvm-amdgpu@5.7.0"),
    ("arm@=23.10", "acfl@23.10"),
    ("apple-clang@=16.0.0", "apple-clang@16.0.0"),
    ("none", "none"),
    ("clang", "llvm"),
    ("", ""),
]


@pytest.mark.parametrize(("old", "modern"), PAIRS)
def test_both_ways(old: str, modern: str) -> None:
    assert modern_name(old) == modern
    assert old_name(modern) == old
    assert modern_name(modern) == modern
    assert old_name(old) == old


def test_old_name_without_equals_sign() -> None:
    assert modern_name("clang@15.0.7") == "llvm@15.0.7"


@pytest.mark.parametrize(
    ("compiler", "parts"),
    [
        ("gcc@=12.2.0", ("gcc", "12.2.0")),
        ("gcc@12.2.0", ("gcc", "12.2.0")),
        ("none", ("none", None)),
        ("gcc@", ("gcc", "")),
        ("gcc@git.a@b=1", ("gcc", "git.a@b=1")),
    ],
)
def test_split(compiler: str, parts: tuple[str, str | None]) -> None:
    assert split_compiler(compiler) == parts


@given(st.text())
def test_modern_name_is_the_same_the_second_time(compiler: str) -> None:
    assert modern_name(old_name(modern_name(compiler))) == modern_name(old_name(compiler))


def test_compilers_of_real_pages(real_data: Path) -> None:
    compilers = set()
    for path in real_data.glob("*/_cache/*/*/specs.md"):
        line = next(x for x in path.read_text().splitlines() if x.startswith("spec_details: "))
        compilers |= {item["compiler"] for item in json.loads(line.removeprefix("spec_details: "))}
    assert compilers
    for compiler in compilers:
        assert compiler in (modern_name(compiler), old_name(modern_name(compiler)))
