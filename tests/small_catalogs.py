"""Small catalogs whose every fact is known, for tests of what pages say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from etl.records import Recipe, Record
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.named import Asked, with_name
from etl.sources.pages import read_pages
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.sites import Item, hash_of, item, page, place_of, write_site

RELEASE = "releases/v0.18"
FIRST = "develop-2025-01-05"
SECOND = "develop-2025-01-12"
DEVELOP = "develop"

TOOL_IN_SECOND = [
    item(3, versions=["1.10"], size=2_500_000, stacks=["e4s", "hep", "root"]),
    item(4, versions=["1.10"], variants=["build_system=cmake", "+ipo", "libs:=shared"]),
    item(5, versions=["develop"], target="zen4", compiler="intel-oneapi-compilers@2024.2.1"),
    item(6, versions=["1.10-rc1"], os="rhel8", variants=["build_system=cmake", "~ipo"]),
]
"""Versions that are in another order as text: Spack's is develop, 1.10, 1.10-rc1, 1.9."""

HISTORY: dict[str, dict[str, list[Item]]] = {
    RELEASE: {"tool": [item(1, versions=["1.9"], os="rhel8", stacks=["root"])]},
    FIRST: {
        "tool": [item(2, versions=["1.9"]), item(3, versions=["1.10"], size=2_500_000)],
        "old-lib": [item(20)],
        "lib": [item(30, versions=["2.0"]), item(31, versions=["1.0"])],
    },
    SECOND: {
        "tool": TOOL_IN_SECOND,
        "new-lib": [item(21), item(22, stacks=["hep", "root"])],
        "lib": [item(32, versions=["2.0"]), item(33, versions=["1.0"])],
    },
    DEVELOP: {"new-lib": [item(21)]},
}
"""Pages of four tags, whose names have a slash, a date or neither."""

THIRD = "develop-2025-01-19"
THREE_TAGS: dict[str, dict[str, list[Item]]] = {
    RELEASE: {"tool": [item(1, versions=["1.9"])]},
    FIRST: {
        "tool": [item(1, versions=["1.9"]), item(2, versions=["1.10"], os="rhel8")],
        "lib": [item(10), item(11, versions=["0.9"])],
    },
    SECOND: {
        "tool": [item(3, versions=["1.9"]), item(2, versions=["1.10"], os="rhel8")],
        "lib": [item(10)],
    },
    THIRD: {
        "tool": [
            item(3, versions=["1.9"]),
            item(4, versions=["2.0"], stacks=["hep", "root"], target="zen4"),
            item(5, versions=["2.0"], os="rhel8"),
        ],
        "lib": [item(10)],
    },
    DEVELOP: {"tool": [item(6, versions=["3.0"])]},
}
"""A spec is rebuilt in the second snapshot, some come and one goes in the third."""

HOSTILE_TEXTS = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(2)'>",
    "'; DROP TABLE specs; --",
    "{{ 7 * 7 }}{% for x in y %}",
    "javascript:alert(3)",
    "\U0001f4a5 \u00e9\u4e2d\u0301",
    "%_\\%00&amp;&lt;",
    "x" * 200,
)
"""What whoever fills a build cache may put wherever there is no rule for a name."""

LONG_NAME = "l" + "o" * 198 + "g"
LONG_TAG = "t" * 199
"""The longest name of a package or a stack, and of a tag."""


def build(target: Path, *sources: Iterable[Record]) -> Path:
    """Build a catalog of what was read; returns where it is."""
    build_catalog(
        [Reading(f"source {number}", records) for number, records in enumerate(sources)], target
    )
    return target


def history_catalog(folder: Path) -> Path:
    """A catalog of :data:`HISTORY`, from pages alone."""
    files = {
        place_of(tag, package): page(tag, package, items)
        for tag, packages in HISTORY.items()
        for package, items in packages.items()
    }
    return build(folder / "catalog.db", read_pages(write_site(folder / "site", files)))


def three_tags_catalog(folder: Path, *more: Iterable[Record]) -> Path:
    """A catalog of :data:`THREE_TAGS`, from pages, and of what other sources there are."""
    pages = read_pages(write_site(folder / "site", _pages(THREE_TAGS)))
    return build(folder / "catalog.db", pages, *more)


