"""``/spec/<hash>``: all that is known of a spec; a prefix of its hash will do."""

from __future__ import annotations

from typing import Any

from datasette.utils.asgi import Response

from datasette_spack.site.addresses import Addresses
from datasette_spack.site.answer import MovedError, Page, answer, fields_of, named
from datasette_spack.site.recipes import recipe_links
from etl.browse.spec import SpecFacts, spec_facts, specs_with_prefix
from etl.catalog.asking import Listed
from etl.compare.cause_words import cause_in_words
from etl.compare.rebuilt import last_build
from etl.hosts.profiles import SHOWN_PROFILES, find_host
from etl.query.find import Finder, Scope
from etl.query.reuse import Reuse
from etl.spack.syntax import parse_spec

SPEC_ROUTE = r"/spec/(?P<hash>[^/]+?)(?P<format>\.json)?$"


async def spec(datasette: Any, request: Any) -> Response:
    """The page of a spec, or the list of those whose hash begins as the address says."""
    given, form = named(request, "hash"), request.url_vars["format"]
    hash_ = given.removeprefix("/").lower()
    site = Addresses(datasette)

    def read(connection: Any) -> Page:
        found = specs_with_prefix(connection, hash_)
        if found.total > 1:
            return _candidates(hash_, found, site)
        whole = found.rows[0]["hash"]
        if given != whole:
            query = f"?{request.query_string}" if request.query_string else ""
            raise MovedError(site.spec(whole) + (form or "") + query)
        facts, before = spec_facts(connection, whole), last_build(connection, whole)
        host = request.args.get("host", "").strip()
        reuse = Reuse(connection, find_host(host, files=False)) if host else None
        verdict = reuse.verdict(whole) if reuse else None
        others = None
        if reuse and verdict and not verdict.reusable:
            others = _others(connection, facts, reuse)
        return Page(
            "spec.html",
            _title(facts),
            facts.text,
            {**fields_of(facts), "build_before": before and before.to_json()} if form else facts,
            {
                "recipes": recipe_links(facts.spec["package"]),
                "host": host,
                "verdict": verdict,
                "others": others,
                "before": before,
                "in_words": cause_in_words,
                "profiles": SHOWN_PROFILES,
            },
            unbounded=True,
        )

    return await answer(datasette, request, read)


def _others(connection: Any, facts: SpecFacts, reuse: Reuse) -> list[tuple[str, str, int]]:
    """Other builds, of the same version and of any, that a host can use: words, spec, number."""
    package, version = facts.spec["package"], facts.spec["version"]
    specs = [(f"{package} {version}", f"{package}@={version}")] if version else []
    finder, scope = Finder(connection), Scope(taken=reuse.taken)
    return [
        (words, spec, finder.count([parse_spec(spec)], scope))
        for words, spec in [*specs, (package, package)]
    ]


def _title(facts: SpecFacts) -> str:
    row = facts.spec
    version = f"@{row['version']}" if row["version"] else ""
    return f"{row['package']}{version} /{row['hash'][:7]}"


def _candidates(prefix: str, found: Listed, site: Addresses) -> Page:
    return Page(
        "spec_candidates.html",
        f"{found.total:,} hashes begin with {prefix}",
        f"{found.total:,} specs have a hash that begins with {prefix}.",
        {"prefix": prefix, "specs": found.rows, "total": found.total, "sql": found.sql},
        {},
        unbounded=True,
    )
