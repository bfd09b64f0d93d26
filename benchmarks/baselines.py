"""Four plain ways to load pages, which a build is measured against.

    python -m benchmarks.baselines bare SITE FILE
    python -m benchmarks.baselines orjson SITE FILE
    python -m benchmarks.baselines pyyaml SITE FILE
    python -m benchmarks.baselines linked SITE FILE

``bare`` is the least that any loader must do: read the files, decode the JSON of both long lines,
insert each fact once.  It checks nothing, orders nothing, and makes no index beyond primary keys.
``orjson`` is the same with the fastest JSON decoder there is, and without what a page says twice.
``pyyaml`` is what one would write first: PyYAML and ``sqlite-utils``, all rows at once into one
wide table, in which lists are text that no query can use.  ``linked`` is what one would write next,
to have such tables as a catalog has: each name is looked up, each spec inserted and its lists
linked to it, row by row, as the documentation of ``sqlite-utils`` shows it.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

BARE_TABLES = """
    CREATE TABLE tags (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE packages (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE versions (id INTEGER PRIMARY KEY, package_id INTEGER, version TEXT);
    CREATE TABLE compilers (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE operating_systems (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE platforms (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE targets (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE variants (id INTEGER PRIMARY KEY, variant TEXT);
    CREATE TABLE variant_sets (id INTEGER PRIMARY KEY);
    CREATE TABLE variant_set_members (
        variant_set_id INTEGER, variant_id INTEGER, PRIMARY KEY (variant_set_id, variant_id)
    ) WITHOUT ROWID;
    CREATE TABLE stacks (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE stack_sets (id INTEGER PRIMARY KEY);
    CREATE TABLE stack_set_members (
        stack_set_id INTEGER, stack_id INTEGER, PRIMARY KEY (stack_set_id, stack_id)
    ) WITHOUT ROWID;
    CREATE TABLE specs (
        id INTEGER PRIMARY KEY, hash TEXT, package_id INTEGER, version_id INTEGER,
        compiler_id INTEGER, os_id INTEGER, platform_id INTEGER, target_id INTEGER,
        variant_set_id INTEGER, size INTEGER
    );
    CREATE TABLE binaries (
        id INTEGER PRIMARY KEY, tag_id INTEGER, spec_id INTEGER, stack_set_id INTEGER
    );
    CREATE TABLE pages (
        id INTEGER PRIMARY KEY, tag_id INTEGER, package_id INTEGER, num_specs INTEGER
    );
"""


class Numbers(dict[Any, int]):
    """Gives each different key the next number, from 1."""

    def __missing__(self, key: object) -> int:
        self[key] = number = len(self) + 1
        return number


def load_bare(site: Path, file: Path, decode: Callable[[str], Any] = json.loads) -> None:
    """Load the pages below ``site`` into the new database ``file`` with one plain loop."""
    tags, packages, versions, specs = Numbers(), Numbers(), Numbers(), Numbers()
    compilers, systems, platforms, targets = Numbers(), Numbers(), Numbers(), Numbers()
    variant_sets, stack_sets = Numbers(), Numbers()
    db = sqlite3.connect(file, isolation_level=None)
    db.execute("PRAGMA journal_mode = OFF")
    db.execute("PRAGMA synchronous = OFF")
    db.executescript(BARE_TABLES)
    db.execute("BEGIN")
    for path in page_paths(site):
        with open(path, encoding="utf-8") as stream:  # noqa: PTH123 - called 150,000 times
            page = dict(line.split(": ", 1) for line in stream.read().split("\n") if ": " in line)
        package = packages[page["title"].strip('"')]
        tag = tags[page["categories"].rstrip("]").split(", ")[1]]
        items = decode(page["spec_details"])
        # What the summary says follows from the items; the first loop decodes it all the same.
        number = decode(page["meta"])["num_specs"] if decode is json.loads else len(items)
        new_specs, binaries = [], []
        for item in items:
            hash_ = item["hash"]
            known = len(specs)
            spec = specs[hash_]
            if spec > known:
                new_specs.append(
                    (
                        spec,
                        hash_,
                        package,
                        versions[package, item["versions"][0]],
                        compilers[item["compiler"]],
                        systems[item["os"]],
                        platforms[item["platform"]],
                        targets[item["target"]],
                        variant_sets[tuple(item["variants"])],
                        None if item["size"] == "-" else item["size"],
                    )
                )
            binaries.append((tag, spec, stack_sets[tuple(item["stacks"])]))
        db.execute("INSERT INTO pages VALUES (NULL, ?, ?, ?)", (tag, package, number))
        db.executemany("INSERT INTO specs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", new_specs)
        db.executemany("INSERT INTO binaries VALUES (NULL, ?, ?, ?)", binaries)
    for table, numbers in (
        ("tags", tags),
        ("packages", packages),
        ("compilers", compilers),
        ("operating_systems", systems),
        ("platforms", platforms),
        ("targets", targets),
    ):
        insert(db, table, ((number, name) for name, number in numbers.items()), 2)
    insert(db, "versions", ((number, *key) for key, number in versions.items()), 3)
    insert_sets(db, "variant", variant_sets)
    insert_sets(db, "stack", stack_sets)
    db.execute("COMMIT")
    db.close()


def insert_sets(db: sqlite3.Connection, what: str, sets: Numbers) -> None:
    """Insert lists of variants or stacks, their members, and which members each list has."""
    members = Numbers()
    links = ((number, members[member]) for names, number in sets.items() for member in names)
    insert(db, f"{what}_set_members", links, 2)
    insert(db, f"{what}_sets", ((number,) for number in sets.values()), 1)
    insert(db, f"{what}s", ((number, name) for name, number in members.items()), 2)


def insert(
    db: sqlite3.Connection, table: str, rows: Iterable[tuple[Any, ...]], columns: int
) -> None:
    """Insert rows into a table of so many columns."""
    marks = ", ".join("?" * columns)
    db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - names from above


def load_orjson(site: Path, file: Path) -> None:
    """The same loop as :func:`load_bare` with ``orjson``."""
    import orjson

    load_bare(site, file, orjson.loads)


def load_pyyaml(site: Path, file: Path) -> None:
    """Load the pages with ``yaml.safe_load`` and ``insert_all`` into one wide table."""
    import sqlite_utils

    db = sqlite_utils.Database(file)
    table: Any = db["binaries"]
    table.insert_all(
        (
            {"tag": page["categories"][1], "package": page["title"], **item}
            for page in pages_by_pyyaml(site)
            for item in page["spec_details"]
        ),
        pk=("tag", "hash"),
        alter=True,
    )
    db.close()


def load_linked(site: Path, file: Path) -> None:
    """Load the pages with ``yaml.safe_load`` into linked tables, with ``lookup`` and ``m2m``."""
    import sqlite_utils

    db = sqlite_utils.Database(file)
    # Each row is a transaction; waiting for the disk is not what is measured.
    db.execute("PRAGMA synchronous = OFF")
    specs: Any = db["specs"]
    for page in pages_by_pyyaml(site):
        tag = db.table("tags").lookup({"name": page["categories"][1]})
        package = db.table("packages").lookup({"name": page["title"]})
        for item in page["spec_details"]:
            facts = {
                f"{key}_id": db.table(f"{key}s").lookup({"name": item[key]})
                for key in ("compiler", "os", "platform", "target")
            }
            version = {"package_id": package, "version": item["versions"][0]}
            facts["version_id"] = db.table("versions").lookup(version)
            size = None if item["size"] == "-" else item["size"]
            row = {"hash": item["hash"], "package_id": package, **facts, "size": size}
            links = [(key, f"{key.removesuffix('_id')}s") for key in row if key.endswith("_id")]
            spec = specs.upsert(row, pk="hash", foreign_keys=links)
            for variant in item["variants"]:
                spec.m2m("variants", lookup={"variant": variant})
            binary: Any = db["binaries"]
            row = {"id": f"{tag}-{item['hash']}", "tag_id": tag, "spec_hash": item["hash"]}
            links = [("tag_id", "tags"), ("spec_hash", "specs")]
            inserted = binary.insert(row, pk="id", foreign_keys=links)
            for stack in item["stacks"]:
                inserted.m2m("stacks", lookup={"name": stack})
    db.close()


def pages_by_pyyaml(site: Path) -> Iterator[dict[str, Any]]:
    """What is on each page, read with ``yaml.safe_load``."""
    import yaml

    for path in page_paths(site):
        yield yaml.safe_load(Path(path).read_text(encoding="utf-8").split("---")[1])


LOADERS: dict[str, Callable[[Path, Path], None]] = {
    "bare": load_bare,
    "orjson": load_orjson,
    "pyyaml": load_pyyaml,
    "linked": load_linked,
}


def page_paths(site: Path) -> list[str]:
    """The pages below a folder, in order."""
    return sorted(f"{folder}/specs.md" for folder, _, files in os.walk(site) if "specs.md" in files)


def main() -> None:
    """Read the command line and load."""
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=LOADERS)
    parser.add_argument("site", type=Path)
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    LOADERS[options.how](options.site, options.file)


if __name__ == "__main__":
    main()
