"""What ``it.name`` is in a template of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, Undefined

from datasette_spack.rendering import page_template
from datasette_spack.serve import datasette_for


@pytest.fixture(scope="module")
def found(sample_catalog: Path) -> Any:
    return page_template(datasette_for(sample_catalog), "page.html").environment.getattr


def test_a_row_has_what_it_has(found: Any) -> None:
    assert found({"tag": "develop", "size": None}, "tag") == "develop"
    assert found({"tag": "develop", "size": None}, "size") is None
    assert isinstance(found({"tag": "develop"}, "other"), Undefined)


def test_what_every_row_can_do_is_not_hidden(found: Any) -> None:
    variants = {"items": 1, "mpi": 2}
    assert list(found(variants, "items")()) == [("items", 1), ("mpi", 2)]


def test_all_else_has_attributes(found: Any) -> None:
    assert found(Path("a/b"), "name") == "b"
    assert found({"name": 1}.items(), "mapping")["name"] == 1


async def test_templates_are_compiled_once(
    sample_catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = "/", "/catalog", "/catalog/tags"
    first = datasette_for(sample_catalog)
    texts = [(await first.client.get(page)).text for page in pages]
    compiled: list[object] = []
    monkeypatch.setattr(
        Environment, "compile", lambda self, source, name, *_: compiled.append(name)
    )
    second = datasette_for(sample_catalog)
    assert [(await second.client.get(page)).text for page in pages] == texts
    assert compiled == []
