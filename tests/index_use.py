"""Which indexes the statements use that tests run: ``pytest -p tests.index_use tests/datasette``.

Every statement that is asked of a catalog is remembered once, whatever its values, and its plan
asked for at the end.  An index that is in no plan is listed: no page and no query needs it, as far
as these tests go.  SQLite looks at statements more slowly meanwhile, so that a test of a limit may
fail.
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
_BUILDING = ".building"

_statements: dict[str, tuple[str, str]] = {}
"""Each statement without its values: the file it was asked of, and how it was asked."""


def _remembering(file: str) -> Callable[[str], None]:
    def remember(sql: str) -> None:
        if sql.lstrip()[:6].upper().startswith(("SELECT", "WITH")):
            _statements.setdefault(_VALUE.sub("?", sql), (file, sql))

    return remember


def _connect(*arguments: Any, real: Any = sqlite3.connect, **options: Any) -> sqlite3.Connection:
    db: sqlite3.Connection = real(*arguments, **options)
    with suppress(sqlite3.Error):  # it may be anything: a file that is damaged, a limit of a test
        file = str(db.execute("PRAGMA database_list").fetchone()[2])
        if file and not file.endswith(_BUILDING):
            db.set_trace_callback(_remembering(file))
    return db


def used_indexes() -> set[str]:
    """The indexes in the plans of all statements so far."""
    used: set[str] = set()
    for file, sql in _statements.values():
        with suppress(sqlite3.Error), closing(sqlite3.Connection(file)) as db:
            for *_, step in db.execute(f"EXPLAIN QUERY PLAN {sql}"):
                used.update(_INDEX.findall(step))
    return used


def pytest_configure() -> None:
    sqlite3.connect = _connect  # type: ignore[assignment]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    used = used_indexes()
    declared = {indexes.index_name(*it) for it in (*indexes.UNIQUE_INDEXES, *indexes.INDEXES)}
    terminalreporter.section("indexes")
    terminalreporter.line(f"{len(_statements):,} statements use {len(used & declared)} indexes")
    for name in sorted(declared - used):
        terminalreporter.line(f"not used: {name}")
