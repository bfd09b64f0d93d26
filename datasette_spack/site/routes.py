"""Which function answers which address of the site; all of them can only be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from datasette.utils.asgi import Response

from datasette_spack.site import (
    badge,
    compare,
    cover,
    crawlers,
    dependents,
    feeds,
    find,
    home,
    impact,
    package,
    packages,
    questions,
    search,
    shortened,
    spec,
    stack,
    tag,
    virtual,
)
from datasette_spack.site.aliases import with_tags
from datasette_spack.site.answer import Page, shown

_NOT_SO = "Only GET and HEAD are allowed at this address."


def _only_read(view: Callable[..., Any], too: tuple[str, ...] = ()) -> Callable[..., Any]:
    """A view that is asked only by those who want to read; ``too``: methods that ask as well."""

    async def reading(datasette: Any, request: Any) -> Response:
        if request.method in ("GET", "HEAD"):
            meant = await with_tags(datasette, request)
            response: Response = await view(datasette, meant)
            return response
        if request.method in too:
            answered: Response = await view(datasette, request)
            return answered
        methods = ", ".join(("GET", "HEAD", *too))
        said = f"Only {methods} are allowed at this address." if too else _NOT_SO
        page = Page("error_page.html", "Method not allowed", said, {"error": said}, status=405)
        response = await shown(datasette, request, page)
        response.headers["allow"] = methods
        return response

    return reading


_VIEWS: tuple[tuple[str, Any], ...] = (
    (home.HOME_ROUTE, home.home),
    (find.FIND_ROUTE, find.find),
    (packages.PACKAGES_ROUTE, packages.packages),
    (package.PACKAGE_ROUTE, package.package),
    (dependents.DEPENDENTS_ROUTE, dependents.dependents),
    (impact.IMPACT_ROUTE, impact.impact),
    (virtual.VIRTUAL_ROUTE, virtual.virtual),
    (badge.BADGE_ROUTE, badge.badge),
    (spec.SPEC_ROUTE, spec.spec),
    (tag.TAGS_ROUTE, tag.tags),
    (tag.TAG_ROUTE, tag.tag),
    (stack.STACKS_ROUTE, stack.stacks),
    (stack.STACK_ROUTE, stack.stack),
    (compare.CHOOSE_ROUTE, compare.choose),
    (compare.SPECS_ROUTE, compare.compare_two_specs),
    (compare.COMPARE_ROUTE, compare.compare_tags),
    (questions.QUESTION_ROUTE, questions.question),
    (search.SEARCH_ROUTE, search.search),
    (search.SUGGEST_ROUTE, search.suggest),
    (feeds.FEED_ROUTE, feeds.catalog_feed),
    (feeds.PACKAGE_FEED_ROUTE, feeds.package_feed),
    (feeds.STACK_FEED_ROUTE, feeds.stack_feed),
    (feeds.QUERY_FEED_ROUTE, feeds.query_feed),
    (impact.IMPACT_FEED_ROUTE, impact.impact_feed),
    (crawlers.ROBOTS_ROUTE, crawlers.robots),
    (crawlers.SITEMAP_ROUTE, crawlers.sitemap),
    (shortened.LISTED_ROUTE, shortened.listed),
    (shortened.COMPARED_ROUTE, shortened.compared),
)

ROUTES = (
    *((route, _only_read(view)) for route, view in _VIEWS),
    (cover.COVER_ROUTE, _only_read(cover.cover, ("POST",))),
)
"""Regular expressions over the path as it was sent, and functions of Datasette and a request."""
