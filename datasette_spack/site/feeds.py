"""Atom feeds (RFC 4287): ``/feed.atom`` for new tags, ``/package/hdf5/feed.atom`` for versions.

Dates are those of tags, and ids are made of names alone: the same catalog gives the same feed,
and an entry keeps its id in every catalog and on every host.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid5
from xml.etree.ElementTree import Element

from datasette.utils.asgi import Response
from markupsafe import Markup

from datasette_spack.site.addresses import Addresses, origin
from datasette_spack.site.answer import named
from datasette_spack.site.remembered import remembered
from datasette_spack.site.xml_page import add, xml_answer
from etl.browse.news import (
    Names,
    PackageEvent,
    PackageNews,
    TagNews,
    package_news,
    tag_news,
)

FEED_ROUTE = r"/feed\.atom$"
PACKAGE_FEED_ROUTE = r"/package/(?P<package>[^/]+)/feed\.atom$"

CONTENT_TYPE = "application/atom+xml; charset=utf-8"

_ATOM = "http://www.w3.org/2005/Atom"
_IDS = UUID("6f1b5a0e-3c0b-5d0f-9a57-2f6b7d1f0c42")
"""What all ids are made with; never to be changed, or every reader sees every entry again."""

_NO_DATE = "1970-01-01"
"""A feed must say when it changed; one that never had an entry says this."""

_PARAGRAPH = Markup("<p>{}</p>")
_LIST = Markup("<p>{} ({:,}): {}</p>")
_LINKS = Markup('<p><a href="{}">{}</a>, <a href="{}">all that changed since {}</a></p>')


async def catalog_feed(datasette: Any, request: Any) -> Response:
    """The newest tags, each with what changed in it."""

    def make(news: tuple[TagNews, ...]) -> Element:
        feed = _Feed(
            datasette, request, datasette.urls.path("feed.atom"), datasette.urls.path("tags")
        )
        dates = [it.date for it in news]
        feed.begin(("feed",), "spack-catalog: new tags", max(dates, default=_NO_DATE))
        for it in news:
            feed.tag(it)
        return feed.root

    read = remembered(datasette, tag_news)
    return await xml_answer(datasette, request, CONTENT_TYPE, read, make)


async def package_feed(datasette: Any, request: Any) -> Response:
    """The versions of a package as they appeared in tags."""
    name = named(request, "package")

    def make(news: PackageNews) -> Element:
        path = Addresses(datasette).package(name)
        feed = _Feed(datasette, request, f"{path}/feed.atom", path)
        dates = [it.date for it in news.events]
        updated = max(dates, default=news.newest_date or _NO_DATE)
        feed.begin(("package feed", name), f"{name}: new versions", updated)
        for it in news.events:
            feed.event(name, it)
        return feed.root

    return await xml_answer(
        datasette, request, CONTENT_TYPE, lambda db: package_news(db, name), make
    )


class _Feed:
    """A feed as it is written: what it is, then its entries, the newest first."""

    def __init__(self, datasette: Any, request: Any, path: str, about: str) -> None:
        self._origin = origin(datasette, request)
        self._site = Addresses(datasette)
        self._path = path
        self._about = about
        self.root = Element("feed", {"xmlns": _ATOM, "xml:lang": "en"})

    def begin(self, key: tuple[str, ...], title: str, date: str) -> None:
        """Say what the feed is, and when it last changed."""
        add(self.root, "id", _id(*key))
        add(self.root, "title", title)
        add(self.root, "subtitle", "What is new in the build caches of Spack")
        add(self.root, "updated", _time(date))
        add(add(self.root, "author"), "name", "spack-catalog")
        self._link(self.root, "self", self._path, CONTENT_TYPE.partition(";")[0])
        self._link(self.root, "alternate", self._about, "text/html")

    def tag(self, news: TagNews) -> None:
        """Add an entry for a tag."""
        size = (
            f"{news.binaries:,} {_plural('binary', 'binaries', news.binaries)} of "
            f"{news.packages:,} {_plural('package', 'packages', news.packages)}"
        )
        lists = (
            ("Packages added", news.added),
            ("Packages removed", news.removed),
            ("Newer versions", news.newer),
        )
        summary, content = f"{size}.", [_PARAGRAPH.format(f"{size}.")]
        tag_path = self._site.tag(news.tag)
        compare_path = None
        if news.previous is not None:
            counts = ", ".join(f"{title.lower()}: {names.total:,}" for title, names in lists)
            summary = f"{size}. Since {news.previous}: {counts}."
            compare_path = self._site.compare(news.previous, news.tag)
            content += [
                _LIST.format(title, names.total, _listed(names))
                for title, names in lists
                if names.total
            ]
            content.append(
                _LINKS.format(
                    self._origin + tag_path, news.tag, self._origin + compare_path, news.previous
                )
            )
        entry = self._entry(("tag", news.tag), f"Tag {news.tag}", news.date, tag_path)
        if compare_path is not None:
            self._link(entry, "related", compare_path, "text/html")
        add(entry, "summary", summary)
        add(entry, "content", str(Markup("\n").join(content)), type="html")

    def event(self, package: str, it: PackageEvent) -> None:
        """Add an entry for what happened to a package."""
        count = f"{it.binaries:,} {_plural('binary', 'binaries', it.binaries)}"
        if it.kind == "version":
            key = ("version", package, str(it.version))
            title = f"{package} {it.version}"
            text = f"First seen in {it.tag}, with {count}."
            path = self._site.package(package, tag=it.tag, version=it.version)
        else:
            key = (it.kind, package, it.tag)
            title = f"{package} is {it.kind}"
            path = self._site.tag(it.tag)
            text = (
                f"{it.tag} has no binaries of {package} any more."
                if it.kind == "gone"
                else f"{it.tag} has {package} again, with {count}."
            )
        entry = self._entry(key, title, it.date, path)
        add(entry, "summary", text)

    def _entry(self, key: tuple[str, ...], title: str, date: str, path: str) -> Element:
        entry = add(self.root, "entry")
        add(entry, "id", _id(*key))
        add(entry, "title", title)
        add(entry, "updated", _time(date))
        self._link(entry, "alternate", path, "text/html")
        return entry

    def _link(self, parent: Element, rel: str, path: str, kind: str) -> None:
        add(parent, "link", rel=rel, href=self._origin + path, type=kind)


def _id(*key: str) -> str:
    """The id of what these names are the whole of; as JSON, so that they do not run together."""
    return uuid5(_IDS, json.dumps(key)).urn


def _time(date: str) -> str:
    return f"{date}T00:00:00Z"


def _plural(one: str, many: str, number: int) -> str:
    return one if number == 1 else many


def _listed(names: Names) -> str:
    more = names.total - len(names.first)
    text = ", ".join(names.first)
    return f"{text} and {more:,} more" if more else text
