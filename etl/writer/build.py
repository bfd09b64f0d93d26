"""Records become a catalog: one new SQLite file, written whole and swapped in at the end."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from operator import attrgetter, itemgetter
from pathlib import Path

from etl.catalog import schema
from etl.catalog.check import check_catalog
from etl.catalog.reader import APPLICATION_ID
from etl.errors import CatalogError, WriteError
from etl.memory import no_garbage_collection
from etl.progress import Follower, silently
from etl.records import Problem, Recipe
from etl.workers import ALONE, Workers
from etl.writer import finish
from etl.writer.assemble import Assembly, Batch, Outcome
from etl.writer.case import SourcedProblem
from etl.writer.host_needs import add_host_needs
from etl.writer.intake import Intake, Reading
from etl.writer.merging import Event, Merging
from etl.writer.mirrors import write_caches, write_mirrors
from etl.writer.names import Names, Unused
from etl.writer.rows import cache_of, insert
from etl.writer.shelf import NoRoomError, Shelf
from etl.writer.swap import replacing
from etl.writer.vocabulary import Vocabulary

_CACHED_KIB_OF_ROWS = 20_000
"""Rows are added at the end of each table: pages before that are not needed again."""

_PRAGMAS = (
    # Nothing is there yet that could be lost; only a statement that fails is to be undone.
    "PRAGMA journal_mode = MEMORY",
    f"PRAGMA application_id = {APPLICATION_ID}",
    "PRAGMA synchronous = OFF",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA cache_size = -100000",
)

_WORTH_A_PROCESS = 2_000_000
"""Rows from fewer bytes of statements are made before a process has begun."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a build has read and written; ``gone`` are binaries that the caches have no more."""

    sources: int
    tags: int
    packages: int
    specs: int
    binaries: int
    gone: int
    problems: tuple[Problem, ...]

    @property
    def skipped(self) -> tuple[Problem, ...]:
        """What was left out on purpose."""
        return tuple(problem for problem in self.problems if problem.kind == "skipped")

    @property
    def refused(self) -> tuple[Problem, ...]:
        """The input that is not in the catalog."""
        return tuple(problem for problem in self.problems if problem.kind == "refused")


def build_catalog(
    readings: Iterable[Reading],
    target: Path,
    *,
    strict: bool = False,
    follow: Follower = silently,
    at: str | None = None,
    check: bool = False,
    workers: Workers = ALONE,
) -> Summary:
    """Write the catalog of what the readings give; what was at ``target`` stays until it is whole.

    With ``strict`` nothing is written when any input is refused.  ``follow`` is told how far it is.
    ``at`` is when the sources are read, as it is recorded; catalogs among them come first.
    ``check`` has the new file checked before it takes the place of the old one.
    With ``workers`` a process makes rows while this one writes them.

    Raises:
        WriteError: ``target`` cannot be written.
        CatalogError: nothing could be read, or with ``strict`` not everything.
    """
    try:
        with (
            replacing(target) as new,
            closing(sqlite3.connect(new, isolation_level=None)) as db,
        ):
            for pragma in _PRAGMAS:
                db.execute(pragma)
            with no_garbage_collection(), closing(Shelf(db, Vocabulary())) as shelf:
                summary = _write(db, shelf, readings, strict, follow, at, workers)
            if check and (faults := list(check_catalog(db))):
                raise CatalogError(f"nothing was written: the new catalog has faults: {faults[0]}")
            return summary
    except sqlite3.OperationalError as error:
        raise WriteError(f"{target}: cannot be written: {error}") from None
    except NoRoomError as error:
        message = f"{target}: cannot be written: {error}; name another folder in TMPDIR"
        raise WriteError(message) from None


def _write(
    db: sqlite3.Connection,
    shelf: Shelf,
    readings: Iterable[Reading],
    strict: bool,
    follow: Follower,
    at: str | None,
    workers: Workers,
) -> Summary:
    intake = Intake(shelf, merging=Merging(at))
    db.execute("BEGIN")
    for table, columns in schema.TABLES.items():
        db.execute(f"CREATE TABLE {table} ({columns})")
    for reading in readings:
        intake.read(reading)
    _refuse_nothing(intake, strict)
    shelf.close_for_reading()
    db.execute("COMMIT")
    names, outcome = _assemble(db, shelf, follow, intake, workers)
    finish.add_edges(db)
    add_host_needs(db, outcome.needs)
    _describe_packages(db, intake.recipes.values())
    _insert_events(db, {(it.at, it.event, it.tag, it.hash) for it in intake.events}, outcome.events)
    problems = sorted(
        intake.problems + outcome.problems,
        key=lambda sourced: (
            intake.sources.numbers[sourced[0]],
            sourced[1].place,
            sourced[1].kind,
            sourced[1].message,
        ),
    )
    insert(
        db,
        "problems",
        "source_id, place, kind, message",
        dict.fromkeys(
            (
                intake.sources.numbers[source],
                intake.sources.place_in_catalog(source, it.place),
                it.kind,
                it.message,
            )
            for source, it in problems
            if not intake.sources.is_superseded(source)
        ),
    )
    finish.create_indexes(db)
    finish.count_stacks(db)
    write_mirrors(db, intake, names)
    finish.date_binaries(db)
    finish.count(db)
    write_caches(db, intake, names)
    finish.describe(db)
    db.execute("COMMIT")
    finish.add_views_and_search(db)
    db.execute("DETACH shelf")
    finish.analyze(db)
    told = _as_told(intake, problems)
    if strict:
        _refuse_any(told)
    return _summarize(db, told)


