"""The digest of the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasette_spack.program import program_digest


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the plugin's."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text("page")
    (tmp_path / "page.py").write_text("page = 1")
    monkeypatch.setattr("datasette_spack.program.FOLDERS", (tmp_path,))
    return tmp_path


def digest() -> str:
    return program_digest.__wrapped__()


@pytest.mark.parametrize("place", ["templates/page.html", "page.py", "templates/new.html"])
def test_is_another_when_a_file_is(copied: Path, place: str) -> None:
    before = digest()
    assert digest() == before
    (copied / place).write_text("changed")
    assert digest() != before


def test_is_another_when_a_file_has_another_name(copied: Path) -> None:
    before = digest()
    (copied / "page.py").rename(copied / "site.py")
    assert digest() != before


def test_does_not_depend_on_what_python_leaves_behind(copied: Path) -> None:
    before = digest()
    (copied / "page.cpython-311.pyc").write_text("x")
    assert digest() == before


def test_is_another_with_another_datasette(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest()
    monkeypatch.setattr("datasette_spack.program.version", lambda name: f"{name} 99")
    assert digest() != before
