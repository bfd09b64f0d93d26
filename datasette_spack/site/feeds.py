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
from datasette_spack.site.asked import Question
from datasette_spack.site.remembered import remembered
from datasette_spack.site.xml_page import add, xml_answer
from etl.browse.newest import newest_tag_name
from etl.browse.news import (
    Names,
    PackageEvent,
    PackageNews,
    TagNews,
    package_news,
    stack_news,
    tag_news,
)
from etl.browse.query_news import query_news
from etl.catalog.asking import Row, ask_one
from etl.errors import UsageError
from etl.query.search import Scope
from etl.spack.syntax import parse_specs

FEED_ROUTE = r"/feed\.atom$"
STACK_FEED_ROUTE = r"/stack/(?P<stack>[^/]+)/feed\.atom$"
QUERY_FEED_ROUTE = r"/find\.atom$"
PACKAGE_FEED_ROUTE = r"/package/(?P<package>[^/]+)/feed\.atom$"

KINDS = ("release", "snapshot")
"""Kinds of tags that have a feed of their own: ``/feed.atom?kind=release``."""

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
    """The newest tags, or those of the kind that is asked for, each with what changed in it."""
    kind = request.args.get("kind", "")
    what = {"release": "releases", "snapshot": "snapshots"}.get(kind, "tags")

    def make(news: tuple[TagNews, ...]) -> Element:
        path = Addresses(datasette).file("feed.atom", kind=kind)
        feed = _Feed(datasette, request, path, datasette.urls.path("tags"))
        dates = [it.date for it in news]
        key = ("feed", kind) if kind else ("feed",)
        feed.begin(key, f"spack-catalog: new {what}", max(dates, default=_NO_DATE))
        for it in news:
            feed.tag(it)
        return feed.root

    def read(connection: Any) -> tuple[TagNews, ...]:
        if kind not in ("", *KINDS):
            raise UsageError(f"kind= is one of {', '.join(KINDS)}")
        return remembered(datasette, tag_news, kind)(connection)

    return await xml_answer(datasette, request, CONTENT_TYPE, read, make)


async def stack_feed(datasette: Any, request: Any) -> Response:
    """The newest tags of a stack, each with what changed in the stack."""
    name = named(request, "stack")

    def make(news: tuple[TagNews, ...]) -> Element:
        path = Addresses(datasette).stack(name)
        feed = _Feed(datasette, request, f"{path}/feed.atom", path)
        dates = [it.date for it in news]
        feed.begin(("stack feed", name), f"Stack {name}: new tags", max(dates, default=_NO_DATE))
        for it in news:
            feed.tag(it, stack=name)
        return feed.root

    read = remembered(datasette, stack_news, name)
    return await xml_answer(datasette, request, CONTENT_TYPE, read, make)


async def query_feed(datasette: Any, request: Any) -> Response:
    """The versions that satisfy a spec as they appeared, also of what is not there yet."""
    question = Question.of(request.args, str(datasette.urls.path("find")))

    def read(connection: Any) -> tuple[tuple[Row, ...], str]:
        chosen, kept = question.scope, question.kept
        scope = Scope(
            None, chosen.get("stack"), chosen.get("runs_on"), chosen.get("os"),
            cache=chosen.get("cache"), not_in=chosen.get("not_in"), **{
                name: kept[name] for name in ("compiler", "version", "target", "package")
                if name in kept
            }
        )  # fmt: skip
        news = query_news(connection, parse_specs(question.spec or "*"), scope)
        newest = newest_tag_name(connection)
        row = ask_one(connection, "SELECT date FROM tags WHERE name = :tag_1", tag_1=newest)
        return news, (row and row["date"]) or _NO_DATE

    def make(facts: tuple[tuple[Row, ...], str]) -> Element:
        news, date = facts
        feed = _Feed(
            datasette,
            request,
            question.address(str(datasette.urls.path("find.atom"))),
            question.address(tag=None),
        )
        asked = question.address("", tag=None)
        dates = [it["date"] for it in news]
        title = f"{question.spec or 'any spec'}: new versions"
        feed.begin(("query feed", asked), title, max(dates, default=date))
        for it in news:
            event = PackageEvent("version", it["version"], it["tag"], it["date"], it["binaries"])
            feed.event(it["package"], event, asked)
        return feed.root

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

    def tag(self, news: TagNews, stack: str | None = None) -> None:
        """Add an entry for a tag, or for what a stack has in it."""
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
        tag_path = self._site.stack(stack, tag=news.tag) if stack else self._site.tag(news.tag)
        compare_path = None
        if news.previous is not None:
            counts = ", ".join(f"{title.lower()}: {names.total:,}" for title, names in lists)
            summary = f"{size}. Since {news.previous}: {counts}."
            compare_path = self._site.compare(news.previous, news.tag, stack=stack)
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
        key = ("tag", news.tag, stack) if stack else ("tag", news.tag)
        title = f"Stack {stack} in {news.tag}" if stack else f"Tag {news.tag}"
        entry = self._entry(key, title, news.date, tag_path)
        if compare_path is not None:
            self._link(entry, "related", compare_path, "text/html")
        add(entry, "summary", summary)
        add(entry, "content", str(Markup("\n").join(content)), type="html")

    def event(self, package: str, it: PackageEvent, asked: str = "") -> None:
        """Add an entry for what happened to a package, or to what satisfies a query."""
        count = f"{it.binaries:,} {_plural('binary', 'binaries', it.binaries)}"
        if it.kind == "version":
            key = ("version", package, str(it.version), *([asked] if asked else []))
            title = f"{package} {it.version}"
            text = f"First seen in {it.tag}, with {count}."
            path = self._site.package(package, tag=it.tag, version=it.version)
        else:
            key = (it.kind, package, it.tag)
            title = f"{package} was removed" if it.kind == "gone" else f"{package} is {it.kind}"
            path = self._site.tag(it.tag)
            text = (
                f"{it.tag} no longer has binaries of {package}."
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
