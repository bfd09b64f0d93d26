"""The crowd of the load benchmark asks for what there is, as often as it says."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

from benchmarks.load import Mix
from datasette_spack.serve import datasette_for


def test_the_mix(sample_catalog: Path) -> None:
    mix = Mix.of(sample_catalog)
    asked = Counter(kind for kind, _ in islice(mix.endless(1), 5_000))
    assert asked.keys() == {kind for kind, _ in mix.addresses}
    assert 1_300 < asked["package"] < 1_700
    again = list(islice(mix.endless(1), 100))
    assert again == list(islice(mix.endless(1), 100)) != list(islice(mix.endless(2), 100))


async def test_what_is_asked_for_is_there(sample_catalog: Path) -> None:
    site = datasette_for(sample_catalog)
    first: dict[str, str] = {}
    for kind, path in Mix.of(sample_catalog).addresses:
        first.setdefault(kind, path)
    for path in first.values():
        assert (await site.client.get(path)).status_code == 200, path
    site.get_database("catalog").close()
