"""``/catalog/<question>.csv`` and ``.json``: a ready-made question's whole answer, streamed.

The page of a question shows the first rows of it; the limit that its statement has for that is
left out here.
"""

from __future__ import annotations

import re
from typing import Any

from datasette.utils.asgi import AsgiStream, NotFound, Response

from datasette_spack.packaged import packaged_json
from datasette_spack.streaming import json_writer, streamed, write_csv
from datasette_spack.which import USUAL, is_catalog_file

QUESTIONS: dict[str, Any] = packaged_json("metadata.json")["databases"][USUAL]["queries"]

QUESTION_ROUTE = rf"/(?P<database>[^/]+)/(?P<question>{'|'.join(QUESTIONS)})\.(?P<format>csv|json)$"

PAGE_LIMIT = "LIMIT 1001"
"""One more than a page has, so that a page knows whether there are more."""

_LIMIT = re.compile(rf"\b{PAGE_LIMIT}\b")


async def question(datasette: Any, request: Any) -> Response | AsgiStream:
    """All rows of a question, as CSV or as JSON (``_shape=array`` or ``objects`` as Datasette)."""
    name, asked = request.url_vars["database"], request.url_vars["question"]
    database = datasette.databases.get(name)
    if database is None or not is_catalog_file(database):
        raise NotFound(f"Database not found: {name}")
    told = QUESTIONS[asked]
    values = {it: request.args.get(it, "") for it in told["params"]}
    sql = whole(told["sql"])
    if request.url_vars["format"] == "csv":
        filename = f"{asked}.csv" if request.args.get("_dl") else None
        kind = "text/csv; charset=utf-8"
        return streamed(datasette, database, sql, values, write_csv, kind, filename)
    shape = request.args.get("_shape", "arrays")
    around = {
        "ok": True,
        "database": name,
        "query_name": asked,
        "query": {"sql": sql, "params": values},
        "truncated": False,
    }
    write = (
        json_writer({}, "")
        if shape == "array"
        else json_writer(around, "rows", objects=shape == "objects")
    )
    kind = "application/json; charset=utf-8"
    return streamed(datasette, database, sql, values, write, kind)


def whole(sql: str) -> str:
    """A question's statement without the limit of its page."""
    return _LIMIT.sub("LIMIT -1", sql)


async def total(datasette: Any, request: Any, asked: str) -> int | None:
    """How many rows a question has in all; None where counting them takes too long."""
    database = datasette.get_database(request.url_vars["database"])
    values = {it: request.args.get(it, "") for it in QUESTIONS[asked]["params"]}
    sql = f"select count(*) from (\n{whole(QUESTIONS[asked]['sql'])}\n)"
    try:
        return int((await database.execute(sql, values)).first()[0])
    except Exception:  # of Datasette, of SQLite: the page does without
        return None
