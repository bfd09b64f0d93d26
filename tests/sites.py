"""Pages and sites for tests, written as the site's generator wrote them in each era.

This knows the format from its description alone and shares no code with ``etl``.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from etl.catalog.pages import PageWriter
from etl.catalog.reader import open_catalog
from etl.sources.pages import read_pages
from etl.sources.selection import EVERYTHING, Selection
from etl.writer.build import Summary, build_catalog
from etl.writer.intake import Reading

Era = Literal["tarballs", "exact", "today"]
Item = dict[str, Any]

SEED = Path(__file__).parent / "data" / "site"
"""Real pages of all three eras."""

SEED_PLACES = sorted(str(path.relative_to(SEED)) for path in SEED.rglob("specs.md"))

_OLD_NAMES = {"intel-oneapi-compilers": "oneapi", "llvm": "clang", "llvm-amdgpu": "rocmcc"}
_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_OLD_META = (
    "versions", "compilers", "oss", "platforms", "targets", "stacks",
    "num_specs", "num_specs_by_stack",
)  # fmt: skip
_OLD_ITEM = (
    "hash", "compiler", "versions", "os", "platform", "target", "variants", "stacks",
    "size", "tarball",
)  # fmt: skip


def hash_of(number: int) -> str:
    """A hash for tests; a larger number has one that sorts after it."""
    digits = ""
    for _ in range(7):
        number, digit = divmod(number, 32)
        digits = _BASE32[digit] + digits
    return "h" * 25 + digits


def item(number: int, **changes: Any) -> Item:
    """An item of ``spec_details`` as it is written today, with some values of its own."""
    return {
        "compiler": "gcc@11.4.0",
        "hash": hash_of(number),
        "os": "ubuntu22.04",
        "platform": "linux",
        "size": "-",
        "stacks": ["e4s", "root"],
        "target": "x86_64_v3",
        "variants": ["build_system=cmake", "~ipo", "libs:=shared,static"],
        "versions": ["1.0"],
        **changes,
    }


def page(
    tag: str,
    package: str,
    items: Sequence[Item],
    era: Era = "today",
    *,
    meta: Mapping[str, Any] | None = None,
    mirror: str = "https://binaries.spack.io/releases",
) -> bytes:
    """A page with these items, in this order; ``meta`` overrides parts of its summary.

    Before today's era lists and compilers had another notation; in that of ``tarballs`` keys and
    stacks had another order, and each item had the address of its binary.
    """
    written = [dict(it) if era == "today" else _in_old_notation(it) for it in items]
    summary = summary_of(written, as_they_come=era == "tarballs")
    if era == "tarballs":
        for it in written:
            it["tarball"] = tarball(f"{mirror}/{tag}", package, it)
        written = [{key: it[key] for key in _OLD_ITEM if key in it} for it in written]
        summary = {key: summary[key] for key in _OLD_META}
    else:
        written = [dict(sorted(it.items())) for it in written]
        summary = dict(sorted(summary.items()))
    return front_matter(tag, package, json.dumps({**summary, **(meta or {})}), json.dumps(written))


def _in_old_notation(it: Item) -> Item:
    name, at, version = it["compiler"].partition("@")
    return {
        **it,
        "compiler": f"{_OLD_NAMES.get(name, name)}{at and '@='}{version.removeprefix('=')}",
        "variants": [text.replace(":=", "=", 1) for text in it["variants"]],
    }


def summary_of(items: Sequence[Item], as_they_come: bool = False) -> dict[str, Any]:
    """What ``meta`` says of these items."""
    counts: dict[str, int] = {}
    for it in items:
        for stack in it["stacks"]:
            counts[stack] = counts.get(stack, 0) + 1
    return {
        "versions": sorted({it["versions"][0] for it in items}),
        "compilers": sorted({it["compiler"] for it in items}),
        "oss": sorted({it["os"] for it in items}),
        "platforms": sorted({it["platform"] for it in items}),
        "targets": sorted({it["target"] for it in items}),
        "stacks": sorted(counts),
        "num_specs": len(items),
        "num_specs_by_stack": counts if as_they_come else dict(sorted(counts.items())),
    }


def tarball(mirror: str, package: str, it: Item) -> str:
    """Where the binary of an item lies, as the first era's pages say."""
    arch = f"{it['platform']}-{it['os']}-{it['target']}"
    compiler = it["compiler"].replace("@=", "-")
    name = f"{package}-{it['versions'][0]}"
    file = f"{arch}-{compiler}-{name}-{it['hash']}.spack"
    return f"{mirror}/build_cache/{arch}/{compiler}/{name}/{file}"


def front_matter(tag: str, package: str, meta: str, details: str) -> bytes:
    """A page whose two long values are these."""
    return (
        f'---\ntitle: "{package}"\nlayout: cache\ncategories: [package, {tag}]\n'
        f"meta: {meta}\nspec_details: {details}\n---"
    ).encode()


def place_of(tag: str, package: str) -> str:
    """Where the site has a page."""
    return f"_cache/{tag}/{package}/specs.md"


def write_site(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files by their places; returns the folder."""
    for place, data in files.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def build(target: Path, *sources: Path, selection: Selection = EVERYTHING) -> Summary:
    """Build a catalog as the command line does."""
    readings = [Reading(os.fspath(it), read_pages(it, selection)) for it in sources]
    return build_catalog(readings, target)


def rows(catalog: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """The rows that a query gives."""
    with closing(sqlite3.connect(catalog)) as db:
        return db.execute(sql, parameters).fetchall()


def problems(catalog: Path) -> list[tuple[str, str, str]]:
    """Place, kind and message of all problems, in the catalog's order."""
    return [(*row,) for row in rows(catalog, "SELECT place, kind, message FROM problems")]


def exported(catalog: Path) -> dict[str, bytes]:
    """All pages of a catalog, by the place that the site has for them."""
    with open_catalog(catalog) as db:
        return {place_of(page.tag, page.package): page.text for page in PageWriter(db).pages()}


def pages_below(folder: Path) -> dict[str, bytes]:
    """All pages below a folder, by their places."""
    found: Iterable[Path] = folder.rglob("specs.md")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@contextmanager
def as_nobody() -> Iterator[None]:
    """Do something without the rights of root, for whom no file is closed; others have none."""
    if os.geteuid() != 0:
        yield
        return
    os.setresgid(65534, 65534, 0)
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


def shuffle_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every folder be listed in another order each time, as file systems may."""
    scandir = os.scandir

    class Shuffled:
        def __init__(self, path: Any) -> None:
            with scandir(path) as listing:
                self._entries = list(listing)
            random.shuffle(self._entries)

        def __enter__(self) -> Any:
            return iter(self._entries)

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(os, "scandir", Shuffled)
