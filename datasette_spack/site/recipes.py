"""Where the recipe of a package is."""

from __future__ import annotations

import keyword
from urllib.parse import quote

_SOURCE = "https://github.com/spack/spack-packages/blob/develop/repos/spack_repo/builtin/packages"
_PAGE = "https://packages.spack.io/package.html?name="


def recipe_links(package: str) -> dict[str, str]:
    """Links to the package's page among Spack's packages, and to its recipe."""
    return {
        "packages.spack.io": f"{_PAGE}{quote(package, safe='')}",
        "package.py": f"{_SOURCE}/{quote(recipe_folder(package))}/package.py",
    }


def recipe_folder(package: str) -> str:
    """The folder of a package in a repository of today's layout.

    Folders are names of Python modules (``pkg_name_to_pkg_dir`` in Spack's ``util/naming.py``).
    """
    name = package.replace("-", "_")
    return f"_{name}" if name[:1].isdigit() or keyword.iskeyword(name) else name
