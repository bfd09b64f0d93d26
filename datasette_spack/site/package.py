"""``/package/<name>``: a package's versions over tags, its binaries, and how to install them."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from datasette.utils.asgi import Response

from datasette_spack.charts.numbers import counted
from datasette_spack.site.addresses import Addresses
from datasette_spack.site.answer import Page, answer, named
from datasette_spack.site.pictures import versions_picture
from datasette_spack.site.recipes import recipe_links
from etl.browse.package import Chosen, PackageFacts, package_facts
from etl.catalog.variant_text import split_variants

PACKAGE_ROUTE = r"/package/(?P<package>[^/]+?)(?P<format>\.json)?$"

MAX_SHOWN = 50
"""Binaries on the page; its JSON has all that were looked at."""

FIELDS = ("version", "compiler", "os", "target", "runs_on", "stacks")


async def package(datasette: Any, request: Any) -> Response:
    """The page of a package, of the binaries in one tag those that are asked for."""
    name = named(request, "package")
    chosen = chosen_by(request.args)
    site = Addresses(datasette)

    def read(connection: Any) -> Page:
        facts = package_facts(connection, name, chosen)
        return Page(
            "package.html",
            name,
            _description(facts),
            facts,
            {
                "chosen": chosen,
                "chips": _chips(site, name, chosen),
                "address": lambda **changes: _address(site, name, chosen, **changes),
                "picture": versions_picture(site, name, facts.history.rows),
                "recipes": recipe_links(name),
                "shown": MAX_SHOWN,
            },
            feed=f"package/{quote(name, safe='')}/feed.atom",
            unbounded=bool(request.query_string),
        )

    return await answer(datasette, request, read)


def chosen_by(arguments: Any) -> Chosen:
    """What the address asks for; ``variant`` may be there several times."""
    variants = [text for value in arguments.getlist("variant") for text in split_variants(value)]
    return Chosen(
        tag=arguments.get("tag") or None,
        variants=tuple(dict.fromkeys(text for it in variants if (text := it.strip()))),
        **{name: arguments.get(name) or None for name in FIELDS},
    )


def _address(site: Addresses, name: str, chosen: Chosen, **changes: Any) -> str:
    """The page with something else chosen; None for nothing of it."""
    given: dict[str, Any] = {"tag": chosen.tag, **{it: getattr(chosen, it) for it in FIELDS}}
    variants = changes.pop("variants", chosen.variants)
    return site.package(name, **{**given, **changes}, variant=" ".join(variants) or None)


def _chips(site: Addresses, name: str, chosen: Chosen) -> list[tuple[str, str, str]]:
    """What is chosen: its kind, its value, and where it is not chosen any more."""
    chips = [
        (field.replace("_", " "), value, _address(site, name, chosen, **{field: None}))
        for field in FIELDS
        if (value := getattr(chosen, field))
    ]
    for variant in chosen.variants:
        left = [it for it in chosen.variants if it != variant]
        chips.append(("variant", variant, _address(site, name, chosen, variants=left)))
    return chips


def _description(facts: PackageFacts) -> str:
    row = facts.package
    if facts.tag is None:
        return f"{row['package']}: no binary, known only as a dependency of others."
    text = (
        f"{row['package']}: {counted(row['specs'], 'specs')} of"
        f" {counted(row['versions'], 'versions')} up to {row['newest_version']},"
        f" in {counted(row['tags'], 'tags')}, last in {row['last_tag']}."
    )
    return f"{text} {row['description']}" if row["description"] else text
