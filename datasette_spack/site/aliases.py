"""``newest`` and ``newest-release`` in addresses: the page of the tag that they stand for now.

In the place of a tag in a path (``/tag/newest-release``, ``/compare/newest-release/newest``) and in
the arguments ``tag``, ``old`` and ``new``, those of ready-made questions too.  With an argument
``cache`` they are the newest of that named cache.  The page says what they stand for, and a page
of such a tag gives the address that will always be of the newest.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode

from datasette.database import QueryInterrupted
from datasette.utils.asgi import Request

from datasette_spack.site.answer import ALIASES_KEY, NoCatalogError, ask_catalog
from datasette_spack.site.questions import QUESTIONS
from datasette_spack.which import is_catalog_file
from etl.catalog.aliases import ALIASES, aliases_of, tag_named

_IN_PATH: Final = ("tag", "old", "new")
_ARGUMENTS: Final = ("tag", "old", "new", "without", "old_tag", "new_tag")


async def with_tags(datasette: Any, request: Any) -> Any:
    """The request with tags in the place of their aliases, and what the page says of both."""
    in_path = [unquote(request.url_vars[it]) for it in _IN_PATH if request.url_vars.get(it)]
    arguments = parse_qsl(request.query_string, keep_blank_values=True)
    named = {*in_path, *(value for name, value in arguments if name in _ARGUMENTS)} - {""}
    if not named:
        return request
    one = named.pop() if len(named) == 1 else None
    said = sorted(({one} if one else named).intersection(ALIASES))
    if not said and not one:
        return request

    cache = next((value for name, value in arguments if name == "cache" and value), None)

    def read(db: sqlite3.Connection) -> tuple[dict[str, str], tuple[str, ...]]:
        stand = {it: tag for it in said if (tag := tag_named(db, it, cache)) != it}
        return stand, aliases_of(db, one, cache) if one and not stand else ()

    try:
        stand, aliases = await ask_catalog(datasette, read)
    except (NoCatalogError, QueryInterrupted, sqlite3.Error):  # the page itself will tell
        return request
    asked = request.url_vars, request.path, arguments
    variables, path, query = _renamed(asked, stand)
    lasting = {}
    for alias in aliases:
        _, other, arguments_then = _renamed(asked, {str(one): alias})
        lasting[alias] = f"{other}?{arguments_then}" if arguments_then else other
    scope = {
        **request.scope,
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": (query if stand else request.query_string).encode("ascii"),
        "url_route": {**request.scope.get("url_route", {}), "kwargs": variables},
        ALIASES_KEY: {"stood_for": stand, "lasting": lasting},
    }
    return Request(scope, request.receive)


def with_tags_of_questions(datasette: Any, app: Any) -> Any:
    """An ASGI application that takes aliases on the pages of questions, which are Datasette's."""
    base = re.escape(datasette.setting("base_url"))
    page = re.compile(rf"{base}(?P<database>[^/]+)/(?:{'|'.join(QUESTIONS)})")

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and (found := page.fullmatch(scope["path"])):
            database = datasette.databases.get(found["database"])
            if database is not None and is_catalog_file(database):
                scope = (await with_tags(datasette, Request(scope, receive))).scope
        await app(scope, receive, send)

    return wrapped


def _renamed(
    asked: tuple[dict[str, str], str, list[tuple[str, str]]], names: dict[str, str]
) -> tuple[dict[str, str], str, str]:
    """An address with other tags: the variables of its path, the path, and the query."""
    variables, path, arguments = asked
    changed = dict(variables)
    for name in _IN_PATH:
        value = unquote(variables.get(name) or "")
        if value in names:
            changed[name] = quote(names[value], safe="")
            path = _with_part(path, variables[name], changed[name])
    query = [
        (it, names.get(value, value) if it in _ARGUMENTS else value) for it, value in arguments
    ]
    return changed, path, urlencode(query)


def _with_part(path: str, old: str, new: str) -> str:
    """A path with one of its parts changed; of equal parts the first."""
    parts = path.split("/")
    for end in ("", ".json", ".csv"):
        if f"{old}{end}" in parts:
            parts[parts.index(f"{old}{end}")] = f"{new}{end}"
            break
    return "/".join(parts)
