"""Every command that looks for a spec says what came near when there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

NO_PACKAGE = "no binary satisfies hdff5\n  no package hdff5 in this catalog; did you mean hdf5?\n"
NO_VERSION = (
    "no binary satisfies zlib-ng@9\n"
    "  without @9: 14 specs; available: 2.2.4 (10), 2.0.7 (2), 2.2.1 (2)\n"
)


@pytest.mark.parametrize("command", ["find", "why", "impact"])
@pytest.mark.parametrize(("spec", "told"), [("hdff5", NO_PACKAGE), ("zlib-ng@9", NO_VERSION)])
def test_what_came_near(run: Any, sample_catalog: Path, command: str, spec: str, told: str) -> None:
    done = run(command, spec, "--catalog", sample_catalog)
    assert (done.code, done.out, done.err) == (1, "", told)


def test_a_hash_that_is_not_there(run: Any, sample_catalog: Path) -> None:
    done = run("why", "/zzzz", "--catalog", sample_catalog)
    assert (done.code, done.out, done.err) == (1, "", "no binary satisfies /zzzz\n")
