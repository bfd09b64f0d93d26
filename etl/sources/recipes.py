"""What recipes say of packages, from a checkout of Spack's package recipes.

Recipes are Python.  They are parsed and looked at, and nothing in them is ever executed; what a
recipe computes, or inherits from another, is not seen.
"""

from __future__ import annotations

import ast
import re
import string
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from etl.errors import SourceError
from etl.page_format.names import is_name
from etl.page_format.yaml_text import PageError, load_yaml
from etl.records import Problem, Recipe
from etl.sources.provides import provisions
from etl.sources.stores import FolderStore, read_small

MAX_RECIPE_BYTES = 1 << 21
"""A recipe may have this many bytes; the longest has about 200 KB."""

MAX_TEXT = 2_000
"""Characters of a description, a homepage or a licence that are kept."""

REPOSITORY_FILE = "repo.yaml"
RECIPE = "package.py"

_REPOSITORY_PLACES = ("*", "spack_repo/*", "repos/spack_repo/*", "var/spack/repos/*")
"""Where repositories lie in a checkout of spack-packages, and of Spack 0.23 and older."""

_BUILTIN = "builtin"
_NEWEST_API = 2
_API = re.compile(r"v(\d{1,3})\.(\d{1,3})")
_MAX_REPOSITORY_FILE = 1 << 16


@dataclass(frozen=True, slots=True)
class _Repository:
    folder: Path
    namespace: str
    api: int
    packages: str


def read_recipes(folder: Path) -> Iterator[Recipe | Problem]:
    """The recipes of the package repository in a folder, by name, and those that were refused.

    The folder is the repository itself, or a checkout that holds the repository ``builtin``.

    Raises:
        SourceError: there is no repository, or it cannot be read.
    """
    repository = _find_repository(folder)
    store = FolderStore(repository.folder)
    packages = store.inside(repository.packages)
    try:
        names = sorted(entry.name for entry in packages.iterdir() if entry.is_dir())
    except OSError as error:
        raise SourceError(repository.packages, f"cannot be listed: {error.strerror}") from None
    for name in names:
        package = _package_name(name, repository.api)
        place = f"{repository.packages}/{name}/{RECIPE}"
        if package is None or not (packages / name / RECIPE).exists():
            continue
        try:
            yield read_recipe(package, read_small(store, place, MAX_RECIPE_BYTES))
        except SourceError as error:
            yield Problem(place, "refused", error.message)


def read_recipe(package: str, source: bytes) -> Recipe:
    """What the source of a recipe says.

    Raises:
        SourceError: it is not Python, or has no class for the package.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as those of "\d" in a plain string
            module = ast.parse(source)
    except SyntaxError as error:
        raise SourceError("", f"not Python: line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise SourceError("", "not Python that can be read: nested too deeply") from None
    wanted = _class_name(package)
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name == wanted:
            return Recipe(
                package,
                _description(node),
                _homepage(node),
                _licenses(node),
                provisions(node, module),
            )
    raise SourceError("", f"no class {wanted} in it")


def _description(recipe: ast.ClassDef) -> str | None:
    """The first paragraph of the class's docstring."""
    paragraph = (ast.get_docstring(recipe) or "").strip().partition("\n\n")[0]
    return _text(paragraph)


def _homepage(recipe: ast.ClassDef) -> str | None:
    for node in recipe.body:
        if isinstance(node, ast.Assign):
            targets: list[ast.expr] = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == "homepage" for target in targets):
            text = _text(_constant(node.value))
            # It becomes a link: nothing but the web.
            return text if text and text.startswith(("https://", "http://")) else None
    return None


def _licenses(recipe: ast.ClassDef) -> tuple[str, ...]:
    """The arguments of the directive ``license(...)``, which may stand below ``with when(...)``."""
    licenses: dict[str, None] = {}
    for node in _statements(recipe.body):
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
            continue
        call = node.value
        if isinstance(call.func, ast.Name) and call.func.id == "license":
            named = [word.value for word in call.keywords if word.arg == "license_identifier"]
            for argument in (call.args or named)[:1]:
                if text := _text(_constant(argument)):
                    licenses[text] = None
    return tuple(licenses)


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a class, and those below a ``with`` or an ``if``, in order."""
    for node in body:
        yield node
        if isinstance(node, (ast.With, ast.If)):
            yield from _statements(node.body)


def _constant(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _text(value: object) -> str | None:
    """A text on one line, without control characters; None if nothing is left."""
    if not isinstance(value, str):
        return None
    words = " ".join(value[: 2 * MAX_TEXT].split())
    return "".join(filter(str.isprintable, words))[:MAX_TEXT].strip() or None


def _find_repository(folder: Path) -> _Repository:
    if (folder / REPOSITORY_FILE).is_file():
        return _read_repository(folder)
    found = sorted(
        path.parent
        for pattern in _REPOSITORY_PLACES
        for path in folder.glob(f"{pattern}/{REPOSITORY_FILE}")
    )
    if not found:
        raise SourceError(
            folder.name,
            f"no package repository in this folder: no {REPOSITORY_FILE}, nor one in a folder of a"
            " checkout of spack-packages",
        )
    repositories = [_read_repository(path) for path in found]
    chosen = [item for item in repositories if item.namespace == _BUILTIN] or repositories
    if len(chosen) > 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in found)
        raise SourceError(folder.name, f"several package repositories; name one of {names:.300}")
    return chosen[0]


def _read_repository(folder: Path) -> _Repository:
    """A repository as its ``repo.yaml`` describes it; ``repo.py`` in Spack 1.1.0 has the rules."""
    place = REPOSITORY_FILE
    data = read_small(FolderStore(folder), place, _MAX_REPOSITORY_FILE)
    try:
        value = load_yaml(data.decode())
    except (PageError, UnicodeDecodeError) as error:
        raise SourceError(place, f"not YAML: {error}") from None
    fields = value.get("repo") if isinstance(value, Mapping) else None
    if not isinstance(fields, Mapping):
        raise SourceError(place, "it does not describe a package repository (no repo in it)")
    api = _API.fullmatch(str(fields.get("api", "v1.0")))
    if not api or not 1 <= int(api[1]) <= _NEWEST_API:
        raise SourceError(
            place,
            f"package API {fields.get('api')!r:.20} is not supported (v1 to v{_NEWEST_API} are);"
            " a newer spack-catalog may read it",
        )
    packages = fields.get("subdirectory", "packages")
    if not is_name(packages):
        raise SourceError(place, f"{packages!r:.80} is no folder in the repository")
    return _Repository(folder, str(fields.get("namespace", "")), int(api[1]), str(packages))


def _package_name(folder: str, api: int) -> str | None:
    """The package whose recipe is in a folder; None if no package can be (``naming.py`` there)."""
    if api >= 2:
        folder = folder.lstrip("_").replace("_", "-")
    return folder if is_name(folder) else None


def _class_name(package: str) -> str:
    """The name of a package's class: ``py-numpy`` has ``PyNumpy``, ``3proxy`` has ``_3proxy``."""
    name = string.capwords(re.sub(r"[-_]+", "-", package), "-").replace("-", "")
    return f"_{name}" if name[:1].isdigit() or name in ("False", "None", "True") else name
