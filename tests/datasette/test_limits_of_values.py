"""Values that a statement makes are limited; Python 3.10 cannot, and there this is not run."""

from __future__ import annotations

from typing import Any

import pytest


async def ask(site: Any, sql: str) -> Any:
    return await site.client.get("/catalog.json", params={"sql": sql})


@pytest.mark.parametrize(
    "value",
    [
        "randomblob(1000000000)",
        "zeroblob(1000000000)",
        "hex(zeroblob(40000))",
        "replace(hex(zeroblob(20000)), '0', 'too long')",
        "printf('%040000d', 0) || printf('%040000d', 0)",
        "(select group_concat(hash || hash || hash || hash || hash) from specs)",
    ],
)
async def test_values_are_limited(site: Any, value: str) -> None:
    response = await ask(site, f"select length({value})")
    assert response.status_code == 400
    assert "is too large" in response.json()["error"]


@pytest.mark.parametrize("times", [5, 1800])
async def test_functions_that_cannot_be_interrupted_end_soon(site: Any, times: int) -> None:
    slow = ", ".join(["instr(a, b)"] * times)
    values = "with t as (select zeroblob(49000) as a, zeroblob(24000) || x'01' as b)"
    response = await ask(site, f"{values} select {slow} from t")
    assert response.status_code == (200 if times == 5 else 400)


async def test_limits_hold_on_the_pages_of_tables_too(site: Any) -> None:
    for condition in ("length(randomblob(1000000000))", "no_such_column", "1) or (1"):
        response = await site.client.get("/catalog/tags.json", params={"_where": condition})
        assert response.status_code == 400, condition
