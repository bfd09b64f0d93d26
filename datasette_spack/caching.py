"""How long an answer may be kept, and when it need not be made again.

A catalog that is served does not change, so an answer follows from the catalog, the program and the
address.  A digest of these is the answer's ``ETag``: whoever still has the answer is not sent it
again, and it is not even made again.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final
from urllib.parse import unquote_plus

from datasette.utils import add_cors_headers

from datasette_spack.answers import AHEAD, Answers, marked
from datasette_spack.completeness import making_answer
from datasette_spack.database import is_catalog
from datasette_spack.either import shown_metadata
from datasette_spack.packing import packed_tag, takes_gzip
from datasette_spack.program import program_digest, static_hashes

ANSWERS: Final = "spack_catalog_answers"
"""The attribute of a Datasette that keeps what it has answered, if it shall."""

STALE_WHILE_REVALIDATE: Final = 600
"""Seconds for which a cache may answer with what it has while it asks whether that is current."""

STALE_IF_ERROR: Final = 86_400
"""Seconds for which a cache may answer with what it has while the server does not answer."""

_FOR_EVER = "public, max-age=31536000, immutable"
_INCOMPLETE = "public, max-age=30"
_VARY = "Cookie, Authorization"
"""What Datasette says of every answer but static files; where there are two forms, these too."""

_STATIC = "/-/static-plugins/spack-catalog/"
_BELOW_CATALOG = re.compile(r"/catalog(?!\.db$)(?:[/.].*)?", re.DOTALL)
_OWN_SQL = re.compile(r"(?:^|&)(?:sql|_where)=")
_CHANGING = re.compile(r"random|now|date|time|julianday", re.IGNORECASE)
"""Functions of SQL whose value is not in the catalog; a query that only looks so is not kept."""

_NOT_KEPT = re.compile(r"private|no-store|no-cache", re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?("[^"]*")')


def cache_control(datasette: Any) -> str:
    """``Cache-Control`` of what everybody gets alike, for as long as the settings say."""
    return (
        f"public, max-age={datasette.setting('default_cache_ttl')},"
        f" stale-while-revalidate={STALE_WHILE_REVALIDATE}, stale-if-error={STALE_IF_ERROR}"
    )


def header_of(scope: Any, name: bytes) -> str:
    """A header of a request, its values joined where it came more than once."""
    return ", ".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


def names_tag(if_none_match: str, tag: str) -> bool:
    """Whether a list of tags has this one; a weak tag and a strong one may be the same."""
    return tag.removeprefix("W/") in _TAG.findall(if_none_match)


def kept(datasette: Any, app: Any, is_ours: Callable[[str], bool]) -> Any:
    """An ASGI application whose answers say how long they may be kept.

    ``is_ours`` tells from a path whether the catalog's own pages are there.  Answers that depend
    on who asks are left as they are, and so are all where another database is served as well.
    """
    catalog = _Catalog(datasette)
    answers: Answers | None = getattr(datasette, ANSWERS, None)

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":  # the server tells that it begins, and that it ends
            await app(scope, receive, send)
            return
        path = inner_path(datasette, scope)
        if scope["method"] not in ("GET", "HEAD") or not datasette.cache_headers:
            await app(scope, receive, send)
        elif path.startswith(_STATIC):
            headers, for_ever = _static_headers(path, scope)
            if answers is None or not for_ever:
                await _static(app, headers, keep=False)(scope, receive, send)
            else:
                static = _static(app, {**headers, "vary": "Accept-Encoding"}, keep=True)
                await give(path, static, scope, receive, send)
        elif not _is_same_for_all(scope, path, is_ours) or not (tag := await catalog.tag(scope)):
            await app(scope, receive, send)
        elif known := _known_tag(scope, tag, packs=answers is not None):
            await _send_not_modified(send, catalog.headers(known))
        else:
            only_if_changed = header_of(scope, b"if-none-match").strip() == "*"
            answering = _page(app, catalog.headers(tag), only_if_changed, several=bool(answers))
            if answers is None or only_if_changed:
                await answering(scope, receive, send)
            else:
                await give(tag, answering, scope, receive, send)

    async def give(key: str, making: Any, scope: Any, receive: Any, send: Any) -> None:
        """Have the answer kept; who asks for its headers only gets those of the whole."""
        assert answers

        async def make(gathering: Any) -> None:
            await making({**scope, "method": "GET"}, receive, gathering)

        await answers.give(
            key,
            make,
            send,
            head=scope["method"] == "HEAD",
            gzip=takes_gzip(header_of(scope, b"accept-encoding")),
            address=_address(scope),
            ahead=AHEAD in scope,
        )

    return wrapped


def _address(scope: Any) -> Any:
    """A request for the same address as this one, by nobody."""
    host = [it for it in scope["headers"] if it[0] == b"host"]
    parts = ("type", "asgi", "http_version", "scheme", "path", "raw_path", "query_string")
    same = {name: scope[name] for name in parts if name in scope}
    return {**same, "method": "GET", "headers": host, "root_path": "", "client": None}


def inner_path(datasette: Any, scope: Any) -> str:
    """The path of a request below the address that Datasette has."""
    base, path = datasette.setting("base_url"), scope["path"]
    return f"/{path.removeprefix(base)}" if path.startswith(base) else str(path)


class _Catalog:
    """The catalog of a Datasette as far as answers depend on it."""

    def __init__(self, datasette: Any) -> None:
        self._datasette = datasette
        self._answers = getattr(datasette, ANSWERS, None)
        self._digest: str | None = None

    async def tag(self, scope: Any) -> str | None:
        """The tag of the answer to a request; None where the catalog is not all there is."""
        if self._digest is None:
            self._digest = await self._find_digest()
        if not self._digest:
            return None
        # Pages name their own address, so it is part of them.
        place = (scope.get("scheme", "http"), header_of(scope, b"host"), scope.get("raw_path", b""))
        asked = (self._digest, *place, scope["path"], scope["query_string"])
        return f'W/"{sha256(repr(asked).encode()).hexdigest()[:32]}"'

    async def _find_digest(self) -> str:
        """A digest of all but the address that answers depend on; empty if that may change."""
        databases = self._datasette.databases
        if [name for name in databases if not name.startswith("_")] != ["catalog"]:
            return ""
        catalog = databases["catalog"]
        # Datasette reads the whole file for the hash if nothing has told it before.
        content = await asyncio.to_thread(lambda: catalog.hash)
        if content is None or not await is_catalog(catalog):
            return ""
        settings = self._datasette.settings_dict()
        settings.pop("num_sql_threads", None)  # of which no answer tells
        shown = json.dumps([shown_metadata(self._datasette), settings])
        return sha256(f"{content} {program_digest()} {shown}".encode()).hexdigest()

    def headers(self, tag: str) -> dict[str, str]:
        """What an answer with this tag says, be it sent or not modified."""
        vary = _VARY if self._answers is None else f"Accept-Encoding, {_VARY}"
        headers = {"etag": tag, "cache-control": cache_control(self._datasette), "vary": vary}
        if self._datasette.cors:
            add_cors_headers(headers)
        return headers


def _is_same_for_all(scope: Any, path: str, is_ours: Callable[[str], bool]) -> bool:
    """Whether the answer follows from the catalog and the address, whoever asks and when."""
    credentials = {b"cookie", b"authorization"}
    if scope.get("actor") or any(name in credentials for name, _ in scope["headers"]):
        return False
    query = scope["query_string"].decode("latin-1")
    if "_ttl=" in query or "_stream=" in query:  # its own time to be kept; may be cut off
        return False
    if _OWN_SQL.search(query) and _CHANGING.search(unquote_plus(query)):
        return False
    return is_ours(path) or bool(_BELOW_CATALOG.fullmatch(path))


def _known_tag(scope: Any, tag: str, *, packs: bool) -> str | None:
    """The tag of a form of the answer that who asks has, and can read; None if there is none."""
    known = header_of(scope, b"if-none-match")
    reads_gzip = packs and takes_gzip(header_of(scope, b"accept-encoding"))
    if reads_gzip and names_tag(known, packed_tag(tag)):
        return packed_tag(tag)
    return tag if names_tag(known, tag) else None


def _page(app: Any, headers: dict[str, str], only_if_changed: bool, *, several: bool) -> Any:
    """An ASGI application whose answers say that they may be kept, if they turn out to be good.

    Where an answer is for ``several``, it is marked for those who keep and share answers.
    """

    async def answering(scope: Any, receive: Any, send: Any) -> None:
        dropped = False

        async def sending(message: Any) -> None:
            nonlocal dropped
            if message["type"] == "http.response.start" and _may_be_kept(message):
                if only_if_changed:
                    dropped = True
                    await _send_not_modified(send, headers)
                elif answer.complete:
                    message = _with_headers(message, headers)
                    message = marked(message, "keep") if several else message
                else:
                    brief = {"cache-control": _INCOMPLETE, "vary": headers["vary"]}
                    message = _with_headers(message, brief)
                    message = marked(message, "share") if several else message
            if not dropped:
                await send(message)

        with making_answer() as answer:
            await app(scope, receive, sending)

    return answering


def _may_be_kept(start: Any) -> bool:
    """Whether an answer is a good one, and meant for everybody."""
    headers = [(name.lower(), value.decode("latin-1")) for name, value in start["headers"]]
    return start["status"] == 200 and not any(
        name == b"set-cookie" or (name == b"cache-control" and _NOT_KEPT.search(value))
        for name, value in headers
    )


def _static_headers(path: str, scope: Any) -> tuple[dict[str, str], bool]:
    """What a file says, and whether its address is one that no other content will have."""
    known = static_hashes().get(path.removeprefix(_STATIC))
    if known and scope["query_string"].decode("latin-1") == known:
        return {"cache-control": _FOR_EVER}, True
    return {"cache-control": "public, max-age=300"}, False


def _static(app: Any, headers: dict[str, str], *, keep: bool) -> Any:
    """An ASGI application that adds headers to a good answer."""

    async def answering(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] == 200:
                message = _with_headers(message, headers)
                message = marked(message, "keep") if keep else message
            await send(message)

        await app(scope, receive, sending)

    return answering


def _with_headers(message: Any, headers: dict[str, str]) -> Any:
    """The start of an answer with some headers in the place of its own."""
    added = _raw(headers)
    names = {name for name, _ in added}
    left = [(name, value) for name, value in message["headers"] if name.lower() not in names]
    return {**message, "headers": [*left, *added]}


async def _send_not_modified(send: Any, headers: dict[str, str]) -> None:
    await send({"type": "http.response.start", "status": 304, "headers": _raw(headers)})
    await send({"type": "http.response.body", "body": b""})


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
