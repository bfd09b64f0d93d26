"""Pages of a tag with thousands of binaries, under the limits that a site has for statements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from datasette_spack.serve import datasette_for
from etl.cli import main
from tests.real_data import unpacked


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A small snapshot and a large release, both real."""
    target = tmp_path_factory.mktemp("large") / "catalog.db"
    sources = [unpacked() / "indexes", unpacked() / "mirrors" / "develop-2024-11-17"]
    with pytest.raises(SystemExit) as end:
        main(["build", *map(str, sources), "--catalog", str(target), "--no-progress"])
    assert end.value.code == 0
    datasette = datasette_for(target)
    yield datasette
    datasette.get_database("catalog").close()


@pytest.mark.parametrize(
    ("old", "new", "added", "removed"),
    [
        ("develop-2024-11-17", "v2025.07.0", 2522, 66),
        ("v2025.07.0", "develop-2024-11-17", 66, 2522),
    ],
)
async def test_two_tags_that_have_nothing_in_common(
    site: Any, old: str, new: str, added: int, removed: int
) -> None:
    answer = await site.client.get(f"/compare/{old}/{new}.json")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["binaries_added"], told["binaries_removed"]) == (added, removed)
    assert (await site.client.get(f"/compare/{old}/{new}")).status_code == 200