def three_tags_of_caches(folder: Path) -> Path:
    """Two named caches: ``all`` has :data:`THREE_TAGS`, ``some`` the first and last snapshot."""
    tags = {"all": [*THREE_TAGS], "some": [FIRST, THIRD]}
    sources = []
    for name, those in tags.items():
        pages = _pages({tag: THREE_TAGS[tag] for tag in those})
        records = read_pages(write_site(folder / name, pages))
        sources.append(with_name(Asked(str(folder / name), name), records))
    return build(folder / "catalog.db", *sources)


def _pages(history: Mapping[str, Mapping[str, list[Item]]]) -> dict[str, bytes]:
    return {
        place_of(quote(tag, safe=""), package): page(tag, package, items)
        for tag, packages in history.items()
        for package, items in packages.items()
    }


def hostile_catalog(folder: Path) -> Path:
    """A catalog in which all that may be any text is hostile, and names are as long as can be."""
    text = HOSTILE_TEXTS
    items = [
        item(
            number,
            variants=["build_system=cmake", f"note={it}", f"+{it}", it],
            os=it,
            platform=it,
            target=it,
            compiler=it,
            versions=[it],
            stacks=["root", LONG_NAME],
        )
        for number, it in enumerate(text, start=1)
    ]
    files = {
        place_of(SECOND, "evil"): page(SECOND, "evil", [*items, item(90)]),
        place_of(LONG_TAG, "evil"): page(LONG_TAG, "evil", items),
        place_of(SECOND, LONG_NAME): page(SECOND, LONG_NAME, [item(91)]),
    }
    recipes = [
        Recipe("evil", f"{text[0]} {text[1]}", 'javascript:alert("homepage")', (text[1],)),
        Recipe(LONG_NAME, text[3], f"https://example.org/{text[1]}", (text[0],)),
    ]
    specs = {
        hash_of(100): record(
            node(
                "evil-needs",
                text[0],
                namespace=text[1],
                parameters={"cflags": [text[1], "-O2"], "note": text[0]},
                package_hash=text[0],
                needs=[("evil-system", hash_of(101))],
            )
        ),
        hash_of(101): record(
            node("evil-system", text[1], external={"path": text[0], "module": None}), there=False
        ),
    }
    return build(
        folder / "catalog.db",
        read_pages(write_site(folder / "site", files)),
        recipes,
        read_build_caches(write_indexes(folder / "indexes", {(SECOND, "evil"): specs})),
    )


def graph_catalog(folder: Path, needs: Mapping[str, Iterable[str]], *absent: str) -> Path:
    """A catalog of specs of which one needs others; each is known by the name of its package.

    The ``absent`` ones are described, and have no binary.  Which hash is whose: :func:`spec_hash`.
    """
    names = [*needs]
    specs = {
        spec_hash(names, name): record(
            node(name, "1.0", needs=[(it, spec_hash(names, it)) for it in needed]),
            there=name not in absent,
        )
        for name, needed in needs.items()
    }
    indexes = write_indexes(folder / "indexes", {(SECOND, "e4s"): specs})
    return build(folder / "catalog.db", read_build_caches(indexes))


def spec_hash(names: Iterable[str], name: str) -> str:
    """The hash that :func:`graph_catalog` gives to a name among all of its names."""
    return hash_of([*names].index(name) + 1)


def node(
    name: str, version: str, needs: Iterable[tuple[str, ...]] = (), **more: Any
) -> dict[str, Any]:
    """A spec as an index describes it; ``needs`` are names and hashes, to build and to link.

    A third part says what else it is for: ``run``.
    """
    return {
        "name": name,
        "version": version,
        "arch": {"platform": "linux", "platform_os": "ubuntu22.04", "target": "x86_64_v3"},
        "namespace": "builtin",
        "dependencies": [
            {
                "name": it,
                "hash": hash_,
                "parameters": {
                    "deptypes": " ".join(purpose or ["build link"]).split(),
                    "virtuals": [],
                },
            }
            for it, hash_, *purpose in needs
        ],
        **more,
    }


def record(spec: Mapping[str, Any], *, there: bool = True) -> dict[str, Any]:
    """A spec in an index, and whether its binary is there."""
    return {"spec": spec, "ref_count": 0, "in_buildcache": there}


def write_indexes(folder: Path, indexes: Mapping[tuple[str, str], Mapping[str, Any]]) -> Path:
    """Write the indexes of some tags and stacks; returns the folder."""
    files = {
        f"{tag}/{stack}/index.json": json.dumps(
            {"database": {"version": "8", "installs": specs}}
        ).encode()
        for (tag, stack), specs in indexes.items()
    }
    return write_site(folder, files)
