"""``/badge/<package>.svg``: the newest version that has a binary, to be shown in a README."""

from __future__ import annotations

from typing import Any

from datasette.database import QueryInterrupted
from datasette.utils.asgi import Response

from datasette_spack.charts import badge as draw
from datasette_spack.site.addresses import Addresses
from datasette_spack.site.answer import ask_catalog, named, page_about
from etl.browse.badge import newest_version
from etl.errors import CatalogError

BADGE_ROUTE = r"/badge/(?P<package>[^/]+)\.svg$"

CONTENT_TYPE = "image/svg+xml; charset=utf-8"


async def badge(datasette: Any, request: Any) -> Response:
    """The badge of a package, in all tags or in the one that ``tag=`` names.

    A package without a binary has a badge that says so: whoever shows it waits for one.
    """
    name, tag = named(request, "package"), request.args.get("tag") or None
    label = f"spack binary, {tag}" if tag else "spack binary"
    try:
        version = await ask_catalog(datasette, lambda db: newest_version(db, name, tag))
    except (CatalogError, QueryInterrupted) as error:
        page = page_about(error)
        body = draw(label, str(page.facts["error"]), there=False)
        return Response(str(body), page.status, content_type=CONTENT_TYPE)
    body = draw(label, f"{name} {version}" if version else f"no {name}", there=bool(version))
    return Response(str(body), content_type=CONTENT_TYPE)


def markdown(site: Addresses, origin: str, package: str) -> str:
    """What to put into a README: the badge, which leads to the page of the package."""
    image = f"{origin}{site.badge(package)}"
    return f"[![{package} as a Spack binary]({image})]({origin}{site.package(package)})"
