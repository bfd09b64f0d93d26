"""``/package/<name>``: a package's versions over tags, its binaries, and how to install them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

from datasette.utils.asgi import AsgiStream, Response

from datasette_spack.charts.numbers import counted
from datasette_spack.site.addresses import Addresses, origin
from datasette_spack.site.answer import MovedError, Page, answer, named, page_number
from datasette_spack.site.asked import Question, ways_for_host
from datasette_spack.site.badge import markdown
from datasette_spack.site.impact import impact_in
from datasette_spack.site.linked_data import linked_data
from datasette_spack.site.pictures import versions_pictures
from datasette_spack.site.recipes import recipe_links
from datasette_spack.site.whole import csv_of
from etl.browse.lists import scope_names
from etl.browse.package import MAX_BINARIES, Chosen, PackageFacts, is_package, package_facts
from etl.browse.virtual import is_virtual, provided_by
from etl.catalog.variant_text import split_variants
from etl.errors import UsageError
from etl.hosts.profiles import SHOWN_PROFILES, find_host
from etl.query.find import ALL, Finder, Scope
from etl.query.host_misses import HostMisses, host_misses
from etl.query.reuse import Reuse, Verdict
from etl.spack.syntax import parse_spec

PACKAGE_ROUTE = r"/package/(?P<package>[^/]+?)(?P<format>\.json|\.csv)?$"

MAX_SHOWN = 50
"""Binaries on the page; JSON and CSV have them all."""

LISTS = ("binaries", "versions", "dependencies", "dependents")
"""The lists of the page that are there as CSV."""

FIELDS = ("version", "compiler", "os", "target", "runs_on", "stacks", "host")


async def package(datasette: Any, request: Any) -> Response | AsgiStream:
    """The page of a package, of the binaries in one tag those that are asked for.

    JSON has all of them, and CSV nothing else, or another list where ``list=`` asks for one.
    """
    name, form = named(request, "package"), request.url_vars["format"]
    chosen, sort, number = (
        chosen_by(request.args),
        request.args.get("sort", ""),
        page_number(request),
    )
    site = Addresses(datasette)
    if form == ".csv":
        asked = request.args.get("list") or "binaries"
        return await csv_of(
            datasette, lambda it: _sql_of(package_facts(it, name, chosen, sort), asked)
        )

    def read(connection: Any) -> Page:
        if is_virtual(connection, name) and not is_package(connection, name):
            raise MovedError(site.virtual(name) + (form or ""))
        facts = package_facts(connection, name, chosen, sort, ALL if form else MAX_BINARIES)
        first = min((number - 1) * MAX_SHOWN, max(len(facts.found.rows) - 1, 0))
        verdicts: tuple[Verdict, ...] = ()
        misses = None
        question = _question(site, replace(chosen, tag=facts.tag), facts.spec)
        if chosen.host:
            reuse = Reuse(connection, find_host(chosen.host, files=False))
            misses = _host_misses(connection, facts, chosen, reuse)
            shown_rows = facts.found.rows[first : first + MAX_SHOWN]
            found = reuse.verdicts((it["hash"], it["tag"]) for it in shown_rows)
            verdicts = tuple(it or Verdict("not-in-cache") for it in found)
        return Page(
            "package.html",
            name,
            _description(facts),
            facts,
            {
                "chosen": chosen,
                "chips": _chips(site, name, chosen),
                "address": lambda **changes: _address(site, name, chosen, **changes),
                "pictures": versions_pictures(site, name, facts.history.rows),
                "linked_data": linked_data(facts, origin(datasette, request) + site.package(name)),
                "recipes": recipe_links(name),
                "virtuals": provided_by(connection, name),
                "badge_markdown": markdown(site, origin(datasette, request), name),
                "shown": MAX_SHOWN,
                "first": first // MAX_SHOWN * MAX_SHOWN,
                "sort": sort,
                "arguments": _arguments(chosen),
                "verdicts": verdicts,
                "host_misses": misses,
                "instead": ways_for_host(question, misses),
                "impact": impact_in(datasette, name, facts.tag, "build")(connection)
                if facts.tag and facts.described
                else None,
                "profiles": SHOWN_PROFILES,
                "targets": scope_names(connection)["targets"],
            },
            feed=f"package/{quote(name, safe='')}/feed.atom",
            unbounded=bool(request.query_string),
        )

    return await answer(datasette, request, read)


def _question(site: Addresses, chosen: Chosen, spec: str) -> Question:
    """What is chosen as a question of the page for specs."""
    scope = {"tag": chosen.tag, "stack": chosen.stacks, "runs_on": chosen.runs_on}
    given = {name: value for name, value in {**scope, "host": chosen.host}.items() if value}
    kept = {"compiler": chosen.compiler} if chosen.compiler else {}
    return Question(spec, given, kept, site.find(""))


def _host_misses(
    connection: Any, facts: PackageFacts, chosen: Chosen, reuse: Reuse
) -> HostMisses | None:
    """Why a host can use none of what is chosen, and what it could; None if it can use any."""
    queries = [parse_spec(facts.spec)]
    tag = facts.tag
    scope = Scope(tag, chosen.stacks, chosen.runs_on, compiler=chosen.compiler)
    if Finder(connection).count(queries, replace(scope, taken=reuse.taken), 1):
        return None
    return host_misses(connection, queries, scope, reuse, any_tag=chosen.tag is None)


def chosen_by(arguments: Any) -> Chosen:
    """What the address asks for; ``variant`` may be there several times."""
    variants = [text for value in arguments.getlist("variant") for text in split_variants(value)]
    return Chosen(
        tag=arguments.get("tag") or None,
        variants=tuple(dict.fromkeys(text for it in variants if (text := it.strip()))),
        **{name: arguments.get(name) or None for name in FIELDS},
    )


def _sql_of(facts: PackageFacts, name: str) -> str:
    """The statement of one of the lists.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in LISTS:
        raise UsageError(f"list must be one of {', '.join(LISTS)}")
    if name == "binaries":
        return facts.sql or "SELECT NULL AS package LIMIT 0"  # known only as a dependency
    return {
        "versions": facts.versions,
        "dependencies": facts.dependencies,
        "dependents": facts.dependents,
    }[name].sql


def _arguments(chosen: Chosen) -> dict[str, str]:
    """What is chosen, as the arguments of an address."""
    given = {"tag": chosen.tag, **{it: getattr(chosen, it) for it in FIELDS}}
    given["variant"] = " ".join(chosen.variants)
    return {name: value for name, value in given.items() if value}


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
        return f"{row['package']}: no binary; known as a dependency of other packages."
    text = (
        f"{row['package']}: {counted(row['specs'], 'specs')} of"
        f" {counted(row['versions'], 'versions')} up to {row['newest_version']},"
        f" in {counted(row['tags'], 'tags')}, last in {row['last_tag']}."
    )
    return f"{text} {row['description']}" if row["description"] else text
