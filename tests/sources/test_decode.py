from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.errors import SourceError
from etl.sources.decode import Gunzip, decode_json, shown, unpack


def test_json_with_a_byte_order_mark() -> None:
    assert decode_json(b'\xef\xbb\xbf {"a": [1]}', "x") == {"a": [1]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x: not JSON: the file is empty; fetch it again"),
        (b'{"a": 1', "x: not JSON: Expecting ',' delimiter at character 7, where it is cut off;"),
        (b'{"a": 1} and so on', "x: not JSON: Extra data at character 9; fetch it again"),
        (
            b" \n<!DOCTYPE html>",
            "x: HTML or XML instead of JSON; the address is that of a web page",
        ),
        (b'"\xe9"', "x: not JSON: byte 1 is not UTF-8"),
        (b"[" * 99_999, "x: not read: its values are nested too deeply"),
        (b"9" * 9_999, "x: not read: it holds a number of thousands of digits"),
    ],
)
def test_what_is_no_json(data: bytes, message: str) -> None:
    with pytest.raises(SourceError) as error:
        decode_json(data, "x")
    assert str(error.value).startswith(message)


@given(st.lists(st.binary()))
def test_gzip_is_unpacked_member_by_member(parts: list[bytes]) -> None:
    packed = b"".join(map(gzip.compress, parts))
    assert unpack(packed, "x") == b"".join(parts)


@given(st.binary(), st.integers(1, 9))
def test_gzip_is_unpacked_as_it_comes(data: bytes, step: int) -> None:
    packed = gzip.compress(data)
    gunzip = Gunzip("x", 1_000_000)
    blocks = [gunzip.feed(packed[at : at + step]) for at in range(0, len(packed), step)]
    gunzip.close()
    assert b"".join(blocks) == data


def test_what_is_not_gzip_stays_as_it_is() -> None:
    assert unpack(b"hello", "x") == b"hello"


@given(st.binary(max_size=50))
def test_damaged_gzip_is_refused(data: bytes) -> None:
    with pytest.raises(SourceError, match=r"x: (damaged|cut off): "):
        unpack(b"\x1f\x8b" + data, "x")


def test_gzip_that_is_cut_off() -> None:
    with pytest.raises(SourceError, match="x: cut off: the gzip data ends too early"):
        unpack(gzip.compress(b"hello")[:-1], "x")


def test_gzip_that_unpacks_to_more_than_the_limit() -> None:
    packed = gzip.compress(b"hello")
    assert unpack(packed, "x", limit=5) == b"hello"
    with pytest.raises(
        SourceError, match="x: 25 bytes unpack to more than 4; not read any further"
    ):
        unpack(packed, "x", limit=4)


def test_gzip_that_unpacks_to_far_more_than_it_weighs() -> None:
    bomb = gzip.compress(b"\0" * (100 << 20))
    with pytest.raises(SourceError, match="unpack to more than"):
        unpack(bomb, "x")


def test_only_gzip_is_taken_for_gzip() -> None:
    assert unpack(zlib.compress(b"hello"), "x") == zlib.compress(b"hello")


@pytest.mark.parametrize(
    ("text", "as_shown"),
    [("hello", "hello"), ("a\nb", "a\\nb"), ("\ud800", "\\ud800"), ("a" * 99, "a" * 80)],
)
def test_texts_in_messages(text: str, as_shown: str) -> None:
    assert shown(text) == as_shown
