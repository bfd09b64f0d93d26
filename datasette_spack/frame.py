"""What the frame of every page needs: addresses of static files, and the newest tag."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from hashlib import sha256
from importlib.resources import files
from typing import Any
from weakref import WeakKeyDictionary

from datasette.utils.sqlite import sqlite3

from datasette_spack.either import shown_metadata
from datasette_spack.packaged import packaged_json
from datasette_spack.site.questions import total
from datasette_spack.which import USUAL, catalog_name, is_alone, is_catalog_file
from etl.browse.newest import newest_tag_name


async def frame_facts(datasette: Any) -> dict[str, Any]:
    """The variables ``site_newest_tag`` and ``site_metadata`` of the templates."""
    name = catalog_name(datasette) or USUAL
    return {
        "site_newest_tag": await _newest_tag(datasette),
        "site_metadata": shown_metadata(datasette),
        "site_database": name,
        "site_has_file": _has_file(datasette, name),
        "await_total": partial(total, datasette),
    }


def _has_file(datasette: Any, name: str) -> bool:
    """Whether Datasette gives the file away: it does so for what cannot change."""
    database = datasette.databases.get(name)
    return bool(
        database is not None and not database.is_mutable and datasette.setting("allow_download")
    )


def catalog_metadata(datasette: Any) -> dict[str, Any]:
    """What this package says of a catalog, under the names of those that Datasette serves.

    Titles and descriptions of tables and columns, questions, and the source of it all; nothing
    where Datasette has been given that already.
    """
    told = (datasette._metadata_local or {}).get("databases", {})
    names = [
        name
        for name, it in datasette.databases.items()
        if is_catalog_file(it) and "queries" not in told.get(name, {})
    ]
    if not names:
        return {}
    packaged = packaged_json("metadata.json")
    of_catalog = packaged["databases"][USUAL]
    databases = {"databases": dict.fromkeys(names, of_catalog)}
    return {**packaged, **databases} if is_alone(datasette) else databases


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
    catalog = catalog_name(datasette)
    if catalog is None:
        return None
    database = datasette.get_database(catalog)
    if database in _newest:
        return _newest[database]
    try:
        name: str | None = await database.execute_fn(newest_tag_name)
    except sqlite3.Error:  # a page that says what is wrong needs its frame all the same
        return None
    if not database.is_mutable:
        _newest[database] = name
    return name


_newest: WeakKeyDictionary[Any, str | None] = WeakKeyDictionary()
"""The newest tag of each catalog that cannot change: every page has it in its frame."""
