"""Random queries: what Spack 1.1.0 finds, and what is refused here though it answers."""

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
from etl.sources.build_caches.mirror import read_build_caches
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

Answers = list[tuple[str, set[str] | None, set[str] | str]]
"""Each query, what Spack finds (None: it refuses), and what is found here, or why nothing is."""


@pytest.fixture(scope="module")
def answers(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    target = tmp_path_factory.mktemp("random") / "catalog.db"
    build_catalog([Reading("indexes", read_build_caches(real_data / "indexes"))], target)
    path = real_data / "conformance" / "random_queries.json.gz"
    recorded: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    universe: list[str] = recorded["universe"]
    found: Answers = []
    with open_catalog(target) as db:
        finder = Finder(db)
        for it in recorded["queries"]:
            spack = {universe[place] for place in it["hits"]} if "hits" in it else None
            try:
                statement = finder.specs([parse_spec(it["query"])])
                here = {str(hash_) for (hash_,) in finder.rows(statement)} & set(universe)
            except (SpecSyntaxError, UnanswerableError) as error:
                found.append((it["query"], spack, error.message))
            else:
                found.append((it["query"], spack, here))
    return found


def test_what_is_found_is_what_spack_finds(answers: Answers) -> None:
    wrong = [
        query
        for query, spack, here in answers
        if spack is not None and not isinstance(here, str) and here != spack
    ]
    assert wrong == []


def test_what_spack_refuses_is_refused(answers: Answers) -> None:
    answered = [here for _, spack, here in answers if spack is None and not isinstance(here, str)]
    # A range of unknown targets, of packages that are not there: nothing is found.
    assert answered == [set(), set()]


def test_what_is_refused_though_spack_answers(answers: Answers) -> None:
    """The list of what is left to do; a query that comes to be answered changes the counts."""
    refused = Counter(
        next((reason for reason, told in REASONS.items() if told.search(here)), here)
        for _, spack, here in answers
        if spack is not None and isinstance(here, str)
    )
    assert refused == {
        "the name is a virtual package, whose providers recipes tell": 43,
        "the version of a virtual package, which recipes tell": 14,
        "depends on the machine that Spack runs on": 9,
    }
    assert len(answers) == 1944
