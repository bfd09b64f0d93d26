"""A tag of one catalog beside the same tag of another: ``develop`` itself a week ago."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from etl.catalog.kept import read_catalog
from etl.cli import main
from etl.compare.moments import Moment, read_moment
from etl.sources.pages import read_pages
from etl.writer.build import build_catalog
from etl.writer.intake import Reading
from tests.sites import item, page, place_of, write_site


def develop(folder: Path, versions: dict[str, str], old: Path | None = None) -> Path:
    """A catalog of develop with these packages, at one version each."""
    folder.mkdir()
    files = {
        place_of("develop", name): page(
            "develop", name, [item(sum(map(ord, name + version)), versions=[version])]
        )
        for name, version in versions.items()
    }
    target = folder / "catalog.db"
    readings = [Reading("site", read_pages(write_site(folder / "site", files)))]
    if old:
        readings.insert(0, Reading(str(old), read_catalog(old), is_catalog=True))
    build_catalog(readings, target)
    return target


@pytest.fixture
def weeks(tmp_path: Path) -> tuple[Path, Path]:
    last = develop(tmp_path / "last", {"hdf5": "1.12", "zlib": "1.3"})
    this = develop(tmp_path / "this", {"hdf5": "1.14", "zlib": "1.3", "mpich": "4.2"}, last)
    return last, this


def test_a_tag_is_compared_with_itself_a_week_ago(weeks: tuple[Path, Path]) -> None:
    last, this = weeks
    arguments = ["diff", f"{last}:develop", f"{this}:develop", "--format", "json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["old"], found["new"]) == ("old:develop", "new:develop")
    assert [it["package"] for it in found["added_packages"]] == ["mpich"]
    assert [(it["package"], it["old_version"], it["new_version"]) for it in found["upgraded"]] == [
        ("hdf5", "1.12", "1.14")
    ]
    # The old hdf5 is kept in the newer catalog, but it was gone by then.
    assert (found["binaries_added"], found["binaries_removed"], found["binaries_kept"]) == (2, 1, 1)


def test_the_other_side_may_be_a_tag_of_the_catalog(weeks: tuple[Path, Path]) -> None:
    last, this = weeks
    arguments = ["diff", f"{last}:develop", "develop", "--catalog", str(this)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "from old:develop to new:develop" in result.stdout


def test_a_tag_that_a_catalog_does_not_have_is_an_error(weeks: tuple[Path, Path]) -> None:
    last, this = weeks
    result = CliRunner().invoke(main, ["diff", f"{last}:v9", f"{this}:develop"])
    assert result.exit_code == 2
    assert "v9" in result.stderr


def test_a_colon_alone_makes_no_moment(weeks: tuple[Path, Path]) -> None:
    last, _ = weeks
    assert read_moment("e4s:v2025.11.0") is None
    assert read_moment(f"{last}:e4s:v2025.11.0") == Moment(last, "e4s:v2025.11.0")
