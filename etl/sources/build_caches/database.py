"""The index of a build cache: Spack's database of specs, versions 5 to 8, as JSON.

``{"database": {"version": "8", "installs": {<hash>: {"spec": {...}, "in_buildcache": true}}}}``;
see ``docs/formats.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from etl.errors import SourceError
from etl.records import Problem, Spec
from etl.sources.build_caches.json_cursor import JsonCursor
from etl.sources.build_caches.specfile import OTHER_HASHES, SpecReader, find_compiler, plain_node
from etl.sources.decode import decode_text, json_errors, shown
from etl.spack.compilers import NO_COMPILER

SPEC_FORMATS = {"5": 1, "6": 3, "7": 4, "8": 5}
"""Which format specs have in which version of the database; ``database.py`` in Spack 1.1.0."""

WITH_NEW_LISTS = ("8",)
"""The versions that a Spack writes which prints lists as ``x:=a,b``; older ones print ``x=a,b``."""

MAX_PROBLEMS = 20
"""How many records of one index are refused by name; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Database:
    """What an index holds: specs in the order of their hashes, and which are in the build cache."""

    specs: tuple[Spec, ...]
    available: tuple[bool, ...]
    problems: tuple[Problem, ...]


def read_database(data: bytes, place: str, packages: Collection[str] = ()) -> Database:
    """The specs of an index, those of ``packages`` only if any are named.

    A record that cannot be read is a problem; the rest is read.

    Raises:
        SourceError: nothing of it can be read: it is no index, or one of a newer Spack.
    """
    text = decode_text(data, place)
    with json_errors(place):
        return _Reader(text, place, packages).read()


class _Reader:
    """Reads one index, record by record."""

    def __init__(self, text: str, place: str, packages: Collection[str]) -> None:
        self._text = text
        self._place = place
        self._packages = packages
        self._problems = _Problems(place)
        self._specs: dict[str, Spec] = {}
        self._in_cache: dict[str, object] = {}

    def read(self) -> Database:
        version = self._version()
        spec_format = SPEC_FORMATS[version]
        reader = SpecReader(
            spec_format,
            ":=" if version in WITH_NEW_LISTS else "=",
            self._aliases() if spec_format < 4 else {},
        )
        for hash_, record in self._records():
            try:
                self._read_record(reader, hash_, record)
            except SourceError as error:
                self._problems.refuse(hash_, error)
        wanted = [
            self._find_compiler(reader, spec)
            for _, spec in sorted(self._specs.items())
            if not self._packages or spec.package in self._packages
        ]
        return Database(tuple(wanted), tuple(map(self._is_available, wanted)), self._problems.all())

    def _read_record(self, reader: SpecReader, hash_: str, record: object) -> None:
        if not isinstance(record, dict):
            raise SourceError("", "the record is not an object")
        if hash_ in self._specs:
            raise SourceError("", "the index has this hash twice; the first one is used")
        self._specs[hash_] = reader.read(hash_, record.get("spec"))
        if "in_buildcache" in record:
            self._in_cache[hash_] = record["in_buildcache"]

    def _find_compiler(self, reader: SpecReader, spec: Spec) -> Spec:
        """The spec; with its compiler, if that came after it in the index."""
        if spec.compiler != NO_COMPILER or spec.build is None:
            return spec
        compiler = find_compiler(spec.build.dependencies)
        if compiler is None or spec.build.format < 5:
            return spec
        found = reader.compiler_among(spec.build.dependencies)
        if found == NO_COMPILER:
            self._problems.contradict(
                spec.hash,
                f"its compiler {compiler.package}/{compiler.hash[:7]} is not in the index",
            )
        return spec._replace(compiler=found)

    def _is_available(self, spec: Spec) -> bool:
        """Whether a spec is in the build cache.

        Spack 0.16.0 did not say so in its indexes; there all that is not external is.
        """
        if self._in_cache:
            return self._in_cache.get(spec.hash) is True
        return spec.build is not None and spec.build.external is None

    def _version(self) -> str:
        """The version of the database; Spack 0.17 and older wrote it after the records."""
        found = None
        for cursor, key in self._database():
            if key == "version":
                found = cursor.value()
                break
            cursor.value()
        version = str(found)[:20]
        if found is None:
            raise SourceError(
                self._place, "JSON, but not the index of a build cache (no database with a version)"
            )
        if version not in SPEC_FORMATS:
            raise SourceError(
                self._place,
                f"database version {version} is not supported ({', '.join(SPEC_FORMATS)} are);"
                " a newer spack-catalog may read it",
            )
        return version

    def _records(self) -> Iterator[tuple[str, object]]:
        """Each hash and its record, as they come."""
        found = False
        for cursor, key in self._database():
            if key == "installs" and cursor.at_object():
                found = True
                for hash_ in cursor.members():
                    yield hash_, cursor.value()
            else:
                cursor.value()
        if not found:
            raise SourceError(self._place, "the database has no installs")

    def _database(self) -> Iterator[tuple[JsonCursor, str]]:
        """The keys of the database, each with a cursor at its value."""
        cursor = JsonCursor(self._text)
        if not cursor.at_object():
            cursor.value()
            return
        for key in cursor.members():
            if key == "database" and cursor.at_object():
                for inner in cursor.members():
                    yield cursor, inner
            else:
                cursor.value()
        cursor.end()

    def _aliases(self) -> dict[str, str]:
        """The DAG hashes by the other hashes that Spack 0.17 and older knew a spec by."""
        aliases: dict[str, str] = {}
        for hash_, record in self._records():
            try:
                node = plain_node(record["spec"])  # type: ignore[index]
            except (SourceError, LookupError, TypeError):
                continue  # which the second time is a problem
            keys = (node.get(key) for key in OTHER_HASHES)
            aliases.update((key, hash_) for key in keys if isinstance(key, str))
        return aliases


class _Problems:
    """What is wrong in one index: the first few by name, the rest as a number."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._named: list[Problem] = []
        self._more = 0

    def refuse(self, hash_: str, error: SourceError) -> None:
        """Note that a record was not read."""
        inside = f" {shown(error.place)}" if error.place else ""
        self._add(Problem(self._place_of(hash_) + inside, "refused", error.message))

    def contradict(self, hash_: str, message: str) -> None:
        """Note a record that was read though something is missing."""
        self._add(Problem(self._place_of(hash_), "contradiction", message))

    def all(self) -> tuple[Problem, ...]:
        """The problems, with a last one for those that were not named."""
        if not self._more:
            return tuple(self._named)
        more = Problem(self._place, "refused", f"{self._more:,} more records have problems")
        return (*self._named, more)

    def _place_of(self, hash_: str) -> str:
        return f"{self._place} installs[{shown(hash_, 40)}]"

    def _add(self, problem: Problem) -> None:
        if len(self._named) < MAX_PROBLEMS:
            self._named.append(problem)
        else:
            self._more += 1
