"""What a search's feed tells of binaries that are gone: each once, and only what is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.browse.query_news import query_changes, query_news
from etl.catalog.reader import open_catalog
from etl.query.scope import Scope
from etl.spack.syntax import parse_spec
from tests.small_catalogs import three_tags_of_caches
from tests.weekly import three_weeks

OLD = "develop-2025-01-05"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return three_weeks(tmp_path_factory.mktemp("weeks"))


@pytest.mark.parametrize("scope", [Scope(), Scope(stack="e4s"), Scope(also_in="e4s")])
def test_a_binary_that_is_gone_is_counted_once(catalog: Path, scope: Scope) -> None:
    with open_catalog(catalog) as db:
        told = query_news(db, [parse_spec("tool-2")], scope)
        changes = query_changes(db, [parse_spec("tool-2")], scope)
    assert [(it["version"], it["tag"], it["binaries"]) for it in told] == [("1.0", OLD, 1)]
    assert [(it.event, it.tag, it.binaries) for it in changes] == [("removed", OLD, 1)]


@pytest.mark.parametrize("scope", [Scope(also_in="hep"), Scope(stack="e4s", also_in="hep")])
def test_nothing_is_told_of_another_stack(catalog: Path, scope: Scope) -> None:
    with open_catalog(catalog) as db:
        assert query_news(db, [parse_spec("tool-2")], scope) == ()
        assert query_changes(db, [parse_spec("tool-2")], scope) == ()


def test_nothing_is_told_of_what_another_cache_has(tmp_path: Path) -> None:
    with open_catalog(three_tags_of_caches(tmp_path)) as db:
        for text in ("lib", "tool@1.9"):
            assert query_news(db, [parse_spec(text)], Scope(cache="all"))
            assert query_news(db, [parse_spec(text)], Scope(cache="all", not_in="some")) == ()
