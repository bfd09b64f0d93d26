"""Atom feeds (RFC 4287): ``/feed.atom`` for new tags, ``/package/hdf5/feed.atom`` for versions.

They tell what was removed from tags, too, and what returned.  Dates are those of tags, and of the
readings at which a removal was observed; ids are made of names and these alone: the same catalog
gives the same feed, and an entry keeps its id in every catalog and on every host.
"""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from datasette.utils.asgi import Response

from datasette_spack.site.addresses import Addresses
from datasette_spack.site.answer import named
from datasette_spack.site.asked import Question
from datasette_spack.site.feed import CONTENT_TYPE, NO_DATE, Feed
from datasette_spack.site.remembered import remembered
from datasette_spack.site.xml_page import xml_answer
from etl.browse.newest import newest_tag_name
from etl.browse.news import PackageEvent, PackageNews, TagNews, package_news, stack_news, tag_news
from etl.browse.query_news import query_changes, query_news
from etl.browse.removals import Change, changes_of_stack, recent_changes
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


async def catalog_feed(datasette: Any, request: Any) -> Response:
    """The newest tags, or those of the kind that is asked for, each with what changed in it."""
    kind = request.args.get("kind", "")
    what = {"release": "releases", "snapshot": "snapshots"}.get(kind, "tags")

    def make(facts: tuple[tuple[TagNews, ...], tuple[Change, ...]]) -> Element:
        path = Addresses(datasette).file("feed.atom", kind=kind)
        feed = Feed(datasette, request, path, datasette.urls.path("tags"))
        key = ("feed", kind) if kind else ("feed",)
        feed.begin(key, f"spack-catalog: new {what}")
        feed.tags(*facts)
        return feed.finished()

    def read(connection: Any) -> tuple[tuple[TagNews, ...], tuple[Change, ...]]:
        if kind not in ("", *KINDS):
            raise UsageError(f"kind= is one of {', '.join(KINDS)}")
        return (
            remembered(datasette, tag_news, kind)(connection),
            remembered(datasette, recent_changes, kind)(connection),
        )

    return await xml_answer(datasette, request, CONTENT_TYPE, read, make)


async def stack_feed(datasette: Any, request: Any) -> Response:
    """The newest tags of a stack, each with what changed in the stack."""
    name = named(request, "stack")

    def make(facts: tuple[tuple[TagNews, ...], tuple[Change, ...]]) -> Element:
        path = Addresses(datasette).stack(name)
        feed = Feed(datasette, request, f"{path}/feed.atom", path)
        feed.begin(("stack feed", name), f"Stack {name}: new tags")
        feed.tags(*facts, stack=name)
        return feed.finished()

    def read(connection: Any) -> tuple[tuple[TagNews, ...], tuple[Change, ...]]:
        return (
            remembered(datasette, stack_news, name)(connection),
            remembered(datasette, changes_of_stack, name)(connection),
        )

    return await xml_answer(datasette, request, CONTENT_TYPE, read, make)


async def query_feed(datasette: Any, request: Any) -> Response:
    """The versions that satisfy a spec as they appeared, also of what is not there yet.

    What satisfies it and was removed, or returned, is told as well.
    """
    question = Question.of(request.args, str(datasette.urls.path("find")))

    def read(connection: Any) -> tuple[tuple[Row, ...], tuple[Change, ...], str]:
        chosen, kept = question.scope, question.kept
        scope = Scope(
            None, chosen.get("stack"), chosen.get("runs_on"), chosen.get("os"),
            cache=chosen.get("cache"), not_in=chosen.get("not_in"), **{
                name: kept[name] for name in ("compiler", "version", "target", "package")
                if name in kept
            }
        )  # fmt: skip
        queries = parse_specs(question.spec or "*")
        news = query_news(connection, queries, scope)
        changes = query_changes(connection, queries, scope)
        newest = newest_tag_name(connection)
        row = ask_one(connection, "SELECT date FROM tags WHERE name = :tag_1", tag_1=newest)
        return news, changes, (row and row["date"]) or NO_DATE

    def make(facts: tuple[tuple[Row, ...], tuple[Change, ...], str]) -> Element:
        news, changes, date = facts
        feed = Feed(
            datasette,
            request,
            question.address(str(datasette.urls.path("find.atom"))),
            question.address(tag=None),
        )
        asked = question.address("", tag=None)
        title = f"{question.spec or 'any spec'}: new versions"
        feed.begin(("query feed", asked), title, date)
        for it in news:
            event = PackageEvent("version", it["version"], it["tag"], it["date"], it["binaries"])
            feed.event(it["package"], event, asked)
        for change in changes:
            feed.change(change, ("query", asked), question.spec or "any spec")
        return feed.finished()

    return await xml_answer(datasette, request, CONTENT_TYPE, read, make)


async def package_feed(datasette: Any, request: Any) -> Response:
    """The versions of a package as they appeared in tags."""
    name = named(request, "package")

    def make(news: PackageNews) -> Element:
        path = Addresses(datasette).package(name)
        feed = Feed(datasette, request, f"{path}/feed.atom", path)
        updated = news.newest_date or NO_DATE
        feed.begin(("package feed", name), f"{name}: new versions", updated)
        for it in news.events:
            feed.event(name, it)
        for change in news.changes:
            feed.change(change, ("package", name), name)
        return feed.finished()

    return await xml_answer(
        datasette, request, CONTENT_TYPE, lambda db: package_news(db, name), make
    )
