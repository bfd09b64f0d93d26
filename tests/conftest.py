"""What all tests share: where the real data lies."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from etl.cli import main
from etl.sources.build_caches.mirror import read_build_caches
from etl.sources.pages import read_pages
from etl.writer.build import build_catalog
from etl.writer.intake import Reading

if TYPE_CHECKING:
    from tests.buckets import Bucket
    from tests.running import Outcome, Run

CHECKOUT = Path(__file__).parents[1]

sys.path.insert(0, str(CHECKOUT))  # what tests share is imported as ``tests.sites``

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts tests in the background has it ignored, and what they start inherits that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data, unpacked; what is in it, ``tests/data/README.md`` tells."""
    from tests.real_data import unpacked

    return unpacked()


@pytest.fixture(scope="session")
def sample_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog of the bundled sample, as ``make serve`` builds it."""
    target = tmp_path_factory.mktemp("sample") / "catalog.db"
    sample = CHECKOUT / "examples"
    pages, indexes = read_pages(sample / "site"), read_build_caches(sample / "indexes")
    build_catalog([Reading("site", pages), Reading("indexes", indexes)], target)
    return target


@pytest.fixture(scope="session")
def indexes_catalog(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalog of the real indexes of v2025.07.0, which the locks were made for."""
    target = tmp_path_factory.mktemp("indexes") / "catalog.db"
    with pytest.raises(SystemExit) as end:
        main(["build", str(real_data / "indexes"), "--catalog", str(target), "--no-progress"])
    assert end.value.code == 0
    return target


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that others may enter as well, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o777)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process; whatever is not meant for a user escapes and fails."""
    from tests.running import Outcome

    def run_command(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(it) for it in arguments])
        captured = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Outcome(end.value.code, captured.out, captured.err)

    return run_command


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An empty bucket, and a download cache of its own."""
    from tests.buckets import served_bucket

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with served_bucket(tmp_path / "bucket") as found:
        yield found
