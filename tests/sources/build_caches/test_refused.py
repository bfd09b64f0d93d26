"""What refuses to be read is one sentence and one row each; the rest is in the catalog."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from etl.catalog.known import known_sources
from etl.cli import main


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download cache of its own, and no waiting between attempts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "downloads"))
    monkeypatch.setattr("etl.sources.download.fetch.FIRST_PAUSE", 0)


def test_one_sentence_each_and_the_rest_is_there(
    real_data: Path, tmp_path: Path, serve_answers: Any, dead_url: str
) -> None:
    folder = tmp_path / "mirror"
    shutil.copytree(real_data / "views" / "views-only", folder)
    manifest = folder / "v3" / "manifests" / "index" / "py" / "index.manifest.json"
    checksum = json.loads(manifest.read_text())["data"][0]["checksum"]
    (folder / "blobs" / "sha256" / checksum[:2] / checksum).unlink()
    html = (200, b"<html>", {"Content-Type": "text/html"})
    server = serve_answers(
        {
            "/v2/login/x/manifests/index.spack": (401,),
            "/v2/html/x/manifests/index.spack": html,
            "/html/cache_spack_io_index.json": html,
        }
    )
    registry = server.url.replace("http://", "oci+http://")
    refused = {
        f"{registry}/login/x": "the registry answers 401 and does not say how to log in",
        f"{registry}/html/x": "HTML or XML instead of JSON",
        f"{registry}/none/x": "no image is called index.spack",
        f"{server.url}/html": "HTML or XML instead of JSON",
        f"{server.url}/none": "no build cache there",
        dead_url: "no connection",
    }
    catalog = tmp_path / "catalog.db"
    done = CliRunner().invoke(
        main, ["build", str(folder), *refused, "--catalog", str(catalog), "--as", "v1"]
    )
    assert done.exit_code == 1, done.output
    lines = [it for it in done.stderr.splitlines() if it.startswith("refused: ")]
    messages = ["the view py: the index that index.manifest.json names is not there"]
    messages += refused.values()
    assert len(lines) == len(messages)
    with closing(sqlite3.connect(catalog)) as db:
        rows = [row[0] for row in db.execute("SELECT message FROM problems WHERE kind = 'refused'")]
        stacks = db.execute("SELECT DISTINCT stack FROM binary_stacks").fetchall()
    for message in messages:
        assert any(message in line for line in lines), (message, lines)
        assert any(message in row for row in rows), (message, rows)
    assert stacks == [("small",)]


def test_an_update_reads_the_view_that_was_named(
    real_data: Path, tmp_path: Path, serve_folder: Any
) -> None:
    server = serve_folder(real_data / "views" / "default-and-views")
    catalog = tmp_path / "catalog.db"
    source = f"mine={server.url}/#codecs"
    done = CliRunner().invoke(main, ["build", source, "--catalog", str(catalog), "--as", "v1"])
    assert done.exit_code == 0, done.output
    known = [(f"{server.url}/#codecs", "mine", "--view codecs --as v1")]
    assert known_sources(catalog) == known
