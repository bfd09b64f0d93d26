"""Which indexes the statements use that tests run: ``pytest -p tests.index_use tests/datasette``.

The plan of every statement that is asked of a catalog is asked for, too, whatever its values, in
the first catalogs that it is asked of: what is best depends on how much there is of what.  An index
that is in no plan is listed: no page and no query needs it, as far as these tests go.  SQLite looks
at statements more slowly meanwhile, so that a test of a limit may fail.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import pytest

from etl.catalog import indexes

_VALUE = re.compile(r"'(?:[^']|'')*'|\b\d+\b")
_INDEX = re.compile(r"INDEX (idx_\w+)")
_FUNCTION = re.compile(r"no such function: (\w+)")
_BUILDING = ".building"
_CATALOGS = 5
"""In so many catalogs each statement is looked at."""

_seen: dict[str, set[str]] = {}
"""Each statement without its values, and the files it was asked of."""

_used: set[str] = set()
"""The indexes in the plans of all statements so far."""


def _remembering(file: str) -> Callable[[str], None]:
    def remember(sql: str) -> None:
        if sql.lstrip()[:6].upper().startswith(("SELECT", "WITH")):
            files = _seen.setdefault(_VALUE.sub("?", sql), set())
            if file not in files and len(files) < _CATALOGS:
                files.add(file)
                _used.update(_indexes_for(file, sql))

    return remember


def _indexes_for(file: str, sql: str) -> list[str]:
    """The indexes in the plan of a statement; at once, since catalogs of tests are soon gone."""
    with suppress(sqlite3.Error), closing(sqlite3.Connection(file)) as db:
        while True:
            try:
                steps = db.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
                return [name for *_, step in steps for name in _INDEX.findall(step)]
            except sqlite3.OperationalError as error:
                # Functions of ours: what they give back does not matter to a plan.
                if not (unknown := _FUNCTION.search(str(error))):
                    raise
                db.create_function(unknown[1], -1, lambda *_: None, deterministic=True)
    return []


def _connect(*arguments: Any, real: Any = sqlite3.connect, **options: Any) -> sqlite3.Connection:
    db: sqlite3.Connection = real(*arguments, **options)
    with suppress(sqlite3.Error):  # it may be anything: a file that is damaged, a limit of a test
        file = str(db.execute("PRAGMA database_list").fetchone()[2])
        if file and not file.endswith(_BUILDING):
            db.set_trace_callback(_remembering(file))
    return db


def pytest_configure() -> None:
    sqlite3.connect = _connect  # type: ignore[assignment]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    declared = {indexes.index_name(*it) for it in (*indexes.UNIQUE_INDEXES, *indexes.INDEXES)}
    terminalreporter.section("indexes")
    terminalreporter.line(f"{len(_seen):,} statements use {len(_used & declared)} indexes")
    for name in sorted(declared - _used):
        terminalreporter.line(f"not used: {name}")
