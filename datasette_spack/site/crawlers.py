"""What crawlers are told: where not to go (``/robots.txt``), and where to (``/sitemap.xml``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element

from datasette.database import QueryInterrupted
from datasette.utils.asgi import Response

from datasette_spack.site.addresses import origin
from datasette_spack.site.answer import NoCatalogError, ask_catalog
from datasette_spack.site.xml_page import add, xml_answer
from etl.browse.places import Place, places
from etl.catalog.asking import NotHereError

ROBOTS_ROUTE = r"/robots\.txt$"
SITEMAP_ROUTE = r"/sitemap(?:-(?P<part>[1-9][0-9]{0,3}))?\.xml$"

CLOSED = (
    "/-/",
    "/catalog",
    "/compare",
    "/find",
    "/search",
    "/spec/",
    "/suggest",
    "/*?",
    "/*.csv",
    "/*.json",
)
"""Pages without end, or of which there are too many: tables and their facets, searches, every
pair of tags, every spec; and what pages say once more in another form."""

OPEN = ("/-/static",)
"""What closed pages have below them that a crawler needs to see the others as people do."""

MAX_ADDRESSES = 20_000
"""Addresses in one sitemap.  It may have 50,000, and 50 MB; so many of the longest are 50 MB."""

MAX_LENGTH = 2_047
"""A sitemap has no longer addresses."""

_SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
_XML = "application/xml; charset=utf-8"


async def robots(datasette: Any, request: Any) -> Response:
    """Keep crawlers to the pages of packages, tags and stacks.

    Without a catalog they are asked to come back later, as they take an error for.
    """
    try:
        await ask_catalog(datasette, lambda _: None)
    except (NoCatalogError, QueryInterrupted) as error:
        return Response.text(f"{error}\n", 503)
    lines = ["User-agent: *"]
    lines += [f"Allow: {datasette.urls.path(path)}" for path in OPEN]
    lines += [f"Disallow: {datasette.urls.path(path)}" for path in CLOSED]
    lines += ["", f"Sitemap: {_home(datasette, request)}sitemap.xml"]
    return Response.text("\n".join(lines) + "\n")


async def sitemap(datasette: Any, request: Any) -> Response:
    """All pages of packages, tags and stacks; of very many, a list of sitemaps."""
    part = request.url_vars["part"]
    site = _home(datasette, request)

    def read(connection: Any) -> tuple[Place, ...]:
        found = places(connection)
        if part and (int(part) - 1) * MAX_ADDRESSES >= len(found):
            raise NotHereError("sitemap", part)
        return found

    def make(found: tuple[Place, ...]) -> Element:
        if part:
            end = int(part) * MAX_ADDRESSES
            return _addresses(site, found[end - MAX_ADDRESSES : end])
        if len(found) <= MAX_ADDRESSES:
            return _addresses(site, found)
        return _index(site, len(found))

    return await xml_answer(datasette, request, _XML, read, make)


def _addresses(site: str, found: Sequence[Place]) -> Element:
    root = Element("urlset", {"xmlns": _SITEMAP})
    for place in found:
        address = site + "/".join(quote(name, safe="") for name in place.path)
        if len(address) <= MAX_LENGTH:
            url = add(root, "url")
            add(url, "loc", address)
            if place.changed is not None:
                add(url, "lastmod", place.changed)
    return root


def _index(site: str, number: int) -> Element:
    root = Element("sitemapindex", {"xmlns": _SITEMAP})
    for part in range(1, (number - 1) // MAX_ADDRESSES + 2):
        add(add(root, "sitemap"), "loc", f"{site}sitemap-{part}.xml")
    return root


def _home(datasette: Any, request: Any) -> str:
    """The address of the home page, with which all others begin."""
    return origin(datasette, request) + str(datasette.urls.instance())
