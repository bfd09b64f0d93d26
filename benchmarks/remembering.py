"""Measure a catalog as a source beside the pages that it was built from.

    python -m benchmarks.remembering SITE [--catalog FILE]

``SITE`` is a folder of pages, such as ``python -m benchmarks.generate`` makes; ``--catalog`` is
what was built from it, if that need not be built.  Reading is all that a build does before it
writes.  For pages that is nearly all that they take; rows of a catalog are taken out of it while
the next is written, so that is measured and counted, too.  The whole build does the same writing
after either, so that its ratio is larger.
The exit code is 1 if the budget is not kept, or the catalog that is built again is another.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.processes import BUILD, run
from etl.catalog.kept import read_catalog
from etl.memory import no_garbage_collection
from etl.sources.files import sha256_of
from etl.sources.pages import read_pages
from etl.writer.intake import Intake, Reading
from etl.writer.shelf import Shelf
from etl.writer.vocabulary import Vocabulary

READING_BUDGET = 0.1
"""CPU time in which a catalog is read, at most, in times of reading its pages."""


def read(source: Path, *, is_catalog: bool) -> float:
    """Read a source as a build does, to the last statement; returns seconds of CPU."""
    with (
        closing(sqlite3.connect("", isolation_level=None)) as db,
        closing(Shelf(db, Vocabulary())) as shelf,
    ):
        started = time.process_time()
        records = read_catalog(source) if is_catalog else read_pages(source)
        Intake(shelf).read(Reading(str(source), records, is_catalog=is_catalog))
        shelf.close_for_reading()
        for package in range(len(shelf.words.packages)):
            list(shelf.about(package))
        return time.process_time() - started


def measure(site: Path, catalog: Path | None, folder: Path) -> bool:
    """Print what reading and building take from pages and from their catalog.

    Returns whether the budget is kept, and the catalog comes out as it was.
    """
    from_pages, again = folder / "pages.db", folder / "again.db"
    alone = ("--processes", "1", "--catalog")
    build = run((*BUILD, site, *alone, from_pages))
    rebuild = run((*BUILD, catalog or from_pages, *alone, again))
    with no_garbage_collection():  # as a build does it
        pages = read(site, is_catalog=False)
        kept = min(read(again, is_catalog=True) for _ in range(3))
    same = sha256_of(again) == sha256_of(catalog or from_pages)
    with closing(sqlite3.connect(again)) as db:
        (binaries,) = db.execute("SELECT count(*) FROM binaries").fetchone()
    print(f"{binaries:,} binaries; CPU seconds, in one process")
    print("| | pages | catalog | ratio |")
    print("|---|---:|---:|---:|")
    print(f"| reading | {pages:.2f} | {kept:.2f} | {kept / pages:.3f} |")
    print(f"| whole build | {build.cpu:.1f} | {rebuild.cpu:.1f} | {rebuild.cpu / build.cpu:.2f} |")
    print(f"| peak MB | {build.peak_mb:,.0f} | {rebuild.peak_mb:,.0f} | |")
    print("the catalog that was built again is the same" if same else "THE CATALOG IS ANOTHER")
    return same and kept <= READING_BUDGET * pages


def main() -> None:
    """Read the command line, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("site", type=Path)
    parser.add_argument("--catalog", type=Path, help="what was built from it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spack-catalog-bench-") as name:
        if not measure(options.site, options.catalog, Path(name)):
            sys.exit(1)


if __name__ == "__main__":
    main()
