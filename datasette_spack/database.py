"""The catalog as Datasette sees it: one snapshot of a file, read by connections that are bounded.

Anybody may send any SQL.  Datasette limits its time and its rows; what it does not limit is
limited here: the size of a value, of a result, and of all that SQLite holds in memory.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable
from copy import copy
from hashlib import sha256
from itertools import islice
from os import fstat
from os.path import samestat
from pathlib import Path
from typing import Any, Final

from datasette.database import Database

# Not always Python's own: Datasette takes pysqlite3 where that is installed.
from datasette.utils.sqlite import sqlite3

from datasette_spack.either import open_connections
from datasette_spack.found_once import found_once
from datasette_spack.lanes import Threads, Visitors, is_visitors
from etl.catalog.reader import APPLICATION_ID
from etl.errors import ReadError

MAX_VALUE: Final = 50_000
"""Bytes of one text or blob in a query, and of one row of a table.

Some functions take time that grows with the square of this, and a query is interrupted only
between steps.
"""

_LIMITS: Final = {
    "SQLITE_LIMIT_LENGTH": MAX_VALUE,
    "SQLITE_LIMIT_SQL_LENGTH": 10_000,
    # Steps of a compiled query; the names of 1,000 rows take 3,000.  SQLite doubles its room for
    # them and refuses when that exceeds this.
    "SQLITE_LIMIT_VDBE_OP": 8_000,
    "SQLITE_LIMIT_LIKE_PATTERN_LENGTH": 500,
    "SQLITE_LIMIT_ATTACHED": 0,
}

MAX_RESULT: Final = 16_000_000
"""Bytes of text and blobs in the result of one query."""

MAX_MEMORY: Final = 256 * 1024 * 1024
"""Bytes that SQLite may hold in the whole process."""

COUNT_LIMIT_MS: Final = 500
"""How long Datasette may count the rows that a page's filters let through.

A page whose rows take longer to count is shown without their number.
"""

STREAMS: Final = 4
"""How many whole lists may be read while they are sent, at the same time."""

_MOST_TOLD = 1_000
"""So many facts of the schema are remembered."""

_STEPS_BETWEEN_CHECKS = 100
"""How many steps of a query run before the time is looked at; Datasette would take 1,000.

