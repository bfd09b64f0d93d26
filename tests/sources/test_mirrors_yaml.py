"""Spack's mirrors.yaml: each mirror a named cache, and files that are none."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner

from etl.cli import main
from etl.errors import UsageError
from etl.sources.mirrors_yaml import is_mirrors_yaml, read_mirrors_yaml
from etl.sources.named import Asked


def read(tmp_path: Path, text: str) -> list[Asked]:
    file = tmp_path / "mirrors.yaml"
    file.write_text(text)
    return read_mirrors_yaml(file)


def test_mirrors_in_all_notations(tmp_path: Path) -> None:
    text = """
mirrors:
  plain: https://cache.e4s.io
  local: file:///data/a%20b
  relative: ./here
  whole: {url: 's3://bucket/x', view: v2026.10.0, signed: false}
  both:
    fetch: {url: 'https://read', view: stacks/e4s}
    push: https://write
  short: {fetch: 'https://read', push: 'https://write'}
  sources: {url: 'https://sources', binary: false}
"""
    assert read(tmp_path, text) == [
        Asked("https://cache.e4s.io", "plain"),
        Asked("/data/a b", "local"),
        Asked(str(tmp_path / "here"), "relative"),
        Asked("s3://bucket/x", "whole", "v2026.10.0", False),
        Asked("https://read", "both", "stacks/e4s"),
        Asked("https://read", "short"),
    ]


def test_variables_and_the_notation_that_hides_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHE", "box")
    monkeypatch.delenv("NOSUCH", raising=False)
    text = """
mirrors::
  one: s3://$CACHE/x
  two: s3://a-${cache}b/x
  three: https://example.org/$NOSUCH/${NOSUCH}
"""
    assert read(tmp_path, text) == [
        Asked("s3://box/x", "one"),
        Asked("s3://a-boxb/x", "two"),
        Asked("https://example.org/$NOSUCH/${NOSUCH}", "three"),
    ]
    hidden = read(tmp_path, "mirrors: {a: 'https://a'}\n'mirrors:': {b: 'https://b'}\n")
    assert hidden == [Asked("https://a", "a")]


def test_one_that_is_as_large_as_may_be(tmp_path: Path) -> None:
    text = "mirrors: {a: 'https://a'}\n#"
    assert read(tmp_path, text.ljust(1 << 20, "x")) == [Asked("https://a", "a")]
    with pytest.raises(UsageError, match="has more than 1,048,576 bytes; not read"):
        read(tmp_path, text.ljust((1 << 20) + 1, "x"))


def test_what_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mirrors.yaml").mkdir()
    (tmp_path / "mirrors.yaml").touch()
    assert is_mirrors_yaml(tmp_path / "mirrors.yaml")
    assert not is_mirrors_yaml(tmp_path / "other.yaml")
    assert not is_mirrors_yaml(tmp_path / "folder" / "mirrors.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mirrors: [a]", "has no mirrors in it"),
        ("", "has no mirrors in it"),
        ("mirrors: {a: &x y, b: *x}", "alias"),
        ("mirrors: {", "not YAML"),
    ],
)
def test_what_is_no_list_of_mirrors(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("a: {push: x}", "mirror a: has no url"),
        ("a: {url: ''}", "mirror a: has no url"),
        ("a: {url: [x]}", "mirror a: has no url"),
        (f"'{'x' * 99}!': x", f"mirror {'x' * 80}: this cannot be the name of a cache"),
        ("a: [3]", "mirror a: expected an address"),
        ("'a b': x", "mirror a b: this cannot be the name of a cache"),
        ("a: {url: x, view: ../y}", "mirror a: '../y' cannot be the name of a view"),
        ("a: {url: x, view: [y]}", "cannot be the name of a view"),
    ],
)
def test_one_mirror_that_is_wrong_spoils_no_other(
    tmp_path: Path, real_data: Path, entry: str, message: str
) -> None:
    folder = real_data / "views" / "views-only"
    file = tmp_path / "mirrors.yaml"
    file.write_text(f"mirrors:\n  mine: {{url: '{folder}', view: py}}\n  {entry}\n")
    words = [str(file), "--no-progress", "--catalog", str(tmp_path / "c.db")]
    answer = CliRunner().invoke(main, ["build", *words])
    assert answer.exit_code == 1, answer.output
    (line,) = answer.stderr.splitlines()
    assert line.startswith(f"refused: {file}: mirror ")
    assert message in line
    db = sqlite3.connect(tmp_path / "c.db")
    assert db.execute("SELECT name, tags FROM caches").fetchall() == [("mine", 1)]
    assert db.execute("SELECT kind, place FROM problems").fetchall() == [
        ("refused", "mirrors.yaml")
    ]
    answer = CliRunner().invoke(main, ["update", *words])
    assert (answer.exit_code, "nothing was written" in answer.stdout) == (1, True)


def test_a_catalog_of_the_mirrors_of_spack(tmp_path: Path, real_data: Path) -> None:
    folder = real_data / "views"
    (tmp_path / "mirrors.yaml").write_text(
        f"mirrors:\n  mine: {{url: '{folder}/views-only', view: py}}\n"
        f"  public: file://{folder}/bucket\n"
    )
    catalog = tmp_path / "c.db"
    source = str(tmp_path / "mirrors.yaml")
    answer = CliRunner().invoke(main, ["build", source, "--no-progress", "--catalog", str(catalog)])
    assert answer.exit_code == 0, answer.output
    told = json.loads((folder / "expected.json").read_text())["views-only"]["mirrors"]["."]
    db = sqlite3.connect(catalog)
    assert db.execute("SELECT name, tags FROM caches").fetchall() == [("mine", 1), ("public", 3)]
    assert db.execute(
        "SELECT tags.name, mirrors.view, mirrors.binaries FROM mirrors"
        " JOIN tags ON tags.id = tag_id WHERE tags.name LIKE 'mine:%'"
    ).fetchall() == [("mine:views-only", "py", len(told["py"]["in_buildcache"]))]
