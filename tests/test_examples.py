"""The bundled sample is what examples/README.md says it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from etl.page_format.tags import read_tag_list

SITE = Path(__file__).parents[1] / "examples" / "site"
PAGES = {str(path.relative_to(SITE)): path for path in SITE.rglob("specs.md")}


def test_every_page_is_a_real_one_byte_for_byte(real_data: Path) -> None:
    for place, path in PAGES.items():
        real = [
            real_data / folder / place
            for folder in ("pages", "seed")
            if (real_data / folder / place).exists()
        ]
        assert [page.read_bytes() for page in real] == [path.read_bytes()], place


def test_all_pages_of_the_seed_are_there(real_data: Path) -> None:
    seed = real_data / "seed"
    assert {str(path.relative_to(seed)) for path in seed.rglob("specs.md")} <= PAGES.keys()


def test_the_tag_list_has_every_tag_and_stack_of_the_pages() -> None:
    listed = {
        tag.name: set(tag.stacks)
        for tag in read_tag_list((SITE / "_data" / "tags.yaml").read_bytes())
    }
    found: dict[str, set[str]] = {}
    for path in PAGES.values():
        page = next(yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader))
        found.setdefault(page["categories"][1], set()).update(page["meta"]["stacks"])
    assert listed.keys() == found.keys()
    assert [tag for tag in found if not found[tag] <= listed[tag]] == []


def test_it_shows_several_machines_and_stays_small() -> None:
    facts = [
        json.loads(line[6:])
        for path in PAGES.values()
        for line in path.read_text().splitlines()
        if line.startswith("meta: ")
    ]
    assert {target for meta in facts for target in meta["targets"]} >= {
        "x86_64_v3",
        "aarch64",
        "neoverse_v2",
        "ppc64le",
    }
    assert {platform for meta in facts for platform in meta["platforms"]} == {"darwin", "linux"}
    assert sum(path.stat().st_size for path in PAGES.values()) < 1_500_000


@pytest.mark.parametrize("tag", ["develop-2024-11-17", "develop-2025-07-20"])
def test_two_tags_are_whole(tag: str, real_data: Path) -> None:
    real = {path.name for path in (real_data / "pages" / "_cache" / tag).iterdir()}
    assert {path.name for path in (SITE / "_cache" / tag).iterdir()} == real
