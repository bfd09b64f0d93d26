"""The files in ``deploy/`` are what the documentation shows, and fit the project."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from etl.cli import main
from tests.running import PATIENCE

CHECKOUT = Path(__file__).parents[1]
DOCUMENT = (CHECKOUT / "docs" / "deploying.md").read_text()
DATASETTE = [sys.executable, "-m", "datasette"]
SHOWN = {
    "nginx.conf": "nginx",
    "Dockerfile": "dockerfile",
    "spack-catalog.service": "ini",
    "spack-catalog-update.service": "systemd",
    "spack-catalog-update.timer": "timer",
    "publish.yml": "yaml",
}
DOCKERFILE = (CHECKOUT / "deploy" / "Dockerfile").read_text()


def test_all_files_are_shown() -> None:
    assert {path.name for path in (CHECKOUT / "deploy").iterdir()} == SHOWN.keys()


@pytest.mark.parametrize("name", SHOWN)
def test_the_documentation_shows_the_file(name: str) -> None:
    blocks = re.findall(rf"^```{SHOWN[name]}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert blocks == [(CHECKOUT / "deploy" / name).read_text()]


def copied() -> list[str]:
    """What the Dockerfile copies from the checkout."""
    lines = re.findall(r"^COPY (.*)$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def test_what_the_image_copies_is_there() -> None:
    sources = copied()
    assert sources
    assert [source for source in sources if not (CHECKOUT / source).exists()] == []


def test_the_image_has_what_the_program_needs(tmp_path: Path) -> None:
    for source in copied():
        place = tmp_path / source
        if (CHECKOUT / source).is_dir():
            shutil.copytree(CHECKOUT / source, place, symlinks=True)
        else:
            shutil.copy(CHECKOUT / source, place)
    project = (CHECKOUT / "pyproject.toml").read_text()
    for name in re.findall(r'^(?:readme|license-files) = \W*"?([\w.]+)"', project, re.MULTILINE):
        assert (tmp_path / name).is_file(), name
    assert [path for path in tmp_path.rglob("*") if path.is_symlink() and not path.exists()] == []


def commands() -> list[list[str]]:
    """How ``spack-catalog`` is called by the files and in the documentation."""
    (image,) = re.findall(r"^CMD \[(.*)\]$", DOCKERFILE, re.MULTILINE)
    unit = (CHECKOUT / "deploy" / "spack-catalog.service").read_text()
    (start,) = re.findall(r"^ExecStart=\S+/spack-catalog (.*)$", unit, re.MULTILINE)
    text = re.findall(r"^spack-catalog (.*)$", DOCUMENT, re.MULTILINE)
    return [image.replace('"', "").split(", "), *map(shlex.split, [start, *text])]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_commands_have_options_that_exist(command: list[str]) -> None:
    name, *words = command
    shown = CliRunner().invoke(main, [name, "--help"]).output
    assert [word for word in words if word.startswith("--") and f" {word} " not in shown] == []


def test_publish_has_the_options() -> None:
    (command,) = re.findall(
        r"^(datasette publish cloudrun .*?[^\\])$", DOCUMENT, re.MULTILINE | re.DOTALL
    )
    words = shlex.split(command.replace("\\\n", ""))
    shown = subprocess.run(
        [*DATASETTE, "publish", "cloudrun", "--help"],
        capture_output=True, text=True, check=True, timeout=PATIENCE,
    ).stdout  # fmt: skip
    options = [word for word in words if word.startswith("--") and " " not in word]
    assert [option for option in options if f" {option} " not in shown] == []
    (extra,) = (word for word in words if word.startswith("--setting"))
    settings = re.findall(r"--setting (\w+) (\S+)", extra)
    known = subprocess.run(
        [*DATASETTE, "--help-settings"],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    ).stdout
    assert [name for name, _ in settings if name not in known] == []
