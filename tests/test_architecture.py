"""The floor plan as a table: imports run one way, and only some rooms know tables and SQLite."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from etl.catalog.schema import TABLES
from etl.catalog.views import VIEWS

CHECKOUT = Path(__file__).parents[1]
MODULES = {
    ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ("etl", "datasette_spack")
    for path in sorted((CHECKOUT / package).rglob("*.py"))
}

FLOORS = (
    # floor                                           what stands on it
    ("page style", ("etl.page_style",)),
    ("what only catalogs tell", ("etl.kept_records",)),
    (
        "ground",
        ("etl.csv_text", "etl.errors", "etl.memory", "etl.numbered", "etl.records", "etl.text"),
    ),
    ("processes", ("etl.workers",)),
    ("language", ("etl.spack",)),
    ("hosts", ("etl.hosts",)),
    ("page format", ("etl.page_format",)),
    ("sources", ("etl.sources", "etl.progress")),
    ("lock files", ("etl.locks",)),
    ("catalog", ("etl.catalog",)),
    ("writer and query", ("etl.writer", "etl.query")),
    ("comparisons", ("etl.compare",)),
    ("environments", ("etl.cover",)),
    ("facts of pages, exports", ("etl.browse", "etl.export")),
    ("site", ("datasette_spack",)),
    ("commands", ("etl.commands",)),
    ("entry", ("etl.cli",)),
)
"""The floor plan, from the ground up: a room imports from floors below it, and from itself."""

KNOW_TABLES = (
    "etl.catalog",
    "etl.writer",
    "etl.query",
    "etl.compare",
    "etl.cover",
    "etl.browse",
    "etl.export",
)
"""The rooms whose SQL may name tables."""

ONLY_IN = {
    "sqlite3": (*KNOW_TABLES, "etl.commands", "datasette_spack"),
    "sqlite_utils": ("etl.writer", "datasette_spack"),
    "datasette": ("datasette_spack",),
    "click": ("etl.cli", "etl.commands", "etl.progress"),
    "yaml": ("etl.page_format",),
    "httpx": ("etl.sources.download",),
    "platformdirs": ("etl.sources.download",),
    "archspec": ("etl.spack",),
    "pyarrow": ("etl.export",),
}
"""Libraries that only these parts know."""


def _tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text("utf-8"))


def _imports(module: str) -> Iterator[tuple[str, str | None]]:
    """What a module imports, anywhere in it: module and name."""
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            yield from ((str(node.module), alias.name) for alias in node.names)


def _imported_modules(module: str) -> set[str]:
    """The modules of this project that a module imports."""
    found = set()
    for source, name in _imports(module):
        inner = f"{source}.{name}"
        found.add(inner if inner in MODULES else source)
    return (found & MODULES.keys()) - {module}


def _is_in(module: str, part: str) -> bool:
    return module == part or module.startswith(f"{part}.")


def _floor(module: str) -> tuple[int, str] | None:
    for number, (_, parts) in enumerate(FLOORS):
        for part in parts:
            if _is_in(module, part):
                return number, part
    return None


def test_every_module_has_its_floor() -> None:
    assert [module for module in MODULES if module != "etl" and _floor(module) is None] == []


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_one_way(module: str) -> None:
    mine = _floor(module)
    if mine is None:
        assert _imported_modules(module) == set()
        return
    for imported in _imported_modules(module):
        theirs = _floor(imported)
        assert theirs is not None, f"{module} imports {imported}"
        assert theirs[0] < mine[0] or theirs[1] == mine[1], f"{module} imports {imported}"


def test_imports_have_no_circles() -> None:
    graph = {module: _imported_modules(module) for module in MODULES}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for imported in sorted(graph[module]):
                visit(imported, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("library", ONLY_IN)
def test_libraries_stay_where_they_belong(library: str) -> None:
    users = {
        module for module in MODULES for source, _ in _imports(module) if _is_in(source, library)
    }
    strangers = [it for it in users if not any(_is_in(it, part) for part in ONLY_IN[library])]
    assert strangers == []
    assert users, f"{library} is not used at all"


@pytest.mark.parametrize("module", MODULES)
def test_nobody_imports_what_is_private(module: str) -> None:
    private = [
        f"{source}.{name}"
        for source, name in _imports(module)
        if name and name.startswith("_") and source.split(".")[0] in ("etl", "datasette_spack")
    ]
    assert private == []


_SQL = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE|VIEW)\s+(\w+)")


@pytest.mark.parametrize("module", [it for it in MODULES if _is_in(it, "etl")])
def test_only_rooms_from_the_catalog_up_know_the_tables(module: str) -> None:
    named = {
        table
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for table in _SQL.findall(node.value)
        if table in TABLES.keys() | VIEWS.keys()
    }
    assert not named or any(_is_in(module, room) for room in KNOW_TABLES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_can_be_read_from_top_to_bottom(module: str) -> None:
    text = MODULES[module].read_text("utf-8")
    # These two declare what there is, one after another, and do nothing.
    longest = 420 if module in ("etl.catalog.schema", "etl.records") else 350
    assert text.count("\n") < longest
    assert not text.strip() or ast.get_docstring(_tree(module)), "no docstring"


ROOMS = sorted(
    part for _, parts in FLOORS for part in parts if (CHECKOUT / part.replace(".", "/")).is_dir()
)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_comes_in_and_goes_out(room: str) -> None:
    said = ast.get_docstring(_tree(room)) or ""
    assert len(re.findall(r"[.:](?:\s|$)", said)) >= 3, "what comes in, what goes out, who may call"


@pytest.mark.parametrize("room", ROOMS)
def test_the_architecture_page_names_every_room(room: str) -> None:
    page = (CHECKOUT / "docs" / "architecture.md").read_text("utf-8")
    assert f"`{room.replace('.', '/')}/`" in page


def test_tests_mirror_the_rooms() -> None:
    folders = {
        "datasette" if room == "datasette_spack" else room.removeprefix("etl.") for room in ROOMS
    }
    missing = [it for it in sorted(folders) if not (CHECKOUT / "tests" / it).is_dir()]
    assert missing == []


def test_no_two_files_of_tests_have_one_name() -> None:
    """Pytest imports each by its name alone."""
    names = [path.name for path in sorted((CHECKOUT / "tests").rglob("test_*.py"))]
    assert [name for name in names if names.count(name) > 1] == []
