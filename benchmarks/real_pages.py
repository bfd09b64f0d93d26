"""What the generator takes from real pages: packages, versions, variants and machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OLD_COMPILERS = {
    "intel-oneapi-compilers": "oneapi",
    "intel-oneapi-compilers-classic": "intel",
    "llvm": "clang",
    "llvm-amdgpu": "rocmcc",
    "acfl": "arm",
}
"""Compilers that pages called otherwise before compilers were packages."""

Texts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Machine:
    """What a stack builds for."""

    os: str
    platform: str
    target: str


@dataclass(slots=True)
class RealPackage:
    """The versions and variant lists in which a package was seen, in today's notation.

    ``binaries`` is how often it was seen; ``compiled`` is false for a package that no page gives
    a compiler.
    """

    versions: list[str] = field(default_factory=list)
    variants: list[Texts] = field(default_factory=list)
    binaries: int = 0
    compiled: bool = False


@dataclass(slots=True)
class RealPages:
    """All that is taken from real pages; every list is in a fixed order."""

    packages: dict[str, RealPackage]
    compilers: list[str]
    machines: list[Machine]
    stacks: list[str]


def read_real_pages(site: Path) -> RealPages:
    """Collect what the pages below ``site`` say.

    Raises:
        SystemExit: there are none.
    """
    packages: dict[str, RealPackage] = {}
    compilers: set[str] = set()
    machines: set[Machine] = set()
    stacks: set[str] = set()
    list_variants: set[str] = set()
    for name, item in _items(site):
        package = packages.setdefault(name, RealPackage())
        compiler = _modern_compiler(item["compiler"])
        package.binaries += 1
        _add(package.versions, item["versions"][0])
        _add(package.variants, tuple(item["variants"]))
        list_variants.update(v.partition(":=")[0] for v in item["variants"] if ":=" in v)
        if compiler != "none":
            package.compiled = True
            compilers.add(compiler)
        machines.add(Machine(item["os"], item["platform"], item["target"]))
        stacks.update(item["stacks"])
    if not packages or not compilers:
        raise SystemExit(f"{site}: no pages to start from")
    for package in packages.values():
        package.variants = [_with_list_operator(v, list_variants) for v in package.variants]
    return RealPages(
        packages,
        sorted(compilers),
        sorted(machines, key=lambda machine: (machine.os, machine.platform, machine.target)),
        sorted(stacks - {"root"}),
    )


def _items(site: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The package and each item of ``spec_details``, page by page in order of path."""
    mark = "spec_details: "
    for path in sorted(site.rglob("specs.md")):
        for line in path.read_text().splitlines():
            if line.startswith(mark):
                for item in json.loads(line.removeprefix(mark)):
                    yield path.parent.name, item


def _add(values: list[Texts] | list[str], value: Texts | str) -> None:
    if value not in values:
        values.append(value)  # type: ignore[arg-type]


def _modern_compiler(compiler: object) -> str:
    name, at, version = str(compiler).replace("@=", "@").partition("@")
    return next((new for new, old in OLD_COMPILERS.items() if old == name), name) + at + version


def _with_list_operator(variants: Texts, list_variants: set[str]) -> Texts:
    """The variants with ``:=`` wherever some page shows that the variant holds a list."""
    return tuple(
        variant.replace("=", ":=", 1)
        if ":=" not in variant and variant.partition("=")[0] in list_variants
        else variant
        for variant in variants
    )
