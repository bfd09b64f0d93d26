"""What is written for other engines; that they answer alike, ``tests/export`` shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.catalog.reader import open_catalog
from etl.query.dialects import Dialect, statement_for
from etl.query.find import Scope
from etl.spack.syntax import parse_spec

TAG = "develop-2025-07-20"


@pytest.mark.parametrize(
    ("dialect", "value"),
    [
        ("duckdb", r"'it''s x\y ${env:HOME}'"),
        ("spark", r"'it\u0027s x\\y \u0024{env:HOME}'"),
    ],
)
def test_values_are_written_as_the_engine_reads_them(
    sample_catalog: Path, dialect: Dialect, value: str
) -> None:
    query = parse_spec(r'''label="it's x\y ${env:HOME}"''')
    with open_catalog(sample_catalog) as db:
        sql = statement_for(dialect, db, [query], Scope(TAG, "e4s", compiler="gcc@12.2.0"))
    assert f"variants.value = {value}" in sql
    head, _, tail = sql.partition("hash IN (")
    assert head == (
        "WITH found AS (\n"
        "    SELECT tag, package, version, hash, compiler, os, platform, target, variants, stacks,"
        " size, published, cache, version_key FROM binaries\n"
        f"    WHERE tag = '{TAG}'\n"
        "    AND compiler = 'gcc@12.2.0'\n"
        "    AND array_contains(stacks, 'e4s')\n"
        "    AND "
    )
    assert tail.endswith("FROM found\nORDER BY package, version_key DESC, hash")
