"""Which function answers which address of the site."""

from __future__ import annotations

from typing import Any

from datasette_spack.site import (
    compare,
    crawlers,
    feeds,
    find,
    home,
    package,
    packages,
    search,
    spec,
    stack,
    tag,
)

ROUTES: tuple[tuple[str, Any], ...] = (
    (home.HOME_ROUTE, home.home),
    (find.FIND_ROUTE, find.find),
    (packages.PACKAGES_ROUTE, packages.packages),
    (package.PACKAGE_ROUTE, package.package),
    (spec.SPEC_ROUTE, spec.spec),
    (tag.TAGS_ROUTE, tag.tags),
    (tag.TAG_ROUTE, tag.tag),
    (stack.STACKS_ROUTE, stack.stacks),
    (stack.STACK_ROUTE, stack.stack),
    (compare.CHOOSE_ROUTE, compare.choose),
    (compare.COMPARE_ROUTE, compare.compare_tags),
    (search.SEARCH_ROUTE, search.search),
    (search.SUGGEST_ROUTE, search.suggest),
    (feeds.FEED_ROUTE, feeds.catalog_feed),
    (feeds.PACKAGE_FEED_ROUTE, feeds.package_feed),
    (crawlers.ROBOTS_ROUTE, crawlers.robots),
    (crawlers.SITEMAP_ROUTE, crawlers.sitemap),
)
"""Regular expressions over the path as it was sent, and functions of Datasette and a request."""
