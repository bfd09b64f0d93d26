"""Answers of Datasette by the same names, whether it is 0.65 or 1.0."""

from __future__ import annotations

import json
import re
from typing import Any

_EXTRA = re.compile(r"(?<=\?)_extra=facet_results%2Ccount&|[?&]_extra=facet_results%2Ccount")


async def answer_of(site: Any, path: str) -> dict[str, Any]:
    """A page of a table as JSON, with facets and the number of rows by the names of 0.65."""
    if hasattr(site, "metadata"):
        response = await site.client.get(path)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer
    joint = "&" if "?" in path else "?"
    response = await site.client.get(f"{path}{joint}_extra=facet_results,count")
    assert response.status_code == 200, response.text
    told = json.loads(_EXTRA.sub("", response.text))  # links must not ask for it
    facets_told = told.pop("facet_results")["results"]
    return {**told, "facet_results": facets_told, "filtered_table_rows_count": told["count"]}
