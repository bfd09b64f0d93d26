"""``/``: one box to ask, how much there is, and what is new.  As JSON: ``/home.json``."""

from __future__ import annotations

from typing import Any

from datasette.utils.asgi import Response
from datasette.views.index import IndexView

from datasette_spack.charts.numbers import counted
from datasette_spack.site.addresses import Addresses
from datasette_spack.site.answer import Page, answer
from datasette_spack.site.pictures import history_pictures, share_pictures
from datasette_spack.site.remembered import remembered
from datasette_spack.which import is_alone
from etl.browse.overview import Overview, overview
from etl.hosts.profiles import SHOWN_PROFILES

HOME_ROUTE = r"/(?P<name>home)?(?P<format>\.json)?$"


async def home(datasette: Any, request: Any) -> Response:
    """The home page; that of Datasette where it serves other databases as well.

    There the page is at ``/home``.
    """
    if not request.url_vars["name"] and (request.url_vars["format"] or not is_alone(datasette)):
        form = request.url_vars["format"]
        request.scope["url_route"]["kwargs"]["format"] = form and form[1:]
        return await IndexView(datasette).get(request)
    site = Addresses(datasette)

    def read(connection: Any) -> Page:
        facts = remembered(datasette, overview)(connection)
        return Page(
            "home.html",
            "spack-catalog",
            _description(facts),
            facts,
            {
                "profiles": SHOWN_PROFILES,
                "history": history_pictures(site, facts.history),
                "shares": share_pictures(site, facts.newest or "", facts.shares),
            },
            feed="feed.atom",
        )

    return await answer(datasette, request, read)


def _description(facts: Overview) -> str:
    counts = facts.counts
    return (
        f"Binaries in Spack's public build caches: {counted(counts['packages'], 'packages')} and"
        f" {counted(counts['binaries'], 'binaries')} in"
        f" {counted(counts['tags'], 'tags')}."
        " Find them by package or spec, with the commands that install them."
    )
