"""Records on their way from one process to another, as bytes that are quick to make and to read.

Python by itself sends a page as one object for each spec on it, which costs the process that takes
it a third as much as to read the page.  As plain tuples it is an eighth of that.
"""

from __future__ import annotations

import marshal
import pickle
from typing import NamedTuple

from etl.page_style import PageStyle
from etl.records import Page, Record, Spec


class ReadFile(NamedTuple):
    """The records of one file of a source, and the line that ``sha256sum`` prints of it."""

    line: str
    records: list[Record]


def pack(files: list[ReadFile]) -> bytes:
    """What :func:`unpack` makes the same of; of each file pages come last."""
    styles: dict[PageStyle, int] = {}
    packed = []
    for line, records in files:
        pages = [
            (
                it.place,
                it.tag,
                it.package,
                styles.setdefault(it.style, len(styles)),
                list(map(tuple, it.specs)),
                it.stacks,
                it.text,
                it.cache,
            )
            for it in records
            if isinstance(it, Page)
        ]
        others = [it for it in records if not isinstance(it, Page)]
        packed.append((line, pages, pickle.dumps(others) if others else b""))
    return marshal.dumps((pickle.dumps(list(styles)), packed))


def unpack(data: bytes) -> list[ReadFile]:
    """The files that :func:`pack` was given, which must be a process of this program."""
    packed_styles, packed = marshal.loads(data)  # noqa: S302 - from a process of ours
    styles: list[PageStyle] = pickle.loads(packed_styles)  # noqa: S301
    new = tuple.__new__  # what Spec() comes to, without taking the fields apart
    files = []
    for line, pages, others in packed:
        records: list[Record] = pickle.loads(others) if others else []  # noqa: S301
        records += [
            Page(
                place,
                tag,
                package,
                styles[style],
                tuple([new(Spec, spec) for spec in specs]),
                stacks,
                text,
                cache,
            )
            for place, tag, package, style, specs, stacks, text, cache in pages
        ]
        files.append(ReadFile(line, records))
    return files
