"""Rows that are streamed, each with whether a host can use it, and why not."""

from __future__ import annotations

from typing import Any

from datasette_spack.site.answer import ask_catalog
from datasette_spack.streaming import Rows
from etl.hosts.host import Host
from etl.query.find import COLUMNS
from etl.query.reuse import Reuse


def with_verdicts(datasette: Any, host: Host, write: Any) -> Any:
    """A writer that adds to each row whether a host can use it, and why not."""
    place_of = {name: place for place, name in enumerate(COLUMNS)}

    async def judged(rows: Rows) -> Rows:
        async for chunk in rows:

            def judge(connection: Any, chunk: list[Any] = chunk) -> list[Any]:
                reuse = Reuse(connection, host)
                found = reuse.verdicts(
                    (row[place_of["hash"]], row[place_of["tag"]]) for row in chunk
                )
                return [
                    (*row, it.reusable, it.reason, it.why) if it else (*row, False, None, None)
                    for row, it in zip(chunk, found, strict=True)
                ]

            yield await ask_catalog(datasette, judge)

    async def writing(writer: Any, names: list[str], rows: Rows) -> None:
        await write(writer, [*names, "reusable", "reason", "why"], judged(rows))

    return writing
