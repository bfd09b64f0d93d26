"""What specs ask of a host: numbers of needs and sets, and the libc that is good for several."""

from __future__ import annotations

import pytest

from etl.hosts.host import Libc
from etl.writer.needs import NAMES, Needs, both, lacks_runtime, own_fault

OLD, NEW = Libc("glibc", "2.9"), Libc("glibc", "2.28")
MUSL = Libc("musl", "1.2.4")
SPACKS = Libc("glibc", "2.36", "")
ELSEWHERE = Libc("glibc", "2.17", "/opt/libc")


def test_each_need_and_each_libc_has_one_number() -> None:
    needs = Needs()
    first = needs.need("linux", "rhel8", "zen4", NEW, None)
    assert needs.need("linux", "rhel8", "zen4", NEW, None) == first == 1
    others = [
        ("linux", "rhel8", "zen4", NEW, "os"),
        ("linux", "rhel8", "zen4", OLD, None),
        ("linux", "rhel8", "zen4", None, None),
        ("linux", "rhel8", "zen3", NEW, None),
        ("linux", "rhel9", "zen4", NEW, None),
        ("darwin", "rhel8", "zen4", NEW, None),
    ]
    assert [needs.need(*it) for it in others] == [2, 3, 4, 5, 6, 7]
    assert needs.never() == needs.never() == 8
    assert needs.libcs == {NEW: 1, OLD: 2}
    assert needs.libc_of_need == [NEW, NEW, OLD, None, NEW, NEW, NEW, None]


def test_where_no_graph_is_known_the_system_tells_the_libc() -> None:
    needs = Needs()
    ubuntu = needs.of_system(1, 2, 3, "ubuntu22.04")
    assert ubuntu == needs.need(1, 2, 3, Libc("glibc", "2.35"), "os")
    assert needs.of_system(1, 2, 3, "nosuch") == needs.need(1, 2, 3, None, None) != ubuntu
    assert needs.of_system(1, 2, 3, None) == needs.need(1, 2, 3, None, None)


def test_a_set_with_one_more_and_all_of_another() -> None:
    needs = Needs()
    one = needs.union(0, 5, 0)
    assert (one, needs.members(one), needs.members(0)) == (1, frozenset({5}), frozenset())
    two = needs.union(one, 7, 0)
    other = needs.union(0, 9, 0)
    all_ = needs.union(two, 5, other)
    assert (two, other, all_) == (2, 3, 4)
    assert needs.members(all_) == {5, 7, 9}
    # However it is come by, a set has one number.
    assert needs.union(other, 5, two) == needs.union(all_, 9, 0) == all_
    assert needs.union(two, 5, other) == all_
    assert needs.sets == {
        frozenset({5}): 1,
        frozenset({5, 7}): 2,
        frozenset({9}): 3,
        frozenset({5, 7, 9}): 4,
    }


def test_the_strictest_of_several_libcs() -> None:
    needs = Needs()
    old, new, musl, none = (needs.need(1, 2, 3, it, None) for it in (OLD, NEW, MUSL, None))
    set_ = needs.union(needs.union(needs.union(0, old, 0), musl, 0), none, 0)
    assert needs.strictest(none, 0) is None
    assert needs.strictest(musl, 0) == MUSL
    assert needs.strictest(musl, set_) == OLD
    assert needs.strictest(new, set_) == NEW
    assert needs.strictest(old, needs.union(0, new, 0)) == NEW


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (OLD, NEW, NEW),
        (NEW, NEW, NEW),
        (NEW, MUSL, Libc("musl@1.2.4 and glibc", "2.28")),
        (NEW, SPACKS, Libc("glibc@2.28 in /usr and glibc", "2.36", "")),
        (NEW, ELSEWHERE, Libc("glibc@2.17 in /opt/libc and glibc", "2.28")),
        (SPACKS, Libc("glibc", "2.40"), Libc("glibc@2.36 and glibc", "2.40")),
    ],
)
def test_what_is_good_for_two(one: Libc, other: Libc, expected: Libc) -> None:
    assert both(one, other) == both(other, one) == expected


def test_what_is_no_candidate_on_any_host() -> None:
    assert own_fault("tool", None, is_developed=False) is None
    assert own_fault("tool", "", is_developed=False) == "external"
    assert own_fault("compiler-wrapper", "/usr", is_developed=False) == "compiler-wrapper"
    assert own_fault("compiler-wrapper", "/usr", is_developed=True) == "dev_path"


@pytest.mark.parametrize(
    ("names", "lacks"),
    [
        ([], False),
        (["gcc"], True),
        (["gcc-runtime"], False),
        (["gcc", "gcc-runtime"], False),
        (["gcc", "intel-oneapi-runtime"], True),
        (["intel-oneapi-compilers"], True),
        (["intel-oneapi-compilers", "intel-oneapi-runtime"], False),
        (["gcc", "gcc-runtime", "intel-oneapi-compilers"], True),
    ],
)
def test_a_compiler_needs_what_its_programs_run_with(names: list[str], lacks: bool) -> None:
    assert lacks_runtime(sum(NAMES[it] for it in names)) is lacks
