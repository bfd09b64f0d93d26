"""Records that go from one process to another arrive as they were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etl.page_format.style import TODAY
from etl.records import Page, Problem, Record, Spec, Tag
from etl.sources.packed_records import ReadFile, pack, unpack

SPEC = Spec("a" * 32, "zlib", "1.3", "gcc@12.2.0", "ubuntu22.04", "linux", "x86_64_v3", ("+pic",))
PAGE = Page(
    "_cache/develop/zlib/specs.md",
    "develop",
    "zlib",
    TODAY,
    (SPEC, SPEC._replace(hash="b" * 32, variants=(), size=2**62)),
    (("e4s", "hep"), ()),
)
ODD = replace(PAGE, style=replace(TODAY, bom=True), text=b"\xff---\n", cache="mine", specs=())
PROBLEM = Problem("_cache/develop/zlib/specs.md spec_details[2]", "refused", "no hash")


@pytest.mark.parametrize(
    "records",
    [[], [PAGE], [ODD, PAGE, PAGE], [PROBLEM], [PROBLEM, Tag("develop", ("e4s",)), PAGE]],
    ids=["nothing", "a page", "styles", "a problem", "all kinds"],
)
def test_records_arrive_as_they_were(records: list[Record]) -> None:
    files = [ReadFile("sum  place\n", records), ReadFile("", []), ReadFile("sum  other\n", [PAGE])]
    found = unpack(pack(files))
    assert found == files
    assert {
        type(spec) for _, them in found for it in them if isinstance(it, Page) for spec in it.specs
    } == ({Spec})


def test_pages_come_after_what_is_wrong_with_them() -> None:
    ((_, records),) = unpack(pack([ReadFile("", [PAGE, PROBLEM])]))
    assert records == [PROBLEM, PAGE]
