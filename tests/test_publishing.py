"""The job that publishes a catalog every week, run as it is written, but for whom it asks."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import sys
from pathlib import Path
from subprocess import CompletedProcess, run
from typing import Any

import yaml

from etl.catalog.check import check_catalog
from etl.catalog.reader import open_catalog
from etl.catalog.schema import SCHEMA_VERSION
from tests.buckets import Bucket
from tests.running import CHECKOUT, PATIENCE
from tests.weekly import digest, rows

WORKFLOW = yaml.safe_load((CHECKOUT / "deploy" / "publish.yml").read_text())
STEPS = [step["run"] for step in WORKFLOW["jobs"]["publish"]["steps"] if "run" in step][1:]
"""What it runs, but for the installation."""

_GH = """#!/usr/bin/env bash
# The releases of a project, as a folder.
set -e
case "$2" in
    view) [ -d "$RELEASE" ] ;;
    create) mkdir "$RELEASE" ;;
    download) cp "$RELEASE/$5" "$RELEASE/$7" . ;;
    upload) shift 4; cp "$@" "$RELEASE" ;;
    *) exit 64 ;;
esac
"""
_PROGRAM = f"""#!{sys.executable}
import os, sys
from etl.cli import main
sys.argv = [it.replace("https://binaries.spack.io", os.environ["BUCKET"]) for it in sys.argv]
main()
"""


class Job:
    """The job, with a place for what it publishes."""

    def __init__(self, folder: Path, bucket: Bucket) -> None:
        self.release, self._folder = folder / "release", folder
        self._environment = {
            "PATH": f"{folder / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": str(CHECKOUT),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "RELEASE": str(self.release),
            "BUCKET": bucket.url,
        }
        programs = {"gh": _GH, "spack-catalog": _PROGRAM}
        programs["python"] = f'#!/usr/bin/env bash\nexec {sys.executable} "$@"\n'
        for name, text in programs.items():
            (folder / "bin").mkdir(exist_ok=True)
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)

    def run(self, week: int) -> CompletedProcess[str]:
        """All steps, on a machine that has nothing yet; the last that was run."""
        home = self._folder / f"machine-{week}"
        home.mkdir()
        for step in STEPS:
            ended = run(
                ["bash", "-e", "-c", step], cwd=home, env=self._environment, text=True,
                capture_output=True, check=False, timeout=PATIENCE,
            )  # fmt: skip
            if ended.returncode:
                break
        return ended

    def published(self) -> tuple[Path, dict[str, Any]]:
        """The catalog that is published, unpacked, and what is said of it."""
        packed = (self.release / "catalog.db.gz").read_bytes()
        sums = (self.release / "catalog.db.gz.sha256").read_text().split()
        assert sums == [hashlib.sha256(packed).hexdigest(), "catalog.db.gz"]
        catalog = self._folder / "published.db"
        catalog.write_bytes(gzip.decompress(packed))
        said = json.loads((self.release / "catalog.json").read_text())
        assert said["catalog"] == {
            "file": "catalog.db", "bytes": catalog.stat().st_size, "sha256": digest(catalog),
        }  # fmt: skip
        assert (said["packed"]["bytes"], said["packed"]["sha256"]) == (len(packed), sums[0])
        assert said["schema_version"] == SCHEMA_VERSION
        with open_catalog(catalog) as db:
            assert list(check_catalog(db)) == []
        return catalog, said["update"]


GONE = "SELECT tag, package FROM gone_list ORDER BY 1, 2"


def test_the_job_publishes_what_there_is_and_remembers_what_was(
    bucket: Bucket, tmp_path: Path
) -> None:
    job = Job(tmp_path, bucket)
    bucket.become({"develop/e4s": [1, 2], "develop-2025-01-05/e4s": [3], "v1/e4s": [6]})
    assert job.run(1).returncode == 0
    catalog, update = job.published()
    assert (update["changed"], update["binaries"], rows(catalog, GONE)) == (True, 4, [])

    # One index is damaged: what it had stays, all else is new, and the job says so.
    bucket.become({"develop/e4s": [2, 4], "develop-2025-01-12/e4s": [5], "v1/e4s": []})
    bucket.write("v1/e4s/build_cache/index.json", '{"database":')
    assert job.run(2).returncode == 0
    catalog, update = job.published()
    assert (update["binaries_added"], update["binaries_removed"]) == (2, 2)
    assert len(update["refused"]) == 1
    assert rows(catalog, GONE) == [("develop", "tool-1"), ("develop-2025-01-05", "tool-3")]
    assert rows(catalog, "SELECT package FROM binary_list WHERE tag = 'v1'") == [("tool-6",)]

    before = digest(catalog)
    assert job.run(3).returncode == 0
    catalog, update = job.published()
    assert (update["changed"], digest(catalog)) == (False, before)


def test_the_job_publishes_nothing_where_it_could_not_update(
    bucket: Bucket, tmp_path: Path
) -> None:
    job = Job(tmp_path, bucket)
    bucket.become({"develop/e4s": [1, 2]})
    assert job.run(1).returncode == 0
    before = {it.name: it.read_bytes() for it in job.release.iterdir()}
    # What lies in the release is not what was put there.
    (job.release / "catalog.db.gz").write_bytes(before["catalog.db.gz"][:-9])
    ended = job.run(2)
    assert ended.returncode != 0
    assert "WARNING" in ended.stderr
    assert not (tmp_path / "machine-2" / "catalog.json").exists()
    (job.release / "catalog.db.gz").write_bytes(before["catalog.db.gz"])
    # Nothing is there to be read any more.
    shutil.rmtree(bucket.folder)
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    assert job.run(3).returncode == 0
    _, update = job.published()
    assert (update["changed"], len(update["refused"])) == (False, 1)
    assert (job.release / "catalog.db.gz").read_bytes() == before["catalog.db.gz"]
