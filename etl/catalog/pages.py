"""The catalog becomes cache.spack.io's pages again, byte for byte."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from etl.catalog.variant_text import split_variants
from etl.errors import ReadError, WriteError
from etl.page_format.front_matter import MAX_PAGE_BYTES
from etl.page_format.names import is_name, is_tag
from etl.page_format.render import render_page
from etl.page_format.style import TODAY
from etl.page_style import PageStyle
from etl.records import Spec

_PAGES = """
    SELECT tag_id, package_id FROM package_tags
    UNION
    SELECT tag_id, package_id FROM pages
    ORDER BY package_id, tag_id
"""
_PAGE = """
    SELECT tags.name, packages.name, pages.style_id, pages.text
    FROM tags JOIN packages
    LEFT JOIN pages ON pages.tag_id = tags.id AND pages.package_id = packages.id
    WHERE tags.id = ? AND packages.id = ?
"""
_PAGE_IDS = """
    SELECT tags.id, packages.id FROM tags JOIN packages
    WHERE tags.name = ? AND packages.name = ? AND (
        EXISTS (SELECT 1 FROM pages WHERE tag_id = tags.id AND package_id = packages.id)
        OR EXISTS (SELECT 1 FROM package_tags WHERE tag_id = tags.id AND package_id = packages.id)
    )
"""
# A page that was read is written as it was, also with what is gone since.
_BINARIES = """
    SELECT specs.hash, versions.version, compilers.name, operating_systems.name,
        platforms.name, targets.name, specs.variant_set_id, specs.size,
        ifnull(stack_orders.stacks, stack_sets.stacks)
    FROM (
        SELECT spec_id, stack_set_id, stack_order_id, position FROM binaries
        WHERE package_id = :package AND tag_id = :tag
        UNION ALL
        SELECT spec_id, stack_set_id, stack_order_id, position FROM gone_binaries
        WHERE package_id = :package AND tag_id = :tag AND :read
    ) AS listed
    JOIN specs ON specs.id = listed.spec_id
    JOIN versions ON versions.id = specs.version_id
    JOIN compilers ON compilers.id = specs.compiler_id
    JOIN operating_systems ON operating_systems.id = specs.os_id
    JOIN platforms ON platforms.id = specs.platform_id
    JOIN targets ON targets.id = specs.target_id
    JOIN stack_sets ON stack_sets.id = listed.stack_set_id
    LEFT JOIN stack_orders ON stack_orders.id = listed.stack_order_id
    ORDER BY listed.position, specs.hash
"""

_DAMAGED = (zlib.error, LookupError, TypeError, ValueError)
"""What comes of values in a catalog that :mod:`etl.writer.build` has not written."""


@dataclass(frozen=True, slots=True)
class PageText:
    """A page as it is written: its tag, its package, and its bytes."""

    tag: str
    package: str
    text: bytes


class PageWriter:
    """Writes pages from a catalog; a build cache's specs are written in today's style."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        styles = db.execute("SELECT id, style FROM page_styles")
        variants = db.execute("SELECT id, variants FROM variant_sets")
        try:
            self._styles = {id_: PageStyle.from_json(text) for id_, text in styles}
            self._variants = {id_: split_variants(text) for id_, text in variants}
        except _DAMAGED:
            raise ReadError("the catalog's page styles or variants are damaged") from None

    def __len__(self) -> int:
        (number,) = self._db.execute(f"SELECT count(*) FROM ({_PAGES})").fetchone()
        return int(number)

    def pages(self) -> Iterator[PageText]:
        """All pages, by package, then tag."""
        for tag_id, package_id in self._db.execute(_PAGES):
            yield self._page(tag_id, package_id)

    def page(self, tag: str, package: str) -> bytes | None:
        """One page; None where the catalog has none for this tag and package."""
        ids = self._db.execute(_PAGE_IDS, (tag, package)).fetchone()
        return self._page(*ids).text if ids else None

    def _page(self, tag_id: int, package_id: int) -> PageText:
        tag, package, style_id, text = self._db.execute(_PAGE, (tag_id, package_id)).fetchone()
        try:
            if text is None:
                text = self._render(tag_id, package_id, tag, package, style_id)
            else:
                text = unpacked(text)
        except _DAMAGED:
            raise ReadError(
                f"the page of {package} in {tag} is damaged in the catalog;"
                " build the catalog again from its sources"
            ) from None
        return PageText(tag, package, text)

    def _render(
        self, tag_id: int, package_id: int, tag: str, package: str, style_id: int | None
    ) -> bytes:
        style = TODAY if style_id is None else self._styles[style_id]
        specs, stacks = [], []
        key = {"package": package_id, "tag": tag_id, "read": style_id is not None}
        rows = self._db.execute(_BINARIES, key)
        for hash_, version, compiler, system, platform, target, variants, size, named in rows:
            of_spec = (version, compiler, system, platform, target)
            specs.append(Spec(hash_, package, *of_spec, self._variants[variants], size))
            stacks.append(tuple(named.split()))
        return render_page(style, tag, package, specs, stacks)


def unpacked(text: bytes) -> bytes:
    """A page that was kept whole, unpacked within bounds."""
    unpacking = zlib.decompressobj()
    page = unpacking.decompress(text, MAX_PAGE_BYTES)
    if not unpacking.eof:
        raise zlib.error("cut off, or too large")
    return page


def export_pages(db: sqlite3.Connection, folder: Path) -> Iterator[Path]:
    """Write every page to ``<folder>/_cache/<tag>/<package>/specs.md``, and yield its path.

    Raises:
        WriteError: a page cannot be written.
    """
    for page in PageWriter(db).pages():
        # The catalog may come from anywhere, and its names become paths here.
        if not (is_tag(page.tag) and is_name(page.package)):
            raise WriteError(f"{page.tag} {page.package}: not names that a folder can have")
        path = folder / "_cache" / page.tag / page.package / "specs.md"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(page.text)
        except OSError as error:
            raise WriteError(f"{path}: cannot be written: {error.strerror}") from None
        yield path
