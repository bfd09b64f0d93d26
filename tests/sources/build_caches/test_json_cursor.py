from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.sources.build_caches.json_cursor import JsonCursor

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


def walk(text: str) -> Any:
    """The value of a text, its objects walked through two deep."""
    cursor = JsonCursor(text)
    value = value_at(cursor, 2)
    cursor.end()
    return value


def value_at(cursor: JsonCursor, depth: int) -> Any:
    if not depth or not cursor.at_object():
        return cursor.value()
    return {key: value_at(cursor, depth - 1) for key in cursor.members()}


@given(values, st.sampled_from([None, 1, "\t"]), st.sampled_from([":", " : ", "\n:"]))
def test_walking_and_decoding_give_the_same(
    value: object, indent: int | str | None, colon: str
) -> None:
    text = f" {json.dumps(value, indent=indent, separators=(' , ', colon))}\r\n"
    assert walk(text) == value


@given(st.text(alphabet='{}[]",: \n1a\\', max_size=20))
def test_walking_accepts_what_decoding_accepts(text: str) -> None:
    try:
        expected = json.loads(text)
    except json.JSONDecodeError:
        with pytest.raises(json.JSONDecodeError):
            walk(text)
    else:
        assert walk(text) == expected


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("", "Expecting value", 0),
        ("{", "Expecting a key", 1),
        ('{"a"', "Expecting ':'", 4),
        ('{"a":', "Expecting value", 5),
        ('{"a": 1', "Expecting '}'", 7),
        ('{"a": 1,', "Expecting a key", 8),
        ('{"a": 1,}', "Expecting a key", 8),
        ("{1: 1}", "Expecting a key", 1),
        ('{"a": 1} {', "Extra data", 9),
    ],
)
def test_where_it_breaks(text: str, message: str, position: int) -> None:
    with pytest.raises(json.JSONDecodeError) as error:
        walk(text)
    assert (error.value.msg, error.value.pos) == (message, position)
