"""How a page is answered: its facts are read in one of Datasette's threads, then shown.

Every page has the same facts as JSON beside it, under the same address with ``.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar
from urllib.parse import unquote

from datasette.database import QueryInterrupted
from datasette.utils import add_cors_headers, sqlite_timelimit
from datasette.utils.asgi import Response
from datasette.utils.sqlite import sqlite3

from datasette_spack.rendering import page_template
from datasette_spack.site.addresses import Addresses, origin
from datasette_spack.which import catalog_name
from etl.catalog.asking import NotHereError
from etl.errors import CatalogError, UsageError
from etl.spack.tokens import SpecSyntaxError

MAX_TOLD = 200
"""Characters of what was asked for that an error tells; no name in a catalog is longer."""


@dataclass(frozen=True)
class Page:
    """What a page shows.

    ``facts`` is a dataclass or a dictionary, and all of the JSON; ``more`` is what only the
    template needs.  ``feed`` is the path of the page's Atom feed.  ``unbounded`` pages are so
    many that crawlers are asked to stay away.  ``query`` is what of the address's query makes it
    another page, with its question mark.
    """

    template: str
    title: str
    description: str
    facts: Any = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    feed: str | None = None
    unbounded: bool = False
    query: str = ""


ALIASES_KEY = "spack_catalog_aliases"
"""Where a request says what aliases of tags its address had, and which lead to its page."""

PATIENCE = 5
"""How many times as long as somebody's own SQL the statements of a page may take.

They take a fraction of it; the time is that of the clock, and under load others take their share.
"""

Facts = TypeVar("Facts")

Read = Callable[[Any], Page]
"""Reads a page from a connection to the catalog."""


class MovedError(Exception):
    """What was asked for has another address."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


async def answer(datasette: Any, request: Any, read: Read) -> Response:
    """The page that ``read`` gives, or the one that says why there is none.

    Errors of the catalog's family, and a catalog that takes too long, are pages too.
    """
    try:
        page = await ask_catalog(datasette, read)
    except MovedError as moved:
        return Response.redirect(moved.path)
    except (CatalogError, QueryInterrupted) as error:
        page = page_about(error)
    return await shown(datasette, request, page)


class NoCatalogError(CatalogError):
    """Datasette serves no catalog, or not yet."""


async def ask_catalog(datasette: Any, read: Callable[[Any], Facts]) -> Facts:
    """What ``read`` reads from a connection, within a few times what Datasette gives a query.

    Raises:
        NoCatalogError: no catalog is served.
        QueryInterrupted: it took too long.
    """
    name = catalog_name(datasette)
    if name is None:
        raise NoCatalogError("no catalog is served")
    database = datasette.get_database(name)
    limit = PATIENCE * int(datasette.setting("sql_time_limit_ms"))

    def bounded(connection: Any) -> Facts:
        with sqlite_timelimit(connection, limit):
            try:
                return read(connection)
            except sqlite3.DataError as error:  # a statement is longer than a site allows
                raise UsageError("the query is too complex; use fewer specs") from error
            except sqlite3.OperationalError as error:
                if "interrupted" not in str(error):
                    raise
                raise QueryInterrupted(error, "", {}) from None

    found: Facts = await database.execute_fn(bounded)
    return found


def page_about(error: Exception) -> Page:
    """The page that tells of an error."""
    if isinstance(error, NoCatalogError):
        return _NO_CATALOG
    if isinstance(error, QueryInterrupted):
        return _TOO_LONG
    if isinstance(error, NotHereError):
        return _not_here(error)
    return _refused(error)


async def shown(datasette: Any, request: Any, page: Page) -> Response:
    """A page as HTML, or as JSON where the address asks for that."""
    headers: dict[str, str] = {}
    if request.url_vars.get("format"):
        if datasette.cors:
            add_cors_headers(headers)
        facts = page.facts if isinstance(page.facts, Mapping) else fields_of(page.facts)
        told = {"ok": page.status == 200, **facts}
        return Response.json(told, page.status, headers, fields_of)
    variables = {
        "page": page,
        "facts": page.facts,
        "site": Addresses(datasette),
        "page_url": f"{origin(datasette, request)}{request.path}{page.query}",
        **(request.scope.get(ALIASES_KEY, {}) if page.status == 200 else {}),
        "json_url": _json_address(datasette, request) if page.status == 200 else None,
        **page.more,
    }
    template = page_template(datasette, page.template)
    html = await datasette.render_template(template, variables, request=request)
    return Response.html(html, page.status, headers)


def fields_of(facts: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, those in them as they are; so that JSON can have them."""
    return {it.name: getattr(facts, it.name) for it in fields(facts)}


def named(request: Any, variable: str) -> str:
    """A name in the path of the address, as it is in the catalog."""
    return unquote(request.url_vars[variable])


def page_number(request: Any) -> int:
    """The page of a long list that is asked for, from 1 on; 1 for what is no number."""
    text = request.args.get("page", "1")
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def _json_address(datasette: Any, request: Any) -> str:
    home = datasette.urls.instance()
    path = request.path if request.path not in ("/", home) else f"{home}home"
    query = request.query_string
    return f"{path}.json?{query}" if query else f"{path}.json"


def _refused(error: Exception) -> Page:
    """The page on what cannot be answered; of a spec with a mistake, the spec is told as well."""
    text = str(error)
    if isinstance(error, SpecSyntaxError):
        text = f"“{_shortened(error.source)}”: {error.message}."
    return Page("error_page.html", "Invalid request", text, {"error": text}, status=400)


def _not_here(error: NotHereError) -> Page:
    name = _shortened(error.name)
    # Of others the kind is more than a noun: "spec with a hash that begins with".
    called = "called " if error.kind in ("package", "tag", "stack") else ""
    return Page(
        "error_page.html",
        f"No {error.kind} {name}",
        f"This catalog has no {error.kind} {called}{name}.",
        {"error": str(error), "kind": error.kind, "name": error.name, "near": error.near},
        {"near_kind": error.kind.rpartition(" ")[2]},  # "tag" of "hdf5 in the tag"
        status=404,
    )


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_TOLD else f"{text[:MAX_TOLD]}…"


_NO_CATALOG = Page(
    "error_page.html",
    "No catalog yet",
    "No catalog has been built yet, or none is served here. Build one with "
    "“spack-catalog build SOURCE…”, then serve it with “spack-catalog serve”.",
    {"error": "no catalog is served"},
    status=503,
)
_TOO_LONG = Page(
    "error_page.html",
    "Request timed out",
    "The query took too long. Try again, or restrict it to one package or tag.",
    {"error": "the query took too long"},
    status=503,
)
