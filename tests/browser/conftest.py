"""A real server and a real browser, one of each for all tests here."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.browser.driver import CHROMEDRIVER, CHROMIUM, Browser, browser


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the browser saves files."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def window(downloads: Path) -> Iterator[Browser]:
    """A browser; the test is skipped where there is none."""
    if not CHROMIUM or not CHROMEDRIVER:
        pytest.skip("chromium and chromedriver are not installed (apt-get install chromium-driver)")
    with browser(downloads) as opened:
        yield opened


@pytest.fixture(scope="session")
def address(sample_catalog: Path) -> Iterator[str]:
    """Where ``spack-catalog serve`` serves the sample."""
    with served(sample_catalog) as found:
        yield found


@contextmanager
def served(catalog: Path) -> Iterator[str]:
    """Where ``spack-catalog serve`` serves a catalog, as long as it is needed."""
    main = "from etl.cli import main; main()"
    options = ["serve", "--catalog", str(catalog), "--port", "0"]
    command = [sys.executable, "-c", main, *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        yield server.stderr.readline().strip()
        server.terminate()
