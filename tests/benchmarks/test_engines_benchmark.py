"""The benchmark of engines asks both the same, and refuses to compare different answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import engines


def test_all_scans_give_the_same_rows(
    sample_catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert engines.measure(sample_catalog, tmp_path) == []
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[-5:]] == [
        scan.what for scan in engines.SCANS
    ]
    odd = replace(engines.SCANS[0], duckdb="SELECT 'zlib', 1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "SCANS", (odd,))
        with pytest.raises(SystemExit, match="packages with the most binaries: the engines give"):
            engines.compare(sample_catalog, tmp_path / "parquet", repeat=1)
