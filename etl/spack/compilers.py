"""Compilers: one name for each, whatever the era of the page or index it was read from.

Until 0.23 Spack wrote ``gcc@=11.4.0`` or ``oneapi@=2024.2.1``; since
1.0 a compiler is a package, ``gcc@11.4.0`` or ``intel-oneapi-compilers@2024.2.1``, and a spec that
was built with none says ``none``.  The pairs of names are those of Spack 1.1.0's ``aliases.py``.
"""

from __future__ import annotations

#: The compilers whose name changed when they became packages.
MODERN_NAMES = {
    "arm": "acfl",
    "clang": "llvm",
    "intel": "intel-oneapi-compilers-classic",
    "oneapi": "intel-oneapi-compilers",
    "rocmcc": "llvm-amdgpu",
}
OLD_NAMES = {modern: old for old, modern in MODERN_NAMES.items()}

#: What stands in place of a compiler where there is none.
NO_COMPILER = "none"


def modern_name(compiler: str) -> str:
    """A compiler in today's notation: ``oneapi@=2023.0.0`` is ``intel-oneapi-compilers@2023.0.0``.

    A name alone is translated as well; what is in today's notation already comes back as it is.
    """
    name, version = split_compiler(compiler)
    name = MODERN_NAMES.get(name, name)
    return name if version is None else f"{name}@{version}"


def old_name(compiler: str) -> str:
    """A compiler in the notation of Spack 0.23, the reverse of :func:`modern_name`."""
    name, version = split_compiler(compiler)
    name = OLD_NAMES.get(name, name)
    return name if version is None else f"{name}@={version}"


def split_compiler(compiler: str) -> tuple[str, str | None]:
    """Name and version of a compiler in any notation; the version is None if there is none."""
    name, at, version = compiler.partition("@")
    return name, version.removeprefix("=") if at else None
