"""What the frame of every page needs: addresses of static files, and the newest tag."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from datasette.utils.sqlite import sqlite3

from datasette_spack.database import is_catalog
from etl.browse.newest import newest_tag_name


async def frame_facts(datasette: Any) -> dict[str, Any]:
    """The variables ``site_newest_tag`` and ``site_metadata`` of the templates."""
    return {
        "site_newest_tag": await _newest_tag(datasette),
        "site_metadata": datasette.metadata() or {},
    }


def static_addresses(datasette: Any) -> Callable[[str], str]:
    """Gives the address of a static file by its name: another one when its content is another."""

    def address(name: str) -> str:
        return f"{datasette.urls.static_plugins('spack-catalog', name)}?{_digest(name)}"

    return address


@cache
def _digest(name: str) -> str:
    content = (files("datasette_spack") / "static" / name).read_bytes()
    return sha256(content).hexdigest()[:12]


async def _newest_tag(datasette: Any) -> str | None:
    """The newest tag of the catalog; None where there is none, or one that cannot be asked."""
    if "catalog" not in datasette.databases:
        return None
    database = datasette.get_database("catalog")
    try:
        if not await is_catalog(database):
            return None
        name: str | None = await database.execute_fn(newest_tag_name)
    except sqlite3.Error:  # a page that says what is wrong needs its frame all the same
        return None
    return name
