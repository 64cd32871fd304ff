"""Strict reading of JSON text: what the fast way lets pass is what the slow way finds nothing in."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from llm_schema_registry.formats.strict_json import read_json


@pytest.mark.parametrize(
    ("data", "kind", "path"),
    [
        (b'{"a": "\xff"}', "INVALID_TEXT", ""),
        (b'"\xed\xa0\x80"', "INVALID_TEXT", ""),
        (b"\xef\xbb\xbf1", "MALFORMED", ""),
        ("{}".encode("utf-16"), "INVALID_TEXT", ""),
        (b'{"a": 1, "b": {"a": 1, "a": 2}}', "FIELD_REPEATED", "/b/a"),
        (b"[" * 200_000, "TOO_DEEP", ""),
        (b"[" * 101 + b"]" * 101, "TOO_DEEP", "/0" * 100),
    ],
)
def test_what_is_wrong_is_found_in_its_place(data: bytes, kind: str, path: str) -> None:
    (fault,) = read_json(data).violations
    assert (fault.kind, fault.path) == (kind, path)


@pytest.mark.parametrize("value", ["[{" * 200, [[], {}] * 200, [[[index, {"a": []}] for index in range(60)]]])
def test_many_brackets_are_not_depth(value: object) -> None:
    assert read_json(json.dumps(value).encode()) == (value, ())


def test_faults_end_at_the_limit() -> None:
    data = ("[" + ",".join(['{"a": 1, "a": 2}'] * 50) + "]").encode()
    assert [fault.path for fault in read_json(data, 3).violations] == ["/0/a", "/1/a", "/2/a"]


def test_names_that_stand_twice_are_found_however_the_text_is_written() -> None:
    random = Random(7)
    names = ["a", "b", '\\"', "\\\\", 'c\\":', " :", "\\u003a", "\\u0061"]

    def text(depth: int) -> str:
        kind = random.random()
        if depth == 0 or kind < 0.4:
            return random.choice(
                ["1", '"a :b"', '"\\":"', '"\\\\"', "null", '"\\\\\\":"', '"\\u003A"', '"\\ud83d\\ude00"']
            )
        if kind < 0.6:
            return "[" + ",".join(text(depth - 1) for _ in range(random.randrange(3))) + "]"
        members = (
            f'"{random.choice(names)}"{random.choice(["", " ", chr(10)])}:{random.choice(["", " "])}{text(depth - 1)}'
            for _ in range(random.randrange(4))
        )
        return "{" + ",".join(members) + "}"

    repeated = 0

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal is_repeated
        is_repeated = is_repeated or len(dict(pairs)) < len(pairs)
        return dict(pairs)

    for _ in range(20_000):
        written = text(3)
        is_repeated = False
        value = json.loads(written, object_pairs_hook=members)
        reading = read_json(written.encode())
        assert reading.value == value, written
        assert bool(reading.violations) is is_repeated, written
        repeated += is_repeated
    assert 1_000 < repeated < 19_000
