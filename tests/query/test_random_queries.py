"""Random queries: what Spack 1.1.0 finds, and what is refused here though it answers.

Spack was asked on a machine with debian12, with the recipes of spack-packages v2025.11.0.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from etl.catalog.reader import open_catalog
from etl.query.find import Finder, UnanswerableError
from etl.records import Provision, Recipe
from etl.sources.build_caches.mirror import read_build_caches
from etl.spack.node_attributes import Machine
from etl.spack.syntax import parse_spec
from etl.spack.tokens import SpecSyntaxError
from etl.writer.build import build_catalog
from etl.writer.intake import Reading

REASONS = {
    "the name is a virtual package, whose providers recipes tell": re.compile("is a virtual pack"),
    "the version of a virtual package, which recipes tell": re.compile("which version of"),
    "depends on the machine that Spack runs on": re.compile("depends on the machine"),
    "a range of targets that archspec does not know": re.compile("targets that archspec knows"),
}
PROVIDES = Path(__file__).parents[1] / "data" / "spack" / "provides.json"
HOST = {"os": "debian12", "target": "zen3"}

Answers = list[tuple[str, set[str] | None, set[str] | str]]
"""Each query, what Spack finds (None: it refuses), and what is found here, or why nothing is."""


def ask(catalog: Path, recorded: dict[str, Any], machine: Machine | None = None) -> Answers:
    universe: list[str] = recorded["universe"]
    found: Answers = []
    with open_catalog(catalog) as db:
        finder = Finder(db)
        for it in recorded["queries"]:
            spack = {universe[place] for place in it["hits"]} if "hits" in it else None
            try:
                statement = finder.specs([parse_spec(it["query"], machine)])
                here = {str(hash_) for (hash_,) in finder.rows(statement)} & set(universe)
            except (SpecSyntaxError, UnanswerableError) as error:
                found.append((it["query"], spack, error.message))
            else:
                found.append((it["query"], spack, here))
    return found


@pytest.fixture(scope="module")
def recorded(real_data: Path) -> dict[str, Any]:
    path = real_data / "conformance" / "random_queries.json.gz"
    recorded: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return recorded


@pytest.fixture(scope="module")
def answers(
    real_data: Path, recorded: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Answers:
    """Those of a catalog that knows what recipes provide, on the machine that Spack ran on."""
    target = tmp_path_factory.mktemp("random") / "catalog.db"
    recipes = [
        Recipe(package, None, None, (), tuple(Provision(a, b, tuple(c)) for a, b, c in rules))
        for package, rules in json.loads(PROVIDES.read_text()).items()
    ]
    indexes = read_build_caches(real_data / "indexes")
    build_catalog([Reading("indexes", indexes), Reading("recipes", recipes)], target)
    return ask(target, recorded, HOST.__getitem__)


def differing(answers: Answers) -> list[str]:
    return [
        query
        for query, spack, here in answers
        if spack is not None and not isinstance(here, str) and here != spack
    ]


def refused(answers: Answers) -> Counter[str]:
    """Why what Spack answers is refused."""
    return Counter(
        next((reason for reason, told in REASONS.items() if told.search(here)), here)
        for _, spack, here in answers
        if spack is not None and isinstance(here, str)
    )


def test_what_is_found_is_what_spack_finds(answers: Answers) -> None:
    assert differing(answers) == []
    assert len(answers) == 1944


def test_what_spack_refuses_is_refused(answers: Answers) -> None:
    answered = [here for _, spack, here in answers if spack is None and not isinstance(here, str)]
    # A range of unknown targets, of packages that are not there: nothing is found.
    assert answered == [set(), set()]


def test_what_is_refused_though_spack_answers(answers: Answers) -> None:
    """The list of what is left; the recipe of go-bootstrap computes when it provides go."""
    left = [query for query, spack, here in answers if spack is not None and isinstance(here, str)]
    assert left == [
        "go-or-gccgo-bootstrap@:1",
        "go-or-gccgo-bootstrap@1.0.13:",
        "go-or-gccgo-bootstrap arch=linux-ubuntu22.04-neoverse_v2",
    ]


def test_what_needs_recipes_and_the_machine(
    real_data: Path, recorded: dict[str, Any], tmp_path: Path
) -> None:
    target = tmp_path / "catalog.db"
    build_catalog([Reading("indexes", read_build_caches(real_data / "indexes"))], target)
    answers = ask(target, recorded)
    assert differing(answers) == []
    assert refused(answers) == {
        "the name is a virtual package, whose providers recipes tell": 43,
        "the version of a virtual package, which recipes tell": 14,
        "depends on the machine that Spack runs on": 9,
    }
