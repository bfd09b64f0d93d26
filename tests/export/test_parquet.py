"""A catalog as Parquet: exact rows, the same bytes twice, and nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.parquet as pq
import pytest

from etl.catalog.reader import open_catalog
from etl.catalog.views import VIEWS
from etl.errors import CatalogError, ReadError, WriteError
from etl.export import parquet
from etl.export.datasets import TABLES, Datasets, Part, Row, escaped
from etl.export.folder import METADATA, alone_in
from etl.export.parquet import Exported, export_parquet
from etl.progress import silently
from etl.sources.pages import read_pages
from tests.running import Run
from tests.sites import item, page, place_of, write_site
from tests.small_catalogs import SECOND, build, history_catalog

T = TypeVar("T")


def export(catalog: Path, folder: Path) -> Exported:
    with open_catalog(catalog) as db:
        return export_parquet(db, catalog, folder, silently)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def exported(sample_catalog: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parquet")
    export(sample_catalog, folder)
    return folder


@pytest.fixture
def db(sample_catalog: Path) -> Iterator[sqlite3.Connection]:
    with open_catalog(sample_catalog) as opened:
        yield opened


def read(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.ParquetFile(path).read().to_pylist()
    return rows


def sorted_rows(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)


@pytest.mark.parametrize("table", [*TABLES, *(it for it in VIEWS if it != "binary_list")])
def test_a_table_has_the_rows_of_the_catalog(
    table: str, exported: Path, db: sqlite3.Connection
) -> None:
    def plain(row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(value for value in row.values() if not isinstance(value, list))

    found = sorted_rows([plain(row) for row in read(exported / f"{table}.parquet")])
    cursor = db.execute(f"SELECT * FROM {table}")
    lists = {"variants", "stacks"} if table in ("spec_list", "binary_list") else set()
    places = [it for it, column in enumerate(cursor.description) if column[0] not in lists]
    assert found == sorted_rows([tuple(row[it] for it in places) for row in cursor])


def test_binaries_have_a_folder_for_each_tag(exported: Path, db: sqlite3.Connection) -> None:
    for (tag,) in db.execute("SELECT name FROM tags WHERE binaries > 0").fetchall():
        rows = read(exported / "binaries" / f"tag={tag}" / "part-0.parquet")
        assert [it["package"] for it in rows] == sorted(it["package"] for it in rows)
        expected = db.execute(
            "SELECT package, version, hash, size FROM binary_list WHERE tag = ?", (tag,)
        ).fetchall()
        found = [(it["package"], it["version"], it["hash"], it["size"]) for it in rows]
        assert sorted_rows(found) == sorted_rows(expected)
        stacks = dict(
            db.execute("SELECT hash, stacks FROM binary_list WHERE tag = ?", (tag,)).fetchall()
        )
        assert {it["hash"]: " ".join(it["stacks"]) for it in rows} == stacks


def test_variants_are_a_map(exported: Path, db: sqlite3.Connection) -> None:
    (row,) = (it for it in read(exported / "spec_list.parquet") if it["hash"].startswith("ta6pedv"))
    expected: dict[str, list[str]] = {}
    for name, value in db.execute(
        "SELECT name, value FROM spec_variants WHERE hash = ?", (row["hash"],)
    ):
        expected.setdefault(name, []).append(value)
    assert {name: sorted(value.split(",")) for name, value in row["variants"]} == {
        name: sorted(values) for name, values in expected.items()
    }
    assert dict(row["variants"])["mpi"] == "true"


def test_files_are_made_for_engines(exported: Path) -> None:
    path = exported / "binaries" / "tag=v2025.07.0" / "part-0.parquet"
    group = pq.read_metadata(path).row_group(0)
    package = group.column(0)
    assert package.path_in_schema == "package"
    assert (package.compression, package.has_dictionary_page) == ("ZSTD", True)
    assert (package.statistics.min, package.statistics.max) == ("adios2", "zstd")
    assert package.has_column_index
    assert package.has_offset_index
    assert [it.column_index for it in group.sorting_columns] == [0]


def test_the_metadata_says_what_is_there(exported: Path, sample_catalog: Path) -> None:
    told = json.loads((exported / METADATA).read_text())
    assert told["catalog_sha256"] == sha256(sample_catalog.read_bytes()).hexdigest()
    assert told["datasets"]["binaries"]["rows"] == sum(
        pq.read_metadata(path).num_rows for path in exported.glob("binaries/*/*.parquet")
    )
    assert told["datasets"]["binaries"]["columns"]["variants"] == "map<string, string>"
    assert set(told["files"]) == {it for it in digests(exported) if it != METADATA}


def test_the_same_catalog_gives_the_same_bytes(
    sample_catalog: Path, exported: Path, tmp_path: Path
) -> None:
    export(sample_catalog, tmp_path)
    assert digests(tmp_path) == digests(exported)


def test_a_second_export_writes_only_what_changed(tmp_path: Path) -> None:
    catalog = history_catalog(tmp_path)
    folder = tmp_path / "parquet"
    first = export(catalog, folder)
    assert first.written == first.files
    again = export(catalog, folder)
    assert (again.written, again.removed, again.files) == (0, 0, first.files)
    before = digests(folder)
    changed = next(iter(sorted(folder.glob("binaries/*/*.parquet"))))
    changed.write_bytes(b"PAR1 cut off")
    assert export(catalog, folder).written == 1
    assert digests(folder) == before


def test_what_does_not_fit_into_one_group_is_whole(
    tmp_path: Path, sample_catalog: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "_GROUP", 100)
    monkeypatch.setattr(parquet, "_TOLD", 30)
    export(sample_catalog, tmp_path)
    assert pq.read_metadata(tmp_path / "specs.parquet").num_row_groups > 1
    for path in exported.rglob("*.parquet"):
        assert read(tmp_path / path.relative_to(exported)) == read(path), path.name
    assert export(sample_catalog, tmp_path).written == 0


def test_rows_are_read_once_where_there_is_no_file_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, folder, asked = history_catalog(tmp_path), tmp_path / "parquet", Counter[str]()
    rows = Datasets.rows

    def counted(self: Datasets, part: Part) -> Iterator[Row]:
        asked[part.path] += 1
        return rows(self, part)

    monkeypatch.setattr(Datasets, "rows", counted)
    files = export(catalog, folder).files
    assert list(asked.values()) == files * [1]
    (folder / "specs.parquet").unlink()
    (folder / "tags.parquet").write_bytes((folder / "stacks.parquet").read_bytes())
    export(catalog, folder)
    assert {path: times for path, times in asked.items() if times != 2} == {"tags.parquet": 3}


def test_files_of_a_tag_that_is_gone_are_removed_and_others_left(
    tmp_path: Path, sample_catalog: Path
) -> None:
    folder = tmp_path / "parquet"
    export(sample_catalog, folder)
    (folder / "notes.txt").write_text("mine")
    (folder / ".specs.parquet.1.writing").write_text("of an export that was killed")
    done = export(history_catalog(tmp_path), folder)
    assert done.removed == 6
    assert not (folder / "binaries" / "tag=v2025.07.0").exists()
    assert (folder / "notes.txt").read_text() == "mine"
    assert list(folder.rglob(".*.writing")) == []


def test_an_interrupted_export_goes_on(
    tmp_path: Path, sample_catalog: Path, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "parquet"
    interrupt_after(4, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        export(sample_catalog, folder)
    assert len(digests(folder)) == 4
    result = export(sample_catalog, folder)
    assert result.files - result.written == 4
    assert digests(folder) == digests(exported)


def test_names_are_escaped_as_hive_does() -> None:
    assert escaped("develop-2025-07-20") == "develop-2025-07-20"
    assert escaped("releases/v0.20") == "releases%2Fv0.20"
    assert escaped("e4s:v1 =") == "e4s%3Av1 %3D"


@pytest.mark.parametrize("content", ["{", "[]", '{"files": 1}', "[" * 100_000])
def test_a_folder_of_something_else_is_refused(
    content: str, tmp_path: Path, sample_catalog: Path
) -> None:
    (tmp_path / METADATA).write_text(content)
    with pytest.raises(ReadError, match="is not part of an export"):
        export(sample_catalog, tmp_path)
    assert list(digests(tmp_path)) == [METADATA]


def test_only_files_of_the_folder_are_removed(tmp_path: Path, sample_catalog: Path) -> None:
    outside = tmp_path / "outside.parquet"
    outside.write_text("mine")
    folder = tmp_path / "parquet"
    folder.mkdir()
    (folder / METADATA).write_text(json.dumps({"files": {"../outside.parquet": {}, "a.txt": {}}}))
    assert export(sample_catalog, folder).removed == 0
    assert outside.read_text() == "mine"


@pytest.mark.parametrize("name", ["\0.parquet", "\ud800.parquet", "a" * 300 + ".parquet", ".."])
def test_a_name_that_no_file_has(name: str, tmp_path: Path, sample_catalog: Path) -> None:
    (tmp_path / METADATA).write_text(json.dumps({"files": {name: {}}}))
    assert export(sample_catalog, tmp_path).removed == 0


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    catalog, folder = history_catalog(tmp_path), tmp_path / "parquet"
    folder.mkdir()
    os.mkfifo(folder / "specs.parquet")
    export(catalog, folder)
    assert read(folder / "specs.parquet")
    (folder / METADATA).unlink()
    os.mkfifo(folder / METADATA)
    with pytest.raises(ReadError, match="is not part of an export"):
        export(catalog, folder)


def test_what_is_not_of_an_export_is_left(tmp_path: Path) -> None:
    catalog, folder = history_catalog(tmp_path), tmp_path / "parquet"
    outside = tmp_path / "outside"
    export(catalog, folder)
    shutil.copytree(folder / "binaries" / "tag=develop", outside / "tag=other")
    (folder / "binaries" / "tag=other").symlink_to(outside / "tag=other")
    (folder / "mine").mkdir()
    others = ["mine/.draft.writing", ".notes.writing", "copy.parquet"]
    for name in others:
        shutil.copy(folder / "specs.parquet", folder / name)
    assert export(catalog, folder).removed == 0
    assert [it for it in others if not (folder / it).exists()] == []
    assert (outside / "tag=other" / "part-0.parquet").exists()


def interrupt_after(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an export be killed when so many files are in their places."""
    settle = parquet._settle
    done: list[Path] = []

    def interrupted(new: Path, path: Path) -> None:
        if len(done) == number:
            monkeypatch.setattr(parquet, "_settle", settle)
            raise KeyboardInterrupt
        done.append(path)
        settle(new, path)

    monkeypatch.setattr(parquet, "_settle", interrupted)


