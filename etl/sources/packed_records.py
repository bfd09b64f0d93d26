"""Records on their way from one process to another, as bytes that are quick to make and to read.

Python by itself sends a page as one object for each spec on it, which costs the process that takes
it a third as much as to read the page.  As plain tuples it is an eighth of that; folded specs go as
the bytes that they are.
"""

from __future__ import annotations

import marshal
import pickle
from typing import Any, NamedTuple

from etl.numbered import Numbered
from etl.page_style import PageStyle
from etl.records import PackagePages, Page, PageHead, Record, Words, spec_of


class ReadFiles(NamedTuple):
    """What was read of some files of a source: the SHA-256 of each by place, and the records.

    ``rest`` are those that are yet to be read, as they were asked for.
    """

    sums: dict[str, bytes]
    records: list[Record]
    rest: tuple[Any, ...] = ()


def pack(read: ReadFiles) -> bytes:
    """What :func:`unpack` makes the same of; pages come last.

    All folded pages have to be of one call of :func:`~etl.sources.folding.fold`.
    """
    styles: Numbered[PageStyle] = Numbered()
    pages, folded, others = [], [], list[Record]()
    words = Words([], [], [])
    for it in read.records:
        if isinstance(it, Page):
            specs = list(map(tuple, it.specs))
            style = styles[it.style]
            pages.append((it.place, it.tag, it.package, style, specs, it.stacks, it.text, it.cache))
        elif isinstance(it, PackagePages):
            words = it.words
            heads = [(*head[:2], styles[head.style], *head[3:]) for head in it.pages]
            folded.append((it.package, heads, it.specs))
        else:
            others.append(it)
    objects = pickle.dumps((styles.listed, others))
    return marshal.dumps((read.sums, objects, pages, tuple(words), folded, read.rest))


def unpack(data: bytes) -> ReadFiles:
    """What :func:`pack` was given, which must be a process of this program."""
    sums, objects, pages, listed, folded, rest = marshal.loads(data)  # noqa: S302 - a process of ours
    styles, others = pickle.loads(objects)  # noqa: S301
    records: list[Record] = others
    records += [
        Page(
            place,
            tag,
            package,
            styles[style],
            tuple(map(spec_of, specs)),
            stacks,
            text,
            cache,
        )
        for place, tag, package, style, specs, stacks, text, cache in pages
    ]
    words = Words(*listed)
    for package, told, specs in folded:
        heads = [PageHead(place, tag, styles[style], *rest) for place, tag, style, *rest in told]
        records.append(PackagePages(package, tuple(heads), words, specs))
    return ReadFiles(sums, records, rest)
