"""Anybody may send any SQL: it can neither change anything nor take much time or memory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest


async def ask(site: Any, sql: str) -> Any:
    return await site.client.get("/catalog.json", params={"sql": sql})


async def test_any_select_is_answered(site: Any) -> None:
    sql = "with t as (select count(*) as n from binaries) select n, :x as x from t"
    response = await site.client.get("/catalog.json", params={"sql": sql, "x": "1"})
    assert response.json()["rows"] == [[716, "1"]]


@pytest.mark.parametrize(
    "sql",
    [
        "insert into stacks (name) values ('x')",
        "with x as (select 1) delete from stacks",
        "with x as (select 1) insert into stacks (name) select 'x'",
        "select 1; delete from stacks",
        "create table x (y)",
        "create temp table x (y)",
        "drop table stacks",
        "attach database '/etc/passwd' as x",
        "attach ':memory:' as x",
        "detach database main",
        "vacuum into 'x.db'",
        "pragma writable_schema = 1",
        "select * from pragma_hard_heap_limit(1)",
        "explain pragma query_only",
        "select load_extension('x')",
        "select fts3_tokenizer('x')",
        "select readfile('/etc/passwd')",
        "select writefile('x', 'y')",
        "select edit('x')",
    ],
)
async def test_nothing_but_reading(site: Any, sample_catalog: Path, sql: str) -> None:
    before = hashlib.sha256(sample_catalog.read_bytes()).digest()
    response = await ask(site, sql)
    assert response.status_code == 400
    assert not response.json()["ok"]
    assert hashlib.sha256(sample_catalog.read_bytes()).digest() == before
    assert set(sample_catalog.parent.iterdir()) == {sample_catalog}


@pytest.mark.parametrize(
    "sql",
    [
        "with recursive t(x) as (select 1 union all select x + 1 from t) select count(*) from t",
        "select count(*) from specs a, specs b, specs c, specs d",
        "with recursive t(x) as (select zeroblob(49000) union all select x from t)"
        " select max(x) from t",
    ],
)
async def test_time_is_limited(site: Any, sql: str) -> None:
    response = await ask(site, sql)
    assert response.status_code == 400
    assert "too long" in response.json()["error"]


async def test_rows_are_limited(site: Any) -> None:
    sql = "with recursive t(x) as (select 1 union all select x + 1 from t) select x from t"
    answer = (await ask(site, sql)).json()
    assert len(answer["rows"]) == 1000
    assert answer["truncated"]


async def test_the_size_of_a_result_is_limited(site: Any) -> None:
    response = await ask(site, "select randomblob(49000) from binaries")
    assert response.status_code == 400
    assert "is too large" in response.json()["error"]
    answer = (await ask(site, "select hash, zeroblob(1000) from specs limit 600")).json()
    assert len(answer["rows"]) == 600


async def test_pages_of_a_thousand_rows_have_their_names(site: Any) -> None:
    answer = (await site.client.get("/catalog/binaries.json?_size=1000&_labels=on")).json()
    assert len(answer["rows"]) == 716
    assert all(row["tag_id"]["label"] for row in answer["rows"])
    many = ", ".join(map(str, range(1000)))
    found = (await ask(site, f"select count(*) from binaries where spec_id in ({many})")).json()
    assert found["rows"] == [[716]]


async def test_a_query_that_takes_too_long_is_told_what_to_do(site: Any) -> None:
    sql = "select count(*) from binaries a, binaries b, binaries c, binaries d"
    page = await site.client.get("/catalog", params={"sql": sql})
    assert page.status_code == 400
    assert (
        "The query took longer than this site allows. Restrict it to one tag or package"
        in page.text
    )
    assert "sql_time_limit_ms" not in page.text
