"""Two moments side by side: a tag of one catalog, and the same or another tag of another one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from etl.catalog.kept import read_catalog
from etl.catalog.reader import is_catalog_file
from etl.kept_records import KeptMirror, KeptNames, KeptPackage, KeptPackages, KeptWords
from etl.records import Record, Source
from etl.writer.build import build_catalog
from etl.writer.intake import Reading


@dataclass(frozen=True, slots=True)
class Moment:
    """A tag as one catalog has it."""

    catalog: Path
    tag: str


def read_moment(text: str) -> Moment | None:
    """The moment that ``FILE:TAG`` is, if there is a catalog of that name; else None."""
    for place, letter in enumerate(text):
        if letter == ":" and is_catalog_file(Path(text[:place])):
            return Moment(Path(text[:place]), text[place + 1 :])
    return None


@contextmanager
def side_by_side(old: Moment, new: Moment) -> Iterator[tuple[Path, str, str]]:
    """A catalog for the while of both, and what the tags are called in there.

    Only what each catalog had in the tag at that moment is in it, nothing that was gone by then.

    Raises:
        ReadError: a catalog cannot be read.
    """
    names = [f"{it.catalog.stem}:{it.tag}" for it in (old, new)]
    if names[0] == names[1]:
        names = [f"old:{old.tag}", f"new:{new.tag}"]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "both.db"
        readings = [
            Reading(str(it.catalog), _of_tag(it, name), is_catalog=True)
            for it, name in zip((old, new), names, strict=True)
        ]
        build_catalog(readings, target)
        yield target, names[0], names[1]


def _of_tag(moment: Moment, name: str) -> Iterator[Record]:
    """What a catalog has of a tag, under another name."""
    number = 0
    for record in read_catalog(moment.catalog):
        if isinstance(record, Source):
            yield record
        elif isinstance(record, KeptNames):
            yield replace(record, tags=(name,))
        elif isinstance(record, KeptMirror) and record.tag == moment.tag:
            if record.gone_since is None:
                yield replace(record, tag=name, cache=None)
        elif isinstance(record, KeptWords):
            number = next((id_ for id_, tag in record.tags.items() if tag == moment.tag), 0)
            yield replace(record, tags={number: name})
        elif isinstance(record, KeptPackages):
            yield replace(record, about=partial(_present, record, number))


def _present(packages: KeptPackages, tag: int, name: str) -> KeptPackage:
    """The binaries of a package that are in a tag, and their specs alone."""
    package = packages.about(name)
    binaries = [it for it in package.binaries if it[0] == tag]
    there = {it[1] for it in binaries}
    specs = [it for it in package.specs if it[0] in there]
    builds = {id_: build for id_, build in package.builds.items() if id_ in there}
    return KeptPackage(name, specs, binaries, [], [], builds)
