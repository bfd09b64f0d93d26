"""Whether a mirror is signed, and publishes keys: one that Spack signed, and what became of it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etl.records import Mirror, Problem
from etl.sources.download.fetch import Fetcher
from etl.sources.recognise import read_source
from etl.sources.selection import Selection

SIGNED = Path(__file__).parents[2] / "data" / "signed" / "releases" / "v2026.10"
HASHES = ["io5qqcw4lobmt5v6sikvfdlt2j7cwgwm", "zyklpecjd6vlhgxlglndlw5jbn6a3rfy"]


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SIGNED, tmp_path / "v2026.10"))


def manifest_of(mirror: Path, package: str) -> Path:
    (found,) = (mirror / "v3" / "manifests" / "spec" / package).iterdir()
    return found


def without_signature(text: str) -> str:
    return text.partition("\n\n")[2].partition("-----BEGIN PGP SIGNATURE")[0]


def no_keys(mirror: Path) -> None:
    (mirror / "v3" / "manifests" / "key" / "keys.manifest.json").unlink()


def empty_keys(mirror: Path) -> None:
    data = b'{"keys": {}}'
    checksum = hashlib.sha256(data).hexdigest()
    blob = mirror / "blobs" / "sha256" / checksum[:2] / checksum
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(data)
    manifest = mirror / "v3" / "manifests" / "key" / "keys.manifest.json"
    value = json.loads(manifest.read_text())
    value["data"][0] |= {"checksum": checksum, "contentLength": len(data)}
    manifest.write_text(json.dumps(value))


def damaged_keys(mirror: Path) -> None:
    (mirror / "v3" / "manifests" / "key" / "keys.manifest.json").write_text("<html>")


def one_unsigned(mirror: Path) -> None:
    file = manifest_of(mirror, "hello-tool")
    file.write_text(without_signature(file.read_text()))


def none_signed(mirror: Path) -> None:
    for package in ("hello-data", "hello-tool"):
        file = manifest_of(mirror, package)
        file.write_text(without_signature(file.read_text()))


def unchanged(mirror: Path) -> None:
    """As Spack left it."""


Change = Callable[[Path], None]
CHANGES: list[tuple[Change, bool | None, bool | None]] = [
    (unchanged, True, True),
    (no_keys, True, False),
    (empty_keys, True, False),
    (damaged_keys, True, None),
    (none_signed, False, True),
]


@pytest.mark.parametrize(("change", "signed", "keys"), [*CHANGES, (one_unsigned, False, True)])
def test_a_folder(
    mirror: Path, fetcher: Fetcher, change: Change, signed: bool | None, keys: bool | None
) -> None:
    change(mirror)
    records = list(read_source(str(mirror), Selection(), fetcher))
    assert [it for it in records if isinstance(it, Problem)] == []
    found = [it for it in records if isinstance(it, Mirror)]
    assert [(it.tag, it.stack, it.view) for it in found] == [
        ("v2026.10", "root", None),
        ("v2026.10.0", "root", "v2026.10.0"),
        ("v2026.10.0", "tools", "stacks/tools"),
    ]
    assert [it.keys for it in found] == [keys] * 3
    # The last view has only hello-data, of which the signature is left.
    of_tools = signed if change is not one_unsigned else True
    assert [it.signed for it in found] == [signed, signed, of_tools]
    assert sorted(spec.hash for spec in found[1].specs) == HASHES


@pytest.mark.parametrize(("change", "signed", "keys"), CHANGES)
def test_on_the_web(
    mirror: Path,
    serve_folder: Callable[[Path], Any],
    fetcher: Fetcher,
    change: Change,
    signed: bool | None,
    keys: bool | None,
) -> None:
    change(mirror)
    url = f"{serve_folder(mirror.parent).url}/v2026.10"
    records = list(read_source(url, Selection(), fetcher))
    found = [it for it in records if isinstance(it, Mirror)]
    assert [(it.signed, it.keys) for it in found] == [(signed, keys)] * 2


def test_a_manifest_that_is_damaged_says_nothing_of_signatures(
    mirror: Path, fetcher: Fetcher
) -> None:
    manifest_of(mirror, "hello-tool").write_text("")
    records = list(read_source(str(mirror), Selection(views=frozenset({"v2026.10.0"})), fetcher))
    (found,) = (it for it in records if isinstance(it, Mirror))
    assert (found.signed, len(found.specs)) == (True, 2)
    (problem,) = (it for it in records if isinstance(it, Problem))
    assert problem.message == "not JSON: the file is empty; fetch it again"
