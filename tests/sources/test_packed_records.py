"""Records that go from one process to another arrive as they were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from etl.page_format.style import TODAY
from etl.records import PackagePages, Page, Problem, Record, Spec, Tag
from etl.sources.folding import fold
from etl.sources.packed_records import ReadFiles, pack, unpack

SPEC = Spec("a" * 32, "zlib", "1.3", "gcc@12.2.0", "ubuntu22.04", "linux", "x86_64_v3", ("+pic",))
PAGE = Page(
    "_cache/develop/zlib/specs.md",
    "develop",
    "zlib",
    TODAY,
    (SPEC, SPEC._replace(hash="b" * 32, variants=(), size=2**62)),
    (("e4s", "hep"), ()),
)
ODD = replace(
    PAGE, style=replace(TODAY, bom=True), text=b"\xff---\n", cache="mine", specs=(), stacks=()
)
PROBLEM = Problem("_cache/develop/zlib/specs.md spec_details[2]", "refused", "no hash")


@pytest.mark.parametrize(
    "records",
    [
        [],
        [PAGE],
        [ODD, PAGE, PAGE],
        [PROBLEM],
        [PROBLEM, Tag("develop", ("e4s",)), PAGE],
        [PROBLEM, *fold([PAGE, replace(PAGE, tag="v1"), ODD])],
    ],
    ids=["nothing", "a page", "styles", "a problem", "all kinds", "folded"],
)
def test_records_arrive_as_they_were(records: list[Record]) -> None:
    read = ReadFiles({"a/specs.md": b"sum", "b/specs.md": b"other"}, records)
    found = unpack(pack(read))
    assert found == read
    pages = [it for it in found.records if isinstance(it, Page)]
    assert {type(spec) for page in pages for spec in page.specs} <= {Spec}


def test_pages_come_after_what_is_wrong_with_them() -> None:
    assert unpack(pack(ReadFiles({}, [PAGE, PROBLEM]))).records == [PROBLEM, PAGE]


def test_folded_pages_share_their_words() -> None:
    other = replace(PAGE, package="other")
    one, two = unpack(pack(ReadFiles({}, [*fold([PAGE, other])]))).records
    assert isinstance(one, PackagePages)
    assert isinstance(two, PackagePages)
    assert one.words is two.words
