"""What is told of binaries that are gone."""

from __future__ import annotations

from etl.query.gone import Gone

ONE = {
    "package": "tool",
    "version": "1.0",
    "hash": "abcdefghij",
    "tag": "develop",
    "gone_since": "2026-01-02",
    "still_in": None,
}
OTHER = {**ONE, "version": "2.0", "still_in": "v1"}


def test_one_that_is_all() -> None:
    assert Gone((ONE,), 1, False).in_words() == (
        "1 binary that satisfied it is gone:",
        "  tool@1.0 /abcdefg is gone from develop since 2026-01-02",
    )


def test_some_of_many() -> None:
    assert Gone((ONE, OTHER), 1234, False).in_words() == (
        "1,234 binaries that satisfied it are gone:",
        "  tool@1.0 /abcdefg is gone from develop since 2026-01-02",
        "  tool@2.0 /abcdefg is gone from develop since 2026-01-02; the same spec is in v1",
        "  and 1,232 more",
    )


def test_more_than_are_counted() -> None:
    words = Gone((ONE,), 1000, True).in_words()
    assert (words[0], words[-1]) == (
        "more than 1,000 binaries that satisfied it are gone:",
        "  and more than 999 more",
    )
