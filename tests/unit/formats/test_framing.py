"""Confluent's frame, byte by byte."""

from __future__ import annotations

import pytest

from llm_schema_registry.errors import InvalidPayload
from llm_schema_registry.formats.framing import Frame, read_frame, read_message_indexes


def test_an_id_or_a_guid_names_the_schema() -> None:
    assert read_frame(b"\0\0\0\1\2x") == Frame(258, b"x")
    assert read_frame(b"\0\xff\xff\xff\xff") == Frame(-1, b"")
    guid = bytes(range(16))
    assert read_frame(b"\1" + guid + b"x") == Frame("00010203-0405-0607-0809-0a0b0c0d0e0f", b"x")


@pytest.mark.parametrize("data", [b"", b"\2abcd", b"\0\0\0\1", b"\1" + bytes(15)])
def test_a_frame_that_is_too_short_or_of_another_kind_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidPayload, match="frame is broken") as refused:
        read_frame(data)
    assert [each.kind for each in refused.value.violations] == ["FRAME_BROKEN"]


@pytest.mark.parametrize(
    ("body", "indexes", "rest"),
    [
        (b"\0x", (0,), b"x"),
        (b"\2\0x", (0,), b"x"),
        (b"\4\2\6x", (1, 3), b"x"),
        (b"\2\x80\2", (128,), b""),
    ],
)
def test_indexes_are_zigzag_numbers(body: bytes, indexes: tuple[int, ...], rest: bytes) -> None:
    assert read_message_indexes(body) == (indexes, rest)


@pytest.mark.parametrize(
    "body",
    [
        b"",  # nothing
        b"\4\2",  # one index of two
        b"\1",  # a number of -1
        b"\x82\1",  # 65 of them
        b"\2\1",  # the index -1
        b"\xff" * 6,  # a number that does not end
    ],
)
def test_indexes_that_are_none_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidPayload, match="frame is broken"):
        read_message_indexes(body)
