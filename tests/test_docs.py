"""What the documentation says is so: its queries run, its links lead somewhere."""

from __future__ import annotations

import re
import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from etl.catalog.views import VIEWS
from etl.cli import main

CHECKOUT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md"), *CHECKOUT.glob("examples/*.md")]
)
README = (CHECKOUT / "README.md").read_text()


def queries() -> Iterator[object]:
    """Every query of the documents, named by its document and line."""
    for document in DOCUMENTS:
        text = document.read_text()
        for match in re.finditer(r"^```sql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            line = text.count("\n", 0, match.start()) + 2
            yield pytest.param(match[1], id=f"{document.relative_to(CHECKOUT)}:{line}")


@pytest.mark.parametrize("query", list(queries()))
def test_a_query_finds_something_in_the_sample(query: str, sample_catalog: Path) -> None:
    with closing(sqlite3.connect(f"{sample_catalog.as_uri()}?immutable=1", uri=True)) as db:
        rows = db.execute(query).fetchall()
    assert bool(rows) != query.startswith("-- empty")


def commands() -> Iterator[object]:
    """What the README says to type to find and compare binaries."""
    for match in re.finditer(r"^spack-catalog (find|diff) .*$", README, re.MULTILINE):
        yield pytest.param(shlex.split(match[0])[1:], id=match[0])


@pytest.mark.parametrize("words", list(commands()))
def test_a_command_finds_something_in_the_sample(words: list[str], sample_catalog: Path) -> None:
    done = CliRunner().invoke(main, [*words, "--catalog", str(sample_catalog)])
    assert (done.exit_code, bool(done.stdout)) == (0, True)


def test_the_readme_has_ten_queries() -> None:
    numbers = re.findall(r"^\*\*(\d+)\. ", README, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, 11)]


def test_the_readme_lists_the_views_and_their_columns(sample_catalog: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| ([\w, ]+) \|$", README, re.M)
    with closing(sqlite3.connect(f"{sample_catalog.as_uri()}?immutable=1", uri=True)) as db:
        columns = {
            view: [column for _, column, *_ in db.execute(f"PRAGMA table_info({view})")]
            for view in VIEWS
        }
    assert {view: listed.split(", ") for view, listed in rows} == columns


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_a_link_into_the_project_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text())
    missing = [
        link for link in links if "://" not in link and not (document.parent / link).exists()
    ]
    assert missing == []


def test_the_readme_says_what_every_dependency_is_for() -> None:
    project = (CHECKOUT / "pyproject.toml").read_text()
    dependencies = re.findall(r'^    "([\w-]+)(?:>=[^"]*)",$', project, re.MULTILINE)
    assert "datasette" in dependencies
    table = README.partition("## What it is built on")[2].partition("\n## ")[0].lower()
    assert [name for name in dependencies if name.lower() not in table] == []
