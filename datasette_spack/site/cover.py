"""``/cover``: how much of an environment is in the catalog; its lock file is read and forgotten."""

from __future__ import annotations

import asyncio
from typing import Any

from datasette.utils.asgi import Response

from datasette_spack.charts import Part, shares
from datasette_spack.site.answer import Page, answer, page_about, shown
from datasette_spack.site.uploaded import TooLargeError, read_form
from etl.browse.overview import tag_history
from etl.catalog.aliases import tag_named
from etl.cover.cover import ANY_TAG, Cover
from etl.cover.cover import cover as cover_of
from etl.cover.reasons import reasons
from etl.cover.report import as_json, refused
from etl.errors import UsageError
from etl.hosts.profiles import SHOWN_PROFILES, find_host
from etl.locks.read import LOCK_FILE, MAX_BYTES, read_lock
from etl.memory import no_garbage_collection

COVER_ROUTE = r"/cover(?P<format>\.json)?$"

_DESCRIPTION = "How much of a Spack environment is in the build caches, and why the rest is not."

MAX_ROWS = 200
"""Rows of each list on the page; JSON has them all."""

_ONE_AT_A_TIME = asyncio.Semaphore(1)
"""A large lock takes many times its size of memory while it is read."""


async def cover(datasette: Any, request: Any) -> Response:
    """The form, or the answer to what it sent."""
    if request.method == "POST":
        try:
            form = await read_form(request, MAX_BYTES)
        except TooLargeError as error:
            return await shown(datasette, request, _too_large(error))
        except UsageError as error:
            return await shown(datasette, request, page_about(error))
        async with _ONE_AT_A_TIME:
            return await answer(datasette, request, lambda db: _answered(db, form))
    return await answer(datasette, request, _asked)


def _asked(connection: Any) -> Page:
    """The page with the form alone."""
    return Page(
        "cover.html",
        "Cover",
        _DESCRIPTION,
        {"max_bytes": MAX_BYTES},
        {"found": None, "given": {}, **_form(connection)},
    )


@no_garbage_collection()
def _answered(connection: Any, form: Any) -> Page:
    text = form.get("file") or form.get("lock") or form.get("body") or ""
    if not text.strip():
        raise UsageError("no file was sent; choose a spack.lock, or paste its text")
    lock = read_lock(text, LOCK_FILE)
    named_host = form.get("host", "").strip()
    host = find_host(named_host, files=False) if named_host else None
    asked = form.get("tag", "").strip() or None
    tag = tag_named(connection, asked) if asked and asked != ANY_TAG else asked
    found = cover_of(connection, lock, tag, host)
    told = reasons(connection, found)
    facts = as_json(found, told)
    return Page(
        "cover.html",
        f"{len(found.available):,} of {len(lock.specs):,} specs are in the build caches",
        _DESCRIPTION,
        facts,
        {
            "found": found,
            "given": {"tag": asked, "host": named_host},
            "picture": _picture(found),
            "refused": refused(found),
            "max_rows": MAX_ROWS,
            **_form(connection),
        },
        unbounded=True,
    )


def _form(connection: Any) -> dict[str, Any]:
    """What the form offers."""
    return {
        "tags": tag_history(connection),
        "profiles": SHOWN_PROFILES,
        "max_megabytes": MAX_BYTES // 1_000_000,
    }


def _picture(found: Cover) -> Any:
    """The shares of the specs as bars."""
    spared = len(found.missing) - len(found.to_build)
    parts = (
        Part("in the cache", len(found.available)),
        Part("external", len(found.external)),
        Part("missing, not needed", spared),
        Part("to compile", len(found.to_build)),
    )
    shown_parts = [it for it in parts if it.count]
    return shares("cover-shares", "Specs of the lock file", shown_parts, len(found.lock.specs))


def _too_large(error: TooLargeError) -> Page:
    told = str(error)
    return Page("error_page.html", "Too large", told, {"error": told}, status=413)
