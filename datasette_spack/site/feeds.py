"""Atom feeds (RFC 4287): ``/feed.atom`` for new tags, ``/package/hdf5/feed.atom`` for versions.

They tell what was removed from tags, too, and what returned.  Dates are those of tags, and of the
readings at which a removal was observed; ids are made of names and these alone: the same catalog
gives the same feed, and an entry keeps its id in every catalog and on every host.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from xml.etree.ElementTree import Element

from datasette.utils.asgi import Response

from datasette_spack.site.addresses import Addresses
from datasette_spack.site.answer import named
from datasette_spack.site.asked import ANY_TAG, Question, scope_of
from datasette_spack.site.feed import CONTENT_TYPE, NO_DATE, Feed
from datasette_spack.site.remembered import remembered
from datasette_spack.site.xml_page import xml_answer
from etl.browse.newest import newest_tag_name
from etl.browse.news import PackageEvent, PackageNews, TagNews, package_news, stack_news, tag_news
from etl.browse.query_news import query_changes, query_news
from etl.browse.query_tags import TagChanges, query_tags
from etl.browse.removals import Change, changes_of_stack, recent_changes
from etl.catalog.asking import Row, ask_one
from etl.errors import UsageError
from etl.hosts.profiles import find_host
from etl.query.gone import MAX_GONE, Gone, gone_matches
from etl.query.reuse import Reuse
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
            raise UsageError(f"kind must be one of {', '.join(KINDS)}")
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


@dataclass(frozen=True)
class _QueryFacts:
    """What the feed of a search tells; ``date`` is that of the newest tag."""

    versions: tuple[Row, ...]
    tags: tuple[TagChanges, ...]
    changes: tuple[Change, ...]
    gone: Gone
    date: str


async def query_feed(datasette: Any, request: Any) -> Response:
    """What satisfies a spec as it came and went, also of what is not there yet.

    The versions as they appeared, the binaries that were added, rebuilt and removed from tag to
    tag, and what is gone from a tag or returned to it.
    """
    question = Question.of(request.args, str(datasette.urls.path("find")))
    what = question.spec or "any spec"

    def read(connection: Any) -> _QueryFacts:
        queries = parse_specs(question.spec or "*")
        host = question.scope.get("host")
        reuse = Reuse(connection, find_host(host, files=False)) if host else None
        scope = replace(scope_of(question, reuse), tag=None)
        newest = newest_tag_name(connection)
        row = ask_one(connection, "SELECT date FROM tags WHERE name = :tag_1", tag_1=newest)
        return _QueryFacts(
            query_news(connection, queries, scope),
            query_tags(connection, queries, scope),
            query_changes(connection, queries, scope),
            gone_matches(connection, queries, scope, MAX_GONE),
            (row and row["date"]) or NO_DATE,
        )

    def make(facts: _QueryFacts) -> Element:
        feed = Feed(
            datasette,
            request,
            question.address(str(datasette.urls.path("find.atom"))),
            question.address(**ANY_TAG),
        )
        asked = question.address("", **ANY_TAG)
        feed.begin(("query feed", asked), f"{what}: added and removed", facts.date)
        for row in facts.versions:
            event = PackageEvent(
                "version", row["version"], row["tag"], row["date"], row["binaries"]
            )
            feed.event(row["package"], event, asked)
        for it in facts.tags:
            feed.query_tag(
                it,
                asked,
                what,
                lambda tag: question.address(**{**ANY_TAG, "tag": tag}),
                question.scope.get("stack"),
            )
        gone: dict[tuple[str, str], list[Row]] = {}
        for row in facts.gone.rows:
            gone.setdefault((row["tag"], row["gone_since"]), []).append(row)
        for change in facts.changes:
            still = gone.get((change.tag, change.at), ()) if change.event == "removed" else ()
            feed.change(change, ("query", asked), what, still)
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