Queries of our own pages, whose steps are known to be short, are left at that: to look at the time
is a twentieth of what those over a whole tag take.
"""

_FUNCTION_FAILED = "user-defined function raised exception"
_TOO_LARGE = "the query or its result is too large; select less, or download the catalog"


class _BoundedCursor(sqlite3.Cursor):
    """A cursor whose results are bounded, and for which too large is an ordinary SQL error."""

    def execute(self, *arguments: Any) -> Any:
        try:
            return super().execute(*arguments)
        except (MemoryError, sqlite3.DataError):
            raise sqlite3.OperationalError(_TOO_LARGE) from None
        except sqlite3.OperationalError as error:
            raise self._in_words(error) from None
        except sqlite3.Warning as warning:  # what Python 3.10 says of two statements at once
            raise sqlite3.OperationalError(str(warning)) from None

    def fetchall(self) -> list[Any]:
        return self.fetchmany(sys.maxsize)

    def fetchmany(self, size: int | None = 1) -> list[Any]:
        rows: list[Any] = []
        left = MAX_RESULT
        try:
            for row in islice(self, size):
                left -= sum(len(value) for value in row if isinstance(value, (str, bytes)))
                if left < 0:
                    raise MemoryError
                rows.append(row)
        except (MemoryError, sqlite3.DataError):
            raise sqlite3.OperationalError(_TOO_LARGE) from None
        except sqlite3.OperationalError as error:
            raise self._in_words(error) from None
        return rows

    def _in_words(self, error: sqlite3.OperationalError) -> sqlite3.OperationalError:
        """What one of our functions said when it failed; SQLite says only that one did."""
        said = getattr(self.connection, "said", None)
        if said is None or str(error) != _FUNCTION_FAILED:
            return error
        self.connection.said = None
        return sqlite3.OperationalError(said)


class _BoundedConnection(sqlite3.Connection):
    """A connection that hands out bounded cursors and looks at the time often.

    ``said`` is why a function that SQL called has failed; ``is_trusted`` is whether all that is
    asked over it are queries of our own.
    """

    said: str | None = None
    is_trusted: bool = False

    def cursor(self, factory: Any = _BoundedCursor) -> Any:
        return super().cursor(factory)

    def set_progress_handler(
        self, progress_handler: Callable[[], int | None] | None, n: int
    ) -> None:
        steps = n if self.is_trusted else min(n, _STEPS_BETWEEN_CHECKS)
        super().set_progress_handler(progress_handler, steps)


class CatalogDatabase(Database):
    """A catalog, opened once: as it is now it is served, even when a build puts another in place.

    ``threads`` has how many connections Datasette will ask for, one for each of its threads, and
    how many threads what visitors ask has.  In the folder ``shared`` the workers of a server tell
    each other what it takes to find out about a file.

    Raises:
        ReadError: the file cannot be read.
    """

    def __init__(
        self, datasette: Any, path: Path, threads: Threads, shared: Path | None = None
    ) -> None:
        # The name is all that Datasette shows of the path.
        super().__init__(datasette, path=path.name, is_mutable=False)
        try:
            self.file = path.open("rb")
        except OSError as error:
            raise ReadError(f"{path}: cannot be read: {error.strerror}") from None
        self._uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        self.visitors = Visitors(threads.visitors)
        self._of_thread = threading.local()
        self._told: dict[tuple[Any, ...], Any] = {}
        self._ready = [self._open() for _ in range(threads.pages + threads.visitors)]
        self._for_streams = [self._open() for _ in range(STREAMS)]
        status = fstat(self.file.fileno())
        if not samestat(status, path.stat()):
            raise ReadError(f"{path}: was replaced while it was being opened; try again")
        self._shared = shared
        self._mark = f"{status.st_dev}-{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"
        self.cached_size = self.file.seek(0, 2)
        self.cached_hash = found_once(shared, f"{self._mark}.sha256", self._digest)

    def _open(self) -> Any:
        connection = sqlite3.connect(
            self._uri, uri=True, check_same_thread=False, factory=_BoundedConnection
        )
        # Memory that is mapped need not be copied, and is shared by all connections.
        connection.execute("PRAGMA mmap_size = 0x7fff0000")
        connection.execute(f"PRAGMA hard_heap_limit = {MAX_MEMORY}")
        if hasattr(connection, "setlimit"):  # Python 3.11 has it
            for name, limit in _LIMITS.items():
                connection.setlimit(getattr(sqlite3, name), limit)
        open_connections(self).append(connection)
        return connection

    def connect(self, write: bool = False) -> Any:
        """A connection for one more thread; writing is not possible."""
        if write or not self._ready:
            raise sqlite3.OperationalError("the catalog is read-only")
        connection = self._ready.pop()
        connection.is_trusted = True
        return connection

    def borrow(self) -> Any | None:
        """A connection for an answer that is read while it is sent; None if all are in use."""
        return self._for_streams.pop() if self._for_streams else None

    def give_back(self, connection: Any) -> None:
        """Take back a connection that was borrowed."""
        self._for_streams.append(connection)

    async def execute_fn(self, fn: Callable[[Any], Any]) -> Any:
        """Call a function with a connection, in a thread of the lane that the request is in."""
        if not is_visitors():
            return await super().execute_fn(fn)

        def in_thread() -> Any:
            if not hasattr(self._of_thread, "connection"):
                self._of_thread.connection = self.connect()
                self._of_thread.connection.is_trusted = False
                self.ds._prepare_connection(self._of_thread.connection, self.name)
            return fn(self._of_thread.connection)

        return await asyncio.get_running_loop().run_in_executor(self.visitors.executor, in_thread)

    async def execute(self, sql: str, *arguments: Any, **options: Any) -> Any:
        """Run a query, as Datasette does; its own counting of rows has a time limit of its own."""
        if sql.startswith("select count(*) from ") and not options.get("truncate"):
            options["custom_time_limit"] = COUNT_LIMIT_MS
        return await super().execute(sql, *arguments, **options)

    async def _once(self, method: str, *arguments: Any, **options: Any) -> Any:
        """What a method of Datasette tells of the schema, asked for once: a page asks 300 times."""
        key = (method, *arguments, *sorted(options.items()))
        if key not in self._told:
            told = await getattr(Database, method)(self, *arguments, **options)
            if len(self._told) >= _MOST_TOLD:  # anybody may ask for tables that there are not
                return told
            self._told[key] = told
        return copy(self._told[key])

    def _digest(self) -> str:
        digest = sha256()
        self.file.seek(0)
        while block := self.file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()

    def counts(self) -> dict[str, int]:
        """The number of rows of every table and every view."""
        counted = found_once(
            self._shared, f"{self._mark}.counts", lambda: json.dumps(self._count())
        )
        counts, tables = json.loads(counted)
        # Datasette would take a view among these for a table.
        self._cached_table_counts = {name: counts[name] for name in tables}
        return dict(counts)

    def _count(self) -> tuple[dict[str, int], list[str]]:
        """The number of rows of every table and every view, and which of them are tables."""
        connection = self._ready[-1]
        kinds = dict(
            connection.execute(
                "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')"
            ).fetchall()
        )
        counts = {}
        for name in kinds:
            select = _VIEW_COUNTS.get(name, f"SELECT count(*) FROM [{name}]")
            (counts[name],) = connection.execute(select).fetchone()
        return counts, [name for name, kind in kinds.items() if kind == "table"]

    def close(self) -> None:
        """End the threads of visitors; close all connections and the file."""
        self.visitors.executor.shutdown()
        super().close()
        self.file.close()


def _asked_once(method: str) -> Any:
    async def asked(self: CatalogDatabase, *arguments: Any, **options: Any) -> Any:
        return await self._once(method, *arguments, **options)

    return asked


for _method in (
    "table_exists", "table_names", "view_names", "hidden_table_names", "table_columns",
    "table_column_details", "primary_keys", "fts_table", "label_column_for_table",
    "foreign_keys_for_table", "get_all_foreign_keys", "get_table_definition",
    "get_view_definition",
):  # fmt: skip
    setattr(CatalogDatabase, _method, _asked_once(_method))


# A view joins each row to its names; for its number of rows there are shorter ways.
_VIEW_COUNTS = {
    "spec_list": "SELECT ifnull(sum(specs), 0) FROM packages",
    "binary_list": "SELECT count(*) FROM binaries",
    "binary_needs": "SELECT count(*) FROM binaries",
    "dependency_list": "SELECT count(*) FROM dependencies",
    "spec_variants": """
        SELECT ifnull(sum(specs * variants), 0)
        FROM (
            SELECT variant_set_id, count(*) AS specs
            FROM specs WHERE tags > 0 GROUP BY variant_set_id
        )
        JOIN (
            SELECT variant_set_id, count(*) AS variants
            FROM variant_set_members GROUP BY variant_set_id
        ) USING (variant_set_id)
    """,
    "binary_stacks": """
        SELECT ifnull(sum(count), 0) FROM facet_counts
        WHERE table_name = 'binaries' AND facet = 'stack_id'
    """,
}


async def is_catalog(database: Any) -> bool:
    """Whether a database that Datasette serves is a catalog."""
    if isinstance(database, CatalogDatabase):
        return True
    found = await database.execute("PRAGMA application_id")
    return bool(found.first()[0] == APPLICATION_ID)
