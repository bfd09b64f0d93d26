"""cache.spack.io's pages as a source: one page, a folder of any depth, or an archive."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from etl.errors import SourceError
from etl.page_format.front_matter import MAX_PAGE_BYTES
from etl.page_format.style import TODAY
from etl.page_format.tags import read_tag_list
from etl.page_format.yaml_text import PageError
from etl.records import Digest, Page, Problem, Record, Source, Tag
from etl.sources.build_caches.places import is_index
from etl.sources.files import (
    File,
    is_archive,
    list_folder,
    read_archive,
    read_file,
    sha256_of,
)
from etl.sources.folding import fold
from etl.sources.packed_records import ReadFiles, pack, unpack
from etl.sources.page import PageReader
from etl.sources.selection import EVERYTHING, Selection
from etl.text import printable
from etl.workers import ALONE, Workers, batched

T = TypeVar("T")

PAGE_NAME = "specs.md"
FIRST_PAGE_NAME = "index.md"
"""What pages were called in 2021."""

TAGS_PLACE = "_data/tags.yaml"
_FILES_AT_ONCE = 256
_BYTES_AT_ONCE = 1 << 20
"""How much of a source a process reads at a time, as far as that is known before."""

_MOST_BYTES_AT_ONCE = 1 << 24
"""How much it reads at most before it hands that over; memory grows with it."""

_BATCHES_WORTH_PROCESSES = 4
"""Fewer than these are read before a process has started."""

NO_PAGE_IN_ARCHIVE = f"an archive without a page ({PAGE_NAME}) in it"
_OF_A_CACHE = "archives of build caches are not supported; unpack it and name the folder"


def read_pages(
    path: Path, selection: Selection = EVERYTHING, workers: Workers = ALONE
) -> Iterator[Record]:
    """Read the pages at ``path``; what cannot be read is a :class:`Problem`, the rest comes.

    Raises:
        SourceError: there is nothing at ``path`` that could be read.
    """
    try:
        if path.is_dir():
            yield from _read_folder(path, selection, workers)
        elif is_archive(path):
            yield from _read_archive(path, selection, workers)
        else:
            yield from _read_one(path, selection)
    finally:
        _reader.cache_clear()


def holds_page(folder: Path) -> bool:
    """Whether there is a page at any depth of a folder."""
    return bool(list_folder(folder, _is_page)[0])


def page_files(path: Path) -> Iterator[File]:
    """The pages at ``path`` as files; links and the like are passed over.

    Raises:
        SourceError: there is no page at ``path``, or one that cannot be read, or it is a damaged
            archive.
    """
    if path.is_dir():
        places, _ = list_folder(path, _is_page)
        if not places:
            raise SourceError(str(path), _nothing_in(path))
        for place in places:
            yield File(printable(place), read_file(path / place, MAX_PAGE_BYTES))
    elif is_archive(path):
        found = False
        for file in read_archive(path, _is_page, MAX_PAGE_BYTES):
            if isinstance(file, File):
                found = True
                yield file
        if not found:
            raise SourceError(str(path), NO_PAGE_IN_ARCHIVE)
    else:
        yield File(_site_place(path), read_file(path, MAX_PAGE_BYTES))


def _read_one(path: Path, selection: Selection) -> Iterator[Record]:
    data = read_file(path, MAX_PAGE_BYTES)
    yield Source("pages", printable(path.name), parts=1)
    yield from _records(File(_site_place(path), data), _reader(), selection)
    yield Digest(hashlib.sha256(data).hexdigest())


def _read_folder(folder: Path, selection: Selection, workers: Workers) -> Iterator[Record]:
    places, refused = list_folder(folder, _is_wanted, workers)
    pages = [place for place in places if selection.wants_place(place)]
    if not places and not refused:
        raise SourceError(str(folder), _nothing_in(folder))
    yield Source("pages", printable(_common_folder(places)), parts=len(pages))
    for error in refused:
        if selection.wants_place(error.place):
            yield Problem(printable(error.place), "refused", error.message)
    sums: dict[str, bytes] = {}
    read = partial(_read_places, folder, selection)
    groups = batched(pages, 1) if workers.alone else _by_package(pages)
    for found in _each(workers, read, groups, folds=True):
        sums |= found.sums
        yield from found.records
    # The sum of the lines that `sha256sum` prints for the files in the order of their paths.
    digest = hashlib.sha256()
    for place in sorted(sums):
        digest.update(f"{sums[place].hex()}  {printable(place)}\n".encode())
    yield Digest(digest.hexdigest())


def _each(
    workers: Workers,
    read: Callable[[list[T]], ReadFiles],
    groups: Iterable[list[T]],
    weigh: Callable[[T], int] = lambda thing: _BYTES_AT_ONCE // _FILES_AT_ONCE,
    *,
    folds: bool = False,
) -> Iterator[ReadFiles]:
    """What is read of each group; of many at a time where others do it, who may fold pages."""
    if workers.alone:
        yield from map(read, groups)
        return

    def weigh_all(group: list[T]) -> int:
        return sum(map(weigh, group))

    batches = batched(groups, _FILES_AT_ONCE, weigh_all, _BYTES_AT_ONCE - 1)
    read_packed = partial(_read_packed, read, folds)
    for data in workers.map(read_packed, batches, worthwhile=_BATCHES_WORTH_PROCESSES):
        found = unpack(data)
        yield found
        while found.rest:  # pages that are very long are read a few at a time, by this process
            found = read([*found.rest])
            yield found


def _read_packed(read: Callable[[list[T]], ReadFiles], folds: bool, groups: list[list[T]]) -> bytes:
    found = read([thing for group in groups for thing in group])
    if folds:
        others = [it for it in found.records if not isinstance(it, Page)]
        folded = fold(it for it in found.records if isinstance(it, Page))
        found = found._replace(records=[*others, *folded])
    return pack(found)


def _by_package(places: list[str]) -> Iterator[list[str]]:
    """The places of the pages of each package, as far as their folders tell; not too many."""
    by_package: dict[str, list[str]] = {}
    for place in places:
        by_package.setdefault(place.rpartition("/")[0].rpartition("/")[2], []).append(place)
    for package in sorted(by_package):
        yield from batched(by_package[package], _FILES_AT_ONCE)


def _read_places(folder: Path, selection: Selection, places: list[str]) -> ReadFiles:
    """What these files hold, but for the last of them where they are very long."""
    read, length = ReadFiles({}, []), 0
    for number, place in enumerate(places):
        if length > _MOST_BYTES_AT_ONCE:
            return read._replace(rest=tuple(places[number:]))
        try:
            file = File(printable(place), read_file(f"{folder}/{place}", MAX_PAGE_BYTES))
        except SourceError as error:
            read.records.append(Problem(printable(place), "refused", error.message))
            continue
        length += len(file.data)
        read.sums[place] = hashlib.sha256(file.data).digest()
        read.records.extend(_records(file, _reader(), selection))
    return read


def _read_archive(path: Path, selection: Selection, workers: Workers) -> Iterator[Record]:
    name = printable(path.name)
    yield Source("pages", name)
    found, indexes = False, list[str]()
    members = _members(path, indexes)
    groups = batched(members, 1)
    for read in _each(workers, partial(_read_members, selection), groups, _size_of):
        found = True
        yield from read.records
    if not found:
        yield Problem(name, "refused", _OF_A_CACHE if indexes else NO_PAGE_IN_ARCHIVE)
    yield Digest(sha256_of(path))


def _members(path: Path, indexes: list[str]) -> Iterator[File | SourceError]:
    """The wanted files of an archive; where it cannot be read any further the error is the last.

    The places of ``indexes`` of build caches are noted on the way.
    """

    def is_wanted(place: str) -> bool:
        if not indexes and is_index(place):
            indexes.append(place)
        return _is_wanted(place)

    try:
        yield from read_archive(path, is_wanted, MAX_PAGE_BYTES)
    except SourceError as error:
        yield error


def _read_members(selection: Selection, members: list[File | SourceError]) -> ReadFiles:
    """What these files of an archive hold."""
    records: list[Record] = []
    for member in members:
        if not selection.wants_place(member.place):
            continue
        if isinstance(member, SourceError):
            records.append(Problem(member.place, "refused", member.message))
        else:
            records += _records(member, _reader(), selection)
    return ReadFiles({}, records)


def _size_of(member: File | SourceError) -> int:
    return len(member.data) if isinstance(member, File) else 0


@cache
def _reader() -> PageReader:
    """The reader of this process; what it has seen on one page it need not check on the next."""
    return PageReader()


def _records(file: File, reader: PageReader, selection: Selection) -> Iterator[Record]:
    """The records of one file: a page, or the list of tags."""
    if _is_tag_list(file.place):
        yield from _read_tags(file, selection)
        return
    try:
        page, problems = reader.read(file.place, file.data)
    except PageError as error:
        yield Problem(file.place, "refused", str(error))
        return
    if selection.wants(page.tag, page.package):
        yield from problems
        chosen = _select(page, selection.stacks)
        if chosen is not None:
            yield chosen


def _select(page: Page, wanted: Collection[str]) -> Page | None:
    """The page, or what is left of it when only some stacks are asked for."""
    if not wanted:
        return page
    kept = [
        (spec, named)
        for spec, stacks in zip(page.specs, page.stacks, strict=True)
        if (named := tuple(stack for stack in stacks if stack in wanted))
    ]
    if not kept:
        return None
    specs, stacks = zip(*kept, strict=True)
    # Where no style could say how the whole page is written, none says it of a part.
    style = page.style if page.text is None else TODAY
    return replace(page, style=style, specs=specs, stacks=stacks, text=None)


def _read_tags(file: File, selection: Selection) -> Iterator[Record]:
    """The tags of ``_data/tags.yaml``: a list of ``{name, stacks}``."""
    try:
        listed = read_tag_list(file.data)
    except PageError as error:
        yield Problem(file.place, "refused", f"not a list of tags and stacks: {error}")
        return
    wanted = selection.stacks
    for tag in listed:
        if not selection.tags or tag.name in selection.tags:
            stacks = tuple(stack for stack in tag.stacks if not wanted or stack in wanted)
            yield Tag(tag.name, stacks)


def _is_page(place: str) -> bool:
    return place == PAGE_NAME or place.endswith("/" + PAGE_NAME)


def _is_tag_list(place: str) -> bool:
    return place == TAGS_PLACE or place.endswith("/" + TAGS_PLACE)


def _is_wanted(place: str) -> bool:
    return _is_page(place) or _is_tag_list(place)


def _site_place(path: Path) -> str:
    """The path of a lone page as the site has it, if that is how it lies: ``_cache/<tag>/…``."""
    parts = path.absolute().parts[-4:]
    return printable("/".join(parts) if parts[0] == "_cache" else path.name)


def _common_folder(places: list[str]) -> str:
    """The folder inside the source that holds all pages: ``_cache`` in a clone of the site."""
    pages = [place.split("/")[:-1] for place in places if not _is_tag_list(place)]
    if not pages:
        return "."
    first, last = pages[0][:1], pages[-1][:1]  # they are sorted: what is common to these is to all
    return first[0] if first and first == last else "."


def _nothing_in(folder: Path) -> str:
    """What to tell the user of a folder without pages."""
    first_pages, _ = list_folder(folder, lambda place: place.endswith(f"/{FIRST_PAGE_NAME}"))
    if any(b"\ncategory: package" in read_file(folder / it, 4096) for it in first_pages[:1]):
        return (
            f"pages of the site's 2021 format ({first_pages[0]}), which list no binaries;"
            " name a newer clone of the site"
        )
    what = f"no page ({PAGE_NAME}) at any depth" if any(folder.iterdir()) else "an empty folder"
    return f"{what}; name a clone of the site, its _cache folder, or a build cache"
