"""Pages of one package as one record: all that they say is in it, each thing once."""

from __future__ import annotations

import marshal
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from etl.page_format.style import TODAY
from etl.records import PackagePages, Page, PageHead, Spec, Words
from etl.sources.folding import fold
from etl.writer.shelf import FoldedStatement

A, B, C = "a" * 32, "b" * 32, "c" * 32
SPEC = Spec(B, "zlib", "1.3", "gcc@12.2.0", "ubuntu22.04", "linux", "x86_64_v3", ("+pic",))
OLDER = SPEC._replace(hash=A, version="1.2.13", variants=(), size=7)


def _page(
    tag: str, *specs: Spec, stacks: tuple[str, ...] = ("e4s",), package: str = "zlib"
) -> Page:
    place = f"_cache/{tag}/{package}/specs.md"
    return Page(place, tag, package, TODAY, specs, (stacks,) * len(specs))


def _unfolded(record: PackagePages) -> list[Page]:
    """The pages in a record."""
    machines, variants, stacks = record.words
    items: list[list[tuple[int, Spec, tuple[str, ...]]]] = [[] for _ in record.pages]
    for hash_, version, machine, listed, size, where, positions in marshal.loads(record.specs):
        compiler, os, platform, target = machines[machine]
        spec = Spec(
            hash_, record.package, version, compiler, os, platform, target, variants[listed], size
        )
        for page, of_stacks in zip(where[::2], where[1::2], strict=True):
            place = (positions or {}).get(page, -1)
            items[page].append((place, spec, stacks[of_stacks]))
    return [
        Page(
            head.place,
            head.tag,
            record.package,
            head.style,
            tuple(spec for _, spec, _ in sorted(found)),
            tuple(stacks for _, _, stacks in sorted(found)),
            head.text,
            head.cache,
        )
        for head, found in zip(record.pages, items, strict=True)
    ]


def test_what_two_pages_say_alike_is_there_once() -> None:
    one, two = _page("v1", OLDER), _page("v2", OLDER, SPEC, stacks=("hep", "e4s"))
    (record,) = fold([one, two])
    assert record.package == "zlib"
    assert record.pages == (
        PageHead(one.place, "v1", TODAY, None, None, (0,)),
        PageHead(two.place, "v2", TODAY, None, None, (1,)),
    )
    assert record.words == Words(
        [("gcc@12.2.0", "ubuntu22.04", "linux", "x86_64_v3")],
        [(), ("+pic",)],
        [("e4s",), ("hep", "e4s")],
    )
    assert marshal.loads(record.specs) == [
        (A, "1.2.13", 0, 0, 7, (0, 0, 1, 1), None),
        (B, "1.3", 0, 1, None, (1, 1), None),
    ]


def test_what_is_not_sorted_keeps_its_positions() -> None:
    (record,) = fold([_page("v1", OLDER, SPEC), _page("v2", SPEC, OLDER)])
    positions = {hash_: places for hash_, *_, places in marshal.loads(record.specs)}
    assert positions == {A: {1: 1}, B: {1: 0}}


def test_what_contradicts_is_in_another_record() -> None:
    newer = SPEC._replace(target="zen4")
    found = fold([_page("v1", SPEC), _page("v2", newer), _page("v3", SPEC), _page("v4", newer)])
    assert [[head.tag for head in record.pages] for record in found] == [["v1", "v3"], ["v2", "v4"]]


def test_pages_of_one_tag_and_of_other_packages_are_in_other_records() -> None:
    again = replace(_page("v1", SPEC), place="again/specs.md")
    found = fold([_page("v1", SPEC), again, _page("v2", SPEC), _page("v1", package="other")])
    assert [(it.package, [head.place for head in it.pages]) for it in found] == [
        ("zlib", ["_cache/v1/zlib/specs.md", "_cache/v2/zlib/specs.md"]),
        ("zlib", ["again/specs.md"]),
        ("other", ["_cache/v1/other/specs.md"]),
    ]


_SPECS = st.builds(
    Spec,
    st.sampled_from([A, B, C]),
    st.just("zlib"),
    st.sampled_from(["1.3", "1.2.13", "develop"]),
    st.sampled_from(["gcc@12.2.0", "none"]),
    st.just("ubuntu22.04"),
    st.just("linux"),
    st.sampled_from(["zen4", "x86_64_v3"]),
    st.sampled_from([(), ("+pic",)]),
    st.sampled_from([None, 0, 2**62]),
    st.none(),
)
_PAGES = st.lists(
    st.builds(
        lambda tag, specs, stacks: replace(_page(tag, *specs), stacks=stacks[: len(specs)]),
        st.sampled_from(["develop", "v1", "v2"]),
        st.lists(_SPECS, unique_by=lambda spec: spec.hash, max_size=3),
        st.lists(st.sampled_from([(), ("e4s",), ("hep", "e4s")]), min_size=3, max_size=3).map(
            tuple
        ),
    ),
    max_size=6,
)


def _in_order(pages: list[Page]) -> list[Page]:
    return sorted(pages, key=lambda page: (page.tag, repr(page)))


@given(_PAGES)
def test_all_that_is_folded_can_be_had_back(pages: list[Page]) -> None:
    found = [page for record in fold(pages) for page in _unfolded(record)]
    assert _in_order(found) == _in_order(pages)


@given(_PAGES)
def test_the_writer_takes_pages_apart_as_they_were(pages: list[Page]) -> None:
    found = []
    for record in fold(pages):
        machines, variants, stacks = record.words
        numbers = [(number,) * 4 for number in range(len(machines))]
        heads: list[tuple[int, str, int, bytes | None]] = [
            (0, head.place, number, None) for number, head in enumerate(record.pages)
        ]
        statement = FoldedStatement(
            0,
            heads,
            marshal.loads(record.specs),
            numbers,
            [*range(len(variants))],
            [*range(len(stacks))],
        )
        for page in statement.unfolded():
            told = [(hash_, facts[0], machines[facts[1]], variants[facts[5]], facts[6], stacks[of])
                    for hash_, facts, of in page.items]  # fmt: skip
            found.append((record.pages[page.style].tag, told))
    expected = [
        (page.tag, [(it.hash, it.version, it[3:7], it.variants, it.size, stacks)
                    for it, stacks in zip(page.specs, page.stacks, strict=True)])
        for page in pages
    ]  # fmt: skip
    assert sorted(found, key=repr) == sorted(expected, key=repr)