def _as_told(intake: Intake, problems: Iterable[SourcedProblem]) -> tuple[Problem, ...]:
    """The problems, each at its place as the user finds it."""
    return tuple(
        replace(problem, place=intake.sources.place_for_user(source, problem.place))
        for source, problem in problems
        if not intake.sources.is_kept(source)
    )


def _refuse_nothing(intake: Intake, strict: bool) -> None:
    """Raise if there is nothing to write, or something that ``strict`` does not allow."""
    problems = _as_told(intake, intake.problems)
    if strict:
        _refuse_any(problems)
    if not intake.statements:
        reasons = "\n".join(f"  {problem.place}: {problem.message}" for problem in problems)
        raise CatalogError(
            f"nothing to write: no source has any data\n{reasons}"
            if reasons
            else "nothing to write: nothing in the sources is of the selected tags, stacks and"
            " packages"
        )


def _refuse_any(problems: tuple[Problem, ...]) -> None:
    """Raise if any input was refused, as ``--strict`` asks."""
    refused = [problem for problem in problems if problem.kind == "refused"]
    if refused:
        lines = "\n".join(f"  {problem.place}: {problem.message}" for problem in refused)
        raise CatalogError(f"nothing was written because of --strict; refused:\n{lines}")


def _insert_events(db: sqlite3.Connection, events: set[Event], news: Iterable[Event]) -> None:
    """Write what was observed, earlier and now, by time."""
    db.executemany(
        "INSERT INTO events (at, event, tag_id, spec_id) SELECT ?, ?, tags.id, specs.id"
        " FROM tags, specs WHERE tags.name = ? AND specs.hash = ?",
        sorted(events.union(news), key=itemgetter(0, 2, 3, 1)),
    )


def _assemble(
    db: sqlite3.Connection, shelf: Shelf, follow: Follower, intake: Intake, workers: Workers
) -> tuple[Names, Outcome]:
    """Write all packages; again, in the rare case that what comes out asks for other numbers.

    That is where several packages claim the same hash, or a name is only in statements that were
    overruled.  Then it is as if nothing had been written: the same facts give the same bytes.
    """
    disputed: dict[str, int] = {}
    unused = Unused()
    # A copy of this process must not use the catalogs that it has open.
    is_worth_it = shelf.size >= _WORTH_A_PROCESS and not intake.merging.catalogs
    workers = workers if is_worth_it else ALONE
    told = intake.stacks, intake.caches, intake.tag_caches, intake.published
    while True:
        db.execute("BEGIN")
        names = Names(shelf.words, *told, unused)
        names.write(db)
        intake.merging.settle(tag.date for tag in names.tags.values)
        sources = intake.sources.rows(names.cache_ids)
        insert(db, "sources", "kind, location, sha256, read_at, cache_id, options", sources)
        shelf.open_edges()
        assembly = Assembly(shelf, names, disputed, intake.merging, intake.sources.numbers)
        with closing(workers.ahead(assembly.batches)) as batches:
            outcome = _write_packages(db, batches, follow, len(names.packages.ids))
        claims = finish.index_hashes(db)
        if claims and not disputed:
            packages = {id_: number for number, id_ in enumerate(names.packages.ids)}
            disputed = {hash_: packages[package] for hash_, package in claims.items()}
        elif not (unused := names.unused(outcome.machines)):
            return names, outcome
        db.execute("ROLLBACK")


def _write_packages(
    db: sqlite3.Connection, batches: Iterator[Batch], follow: Follower, packages: int
) -> Outcome:
    """Write all rows that are made, and return what is known at the end."""
    outcomes: list[bytes] = []

    def written() -> Iterator[int]:
        for done, tables, outcome in batches:
            for table, columns, rows in tables:
                insert(db, table, columns, rows)
            outcomes.append(outcome)
            yield from range(done)

    with cache_of(db, _CACHED_KIB_OF_ROWS):
        for _ in follow(written(), "writing packages", packages):
            pass
    return Outcome.unpack(outcomes[-1])


def _describe_packages(db: sqlite3.Connection, recipes: Collection[Recipe]) -> None:
    """Add what recipes say to the packages that the catalog has."""
    db.executemany(
        "UPDATE packages SET description = ?, homepage = ?, licenses = ? WHERE name = ?",
        (
            (
                recipe.description,
                recipe.homepage,
                ", ".join(recipe.licenses) or None,
                recipe.package,
            )
            for recipe in recipes
        ),
    )
    db.executemany(
        "INSERT INTO provides (package_id, virtual, versions, condition)"
        " SELECT id, ?, ?, ? FROM packages WHERE name = ?",
        (
            (it.virtual, it.versions, "\n".join(it.conditions), recipe.package)
            for recipe in sorted(recipes, key=attrgetter("package"))
            for it in recipe.provides
        ),
    )


def _summarize(db: sqlite3.Connection, problems: tuple[Problem, ...]) -> Summary:
    counts = db.execute(
        """
        SELECT (SELECT count(*) FROM sources), (SELECT count(*) FROM tags WHERE binaries > 0),
            (SELECT count(*) FROM packages WHERE binaries > 0),
            (SELECT ifnull(sum(specs), 0) FROM packages),
            (SELECT ifnull(sum(binaries), 0) FROM packages),
            (SELECT ifnull(sum(gone), 0) FROM packages)
        """
    ).fetchone()
    sources, tags, packages, specs, binaries, gone = counts
    return Summary(sources, tags, packages, specs, binaries, gone, problems)