def test_partitions_of_an_interrupted_export_go_with_their_tags(
    tmp_path: Path, sample_catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines would read them as binaries of the catalog that was exported then."""
    catalog, folder = history_catalog(tmp_path), tmp_path / "parquet"
    export(catalog, folder)
    expected = digests(folder)
    interrupt_after(8, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        export(sample_catalog, folder)
    assert (folder / "binaries" / "tag=v2025.07.0").exists()
    assert not (folder / METADATA).exists()
    assert export(catalog, folder).removed > 0
    assert digests(folder) == expected


def test_two_exports_do_not_write_to_one_folder(tmp_path: Path) -> None:
    catalog, folder = history_catalog(tmp_path), tmp_path / "parquet"
    folder.mkdir()
    unfinished = folder / ".specs.parquet.1.writing"
    unfinished.write_text("of the other export")
    with alone_in(tmp_path), pytest.raises(WriteError, match="another export is writing to it"):
        export(catalog, tmp_path)
    with alone_in(folder):
        assert not unfinished.exists()
        unfinished.write_text("of the other export")
        with pytest.raises(WriteError, match="another export is writing to it"):
            export(catalog, folder)
        assert unfinished.exists()
    export(catalog, folder)


def test_the_digest_is_of_the_catalog_that_was_read(tmp_path: Path, sample_catalog: Path) -> None:
    catalog, folder = history_catalog(tmp_path), tmp_path / "parquet"
    expected = sha256(catalog.read_bytes()).hexdigest()

    def replacing(things: Iterable[T], label: str, length: int) -> Iterable[T]:
        shutil.copy(sample_catalog, tmp_path / "new.db")
        (tmp_path / "new.db").replace(catalog)
        return things

    with open_catalog(catalog) as db:
        export_parquet(db, catalog, folder, replacing)
    assert json.loads((folder / METADATA).read_text())["catalog_sha256"] == expected


def test_lists_of_variants_with_the_same_text(tmp_path: Path) -> None:
    """One is a single variant with a blank in its value, which Spack would have quoted."""
    items = [item(1, variants=["a=1", "b=2"]), item(2, variants=["a=1 b=2"])]
    site = write_site(tmp_path / "site", {place_of(SECOND, "tool"): page(SECOND, "tool", items)})
    catalog = build(tmp_path / "catalog.db", read_pages(site))
    export(catalog, tmp_path / "parquet")
    rows = read(tmp_path / "parquet" / "spec_list.parquet")
    assert [dict(row["variants"]) for row in rows] == [{"a": "1", "b": "2"}] * 2


def test_a_folder_that_cannot_be_written(tmp_path: Path, sample_catalog: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot be written"):
        export(sample_catalog, tmp_path / "file" / "parquet")


def test_without_the_library(
    tmp_path: Path, sample_catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "pq", None)
    with pytest.raises(CatalogError, match=r"pip install 'spack-catalog\[parquet\]'"):
        export(sample_catalog, tmp_path)


def test_the_command(run: Run, tmp_path: Path, sample_catalog: Path, exported: Path) -> None:
    folder = tmp_path / "parquet"
    done = run("export", "parquet", folder, "--catalog", sample_catalog, "--no-progress")
    files = len(digests(exported)) - 1
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"{folder}: {files} files, {files} written, 0 removed, ")
    assert digests(folder) == digests(exported)
    shutil.rmtree(folder)
