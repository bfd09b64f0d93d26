"""``check`` finds what is wrong with a catalog, and says nothing of a sound one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from etl.catalog.check import COUNTS, check_catalog, check_pages
from etl.catalog.reader import open_catalog
from etl.errors import ReadError, SourceError
from etl.progress import silently
from tests.running import digest_of
from tests.sites import SEED, build, page, pages_below, place_of, write_site


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    """The catalog of the seed, to be damaged."""
    build(tmp_path / "catalog.db", SEED)
    return tmp_path / "catalog.db"


def _faults(catalog: Path) -> list[str]:
    with open_catalog(catalog) as db:
        return list(check_catalog(db))


def _change(catalog: Path, *statements: str) -> None:
    with closing(sqlite3.connect(catalog)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()


def test_a_sound_catalog(catalog: Path) -> None:
    assert _faults(catalog) == []


def test_the_sample(sample_catalog: Path) -> None:
    assert _faults(sample_catalog) == []


DAMAGES = {
    "tags.binaries": (
        "UPDATE tags SET binaries = 8 WHERE name = 'v0.20.1'",
        "tags.binaries: does not match the rows for v0.20.1",
    ),
    "tags.packages": (
        "UPDATE tags SET packages = 8 WHERE name = 'v0.20.1'",
        "tags.packages: does not match the rows for v0.20.1",
    ),
    "packages.specs": (
        "UPDATE packages SET specs = specs - 1 WHERE name = 'adiak'",
        "packages.specs: does not match the rows for adiak",
    ),
    "packages.binaries": (
        "UPDATE packages SET binaries = binaries + 1 WHERE name = 'adiak'",
        "packages.binaries: does not match the rows for adiak",
    ),
    "packages.versions and packages.tags": (
        "UPDATE packages SET tags = 2 WHERE name = 'adiak'",
        "packages.versions and packages.tags: does not match the rows for adiak",
    ),
    "specs.tags": (
        "UPDATE specs SET tags = 2 WHERE hash LIKE 'ys5ppj%'",
        "specs.tags: does not match the rows for ys5ppjjmlmmkzxbno725r7e2xi7hzy5x",
    ),
    "package_tags.binaries": (
        "UPDATE package_tags SET binaries = 9 WHERE id = 1",
        "package_tags.binaries: does not match the rows for adiak in v0.20.1",
    ),
    "mirrors.binaries": (
        "UPDATE mirrors SET binaries = 9 WHERE id = 1",
        "mirrors.binaries: does not match the rows for v0.20.1 e4s",
    ),
    "tags.gone": (
        "UPDATE tags SET gone = 1 WHERE name = 'v0.20.1'",
        "tags.gone: does not match the rows for v0.20.1",
    ),
    "packages.gone": (
        "UPDATE packages SET gone = 1 WHERE name = 'adiak'",
        "packages.gone: does not match the rows for adiak",
    ),
    "mirrors.gone": (
        "UPDATE mirrors SET gone = 1 WHERE id = 1",
        "mirrors.gone: does not match the rows for v0.20.1 e4s",
    ),
    "binaries that are gone": (
        "INSERT INTO gone_binaries"
        " (tag_id, spec_id, stack_set_id, package_id, version_id, gone_since)"
        " SELECT tag_id, spec_id, stack_set_id, package_id, version_id, '2025-01-05'"
        " FROM binaries WHERE spec_id = (SELECT id FROM specs WHERE hash LIKE 'ys5ppj%')",
        "binaries that are gone: does not match the rows for ys5ppjjmlmmkzxbno725r7e2xi7hzy5x",
    ),
    "facet_counts": (
        "UPDATE facet_counts SET count = 9 WHERE facet = 'tag_id' AND table_name = 'specs'"
        " AND value = 1",
        "facet_counts: does not match the rows for specs tag_id",
    ),
    "binaries and their specs": (
        "UPDATE specs SET os_id = os_id % 2 + 1 WHERE hash LIKE 'ys5ppj%'",
        "binaries and their specs: does not match the rows for ys5ppjjmlmmkzxbno725r7e2xi7hzy5x",
    ),
}


def test_every_count_has_its_damage() -> None:
    assert DAMAGES.keys() == COUNTS.keys()


@pytest.mark.parametrize(("statement", "fault"), DAMAGES.values(), ids=DAMAGES)
def test_a_count_that_is_wrong(catalog: Path, statement: str, fault: str) -> None:
    _change(catalog, statement)
    faults = _faults(catalog)
    assert fault in faults
    # The counts of facets are compared with the others; a row too many is in three counts.
    others: tuple[str, ...] = ("facet_counts: ",)
    if fault.startswith("binaries that are gone"):
        others = ("tags.gone: ", "packages.gone: ", "mirrors.gone: ")
    assert [it for it in faults if it != fault and not it.startswith(others)] == []


def test_a_key_that_points_to_nothing(catalog: Path) -> None:
    _change(catalog, "UPDATE pages SET source_id = 99 WHERE id = 2")
    assert _faults(catalog) == ["pages: row 2 points to nothing in sources"]


def test_no_more_than_twenty_of_a_kind(catalog: Path) -> None:
    _change(catalog, "UPDATE specs SET tags = 5")
    assert len(_faults(catalog)) == 20


def test_a_file_that_is_damaged(catalog: Path) -> None:
    data = bytearray(catalog.read_bytes())
    size = int.from_bytes(data[16:18], "big")
    for number in range(5, len(data) // size, 3):
        data[number * size : number * size + 200] = b"\xff" * 200
    catalog.write_bytes(data)
    try:
        faults = _faults(catalog)
    except ReadError as error:
        faults = [str(error)]
    assert faults
    assert all(
        "damaged" in fault or "cannot be read" in fault or "rows say" in fault for fault in faults
    )


@pytest.mark.parametrize("length", [0, 1, 99, 100, 5000, 50_000])
def test_a_file_that_was_cut_off(catalog: Path, length: int) -> None:
    catalog.write_bytes(catalog.read_bytes()[:length])
    try:
        faults = _faults(catalog)
    except ReadError as error:
        faults = [str(error)]
    assert faults


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not a catalog that spack-catalog built"),
        (b"hello", "cannot be read as a catalog: file is not a database"),
        (None, "there is no catalog; build one with: spack-catalog build SOURCE --catalog"),
    ],
)
def test_a_file_that_is_no_catalog(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "a?b#c%20.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ReadError) as caught:
        _faults(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_another_database(tmp_path: Path, catalog: Path) -> None:
    other = tmp_path / "other.db"
    _change(other, "CREATE TABLE a (b)")
    with pytest.raises(ReadError, match="is not a catalog that spack-catalog built"):
        _faults(other)
    _change(catalog, "UPDATE catalog_info SET value = '0' WHERE key = 'schema_version'")
    with pytest.raises(ReadError, match="was built by another version"):
        _faults(catalog)
    _change(catalog, "DROP TABLE catalog_info")
    with pytest.raises(ReadError, match="no such table: catalog_info"):
        _faults(catalog)


def test_a_catalog_cannot_be_changed_while_it_is_read(catalog: Path) -> None:
    before = digest_of(catalog)
    with (
        pytest.raises(ReadError, match="attempt to write a readonly database"),
        open_catalog(catalog) as db,
    ):
        db.execute("DELETE FROM specs")
    assert digest_of(catalog) == before
    assert list(catalog.parent.iterdir()) == [catalog]


def _compare(catalog: Path, source: Path) -> list[str]:
    with open_catalog(catalog) as db:
        return list(check_pages(db, source, silently))


def test_pages_that_come_back(catalog: Path, tmp_path: Path) -> None:
    assert _compare(catalog, SEED) == []
    assert _compare(catalog, SEED / "_cache" / "v0.20.1" / "adiak" / "specs.md") == []
    (tmp_path / "empty").mkdir()
    for missing in (tmp_path / "empty", tmp_path / "missing"):
        with pytest.raises(SourceError, match=str(missing)):
            _compare(catalog, missing)


def test_pages_that_do_not_come_back(catalog: Path, tmp_path: Path) -> None:
    files = pages_below(SEED)
    place = "_cache/develop-2025-03-30/rocblas/specs.md"
    files[place] = files[place].replace(b"6.3.2", b"6.3.3")
    files["new/specs.md"] = page("v9", "zlib", [])
    files["bad/specs.md"] = b""
    assert _compare(catalog, write_site(tmp_path / "site", files)) == [
        f"{place}: is written differently, from byte {files[place].index(b'6.3.3') + 4}",
        "bad/specs.md: no front matter: a page begins with a line ---",
        "new/specs.md: not in the catalog",
    ]
    longer = write_site(tmp_path / "longer", {place_of("a", "b"): files[place] + b"\n"})
    assert len(_compare(catalog, longer)) == 1
